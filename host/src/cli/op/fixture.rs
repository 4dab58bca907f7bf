//! A fixture of `txco op test`: what goes into one call, and what must come out.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use model::{Class, Delivery};
use sandbox::Randomness;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::rehearsal::{Scene, envelope};
use crate::cli::output::Complaint;

/// The largest fixture.
const MOST: u64 = 8 << 20;
/// The time of a call whose fixture says nothing.
const THEN: &str = "2020-01-01T00:00:00Z";

/// What a file in `tests/` says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Text {
    /// The op's clock, RFC 3339.
    now: Option<String>,
    /// What its random bytes begin with; the same each run.
    #[serde(default)]
    seed: u64,
    /// The only build it is about: `reveal` or `use`.
    delivery: Option<String>,
    #[serde(default)]
    params: serde_json::Map<String, serde_json::Value>,
    /// Made-up values, by slot.
    #[serde(default)]
    secrets: BTreeMap<String, Written>,
    /// What the secrets let the op return after it was shown them: `digest` or `data`.
    allow: Option<Class>,
    #[serde(default)]
    input: serde_json::Map<String, serde_json::Value>,
    /// The body as it was received, byte for byte.
    raw_body: Option<Written>,
    #[serde(default)]
    expect: Vec<Expected>,
    failure: Option<Failing>,
    /// The code of a fault, such as `op_over_time`.
    fault: Option<String>,
}

/// Bytes as a fixture writes them: a text, or what no text can say.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a text, { hex = \"…\" } or { base64 = \"…\" }")]
enum Written {
    Text(String),
    Hex { hex: String },
    Base64 { base64: String },
}

/// A field that must come out.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expected {
    pub(super) path: String,
    pub(super) value: serde_json::Value,
    pub(super) class: Option<Class>,
}

/// A failure that must come out.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Failing {
    pub(super) code: String,
    /// A part of its message.
    pub(super) message: Option<String>,
}

/// What must come out.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    /// Exactly these fields.
    Fields(Vec<Expected>),
    /// The op's own failure.
    Failure(Failing),
    /// A fault of the sandbox.
    Fault(String),
}

/// A fixture, read.
pub(super) struct Fixture {
    pub(super) name: String,
    pub(super) delivery: Option<Delivery>,
    pub(super) scene: Scene,
    pub(super) secrets: BTreeMap<String, Zeroizing<Vec<u8>>>,
    pub(super) allow: Option<Class>,
    pub(super) outcome: Outcome,
}

impl Fixture {
    /// The fixtures of the op in `folder`, by name.
    pub(super) fn all(folder: &Path) -> Result<Vec<Self>, Complaint> {
        if !folder.is_dir() {
            let why = if folder.exists() { "it is no folder" } else { "there is no such folder" };
            return Err(Complaint::failed(format!(
                "{}: {why}; DIR is the one with op.toml",
                folder.display()
            )));
        }
        let tests = folder.join("tests");
        let entries = fs::read_dir(&tests).into_iter().flatten().flatten();
        let is_fixture = |path: &PathBuf| path.extension().is_some_and(|e| e == "toml" || e == "json");
        let mut files: Vec<_> = entries.map(|entry| entry.path()).filter(is_fixture).collect();
        files.sort();
        if files.is_empty() {
            let tests = tests.display();
            return Err(Complaint::failed(format!(
                "there is no fixture in {tests} (a file NAME.toml or NAME.json)"
            )));
        }
        files.iter().map(|file| Self::read(file)).collect()
    }

    /// Reads one.
    pub(super) fn read(file: &Path) -> Result<Self, Complaint> {
        let wrong = |why: String| Complaint::failed(format!("{}: {why}", file.display()));
        let length = fs::metadata(file).map_err(|e| wrong(e.to_string()))?.len();
        if length > MOST {
            return Err(wrong(format!("{length} bytes long, at most {MOST}")));
        }
        let text = fs::read_to_string(file).map_err(|e| wrong(e.to_string()))?;
        let read: Text = if file.extension().is_some_and(|e| e == "json") {
            serde_json::from_str(&text).map_err(|e| wrong(e.to_string()))?
        } else {
            toml::from_str(&text).map_err(|e| wrong(e.to_string().trim_end().to_owned()))?
        };
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Self::of(name, read).map_err(wrong)
    }

