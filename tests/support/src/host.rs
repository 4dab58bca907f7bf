//! A chassis under test with its folder, its commands and everything it produced; finishing it searches for leaks.

mod memory;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::command::{self, Call, Output};
use crate::http::{self, Reply, Request};
use crate::leaks::{self, Allowed, Place};
use crate::process::Process;
use crate::upstream::Recording;
use crate::{Canary, Pty, Upstream};

/// How a chassis is started; reads like the scenario.
#[must_use]
pub struct Builder {
    host: Host,
}

/// A chassis under test.
#[must_use = "a Host must be finished: Host::finish searches for leaks"]
pub struct Host {
    binary: PathBuf,
    folder: TempDir,
    start: Call,
    process: Option<Process>,
    web: Option<SocketAddr>,
    admin: Option<SocketAddr>,
    log_before: String,
    places: Vec<Place>,
    recordings: Vec<Recording>,
    canaries: Vec<Canary>,
    allowed: Vec<Allowed>,
    finished: bool,
}

impl Builder {
    /// A rule file of the workspace: `OPS/web/100/charge.txcl` and its text.
    pub fn rule(mut self, path: &str, text: &str) -> Self {
        self.host.write(&format!("workspace/{path}"), text);
        let args = &mut self.host.start.args;
        if args.first().is_some_and(|verb| verb == "serve") && !args.iter().any(|arg| arg == "--workspace") {
            args.extend(["--workspace", "workspace"].map(str::to_owned));
        }
        self
    }

    /// A file of the host's folder, before it starts.
    pub fn file(self, path: &str, bytes: impl AsRef<[u8]>) -> Self {
        self.host.write(path, bytes);
        self
    }

    /// Flags for the start.
    pub fn flags(mut self, flags: &[&str]) -> Self {
        self.host.start.args.extend(flags.iter().map(|flag| (*flag).to_owned()));
        self
    }

    /// A variable for the start.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.host.start.env.push((name.to_owned(), value.to_owned()));

        self
    }

    /// `upstream` stands for `host:port`: the chassis connects there instead, and trusts its authority.
    pub fn upstream(mut self, upstream: &Upstream, host: &str) -> Self {
        let name = host.split(':').next().unwrap();
        let connect = format!("{name}={}", upstream.address());
        self.host.recordings.push(upstream.recording());
        if let Some(pem) = upstream.authority() {
            let ca = format!("ca-{}.pem", upstream.name());
            self.host.write(&ca, pem);
            self.host.start.args.extend(["--egress-ca".to_owned(), ca]);
        }
        self.host.start.args.extend(["--egress-connect-to".to_owned(), connect]);
        self
    }

    /// Only records what `upstream` receives; the rules name its address themselves.
    pub fn recording(mut self, upstream: &Upstream) -> Self {
        self.host.recordings.push(upstream.recording());
        self
    }

    /// As built, not started yet.
    pub fn at_rest(self) -> Host {
        self.host
    }

    /// Starts it and waits until both heads listen.
    pub fn start(mut self) -> Host {
        self.host.start();
        self.host
    }
}

impl Host {
    /// `txco serve` on free ports, with full traces and permission to dial loopback; with a workspace once it
    /// has a rule.
    pub fn serve(binary: &str) -> Builder {
        let args = "serve --web-addr 127.0.0.1:0 --admin-addr 127.0.0.1:0 --trace-mode full \
                    --egress-allow-cidrs 127.0.0.0/8";
        Self::with(binary, &args.split_whitespace().collect::<Vec<_>>())
    }

    /// `txco dev` in a workspace, on free ports.
    pub fn dev(binary: &str) -> Builder {
        Self::with(binary, &["dev", "workspace", "--web-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"])
    }

    /// No chassis runs; only commands do.
    pub fn at_rest(binary: &str) -> Self {
        Self::with(binary, &[]).host
    }

    /// Any command line that starts a chassis.
    pub fn with(binary: &str, args: &[&str]) -> Builder {
        let host = Self {
            binary: binary.into(),
            folder: tempfile::tempdir().unwrap(),
            start: Call::new(args),
            process: None,
            web: None,
            admin: None,
            log_before: String::new(),
            places: Vec::new(),
            recordings: Vec::new(),
            canaries: Vec::new(),
            allowed: Vec::new(),
            finished: false,
        };
        fs::create_dir(host.path("home")).unwrap();
        Builder { host }
    }

