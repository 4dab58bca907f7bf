//! What a rule gives its op is checked against what the op says of itself.

use model::OpManifest;

use super::{Diagnostics, Exec, Mode, check, file};
use crate::ops::{Known, Ops};

/// One op, `txco://hmac-sign`, and nothing known of others than built-ins.
struct Signer(OpManifest);

impl Ops for Signer {
    fn known(&self, exec: &Exec) -> Known<'_> {
        let Exec::Builtin { name, .. } = exec else { return Known::Nothing };
        if *name == self.0.name {
            Known::Op(&self.0)
        } else {
            Known::Absent(vec!["txco://hmac-sign".to_owned()])
        }
    }
}

fn signer() -> Signer {
    Signer(
        OpManifest::parse(
            "name = \"hmac-sign\"\n[slots.key]\n[slots.second]\noptional = true\n[params.algorithm]\n[params.input_path]",
        )
        .unwrap(),
    )
}

fn found(text: &str, mode: Mode) -> Diagnostics {
    check(&file(text), mode, &signer()).1
}

fn said(text: &str) -> Vec<String> {
    found(text, Mode::Strict)
        .iter()
        .map(|d| format!("{}: {} ({})", d.column, d.message, d.hint.as_deref().unwrap_or_default()))
        .collect()
}

const SIGN: &str = "EXEC \"txco://hmac-sign\" WITH secrets.key.secret = \"K\"";

#[test]
fn what_the_op_knows_is_taken() {
    for more in [
        "",
        ", algorithm = \"sha256\", input_path = \"body\"",
        ", secrets.second.secret = \"L\", timeout = 5",
    ] {
        assert_eq!(said(&format!("{SIGN}{more}")), Vec::<String>::new());
    }
    // Of what nobody knows nothing is said.
    assert_eq!(said("EXEC \"op://mine\" WITH x = 1, secrets.y.secret = \"K\""), Vec::<String>::new());
}

#[test]
fn what_it_does_not_know_is_refused_with_what_it_does() {
    assert_eq!(
        said(&format!("{SIGN}, algoritm = \"sha256\"")),
        ["56: hmac-sign has no parameter algoritm (did you mean algorithm?)"]
    );
    assert_eq!(
        said(&format!("{SIGN}, x = 1")),
        ["56: hmac-sign has no parameter x (there are algorithm, input_path)"]
    );
    assert_eq!(
        said("EXEC \"txco://hmac-sign\" WITH secrets.keys.secret = \"K\""),
        [
            "6: hmac-sign needs a secret at key (add WITH secrets.key.secret = \"SECRET_NAME\")",
            "30: hmac-sign takes no secret at keys (did you mean secrets.key?)"
        ]
    );
    assert_eq!(
        said("EXEC \"txco://hmac-sing\" WITH x = 1"),
        ["6: there is no such op (did you mean txco://hmac-sign?)"]
    );
    assert_eq!(
        said("EXEC \"https://h/\" WITH metod = \"GET\", on_error = \"go\", body_encoding = \"xml\""),
        [
            "24: an http request has no parameter metod (did you mean method?)",
            "50: on_error is not one of its words (there are \"halt\", \"continue\")",
            "72: body_encoding is not one of its words (there are \"json\", \"urlencoded\", \"form\", \"raw\")"
        ]
    );
}

#[test]
fn an_imported_file_loses_what_does_nothing() {
    let text = format!("{SIGN}, x = 1");
    let (rules, findings) = check(&file(&text), Mode::Lenient, &signer());
    assert!(!findings.has_errors() && !findings.is_empty(), "{findings}");
    let prepared = rules[0].prepare(&model::Envelope::default(), &super::clock()).unwrap();
    assert_eq!(prepared.params.to_json(), "{}");
}
