//! Starts a compiler: cleared environment, its words passed on as they come and kept, and gone when we are.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Error;

/// How many of its last lines are kept for an error.
const KEPT: usize = 200;
/// Runs a tool in a group of processes that ends, with whatever the tool has started, when
/// stdin does: at the latest when we end, however that is.
const GUARD: &str = r#"exec 3<&0
"$@" 3<&- & tool=$!
{ read -r _ <&3; kill -TERM 0; } >/dev/null 2>&1 & guard=$!
wait "$tool"; status=$?
kill "$guard"
exit "$status""#;

/// A program to be run to its end.
pub(crate) struct Tool<'a> {
    /// How people call it.
    pub(crate) name: &'static str,
    pub(crate) program: &'a Path,
    pub(crate) arguments: Vec<OsString>,
    /// All of its environment.
    pub(crate) environment: Vec<(&'static str, OsString)>,
    pub(crate) folder: &'a Path,
    /// Words after which it need not go on: of what it says nothing else is told then.
    pub(crate) hopeless: Option<&'static str>,
}

impl Tool<'_> {
    /// Runs it; each line that it says on stderr goes to `progress` as it comes.
    ///
    /// # Errors
    /// [`Error::Compile`] about `op` with its last lines.
    pub(crate) fn run(self, op: &Path, progress: &mut dyn FnMut(&str)) -> Result<(), Error> {
        let failed = |said: String| Error::Compile { folder: op.to_owned(), tool: self.name, said };
        let mut child = Command::new("/bin/sh")
            .args(["-c", GUARD, "sh"])
            .arg(self.program)
            .args(&self.arguments)
            .env_clear()
            .envs(self.environment)
            .current_dir(self.folder)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(Error::file(self.program))?;
        let mut last: VecDeque<String> = VecDeque::new();
        for line in child.stderr.take().into_iter().flat_map(|stderr| BufReader::new(stderr).split(b'\n')) {
            let Ok(line) = line else { break };
            let line = String::from_utf8_lossy(&line).into_owned();
            if self.hopeless.is_some_and(|words| line.contains(words)) {
                drop(child.stdin.take());
                child.wait().map_err(Error::file(self.program))?;
                return Err(failed(line));
            }
            progress(&line);
            if last.len() == KEPT {
                last.pop_front();
            }
            last.push_back(line);
        }
        let status = child.wait().map_err(Error::file(self.program))?;
        if status.success() { Ok(()) } else { Err(failed(Vec::from(last).join("\n"))) }
    }
}

/// The first line that `program` prints; nothing when it fails.
pub(crate) fn first_line(
    program: &Path,
    arguments: &[&str],
    environment: Vec<(&'static str, OsString)>,
) -> Option<String> {
    let said = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(environment)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let text = String::from_utf8(said.stdout).ok()?;
    text.lines().next().map(|line| line.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell<'a>(script: &str, hopeless: Option<&'static str>) -> Tool<'a> {
        Tool {
            name: "sh",
            program: Path::new("/bin/sh"),
            arguments: ["-c", script].map(OsString::from).to_vec(),
            environment: vec![("A", "b".into())],
            folder: Path::new("/"),
            hopeless,
        }
    }

    #[test]
    fn a_tool_sees_no_environment_and_its_words_are_kept() {
        let tool = shell("echo one >&2; echo \"home=$HOME path=$A\" >&2; exit 3", None);
        let mut heard = Vec::new();
        let error = tool.run(Path::new("my-op"), &mut |line| heard.push(line.to_owned())).unwrap_err();
        assert_eq!(heard, ["one", "home= path=b"]);
        assert_eq!(error.to_string(), "my-op: sh failed\none\nhome= path=b");
    }

    #[test]
    fn a_tool_that_cannot_succeed_is_ended_with_what_it_started() {
        // It would go on for an hour, and so would what it starts.
        let tool =
            shell("echo one >&2; sleep 3600 & echo $! no std >&2; echo more >&2; wait", Some("no std"));
        let mut heard = Vec::new();
        let error = tool.run(Path::new("my-op"), &mut |line| heard.push(line.to_owned())).unwrap_err();
        assert_eq!(heard, ["one"]);
        let said = error.to_string();
        let sleeper = said.lines().last().and_then(|line| line.split(' ').next()).unwrap();
        let gone =
            || std::fs::read_to_string(format!("/proc/{sleeper}/stat")).map_or(true, |s| s.contains(") Z "));
        let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while !gone() {
            assert!(std::time::Instant::now() < end, "{sleeper} goes on");
            std::thread::yield_now();
        }
    }
}
