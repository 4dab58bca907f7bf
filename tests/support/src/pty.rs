//! A command on a terminal: what is typed, what the terminal shows, and what went past it.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, PtySize, native_pty_system};

use crate::command::Output;

const PATIENCE: Duration = Duration::from_secs(30);

/// A command whose standard input and standard error are a terminal; its standard output is a file, so that
/// what a script would capture is seen apart from what the person sees.
pub struct Pty {
    call: String,
    child: Box<dyn Child + Send + Sync>,
    keyboard: Box<dyn Write + Send>,
    screen: Arc<Mutex<Vec<u8>>>,
    stdout: tempfile::NamedTempFile,
}

impl Pty {
    pub(crate) fn spawn(binary: &Path, folder: &Path, args: &[&str]) -> Self {
        let pair = native_pty_system().openpty(PtySize::default()).expect("a pseudo-terminal");
        let stdout = tempfile::NamedTempFile::new().unwrap();
        let mut command = CommandBuilder::new("/bin/sh");
        command.args(["-c", "out=$1; shift; exec \"$@\" >\"$out\"", "sh"]);
        command.arg(stdout.path());
        command.arg(binary);
        command.args(args);
        command.cwd(folder);
        command.env_clear();
        command.env("HOME", folder.join("home"));
        command.env("PATH", "/usr/bin:/bin");
        let child = pair.slave.spawn_command(command).expect("txco starts");
        drop(pair.slave);
        let screen: Arc<Mutex<Vec<u8>>> = Arc::default();
        let (mut reader, shown) = (pair.master.try_clone_reader().unwrap(), Arc::clone(&screen));
        thread::spawn(move || {
            let mut buffer = [0; 1024];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                shown.lock().unwrap().extend_from_slice(&buffer[..count]);
            }
        });
        let call = format!("txco {} (on a terminal)", args.join(" "));
        Self { call, child, keyboard: pair.master.take_writer().unwrap(), screen, stdout }
    }

    /// What the terminal shows so far.
    #[must_use]
    pub fn screen(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned()
    }

    /// Waits until the terminal shows `text`.
    pub fn expect(&mut self, text: &str) -> &mut Self {
        let start = Instant::now();
        while !self.screen().contains(text) {
            assert!(
                start.elapsed() < PATIENCE,
                "{}: {text:?} is not on the screen: {:?}",
                self.call,
                self.screen()
            );
            thread::sleep(Duration::from_millis(10));
        }
        self
    }

    /// Types.
    pub fn type_in(&mut self, text: &str) -> &mut Self {
        self.keyboard.write_all(text.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
        self
    }

    /// Waits for the end. Standard error is all that the terminal showed.
    pub(crate) fn wait(mut self) -> Output {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if start.elapsed() > PATIENCE {
                self.child.kill().ok();
                panic!("{} did not end: {:?}", self.call, self.screen());
            }
            thread::sleep(Duration::from_millis(10));
        };
        // The last words may still be on their way through the terminal.
        thread::sleep(Duration::from_millis(100));
        let code = status.signal().is_none().then(|| i32::try_from(status.exit_code()).unwrap());
        let stdout = std::fs::read_to_string(self.stdout.path()).unwrap();
        Output { stderr: self.screen(), call: self.call, code, stdout }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_screen_and_standard_output_are_apart() {
        let folder = tempfile::tempdir().unwrap();
        let script = "printf 'name? ' >&2; read name; echo \"hello $name\"; exit 3";
        let mut pty = Pty::spawn(Path::new("/bin/sh"), folder.path(), &["-c", script]);
        pty.expect("name? ").type_in("you\r");
        let output = pty.wait();
        assert_eq!((output.code, output.stdout.as_str()), (Some(3), "hello you\n"));
        assert!(output.stderr.starts_with("name? ") && !output.stderr.contains("hello"));
    }
}
