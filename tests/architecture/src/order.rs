//! Inside a crate a file imports only from modules declared above its own: the list of modules reads as the data flow.

use std::collections::HashMap;

use crate::tree;

/// The modules a file declares, in order.
fn declared(code: &str) -> Vec<String> {
    code.lines()
        .filter_map(|line| {
            let line = line.trim_start();
            let line = line.strip_prefix("pub ").or_else(|| line.strip_prefix("pub(crate) ")).unwrap_or(line);
            Some(line.strip_prefix("mod ")?.strip_suffix(';')?.to_owned())
        })
        .collect()
}

/// The names that follow `prefix` wherever it stands: `crate::a::b` gives `a`, `crate::{a, b::c}` gives `a`, `b`.
fn named_after(code: &str, prefix: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':' || c == '$') {
            continue;
        }
        let rest = &code[at + prefix.len()..];
        match rest.strip_prefix('{') {
            Some(group) => names.extend(members(group)),
            None => names.push(identifier(rest)),
        }
    }
    names
}

/// The first name of each member of a group whose `{` is already read.
fn members(group: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut depth = 0;
    let mut member = String::new();
    for c in group.chars() {
        match c {
            '}' if depth == 0 => break,
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(identifier(&std::mem::take(&mut member))),
            _ => member.push(c),
        }
    }
    names.push(identifier(&member));
    names.retain(|name| !name.is_empty());
    names
}

fn identifier(text: &str) -> String {
    text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// What a crate root re-exports: name → module.
fn exported(code: &str, modules: &[String]) -> HashMap<String, String> {
    let mut exported = HashMap::new();
    for module in modules {
        for name in named_after(code, &format!("{module}::")) {
            exported.insert(name, module.clone());
        }
    }
    exported
}

/// What `own`, one of `modules`, names out of order: a module declared below it.
fn complaints(
    modules: &[String],
    exported: &HashMap<String, String>,
    own: &str,
    names: &[String],
) -> Vec<String> {
    let place = |module: &str| modules.iter().position(|m| m == module);
    let Some(mine) = place(own) else { return Vec::new() };
    let late = |name: &String| {
        let module = if place(name).is_some() { name } else { exported.get(name)? };
        (place(module)? > mine)
            .then(|| format!("{own} imports {name} of {module}, which is declared below it"))
    };
    names.iter().filter_map(late).collect()
}

/// Checks one folder of siblings: `door` declares them, `folder` holds them, `prefix` is how they name each other.
fn check(door: &str, folder: &str, prefix: &str, files: &[tree::File]) -> (usize, Vec<String>) {
    let Some(root) = files.iter().find(|file| file.path == door) else { return (0, Vec::new()) };
    let root = tree::code(root.text());
    let modules = declared(&root);
    let exported = exported(&root, &modules);
    let mut seen = 0;
    let mut all = Vec::new();
    for file in files.iter().filter(|file| file.path.starts_with(folder) && file.path != door) {
        let inside = &file.path[folder.len()..];
        let own = inside.split('/').next().unwrap().trim_end_matches(".rs");
        // `super::` means a sibling only from a file that lies in the folder itself.
        if tree::is_test(inside) || own == "main" || (prefix == "super::" && inside.contains('/')) {
            continue;
        }
        seen += 1;
        let names = named_after(&tree::code(file.text()), prefix);
        all.extend(
            complaints(&modules, &exported, own, &names).iter().map(|c| format!("{}: {c}", file.path)),
        );
    }
    (seen, all)
}

#[test]
fn modules_import_from_above() {
    let files = tree::rust("host");
    let (mut seen, mut all) = (0, Vec::new());
    for root in files.iter().filter(|file| file.path.ends_with("/src/lib.rs")) {
        let (some, complaints) =
            check(&root.path, root.path.strip_suffix("lib.rs").unwrap(), "crate::", &files);
        seen += some;
        all.extend(complaints);
    }
    assert!(seen > 40, "only {seen} files were checked");
    assert!(all.is_empty(), "{all:#?}");
}

#[test]
fn siblings_import_from_above() {
    let files = tree::rust("host");
    let (mut seen, mut all) = (0, Vec::new());
    for door in files.iter().filter(|file| !file.path.ends_with("/lib.rs")) {
        let folder = door.path.strip_suffix("/mod.rs").or_else(|| door.path.strip_suffix(".rs")).unwrap();
        let (some, complaints) = check(&door.path, &format!("{folder}/"), "super::", &files);
        seen += some;
        all.extend(complaints);
    }
    assert!(seen > 0, "no module has a folder of its own");
    assert!(all.is_empty(), "{all:#?}");
}

#[test]
fn the_check_complains() {
    let root = "pub mod low;\nmod high;\npub use high::{Tall, deep::Very as Far};\npub use low::Flat;\n";
    let modules = declared(root);
    assert_eq!(modules, ["low", "high"]);
    let exported = exported(root, &modules);
    let complain = |text: &str| complaints(&modules, &exported, "low", &named_after(text, "crate::"));
    assert_eq!(complain("use crate::high::X;"), ["low imports high of high, which is declared below it"]);
    assert_eq!(
        complain("use crate::{Flat, Tall};"),
        ["low imports Tall of high, which is declared below it"]
    );
    assert_eq!(complain("fn f(_: crate::Tall) {}").len(), 1);
    assert!(complain("use crate::{Flat, low::{a, b}};").is_empty());
    assert!(
        complaints(&modules, &exported, "high", &named_after("use crate::low::X;", "crate::")).is_empty()
    );
    assert_eq!(named_after("use super::a::B; super::super::c", "super::"), ["a", "super"]);
}
