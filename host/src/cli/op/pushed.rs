//! `txco op list`, `show` and `rm`: what a chassis has.

use serde_json::{Value, json};

use crate::cli::client::{self, Reply};
use crate::cli::output::{Complaint, Console, cell, table};
use crate::cli::target::{Agreed, Carries, Target, TenantFlags};

/// Flags of `txco op list`.
#[derive(Debug, clap::Args)]
pub(crate) struct ListFlags {
    #[command(flatten)]
    tenant: TenantFlags,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Flags of `txco op show`.
#[derive(Debug, clap::Args)]
pub(crate) struct NamedFlags {
    /// Name of the op, without op://
    #[arg(value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    tenant: TenantFlags,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Flags of `txco op rm`.
#[derive(Debug, clap::Args)]
pub(crate) struct RemoveFlags {
    /// Name of the op, without op://
    #[arg(value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    tenant: TenantFlags,
    /// Do not ask before changing another machine's chassis
    #[arg(long, short = 'y')]
    yes: bool,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Lists them.
pub(super) fn list(flags: &ListFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let target = Target::choose(&flags.tenant.chassis, None, console.environment)?;
    target.may_read()?;
    let tenant = flags.tenant.slug(console.environment);
    let reply = call(&target, "GET", &tenant, "")?;
    if flags.json {
        return console.print(&reply.body.to_string());
    }
    let mut rows =
        vec![["NAME", "BUILDS", "SIZE", "DIGEST", "PUSHED", "SIGNED BY"].map(str::to_owned).to_vec()];
    for op in reply.body.get("ops").and_then(Value::as_array).into_iter().flatten() {
        let builds: Vec<&Value> = op.get("builds").and_then(Value::as_array).into_iter().flatten().collect();
        let each =
            |member: &str| builds.iter().map(|build| short(build, member)).collect::<Vec<_>>().join(",");
        rows.push(vec![
            text(op, "name"),
            each("delivery"),
            each("size"),
            each("digest"),
            text(op, "pushed_at"),
            each("signed_by"),
        ]);
    }
    if rows.len() == 1 {
        return console.print(&format!("tenant {tenant:?} has no ops"));
    }
    console.print(&table(&rows))
}

/// Shows one.
pub(super) fn show(flags: &NamedFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let name = named(flags.name.as_deref())?;
    let target = Target::choose(&flags.tenant.chassis, None, console.environment)?;
    target.may_read()?;
    let tenant = flags.tenant.slug(console.environment);
    let reply = call(&target, "GET", &tenant, &format!("/{}", client::encoded(name)))?;
    if flags.json {
        return console.print(&reply.body.to_string());
    }
    let op = reply.body.get("op").cloned().unwrap_or_default();
    let about = op.get("about").cloned().unwrap_or_default();
    let words = |member: &str| {
        let all = about.get(member).and_then(Value::as_array).into_iter().flatten();
        all.filter_map(Value::as_str).collect::<Vec<_>>()
    };
    let list = |member: &str| cell(&words(member).join(", "));
    let optional = words("optional_slots");
    let slots: Vec<_> = words("slots")
        .into_iter()
        .map(|slot| if optional.contains(&slot) { format!("{slot} (optional)") } else { slot.to_owned() })
        .collect();
    let outputs = about.get("outputs").and_then(Value::as_array).into_iter().flatten();
    let outputs: Vec<_> =
        outputs.map(|one| format!("{} ({})", text(one, "path"), text(one, "class"))).collect();
    let mut lines = vec![
        format!("op:        {}", text(&op, "name")),
        format!("about:     {}", text(&about, "description")),
        format!(
            "pushed:    {} by {} (no. {})",
            text(&op, "pushed_at"),
            text(&op, "pushed_by"),
            short(&op, "push_no")
        ),
        format!("slots:     {}", cell(&slots.join(", "))),
        format!("params:    {}", list("params")),
        format!("outputs:   {}", cell(&outputs.join(", "))),
        format!("imports:   {}", list("imports")),
    ];
    for build in op.get("builds").and_then(Value::as_array).into_iter().flatten() {
        lines.push(format!(
            "build:     {}  {} bytes  sha256:{}  signed by {}",
            text(build, "delivery"),
            short(build, "size"),
            text(build, "digest"),
            text(build, "signed_by")
        ));
    }
    console.print(&lines.join("\n"))
}

/// Removes one.
pub(super) fn remove(flags: &RemoveFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let name = named(flags.name.as_deref())?;
    let target = Target::choose(&flags.tenant.chassis, None, console.environment)?;
    target.may_change(console, Agreed::of(flags.yes, flags.json), Carries::Metadata)?;
    let tenant = flags.tenant.slug(console.environment);
    call(&target, "DELETE", &tenant, &format!("/{}", client::encoded(name)))?;
    if flags.json {
        return console.print(&json!({ "removed": name, "tenant": tenant }).to_string());
    }
    console.print(&format!("removed op://{name} from tenant {tenant:?}"))?;
    console.note("rules that were loaded with it keep it until they are loaded again");
    Ok(())
}

fn named(name: Option<&str>) -> Result<&str, Complaint> {
    let name = name.ok_or_else(|| Complaint::usage("NAME is required"))?;
    Ok(name.strip_prefix("op://").unwrap_or(name))
}

fn call(target: &Target, method: &str, tenant: &str, rest: &str) -> Result<Reply, Complaint> {
    client::call(target, method, &format!("/v1/tenants/{}/ops{rest}", client::encoded(tenant)), None)
}

fn text(record: &Value, member: &str) -> String {
    cell(record.get(member).and_then(Value::as_str).unwrap_or_default())
}

/// A member for a narrow column: twelve characters of a text, or a number.
fn short(record: &Value, member: &str) -> String {
    match record.get(member) {
        Some(Value::String(text)) => text.chars().take(12).collect(),
        Some(Value::Number(number)) => number.to_string(),
        _ => "-".to_owned(),
    }
}