    // Its folder.

    /// A path in its folder.
    #[must_use]
    pub fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    /// Writes a file in its folder; missing folders are made.
    pub fn write(&self, relative: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// The text of a file in its folder.
    #[must_use]
    pub fn read(&self, relative: &str) -> String {
        fs::read_to_string(self.path(relative)).unwrap_or_else(|e| panic!("{relative}: {e}"))
    }

    /// The files below a path of its folder, relative to its folder, sorted.
    #[must_use]
    pub fn files(&self, relative: &str) -> Vec<String> {
        let mut files = Vec::new();
        walk(&self.path(relative), &mut files);
        let mut files: Vec<_> = files
            .into_iter()
            .map(|path| path.strip_prefix(self.folder.path()).unwrap().to_str().unwrap().to_owned())
            .collect();
        files.sort();
        files
    }

    // Its life.

    /// Starts it (again), with the same command line.
    pub fn start(&mut self) {
        assert!(self.process.is_none(), "it runs already");
        let mut process = Process::spawn(command::clean(&self.binary, self.folder.path(), &self.start));
        self.web = Some(process.address("web"));
        self.admin = Some(process.address("admin"));
        self.process = Some(process);
    }

    /// A variable for its next start.
    pub fn set_env(&mut self, name: &str, value: &str) {
        self.start.env.retain(|(known, _)| known != name);
        self.start.env.push((name.to_owned(), value.to_owned()));
    }

    /// The number of its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("it runs").pid().as_raw_nonzero().get().unsigned_abs()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.collect_end();
    }

    /// Asks it to end and waits: it must end with 0.
    #[track_caller]
    pub fn stop(&mut self) {
        self.signal(Signal::TERM);
        let code = self.collect_end();
        assert_eq!(code, Some(0), "the end of txco:\n{}", self.log());
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.as_ref().expect("it runs").signal(signal);
    }

    /// Waits for an end that a signal asked for; the exit code, none after `kill -9`.
    pub fn wait(&mut self) -> Option<i32> {
        self.collect_end()
    }

    fn collect_end(&mut self) -> Option<i32> {
        let (code, log) = self.process.take().expect("it runs").wait();
        self.log_before.push_str(&log);
        code
    }

    /// All that it logged, of every life.
    #[must_use]
    pub fn log(&self) -> String {
        let now = self.process.as_ref().map(Process::log).unwrap_or_default();
        format!("{}{now}", self.log_before)
    }

    /// Waits until this life logged a line with `text`; gives the last such line.
    #[track_caller]
    pub fn wait_log(&mut self, text: &str) -> String {
        self.process.as_mut().expect("it runs").line(text)
    }

    /// What `does` makes it log: waits for a line with `text` that was not there before.
    #[track_caller]
    pub fn logs_after(&mut self, text: &str, does: impl FnOnce(&mut Self)) -> String {
        let before = self.process.as_ref().expect("it runs").log().len();
        does(self);
        self.process.as_mut().expect("it runs").line_after(before, text)
    }

    // Talking to it.

    /// Where the web head listens.
    #[must_use]
    pub fn web_address(&self) -> SocketAddr {
        self.web.expect("it was started")
    }

    /// Where the admin head listens.
    #[must_use]
    pub fn admin_address(&self) -> SocketAddr {
        self.admin.expect("it was started")
    }

    /// Sends a request to the web head.
    pub fn web(&mut self, request: &Request) -> Reply {
        let reply = http::send(self.web_address(), request).expect("a reply from the web head");
        self.record("web reply", &reply.raw);
        reply
    }

    /// Sends a JSON event to the web head.
    pub fn event(&mut self, target: &str, body: &serde_json::Value) -> Reply {
        self.web(&Request::new("POST", target).json(body))
    }

    /// Sends a request to the admin head.
    pub fn admin(&mut self, request: &Request) -> Reply {
        let reply = http::send(self.admin_address(), request).expect("a reply from the admin head");
        self.record("admin reply", &reply.raw);
        reply
    }

