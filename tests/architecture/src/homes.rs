//! A power has one home: the crate whose manifest names it is the only one that has it.

use toml::Table;

use crate::ranks::{dependencies, manifests};

/// What has a home, and where.
const HOMES: [(&str, &str); 15] = [
    ("clap", "txco"),
    ("rpassword", "txco"),
    ("axum", "txco"),
    ("tracing-subscriber", "txco"),
    ("wasmtime", "txco-sandbox"),
    ("wasmtime-wasi", "txco-sandbox"),
    ("wit-component", "txco-workshop"),
    ("wit-parser", "txco-workshop"),
    ("wasm-encoder", "txco-workshop"),
    ("reqwest", "txco-egress"),
    ("simple-dns", "txco-egress"),
    ("aes-gcm", "txco-vault"),
    ("age", "txco-vault"),
    ("argon2", "txco-vault"),
    ("rusqlite", "txco-store"),
];

fn complaints(text: &str) -> Vec<String> {
    let manifest: Table = text.parse().unwrap();
    let package = manifest["package"]["name"].as_str().unwrap();
    dependencies(&manifest, "dependencies")
        .into_iter()
        .filter_map(|name| {
            let (power, home) = HOMES.iter().find(|(power, _)| *power == name)?;
            (*home != package).then(|| format!("{power} lives in {home}, not in {package}"))
        })
        .collect()
}

#[test]
fn every_power_has_one_home() {
    let manifests = manifests();
    let all: Vec<_> = manifests.iter().flat_map(|(_, text)| complaints(text)).collect();
    assert!(all.is_empty(), "{all:#?}");
    let at_home = manifests.iter().flat_map(|(_, text)| dependencies(&text.parse().unwrap(), "dependencies"));
    let at_home = at_home.filter(|name| HOMES.iter().any(|(power, _)| power == name)).count();
    assert!(at_home >= 10, "only {at_home} powers were found at home");
}

/// `rustix` serves several rooms; its memory calls serve one.
#[test]
fn memory_calls_live_in_pages() {
    let mut seen = 0;
    for file in crate::tree::rust("host") {
        if file.text().contains("rustix::mm") {
            seen += 1;
            assert!(file.path.starts_with("host/crates/pages/"), "{} uses rustix::mm", file.path);
        }
    }
    assert!(seen > 0, "nobody uses rustix::mm");
}

#[test]
fn the_check_complains() {
    let text = "[package]\nname = \"txco-chassis\"\n[dependencies]\nreqwest = \"1\"\nserde = \"1\"\n";
    assert_eq!(complaints(text), ["reqwest lives in txco-egress, not in txco-chassis"]);
}
