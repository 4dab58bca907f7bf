//! `txco auth audit …`: what was done here, whether the record of it holds, and whether a value was ever stored.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::client::{self, encoded};
use super::output::{Complaint, Console, cell, table};
use super::target::{Agreed, Carries, ChassisFlags, Target};
use super::value;

/// How many rows an export asks for at a time.
const PAGE: usize = 1000;

/// The commands of `auth audit`.
#[derive(clap::Subcommand)]
pub(crate) enum Verb {
    /// List the last rows, and the end of the chain
    #[command(visible_alias = "ls")]
    List(List),
    /// Look at every row: is the chain whole, and does it explain what is there?
    Verify(Verify),
    /// Print every row as a line of JSON
    Export(Export),
    /// Tell whether a value was ever stored, without storing it: prompt, pipe or file
    Seen(SeenFlags),
    /// Stand for what was changed outside txco, so that `verify` knows it
    Accept(Accept),
    /// Anything else.
    #[command(external_subcommand)]
    Unknown(Vec<String>),
}

/// Flags of every command.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Common {
    #[command(flatten)]
    chassis: ChassisFlags,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Flags that choose rows.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Filter {
    /// Only rows of this tenant
    #[arg(long, value_name = "SLUG")]
    tenant: Option<String>,
    /// Only rows about the secret, op or tenant of this name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Only rows of this action, such as rotate or use, or of all that begin with it, such as op
    #[arg(long, value_name = "WORD")]
    action: Option<String>,
    /// Only rows of this actor
    #[arg(long, value_name = "ACTOR")]
    actor: Option<String>,
}

/// Flags of `list`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct List {
    #[command(flatten)]
    filter: Filter,
    /// How many rows, at most 1000
    #[arg(long, short = 'n', value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    #[command(flatten)]
    common: Common,
}

/// Flags of `verify`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Verify {
    /// An end of the chain that you kept (SEQ:HASH, from `list`, /metrics or the log): finds
    /// out whether the chain was cut or written anew since
    #[arg(long, value_name = "HEAD")]
    head: Option<String>,
    /// The same for the chain of people
    #[arg(long, value_name = "HEAD")]
    people_head: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// Flags of `export`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Export {
    #[command(flatten)]
    filter: Filter,
    /// Only rows above this number
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    after: u64,
    #[command(flatten)]
    chassis: ChassisFlags,
}

/// Flags of `seen`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct SeenFlags {
    /// Read the value from a file, byte for byte
    #[arg(long, value_name = "FILE")]
    from_file: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// Flags of `accept`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Accept {
    /// Do not ask before changing another machine's chassis
    #[arg(long, short = 'y')]
    yes: bool,
    #[command(flatten)]
    common: Common,
}

/// Runs a command.
pub(super) fn run(verb: Verb, console: &mut Console<'_>) -> ExitCode {
    let (word, json, result) = match verb {
        Verb::List(flags) => ("list", flags.common.json, list(&flags, console)),
        Verb::Verify(flags) => ("verify", flags.common.json, verify(&flags, console)),
        Verb::Export(flags) => ("export", false, export(&flags, console)),
        Verb::Seen(flags) => ("seen", flags.common.json, seen(&flags, console)),
        Verb::Accept(flags) => ("accept", flags.common.json, accept(&flags, console)),
        Verb::Unknown(_) => return ExitCode::from(2),
    };
    console.end(json, result.map_err(|complaint| complaint.of(&format!("auth audit {word}"))))
}

fn list(flags: &List, console: &mut Console<'_>) -> Result<(), Complaint> {
    let target = Target::choose(&flags.common.chassis, None, console.environment)?;
    target.may_read()?;
    let query = format!("?limit={}{}", flags.limit, flags.filter.query());
    let reply = client::call(&target, "GET", &format!("/v1/audit{query}"), None)?;
    if flags.common.json {
        return console.print(&reply.body.to_string());
    }
    let end = |member: &str| reply.body.get(member).and_then(Value::as_str);
    let people = end("people_head").map(|head| format!("people: {head}\n")).unwrap_or_default();
    let heads = format!("{people}head: {}", end("head").unwrap_or("-"));
    let rows = rows_of(&reply.body);
    if rows.is_empty() {
        return console.print(&format!("(no rows)\n{heads}"));
    }
    let header = ["SEQ", "AT", "ACTOR", "TENANT", "ACTION", "SUBJECT", "OUTCOME", "DETAIL"];
    let mut lines = vec![header.map(str::to_owned).to_vec()];
    lines.extend(rows.iter().map(|row| {
        let seq = row.get("seq").and_then(Value::as_u64).unwrap_or_default();
        // The numbers of the chain of people are others.
        let of = if row.get("chain").and_then(Value::as_str) == Some("people") { "p" } else { "" };
        let mut line = vec![format!("{of}{seq}")];
        let columns = ["at", "actor", "tenant_id", "action", "subject", "outcome"];
        line.extend(columns.map(|member| cell(row.get(member).and_then(Value::as_str).unwrap_or_default())));
        line.push(cell(&detail_of(row)));
        line
    }));
    console.print(&format!("{}\n{heads}", table(&lines)))
}

