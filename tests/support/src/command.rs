//! One run of `txco` to its end, in an environment of its own.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a command may take before it counts as hanging.
const PATIENCE: Duration = Duration::from_secs(90);

/// A command line for `txco`.
#[derive(Debug, Clone, Default)]
pub struct Call {
    pub(crate) args: Vec<String>,
    pub(crate) stdin: Vec<u8>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) patience: Option<Duration>,
}

impl Call {
    /// `txco ARGS…` with an empty standard input.
    #[must_use]
    pub fn new(args: &[&str]) -> Self {
        Self { args: args.iter().map(|arg| (*arg).to_owned()).collect(), ..Self::default() }
    }

    /// The same with one argument more.
    #[must_use]
    pub fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.to_owned());
        self
    }

    /// The same with this on standard input, through a pipe.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// The same, with so much time: a compiler takes minutes on a small machine.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    /// The same with a variable in its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// What a command did. Its end must be looked at: [`Output::succeeds`] or [`Output::fails`].
#[must_use]
#[derive(Debug)]
pub struct Output {
    /// The command line, for messages.
    pub call: String,
    /// The exit code; none after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// It ended with 0; gives standard output.
    #[track_caller]
    pub fn succeeds(self) -> String {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self.stdout
    }

    /// It ended with `code`; gives standard error.
    #[track_caller]
    pub fn fails(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self.stderr
    }
}

/// The command with nothing of this machine in its environment.
pub(crate) fn clean(binary: &Path, folder: &Path, call: &Call) -> Command {
    let mut command = Command::new(binary);
    command.args(&call.args).current_dir(folder).env_clear();
    command.env("HOME", folder.join("home")).env("PATH", "/usr/bin:/bin");
    command.envs(call.env.iter().map(|(name, value)| (name, value)));
    command
}

pub(crate) fn run(binary: &Path, folder: &Path, call: &Call) -> Output {
    let mut command = clean(binary, folder, call);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("txco starts");
    let mut stdin = child.stdin.take().unwrap();
    // It may end without reading its input.
    stdin.write_all(&call.stdin).ok();
    drop(stdin);
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let out = thread::spawn(move || read(&mut out));
    let err = thread::spawn(move || read(&mut err));
    let patience = call.patience.unwrap_or(PATIENCE);
    let code = wait(&mut child, patience);
    child.kill().ok();
    let (stdout, stderr) = (out.join().unwrap(), err.join().unwrap());
    let line = format!("txco {}", call.args.join(" "));
    match code {
        Some(code) => Output { call: line, code, stdout, stderr },
        None => panic!("{line} did not end in {patience:?}\n{stdout}\n{stderr}"),
    }
}

/// Waits for the end: its exit code (none after a signal), or none when it takes longer than `patience`.
pub(crate) fn wait(child: &mut Child, patience: Duration) -> Option<Option<i32>> {
    let start = Instant::now();
    while start.elapsed() < patience {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status.code());
        }
        thread::sleep(Duration::from_millis(10));
    }
    None
}

fn read(from: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).ok();
    String::from_utf8_lossy(&bytes).into_owned()
}
