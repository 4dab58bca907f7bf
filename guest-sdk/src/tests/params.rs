//! Parameters with types: what is accepted, and what is said about the rest.

use crate::FromParam;
use crate::prelude::*;

#[derive(Params, Debug, PartialEq)]
struct Typed {
    user: String,
    issuer: Option<String>,
    #[param(default = 44)]
    max_age: u8,
    #[param(default = Hashes::Sha256)]
    algorithm: Hashes,
    #[param(name = "type", default)]
    kind: bool,
    #[param(default = "body")]
    input_path: String,
}

#[derive(FromParam, Debug, PartialEq)]
enum Hashes {
    Sha256,
    #[param(name = "512")]
    Sha512,
    TwoWords,
}

fn read(host: FakeHost) -> Result<Typed, String> {
    host.call().params::<Typed>().map_err(|failure| failure.message().to_owned())
}

fn user() -> FakeHost {
    FakeHost::new().param("user", "u")
}

#[test]
fn absent_ones_are_their_defaults() {
    let defaults = Typed {
        user: "u".to_owned(),
        issuer: None,
        max_age: 44,
        algorithm: Hashes::Sha256,
        kind: false,
        input_path: "body".to_owned(),
    };
    let host = user().param("issuer", "").param("type", Value::json("null"));
    assert_eq!(read(host), Ok(defaults));
    assert_eq!(read(FakeHost::new()), Err("missing user in WITH".to_owned()));
}

#[test]
fn values_are_taken_as_json_and_as_text() {
    for (json, text) in [(Value::json("7"), Value::text("true")), (Value::text("7"), Value::json("true"))] {
        let host = user().param("max_age", json).param("type", text).param("algorithm", "two-words");
        let typed = read(host).unwrap();
        assert_eq!((typed.max_age, typed.kind, typed.algorithm), (7, true, Hashes::TwoWords));
    }
    let number = read(FakeHost::new().param("user", Value::json("17"))).unwrap();
    assert_eq!(number.user, "17");
}

#[test]
fn a_wrong_value_names_the_parameter_and_what_it_takes() {
    let long = "a-very-long-value-that-may-be-anything";
    for (name, value, said) in [
        ("algorithm", Value::text("md5"), "unsupported algorithm \"md5\" (sha256|512|two-words)"),
        ("algorithm", Value::text(long), "unsupported algorithm (sha256|512|two-words)"),
        ("algorithm", Value::text("a\nb"), "unsupported algorithm (sha256|512|two-words)"),
        ("max_age", Value::json("256"), "unsupported max_age \"256\" (an integer from 0 to 255)"),
        ("max_age", Value::json("-1"), "unsupported max_age \"-1\" (an integer from 0 to 255)"),
        ("type", Value::json("1"), "unsupported type \"1\" (true|false)"),
        ("input_path", Value::json("{\"a\":1}"), "unsupported input_path (text)"),
    ] {
        assert_eq!(read(user().param(name, value)), Err(said.to_owned()));
    }
    assert_eq!(Encoding::ACCEPTED.split('|').count(), 7);
    for word in Encoding::ACCEPTED.split('|') {
        assert!(Encoding::from_param(Value::text(word)).is_some(), "{word}");
    }
}
