//! Makes a component of a core module that a compiler made of an op: `componentize CORE COMPONENT`.

use std::error::Error;
use std::{env, fs};

use wit_component::ComponentEncoder;

fn main() -> Result<(), Box<dyn Error>> {
    let [_, core, component] = &env::args().collect::<Vec<_>>()[..] else {
        return Err("usage: componentize CORE COMPONENT".into());
    };
    let encoded = ComponentEncoder::default().validate(true).module(&fs::read(core)?)?.encode()?;
    Ok(fs::write(component, encoded)?)
}
