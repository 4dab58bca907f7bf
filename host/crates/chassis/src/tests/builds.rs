//! Which build of an op is called.

use model::OpName;

use super::*;

const CALL: &str = r#"EXEC "op://two" WITH secrets.key.secret = "K""#;

/// An op in the builds of these guests.
struct Guests(&'static [&'static str]);

impl OpSource for Guests {
    fn components(&self, _: &OpName) -> Result<Vec<Vec<u8>>, String> {
        let folder = File::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/guests/dist");
        Ok(self.0.iter().map(|name| std::fs::read(folder.join(format!("{name}.wasm"))).unwrap()).collect())
    }

    fn names(&self) -> Vec<OpName> {
        Vec::new()
    }
}

/// What happens with the secret `K` when a rule gives it to the op.
fn mode(line: &Line, builds: &'static [&'static str], rule: &str) -> Result<Vec<&'static str>, Fault> {
    line.rules_with(&[("s/100/call.txcl", rule)], &Guests(builds));
    let outcome = line.run("{}");
    match outcome.failure {
        Some(failure) => Err(failure.failure.fault),
        None => Ok(outcome.steps[0].secrets.iter().map(|used| used.mode).collect()),
    }
}

#[test]
fn a_secret_is_shown_when_that_is_permitted_and_the_op_asks_for_it() {
    let line = Line::new(Secrets::On);
    line.secret("K", "Jefe");
    assert_eq!(mode(&line, &["shown", "used"], CALL), Ok(vec!["reveal"]));
    assert_eq!(mode(&line, &["used", "shown"], CALL), Ok(vec!["reveal"]));
    assert_eq!(mode(&line, &["shown"], CALL), Ok(vec!["reveal"]));
    assert_eq!(mode(&line, &["used"], CALL), Ok(vec!["use"]));
}

#[test]
fn without_a_secret_the_build_that_reveals_is_not_called() {
    let line = Line::new(Secrets::On);
    assert_eq!(mode(&line, &["shown", "used"], r#"EXEC "op://two""#), Ok(vec![]));
    assert_eq!(mode(&line, &["shown"], r#"EXEC "op://two""#), Err(Fault::SecretDeclarationInvalid));
}
