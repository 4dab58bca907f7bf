//! A new op that works: its sources, a test of it, and a rule that calls it.

use std::path::{Path, PathBuf};

use model::OpName;

use crate::source::{Language, write};
use crate::{Error, sdk};

/// The text that stands for the op's name.
const NAME: &str = "my-signer";
/// Its failure code.
const CODE: &str = "my-signer-err";
/// The name as a constant: that of its secret in the tenant.
const SECRET: &str = "MY_SIGNER_KEY";

macro_rules! files {
    ($folder:literal: $($file:literal)*) => {
        &[$(($file, include_str!(concat!("scaffold/", $folder, "/", $file, ".template")))),*]
    };
}

const RUST: &[(&str, &str)] = files!["rust": "Cargo.toml" "src/lib.rs"];
const JAVASCRIPT: &[(&str, &str)] = files!["js": "op.js"];
const C: &[(&str, &str)] = files!["c": "op.c"];
const PYTHON: &[(&str, &str)] = files!["python": "op.py"];
const MANIFEST: (&str, &str) = ("op.toml", include_str!("scaffold/op.toml.template"));
/// A fixture of `txco op test`, the same for every language.
const FIXTURE: (&str, &str) = ("tests/signs.toml", include_str!("scaffold/signs.toml.template"));
const IGNORED: (&str, &str) = (".gitignore", "/.txco/\n/target/\n/*.wasm\n");
const RULE: &str = include_str!("scaffold/rule.txcl.template");

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scaffold {
    /// The op's folder.
    pub folder: PathBuf,
    /// The rule that calls it, when the folder lies where rules do.
    pub rule: Option<PathBuf>,
    /// The name of the secret that the rule gives it.
    pub secret: String,
}

/// Makes an op called `name` in `folder`, which must not exist; and, where rules lie
/// (`OPS/<stack>/<scope>/<name>`), a rule beside it.
///
/// # Errors
/// [`Error::File`]: it exists, or cannot be written.
pub fn scaffold(name: &OpName, folder: &Path, language: Language) -> Result<Scaffold, Error> {
    let files = match language {
        Language::Rust => RUST,
        Language::JavaScript => JAVASCRIPT,
        Language::C => C,
        Language::Python => PYTHON,
    };
    let secret = SECRET.replace("MY_SIGNER", &name.as_str().to_ascii_uppercase().replace('-', "_"));
    let code = failure_code(name);
    let budget = if matches!(language, Language::Rust | Language::C) { "5" } else { "250" };
    let filled = |text: &str| {
        let text = text.replace(SECRET, &secret).replace(CODE, &code).replace(NAME, name.as_str());
        text.replace("{version}", sdk::version()).replace("{budget}", budget)
    };
    let taken = |path: &Path| Error::File { path: path.to_owned(), reason: "exists already".to_owned() };
    if folder.exists() {
        return Err(taken(folder));
    }
    let rule = lies_among_rules(folder).then(|| folder.with_extension("txcl"));
    if let Some(rule) = rule.as_deref().filter(|rule| rule.exists()) {
        return Err(taken(rule));
    }
    for (path, text) in files.iter().chain([&MANIFEST, &FIXTURE, &IGNORED]) {
        write(&folder.join(path), filled(text).as_bytes())?;
    }
    sdk::put(folder)?;
    if let Some(rule) = &rule {
        write(rule, filled(RULE).as_bytes())?;
    }
    Ok(Scaffold { folder: folder.to_owned(), rule, secret })
}

/// The code that an op of this name fails with: in the letters of codes, and no longer than one may be.
fn failure_code(name: &OpName) -> String {
    let word: String = name.as_str().to_ascii_lowercase().replace('_', "-").chars().take(60).collect();
    format!("{word}-err")
}

/// Whether `folder` is `…/OPS/<stack>/<scope>/<name>`.
fn lies_among_rules(folder: &Path) -> bool {
    let parts: Vec<_> = folder.iter().filter_map(|part| part.to_str()).collect();
    let Some(ops) = parts.iter().rposition(|part| *part == "OPS") else { return false };
    let below = parts.get(ops + 1..).unwrap_or_default();
    let is_scope = |part: &&&str| part.starts_with(|c: char| c.is_ascii_digit());
    matches!(below, [_, middle @ .., _] if middle.iter().any(|part| is_scope(&part)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Source;

    #[test]
    fn a_new_op_says_its_name_and_has_a_rule_where_rules_lie() {
        let root = tempfile::tempdir().unwrap();
        let name = OpName::parse("acme-sig").unwrap();
        let folder = root.path().join("OPS/app/100/acme-sig");
        let made = scaffold(&name, &folder, Language::Rust).unwrap();
        assert_eq!(made.secret, "ACME_SIG_KEY");
        let rule = std::fs::read_to_string(made.rule.unwrap()).unwrap();
        assert!(rule.contains("\"op://acme-sig\"") && rule.contains("\"ACME_SIG_KEY\""), "{rule}");
        let source = Source::read(&folder).unwrap();
        assert_eq!((source.manifest.name, source.language), (name.clone(), Language::Rust));
        let left: Vec<_> =
            source.files.iter().filter(|(_, b)| String::from_utf8_lossy(b).contains(NAME)).collect();
        assert!(left.is_empty(), "{left:?}");
        let again = scaffold(&name, &folder, Language::Rust).unwrap_err().to_string();
        assert!(again.contains("exists already"), "{again}");
        for (language, word, _) in Language::ALL {
            let alone = scaffold(&name, &root.path().join(word).join("acme-sig"), language).unwrap();
            assert_eq!(alone.rule, None);
            assert_eq!(Source::read(&alone.folder).unwrap().language, language);
        }
    }

    #[test]
    fn every_name_makes_an_op_that_can_be_read() {
        let root = tempfile::tempdir().unwrap();
        for name in ["Bad_Name", "A-", &"n".repeat(64)] {
            let folder = root.path().join(name);
            scaffold(&OpName::parse(name).unwrap(), &folder, Language::C).unwrap();
            let source = Source::read(&folder).unwrap();
            assert_eq!(source.manifest.name.as_str(), name);
            let code = &source.manifest.failures[0];
            assert!(source.text("op.c").unwrap().contains(&format!("\"{code}\"")), "{code}");
        }
    }

    #[test]
    fn where_rules_lie() {
        let lies = |path: &str| lies_among_rules(Path::new(path));
        assert!(lies("OPS/app/100/x") && lies("/w/OPS/app/eu/20 - sign/x"));
        assert!(
            !lies("x") && !lies("OPS/x") && !lies("OPS/app/x") && !lies("OPS/100/x") && !lies("ops/a/1/x")
        );
    }
}
