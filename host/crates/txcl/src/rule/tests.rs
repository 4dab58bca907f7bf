//! What a rule does to a request: order, what is visible when, and how it fails.

use std::sync::Arc;

use model::{CredentialId, Envelope, Fault, Path, Sealed, Value};

use super::{Prepared, Rule};
use crate::clock::Clock;
use crate::compile::compile;
use crate::diagnostic::{Mode, RuleFile};
use crate::ops::AnyOps;

fn rule(text: &str) -> Rule {
    let file = RuleFile { path: "t.txcl", name: "t", text };
    compile(&file, Mode::Strict, &AnyOps).unwrap_or_else(|d| panic!("{d}")).pop().unwrap()
}

fn envelope(json: &str) -> Envelope {
    Envelope::new(Value::parse(json.as_bytes()).unwrap()).unwrap()
}

fn path(text: &str) -> Path {
    Path::parse_sugared(text).unwrap()
}

fn clock() -> Clock {
    Clock { now: jiff::Timestamp::UNIX_EPOCH }
}

fn prepared(text: &str, json: &str) -> Prepared {
    rule(text).prepare(&envelope(json), &clock()).unwrap()
}

fn input(text: &str, json: &str) -> String {
    prepared(text, json).input.document().to_json()
}

/// PREPARE and EMIT: what the rule gives for an op that returned `output`.
fn overlaid(text: &str, json: &str, output: &str) -> String {
    let rule = rule(text);
    let prepared = rule.prepare(&envelope(json), &clock()).unwrap();
    rule.overlay(Value::parse(output.as_bytes()).unwrap(), &prepared, &clock()).unwrap().to_json()
}

fn failure(text: &str, json: &str) -> (Fault, String) {
    let failure = rule(text).prepare(&envelope(json), &clock()).unwrap_err();
    (failure.fault, failure.detail)
}

fn with_credential(at: &str) -> Envelope {
    let mut envelope = Envelope::default();
    envelope.set(&path(at), Value::Sealed(Sealed::credential(CredentialId::new(0)))).unwrap();
    envelope
}

