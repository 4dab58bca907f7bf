//! Who one is at a chassis, as it says.

use serde_json::{Value, json};

use super::super::client;
use super::super::output::{Complaint, Console, cell};
use super::super::target::{Access, ChassisFlags, Target};

/// Flags of `txco auth whoami`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct WhoamiFlags {
    #[command(flatten)]
    chassis: ChassisFlags,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Asks the chassis.
pub(super) fn whoami(flags: &WhoamiFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let target = Target::choose(&flags.chassis, None, console.environment)?;
    target.may_read()?;
    let reply = client::call(&target, "GET", "/auth/whoami", None)?;
    let (name, why) = match &target.access {
        Access::Signed(profile, _) => (profile.name.as_str(), profile.source.word()),
        Access::Basic(_) => ("none", "TXCO_ADMIN_USER"),
        Access::Unsigned => ("none", "unsigned"),
    };
    if flags.json {
        let mut all = reply.body;
        if let Value::Object(members) = &mut all {
            members.insert("profile".to_owned(), json!(name));
            members.insert("chassis".to_owned(), json!(target.url));
        }
        return console.print(&all.to_string());
    }
    let mut lines = vec![format!("profile: {name} ({why})"), format!("chassis: {}", target.url)];
    let text =
        |of: &Value, member: &str| of.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
    for member in ["source", "actor_id", "key_id", "label"] {
        let value = text(&reply.body, member);
        if !value.is_empty() {
            lines.push(format!("{member}: {}", cell(&value)));
        }
    }
    if reply.body.get("super_admin").and_then(Value::as_bool) == Some(true) {
        lines.push("super_admin: true".to_owned());
    }
    let capabilities = listed(&reply.body);
    if !capabilities.is_empty() {
        lines.push(format!("capabilities: {capabilities}"));
    }
    let memberships =
        reply.body.get("memberships").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if !memberships.is_empty() {
        lines.push("memberships:".to_owned());
    }
    for one in memberships {
        lines.push(format!("  {}  {}", cell(&text(one, "tenant_slug")), cell(&listed(one))));
    }
    console.print(&lines.join("\n"))
}

/// The capabilities of an object, in one line.
pub(super) fn listed(of: &Value) -> String {
    let all = of.get("capabilities").and_then(Value::as_array).into_iter().flatten();
    all.filter_map(Value::as_str).collect::<Vec<_>>().join(",")
}
