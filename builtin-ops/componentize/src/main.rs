//! Makes a component of an op's core module: `componentize CORE COMPONENT [WIT]`.
//!
//! A compiler leaves the contract's types in the module. A guest written as text has none;
//! for it the contract's own text is given.

use std::error::Error;
use std::{env, fs};

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (core, component, wit) = match &arguments[..] {
        [core, component] => (core, component, None),
        [core, component, wit] => (core, component, Some(wit)),
        _ => return Err("usage: componentize CORE COMPONENT [WIT]".into()),
    };
    let mut module = wat::parse_file(core)?;
    if let Some(wit) = wit {
        let mut resolve = Resolve::new();
        let package = resolve.push_str(wit, &fs::read_to_string(wit)?)?;
        let world = resolve.select_world(&[package], Some("op"))?;
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    }
    let encoded = ComponentEncoder::default().validate(true).module(&module)?.encode()?;
    Ok(fs::write(component, encoded)?)
}
