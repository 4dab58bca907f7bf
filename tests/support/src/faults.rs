//! Faults below a program: kills, full disks, failing devices, wrong clocks, at any call that changes a file.
//!
//! `tests/support/faults.c` says how. Nothing in the program is made for it, so what is tested is what runs.

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::OnceLock;

use rustix::process::Signal;
use tempfile::TempDir;

const SOURCE: &str = include_str!("../faults.c");

/// The file whose presence begins faults of [`From::Sign`].
pub const SIGN: &str = "faults-are-here";

/// What happens to a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The n-th change never happens, nor anything after it: `kill -9`.
    Kill(u32),
    /// The n-th change, if it writes, happens by half; then `kill -9`.
    Torn(u32),
    /// The n-th change never happens, and what was written and not synced before is gone: the power was cut.
    Cut(u32),
    /// The same at the n-th change that syncs.
    Unsynced(u32),
    /// `kill -9` after the n-th change that syncs.
    Synced(u32),
    /// From the n-th change on the disk is full.
    Full(u32),
    /// From the n-th change on the device fails.
    Io(u32),
}

/// When changes begin to be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// At once.
    Start,
    /// When the program removes a file called `faults-begin`; the removal of `faults-end` ends all faults.
    Mark,
    /// When there is a file called [`SIGN`] where the program runs: for one that knows of no marks.
    Sign,
}

impl Fault {
    /// The variables that bring it about, for whoever starts the program.
    #[must_use]
    pub fn environment(self, from: From) -> Vec<(&'static str, String)> {
        let (word, at) = match self {
            Self::Kill(at) => ("kill", at),
            Self::Torn(at) => ("torn", at),
            Self::Cut(at) => ("cut", at),
            Self::Unsynced(at) => ("sync", at),
            Self::Synced(at) => ("synced", at),
            Self::Full(at) => ("full", at),
            Self::Io(at) => ("io", at),
        };
        let from = match from {
            From::Start => "start",
            From::Mark => "mark",
            From::Sign => SIGN,
        };
        let told = [("TXCO_FAULT", word.to_owned()), ("TXCO_FAULT_AT", at.to_string())];
        [vec![preload()], told.to_vec(), vec![("TXCO_FAULT_FROM", from.to_owned())]].concat()
    }
}

/// The variable by which a program has the faults below it; alone it changes nothing.
#[must_use]
pub fn preload() -> (&'static str, String) {
    ("LD_PRELOAD", library().to_str().unwrap().to_owned())
}

/// Whether a program ended by `kill -9` (and not by a failure of its own).
#[must_use]
pub fn was_killed(end: ExitStatus) -> bool {
    end.signal() == Some(Signal::KILL.as_raw())
}

/// The library, built once by this machine's C compiler.
fn library() -> &'static Path {
    static BUILT: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, library) = BUILT.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let (source, library) = (folder.path().join("faults.c"), folder.path().join("faults.so"));
        std::fs::write(&source, SOURCE).unwrap();
        let built = Command::new("cc")
            .args(["-Wall", "-Werror", "-O1", "-shared", "-fPIC", "-o"])
            .args([&library, &source])
            .args(["-ldl", "-pthread"])
            .output()
            .expect("a C compiler, which SQLite needs too");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        (folder, library)
    });
    library
}

#[cfg(test)]
mod tests {
    use std::process::Output;

    use super::*;

    /// A shell that makes a file, writes ten bytes to it and one more, and renames it.
    fn run(folder: &Path, variables: Vec<(&'static str, String)>) -> Output {
        let script = "exec 3>one && printf 0123456789 >&3 && printf x >&3 && mv one two && echo done";
        Command::new("sh").args(["-c", script]).current_dir(folder).envs(variables).output().unwrap()
    }

    #[test]
    fn faults_strike_where_they_are_told() {
        let at = |fault: Fault| {
            let folder = tempfile::tempdir().unwrap();
            let output = run(folder.path(), fault.environment(From::Start));
            let bytes = |name: &str| std::fs::read_to_string(folder.path().join(name)).ok();
            (was_killed(output.status), output.status.success(), bytes("one"))
        };
        assert_eq!(at(Fault::Kill(1)), (true, false, None));
        assert_eq!(at(Fault::Kill(2)), (true, false, Some(String::new())));
        assert_eq!(at(Fault::Torn(2)), (true, false, Some("01234".to_owned())));
        // Nobody synced what was written: from the second write on, the first is gone too.
        assert_eq!(at(Fault::Cut(3)), (true, false, Some(String::new())));
        assert_eq!(at(Fault::Full(2)), (false, false, Some(String::new())));
        assert_eq!(at(Fault::Io(1)), (false, false, None));
        assert_eq!(at(Fault::Kill(100)), (false, true, None), "it was renamed");
        // Only a call that syncs is counted, and then what was written before it is gone, or is there.
        let synced = |fault: Fault| {
            let folder = tempfile::tempdir().unwrap();
            let mut shell = Command::new("sh");
            shell.args(["-c", "printf 0123456789 | dd of=one conv=fsync && mv one two"]);
            shell.current_dir(folder.path()).envs(fault.environment(From::Start)).output().unwrap();
            std::fs::read_to_string(folder.path().join("one")).unwrap()
        };
        assert_eq!(synced(Fault::Unsynced(1)), "");
        assert_eq!(synced(Fault::Synced(1)), "0123456789");
        let folder = tempfile::tempdir().unwrap();
        let output = run(folder.path(), Fault::Kill(1).environment(From::Mark));
        assert!(output.status.success(), "nothing is counted before the mark");
        let output = run(folder.path(), Fault::Kill(1).environment(From::Sign));
        assert!(output.status.success(), "nor without the sign");
        std::fs::write(folder.path().join(SIGN), "").unwrap();
        let output = run(folder.path(), Fault::Kill(1).environment(From::Sign));
        assert!(was_killed(output.status));
    }

    #[test]
    fn the_clock_is_wrong_by_as_much_as_is_said() {
        let date = |seconds: &str| -> i64 {
            let mut command = Command::new("date");
            command.arg("+%s").envs([preload(), ("TXCO_CLOCK", seconds.to_owned())]);
            String::from_utf8(command.output().unwrap().stdout).unwrap().trim().parse().unwrap()
        };
        let off = date("0") - date("-100000");
        assert!((99_990..=100_010).contains(&off), "{off}");
    }
}
