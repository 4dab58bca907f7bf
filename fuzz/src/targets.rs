//! One function per fuzz target: it panics when something that must hold does not.
//!
//! The same file is compiled into `txcl`'s tests, which replay the corpora.

use model::{CredentialId, Envelope, FormatTemplate, Path, Sealed, SecretName, Value};
use txcl::{AnyOps, Clock, Color, Mode, Rule, RuleFile};

fn file(text: &str) -> RuleFile<'_> {
    RuleFile { path: "fuzz.txcl", name: "fuzz", text }
}

/// A text without a document, or both with a NUL in between.
fn parts(data: &[u8]) -> Option<(&str, &str)> {
    let text = std::str::from_utf8(data).ok()?;
    Some(text.split_once('\0').unwrap_or((text, "")))
}

/// Every mistake has a place in the text, and can be drawn.
pub fn lexer(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for mode in [Mode::Strict, Mode::Lenient] {
        let (_, findings) = txcl::check(&file(text), mode, &AnyOps);
        for finding in findings.iter() {
            assert!(text.get(finding.span.clone()).is_some(), "a span beside the text: {finding:?}");
            assert!(finding.line >= 1 && finding.column >= 1, "{finding:?}");
        }
        assert!(findings.is_empty() || findings.render(Color::Plain).contains("fuzz.txcl"));
    }
}

/// What the strict mode takes, the lenient takes without a word; and both say the same twice.
pub fn parser(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (rules, findings) = txcl::check(&file(text), Mode::Strict, &AnyOps);
    let (again, repeated) = txcl::check(&file(text), Mode::Strict, &AnyOps);
    assert_eq!(format!("{rules:?}"), format!("{again:?}"));
    assert_eq!(findings, repeated);
    let (lenient, told) = txcl::check(&file(text), Mode::Lenient, &AnyOps);
    if findings.is_empty() {
        assert!(told.is_empty(), "{told}");
        assert_eq!(format!("{rules:?}"), format!("{lenient:?}"));
    }
}

/// Whatever the envelope, a rule ends; its failures quote nothing; what it leaves is JSON.
pub fn evaluator(data: &[u8]) {
    let Some((text, json)) = parts(data) else { return };
    let (rules, findings) = txcl::check(&file(text), Mode::Lenient, &AnyOps);
    if findings.has_errors() {
        return;
    }
    let document = Value::parse(json.as_bytes()).ok().filter(|v| v.as_object().is_some());
    let mut document = document.unwrap_or_else(Value::object);
    if json.len() % 2 == 1 {
        let place = Path::parse("credential").unwrap_or_default();
        let sealed = Value::Sealed(Sealed::credential(CredentialId::new(0)));
        document.set(&place, sealed).expect("an object takes a member");
    }
    let envelope = Envelope::new(document).expect("an object");
    for rule in &rules {
        run(rule, &envelope);
    }
}

fn run(rule: &Rule, envelope: &Envelope) {
    let clock = Clock { now: jiff::Timestamp::UNIX_EPOCH };
    let _held = rule.matches(envelope, &clock);
    let Ok(prepared) = rule.prepare(envelope, &clock) else { return };
    whole(prepared.input.document());
    whole(&prepared.params);
    for (name, value) in &prepared.headers {
        assert!(!name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic() && !b.is_ascii_uppercase()));
        let text = if let Value::String(text) = value { text.as_str() } else { "" };
        assert!(!text.contains(['\r', '\n', '\0']), "{name}: {text:?}");
    }
    for output in [Value::Null, prepared.input.document().clone(), Value::from("text")] {
        if let Ok(output) = rule.overlay(output, &prepared, &clock) {
            whole(&output);
        }
    }
    let mut merged = envelope.clone();
    if let Ok(written) = rule.after(&mut merged, &clock) {
        whole(merged.document());
        let mut elsewhere = envelope.clone();
        written.again(&mut elsewhere).expect("it could be written before");
        assert_eq!(elsewhere, merged, "what was written is not what was said");
    }
}

/// A document that is passed on can be printed and read again.
fn whole(value: &Value) {
    Value::parse(value.to_json().as_bytes()).expect("what a rule makes is JSON of a legal depth");
}

/// Formatting what parses gives what parses, means the same, and leaves nothing to format.
pub fn format(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(once) = txcl::format(&file(text)) else { return };
    assert_eq!(txcl::format(&file(&once)).as_deref(), Ok(once.as_str()), "not idempotent");
    let (before, wrong) = txcl::check(&file(text), Mode::Strict, &AnyOps);
    let (after, also_wrong) = txcl::check(&file(&once), Mode::Strict, &AnyOps);
    let messages = |all: &txcl::Diagnostics| all.iter().map(|d| d.message.clone()).collect::<Vec<_>>();
    assert_eq!(messages(&wrong), messages(&also_wrong));
    for (before, after) in before.iter().zip(&after) {
        assert_eq!((before.name(), before.exec()), (after.name(), after.exec()));
        assert_eq!((before.priority(), before.secrets()), (after.priority(), after.secrets()));
    }
    let comments = |text: &str| text.matches('#').count();
    assert_eq!((before.len(), comments(text)), (after.len(), comments(&once)));
}

/// Each place takes one secret, whose name is one; what the op gets as parameters names none of them.
pub fn secrets(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (rules, findings) = txcl::check(&file(text), Mode::Lenient, &AnyOps);
    if findings.has_errors() {
        return;
    }
    let clock = Clock { now: jiff::Timestamp::UNIX_EPOCH };
    for rule in &rules {
        for (at, secret) in rule.secrets().iter().enumerate() {
            assert_eq!(SecretName::parse(secret.name.as_str()).as_ref(), Ok(&secret.name));
            let twice = rule.secrets().iter().skip(at + 1).any(|other| other.slot == secret.slot);
            assert!(!twice, "two secrets for {}", secret.slot);
            if let Some(format) = &secret.format {
                assert_eq!(FormatTemplate::parse(&format.to_string()).as_ref(), Ok(format));
            }
        }
        if let Ok(prepared) = rule.prepare(&Envelope::default(), &clock) {
            let params = prepared.params.as_object().expect("parameters are an object");
            assert!(!params.contains_key("secrets"), "{params:?}");
        }
    }
}

/// A format prints as it was written, and has one place for the secret.
pub fn templates(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(template) = FormatTemplate::parse(text) else { return };
    assert_eq!(format!("{}{{}}{}", template.before(), template.after()), text);
    assert_eq!(FormatTemplate::parse(&template.to_string()).as_ref(), Ok(&template));
}

/// What was written at a path is there, a write that fails changes nothing, and removing
/// undoes.
pub fn paths(data: &[u8]) {
    let Some((text, json)) = parts(data) else { return };
    let Ok(path) = Path::parse_sugared(text) else { return };
    assert_eq!(Path::parse(&path.to_string()).as_ref(), Ok(&path), "a path prints otherwise than it parses");
    let before = Value::parse(json.as_bytes()).unwrap_or_else(|_| Value::object());
    let mut after = before.clone();
    match after.set(&path, Value::from("new")) {
        Err(_) => assert_eq!(after, before, "a write that fails changes nothing"),
        Ok(()) => {
            let appends = path.segments().iter().any(model::Segment::is_append);
            assert!(appends || after.get(&path) == Some(&Value::from("new")), "{path} in {before:?}");
            if !appends && before.get(&path).is_none() && !path.is_empty() {
                assert_eq!(after.remove(&path), Some(Value::from("new")));
            }
        }
    }
}
