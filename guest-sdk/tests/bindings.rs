//! `src/bindings.rs`, `c/contract.h` and `c/contract.c` are what wit-bindgen's generators make of the contract.
//!
//! `TXCO_WRITE=1 cargo test --test bindings` writes them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::path::Path;
use std::{env, fs};

use wit_bindgen_core::wit_parser::Resolve;
use wit_bindgen_core::{Files, WorldGenerator};

/// What `generator` makes is what stands in `folder`; the names of its files.
fn compare(mut generator: Box<dyn WorldGenerator>, folder: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut resolve = Resolve::new();
    let package = resolve.push_str("op.wit", &fs::read_to_string(root.join("wit/op.wit")).unwrap()).unwrap();
    let world = resolve.select_world(&[package], Some("op")).unwrap();
    let mut files = Files::default();
    generator.generate(&mut resolve, world, &mut files).unwrap();
    let compare = |(name, made): (&str, &[u8])| {
        let name = if name == "op.rs" { "bindings.rs" } else { name };
        let path = root.join(folder).join(name);
        if env::var_os("TXCO_WRITE").is_some() {
            fs::write(&path, made).unwrap();
        }
        let committed = fs::read(&path).unwrap_or_default();
        assert!(committed == made, "{name} is not what the generator makes; write it with TXCO_WRITE=1");
        name.to_owned()
    };
    files.iter().map(compare).collect()
}

#[test]
fn the_c_bindings_are_of_this_contract() {
    // The workshop adds the contract's types itself, of what a source really imports.
    let options = wit_bindgen_c::Opts {
        rename_world: Some("contract".to_owned()),
        no_object_file: true,
        ..wit_bindgen_c::Opts::default()
    };
    assert_eq!(compare(options.build(), "c"), ["contract.c", "contract.h"]);
}

#[test]
fn the_rust_bindings_are_of_this_contract() {
    let options = wit_bindgen_rust::Opts {
        format: true,
        pub_export_macro: true,
        default_bindings_module: Some("txco_op::bindings".to_owned()),
        ownership: wit_bindgen_rust::Ownership::Borrowing { duplicate_if_necessary: false },
        additional_derive_attributes: ["PartialEq", "Eq", "Clone"].map(str::to_owned).into(),
        additional_derive_ignore: vec!["piece".to_owned()],
        ..wit_bindgen_rust::Opts::default()
    };
    assert_eq!(compare(Box::new(options.build()), "src"), ["bindings.rs"]);
}
