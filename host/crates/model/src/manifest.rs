//! What an op says of itself: the text of `op.toml`, which travels inside its component.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{OpName, Path};

/// The custom section of a component that holds the manifest's text.
pub const MANIFEST_SECTION: &str = "txco:manifest";
/// The longest manifest.
const MAX_BYTES: usize = 16 << 10;
/// The longest budget an op may ask for, in milliseconds.
const MAX_BUDGET_MS: u32 = 60_000;
/// The most failure codes and outputs an op may declare. Which of them it returns is a
/// choice that can tell about a secret, so there are few.
const MAX_DECLARED: usize = 16;

/// How much an output tells about the secrets an op was given, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// The secret can be computed from it: basic auth, a bearer token.
    Credential,
    /// One way only: a MAC, a signature.
    Digest,
    /// Nothing.
    Data,
}

impl Class {
    /// Its word in manifests and policies.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Credential => "credential",
            Self::Digest => "digest",
            Self::Data => "data",
        }
    }

    /// Reads its word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Credential, Self::Digest, Self::Data].into_iter().find(|class| class.word() == word)
    }
}

/// Why a text is no manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("op.toml: {0}")]
pub struct ManifestError(String);

/// The manifest of an op. What it does not declare, an op that was shown a secret may not
/// return (R21).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct OpManifest {
    /// The op's name.
    #[serde(deserialize_with = "op_name")]
    pub name: OpName,
    /// One line for people.
    #[serde(default)]
    pub description: String,
    /// How long a call may take, in milliseconds; up to 5 it may run on the request's own
    /// thread (R26).
    #[serde(default = "default_budget")]
    pub budget_ms: u32,
    /// The failure codes it may answer, beside `failed`.
    #[serde(default)]
    pub failures: Vec<String>,
    /// Its secrets, by slot: the path under the rule's `WITH secrets.`.
    #[serde(default)]
    pub slots: BTreeMap<String, SlotManifest>,
    /// Its parameters, by name.
    #[serde(default)]
    pub params: BTreeMap<String, ParamManifest>,
    /// What it returns.
    #[serde(default)]
    pub outputs: Vec<OutputManifest>,
}

/// One secret an op asks for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SlotManifest {
    /// One line for people.
    #[serde(default)]
    pub description: String,
    /// Whether it can use a version that is being retired, beside the newest (R22).
    #[serde(default)]
    pub accepts_retiring: bool,
    /// Whether it can do without.
    #[serde(default)]
    pub optional: bool,
}

/// One parameter of a rule's `WITH`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ParamManifest {
    /// One line for people.
    #[serde(default)]
    pub description: String,
}

/// One field an op returns.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OutputManifest {
    /// Where it goes, as rules write it (`@computed.mac`). Everything below it is covered
    /// too, except for an op that was shown a secret and is not one of the chassis's own.
    pub path: String,
    /// The parameter that may name another place.
    #[serde(default)]
    pub param: Option<String>,
    /// What it tells about secrets.
    pub class: Class,
}

/// How far below a declared path a field may lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Anywhere.
    Below,
    /// Nowhere: the names of further segments would be words of the op's own choice, and
    /// could spell a secret.
    Exactly,
}

