//! `secrets policy` and `secrets explain`: what a secret may be used for, and why or why not.

use model::Destination;
use serde_json::{Value, json};

use super::named::Named;
use super::terms::{PolicyFlags, policy_text};
use super::{Place, stack_query};
use crate::cli::output::{Complaint, Console};
use crate::cli::target::Carries;

/// Flags of `policy`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Policy {
    #[command(flatten)]
    pub(super) named: Named,
    /// Take the policy away: the secret may be used for anything in its tenant
    #[arg(long)]
    pub(super) clear: bool,
    /// Do not ask before changing another machine's chassis
    #[arg(long, short = 'y')]
    pub(super) yes: bool,
    #[command(flatten)]
    pub(super) policy: PolicyFlags,
}

/// Flags of `explain`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Explain {
    #[command(flatten)]
    pub(super) named: Named,
    /// What it is to be used for: a URL, txco://NAME or op://NAME
    #[arg(long = "for", value_name = "OP|URL")]
    pub(super) purpose: Option<String>,
}

pub(super) fn policy(flags: &Policy, console: &mut Console<'_>) -> Result<(), Complaint> {
    let (place, name) = Place::named(&flags.named, console)?;
    let path = format!("/{name}/policy");
    let stack = stack_query(flags.named.stack.as_deref());
    let body = match (flags.clear, flags.policy.said()) {
        (true, true) => return Err(Complaint::usage("--clear does not go with the flags of a policy")),
        (true, false) => json!({ "purposes": [], "hosts": [], "ops": [] }),
        (false, true) => flags.policy.json(),
        (false, false) => {
            return Err(Complaint::usage(
                "say what is allowed with --purpose, --use-only, --allow-host or --allow-op, or --clear to allow anything",
            ));
        }
    };
    place.target.may_change(console, place.agreed(flags.yes), Carries::Metadata)?;
    let reply = place.call("PUT", &path, &stack, Some(&body))?;
    let now = policy_text(reply.body.get("secret").unwrap_or(&Value::Null));
    place.done(console, &reply, &format!("policy of {name} in tenant {:?}: {now}", place.tenant))
}

pub(super) fn explain(flags: &Explain, console: &mut Console<'_>) -> Result<(), Complaint> {
    // A host without its scheme is not an answer's yes.
    if let Some(operand) = &flags.purpose
        && !operand.starts_with("txco://")
        && !operand.starts_with("op://")
        && Destination::of(operand).is_err()
    {
        return Err(Complaint::usage(
            "--for: expected a URL such as https://api.example.com/, txco://NAME or op://NAME",
        ));
    }
    let (place, name) = Place::named(&flags.named, console)?;
    place.target.may_read()?;
    let mut ask = json!({ "name": name.as_str() });
    super::put(&mut ask, "stack", flags.named.stack.as_deref());
    super::put(&mut ask, "for", flags.purpose.as_deref());
    let reply = place.beside("POST", "/explain", Some(&json!({ "asks": [ask] })))?;
    let answer = reply.body.pointer("/answers/0").cloned().unwrap_or(Value::Null);
    place.done(console, &reply, &lines_of(&answer))?;
    // A script asks by the exit code.
    if answer.get("allowed").and_then(Value::as_bool) == Some(true) {
        Ok(())
    } else {
        Err(Complaint::silent())
    }
}

/// What is answered to one question, for people.
fn lines_of(answer: &Value) -> String {
    let text = |member: &str| answer.get(member).and_then(Value::as_str).unwrap_or("-");
    let verdict =
        if answer.get("allowed").and_then(Value::as_bool) == Some(true) { "allowed" } else { "denied" };
    let secret = match (
        answer.get("version_no").and_then(Value::as_u64),
        answer.get("found_in").and_then(Value::as_str),
    ) {
        (Some(version), Some("")) => format!("{} v{version}, tenant-wide", text("name")),
        (Some(version), Some(stack)) => format!("{} v{version}, of stack {stack}", text("name")),
        _ => text("name").to_owned(),
    };
    format!(
        "secret:         {secret}\nfor:            {}\n{:<16}{}",
        text("for"),
        format!("{verdict}:"),
        text("why")
    )
}
