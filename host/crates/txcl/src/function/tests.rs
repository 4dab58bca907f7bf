//! Each function by example, and what each does with a credential.

use std::borrow::Cow;

use model::{CredentialId, Sealed, SealedPart, Value};

use super::{Credentials, FUNCTIONS, Function};
use crate::clock::{Clock, Reason};

fn clock() -> Clock {
    Clock { now: "2026-11-23T17:48:05.123456789Z".parse().unwrap() }
}

fn call(name: &str, arguments: &[Value]) -> Result<Value, Reason> {
    let arguments: Vec<_> = arguments.iter().map(Cow::Borrowed).collect();
    Function::named(name).unwrap().call(&arguments, &clock())
}

fn failure(name: &str, argument: Value) -> String {
    call(name, &[argument]).unwrap_err().text().to_owned()
}

fn credential(index: u32) -> Value {
    Value::Sealed(Sealed::credential(CredentialId::new(index)))
}

#[test]
fn concat_joins_texts() {
    let parse = |json: &str| Value::parse(json.as_bytes()).unwrap();
    assert_eq!(call("concat", &[]), Ok(Value::from("")));
    assert_eq!(call("concat", &[parse("\"v\""), parse("42")]), Ok(Value::from("v42")));
    assert_eq!(call("concat", &[parse("\"a\""), Value::Null, parse("\"b\"")]), Ok(Value::from("ab")));
    assert_eq!(
        call("concat", &[parse("1e21"), parse("true"), parse("1.50")]),
        Ok(Value::from("1000000000000000000000true1.5"))
    );
    assert_eq!(call("concat", &[parse("[1, {\"a\": 2}]")]), Ok(Value::from("[1,{\"a\":2}]")));
    let large = Value::from("x".repeat(20 << 20));
    assert!(call("concat", &[large.clone(), large]).unwrap_err().text().contains("longer than 32 MiB"));
}

#[test]
fn concat_seals_what_holds_a_credential() {
    let Ok(Value::Sealed(sealed)) =
        call("concat", &[Value::from("Basic "), credential(0), Value::from(";"), credential(1)])
    else {
        panic!("not sealed");
    };
    let (zero, one) = (CredentialId::new(0), CredentialId::new(1));
    assert_eq!(
        sealed.parts(),
        [
            SealedPart::Text("Basic ".to_owned()),
            SealedPart::Credential(zero),
            SealedPart::Text(";".to_owned()),
            SealedPart::Credential(one)
        ]
    );
    // Inside of an array it would have to be printed.
    let inside = Value::Array(vec![credential(0)]);
    assert!(matches!(call("concat", &[Value::from("x"), inside]), Err(Reason::Credential(_))));
}

#[test]
fn every_other_function_refuses_a_credential() {
    let mut refused = 0;
    for function in FUNCTIONS.iter().filter(|f| f.credentials == Credentials::Refused && f.arity.allows(1)) {
        for value in [credential(0), Value::Array(vec![credential(0)])] {
            assert!(matches!(call(function.name, &[value]), Err(Reason::Credential(_))), "{}", function.name);
            refused += 1;
        }
    }
    assert!(refused >= 8);
    assert_eq!(FUNCTIONS.iter().filter(|f| f.credentials == Credentials::Passed).count(), 1);
}

#[test]
fn uuid_is_version_7_of_the_request() {
    let Ok(Value::String(one)) = call("uuid", &[]) else { panic!() };
    let Ok(Value::String(two)) = call("uuid", &[]) else { panic!() };
    assert_ne!(one, two);
    let one: uuid::Uuid = one.parse().unwrap();
    assert_eq!(one.get_version_num(), 7);
    let (seconds, nanos) = one.get_timestamp().unwrap().to_unix();
    assert_eq!((seconds.cast_signed(), nanos / 1_000_000), (clock().now.as_second(), 123));
}