/// The details for people: what happened, without the lines that only `verify` needs.
fn detail_of(row: &Value) -> String {
    let detail = row.get("detail").and_then(Value::as_str).unwrap_or_default();
    let detail: Value = serde_json::from_str(detail).unwrap_or_default();
    let members = detail.as_object().into_iter().flatten().filter(|(name, _)| *name != "changes");
    let shown = members.map(|(name, value)| match value.as_str() {
        Some(text) => format!("{name}={text}"),
        None => format!("{name}={value}"),
    });
    shown.collect::<Vec<_>>().join(" ")
}

fn verify(flags: &Verify, console: &mut Console<'_>) -> Result<(), Complaint> {
    let target = Target::choose(&flags.common.chassis, None, console.environment)?;
    target.may_read()?;
    let kept = [("head", &flags.head), ("people_head", &flags.people_head)];
    let kept =
        kept.iter().filter_map(|(member, head)| Some(format!("{member}={}", encoded(head.as_deref()?))));
    let query = format!("?{}", kept.collect::<Vec<_>>().join("&"));
    let reply = client::call(&target, "GET", &format!("/v1/audit/verify{query}"), None)?;
    let verdict = &reply.body;
    let holds = verdict.get("ok") == Some(&Value::Bool(true));
    let text = match verdict.get("people").filter(|people| people["rows"] != 0 || people["ok"] != true) {
        _ if flags.common.json => verdict.to_string(),
        Some(people) => format!("{}\n\npeople:\n{}", told(verdict), told(people)),
        None => told(verdict),
    };
    console.print(&text)?;
    if holds { Ok(()) } else { Err(Complaint::silent()) }
}

/// What was found, for people.
fn told(verdict: &Value) -> String {
    let number = |member: &str| verdict.get(member).and_then(Value::as_u64).unwrap_or_default();
    let word = |member: &str| verdict.get(member).and_then(Value::as_str);
    let mut text = format!("rows:   {}\nhead:   {}", number("rows"), word("head").unwrap_or("-"));
    let _ = write!(text, "\nchain:  {}", word("wrong").unwrap_or("whole"));
    let mut seals = Vec::new();
    if number("unsealed") > 0 {
        seals.push(format!("{} rows have none: the secret store was off", number("unsealed")));
    }
    for (key, count) in verdict.get("other_keys").and_then(Value::as_object).into_iter().flatten() {
        seals.push(format!("{count} rows are under key {key}, which is not here: they cannot be checked"));
    }
    let seals = if seals.is_empty() { "all this chassis's".to_owned() } else { seals.join("; ") };
    let _ = write!(text, "\nseals:  {seals}");
    match number("unexplained_count") {
        0 => text.push_str("\nstate:  explained"),
        count => {
            let _ = write!(
                text,
                "\nstate:  {count} changed outside txco (`txco auth audit accept` stands for them)"
            );
            for line in verdict.get("unexplained").and_then(Value::as_array).into_iter().flatten() {
                let _ = write!(text, "\n  {}", cell(line.as_str().unwrap_or_default()));
            }
        }
    }
    text
}

fn export(flags: &Export, console: &mut Console<'_>) -> Result<(), Complaint> {
    let target = Target::choose(&flags.chassis, None, console.environment)?;
    target.may_read()?;
    export_of("chassis", flags, &target, console)?;
    export_of("people", flags, &target, console)
}

fn export_of(
    chain: &str,
    flags: &Export,
    target: &Target,
    console: &mut Console<'_>,
) -> Result<(), Complaint> {
    // A number is one of the chassis's chain; that of people is short, and told whole.
    let mut after = if chain == "chassis" { flags.after } else { 0 };
    loop {
        let query = format!("?chain={chain}&limit={PAGE}&after={after}{}", flags.filter.query());
        let reply = client::call(target, "GET", &format!("/v1/audit{query}"), None)?;
        let rows = rows_of(&reply.body);
        for row in &rows {
            console.print(&row.to_string())?;
        }
        match rows.last().and_then(|row| row.get("seq")).and_then(Value::as_u64) {
            Some(last) if rows.len() == PAGE => after = last,
            _ => return Ok(()),
        }
    }
}

