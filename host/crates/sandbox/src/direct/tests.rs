//! What a module may do to the host that calls it directly: nothing, though ops of compilers try none of this.

use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{Envelope, RequestId, Value};
use vault::{OpBags, Reveal, SecretBag, Use};

use super::*;
use crate::engine::{Memories, engine};
use crate::{Limits, OpInput, Over, Randomness};

/// A module whose `handle` is this text; `$ret` is where results go, and `$room` what `cabi_realloc` returns.
fn module(handle: &str, realloc: &str) -> String {
    format!(
        r#"(module
        (import "{CALL}" "bytes" (func $bytes (param i32 i32 i32)))
        (import "{CALL}" "[method]blob.len" (func $len (param i32) (result i64)))
        (import "{CALL}" "[resource-drop]blob" (func $drop (param i32)))
        (import "{CALL}" "param" (func $param (param i32 i32 i32)))
        (import "{CALL}" "now" (func $now (result i64)))
        (import "{CALL}" "stack" (func $stack (param i32)))
        (import "{KEYS}" "[method]key.sign" (func $sign (param i32 i32 i32 i32 i32)))
        (import "{KEYS}" "[static]key.public" (func $public (param i32 i32 i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "body")
        (data (i32.const 8) "user")
        ;; A result at 512: ok, one field at 544; its path is "user", its value what 528 says.
        (data (i32.const 512) "\00\00\00\00\20\02\00\00\01\00\00\00")
        (data (i32.const 544) "\08\00\00\00\04\00\00\00\00\00\00\00\00\00\00\00\08\00\00\00\04\00\00\00")
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) {realloc})
        (func (export "handle") (result i32) {handle}))"#
    )
}

const ROOM: &str = "i32.const 1024";

