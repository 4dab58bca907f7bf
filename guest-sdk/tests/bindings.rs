//! `c/contract.h` and `c/contract.c` are what wit-bindgen's generator makes of the contract.
//!
//! `TXCO_WRITE=1 cargo test --test bindings` writes them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::path::Path;
use std::{env, fs};

use wit_bindgen_core::Files;
use wit_bindgen_core::wit_parser::Resolve;

#[test]
fn the_c_bindings_are_of_this_contract() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut resolve = Resolve::new();
    let package = resolve.push_str("op.wit", &fs::read_to_string(root.join("wit/op.wit")).unwrap()).unwrap();
    let world = resolve.select_world(&[package], Some("op")).unwrap();
    // The workshop adds the contract's types itself, of what a source really imports.
    let options = wit_bindgen_c::Opts {
        rename_world: Some("contract".to_owned()),
        no_object_file: true,
        ..wit_bindgen_c::Opts::default()
    };
    let mut files = Files::default();
    options.build().generate(&mut resolve, world, &mut files).unwrap();
    let mut compared = 0;
    for (name, made) in files.iter() {
        let path = root.join("c").join(name);
        if env::var_os("TXCO_WRITE").is_some() {
            fs::create_dir_all(root.join("c")).unwrap();
            fs::write(&path, made).unwrap();
        }
        let committed = fs::read(&path).unwrap_or_default();
        assert!(committed == made, "{name} is not what the generator makes; write it with TXCO_WRITE=1");
        compared += 1;
    }
    assert_eq!(compared, 2, "a header and its implementation");
}
