//! What a scope has beside its rules for trying an op: `mock-request.json`, and what `mock-response.json` expects.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use model::Envelope;
use serde_json::Value;

use super::rehearsal::Answer;
use crate::cli::output::{Complaint, Console};

/// Beside a component, or in an op's folder.
pub(super) struct Mocks {
    folder: PathBuf,
}

impl Mocks {
    /// Those of the op at `path`. Tells of files that are not read here.
    pub(super) fn of(path: &Path, console: &mut Console<'_>) -> Self {
        let folder = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
        let mocks = Self { folder: folder.to_owned() };
        if mocks.file("mock-secrets.json").exists() {
            console.note(
                "mock-secrets.json is not read: values do not lie in a workspace; give them by --secret-fd or --secret-env, \
                 or made-up ones in a fixture of `txco op test`, and remove the file",
            );
        }
        if mocks.file("mock-env.json").exists() {
            console.note("mock-env.json is not read: an op has no environment; give it parameters (--param)");
        }
        mocks
    }

    /// The request to try it with.
    pub(super) fn request(&self) -> Option<PathBuf> {
        let file = self.file("mock-request.json");
        file.is_file().then_some(file)
    }

    /// Whether an answer is what the scope expects; says so.
    pub(super) fn compare(&self, answer: &Answer, console: &mut Console<'_>) -> Result<(), Complaint> {
        let file = self.file("mock-response.json");
        let cannot = |why: &dyn std::fmt::Display| Complaint::failed(format!("{}: {why}", file.display()));
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(cannot(&error)),
        };
        let want: Value = serde_json::from_str(&text).map_err(|error| cannot(&error))?;
        let got = nested(answer)?;
        if got == want {
            console.note("✓ matches mock-response.json");
            return Ok(());
        }
        Err(Complaint::failed(format!("✗ differs from mock-response.json\n  want: {want}\n  got:  {got}")))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// The fields of an answer where rules would find them.
fn nested(answer: &Answer) -> Result<Value, Complaint> {
    let wrong =
        |why: &dyn std::fmt::Display| Complaint::failed(format!("the answer cannot be compared: {why}"));
    let mut all = Envelope::default();
    for (path, _, value) in &answer.fields {
        all.set(path, value.clone().into()).map_err(|error| wrong(&error))?;
    }
    serde_json::to_value(all.document()).map_err(|error| wrong(&error))
}
