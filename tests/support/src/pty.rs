//! A command on a terminal: what is typed, what the terminal shows, and what went past it.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::command::Output;

const PATIENCE: Duration = Duration::from_secs(30);

/// A command whose standard input and standard error are a terminal; its standard output is a file, so that
/// what a script would capture is seen apart from what the person sees.
pub struct Pty {
    call: String,
    child: Child,
    keyboard: File,
    screen: Arc<Mutex<Vec<u8>>>,
    stdout: tempfile::NamedTempFile,
}

impl Pty {
    pub(crate) fn spawn(binary: &Path, folder: &Path, args: &[&str], env: &[(String, String)]) -> Self {
        let keyboard =
            File::from(openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo-terminal"));
        grantpt(&keyboard).unwrap();
        unlockpt(&keyboard).unwrap();
        let name = ptsname(&keyboard, Vec::new()).unwrap();
        let name = Path::new(std::ffi::OsStr::from_bytes(name.to_bytes()));
        let terminal = OpenOptions::new().read(true).write(true).open(name).unwrap();
        let stdout = tempfile::NamedTempFile::new().unwrap();
        let child = Command::new(binary)
            .args(args)
            .current_dir(folder)
            .env_clear()
            .env("HOME", folder.join("home"))
            .env("PATH", "/usr/bin:/bin")
            .envs(env.iter().map(|(name, value)| (name, value)))
            .stdin(terminal.try_clone().unwrap())
            .stderr(terminal)
            .stdout(stdout.reopen().unwrap())
            .spawn()
            .expect("txco starts");
        let screen: Arc<Mutex<Vec<u8>>> = Arc::default();
        let (mut reader, shown) = (keyboard.try_clone().unwrap(), Arc::clone(&screen));
        thread::spawn(move || {
            let mut buffer = [0; 1024];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                shown.lock().unwrap().extend_from_slice(&buffer[..count]);
            }
        });
        let call = format!("txco {} (on a terminal)", args.join(" "));
        Self { call, child, keyboard, screen, stdout }
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

    /// What went to standard output so far.
    #[must_use]
    pub fn printed(&self) -> String {
        std::fs::read_to_string(self.stdout.path()).unwrap()
    }

    /// Types.
    pub fn type_in(&mut self, text: &str) -> &mut Self {
        self.keyboard.write_all(text.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
        self
    }

    /// Sends it a signal; it alone, and nothing that it started.
    pub fn signal(&mut self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
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
        let stdout = std::fs::read_to_string(self.stdout.path()).unwrap();
        Output { stderr: self.screen(), call: self.call, code: status.code(), stdout }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_screen_and_standard_output_are_apart() {
        let folder = tempfile::tempdir().unwrap();
        let script = "printf 'name? ' >&2; read name; echo \"hello $name\"; exit 3";
        let mut pty = Pty::spawn(Path::new("/bin/sh"), folder.path(), &["-c", script], &[]);
        pty.expect("name? ").type_in("you\r");
        let output = pty.wait();
        assert_eq!((output.code, output.stdout.as_str()), (Some(3), "hello you\n"));
        assert!(output.stderr.starts_with("name? ") && !output.stderr.contains("hello"));
    }
}
