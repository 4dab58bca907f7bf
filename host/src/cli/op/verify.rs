//! `txco op verify`: the built-in ops are what their lock says, and with `--rebuild` what their sources make.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use model::Digest;
use sandbox::Builtin;
use serde_json::json;

use crate::cli::output::{Complaint, Console};

/// Flags of `txco op verify`.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    /// Build them from source and compare byte for byte
    #[arg(long)]
    rebuild: bool,
    /// A checkout of the sources
    #[arg(long, value_name = "DIR", default_value = ".")]
    source: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Compares.
pub(super) fn run(flags: &Flags, console: &mut Console<'_>) -> Result<(), Complaint> {
    // Fails when a component is not what the lock says.
    let builtins = sandbox::builtins().map_err(|e| Complaint::failed(e.to_string()))?;
    let rebuilt = flags.rebuild.then(|| rebuild(&flags.source, console)).transpose()?;
    let mut records = Vec::new();
    let mut differing = Vec::new();
    for builtin in &builtins {
        let made = rebuilt.as_ref().map(|rebuilt| rebuilt.digest(builtin)).transpose()?;
        let same = made.is_none_or(|digest| digest == builtin.digest);
        if !same {
            differing.push(builtin.file);
        }
        let word = match (same, &made) {
            (true, None) => "as locked",
            (true, Some(_)) => "as locked, and as its source makes it",
            (false, _) => "NOT what its source made here",
        };
        if !flags.json {
            console.print(&format!("{}  sha256:{}  {word}", builtin.file, builtin.digest))?;
        }
        records.push(json!({
            "file": builtin.file,
            "digest": builtin.digest.to_string(),
            "rebuilt": made.map(|digest| digest.to_string()),
            "same": same,
        }));
    }
    let compilers = rebuilt.as_ref().map(|rebuilt| (rebuilt.compiler.as_str(), rebuilt.locked.as_str()));
    let other_compiler = compilers.filter(|(here, locked)| here != locked);
    if flags.json {
        let compiler = compilers.map(|(here, locked)| json!({ "here": here, "locked": locked }));
        console.print(&json!({ "ops": records, "compiler": compiler }).to_string())?;
    }
    if let Some((here, locked)) = other_compiler {
        console.note(&format!(
            "built here with {here};\nthe lock was made with {locked}: only that one makes the same bytes"
        ));
    }
    match (differing.is_empty(), other_compiler) {
        (true, _) => Ok(()),
        // The report says which.
        (false, _) if flags.json => Err(Complaint::silent()),
        (false, Some(_)) => {
            Err(Complaint::failed(format!("{} cannot be confirmed with this compiler", differing.join(", "))))
        }
        (false, None) => {
            Err(Complaint::failed(format!("{}: the source makes other bytes", differing.join(", "))))
        }
    }
}

/// What a build from source left.
struct Rebuilt {
    folder: tempfile::TempDir,
    compiler: String,
    locked: String,
}

impl Rebuilt {
    fn digest(&self, builtin: &Builtin) -> Result<Digest, Complaint> {
        let file = self.folder.path().join(builtin.file);
        let bytes = std::fs::read(&file);
        let bytes = bytes.map_err(|_| Complaint::failed(format!("the source makes no {}", builtin.file)))?;
        Ok(Digest::of(&bytes))
    }
}

/// The built-ins' own script builds them: the same that made what is committed.
fn rebuild(source: &Path, console: &mut Console<'_>) -> Result<Rebuilt, Complaint> {
    let script = source.join("builtin-ops/build");
    if !script.is_file() {
        return Err(Complaint::failed(format!(
            "{} is no checkout of txco: it has no builtin-ops/build; say where one is with --source DIR",
            source.display()
        )));
    }
    let failed = |e: &dyn std::fmt::Display| Complaint::failed(format!("cannot rebuild: {e}"));
    let folder = tempfile::tempdir().map_err(|e| failed(&e))?;
    console.note("rebuilding the built-in ops (a minute or two)");
    let script = script.canonicalize().map_err(|e| failed(&e))?;
    let mut child = Command::new(&script);
    child.arg("--into").arg(folder.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let output = child.output().map_err(|e| failed(&e))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Complaint::failed(format!("{} failed\n{}", script.display(), said.trim_end())));
    }
    let compiler = |path: &Path| {
        let text = std::fs::read_to_string(path).map_err(|e| failed(&format!("{}: {e}", path.display())))?;
        let line = text.lines().find_map(|line| line.strip_prefix("compiler = \"")?.strip_suffix('"'));
        Ok::<_, Complaint>(line.unwrap_or_default().to_owned())
    };
    Ok(Rebuilt {
        compiler: compiler(&folder.path().join("lock.toml"))?,
        locked: compiler(&source.join("builtin-ops/dist/lock.toml"))?,
        folder,
    })
}