fn run_with(handle: &str, realloc: &str, limits: &Limits) -> wasmtime::Result<Returned> {
    let engine = engine(limits, Memories::Own).unwrap();
    let module = Module::new(&engine, wat::parse_str(module(handle, realloc)).unwrap()).unwrap();
    let direct = Direct::link(&linker(&engine).unwrap(), &module).unwrap();
    let mut envelope = Envelope::default();
    envelope.receive_body(Value::from("x"), Arc::from(&b"received"[..]));
    let input = OpInput {
        request: RequestId::parse("req_1111111111111111111111").unwrap(),
        stack: "web".to_owned(),
        scope: 100,
        rule: "sign".to_owned(),
        now_millis: 7,
        params: Arc::new(Value::parse(br#"{"user":"u"}"#).unwrap()),
        envelope: Arc::new(envelope),
        randomness: Randomness::System,
    };
    let bags = OpBags { reveal: SecretBag::<Reveal>::empty(), keys: SecretBag::<Use>::empty() };
    let until = Instant::now() + Duration::from_secs(60);
    let mut store = Store::new(&engine, Host::new(input, bags, limits, until));
    store.limiter(|host| &mut host.meter);
    store.set_epoch_deadline(1_000_000);
    direct.run(&mut store, limits.output)
}

fn run(handle: &str) -> wasmtime::Result<Returned> {
    run_with(handle, ROOM, &Limits::default())
}

fn is_broken(result: wasmtime::Result<Returned>) -> bool {
    result.is_err_and(|error| error.downcast_ref::<Broken>().is_some())
}

#[test]
fn values_go_in_and_come_out() {
    let fields = run("(call $param (i32.const 8) (i32.const 4) (i32.const 64))
        ;; present, a text, at 1024, of one byte
        (if (i32.ne (i32.load8_u (i32.const 64)) (i32.const 1)) (then unreachable))
        (if (i32.ne (i32.load8_u (i32.const 68)) (i32.const 0)) (then unreachable))
        (if (i32.ne (i32.load (i32.const 72)) (i32.const 1024)) (then unreachable))
        (if (i32.ne (i32.load8_u (i32.const 1024)) (i32.const 117)) (then unreachable))
        (call $bytes (i32.const 0) (i32.const 4) (i32.const 64))
        (if (i64.ne (call $len (i32.load (i32.const 68))) (i64.const 8)) (then unreachable))
        (call $drop (i32.load (i32.const 68)))
        i32.const 512")
    .unwrap()
    .ok()
    .unwrap();
    let [field] = &fields[..] else { panic!("{}", fields.len()) };
    assert_eq!((field.path.as_str(), field.value.text()), ("user", "user"));
}

#[test]
fn a_number_that_is_no_handle_ends_the_call() {
    for number in ["0", "1", "2", "3", "-1", "0x7fffffff"] {
        assert!(
            is_broken(run(&format!("(drop (call $len (i32.const {number}))) i32.const 512"))),
            "{number}"
        );
        assert!(is_broken(run(&format!("(call $drop (i32.const {number})) i32.const 512"))), "{number}");
        let sign = "(i32.const 1) (i32.const 0) (i32.const 0) (i32.const 64)";
        assert!(
            is_broken(run(&format!("(call $sign (i32.const {number}) {sign}) i32.const 512"))),
            "{number}"
        );
    }
    let open = "(call $bytes (i32.const 0) (i32.const 4) (i32.const 64))";
    let at = "(i32.load (i32.const 68))";
    // The first blob's number is one; as a key it is nothing, and after its end neither.
    let sign = format!("(call $sign {at} (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 64))");
    assert!(is_broken(run(&format!("{open} {sign} i32.const 512"))));
    assert!(run(&format!("{open} (drop (call $len {at})) i32.const 512")).is_ok());
    assert!(is_broken(run(&format!("{open} (call $drop {at}) (drop (call $len {at})) i32.const 512"))));
}

#[test]
fn what_lies_outside_of_the_memory_is_not_touched() {
    for (pointer, len) in
        [("65536", "1"), ("65533", "4"), ("-1", "4"), ("8", "-1"), ("0x80000000", "0x80000000")]
    {
        let call =
            format!("(call $param (i32.const {pointer}) (i32.const {len}) (i32.const 64)) i32.const 512");
        assert!(is_broken(run(&call)), "{pointer} {len}");
    }
    for at in ["66", "65533", "65536", "-4"] {
        assert!(is_broken(run(&format!("(call $stack (i32.const {at})) i32.const 512"))), "{at}");
        assert!(is_broken(run(&format!("i32.const {at}"))), "{at}");
    }
    // A text that is none.
    assert!(is_broken(run(
        "(i32.store8 (i32.const 8) (i32.const 255)) (call $param (i32.const 8) (i32.const 4) (i32.const 64)) i32.const 512"
    )));
}

#[test]
fn a_guest_that_makes_room_does_nothing_else() {
    let call = "(call $stack (i32.const 64)) i32.const 512";
    let limits = Limits::default();
    let left = run_with(call, "(drop (call $now)) i32.const 1024", &limits).err().unwrap();
    assert_eq!(left.downcast_ref::<Trap>(), Some(&Trap::CannotLeaveComponent));
    for room in ["65536", "65535", "-1"] {
        assert!(is_broken(run_with(call, &format!("i32.const {room}"), &limits)), "{room}");
    }
    // Afterwards it may call again.
    assert!(run("(call $stack (i32.const 64)) (drop (call $now)) i32.const 512").is_ok());
}

#[test]
fn every_limit_holds_here_too() {
    let over = |handle: &str, limits: &Limits| {
        run_with(handle, ROOM, limits).err().and_then(|error| error.downcast_ref::<Over>().copied())
    };
    let now = "(drop (call $now)) (drop (call $now)) i32.const 512";
    let limits = |host_calls| Limits { host_calls, ..Limits::default() };
    assert_eq!(over(now, &limits(2)), None);
    assert_eq!(over(now, &limits(1)), Some(Over::HostCalls(1)));
    let param = "(call $param (i32.const 8) (i32.const 4) (i32.const 64)) i32.const 512";
    let limits = |argument_bytes| Limits { argument_bytes, ..Limits::default() };
    assert_eq!(over(param, &limits(4)), None);
    assert_eq!(over(param, &limits(3)), Some(Over::Arguments(3)));
    let open = "(call $bytes (i32.const 0) (i32.const 4) (i32.const 64))";
    let limits = |handles| Limits { handles, ..Limits::default() };
    assert_eq!(over(&format!("{open} {open} i32.const 512"), &limits(2)), None);
    assert_eq!(over(&format!("{open} {open} i32.const 512"), &limits(1)), Some(Over::Handles(1)));
    // The one field: four bytes of path, four of value.
    let limits = |output| Limits { output, ..Limits::default() };
    assert_eq!(over("i32.const 512", &limits(8)), None);
    assert_eq!(over("i32.const 512", &limits(7)), Some(Over::Output(7)));
    let many = "(i32.store (i32.const 520) (i32.const 1025)) i32.const 512";
    assert!(matches!(over(many, &Limits::default()), Some(Over::Output(_))));
}

#[test]
fn a_result_that_is_none_ends_the_call() {
    for (at, value) in
        [(512, 2), (516, 546), (516, 0x7000_0000), (544, 0x7000_0000), (552, 3), (556, 2), (564, -1)]
    {
        let store = format!("(i32.store (i32.const {at}) (i32.const {value})) i32.const 512");
        assert!(is_broken(run(&store)), "{at} {value}");
    }
    let failure = run("(i32.store8 (i32.const 512) (i32.const 1))
        (i32.store (i32.const 516) (i32.const 8)) (i32.store (i32.const 520) (i32.const 4))
        (i32.store (i32.const 524) (i32.const 0)) (i32.store (i32.const 528) (i32.const 4))
        i32.const 512");
    let failure = failure.unwrap().err().unwrap();
    assert_eq!((failure.code.as_str(), failure.message.as_str()), ("user", "body"));
}
