//! An op that was shown a secret cannot tell it: not as output, error, log line, crash, path or header (R21).

use serde_json::json;

use crate::attack::{fault, vendor};
use crate::hostile::{HOSTILE, Trace, attack, ends, said, served, with_guest, with_guest_and_vendor};

/// What the client sees of an op that failed.
const FAILED: (u16, &str) = (500, "op_failed");

#[track_caller]
fn is_refused(attack: u32, why: &str) {
    let (host, secret) = with_guest(&HOSTILE);
    ends(host, &secret, attack, "op_output_invalid", FAILED).says(why);
}

#[test]
fn as_data() {
    is_refused(11, "it is data, and a secret that the op was shown does not allow it to return that");
}

#[test]
fn as_a_digest() {
    is_refused(12, "it is digest, and a secret that the op was shown does not allow it to return that");
}

#[test]
fn as_the_name_of_a_field() {
    is_refused(15, "declares no such output there");
}

#[test]
fn as_the_name_of_a_header_of_the_answer() {
    is_refused(16, "declares no such output there");
}

#[test]
fn as_code_and_message_of_a_failure() {
    let (host, secret) = with_guest(&HOSTILE);
    let trace = ends(host, &secret, 13, "op_failed", FAILED);
    trace.says("failed: its words are withheld: it was shown a secret");
}

#[test]
fn in_the_message_of_a_crash() {
    let (host, secret) = with_guest(&HOSTILE);
    ends(host, &secret, 10, "op_trapped", FAILED)
        .says("it crashed: wasm trap: wasm `unreachable` instruction executed");
}

#[test]
fn in_a_log_line() {
    let (mut host, secret) = with_guest(&HOSTILE);
    let reply = attack(&mut host, 14);
    assert_eq!(reply.status, 200, "{}", reply.text());
    Trace::of(&mut host).says("log_dropped 1");
    host.forgot(&secret, "a log line that quotes it");
    served(&mut host);
    host.finish();
}

/// A credential is shown as a fixed text, whatever it is.
#[test]
fn as_a_credential_that_is_looked_at() {
    let (mut host, secret) = with_guest(&HOSTILE);
    assert_eq!(said(&attack(&mut host, 0)), json!("[credential]"));
    host.forgot(&secret, "a credential");
    host.finish();
}

/// Two thousand steps deep the secret was in the locals of each: the stack is cleared as deep as it was used.
#[test]
fn to_whoever_reads_the_stack() {
    let (mut host, secret) = with_guest(&HOSTILE);
    let reply = attack(&mut host, 18);
    assert_eq!(reply.status, 200, "{}", reply.text());
    host.forgot(&secret, "a deep recursion that returned");
    served(&mut host);
    host.finish();
}

/// A credential with a line break cannot end its header and begin another.
#[test]
fn behind_a_line_break_in_a_header() {
    let vendor = vendor();
    let (mut host, secret) = with_guest_and_vendor(&HOSTILE, &vendor);
    host.write(
        "workspace/OPS/web/200/send.txcl",
        "WHEN .p != null\nSET @web.req.headers.x-signed = .p\nEXEC \"https://api.vendor.com/things\"\n",
    );
    host.logs_after("rules reloaded", |host| host.signal(support::Signal::HUP));
    let reply = attack(&mut host, 17);
    assert_eq!(reply.status, 500, "{}", reply.text());
    assert_eq!(fault(&host), "secret_unusable");
    assert!(vendor.received().is_empty(), "nothing was sent");
    host.forgot(&secret, "a credential with a line break");
    served_to(&mut host, &vendor, &secret);
    host.finish();
}

/// The same credential without a line break is sent.
fn served_to(host: &mut support::Host, vendor: &support::Upstream, secret: &support::Canary) {
    host.allow(secret, "upstream vendor header x-signed", 1);
    let reply = attack(host, 0);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(vendor.only().header("x-signed"), Some(secret.text()));
}
