//! WHEN by the evaluation table of the specification (§8.4), and with credentials.

use model::{CredentialId, Envelope, Fault, Path, Sealed, Value};

use crate::clock::Clock;
use crate::compile::compile;
use crate::diagnostic::{Mode, RuleFile};
use crate::ops::AnyOps;
use crate::rule::Rule;

fn clock() -> Clock {
    Clock { now: jiff::Timestamp::from_second(1_000).unwrap() }
}

fn rule(text: &str, mode: Mode) -> Rule {
    let file = RuleFile { path: "t.txcl", name: "t", text };
    compile(&file, mode, &AnyOps).unwrap_or_else(|d| panic!("{d}")).pop().unwrap()
}

fn holds(when: &str, json: &str) -> bool {
    let envelope = Envelope::new(Value::parse(json.as_bytes()).unwrap()).unwrap();
    rule(&format!("WHEN {when}"), Mode::Strict).matches(&envelope, &clock()).unwrap()
}

fn check(cases: &[(&str, &str, bool)]) {
    for (when, json, expected) in cases {
        assert_eq!(holds(when, json), *expected, "WHEN {when} on {json}");
    }
}

#[test]
fn the_table_of_the_specification() {
    let all = r#"{"num":6.13,"str":"baz","truthy":true,"a":{"number":42}}"#;
    check(&[
        (r#".num == 6.13, .str =~ /baz/, .str == "baz", .truthy == true, .a.number == 42"#, all, true),
        (".a == 1 || .b == 99 && .c == 99", r#"{"a":1}"#, true),
        (".a == 6", r#"{"a":6.13}"#, true),
        (".a == 6", r#"{"a":"6"}"#, true),
        (".a == 6", r#"{"a":"6.13"}"#, false),
        (".a == false", "{}", true),
        (".a == false", r#"{"a":"abc"}"#, true),
        (".a == true", r#"{"a":"TRUE"}"#, true),
        (".a == true", r#"{"a":"1"}"#, true),
        (".a == true", r#"{"a":1}"#, true),
        (".a == true", r#"{"a":"yes"}"#, false),
        (".a == null", "{}", true),
        (".a == null", r#"{"a":""}"#, true),
        (".a == null", r#"{"a":null}"#, true),
        (".a == null", r#"{"a":0}"#, false),
        (".a != null", r#"{"a":[]}"#, true),
        (".a < 5", "{}", true),
        (".a < 5", r#"{"a":"10"}"#, false),
        (".a > 5", r#"{"a":5.9}"#, false),
        (".a > 5.0", r#"{"a":5.9}"#, true),
        (".a !~ /x/", "{}", true),
        (".a =~ /^$/", "{}", true),
        (".a == 9007199254740992", r#"{"a":9007199254740993}"#, false),
        (".a == 9007199254740993", r#"{"a":9007199254740993}"#, true),
    ]);
}

#[test]
fn precedence_and_grouping() {
    check(&[
        (".a == 1, .b == 2 || .c == 3", r#"{"c":3}"#, true),
        ("(.a == 1 || .b == 2) && .c == 3", r#"{"a":1}"#, false),
        ("((.a == 1))", r#"{"a":1}"#, true),
        ("!!(.a == 1)", r#"{"a":1}"#, true),
        ("!.a == 1 && .b == 2", r#"{"a":0,"b":2}"#, true),
        ("!.a == 1 && .b == 2", r#"{"a":1,"b":2}"#, false),
        ("*", "{}", true),
    ]);
}

/// E6 of the weaknesses, kept on purpose: decision 0002.
#[test]
fn coercions() {
    check(&[
        (r#".a == "1""#, r#"{"a":1.0}"#, true),
        (r#".a == "1000""#, r#"{"a":1e3}"#, true),
        (r#".a == "true""#, r#"{"a":true}"#, true),
        (r#".a == "[1,2]""#, r#"{"a":[1, 2]}"#, true),
        (r#".a < "b""#, r#"{"a":"a"}"#, true),
        (".a == 1", r#"{"a":true}"#, true),
        (".a == 0", r#"{"a":{"b":1}}"#, true),
        (".a == -7", r#"{"a":"-7"}"#, true),
        (".a == 0", r#"{"a":"+7"}"#, true),
        (".a == 9223372036854775807", r#"{"a":18446744073709551615}"#, true),
        (".a == 1.5", r#"{"a":"1.5"}"#, true),
        (".a != 1.5", r#"{"a":"nan"}"#, true),
        (".a <= 1.5", r#"{"a":"nan"}"#, false),
        (".a == true", r#"{"a":0.5}"#, true),
        (r#".a =~ "b.""#, r#"{"a":"abc"}"#, true),
        (".a.0 == 1", r#"{"a":[1]}"#, true),
    ]);
}

#[test]
fn a_call_is_compared_with_its_result() {
    check(&[
        (r#".a == &concat("x", 1)"#, r#"{"a":"x1"}"#, true),
        (".a < &now()", r#"{"a":999}"#, true),
        (".a < &now()", r#"{"a":1000}"#, false),
        (r#".a == &json("true")"#, r#"{"a":"t"}"#, true),
    ]);
}

#[test]
fn what_never_holds_is_refused_and_let_pass_only_in_lenient() {
    let envelope = Envelope::new(Value::parse(br#"{"a":true}"#).unwrap()).unwrap();
    for when in [
        ".a > false",
        ".a >= true",
        r#".a == &json("{")"#,
        r#".a != &json("{")"#,
        r#".a == &json("[1]")"#,
        r#".a != &json("null")"#,
    ] {
        let text = format!("WHEN {when}");
        assert!(
            compile(&RuleFile { path: "t", name: "t", text: &text }, Mode::Strict, &AnyOps).is_err(),
            "{text}"
        );
        assert!(!rule(&text, Mode::Lenient).matches(&envelope, &clock()).unwrap(), "{text}");
    }
}

#[test]
fn a_credential_answers_only_whether_it_is_there() {
    let mut envelope = Envelope::default();
    let sealed = Value::Sealed(Sealed::credential(CredentialId::new(0)));
    envelope.set(&Path::parse("c").unwrap(), sealed.clone()).unwrap();
    envelope.set(&Path::parse("list").unwrap(), Value::Array(vec![sealed])).unwrap();
    let matches = |when: &str| rule(&format!("WHEN {when}"), Mode::Strict).matches(&envelope, &clock());
    assert_eq!(matches(".c != null"), Ok(true));
    assert_eq!(matches(".c == null"), Ok(false));
    assert_eq!(matches(".c > null"), Ok(true));
    assert_eq!(matches(".x == 1 && .c == \"x\""), Ok(false));
    for when in [
        ".c == \"[credential]\"",
        ".c == 0",
        ".c == 0.5",
        ".c == true",
        ".c =~ /./",
        ".c !~ /./",
        ".c == &uuid()",
        ".list =~ /x/",
        "!(.c == 1)",
        ".x == 1 || .c < \"x\"",
    ] {
        let failure = matches(when).unwrap_err();
        assert_eq!(failure.fault, Fault::CredentialNotInspectable, "{when}");
        assert!(failure.detail.contains("(line 1)"), "{failure}");
    }
}
