//! The listings of the operator runbook, byte for byte, and the files beside them.

use std::path::PathBuf;

use model::{CredentialId, Envelope, Path, Sealed, Value};

use super::{compile, secret_names};
use crate::clock::Clock;
use crate::diagnostic::{Color, Mode, RuleFile};
use crate::exec::Exec;
use crate::ops::AnyOps;
use crate::rule::Rule;

pub(super) fn vectors() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../tests/vectors/txcl")
}

fn listing(name: &str) -> Vec<Rule> {
    let path = vectors().join("runbook").join(format!("{name}.txcl"));
    let text = std::fs::read_to_string(path).unwrap();
    let file = RuleFile { path: name, name, text: &text };
    compile(&file, Mode::Strict, &AnyOps).unwrap_or_else(|d| panic!("{}", d.render(Color::Plain)))
}

fn clock() -> Clock {
    Clock { now: jiff::Timestamp::UNIX_EPOCH }
}

#[test]
fn a_templated_header() {
    let rules = listing("templated-header");
    let [rule] = rules.as_slice() else { panic!("one rule") };
    assert_eq!(rule.exec(), Some(&Exec::Http("https://api.stripe.com/v1/charges".to_owned())));
    assert_eq!(secret_names(rule), ["STRIPE_API_KEY"]);
    assert_eq!(rule.secrets()[0].slot.to_string(), "headers.authorization");
    assert_eq!(rule.secrets()[0].format.as_ref().unwrap().to_string(), "Bearer {}");
    let prepared = rule.prepare(&Envelope::default(), &clock()).unwrap();
    assert_eq!(prepared.params.to_json(), r#"{"method":"POST"}"#);
}

#[test]
fn a_raw_header() {
    let rules = listing("raw-header");
    assert_eq!(secret_names(&rules[0]), ["VENDOR_KEY"]);
    assert_eq!(rules[0].secrets()[0].slot.to_string(), "headers.x-api-key");
    assert_eq!(rules[0].prepare(&Envelope::default(), &clock()).unwrap().params.to_json(), "{}");
}

#[test]
fn a_body_field() {
    let rules = listing("body-field");
    assert_eq!(rules[0].secrets()[0].slot.to_string(), "body.client_secret");
}

#[test]
fn a_computed_header() {
    let rules = listing("computed");
    let [sign, call] = rules.as_slice() else { panic!("two rules") };
    assert_eq!((sign.name(), call.name()), ("computed.1", "computed.2"));
    assert_eq!(secret_names(sign), ["STRIPE_WEBHOOK_SECRET"]);
    let params = sign.prepare(&Envelope::default(), &clock()).unwrap().params;
    assert_eq!(
        params.to_json(),
        r#"{"algorithm":"sha256","input_path":"body","output_path":"_txc.computed.stripe_sig"}"#
    );
    let mut envelope = Envelope::default();
    let sealed = Value::Sealed(Sealed::credential(CredentialId::new(0)));
    for sig in [Value::from("0a1b"), sealed] {
        envelope.set(&Path::parse("_txc.computed.stripe_sig").unwrap(), sig.clone()).unwrap();
        let prepared = call.prepare(&envelope, &clock()).unwrap();
        assert_eq!(prepared.headers, [("stripe-signature".to_owned(), sig)]);
        assert_eq!(prepared.input, envelope, "the input is not touched");
    }
    // Without the digest nothing is sent half-built.
    let failure = call.prepare(&Envelope::default(), &clock()).unwrap_err();
    assert_eq!(failure.detail, "SET @web.req.headers.stripe-signature (line 9): there is no value to send");
}

/// Each `NAME.txcl` of `diagnostics/` is refused with exactly the text of `NAME.txt`.
#[test]
fn diagnostics_read_as_they_are_filed() {
    let folder = vectors().join("diagnostics");
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".txcl").map(str::to_owned))
        .collect();
    names.sort();
    assert!(names.len() >= 3, "{names:?}");
    for name in names {
        let text = std::fs::read_to_string(folder.join(format!("{name}.txcl"))).unwrap();
        let expected = std::fs::read_to_string(folder.join(format!("{name}.txt"))).unwrap_or_default();
        let file = RuleFile { path: &format!("{name}.txcl"), name: &name, text: &text };
        let rendered = compile(&file, Mode::Strict, &AnyOps).unwrap_err().render(Color::Plain);
        if std::env::var_os("TXCL_BLESS").is_some() {
            std::fs::write(folder.join(format!("{name}.txt")), &rendered).unwrap();
            continue;
        }
        assert_eq!(rendered.trim_end(), expected.trim_end(), "{name}:\n{rendered}");
    }
}
