//! Makes a component of an op's core module: `componentize CORE COMPONENT [OP.TOML | OP.WIT [MORE.WIT]]`.
//!
//! An op's manifest goes into the component. A compiler leaves the contract's types in the
//! module; a guest written as text has none, and for it the contract's own text is given, and
//! its own when it imports more than the contract.

use std::error::Error;
use std::{env, fs};

use wasmparser::BinaryReader;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (core, component, text, more) = match &arguments[..] {
        [core, component] => (core, component, None, None),
        [core, component, text] => (core, component, Some(text), None),
        [core, component, text, more] => (core, component, Some(text), Some(more)),
        _ => return Err("usage: componentize CORE COMPONENT [OP.TOML | OP.WIT [MORE.WIT]]".into()),
    };
    let mut module = wat::parse_file(core)?;
    if let Some(wit) = text.filter(|text| text.ends_with(".wit")) {
        let mut resolve = Resolve::new();
        let mut package = resolve.push_str(wit, &fs::read_to_string(wit)?)?;
        if let Some(more) = more {
            package = resolve.push_str(more, &fs::read_to_string(more)?)?;
        }
        let world = resolve.select_world(&[package], Some("op"))?;
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    }
    let encoded = ComponentEncoder::default().validate(true).module(&module)?.encode()?;
    let mut encoded = without_names(&encoded)?;
    if let Some(manifest) = text.filter(|text| text.ends_with(".toml")) {
        let content = [sized(b"txco:manifest"), fs::read(manifest)?].concat();
        // A custom section, at the level of the component itself.
        encoded.push(0);
        encoded.extend(sized(&content));
    }
    Ok(fs::write(component, encoded)?)
}

/// The component, or a module in it, without the sections that nobody reads: the names of its
/// parts, and which tools made it.
fn without_names(component: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let (head, mut sections) = component.split_at_checked(8).ok_or("no component")?;
    let is_component = head.get(6) == Some(&1);
    let mut kept = head.to_vec();
    while !sections.is_empty() {
        let mut reader = BinaryReader::new(sections, 0);
        let section = reader.read_u8()?;
        let mut content = reader.read_reader()?;
        let whole = sections.split_off(..reader.original_position()).ok_or("no component")?;
        match section {
            0 if matches!(content.read_string()?, "component-name" | "producers") => {}
            1 if is_component => {
                let module = without_names(content.read_bytes(content.bytes_remaining())?)?;
                kept.push(1);
                kept.extend(sized(&module));
            }
            _ => kept.extend_from_slice(whole),
        }
    }
    Ok(kept)
}

/// The bytes behind their own length, an unsigned LEB128.
fn sized(bytes: &[u8]) -> Vec<u8> {
    let (mut sized, mut len) = (Vec::new(), bytes.len());
    while len > 0x7f {
        sized.push(0x80 | (len & 0x7f) as u8);
        len >>= 7;
    }
    sized.push(len as u8);
    sized.extend_from_slice(bytes);
    sized
}
