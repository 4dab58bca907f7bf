//! The SDK against its fake host: every value it gives, every line it may fail with.

mod hashes;
mod secrets;
mod params;
#[cfg(feature = "signatures")]
mod signatures;

use crate::prelude::*;
use crate::{IntoValue, Output};

#[derive(Output)]
struct Outputs {
    #[output(path = "@computed.mac", param = "output_path", class = digest)]
    mac: &'static str,
    #[output(path = "@computed.basic_auth", class = credential)]
    login: Option<String>,
    #[output(path = "@computed.key_version", class = data)]
    version: Option<u32>,
}

#[test]
fn outputs_go_where_the_rule_says_and_nothing_is_no_field() {
    let outputs = || Outputs { mac: "m", login: Some("l".to_owned()), version: Some(7) };
    let whole = [
        Field::digest("@computed.mac", "m"),
        Field::credential("@computed.basic_auth", "l"),
        Field { path: "@computed.key_version".to_owned(), class: Class::Data, value: Value::json("7") },
    ];
    assert_eq!(outputs().fields(&FakeHost::new().call()), whole);
    let elsewhere = FakeHost::new().param("output_path", "a.b");
    assert_eq!(
        Outputs { login: None, version: None, ..outputs() }.fields(&elsewhere.call()),
        [Field::digest("a.b", "m")]
    );
    let empty = FakeHost::new().param("output_path", "");
    assert_eq!(outputs().fields(&empty.call()), whole);
}

#[test]
fn values_are_written_as_json() {
    assert_eq!(true.into_value(), Some(Value::json("true")));
    assert_eq!(u64::MAX.into_value(), Some(Value::json("18446744073709551615")));
    assert_eq!(i64::MIN.into_value(), Some(Value::json("-9223372036854775808")));
    assert_eq!("\"".into_value(), Some(Value::text("\"")));
    assert_eq!(None::<String>.into_value(), None);
}

#[op]
fn failing(call: &Call) -> Result<Vec<Field>, Failure> {
    match call.text("how").as_deref() {
        None => Err(fail!("no {}", "how")),
        Some("own") => Err(Failure::coded("my-own", "its own")),
        Some(_) => Ok(Vec::new()),
    }
}

#[test]
fn a_failure_has_the_ops_name_and_a_code() {
    let first = FakeHost::new().run(failing).unwrap_err();
    assert_eq!((first.code(), first.message()), ("my-signer-err", "my-signer: no how"));
    let own = FakeHost::new().param("how", "own").run(failing).unwrap_err();
    assert_eq!((own.code(), own.message()), ("my-own", "my-signer: its own"));
    assert_eq!(FakeHost::new().param("how", "x").run(failing), Ok(Vec::new()));
    assert_eq!(Failure::new("x").code(), "failed");
}

#[test]
fn the_facts_of_a_call_are_what_the_test_says() {
    let host = FakeHost::new().request_id("req_1").rule("orders", 200, "sign").now_millis(1_700_000_000_999);
    let call = host.call();
    assert_eq!(
        (call.request_id(), call.stack(), call.rule()),
        ("req_1".into(), "orders".into(), "sign".into())
    );
    assert_eq!(
        (call.scope(), call.now_millis(), call.now_seconds()),
        (200, 1_700_000_000_999, 1_700_000_000)
    );
    let random = call.random::<5000>();
    assert_ne!(random, call.random::<5000>());
    assert_eq!(random, FakeHost::new().call().random::<5000>());
    assert_ne!(random, FakeHost::new().seed(1).call().random::<5000>());
    log!(call, "one {}", 1);
    call.log("two");
    assert_eq!(host.log(), ["one 1", "two"]);
}

#[test]
fn the_input_is_read_by_path() {
    let host = FakeHost::new()
        .body(r#"{"b": [1, {"c": "t"}],  "a": null}"#)
        .value("@computed.mac", "m")
        .value("body.b.0", Value::json("2"));
    let call = host.call();
    assert_eq!(call.get("body.b.1.c"), Some(Value::text("t")));
    assert_eq!(call.get(".body.b.0"), Some(Value::json("2")));
    assert_eq!(call.get("_txc.computed"), Some(Value::json(r#"{"mac":"m"}"#)));
    assert_eq!(call.get("body.a"), Some(Value::json("null")));
    assert_eq!([call.get("body.b.2"), call.get("body.b.x"), call.get("body.b.1.c.d")], [None, None, None]);
    // The body's own bytes; of anything else what its JSON is.
    let text = |path| call.bytes(path).map(|blob| blob.to_text().unwrap());
    assert_eq!(text("body").unwrap(), r#"{"b": [1, {"c": "t"}],  "a": null}"#);
    assert_eq!(text("@computed.mac").unwrap(), "m");
    assert_eq!(text("body.b").unwrap(), r#"[2,{"c":"t"}]"#);
    assert_eq!(text("nothing"), None);
}

#[test]
fn a_blob_is_read_piece_by_piece() {
    let bytes: Vec<u8> = (0..40_000_u32).map(|n| n as u8).collect();
    let call = FakeHost::new().body(&bytes).call();
    let blob = call.bytes("body").unwrap();
    let mut lengths = Vec::new();
    blob.for_each_piece(|piece| lengths.push(piece.len()));
    assert_eq!(lengths, [16_384, 16_384, 7_232]);
    assert_eq!((blob.len(), blob.to_vec() == bytes), (40_000, true));
    assert_eq!((blob.read(39_999, 9), blob.read(40_000, 9), blob.to_text()), (vec![63], vec![], None));
}
