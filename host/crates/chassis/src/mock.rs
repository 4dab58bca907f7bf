//! Answers that a workspace keeps for its ops, given instead of calling them.
//!
//! A mock is `mock-response.json` beside a rule. It answers when the rule says
//! `EXEC "txco://mock"`, and when a pattern of `_txc.mocks` names the rule: set by the rule
//! itself (SET before the op), or by a caller where the operator allows that header. What is
//! mocked materialises nothing: no secret is opened, nothing is sent.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path as Folder;
use std::sync::Arc;

use model::{Envelope, Failure, Fault, Object, Value};
use txcl::Exec;

use crate::settings::Mocks;
use crate::workspace::{Misplaced, Source};

/// The file of a folder's answer.
const FILE: &str = "mock-response.json";
/// The largest answer that is kept.
const MAX_BYTES: u64 = 1 << 20;

/// The answers of a workspace, by folder.
pub(crate) type Kept = BTreeMap<String, Arc<Object>>;

/// Reads the answers of `folders`, each a path below the workspace.
pub(crate) fn read(workspace: &Folder, folders: BTreeSet<String>) -> Result<Kept, Vec<Misplaced>> {
    let (mut kept, mut misplaced) = (Kept::new(), Vec::new());
    for folder in folders {
        match read_one(&workspace.join(&folder).join(FILE)) {
            Ok(None) => {}
            Ok(Some(answer)) => {
                kept.insert(folder, Arc::new(answer));
            }
            Err(message) => misplaced.push(wrong(&folder, message)),
        }
    }
    if misplaced.is_empty() { Ok(kept) } else { Err(misplaced) }
}

/// The answers among files that are not read from disk.
pub(crate) fn of_sources(sources: &[Source]) -> Result<Kept, Vec<Misplaced>> {
    let (mut kept, mut misplaced) = (Kept::new(), Vec::new());
    for source in sources {
        let path = format!("OPS/{}/{}", source.stack, source.path);
        let Some(folder) = path.strip_suffix(FILE).and_then(|folder| folder.strip_suffix('/')) else {
            continue;
        };
        match parsed(source.text.as_bytes()) {
            Ok(answer) => drop(kept.insert(folder.to_owned(), Arc::new(answer))),
            Err(message) => misplaced.push(wrong(folder, message)),
        }
    }
    if misplaced.is_empty() { Ok(kept) } else { Err(misplaced) }
}

fn wrong(folder: &str, message: String) -> Misplaced {
    Misplaced {
        path: format!("{folder}/{FILE}"),
        message,
        hint: "it holds one JSON object of at most 1 MiB: what the op would have returned".to_owned(),
    }
}

fn read_one(path: &Folder) -> Result<Option<Object>, String> {
    let length = match fs::metadata(path) {
        Ok(facts) => facts.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("cannot be read: {error}")),
    };
    if length > MAX_BYTES {
        return Err(format!("is {length} bytes long"));
    }
    let text = fs::read(path).map_err(|error| format!("cannot be read: {error}"))?;
    parsed(&text).map(Some)
}

fn parsed(text: &[u8]) -> Result<Object, String> {
    match Value::parse(text).map_err(|error| format!("is {error}"))? {
        Value::Object(answer) => Ok(answer),
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Sealed(_) => Err("is no JSON object".to_owned()),
    }
}

/// The answer to give instead of running `exec`, when there is one.
pub(crate) fn instead<'m>(
    exec: Option<&Exec>,
    mock: Option<&'m Object>,
    name: impl FnOnce() -> String,
    input: &Envelope,
    mocks: Mocks,
) -> Result<Option<&'m Object>, Failure> {
    match exec {
        None | Some(Exec::Noop | Exec::Stage(_)) => Ok(None),
        Some(Exec::Other { scheme, text }) if scheme == "txco" => match (mocks, mock) {
            (Mocks::Deny, _) => {
                Err(Failure::new(Fault::OpUnsupported, format!("EXEC {text:?}: mocks are off (--mock deny)")))
            }
            (Mocks::Allow, None) => {
                let why = format!("EXEC {text:?}: there is no mock-response.json beside the rule");
                Err(Failure::new(Fault::OpUnknown, why))
            }
            (Mocks::Allow, Some(mock)) => Ok(Some(mock)),
        },
        Some(Exec::Builtin { .. } | Exec::Op { .. } | Exec::Http(_) | Exec::Other { .. }) => {
            Ok(mock.filter(|_| mocks == Mocks::Allow && chosen(input, &name())))
        }
    }
}

/// Whether the patterns of `_txc.mocks` choose `name`, `stack/scope/rule`. The last pattern
/// that fits decides; one that begins with `!` chooses against it.
fn chosen(input: &Envelope, name: &str) -> bool {
    let Some(said) = input.member(["_txc", "mocks"]) else { return false };
    let one = std::slice::from_ref(said);
    let patterns = if let Value::Array(patterns) = said { patterns.as_slice() } else { one };
    let patterns = patterns.iter().filter_map(Value::as_str).flat_map(|text| text.split(','));
    let mut chosen = false;
    for pattern in patterns.map(str::trim).filter(|pattern| !pattern.is_empty()) {
        let (against, pattern) = match pattern.strip_prefix('!') {
            Some(pattern) => (true, pattern),
            None => (false, pattern),
        };
        if fits(pattern, name) {
            chosen = !against;
        }
    }
    chosen
}

/// Whether a pattern fits: `*` is any run of characters, `?` is one. In time of at most the
/// product of both lengths.
#[must_use]
pub fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == b'?' || Some(c) == text.get(t) => (p, t) = (p + 1, t + 1),
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    (p, t) = (at + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, name, want) in [
            ("*", "web/100/call", true),
            ("web/100/call", "web/100/call", true),
            ("web/*/call", "web/100/call", true),
            ("web/1?0/c*l", "web/100/call", true),
            ("*call*", "web/100/call", true),
            ("**", "", true),
            ("", "x", false),
            ("web/100", "web/100/call", false),
            ("*/b", "web/100/call", false),
            ("web/100/call?", "web/100/call", false),
        ] {
            assert_eq!(fits(pattern, name), want, "{pattern} {name}");
        }
        let hard = format!("{}b", "*a".repeat(200));
        assert!(!fits(&hard, &"a".repeat(5_000)));
    }

    #[test]
    fn the_last_that_fits_decides() {
        let said = |text: &str| {
            let text = format!("{{\"_txc\":{{\"mocks\":{text}}}}}");
            Envelope::new(Value::parse(text.as_bytes()).unwrap()).unwrap()
        };
        for (mocks, want) in [
            ("\"*\"", true),
            ("[\"*\",\"!web/*\"]", false),
            ("[\"!*\",\"web/100/call\"]", true),
            ("\"shop/*, web/100/*\"", true),
            ("[]", false),
            ("[7,null]", false),
            ("{\"a\":1}", false),
        ] {
            assert_eq!(chosen(&said(mocks), "web/100/call"), want, "{mocks}");
        }
        assert!(!chosen(&Envelope::default(), "web/100/call"));
    }
}