    fn of(name: String, text: Text) -> Result<Self, String> {
        let now = text.now.as_deref().unwrap_or(THEN);
        let now: Timestamp =
            now.parse().map_err(|_| format!("now = {now:?}: expected a time such as {THEN}"))?;
        let delivery = text.delivery.as_deref().map(|word| {
            Delivery::parse(word).ok_or_else(|| format!("delivery = {word:?}: expected reveal or use"))
        });
        let outcome = match (text.expect, text.failure, text.fault) {
            (fields, None, None) if !fields.is_empty() => Outcome::Fields(fields),
            (fields, Some(failure), None) if fields.is_empty() => Outcome::Failure(failure),
            (fields, None, Some(fault)) if fields.is_empty() => Outcome::Fault(fault),
            (fields, None, None) if fields.is_empty() => {
                return Err("says nothing of what must come out: [[expect]], [failure] or fault".to_owned());
            }
            _ => return Err("one of [[expect]], [failure] and fault, not several".to_owned()),
        };
        let input = serde_json::Value::Object(text.input);
        let secrets = text.secrets.into_iter().map(|(slot, secret)| {
            let bytes = secret.bytes().map_err(|why| format!("secrets.{slot}: {why}"))?;
            Ok((slot, bytes))
        });
        let raw_body = text.raw_body.map(Written::bytes).transpose();
        let raw_body = raw_body.map_err(|why| format!("raw-body: {why}"))?;
        Ok(Self {
            name,
            delivery: delivery.transpose()?,
            scene: Scene {
                now,
                params: serde_json::Value::from(text.params).into(),
                envelope: envelope(&input, raw_body.as_deref().map(Vec::as_slice)).map_err(|e| e.message)?,
                randomness: Randomness::Seeded(text.seed),
            },
            secrets: secrets.collect::<Result<_, String>>()?,
            allow: text.allow,
            outcome,
        })
    }
}

impl Written {
    fn bytes(self) -> Result<Zeroizing<Vec<u8>>, String> {
        let bytes = match self {
            Self::Text(text) => text.into_bytes(),
            Self::Base64 { base64 } => STANDARD.decode(base64).map_err(|_| "not base64")?,
            Self::Hex { hex } => model::unhex(&hex).ok_or("not hexadecimal")?,
        };
        Ok(Zeroizing::new(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Fixture, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("signs.toml");
        fs::write(&file, text).unwrap();
        Fixture::read(&file).map_err(|e| e.message)
    }

    #[test]
    fn a_fixture_is_a_call_and_its_outcome() {
        let text = "now = \"2026-01-01T00:00:00Z\"\nseed = 7\nraw-body = '{\"a\": 1}'\n\
                    [params]\nn = 5\n[secrets]\nkey = \"Jefe\"\nother = { hex = \"00ff\" }\n\
                    [input]\nuser = \"u\"\n[[expect]]\npath = \"@a\"\nvalue = \"x\"\nclass = \"digest\"\n";
        let fixture = read(text).unwrap();
        assert_eq!((fixture.name.as_str(), fixture.scene.now.as_second()), ("signs", 1_767_225_600));
        assert_eq!(fixture.secrets["other"].as_slice(), [0, 0xff]);
        assert_eq!(fixture.scene.randomness, Randomness::Seeded(7));
        let bytes = fixture.scene.envelope.bytes(&model::Path::parse("body").unwrap()).unwrap();
        assert_eq!(&*bytes, b"{\"a\": 1}", "as received");
        assert!(matches!(fixture.outcome, Outcome::Fields(fields) if fields[0].class == Some(Class::Digest)));
    }

    #[test]
    fn a_body_need_not_be_text() {
        let fixture = read("fault = \"x\"\nallow = \"digest\"\nraw-body = { hex = \"ff00fe\" }\n").unwrap();
        let bytes = fixture.scene.envelope.bytes(&model::Path::parse("body").unwrap()).unwrap();
        assert_eq!((&*bytes, fixture.allow), (&[0xff, 0, 0xfe][..], Some(Class::Digest)));
    }

    #[test]
    fn mistakes_are_told_with_the_file() {
        for (text, word) in [
            ("", "says nothing of what must come out"),
            ("fault = \"x\"\n[failure]\ncode = \"y\"", "not several"),
            ("now = \"today\"\nfault = \"x\"", "expected a time"),
            ("delivery = \"both\"\nfault = \"x\"", "reveal or use"),
            ("colour = 1", "colour"),
            ("fault = \"x\"\n[secrets]\nkey = { hex = \"0\" }", "not hexadecimal"),
            ("fault = \"x\"\nraw-body = { base64 = \"?\" }", "raw-body: not base64"),
            ("fault = \"x\"\nraw-body = 1", "expected a text"),
            ("fault = \"x\"\nallow = \"all\"", "unknown variant"),
        ] {
            let said = read(text).err().unwrap();
            assert!(said.contains(word) && said.contains("signs.toml"), "{said}");
        }
    }
}
