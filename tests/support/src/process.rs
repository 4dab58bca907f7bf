//! A running `txco`: its log as it comes, its addresses, its end.

use std::io::Read;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::command::wait;

const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Process {
    child: Child,
    log: Arc<Mutex<Vec<u8>>>,
    readers: Vec<thread::JoinHandle<()>>,
}

impl Process {
    pub(crate) fn spawn(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("txco starts");
        let log: Arc<Mutex<Vec<u8>>> = Arc::default();
        let readers =
            vec![follow(child.stdout.take().unwrap(), &log), follow(child.stderr.take().unwrap(), &log)];
        Self { child, log, readers }
    }

    /// Everything it printed, on both streams.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&self.log.lock().unwrap()).into_owned()
    }

    /// Waits until a line of the log contains `text`, and gives the last such line.
    pub(crate) fn line(&mut self, text: &str) -> String {
        self.line_after(0, text)
    }

    /// The same, in what was printed after the first `skip` bytes.
    pub(crate) fn line_after(&mut self, skip: usize, text: &str) -> String {
        let start = Instant::now();
        loop {
            let ended = self.child.try_wait().unwrap();
            let log = self.log();
            // A line counts once it is whole.
            let whole = log.rfind('\n').map_or("", |end| &log[..end]);
            let found = whole.get(skip..).unwrap_or("").lines().rfind(|line| line.contains(text));
            if let Some(line) = found {
                return line.to_owned();
            }
            if let Some(status) = ended {
                panic!("txco ended ({status}) without {text:?}:\n{}", self.whole_log());
            }
            assert!(start.elapsed() < PATIENCE, "{text:?} did not come:\n{log}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The address that a head says it listens on.
    pub(crate) fn address(&mut self, head: &str) -> SocketAddr {
        let line = self.line(&format!("{head} head listening"));
        // `addr=127.0.0.1:8080` for people, `"addr":"127.0.0.1:8080"` for machines.
        let address = line.split("addr").nth(1).unwrap_or("").trim_start_matches(['=', '"', ':']);
        let address: String = address.chars().take_while(|c| !c.is_whitespace() && *c != '"').collect();
        address.parse().unwrap_or_else(|_| panic!("an address: {line}"))
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the chassis runs");
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Waits for its end: exit code (none after a signal) and all of its log.
    pub(crate) fn wait(mut self) -> (Option<i32>, String) {
        let Some(code) = wait(&mut self.child, PATIENCE) else {
            panic!("txco did not end in {PATIENCE:?}:\n{}", self.log());
        };
        (code, self.whole_log())
    }

    fn whole_log(&mut self) -> String {
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        self.log()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn follow(mut from: impl Read + Send + 'static, log: &Arc<Mutex<Vec<u8>>>) -> thread::JoinHandle<()> {
    let log = Arc::clone(log);
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            log.lock().unwrap().extend_from_slice(&buffer[..count]);
        }
    })
}
