//! What a chassis says of itself, and of what a tenant applied there.

use serde_json::Value;

use super::super::client::{self, Reply};
use super::super::output::{Complaint, cell};
use super::super::target::Target;
use super::{Finding, Mark};

/// Whether it is there, which txco it is, and whether it can answer. One that nobody named
/// need not be there.
pub(super) fn of_chassis(target: &Target, named: bool, found: &mut Vec<Finding>) -> bool {
    let mut say = |mark, text| found.push(Finding { section: "Chassis", mark, text });
    let ready = match client::look(target, "/readyz") {
        Ok(ready) => ready,
        Err(complaint) if named => {
            say(Mark::Bad, complaint.message);
            return false;
        }
        Err(complaint) => {
            say(Mark::Odd, format!("{}\nonly the workspace was looked at", complaint.message));
            return false;
        }
    };
    let described = client::look(target, "/v1/openapi.json").ok();
    let version = described.as_ref().and_then(|reply| reply.body.pointer("/info/version")?.as_str());
    let version = version
        .map_or_else(|| "another txco, or none".to_owned(), |version| format!("txco {}", cell(version)));
    say(Mark::Fine, format!("{} answers: {version}", target.url));
    for (mark, text) in readiness(&ready) {
        say(mark, text);
    }
    true
}

/// What `/readyz` means for whoever reads it.
fn readiness(ready: &Reply) -> Vec<(Mark, String)> {
    let text = |member: &str| ready.body.get(member).and_then(Value::as_str).unwrap_or_default();
    let store = match (ready.status, text("secret_store")) {
        (200, "on") => (Mark::Fine, "ready; secret store on, every secret opens".to_owned()),
        (200, "off") => (
            Mark::Odd,
            "ready; secret store off: rules that name secrets fail, the chassis's log says why".to_owned(),
        ),
        (200, "partial") => (
            Mark::Odd,
            "ready; secret store partial: some secrets do not open, txco auth secrets verify says which"
                .to_owned(),
        ),
        (503, _) => (Mark::Bad, format!("not ready: {}", cell(text("reason")))),
        (status, _) => (Mark::Odd, format!("it does not say whether it is ready (/readyz: {status})")),
    };
    let mut all = vec![store];
    if ready.body.get("rules").and_then(Value::as_bool) == Some(false) {
        all.push((Mark::Odd, "it serves no rules; txco apply brings some".to_owned()));
    }
    all
}

/// The hosts of a tenant, and the stacks that it applied: whether their rules get the secrets they name.
pub(super) fn of_tenant(target: &Target, tenant: &str, found: &mut Vec<Finding>) {
    let at = |rest: &str| format!("/v1/tenants/{tenant}{rest}");
    let list = |member: &'static str| -> Result<Vec<Value>, Complaint> {
        let reply = client::call(target, "GET", &at(&format!("/{member}")), None)?;
        Ok(reply.body.get(member).and_then(Value::as_array).cloned().unwrap_or_default())
    };
    let mut say = |section, mark, text| found.push(Finding { section, mark, text });
    let stacks = match list("stacks") {
        Ok(stacks) => stacks,
        // Who may not see them is told that, and of secrets all the same.
        Err(complaint) => return say("Stacks", Mark::Odd, complaint.message),
    };
    let active =
        |stack: &Value| Some((word(stack, "name").to_owned(), stack.get("active_version")?.as_u64()?));
    let active: Vec<_> = stacks.iter().filter_map(active).collect();
    for (name, version) in &active {
        let path = at(&format!("/stacks/{}/versions/{version}/validate", client::encoded(name)));
        match client::call(target, "POST", &path, None) {
            Err(complaint) => say("Stacks", Mark::Odd, complaint.message),
            Ok(reply) => {
                for (mark, text) in applied(name, *version, &reply.body) {
                    say("Stacks", mark, text);
                }
            }
        }
    }
    match list("hostnames") {
        Err(complaint) => say("Hosts", Mark::Odd, complaint.message),
        Ok(hosts) => {
            for host in &hosts {
                let (name, stack) = (cell(word(host, "hostname")), word(host, "stack"));
                let leads = active.iter().any(|(active, _)| stack.is_empty() || active == stack);
                let stack = if stack.is_empty() {
                    "the only stack".to_owned()
                } else {
                    format!("stack {}", cell(stack))
                };
                match leads {
                    true => say("Hosts", Mark::Fine, format!("{name} leads to {stack}")),
                    false => say(
                        "Hosts",
                        Mark::Odd,
                        format!("{name} leads to {stack}, of which nothing is applied"),
                    ),
                }
            }
        }
    }
}

/// What the chassis says to the version that it serves of a stack.
fn applied(name: &str, version: u64, told: &Value) -> Vec<(Mark, String)> {
    let all = |member: &str| told.get(member).and_then(Value::as_array).into_iter().flatten();
    let of = format!("{} v{version}", cell(name));
    let errors = all("errors").map(|one| (Mark::Bad, format!("{of}: {}", word(one, "err").trim_end())));
    let secrets = all("secrets").map(|one| {
        let mark = if word(one, "code") == "any_host" { Mark::Odd } else { Mark::Bad };
        let (path, secret) = (cell(word(one, "path")), cell(word(one, "name")));
        (mark, format!("{of}: {path}: {secret}: {}", cell(word(one, "why"))))
    });
    let mut found: Vec<_> = errors.chain(secrets).collect();
    if found.is_empty() {
        found.push((Mark::Fine, format!("{of} checks, and its rules get what they name")));
    }
    found
}

fn word<'v>(value: &'v Value, member: &str) -> &'v str {
    value.get(member).and_then(Value::as_str).unwrap_or_default()
}