impl OpManifest {
    /// Reads the text of `op.toml`.
    ///
    /// # Errors
    /// [`ManifestError`] with line, column and what was expected.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        if text.len() > MAX_BYTES {
            return Err(ManifestError(format!("longer than {MAX_BYTES} bytes")));
        }
        let manifest: Self =
            toml::from_str(text).map_err(|error| ManifestError(error.to_string().trim_end().to_owned()))?;
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), ManifestError> {
        for (what, count) in [("failures", self.failures.len()), ("outputs", self.outputs.len())] {
            if count > MAX_DECLARED {
                return Err(ManifestError(format!("{what}: {count}; at most {MAX_DECLARED}")));
            }
        }
        if !(1..=MAX_BUDGET_MS).contains(&self.budget_ms) {
            return Err(ManifestError(format!("budget-ms: expected 1 to {MAX_BUDGET_MS}")));
        }
        if let Some(bad) = self.failures.iter().find(|code| !is_failure_code(code)) {
            return Err(ManifestError(format!("failures: {bad:?}: expected 1 to 64 of a-z, 0-9 and -")));
        }
        let paths = self.outputs.iter().map(|output| &output.path).chain(self.slots.keys());
        for path in paths {
            match Path::parse_sugared(path) {
                Ok(parsed) if !parsed.is_empty() => {}
                Ok(_) => return Err(ManifestError("an empty path".to_owned())),
                Err(error) => return Err(ManifestError(format!("{path:?}: {error}"))),
            }
        }
        Ok(())
    }

    /// The least bound class among its outputs.
    #[must_use]
    pub fn loosest(&self) -> Class {
        self.outputs.iter().map(|output| output.class).max().unwrap_or(Class::Credential)
    }

    /// Whether the op may return `class` at `path`, with `param` telling the value of a
    /// text parameter of this call.
    pub fn allows(
        &self,
        path: &Path,
        class: Class,
        reach: Reach,
        param: impl Fn(&str) -> Option<String>,
    ) -> bool {
        self.outputs.iter().filter(|output| output.class == class).any(|output| {
            let named = output.param.as_deref().and_then(&param).filter(|text| !text.is_empty());
            let declared = Path::parse_sugared(named.as_deref().unwrap_or(&output.path));
            declared.is_ok_and(|declared| match reach {
                Reach::Below => path.segments().starts_with(declared.segments()),
                Reach::Exactly => *path == declared,
            })
        })
    }
}

/// Whether `text` is a failure code: 1 to 64 of a-z, 0-9 and `-`.
#[must_use]
pub fn is_failure_code(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn default_budget() -> u32 {
    50
}

fn op_name<'de, D: serde::Deserializer<'de>>(from: D) -> Result<OpName, D::Error> {
    let text = String::deserialize(from)?;
    OpName::parse(&text).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"
        name = "my-signer"
        description = "Signs."
        budget-ms = 5
        failures = ["my-signer-err"]
        [slots.key]
        accepts-retiring = true
        [params.algorithm]
        description = "sha256 or sha512"
        [[outputs]]
        path = "@computed.mac"
        param = "output_path"
        class = "digest"
    "#;

    fn path(text: &str) -> Path {
        Path::parse_sugared(text).unwrap()
    }

    #[test]
    fn outputs_go_where_the_manifest_or_its_parameter_says() {
        let manifest = OpManifest::parse(WHOLE).unwrap();
        let none = |_: &str| None;
        let allows = |text: &str, class, reach| manifest.allows(&path(text), class, reach, none);
        assert!(allows("_txc.computed.mac", Class::Digest, Reach::Exactly));
        assert!(allows("@computed.mac.hex", Class::Digest, Reach::Below));
        assert!(!allows("@computed.mac.hex", Class::Digest, Reach::Exactly));
        assert!(!allows("@computed.mac", Class::Data, Reach::Below));
        assert!(!allows("@computed.macs", Class::Digest, Reach::Below));
        let elsewhere = |name: &str| (name == "output_path").then(|| "x.y".to_owned());
        assert!(manifest.allows(&path("x.y"), Class::Digest, Reach::Exactly, elsewhere));
        assert!(!manifest.allows(&path("@computed.mac"), Class::Digest, Reach::Exactly, elsewhere));
    }

    #[test]
    fn mistakes_are_told() {
        for (text, word) in [
            ("", "name"),
            ("name = \"a b\"", "op name"),
            ("name = \"a\"\nbudget-ms = 0", "budget-ms"),
            ("name = \"a\"\nfailures = [\"A\"]", "failures"),
            ("name = \"a\"\n[[outputs]]\npath = \"a..b\"\nclass = \"data\"", "empty segment"),
            ("name = \"a\"\ncolour = 1", "colour"),
            (&format!("name = \"a\"\nfailures = [{}]", "\"x\",".repeat(17)), "failures: 17; at most 16"),
        ] {
            let said = OpManifest::parse(text).unwrap_err().to_string();
            assert!(said.contains(word), "{text}: {said}");
        }
        OpManifest::parse(&format!("name = \"a\"\nfailures = [{}]", "\"x\",".repeat(16))).unwrap();
    }
}
