//! `txco auth secrets init`: mints a master key on this machine.

use std::path::{Path, PathBuf};

use super::output::{Complaint, Console};
use crate::key_source::{KeyFileState, inspect, mint, replace};

/// Flags of `txco auth secrets init`.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    /// Where the key goes [default: $TXCO_SECRET_MASTER_KEY]
    #[arg(long, value_name = "FILE")]
    pub path: Option<PathBuf>,
    /// Replace an existing key, after a question; the old one is kept beside it, out of use
    #[arg(long)]
    pub force: bool,
}

/// Mints the key.
pub(super) fn run(flags: &Flags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let from_environment = || console.environment.variable("TXCO_SECRET_MASTER_KEY").map(PathBuf::from);
    let path = flags.path.clone().filter(|p| !p.as_os_str().is_empty()).or_else(from_environment);
    let Some(path) = path else {
        return Err(Complaint::usage("--path is required (or set $TXCO_SECRET_MASTER_KEY)"));
    };
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
        KeyFileState::File => overwrite(&path, console),
        KeyFileState::Missing => {
            mint(&path).map_err(|e| Complaint::failed(e.to_string()))?;
            done(&path, console)
        }
    }
}

fn overwrite(path: &Path, console: &mut Console<'_>) -> Result<(), Complaint> {
    console.print(&format!(
        "WARNING: {} is replaced by a new master key.\n\
         WARNING: every secret sealed under the old key stops working until it is set again.\n\
         WARNING: the old key is kept in {}.d, out of use.\n",
        path.display(),
        path.display()
    ))?;
    write!(console.out, "Type \"overwrite\" to confirm: ").and_then(|()| console.out.flush()).ok();
    let answer =
        console.input.line().map_err(|e| Complaint::failed(format!("cannot read the answer: {e}")))?;
    if answer.as_deref().map(str::trim) != Some("overwrite") {
        console.print("aborted.")?;
        return Err(Complaint::silent());
    }
    replace(path).map_err(|e| Complaint::failed(e.to_string()))?;
    done(path, console)
}

fn done(path: &Path, console: &mut Console<'_>) -> Result<(), Complaint> {
    console.print(&format!("wrote master key to {} (32 bytes, 0600 perms)", path.display()))?;
    console.print("next: set --secret-master-key on the chassis (or TXCO_SECRET_MASTER_KEY in its env).")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::cli::testing::Played;

    fn init(path: &Path, force: bool, played: &mut Played) -> Result<(), Complaint> {
        run(&Flags { path: Some(path.to_owned()), force }, &mut played.console())
    }

    #[test]
    fn the_decision_table() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/k");
        let mut played = Played::default();
        let missing = run(&Flags { path: None, force: false }, &mut played.console()).unwrap_err();
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
        let kept = fs::read_dir(folder.path().join("k.d")).unwrap().next().unwrap().unwrap();
        assert_eq!(fs::read(kept.path()).unwrap(), first);
    }
}
