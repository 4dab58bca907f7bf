//! Makes a component of an op's core module: `componentize CORE COMPONENT [OP.TOML | OP.WIT [MORE.WIT]]`.
//!
//! An op's manifest goes into the component. A compiler leaves the contract's types in the
//! module; a guest written as text has none, and for it the contract's own text is given, and
//! its own when it imports more than the contract.

use std::error::Error;
use std::{env, fs};

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
    let mut encoded = ComponentEncoder::default().validate(true).module(&module)?.encode()?;
    if let Some(manifest) = text.filter(|text| text.ends_with(".toml")) {
        let content = [sized(b"txco:manifest"), fs::read(manifest)?].concat();
        // A custom section, at the level of the component itself.
        encoded.push(0);
        encoded.extend(sized(&content));
    }
    Ok(fs::write(component, encoded)?)
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