#[test]
fn set_writes_what_is_absent_in_order() {
    assert_eq!(input("SET .a = 1, .b = .a, .c = .missing", "{}"), r#"{"a":1,"b":1,"c":null}"#);
    assert_eq!(input("SET .a = 1 SET .a = 2", r#"{"a":null}"#), r#"{"a":null}"#);
    assert_eq!(input("SET .a.-1 = 1, .a.-1 = 2, .b.x.0 = true", "{}"), r#"{"a":[1,2],"b":{"x":[true]}}"#);
    // A second SET clause adds to the first, wherever it stands.
    assert_eq!(input("SET .a = 1 EXEC \"txco://x\" SET .b = 2", "{}"), r#"{"a":1,"b":2}"#);
}

#[test]
fn a_rule_owns_what_it_wrote_itself() {
    let own = |text: &str, json: &str| {
        prepared(text, json).own.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(own("SET .a = 1, .b.c = 2", r#"{"a":0}"#), "b.c");
    assert_eq!(own("SET .l.-1 = 1, .l.-1 = 2, .m.-1.x = 3", r#"{"l":[0]}"#), "l.1 l.2 m.0.x");
    assert_eq!(own("SELECT .a, .b AS .c.d", "{}"), "a c.d");
    assert_eq!(own("EXEC \"https://h/\" SET @web.req.headers.x = 1", "{}"), "");
}

#[test]
fn with_sees_the_input_after_set_and_keeps_secrets_out() {
    let text = "EXEC \"txco://x\" WITH a = .n, b.c = &concat(.n, \"!\"), n = .missing, secrets.key.secret = \"K\" SET .n = 5";
    assert_eq!(prepared(text, "{}").params.to_json(), r#"{"a":5,"b":{"c":"5!"},"n":null}"#);
}

#[test]
fn header_sets_overwrite_and_leave_the_input_alone() {
    let text = "EXEC \"https://h/\" SET @web.req.headers.X-Sig = .sig, @web.req.headers.\"a.b\".0 = 7";
    let inbound =
        r#"{"sig":"mine","_txc":{"web":{"req":{"headers":{"X-Sig":["theirs"],"x-sig":["theirs"]}}}}}"#;
    let prepared = prepared(text, inbound);
    assert_eq!(
        prepared.headers,
        [("x-sig".to_owned(), Value::from("mine")), ("a.b".to_owned(), Value::from("7"))]
    );
    assert_eq!(prepared.input, envelope(inbound));
    // In a rule without http it is a SET like any other: the client's value stays.
    assert!(input("EXEC \"txco://x\" SET @web.req.headers.X-Sig = .sig", inbound).contains("theirs"));
}

#[test]
fn a_header_value_is_one_line_of_text() {
    let text = "EXEC \"https://h/\" SET @web.req.headers.x = .v";
    for (json, why) in [
        ("{}", "no value to send"),
        (r#"{"v":["a"]}"#, "not an array"),
        (r#"{"v":{}}"#, "not an object"),
        (r#"{"v":"a\r\nb: c"}"#, "control character"),
    ] {
        let (fault, detail) = failure(text, json);
        assert_eq!(fault, Fault::RuleFailed);
        assert!(detail.starts_with("SET @web.req.headers.x (line 1): ") && detail.contains(why), "{detail}");
    }
}

/// E7 and H2 of the weaknesses.
#[test]
fn failures_name_clause_path_and_line_but_no_value() {
    let (fault, detail) = failure("SET .a = 1\nSET .b.c = &json(.t)", r#"{"t":"hunter2"}"#);
    assert_eq!(
        (fault, detail.as_str()),
        (Fault::RuleFailed, "SET .b.c (line 2): &json: not JSON: line 1, column 1")
    );
    let (_, detail) = failure("WITH\n url.x = &b64decode(.t)", r#"{"t":"hunter2!"}"#);
    assert!(detail.starts_with("WITH url.x (line 2): &b64decode: not base64"), "{detail}");
    let (_, detail) = failure("SELECT .x AS .y DEFAULT &json(.t)", r#"{"t":"hunter2"}"#);
    assert!(detail.starts_with("SELECT .y (line 1): &json"), "{detail}");
    let (_, detail) = failure("SET .a.x = 1", r#"{"a":[1]}"#);
    assert_eq!(detail, "SET .a.x (line 1): a: an array has no member \"x\"");
}

#[test]
fn a_credential_moves_and_is_joined_and_nothing_else() {
    let envelope = with_credential("@computed.basic");
    let text = "EXEC \"https://h/\" SET .body.auth = @computed.basic, .l = &concat(\"Basic \", @computed.basic),
                @web.req.headers.authorization = &concat(\"Basic \", @computed.basic) WITH into = @computed.basic";
    let prepared = rule(text).prepare(&envelope, &clock()).unwrap();
    assert!(matches!(prepared.input.get(&path(".body.auth")), Some(Value::Sealed(_))));
    assert!(matches!(prepared.input.get(&path(".l")), Some(Value::Sealed(_))));
    assert!(matches!(prepared.headers.as_slice(), [(name, Value::Sealed(_))] if name == "authorization"));
    assert!(matches!(prepared.params.get(&path("into")), Some(Value::Sealed(_))));
    assert!(
        !format!("{}{}", prepared.input.document().to_json(), prepared.params.to_json()).contains("Basic")
    );
    for call in [
        "&b64encode(@computed.basic)",
        "&b64decode(@computed.basic)",
        "&json(@computed.basic)",
        "&now(@computed.basic)",
    ] {
        let failure = rule(&format!("SET .x = {call}")).prepare(&envelope, &clock()).unwrap_err();
        assert_eq!(failure.fault, Fault::CredentialNotInspectable, "{call}");
    }
    let whole = rule("SET .x = &concat(\"a\", @computed)").prepare(&envelope, &clock()).unwrap_err();
    assert_eq!(whole.fault, Fault::CredentialNotInspectable);
}

#[test]
fn select_narrows_the_input_and_persists() {
    let json = r#"{"a":1,"b":"","n":null,"z":9,"_ts":"t","_txc":{"x":5}}"#;
    let text = "SELECT .a AS .p.q, .b AS .r DEFAULT \"d\", .n AS .s, @x, .p.q AS .again EMIT .sum = &concat(.z, .p.q)";
    let prepared = prepared(text, json);
    assert_eq!(
        prepared.input.document().to_json(),
        r#"{"_ts":"t","p":{"q":1},"r":"d","s":"","_txc":{"x":5},"again":1}"#
    );
    // EMIT reads the whole input; what may not be written to the control plane is not.
    assert_eq!(overlaid(text, json, "null"), r#"{"p":{"q":1},"r":"d","s":"","again":1,"sum":"91"}"#);
    assert_eq!(overlaid("SELECT .a AS .p EMIT .p = 2", json, r#"{"p":0,"k":1}"#), r#"{"p":2,"k":1}"#);
    assert_eq!(input("SELECT *", json), json);
}

#[test]
fn a_body_selected_as_it_is_keeps_its_bytes() {
    let received: &[u8] = b"{ \"k\" : 1.50 }";
    let mut envelope = envelope(r#"{"other":1}"#);
    envelope.receive_body(Value::parse(received).unwrap(), Arc::from(received));
    let bytes = |text: &str| {
        let prepared = rule(text).prepare(&envelope, &clock()).unwrap();
        prepared.input.bytes(&path(".body")).unwrap().into_owned()
    };
    assert_eq!(bytes("SELECT .body"), received);
    assert_eq!(bytes("SELECT .other, .body SET .late = 1"), received);
    assert_eq!(bytes("SET .x = 1"), received);
    assert_eq!(bytes("SELECT .other AS .body"), b"1");
}

#[test]
fn emit_overwrites_and_reads_the_output_first() {
    assert_eq!(
        overlaid("EMIT .a = .b, .c = .d, .c = .a", r#"{"b":1,"d":2}"#, r#"{"b":3,"a":0}"#),
        r#"{"b":3,"a":3,"c":3}"#
    );
    assert_eq!(overlaid("EMIT .a = 1", "{}", "\"\""), r#"{"a":1}"#);
    assert_eq!(overlaid("WHEN *", "{}", "[1]"), "[1]");
    let emit = rule("EMIT .a = 1");
    let prepared = emit.prepare(&Envelope::default(), &clock()).unwrap();
    let failed = emit.overlay(Value::Array(Vec::new()), &prepared, &clock()).unwrap_err();
    assert_eq!(failed.fault, Fault::OutputInvalid);
    let index = rule("EMIT .l.x = 1");
    let output = Value::parse(br#"{"l":[1]}"#).unwrap();
    assert_eq!(index.overlay(output, &prepared, &clock()).unwrap_err().fault, Fault::RuleFailed);
}

#[test]
fn set_after_select_writes_what_is_absent_after_the_merge() {
    let rule = rule("SELECT .a SET .a = 2, .b = .a, @web.res.status = 201");
    let mut merged = envelope(r#"{"a":1}"#);
    rule.after(&mut merged, &clock()).unwrap();
    assert_eq!(merged.document().to_json(), r#"{"a":1,"b":1,"_txc":{"web":{"res":{"status":201}}}}"#);
    let before = rule.prepare(&envelope("{}"), &clock()).unwrap();
    assert_eq!(before.input.document().to_json(), r#"{"a":""}"#);
}

/// Weakness E1: there, SELECT put the values of the first request into the rule.
#[test]
fn nothing_of_one_request_stays_in_the_rule() {
    let rule = rule("SELECT .user AS .who EMIT .again = .who");
    let run = |json: &str| {
        let prepared = rule.prepare(&envelope(json), &clock()).unwrap();
        rule.overlay(Value::Null, &prepared, &clock()).unwrap().to_json()
    };
    let first = run(r#"{"user":"alice"}"#);
    assert_eq!(run(r#"{"user":"bob"}"#), r#"{"who":"bob","again":"bob"}"#);
    assert_eq!(run(r#"{"user":"alice"}"#), first);
    assert_eq!(run("{}"), r#"{"who":"","again":""}"#);
}

#[test]
fn a_rule_cannot_fill_the_memory() {
    let doubling = "EMIT .a.-1 = .a ".repeat(60);
    let bomb = rule(&format!("SET .a.0 = \"{}\" {doubling}", "x".repeat(1_000)));
    let prepared = bomb.prepare(&Envelope::default(), &clock()).unwrap();
    let failed = bomb.overlay(Value::Null, &prepared, &clock()).unwrap_err();
    assert!(failed.detail.contains("the rule writes more than 64 MiB"), "{failed}");
    let deep = rule(&"EMIT .a.b = .a ".repeat(200));
    let failed = deep.overlay(Value::Null, &prepared, &clock()).unwrap_err();
    assert!(failed.detail.contains("nested deeper than 96 levels"), "{failed}");
}

#[test]
fn gaps_and_what_calls_make_count_too() {
    // Each write makes 60 arrays of 1025 items, nearly all of them null.
    let gaps: String = (0..60).map(|n| format!("EMIT .g{n}{} = 1 ", ".1024".repeat(60))).collect();
    let gaps = rule(&gaps);
    let prepared = gaps.prepare(&Envelope::default(), &clock()).unwrap();
    let failed = gaps.overlay(Value::Null, &prepared, &clock()).unwrap_err();
    assert!(failed.detail.contains("the rule writes more than 64 MiB"), "{failed}");
    // None of these arguments is ever written.
    let copies = ["&concat(.big)"; 100].join(", ");
    let big = format!("{{\"big\":\"{}\"}}", "x".repeat(2 << 20));
    let (fault, detail) = failure(&format!("SET .n = &len(&array({copies}))"), &big);
    assert_eq!(fault, Fault::RuleFailed);
    assert!(detail.contains("the rule writes more than 64 MiB"), "{detail}");
    // And what a call made is not counted again when it is written.
    let once = format!("{{\"big\":\"{}\"}}", "x".repeat(30 << 20));
    assert!(input("SET .copy = &concat(.big, .big2), .big = 1", &once).len() > 60 << 20);
}

#[test]
fn rules_are_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Rule>();
}
