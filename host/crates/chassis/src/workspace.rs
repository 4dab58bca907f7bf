//! Which rule files a workspace holds: `OPS/<stack>/<scope>/<name>.txcl`, read from disk.
//!
//! The layout is the existing chassis's: the directories before the first numbered one are
//! the stack, the deepest numbered one above a file is its scope, what lies between joins
//! the name by `_`, and a directory beginning with `_` below a numbered one is switched off.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use model::StackName;

use crate::operations::Operations;

/// A rule file and where it belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) stack: StackName,
    pub(crate) scope: u32,
    pub(crate) name: String,
    /// Below the workspace, with `/`: what people see in messages.
    pub(crate) shown: String,
    pub(crate) text: String,
}

/// A file of a stack, by its path below the stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The stack.
    pub stack: StackName,
    /// Its path below the stack, with `/`: `100/charge.txcl`.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// Where a rule belongs, by the path of its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulePlace {
    /// Its scope.
    pub scope: u32,
    /// Its name in the scope.
    pub name: String,
}

/// A file or folder of a workspace that is not where or what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misplaced {
    /// The path below the workspace.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl Misplaced {
    /// For people.
    pub(crate) fn render(&self) -> String {
        format!("{}: {}\n  hint: {}\n", self.path, self.message, self.hint)
    }
}

/// The largest rule file that is read; rules are written by people.
const MAX_RULE_BYTES: u64 = 1 << 20;
/// The deepest folder below `OPS` that is looked into.
const MAX_DEPTH: usize = 16;

/// Every rule file below `workspace/OPS`, as it is applied: with addresses for the names of `operations`.
///
/// # Errors
/// Whatever is not where it should be.
pub fn sources(workspace: &Path, operations: &Operations) -> Result<Vec<Source>, Vec<Misplaced>> {
    let source = |found: Found| {
        let below = format!("OPS/{}/", found.stack);
        let path = found.shown.strip_prefix(&below).unwrap_or(&found.shown).to_owned();
        Source { stack: found.stack, path, text: found.text }
    };
    Ok(read(workspace, operations)?.into_iter().map(source).collect())
}

/// Where the rule of a stack's file belongs; nothing when its folder is switched off.
///
/// # Errors
/// [`Misplaced`] when no rule belongs there.
pub fn rule_place(stack: &StackName, path: &str) -> Result<Option<RulePlace>, Misplaced> {
    let segments: Vec<String> = stack.as_str().split('/').chain(path.split('/')).map(str::to_owned).collect();
    let misplaced =
        |message: String, hint: &str| Misplaced { path: shown(&segments), message, hint: hint.to_owned() };
    let unclean = |segment: &String| segment.is_empty() || segment.starts_with('.');
    if segments.len() > MAX_DEPTH || segments.iter().any(unclean) || !path.ends_with(".txcl") {
        return Err(misplaced("is no path of a rule file".to_owned(), LAYOUT));
    }
    let folders = segments.len().saturating_sub(1);
    if (1..=folders).any(|end| segments.get(..end).is_some_and(switched_off)) {
        return Ok(None);
    }
    let (found, scope, name) = place(&segments).map_err(|(message, hint)| misplaced(message, hint))?;
    if found != *stack {
        return Err(misplaced(format!("lies in stack {found}"), LAYOUT));
    }
    Ok(Some(RulePlace { scope, name }))
}

/// Puts files that are not read from disk where they belong, as [`read`] does.
pub(crate) fn placed(sources: Vec<Source>) -> Result<Vec<Found>, Vec<Misplaced>> {
    let mut walk = Walk::default();
    for Source { stack, path, text } in sources {
        match rule_place(&stack, &path) {
            Ok(Some(RulePlace { scope, name })) => {
                let shown = format!("OPS/{stack}/{path}");
                walk.found.push(Found { stack, scope, name, shown, text });
            }
            Ok(None) => {}
            Err(misplaced) => walk.misplaced.push(misplaced),
        }
    }
    walk.end()
}

