//! A warm call makes no system call and faults no page: counted, not timed (G1).

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;

use model::{Envelope, Value};
use sandbox::{Limits, Op, OpInput, Trust, builtins};
use vault::{Credentials, OpBags};

use crate::bench::{Secrets, declared, input, name, sandbox};

const CALLS: usize = 10_000;
/// Set for the run of this program that is traced.
const TRACED: &str = "TXCO_TEST_TRACED";
/// What the traced run writes before and after its calls.
const MARKS: [&str; 2] = ["the calls begin", "the calls are over"];

/// How an op signs a body.
#[derive(Debug, Clone, Copy)]
enum How {
    /// It is shown the key and computes itself.
    Shown,
    /// The host computes, over the body by handle.
    Handle,
    /// The host computes, over a copy of the body that the guest has.
    Copied,
}

/// Calls of an op that signs a body of so many bytes; what they use up is made beforehand.
struct Signer {
    op: Op,
    input: OpInput,
    secrets: Secrets,
}

impl Signer {
    fn new(how: How, bytes: usize) -> Self {
        let sandbox = sandbox(Limits::default());
        let op = match how {
            How::Shown => {
                let builtin = builtins().unwrap().into_iter().find(|b| b.name.as_str() == "hmac-sign");
                sandbox.load_builtin(&builtin.unwrap()).unwrap()
            }
            How::Handle | How::Copied => {
                let manifest = "name = \"forger\"\n[[outputs]]\npath = \"p\"\nclass = \"digest\"";
                sandbox.load(name("forger"), &declared("forger", manifest), Trust::Tenant).unwrap()
            }
        };
        let mut envelope = Envelope::default();
        envelope.receive_body(Value::from("as received"), Arc::from(vec![b'x'; bytes]));
        let attack = if matches!(how, How::Copied) { 9 } else { 0 };
        let params =
            format!(r#"{{"algorithm":"sha256","input_path":"body","output_path":"p","attack":{attack}}}"#);
        let params = Arc::new(Value::parse(params.as_bytes()).unwrap());
        let input = OpInput { params, envelope: Arc::new(envelope), ..input(0) };
        let secrets = Secrets::new();
        secrets.store("KEY", b"0123456789abcdef0123456789abcdef");
        Self { op, input, secrets }
    }

    fn prepared(&self, calls: usize) -> Vec<(OpInput, OpBags)> {
        (0..calls).map(|_| (self.input.clone(), self.secrets.pack(&self.op, &[("key", "KEY")]))).collect()
    }

    fn call_all(&self, prepared: &mut Vec<(OpInput, OpBags)>) {
        let credentials = Credentials::new();
        for (input, bags) in prepared.drain(..) {
            drop(self.op.call(input, bags, &credentials).unwrap());
        }
    }
}

/// Minor page faults of this thread so far.
fn faults() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
    stat.rsplit(')').next().unwrap().split_whitespace().nth(7).unwrap().parse().unwrap()
}

/// Of several rounds the quietest: what is not the call's comes and goes, what is would be there each time.
fn fewest_faults(how: How, bytes: usize) -> u64 {
    let signer = Signer::new(how, bytes);
    signer.call_all(&mut signer.prepared(1_000));
    let round = |_| {
        let mut prepared = signer.prepared(CALLS);
        let before = faults();
        signer.call_all(&mut prepared);
        faults() - before
    };
    (0..5).map(round).min().unwrap()
}

#[test]
fn ten_thousand_warm_calls_fault_no_page() {
    for how in [How::Shown, How::Handle] {
        for bytes in [1 << 10, 16 << 10] {
            assert_eq!(fewest_faults(how, bytes), 0, "{how:?}, {bytes} bytes");
        }
    }
    // For which the guest grows by a page.
    assert_eq!(fewest_faults(How::Copied, 64 << 10), 0);
}

