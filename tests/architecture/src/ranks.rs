//! A crate depends only on crates of strictly lower rank, so there is no way round a wall.

use toml::{Table, Value};

/// Name in a manifest, package, rank. A new crate needs a new power and a line here.
const RANKS: [(&str, &str, u8); 10] = [
    ("pages", "txco-pages", 0),
    ("model", "txco-model", 0),
    ("store", "txco-store", 1),
    ("txcl", "txco-txcl", 1),
    ("vault", "txco-vault", 2),
    ("sandbox", "txco-sandbox", 3),
    ("egress", "txco-egress", 3),
    ("workshop", "txco-workshop", 3),
    ("chassis", "txco-chassis", 4),
    ("txco", "txco", 5),
];

/// The name by which a dependency line means a crate: its key, or what `package =` says.
pub(crate) fn dependencies(manifest: &Table, section: &str) -> Vec<String> {
    let Some(Value::Table(lines)) = manifest.get(section) else { return Vec::new() };
    lines
        .iter()
        .map(|(key, line)| line.get("package").and_then(Value::as_str).unwrap_or(key).to_owned())
        .collect()
}

fn rank(name: &str) -> Option<u8> {
    RANKS.iter().find(|(key, package, _)| *key == name || *package == name).map(|(_, _, rank)| *rank)
}

fn complaints(text: &str) -> Vec<String> {
    let manifest: Table = text.parse().unwrap();
    let package = manifest["package"]["name"].as_str().unwrap();
    let Some(own) = rank(package) else { return vec![format!("{package} has no rank")] };
    let sections = ["dependencies", "dev-dependencies", "build-dependencies"];
    sections
        .iter()
        .flat_map(|section| dependencies(&manifest, section))
        .filter(|name| rank(name).is_some_and(|rank| rank >= own))
        .map(|name| format!("{package} (rank {own}) depends on {name}"))
        .collect()
}

/// The manifests of the house: the program and its rooms.
pub(crate) fn manifests() -> Vec<(String, String)> {
    let mut manifests = crate::tree::files("host");
    manifests.retain(|file| file.path.ends_with("/Cargo.toml"));
    manifests.into_iter().map(|file| (file.path.clone(), file.text().to_owned())).collect()
}

#[test]
fn a_crate_depends_only_on_lower_ranks() {
    let manifests = manifests();
    assert_eq!(manifests.len(), RANKS.len(), "crates under host/ and lines in RANKS");
    let all: Vec<_> = manifests.iter().flat_map(|(_, text)| complaints(text)).collect();
    assert!(all.is_empty(), "{all:#?}");
}

#[test]
fn no_development_dependency_changes_a_shared_crate() {
    let mut seen = 0;
    for (path, text) in manifests() {
        let manifest: Table = text.parse().unwrap();
        let Some(Value::Table(lines)) = manifest.get("dev-dependencies") else { continue };
        for (name, line) in lines {
            seen += 1;
            let table = line.as_table().unwrap();
            assert_eq!(table.keys().collect::<Vec<_>>(), ["workspace"], "{path}: {name} (R38)");
        }
    }
    assert!(seen > 5, "found {seen} development dependencies");
}

#[test]
fn guests_and_host_meet_only_in_the_wit_package() {
    for folder in ["guest-sdk", "builtin-ops"] {
        let manifests: Vec<_> =
            crate::tree::files(folder).into_iter().filter(|f| f.path.ends_with("Cargo.toml")).collect();
        assert!(!manifests.is_empty(), "no manifest under {folder}");
        for file in manifests {
            assert!(!file.text().contains("host/"), "{} reaches into host/", file.path);
        }
    }
}

#[test]
fn the_check_complains() {
    let upward = "[package]\nname = \"txco-store\"\n[dependencies]\nvault.workspace = true\n";
    assert_eq!(complaints(upward), ["txco-store (rank 1) depends on vault"]);
    let renamed = "[package]\nname = \"txco-egress\"\n[dependencies]\nx = { package = \"txco-sandbox\", path = \"..\" }\n";
    assert_eq!(complaints(renamed), ["txco-egress (rank 3) depends on txco-sandbox"]);
    assert_eq!(complaints("[package]\nname = \"txco-extra\"\n"), ["txco-extra has no rank"]);
    assert!(
        complaints("[package]\nname = \"txco-vault\"\n[dependencies]\nstore.workspace = true\n").is_empty()
    );
}