    /// Puts something the test received by itself among the places to search.
    pub fn record(&mut self, name: &str, bytes: &[u8]) {
        self.places.push(Place::new(name, bytes));
    }

    /// Runs `txco ARGS…` to its end.
    pub fn txco(&mut self, args: &[&str]) -> Output {
        self.run(&Call::new(args))
    }

    /// Runs a command to its end.
    pub fn run(&mut self, call: &Call) -> Output {
        let output = command::run(&self.binary, self.folder.path(), call);
        self.record("stdout", output.stdout.as_bytes());
        self.record("stderr", output.stderr.as_bytes());
        output
    }

    /// `txco auth tenant secrets ARGS…` against this chassis.
    pub fn secrets(&mut self, args: &[&str]) -> Output {
        self.run(&self.secrets_call(args))
    }

    /// The same, not run yet.
    #[must_use]
    pub fn secrets_call(&self, args: &[&str]) -> Call {
        let call = Call::new(&["auth", "tenant", "secrets"]);
        args.iter()
            .fold(call, |call, arg| call.arg(arg))
            .arg("--url")
            .arg(&format!("http://{}", self.admin_address()))
    }

    /// A command on a terminal; give it back to [`Host::end_of`].
    #[must_use]
    pub fn on_terminal(&self, call: &Call) -> Pty {
        let args: Vec<_> = call.args.iter().map(String::as_str).collect();
        Pty::spawn(&self.binary, self.folder.path(), &args, &call.env)
    }

    /// A shell on a terminal, where `txco` is this binary and its chassis this host; give it
    /// back to [`Host::end_of`].
    #[must_use]
    pub fn shell(&self) -> Pty {
        let path = format!("{}:/usr/bin:/bin", self.binary.parent().unwrap().display());
        let env =
            [("PATH", path), ("PS1", "$ ".to_owned()), ("TXCO_ADMIN_ADDR", self.admin_address().to_string())];
        let env = env.map(|(name, value)| (name.to_owned(), value));
        Pty::spawn(Path::new("/bin/sh"), self.folder.path(), &[], &env)
    }

    /// Waits for the end of a command on a terminal.
    pub fn end_of(&mut self, pty: Pty) -> Output {
        let output = pty.wait();
        self.record("stdout", output.stdout.as_bytes());
        self.record("terminal", output.stderr.as_bytes());
        output
    }

    // Secrets.

    /// A fresh secret that this host must keep.
    pub fn canary(&mut self, label: &str) -> Canary {
        let canary = Canary::new(label);
        self.guard(&canary);
        canary
    }

    /// Something this host must keep from now on.
    pub fn guard(&mut self, canary: &Canary) {
        let known = self.canaries.iter().any(|other| other.label() == canary.label());
        assert!(!known, "two canaries are called {}", canary.label());
        self.canaries.push(canary.clone());
    }

    /// Stores a fresh secret through the command line, as an operator pipes it in.
    #[track_caller]
    pub fn store(&mut self, name: &str) -> Canary {
        let canary = self.canary(name);
        let call = self.secrets_call(&["set", name]).stdin(format!("{}\n", canary.text()));
        self.run(&call).succeeds();
        canary
    }

    /// Declares that `canary` is seen in `place` exactly so often.
    pub fn allow(&mut self, canary: &Canary, place: &str, times: usize) {
        self.allowed.push(Allowed { label: canary.label().into(), place: place.into(), times });
    }

    /// Ends it and searches everything it produced.
    #[track_caller]
    pub fn finish(mut self) {
        self.finished = true;
        // Once while it runs (the database has its -wal then) and once at rest.
        let mut places = Vec::new();
        if self.process.is_some() {
            places.extend(self.file_places());
            self.stop();
        }
        places.extend(self.file_places());
        places.push(Place::new("log", self.log()));
        places.extend(self.recordings.iter().flat_map(Recording::places));
        places.append(&mut self.places);
        let searched: usize = places.iter().map(|place| place.bytes.len()).sum();
        assert!(searched > 0, "nothing to search");
        let complaints = leaks::complaints(&places, &self.canaries, &self.allowed);
        assert!(complaints.is_empty(), "leaks: {complaints:#?}");
        let complaints = self.master_key_complaints(&places);
        assert!(complaints.is_empty(), "leaks: {complaints:#?}");
    }