/// Reads every rule file below `workspace/OPS`, in the order of stack, scope and name.
pub(crate) fn read(workspace: &Path, operations: &Operations) -> Result<Vec<Found>, Vec<Misplaced>> {
    let mut walk = Walk { operations: operations.clone(), ..Walk::default() };
    walk.folder(&workspace.join("OPS"), &mut Vec::new());
    walk.end()
}

const LAYOUT: &str = "rules live in OPS/<stack>/<scope>/<name>.txcl, for instance OPS/shop/100/charge.txcl";

#[derive(Default)]
struct Walk {
    operations: Operations,
    found: Vec<Found>,
    misplaced: Vec<Misplaced>,
}

impl Walk {
    /// In order, or everything that is wrong.
    fn end(mut self) -> Result<Vec<Found>, Vec<Misplaced>> {
        let mut seen = BTreeMap::new();
        for found in &self.found {
            let key = (found.stack.as_str().to_owned(), found.scope, found.name.clone());
            if let Some(first) = seen.insert(key, found.shown.clone()) {
                self.misplaced.push(Misplaced {
                    path: found.shown.clone(),
                    message: format!(
                        "two rules are named {} in scope {} of stack {}",
                        found.name, found.scope, found.stack
                    ),
                    hint: format!("rename it, or remove {first}"),
                });
            }
        }
        if self.misplaced.is_empty() {
            self.found.sort_by(|a, b| {
                (a.stack.as_str(), a.scope, &a.name).cmp(&(b.stack.as_str(), b.scope, &b.name))
            });
            Ok(self.found)
        } else {
            Err(self.misplaced)
        }
    }

    fn folder(&mut self, folder: &Path, segments: &mut Vec<String>) {
        let entries = match fs::read_dir(folder).and_then(|entries| entries.collect::<Result<Vec<_>, _>>()) {
            Ok(entries) => entries,
            Err(error) => {
                return self.refuse(
                    segments,
                    format!("cannot be read: {error}"),
                    "check that it exists and its permissions",
                );
            }
        };
        let mut paths: Vec<PathBuf> = entries.iter().map(fs::DirEntry::path).collect();
        paths.sort();
        for path in paths {
            let Some(name) = path.file_name().and_then(|n| n.to_str()).map(str::to_owned) else {
                self.refuse(segments, "holds a file whose name is not UTF-8".to_owned(), "rename it");
                continue;
            };
            if name.starts_with('.') {
                continue;
            }
            segments.push(name);
            if path.is_dir() {
                if segments.len() > MAX_DEPTH {
                    self.refuse(
                        segments,
                        format!("lies more than {MAX_DEPTH} folders deep"),
                        "flatten the workspace",
                    );
                } else if !switched_off(segments) && !path.join("op.toml").is_file() {
                    // (The sources of an op hold no rules.)
                    self.folder(&path, segments);
                }
            } else if path.extension().is_some_and(|e| e == "txcl") {
                self.file(&path, segments);
            }
            segments.pop();
        }
    }

    fn file(&mut self, path: &Path, segments: &[String]) {
        let place = match place(segments) {
            Ok(place) => place,
            Err((message, hint)) => return self.refuse(segments, message, hint),
        };
        // A system stack of the existing chassis (`_sys/boot`): its routing is built in here.
        if place.0.as_str().starts_with('_') && place.0.as_str().contains('/') {
            return;
        }
        match read_rule(path) {
            Ok(text) => self.found.push(Found {
                stack: place.0,
                scope: place.1,
                name: place.2,
                shown: shown(segments),
                text: self.operations.put_in(&text, path.parent().unwrap_or(path)).into_owned(),
            }),
            Err(message) => self.refuse(segments, message, "a rule file is UTF-8 text of at most 1 MiB"),
        }
    }

    fn refuse(&mut self, segments: &[String], message: String, hint: &str) {
        self.misplaced.push(Misplaced { path: shown(segments), message, hint: hint.to_owned() });
    }
}

fn shown(segments: &[String]) -> String {
    std::iter::once("OPS").chain(segments.iter().map(String::as_str)).collect::<Vec<_>>().join("/")
}

fn read_rule(path: &Path) -> Result<String, String> {
    let length = fs::metadata(path).map_err(|e| format!("cannot be read: {e}"))?.len();
    if length > MAX_RULE_BYTES {
        return Err(format!("is {length} bytes long"));
    }
    fs::read_to_string(path).map_err(|e| format!("cannot be read: {e}"))
}

