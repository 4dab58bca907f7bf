//! The profiles of this machine: listed, chosen, shown, removed.

use serde_json::json;

use super::super::home::{self, Home, LOCAL, NONE};
use super::super::output::{Complaint, Console, cell, table};

/// Flags of `txco auth profiles`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct ListFlags {
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Flags of `txco auth profile use` and `show`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct NamedFlags {
    /// Name of the profile
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Flags of `txco auth profile remove`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct RemoveFlags {
    /// Name of the profile
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Do not ask
    #[arg(long, short = 'y')]
    yes: bool,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Lists them, the active one marked.
pub(super) fn list(flags: &ListFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let home = Home::needed(console.environment)?;
    let active = home.active().unwrap_or_else(|| LOCAL.to_owned());
    let all = home.profiles()?;
    if flags.json {
        let all: Vec<_> = all
            .iter()
            .map(|(name, meta)| {
                json!({ "name": name, "active": *name == active, "chassis_url": meta.chassis_url,
                        "actor_id": meta.actor_id, "key_id": meta.key_id, "key_source": meta.key_source })
            })
            .collect();
        return console.print(&json!({ "profiles": all }).to_string());
    }
    if all.is_empty() {
        return console.print("(no profiles)");
    }
    let mut rows = vec![["ACTIVE", "NAME", "CHASSIS", "ACTOR_ID", "KEY_SOURCE"].map(str::to_owned).to_vec()];
    rows.extend(all.iter().map(|(name, meta)| {
        let mark = if *name == active { "*" } else { "" };
        vec![
            mark.to_owned(),
            cell(name),
            cell(&meta.chassis_url),
            cell(&meta.actor_id),
            cell(&meta.key_source),
        ]
    }));
    console.print(&table(&rows))
}

/// Makes one the active one.
pub(super) fn activate(flags: &NamedFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let home = Home::needed(console.environment)?;
    let name = existing(&home, flags.name.as_deref())?;
    home.activate(name)?;
    if flags.json {
        return console.print(&json!({ "active": name }).to_string());
    }
    console.print(&format!("active profile: {name}"))
}

/// Shows one, or the active one.
pub(super) fn show(flags: &NamedFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let home = Home::needed(console.environment)?;
    let active = home.active().unwrap_or_else(|| LOCAL.to_owned());
    let name = home::checked(flags.name.as_deref().unwrap_or(&active))?;
    let meta = home.meta(name)?.ok_or_else(|| missing(name))?;
    if flags.json {
        let text = serde_json::to_string(&meta).map_err(|e| Complaint::failed(e.to_string()))?;
        return console.print(&text);
    }
    let key = if meta.key_path.is_empty() { String::new() } else { meta.key_path.clone() };
    let rows = [
        ("name:", name),
        ("chassis:", &meta.chassis_url),
        ("actor_id:", &meta.actor_id),
        ("key_id:", &meta.key_id),
        ("label:", &meta.label),
        ("enrolled_at:", &meta.enrolled_at),
        ("key_source:", &meta.key_source),
        ("key:", &key),
        ("tenant:", &meta.default_tenant),
    ];
    let lines: Vec<_> = rows.iter().map(|(label, value)| format!("{label:<13}{}", cell(value))).collect();
    console.print(&lines.join("\n"))
}

/// Removes one with the key below the profiles' folder; the chassis is not told.
pub(super) fn remove(flags: &RemoveFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let home = Home::needed(console.environment)?;
    let name = existing(&home, flags.name.as_deref())?;
    if !flags.yes {
        if flags.json || !console.input.is_terminal() {
            return Err(Complaint::failed(format!(
                "refusing to remove {name} without confirmation; re-run with --yes"
            )));
        }
        write!(console.err, "remove profile {name} and its key? The chassis still knows the key (txco auth revoke-key). [y/N]: ")
            .and_then(|()| console.err.flush())
            .ok();
        let answer = console.input.line().ok().flatten().unwrap_or_default();
        if !matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
            return Err(Complaint::failed("aborted"));
        }
    }
    let gone = home.remove(name)?;
    if home.active().as_deref() == Some(name) {
        home.activate(NONE)?;
    }
    if flags.json {
        let gone: Vec<_> = gone.iter().map(|path| path.display().to_string()).collect();
        return console.print(&json!({ "removed": name, "files": gone }).to_string());
    }
    console.print(&format!("removed {name}"))
}

/// Signs nothing from now on; the profiles stay.
pub(super) fn logout(flags: &ListFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    Home::needed(console.environment)?.activate(NONE)?;
    if flags.json {
        return console.print(&json!({ "active": NONE }).to_string());
    }
    console.print("active profile: none")
}

/// A profile that is there; `none` always is.
fn existing<'a>(home: &Home, name: Option<&'a str>) -> Result<&'a str, Complaint> {
    let name = home::checked(name.ok_or_else(|| Complaint::usage("NAME is required"))?)?;
    if name == NONE || home.meta(name)?.is_some() { Ok(name) } else { Err(missing(name)) }
}

fn missing(name: &str) -> Complaint {
    Complaint::failed(format!("there is no profile {name:?} (txco auth profiles lists them)"))
}
