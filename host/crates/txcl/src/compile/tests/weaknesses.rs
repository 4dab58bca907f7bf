//! The weaknesses of the Go chassis that the language closes, by their numbers; E1 is in
//! `rule/tests.rs`, E3 to E5 are the chassis's.

use super::{AnyOps, Exec, Mode, accepted, check, clock, compile, file, refused, refused_for, tolerated};
use model::{Envelope, Value};

fn holds(when: &str, json: &str) -> bool {
    let envelope = Envelope::new(Value::parse(json.as_bytes()).unwrap()).unwrap();
    let text = format!("WHEN {when}");
    let rules = compile(&file(&text), Mode::Strict, &AnyOps).unwrap_or_else(|d| panic!("{d}"));
    rules[0].matches(&envelope, &clock()).unwrap()
}

#[test]
fn e2_a_regex_operator_takes_no_other_type_in_any_mode() {
    for operand in ["5", "1.5", "true", "null", ".b", "[1]", "&uuid()"] {
        for operator in ["=~", "!~"] {
            let text = format!("WHEN .a {operator} {operand}");
            refused_for(&text, "expected a /regex/ or a text");
            assert!(check(&file(&text), Mode::Lenient, &AnyOps).1.has_errors(), "{text}");
        }
    }
}

#[test]
fn e6_coercions_are_those_of_the_manual_and_a_regex_that_cannot_be_compiled_is_told() {
    // Rules rely on these: kept, and documented (decision 0002).
    assert!(holds(".a == 6", r#"{"a":6.13}"#) && holds(".a < 3", "{}") && holds(".a == 0", r#"{"a":"x"}"#));
    // These nobody can rely on.
    refused_for("WHEN .a =~ /(/", "this regex does not compile");
    refused_for("WHEN .a !~ /(/", "this regex does not compile");
}

#[test]
fn e6_a_regex_takes_linear_time() {
    let text = format!("{{\"a\":\"{}\"}}", "a".repeat(200_000));
    let began = std::time::Instant::now();
    assert!(!holds("(.a =~ /^(a+)+$/ && .a =~ /^(a|a)*b$/) || .a =~ /(x+x+)+y/", &text));
    assert!(began.elapsed() < std::time::Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn e7_every_mistake_has_its_place_and_keywords_their_case() {
    let findings = refused("WHEN .a == 1\n  SET .b = 01, .c = \"ok\" x\n");
    let places: Vec<_> = findings.iter().map(|d| (d.line, d.column)).collect();
    assert_eq!(places, [(2, 12), (2, 26)]);
    accepted("when .a == 1 SET .b = 1");
    refused_for("When .a == 1", "unexpected `When`");
}

#[test]
fn e8_goto_is_no_silent_nothing() {
    let rules = tolerated("EXEC \"goto://shop/10\"", "goto:// does nothing");
    assert_eq!(rules[0].exec(), Some(&Exec::Noop));
}