/// The number at the front of a scope folder: `100`, `0100_charge`, `20 - notify`.
fn scope_number(folder: &str) -> Option<Result<u32, ()>> {
    let digits: String = folder.chars().take_while(char::is_ascii_digit).collect();
    let rest = folder.get(digits.len()..).unwrap_or_default();
    let numbered = !digits.is_empty() && (rest.is_empty() || rest.starts_with([' ', '_', '-']));
    numbered.then(|| digits.parse().map_err(|_| ()))
}

/// Whether the last of `segments` is a `_` folder below a numbered one.
fn switched_off(segments: &[String]) -> bool {
    let Some((last, above)) = segments.split_last() else { return false };
    last.starts_with('_') && above.iter().any(|s| scope_number(s).is_some())
}

fn place(segments: &[String]) -> Result<(StackName, u32, String), (String, &'static str)> {
    let (file, folders) = segments.split_last().ok_or_else(|| ("is empty".to_owned(), LAYOUT))?;
    let first = folders.iter().position(|s| scope_number(s).is_some());
    let deepest = folders.iter().rposition(|s| scope_number(s).is_some());
    let (Some(first), Some(deepest)) = (first, deepest) else {
        return Err(("lies in no numbered scope folder".to_owned(), LAYOUT));
    };
    if first == 0 {
        return Err(("lies in no stack: the first folder below OPS is a scope".to_owned(), LAYOUT));
    }
    let stack = folders.get(..first).unwrap_or_default().join("/");
    let stack = StackName::parse(&stack).map_err(|e| (e.to_string(), LAYOUT))?;
    let Some(Ok(scope)) = folders.get(deepest).and_then(|s| scope_number(s)) else {
        return Err(("has a scope number that is too large".to_owned(), LAYOUT));
    };
    let between = folders.get(deepest + 1..).unwrap_or_default().iter().map(String::as_str);
    let name = between.chain([file.trim_end_matches(".txcl")]).collect::<Vec<_>>().join("_");
    let legal = (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if legal {
        Ok((stack, scope, name))
    } else {
        Err((format!("makes the rule name {name:?}"), "a rule's name is 1 to 64 of letters, digits, _ and -"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join("OPS").join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "EXEC \"txco://noop\"").unwrap();
        }
        folder
    }

    #[test]
    fn the_layout_of_the_existing_chassis() {
        let folder = workspace(&[
            "shop/eu/0100_charge/sub/pay.txcl",
            "shop/eu/20/200 inner/b.txcl",
            "shop/eu/20/_off/c.txcl",
            "shop/eu/20/notes.md",
            "_sys/boot/0/route.txcl",
        ]);
        let found = read(folder.path(), &Operations::default()).unwrap();
        let places: Vec<_> = found.iter().map(|f| (f.stack.as_str(), f.scope, f.name.as_str())).collect();
        assert_eq!(places, [("shop/eu", 100, "sub_pay"), ("shop/eu", 200, "b")]);
    }

    #[test]
    fn what_is_misplaced_is_named_all_at_once() {
        let folder =
            workspace(&["a.txcl", "10/a.txcl", "shop/a.txcl", "shop/1/a b.txcl", "shop/99999999999/x.txcl"]);
        let misplaced = read(folder.path(), &Operations::default()).unwrap_err();
        let paths: Vec<_> = misplaced.iter().map(|m| m.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "OPS/10/a.txcl",
                "OPS/a.txcl",
                "OPS/shop/1/a b.txcl",
                "OPS/shop/99999999999/x.txcl",
                "OPS/shop/a.txcl"
            ]
        );
    }

    #[test]
    fn two_rules_of_one_name_are_refused() {
        let folder = workspace(&["s/1/a_b.txcl", "s/01/a/b.txcl"]);
        let misplaced = read(folder.path(), &Operations::default()).unwrap_err();
        assert!(misplaced[0].message.contains("two rules are named a_b"), "{misplaced:?}");
    }

    #[test]
    fn no_ops_folder_is_said() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path(), &Operations::default()).unwrap_err()[0].path, "OPS");
    }
}
