//! Starts a compiler: cleared environment, its words passed on as they come and kept.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Error;

/// How many of its last lines are kept for an error.
const KEPT: usize = 200;

/// A program to be run to its end.
pub(crate) struct Tool<'a> {
    /// How people call it.
    pub(crate) name: &'static str,
    pub(crate) program: &'a Path,
    pub(crate) arguments: Vec<OsString>,
    /// All of its environment.
    pub(crate) environment: Vec<(&'static str, OsString)>,
    pub(crate) folder: &'a Path,
}

impl Tool<'_> {
    /// Runs it; each line that it says on stderr goes to `progress` as it comes.
    ///
    /// # Errors
    /// [`Error::Compile`] about `op` with its last lines.
    pub(crate) fn run(self, op: &Path, progress: &mut dyn FnMut(&str)) -> Result<(), Error> {
        let failed = |said: String| Error::Compile { folder: op.to_owned(), tool: self.name, said };
        let mut child = Command::new(self.program)
            .args(&self.arguments)
            .env_clear()
            .envs(self.environment)
            .current_dir(self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(Error::file(self.program))?;
        let mut last: VecDeque<String> = VecDeque::new();
        for line in child.stderr.take().into_iter().flat_map(|stderr| BufReader::new(stderr).split(b'\n')) {
            let Ok(line) = line else { break };
            let line = String::from_utf8_lossy(&line).into_owned();
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

    #[test]
    fn a_tool_sees_no_environment_and_its_words_are_kept() {
        let tool = Tool {
            name: "sh",
            program: Path::new("/bin/sh"),
            arguments: ["-c", "echo one >&2; echo \"home=$HOME path=$A\" >&2; exit 3"]
                .map(OsString::from)
                .to_vec(),
            environment: vec![("A", "b".into())],
            folder: Path::new("/"),
        };
        let mut heard = Vec::new();
        let error = tool.run(Path::new("my-op"), &mut |line| heard.push(line.to_owned())).unwrap_err();
        assert_eq!(heard, ["one", "home= path=b"]);
        assert_eq!(error.to_string(), "my-op: sh failed\none\nhome= path=b");
    }
}
