//! `txco auth secrets init`: mints a master key on this machine.

use std::path::{Path, PathBuf};

use serde_json::json;
use vault::Unlocked;

use super::output::{Complaint, Console};
use super::passphrase::choosing;
use crate::key_source::{KeyFileState, KeyFiles, inspect};

/// Flags of `txco auth secrets init`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Flags {
    /// Where the key goes [default: $TXCO_SECRET_MASTER_KEY]
    #[arg(long, value_name = "FILE")]
    pub path: Option<PathBuf>,
    /// Replace an existing key, after a question; the old one is kept beside it, out of use
    #[arg(long)]
    pub force: bool,
    /// Seal the key by a passphrase, which the chassis then needs at every start
    #[arg(long)]
    pub sealed: bool,
    /// Read the passphrase from an open descriptor
    #[arg(long, value_name = "N", requires = "sealed")]
    pub passphrase_fd: Option<u32>,
    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
}

/// Mints the key.
pub(super) fn run(flags: &Flags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let from_environment = || console.environment.variable("TXCO_SECRET_MASTER_KEY").map(PathBuf::from);
    let path = flags.path.clone().filter(|p| !p.as_os_str().is_empty()).or_else(from_environment);
    let Some(path) = path else {
        return Err(Complaint::usage("--path is required (or set $TXCO_SECRET_MASTER_KEY)"));
    };
    let files = KeyFiles::at(&path);
    match inspect(&path).map_err(|e| Complaint::failed(format!("stat {path:?}: {e}")))? {
        KeyFileState::Folder => Err(Complaint::failed(format!(
            "{path:?} is a directory; --path must be a file path.\ndid you mean: --path {}",
            path.join("txco-master.key").display()
        ))),
        KeyFileState::Special(mode) => Err(Complaint::failed(format!(
            "{path:?} is not a regular file (mode={mode:o}); refusing to overwrite"
        ))),
        KeyFileState::File if !flags.force => {
            Err(Complaint::failed(format!("{path:?} already exists; pass --force to replace")))
        }
        KeyFileState::File => overwrite(flags, &files, console),
        KeyFileState::Missing => {
            let unlocked = unlocked(flags, console)?;
            let minted = files.mint(unlocked.as_ref());
            minted.map_err(|e| Complaint::failed(e.to_string()))?;
            done(flags, &path, None, console)
        }
    }
}

/// What seals the new key, when it is to be sealed.
fn unlocked(flags: &Flags, console: &mut Console<'_>) -> Result<Option<Unlocked>, Complaint> {
    if !flags.sealed {
        return Ok(None);
    }
    let passphrase = choosing(console, flags.passphrase_fd, "passphrase for the master key: ")?;
    Unlocked::fresh(&passphrase).map(Some).map_err(|e| Complaint::failed(e.to_string()))
}

fn overwrite(flags: &Flags, files: &KeyFiles, console: &mut Console<'_>) -> Result<(), Complaint> {
    let path = files.path().display();
    let warning = format!(
        "WARNING: {path} is replaced by a new master key.\n\
         WARNING: every secret sealed under the old key stops working until it is set again.\n\
         WARNING: the old key is kept in {path}.d, out of use.\n"
    );
    let question = "Type \"overwrite\" to confirm: ";
    if flags.json {
        console.note(&format!("{warning}\n{question}"));
    } else {
        console.print(&warning)?;
        write!(console.out, "{question}").and_then(|()| console.out.flush()).ok();
    }
    let answer =
        console.input.line().map_err(|e| Complaint::failed(format!("cannot read the answer: {e}")))?;
    if answer.as_deref().map(str::trim) != Some("overwrite") {
        if flags.json {
            return Err(Complaint::failed("aborted"));
        }
        console.print("aborted.")?;
        return Err(Complaint::silent());
    }
    let unlocked = unlocked(flags, console)?;
    let kept = files.start_over(unlocked.as_ref()).map_err(|e| Complaint::failed(e.to_string()))?;
    done(flags, files.path(), Some(&kept), console)
}

fn done(flags: &Flags, path: &Path, kept: Option<&Path>, console: &mut Console<'_>) -> Result<(), Complaint> {
    if flags.json {
        let kept = kept.map(|path| path.display().to_string());
        let said = json!({ "path": path.display().to_string(), "sealed": flags.sealed, "old_key": kept });
        return console.print(&said.to_string());
    }
    let form = if flags.sealed { "sealed by a passphrase" } else { "32 bytes" };
    console.print(&format!("wrote master key to {} ({form}, 0600 perms)", path.display()))?;
    console.print("next: set --secret-master-key on the chassis (or TXCO_SECRET_MASTER_KEY in its env).")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::cli::testing::Played;

    fn init(path: &Path, force: bool, played: &mut Played) -> Result<(), Complaint> {
        run(&Flags { path: Some(path.to_owned()), force, ..Flags::default() }, &mut played.console())
    }

    #[test]
    fn the_decision_table() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/k");
        let mut played = Played::default();
        let missing = run(&Flags::default(), &mut played.console()).unwrap_err();
        assert_eq!(missing, Complaint::usage("--path is required (or set $TXCO_SECRET_MASTER_KEY)"));

        assert_eq!(init(&path, false, &mut played), Ok(()));
        assert_eq!(
            played.out(),
            format!(
                "wrote master key to {} (32 bytes, 0600 perms)\n\
                 next: set --secret-master-key on the chassis (or TXCO_SECRET_MASTER_KEY in its env).\n",
                path.display()
            )
        );
        let first = fs::read(&path).unwrap();

        let again = init(&path, false, &mut Played::default()).unwrap_err();
        assert_eq!(again, Complaint::failed(format!("{path:?} already exists; pass --force to replace")));

        for force in [false, true] {
            let folder = init(folder.path(), force, &mut Played::default()).unwrap_err();
            assert!(
                folder.message.contains("is a directory; --path must be a file path.\ndid you mean: --path ")
            );
            assert!(folder.message.ends_with("/txco-master.key"));
            assert!(!folder.message.contains("--force"));
        }
        assert_eq!(fs::read(&path).unwrap(), first);
    }

    #[test]
    fn replacing_wants_the_word() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k");
        init(&path, false, &mut Played::default()).unwrap();
        let first = fs::read(&path).unwrap();
        for answer in ["", "yes\n", "Overwrite\n"] {
            let mut played = Played::piped(answer.as_bytes());
            let complaint = init(&path, true, &mut played).unwrap_err();
            assert_eq!(complaint, Complaint::silent());
            assert!(played.out().starts_with("WARNING: "));
            assert!(
                played.out().ends_with("\n\nType \"overwrite\" to confirm: aborted.\n"),
                "{}",
                played.out()
            );
            assert_eq!(fs::read(&path).unwrap(), first);
        }
        init(&path, true, &mut Played::piped(b" overwrite \n")).unwrap();
        assert_ne!(fs::read(&path).unwrap(), first);
        let kept = fs::read_dir(folder.path().join("k.d")).unwrap().map(|entry| entry.unwrap().path());
        let kept: Vec<_> = kept.filter(|path| path.extension().is_some_and(|end| end == "key")).collect();
        assert_eq!(kept.len(), 1, "{kept:?}");
        assert_eq!(fs::read(&kept[0]).unwrap(), first);
    }
}
