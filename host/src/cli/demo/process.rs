//! The demo's chassis: this very binary as `txco serve`, in a folder of its own.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// What the chassis prints, below the run's folder.
pub(super) const STDOUT: &str = "chassis.stdout.log";
pub(super) const STDERR: &str = "chassis.stderr.log";

/// How long the chassis may take until it answers; the first start compiles the ops.
const START: Duration = Duration::from_secs(60);
/// How long it may take to drain and end.
const STOP: Duration = Duration::from_secs(10);
/// How often it is asked meanwhile.
const ASK: Duration = Duration::from_millis(10);
/// How long one exchange with the web head may take.
const EXCHANGE: Duration = Duration::from_secs(30);
/// How often free ports are looked for again when somebody else was faster.
const TRIES: usize = 3;

/// A running chassis; killed when dropped.
pub(super) struct Chassis {
    child: Child,
    pub(super) web: SocketAddr,
    pub(super) admin: SocketAddr,
}

impl Drop for Chassis {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ended: io::Result<()> = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl Chassis {
    /// Starts it in `folder` with `flags` and waits until both heads answer.
    pub(super) fn start(folder: &Path, flags: &[OsString]) -> Result<Self, String> {
        let mut said = String::new();
        for _ in 0..TRIES {
            let mut chassis =
                Self::spawn(folder, flags).map_err(|e| format!("cannot start the chassis: {e}"))?;
            if chassis.answers()? {
                return Ok(chassis);
            }
            said = fs::read_to_string(folder.join(STDERR)).unwrap_or_default();
            if !said.contains("in use") {
                break;
            }
        }
        Err(format!("the chassis did not start; it said:\n{}", said.trim_end()))
    }

    fn spawn(folder: &Path, flags: &[OsString]) -> io::Result<Self> {
        let (web, admin) = (free_port()?, free_port()?);
        let child = Command::new(std::env::current_exe()?)
            .arg("serve")
            .args(flags)
            .args(["--web-addr", &web.to_string(), "--admin-addr", &admin.to_string()])
            .current_dir(folder)
            // What is set around here must not change what is shown.
            .env_clear()
            .stdin(Stdio::null())
            .stdout(File::create(folder.join(STDOUT))?)
            .stderr(File::create(folder.join(STDERR))?)
            .spawn()?;
        Ok(Self { child, web, admin })
    }

    /// Waits until both heads answer; false when it ended instead.
    fn answers(&mut self) -> Result<bool, String> {
        let until = Instant::now() + START;
        while Instant::now() < until {
            if let Ok(Some(_)) = self.child.try_wait() {
                return Ok(false);
            }
            let healthy = |address| get(address, "/healthz").is_ok_and(|reply| reply.status == 200);
            if healthy(self.web) && healthy(self.admin) {
                return Ok(true);
            }
            sleep(ASK);
        }
        Err(format!("the chassis did not answer within {} s", START.as_secs()))
    }

    /// Asks it to end as an operator would, and waits; false when it had to be killed or
    /// reported a failure.
    pub(super) fn stop(mut self) -> bool {
        if let Ok(pid) = i32::try_from(self.child.id())
            && let Some(pid) = Pid::from_raw(pid)
        {
            // It fails only when it has ended already.
            let _ended = kill_process(pid, Signal::TERM);
        }
        let until = Instant::now() + STOP;
        while Instant::now() < until {
            match self.child.try_wait() {
                Ok(Some(status)) => return status.success(),
                Ok(None) => sleep(ASK),
                Err(_) => return false,
            }
        }
        false
    }
}

/// A loopback port that is free just now.
fn free_port() -> io::Result<SocketAddr> {
    TcpListener::bind(("127.0.0.1", 0))?.local_addr()
}

/// An HTTP reply, whole.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: String,
    /// The reply as it came, status line and headers included.
    pub(super) bytes: Vec<u8>,
}

impl Reply {
    /// The value of a header, in any case.
    pub(super) fn header(&self, name: &str) -> Option<String> {
        let text = String::from_utf8_lossy(&self.bytes);
        let (head, _) = text.split_once("\r\n\r\n")?;
        head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    }
}

fn get(address: SocketAddr, path: &str) -> io::Result<Reply> {
    exchange(address, &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"))
}

/// Sends an event: JSON to the web head, as any client would.
pub(super) fn post(address: SocketAddr, json: &str) -> io::Result<Reply> {
    let request = format!(
        "POST / HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{json}",
        json.len()
    );
    exchange(address, &request)
}

fn exchange(address: SocketAddr, request: &str) -> io::Result<Reply> {
    let mut stream = TcpStream::connect_timeout(&address, EXCHANGE)?;
    stream.set_read_timeout(Some(EXCHANGE))?;
    stream.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not an HTTP reply"))?;
    let body = text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
    Ok(Reply { status, body, bytes })
}
