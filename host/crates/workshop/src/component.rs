//! A compiler's output becomes a component that carries its manifest.

use std::fmt::Display;

use model::MANIFEST_SECTION;
use wasm_encoder::{ComponentSection as _, CustomSection};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::{Error, sdk};

/// Makes a component of a core module; what is one already stays as it is. Of the contract's
/// imports it gets those that it calls.
pub(crate) fn of_module(module: &[u8]) -> Result<Vec<u8>, Error> {
    if wasmparser::Parser::is_component(module) {
        return Ok(module.to_vec());
    }
    let mut module = module.to_vec();
    if !has_types(&module) {
        let mut resolve = Resolve::new();
        let package = resolve.push_str("op.wit", sdk::WIT).map_err(refused)?;
        let world = resolve.select_world(&[package], Some("op")).map_err(refused)?;
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).map_err(refused)?;
    }
    let encoder = ComponentEncoder::default().validate(true);
    encoder.module(&module).and_then(|mut encoder| encoder.encode()).map_err(refused)
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
