//! The example workspace `examples/webhook-signing`, carried in the binary.

use std::fs;
use std::io;
use std::path::Path;

/// The files below the workspace, and what stands in them.
const FILES: [(&str, &str); 5] = [
    ("README.md", include_str!("../../../../examples/webhook-signing/README.md")),
    (
        "OPS/orders/100/sign.txcl",
        include_str!("../../../../examples/webhook-signing/OPS/orders/100/sign.txcl"),
    ),
    (
        "OPS/orders/200/deliver.txcl",
        include_str!("../../../../examples/webhook-signing/OPS/orders/200/deliver.txcl"),
    ),
    (
        "OPS/orders/300/accepted.txcl",
        include_str!("../../../../examples/webhook-signing/OPS/orders/300/accepted.txcl"),
    ),
    (
        "OPS/orders/300/preview.txcl",
        include_str!("../../../../examples/webhook-signing/OPS/orders/300/preview.txcl"),
    ),
];

/// Where the example lies in a checkout.
pub(super) const IN_CHECKOUT: &str = "examples/webhook-signing";
/// The host that its delivery calls.
pub(super) const PARTNER: &str = "partner.example.com";
/// The secrets that its rules name.
pub(super) const WEBHOOK_SECRET: &str = "WEBHOOK_SECRET";
pub(super) const API_KEY: &str = "PARTNER_API_KEY";
pub(super) const CLIENT_SECRET: &str = "PARTNER_CLIENT_SECRET";

/// Writes the workspace into `folder`.
pub(super) fn write(folder: &Path) -> io::Result<()> {
    for (name, text) in FILES {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn files(folder: &Path, below: &Path, found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().is_some_and(|name| name == ".txco" || name == ".gitignore") {
                continue; // What `txco dev` leaves behind.
            }
            if path.is_dir() {
                files(&path, below, found);
            } else {
                let name = path.strip_prefix(below).unwrap().to_str().unwrap().to_owned();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }

    #[test]
    fn the_binary_carries_the_folder_as_it_is() {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(IN_CHECKOUT);
        let mut found = Vec::new();
        files(&folder, &folder, &mut found);
        found.sort();
        let mut carried: Vec<_> = FILES.iter().map(|(n, t)| ((*n).to_owned(), (*t).to_owned())).collect();
        carried.sort();
        assert_eq!(found, carried);
    }

    #[test]
    fn the_rules_name_what_the_demo_stores() {
        let rules: String = FILES.iter().filter(|(n, _)| n.ends_with(".txcl")).map(|(_, t)| *t).collect();
        for name in [WEBHOOK_SECRET, API_KEY, CLIENT_SECRET] {
            assert!(rules.contains(&format!("= \"{name}\"")), "{name}");
        }
        assert!(rules.contains(&format!("EXEC \"https://{PARTNER}/")));
    }
}