/// The run that is traced: calls between two marks.
fn traced(how: How, bytes: usize) {
    let signer = Signer::new(how, bytes);
    let mut prepared = signer.prepared(CALLS);
    // The heap's end stays in use, so that what is freed below goes back to nobody.
    let plug = vec![1_u8; 64];
    // The clock that ends calls sleeps when there are none; it is awake now.
    signer.call_all(&mut signer.prepared(1_000));
    eprintln_now(MARKS[0]);
    signer.call_all(&mut prepared);
    eprintln_now(MARKS[1]);
    drop(plug);
}

/// Written at once, and past the test harness.
fn eprintln_now(text: &str) {
    std::io::stderr().write_all(format!("{text}\n").as_bytes()).unwrap();
}

/// The system calls that the thread which wrote the marks made between them; none where nothing can be traced.
fn traced_calls(test: &str) -> Option<Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let traces = folder.path().join("trace");
    let mut strace = Command::new("strace");
    strace.arg("-ff").arg("-o").arg(&traces).arg(std::env::current_exe().unwrap());
    strace.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(TRACED, "1");
    let ran = strace.stdout(Stdio::null()).stderr(Stdio::piped()).output();
    let said =
        ran.as_ref().map_or_else(ToString::to_string, |ran| String::from_utf8_lossy(&ran.stderr).into());
    if !said.contains(MARKS[1]) {
        eprintln_now(&format!("SKIPPED: system calls cannot be traced here: {said}"));
        return None;
    }
    let files = std::fs::read_dir(folder.path()).unwrap();
    let mut texts = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
    let text = texts.find(|text| text.contains(MARKS[0])).unwrap();
    let at = |mark: &str| text.lines().position(|line| line.contains(mark)).unwrap();
    Some(
        text.lines()
            .skip(at(MARKS[0]) + 1)
            .take(at(MARKS[1]) - at(MARKS[0]) - 1)
            .map(str::to_owned)
            .collect(),
    )
}

/// The system calls of the quietest of several runs, as above: a machine that stops the process for long
/// makes its clock sleep. `None` in the run that is traced, and where nothing can be.
fn fewest_calls(how: How, bytes: usize, expected: usize, test: &str) -> Option<Vec<String>> {
    if std::env::var_os(TRACED).is_some() {
        traced(how, bytes);
        return None;
    }
    let mut quietest: Option<Vec<String>> = None;
    for _ in 0..5 {
        let calls = traced_calls(test)?;
        if quietest.as_ref().is_none_or(|fewest| calls.len() < fewest.len()) {
            quietest = Some(calls);
        }
        if quietest.as_ref().is_some_and(|fewest| fewest.len() <= expected) {
            break;
        }
    }
    quietest
}

#[track_caller]
fn makes_no_system_call(how: How, test: &str) {
    let calls = fewest_calls(how, 1 << 10, 0, test).unwrap_or_default();
    assert!(calls.is_empty(), "system calls of {CALLS} warm calls: {calls:#?}");
}

#[test]
fn ten_thousand_warm_calls_that_reveal_make_no_system_call() {
    makes_no_system_call(How::Shown, "silent::ten_thousand_warm_calls_that_reveal_make_no_system_call");
}

#[test]
fn ten_thousand_warm_calls_with_handles_make_no_system_call() {
    makes_no_system_call(How::Handle, "silent::ten_thousand_warm_calls_with_handles_make_no_system_call");
}

/// Its second page is made accessible, and inaccessible again (R24); it is neither unlocked nor given back.
#[test]
fn a_warm_call_that_grows_by_a_page_makes_two_system_calls() {
    let test = "silent::a_warm_call_that_grows_by_a_page_makes_two_system_calls";
    let Some(calls) = fewest_calls(How::Copied, 64 << 10, 2 * CALLS, test) else { return };
    assert_eq!(calls.len(), 2 * CALLS);
    let other = calls.iter().find(|call| !call.starts_with("mprotect("));
    assert_eq!(other, None);
}