fn seen(flags: &SeenFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let target = Target::choose(&flags.common.chassis, None, console.environment)?;
    target.may_look_for_a_value()?;
    let value = value::take(console, "value to look for: ", flags.from_file.as_deref())?;
    if value.len() < vault::MIN_SEEN_BYTES {
        return Err(Complaint::failed(format!(
            "values under {} bytes are not remembered: they could be found by trying",
            vault::MIN_SEEN_BYTES
        )));
    }
    let mut body = json!({});
    value::put(&mut body, &value);
    drop(value);
    let reply = client::call(&target, "POST", "/v1/audit/seen", Some(&body))?;
    if flags.common.json {
        return console.print(&reply.body.to_string());
    }
    let seen = reply.body.get("seen").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if seen.is_empty() {
        return console.print("never stored here, or destroyed since");
    }
    let header = ["NAME", "STACK", "VERSION", "STORED_AT", "REVOKED_AT", "TENANT", "SECRET_ID"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    rows.extend(seen.iter().map(|one| {
        let text = |member: &str| cell(one.get(member).and_then(Value::as_str).unwrap_or_default());
        let version = one.get("version_no").and_then(Value::as_u64).unwrap_or_default();
        let (stored, revoked) = (text("created_at"), text("revoked_at"));
        vec![
            text("name"),
            text("stack"),
            format!("v{version}"),
            stored,
            revoked,
            text("tenant_id"),
            text("secret_id"),
        ]
    }));
    console.print(&table(&rows))
}

fn accept(flags: &Accept, console: &mut Console<'_>) -> Result<(), Complaint> {
    let target = Target::choose(&flags.common.chassis, None, console.environment)?;
    target.may_change(console, Agreed::of(flags.yes, flags.common.json), Carries::Metadata)?;
    let reply = client::call(&target, "POST", "/v1/audit/accept", Some(&json!({})))?;
    if flags.common.json {
        return console.print(&reply.body.to_string());
    }
    match reply.body.get("accepted").and_then(Value::as_u64).unwrap_or_default() {
        0 => console.print("nothing was changed outside txco"),
        count => console.print(&format!("accepted {count} changes")),
    }
}

impl Filter {
    /// The members of a query, each with its `&`.
    fn query(&self) -> String {
        let members = [
            ("tenant", &self.tenant),
            ("subject", &self.name),
            ("action", &self.action),
            ("actor", &self.actor),
        ];
        let member = |(name, text): (&str, &Option<String>)| {
            text.as_deref().map(|text| format!("&{name}={}", encoded(text))).unwrap_or_default()
        };
        members.map(member).concat()
    }
}

fn rows_of(body: &Value) -> Vec<Value> {
    body.get("rows").and_then(Value::as_array).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_query() {
        let filter =
            Filter { tenant: Some("acme".to_owned()), name: Some("a b&c".to_owned()), ..Filter::default() };
        assert_eq!(filter.query(), "&tenant=acme&subject=a%20b%26c");
        assert_eq!(Filter::default().query(), "");
    }

    #[test]
    fn a_verdict_is_read_at_a_glance() {
        let good = json!({ "ok": true, "rows": 3, "head": "3:ab", "unsealed": 0, "unexplained_count": 0 });
        assert_eq!(
            told(&good),
            "rows:   3\nhead:   3:ab\nchain:  whole\nseals:  all this chassis's\nstate:  explained"
        );
        let bad = json!({
            "rows": 3, "head": "3:ab", "wrong": "row 2 is missing", "unsealed": 1, "other_keys": { "k": 2 },
            "unexplained_count": 1, "unexplained": ["not told: secret x\u{1b}"],
        });
        let text = told(&bad);
        assert!(text.contains("chain:  row 2 is missing"), "{text}");
        assert!(
            text.contains("1 rows have none: the secret store was off; 2 rows are under key k"),
            "{text}"
        );
        assert!(
            text.contains("1 changed outside txco") && text.ends_with("  not told: secret x\\u{1b}"),
            "{text}"
        );
    }

    #[test]
    fn details_are_told_without_what_only_machines_need() {
        let row = json!({ "detail": r#"{"version":2,"stack":"shop","changes":["+version x 2"]}"# });
        assert_eq!(detail_of(&row), "version=2 stack=shop");
    }
}