    fn file_places(&self) -> Vec<Place> {
        let read = |name: String| Some(Place::new(format!("file {name}"), fs::read(self.path(&name)).ok()?));
        self.files("").into_iter().filter_map(read).collect()
    }

    /// A master key stands in files of its own (`….key`, 32 bytes) and nowhere else.
    fn master_key_complaints(&self, places: &[Place]) -> Vec<String> {
        let is_key = |place: &&Place| place.name.ends_with(".key") && place.bytes.len() == 32;
        let (keys, others): (Vec<&Place>, Vec<&Place>) = places.iter().partition(is_key);
        let others: Vec<_> =
            others.iter().map(|place| Place::new(&place.name, place.bytes.clone())).collect();
        // A key of a published vector (00 01 … 1f) or of zeroes is no secret and stands in many tables.
        let published = |bytes: &[u8]| {
            let mut steps = bytes.windows(2).map(|two| two[1].wrapping_sub(two[0]));
            let first = steps.next();
            steps.all(|step| Some(step) == first)
        };
        let keys = keys.iter().filter(|key| !published(&key.bytes));
        let keys: Vec<_> = keys.map(|key| Canary::found(&key.name, &key.bytes)).collect();
        leaks::complaints(&others, &keys, &[])
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if !self.finished && !std::thread::panicking() {
            panic!("a Host was dropped without Host::finish: nobody searched for leaks");
        }
    }
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => walk(&entry.path(), found),
            Ok(kind) if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    fn panics(does: impl FnOnce()) -> String {
        let failed = catch_unwind(AssertUnwindSafe(does)).expect_err("a panic");
        failed
            .downcast_ref::<String>()
            .cloned()
            .unwrap_or_else(|| failed.downcast_ref::<&str>().unwrap().to_string())
    }

    #[test]
    fn an_unfinished_host_panics() {
        assert!(panics(|| drop(Host::at_rest("/bin/sh"))).contains("without Host::finish"));
    }

    #[test]
    fn a_leak_on_standard_output_is_found() {
        let message = panics(|| {
            let mut host = Host::at_rest("/bin/sh");
            let canary = host.canary("stripe");
            host.run(&Call::new(&["-c", "cat"]).stdin(canary.text())).succeeds();
            host.finish();
        });
        assert!(message.contains("stripe in stdout: raw at byte"), "{message}");
    }

    #[test]
    fn a_leak_into_a_file_is_found_and_a_declared_sighting_is_not_one() {
        let leaves = |times| {
            let mut host = Host::at_rest("/bin/sh");
            let canary = host.canary("stripe");
            host.run(&Call::new(&["-c", "od -An -v -tx1 | tr -d ' \\n' > left"]).stdin(canary.text()))
                .succeeds();
            host.allow(&canary, "file left", times);
            host.finish();
        };
        leaves(1);
        assert!(panics(|| leaves(2)).contains("declared 2 times, seen 1 times"));
    }

    #[test]
    fn a_master_key_outside_its_file_is_found() {
        let message = panics(|| {
            let mut host = Host::at_rest("/bin/sh");
            host.write("secrets/txco-master.key", crate::canary::random(32));
            host.txco(&["-c", "base64 secrets/txco-master.key"]).succeeds();
            host.finish();
        });
        assert!(message.contains("txco-master.key in stdout: base64"), "{message}");
    }

    #[test]
    fn what_an_upstream_received_is_searched() {
        let message = panics(|| {
            let upstream = Upstream::http("stripe", |_| crate::Answer::Close);
            let mut host = Host::with("/bin/sh", &[]).recording(&upstream).host;
            let canary = host.canary("key");
            let request = Request::new("GET", "/").header("X-Key", canary.text());
            http::send(upstream.address(), &request).ok();
            host.finish();
        });
        assert!(message.contains("key in upstream stripe header x-key: raw"), "{message}");
    }
}
