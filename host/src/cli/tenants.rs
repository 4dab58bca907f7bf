//! `txco auth tenants` and `txco auth tenant create`.

use serde_json::{Value, json};

use super::client;
use super::output::{Complaint, Console, cell, table};
use super::target::{Agreed, Carries, ChassisFlags, Target};

/// Flags of `txco auth tenants`.
#[derive(Debug, clap::Args)]
pub(crate) struct ListFlags {
    #[command(flatten)]
    pub chassis: ChassisFlags,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Flags of `txco auth tenant create`.
#[derive(Debug, clap::Args)]
pub(crate) struct CreateFlags {
    /// Short name of the tenant, as in --tenant acme
    #[arg(value_name = "SLUG")]
    pub slug: Option<String>,
    /// Name for people
    #[arg(long, value_name = "TEXT")]
    pub display_name: Option<String>,
    #[command(flatten)]
    pub chassis: ChassisFlags,
    /// Do not ask before changing another machine's chassis
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Lists the tenants, the active one marked.
pub(super) fn list(flags: &ListFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let target = Target::choose(&flags.chassis, None, console.environment)?;
    target.may_read()?;
    let reply = client::call(&target, "GET", "/v1/tenants", None)?;
    if flags.json {
        return console.print(&reply.body.to_string());
    }
    let active = console.environment.variable("TXCO_TENANT").unwrap_or_else(|| "default".to_owned());
    let mut rows = vec![["ACTIVE", "SLUG", "NAME", "TENANT_ID"].map(str::to_owned).to_vec()];
    for tenant in reply.body.get("tenants").and_then(Value::as_array).into_iter().flatten() {
        let slug = text(tenant, "slug");
        let mark = if slug == active { "*" } else { "" };
        rows.push(vec![mark.to_owned(), slug, text(tenant, "name"), text(tenant, "tenant_id")]);
    }
    console.print(&table(&rows))
}

/// Creates a tenant.
pub(super) fn create(flags: &CreateFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let slug = flags.slug.as_deref().ok_or_else(|| Complaint::usage("SLUG is required"))?;
    let target = Target::choose(&flags.chassis, None, console.environment)?;
    target.may_change(console, Agreed::of(flags.yes, flags.json), Carries::Metadata)?;
    let mut body = json!({ "slug": slug });
    if let (Value::Object(members), Some(name)) = (&mut body, &flags.display_name) {
        members.insert("name".to_owned(), name.as_str().into());
    }
    let reply = client::call(&target, "POST", "/v1/tenants", Some(&body))?;
    if flags.json {
        return console.print(&reply.body.to_string());
    }
    console.print(&format!(
        "tenant:     {}\nname:       {}\ntenant_id:  {}\nnext: txco auth tenant secrets set NAME --tenant {}",
        text(&reply.body, "slug"),
        text(&reply.body, "name"),
        text(&reply.body, "tenant_id"),
        text(&reply.body, "slug"),
    ))
}

fn text(tenant: &Value, member: &str) -> String {
    cell(tenant.get(member).and_then(Value::as_str).unwrap_or_default())
}
