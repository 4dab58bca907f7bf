//! `txco auth secrets status`: the keys, what each is needed for, and what a backup must hold.

use std::collections::BTreeSet;

use serde_json::json;
use vault::{Census, KeyId, SchemeOne};

use super::place::{Place, listed, vault_failed};
use crate::cli::output::{Complaint, Console, table};
use crate::key_source::Kept;

/// Flags of `txco auth secrets status`.
#[derive(clap::Args)]
pub(crate) struct Flags {
    #[command(flatten)]
    pub(super) place: Place,
}

struct Line {
    id: KeyId,
    state: &'static str,
    rows: u64,
    secrets: u64,
    file: String,
}

pub(super) fn run(flags: &Flags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let opened = flags.place.open(console)?;
    let (label, kept, database) = (opened.label.clone(), opened.kept.clone(), opened.database.clone());
    let (ids, sealed) = (opened.obtained.ring.ids(), opened.obtained.unlocked.is_some());
    let vault = opened.vault_if_any()?;
    let census = vault.as_ref().map(|vault| vault.census()).transpose().map_err(vault_failed)?;
    let waiting = vault.as_ref().map(|vault| vault.to_rewrap(SchemeOne::Keep)).transpose();
    let waiting = waiting.map_err(vault_failed)?.unwrap_or_default();
    let exists = census.is_some();
    let census = census.unwrap_or_default();
    let lines = lines(&ids, &census, &kept)?;
    let missing = lines.iter().filter(|line| line.state == "missing").map(|line| line.id).collect::<Vec<_>>();
    let aside: Vec<&Line> = lines.iter().filter(|line| line.state == "retired" && line.rows > 0).collect();
    // A rewrap opens under the keys of the ring: what lies under others is not its to move.
    let others = lines.iter().filter(|line| matches!(line.state, "missing" | "retired"));
    let waiting = waiting.saturating_sub(others.map(|line| line.rows).sum());

    if flags.place.json {
        let keys = lines.iter().map(|line| {
            json!({ "key_id": line.id.to_string(), "state": line.state, "rows": line.rows,
                    "secrets": line.secrets, "file": line.file })
        });
        let ids = |ids: &[KeyId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
        return console.print(
            &json!({
                "source": label,
                "sealed": sealed,
                "database": exists.then(|| database.display().to_string()),
                "keys": keys.collect::<Vec<_>>(),
                "versions": census.versions,
                "scheme_one": census.scheme_one,
                "unidentified": census.unidentified,
                "to_rewrap": waiting,
                "missing": ids(&missing),
                "backup_must_hold": ids(&needed(&lines)),
            })
            .to_string(),
        );
    }
    let form = if sealed { " (sealed by a passphrase)" } else { "" };
    console.print(&format!("keys:      {label}{form}"))?;
    let note = if exists { "" } else { " (not there yet)" };
    console.print(&format!("database:  {}{note}\n", database.display()))?;
    let mut rows = vec![["KEY", "STATE", "ROWS", "SECRETS", "FILE"].map(str::to_owned).to_vec()];
    rows.extend(lines.iter().map(|line| {
        let (rows, secrets) = (line.rows.to_string(), line.secrets.to_string());
        let file = if line.file.is_empty() { "-".to_owned() } else { line.file.clone() };
        vec![line.id.to_string(), line.state.to_owned(), rows, secrets, file]
    }));
    console.print(&format!("{}\n", table(&rows)))?;
    for said in remarks(&census, waiting, &missing, &aside) {
        console.print(&said)?;
    }
    console.print(&format!(
        "a backup must hold: {}, apart from the database; `txco auth secrets backup --to FILE` writes them",
        listed(&needed(&lines))
    ))
}

/// The ring, then what rows name and nobody has, then what was set aside.
fn lines(ids: &[KeyId], census: &Census, kept: &Kept) -> Result<Vec<Line>, Complaint> {
    let count = |id: KeyId| {
        let of =
            |counts: &std::collections::BTreeMap<KeyId, u64>| counts.get(&id).copied().unwrap_or_default();
        (of(&census.rows), of(&census.secrets))
    };
    let line = |id: KeyId, state, file| {
        let (rows, secrets) = count(id);
        Line { id, state, rows, secrets, file }
    };
    let mut lines = Vec::new();
    for (at, id) in ids.iter().enumerate() {
        let file = match kept {
            Kept::Files(files) if at == 0 => files.path().display().to_string(),
            Kept::Files(files) => files.ring_file(*id).display().to_string(),
            Kept::Elsewhere(_) | Kept::Nowhere => String::new(),
        };
        lines.push(line(*id, if at == 0 { "active" } else { "opens" }, file));
    }
    let retired: BTreeSet<KeyId> = match kept {
        Kept::Files(files) => {
            files.retired_ids().map_err(|e| super::place::failed(&e))?.into_iter().collect()
        }
        Kept::Elsewhere(_) | Kept::Nowhere => BTreeSet::new(),
    };
    let lost = census.rows.keys().filter(|id| !ids.contains(id) && !retired.contains(id));
    lines.extend(lost.map(|id| line(*id, "missing", String::new())));
    if let Kept::Files(files) = kept {
        let aside = retired.iter().filter(|id| !ids.contains(id));
        lines.extend(aside.map(|id| line(*id, "retired", files.retired_file(*id).display().to_string())));
    }
    Ok(lines)
}

/// The keys without which something could not be opened, here or in older backups of the database.
fn needed(lines: &[Line]) -> Vec<KeyId> {
    let needed =
        |line: &&Line| matches!(line.state, "active" | "opens") || (line.state == "retired" && line.rows > 0);
    lines.iter().filter(needed).map(|line| line.id).collect()
}

fn remarks(census: &Census, waiting: u64, missing: &[KeyId], aside: &[&Line]) -> Vec<String> {
    let mut said = Vec::new();
    if waiting > 0 {
        let rows = if waiting == 1 { "row does" } else { "rows do" };
        said.push(format!(
            "{waiting} {rows} not name the active key; `txco auth secrets rewrap` moves what it opens"
        ));
    }
    if !aside.is_empty() {
        let ids: Vec<KeyId> = aside.iter().map(|line| line.id).collect();
        said.push(format!(
            "what these sealed does not open while they are out of use: {}; `txco auth secrets restore --retired` \
             takes them back, or set those secrets again",
            listed(&ids)
        ));
    }
    if census.scheme_one > 0 {
        said.push(format!(
            "{} rows are in the layout of the Go chassis; `txco auth secrets rewrap --upgrade` seals them anew",
            census.scheme_one
        ));
    }
    if !missing.is_empty() {
        said.push(format!(
            "no key here opens what these sealed: {}; `txco auth secrets restore` brings them back",
            listed(missing)
        ));
    }
    if census.unidentified > 0 {
        said.push(format!("{} imported rows open under no key of the ring", census.unidentified));
    }
    said
}