#[test]
fn now_in_every_format() {
    assert_eq!(call("now", &[]), Ok(Value::from(1_795_456_085_i64)));
    for (format, value) in [
        ("", Value::from(1_795_456_085_i64)),
        ("unix", Value::from(1_795_456_085_i64)),
        ("millis", Value::from(1_795_456_085_123_i64)),
        ("nanos", Value::from(1_795_456_085_123_456_789_i64)),
        ("rfc3339", Value::from("2026-11-23T17:48:05Z")),
        ("iso8601", Value::from("2026-11-23T17:48:05Z")),
    ] {
        assert_eq!(call("now", &[Value::from(format)]), Ok(value), "{format}");
    }
    assert!(failure("now", Value::from("RFC3339")).starts_with("&now: unknown format"));
    assert_eq!(failure("now", Value::from(5_i64)), "&now: expected a text, got a number");
}

#[test]
fn json_parses() {
    assert_eq!(call("json", &[Value::from("{\"a\":[1,null]}")]).unwrap().to_json(), "{\"a\":[1,null]}");
    for bad in ["", "{", "nope", "1 2"] {
        assert!(failure("json", Value::from(bad)).starts_with("&json: not JSON"), "{bad}");
    }
    assert!(failure("json", Value::from("[".repeat(200))).starts_with("&json:"));
}

#[test]
fn base64_both_ways() {
    assert_eq!(call("b64encode", &[Value::from("hello")]), Ok(Value::from("aGVsbG8=")));
    assert_eq!(call("b64decode", &[Value::from("aGVsbG8=")]), Ok(Value::from("hello")));
    for bad in ["aGVsbG8", "a-_=", "!"] {
        assert!(failure("b64decode", Value::from(bad)).contains("not base64"), "{bad}");
    }
    assert!(failure("b64decode", Value::from("/w==")).contains("not UTF-8"));
}

#[test]
fn a_failure_never_quotes_a_value() {
    for name in ["now", "json", "b64decode"] {
        let text = failure(name, Value::from("s3cr3t-looking value"));
        assert!(!text.contains("s3cr3t"), "{text}");
    }
}

#[test]
fn names_are_unique() {
    let mut names: Vec<&str> = FUNCTIONS.iter().map(|f| f.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!((names.len(), count), (32, 32));
}

#[test]
fn every_try_has_a_function_that_fails() {
    for function in FUNCTIONS.iter().filter(|f| f.name.starts_with("try_")) {
        let plain = Function::named(function.name.trim_start_matches("try_")).unwrap();
        assert_eq!(format!("{:?}", plain.arity), format!("{:?}", function.arity), "{}", function.name);
        // A credential is no failure to be passed over (R1).
        let arguments: Vec<Value> = (0..3).map(|_| credential(0)).take(arity(function)).collect();
        assert!(matches!(call(function.name, &arguments), Err(Reason::Credential(_))), "{}", function.name);
    }
}

fn arity(function: &Function) -> usize {
    (0..4).find(|n| function.arity.allows(*n)).unwrap()
}

#[test]
fn what_a_function_makes_is_bounded() {
    let large = Value::from("x".repeat(20 << 20));
    for name in ["array", "concat"] {
        let failed = call(name, &[large.clone(), large.clone()]).unwrap_err();
        assert!(failed.text().contains("32 MiB"), "{name}: {}", failed.text());
    }
    let failed = call("split", &[Value::from("x".repeat(2 << 20)), Value::from("")]).unwrap_err();
    assert!(failed.text().contains("the pieces take more than 32 MiB"), "{}", failed.text());
    let mut deep = Value::from(1_i64);
    for _ in 0..96 {
        deep = call("array", &[deep]).unwrap();
    }
    assert!(call("array", &[deep.clone()]).unwrap_err().text().contains("deeper than 96"));
    let failed = call("set", &[Value::object(), Value::from("a"), deep]).unwrap_err();
    assert!(failed.text().contains("deeper than 96"), "{}", failed.text());
}
