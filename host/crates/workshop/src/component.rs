//! A compiler's output becomes a component that carries its manifest.

use std::fmt::Display;

use model::MANIFEST_SECTION;
use wasm_encoder::{ComponentSection as _, CustomSection, Encode as _};
use wasmparser::BinaryReader;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::{Error, sdk};

/// Makes a component of a core module; what is one already stays as it is. Of the contract's
/// imports it gets those that it calls.
pub(crate) fn of_module(module: &[u8]) -> Result<Vec<u8>, Error> {
    if wasmparser::Parser::is_component(module) {
        return Ok(module.to_vec());
    }
    if let Some(import) = of_wasi(module) {
        return Err(Error::Component(format!(
            "its libc asks the operating system for {import}, and there is none: take what the contract has (the time, \
             randomness, a log) and of libc what computes in memory"
        )));
    }
    let mut module = module.to_vec();
    if !has_types(&module) {
        let mut resolve = Resolve::new();
        let package = resolve.push_str("op.wit", sdk::WIT).map_err(refused)?;
        let world = resolve.select_world(&[package], Some("op")).map_err(refused)?;
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).map_err(refused)?;
    }
    let encoder = ComponentEncoder::default().validate(true);
    let component = encoder.module(&module).and_then(|mut encoder| encoder.encode()).map_err(refused)?;
    without_names(&component).map_err(refused)
}

/// The component, or a module in it, without the sections that nobody reads: the names of its
/// parts, and which tools made it.
fn without_names(component: &[u8]) -> wasmparser::Result<Vec<u8>> {
    // Eight bytes of head: the magic number, the version, and at 6 which of the two it is.
    let (head, mut sections) = component.split_at_checked(8).unwrap_or((component, &[]));
    let is_component = head.get(6) == Some(&1);
    let mut kept = head.to_vec();
    while !sections.is_empty() {
        let mut reader = BinaryReader::new(sections, 0);
        let section = reader.read_u8()?;
        let mut content = reader.read_reader()?;
        let (whole, rest) = sections.split_at_checked(reader.original_position()).unwrap_or((sections, &[]));
        sections = rest;
        match section {
            0 if matches!(content.read_string()?, "component-name" | "producers") => {}
            1 if is_component => {
                kept.push(section);
                without_names(content.read_bytes(content.bytes_remaining())?)?.encode(&mut kept);
            }
            _ => kept.extend_from_slice(whole),
        }
    }
    Ok(kept)
}

/// What the module imports of the first version of WASI, which no component has.
fn of_wasi(module: &[u8]) -> Option<String> {
    let sections = wasmparser::Parser::new(0).parse_all(module).flatten();
    let mut imports = sections.filter_map(|payload| {
        let wasmparser::Payload::ImportSection(imports) = payload else { return None };
        Some(imports.into_imports().flatten())
    });
    let found = imports.find_map(|mut imports| imports.find(|one| one.module == "wasi_snapshot_preview1"));
    found.map(|import| import.name.to_owned())
}

/// Whether the compiler left the contract's types in the module, as Rust's bindings do.
fn has_types(module: &[u8]) -> bool {
    let mut sections = wasmparser::Parser::new(0).parse_all(module).flatten();
    sections.any(|payload| {
        matches!(payload, wasmparser::Payload::CustomSection(section) if section.name().starts_with("component-type"))
    })
}

/// The component with the text of its manifest.
pub(crate) fn with_manifest(component: &[u8], manifest: &str) -> Vec<u8> {
    let section = CustomSection { name: MANIFEST_SECTION.into(), data: manifest.as_bytes().into() };
    let mut whole = component.to_vec();
    section.append_to_component(&mut whole);
    whole
}

fn refused(error: impl Display) -> Error {
    Error::Component(format!("{error:#}"))
}
