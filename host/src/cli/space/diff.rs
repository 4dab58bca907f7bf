//! `txco diff [STACK]`: line by line, what applying would change.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use store::StackFile;

use super::LookArgs;
use super::compare::{State, compared, here_and_there};
use super::lines::changed;
use super::patience::Patience;
use super::remote::Remote;
use crate::cli::output::{Complaint, Console};

/// Tells the differences; that there are some is no failure.
pub(super) fn run(args: &LookArgs, console: &mut Console<'_>) -> Result<(), Complaint> {
    let only = args.stack.as_deref();
    let (local, chosen) = here_and_there(args, console)?;
    let remote = Remote { target: &chosen.target, tenant: &chosen.tenant, patience: Patience::NONE };
    let mut all = Vec::new();
    for row in compared(&local, &remote, only, console)? {
        if row.state == State::Same {
            continue;
        }
        let here = local.stacks.iter().find(|(stack, _)| stack.as_str() == row.stack);
        let after = here.map(|(_, stack)| stack.files.clone()).unwrap_or_default();
        let before = match row.active.version {
            Some(version) => remote.files(&row.stack, version, console)?,
            None => Vec::new(),
        };
        let files = differing(&before, &after);
        if !args.space.json {
            for (path, lines) in &files {
                console.print(&format!("{}/{path}", row.stack))?;
                lines.iter().try_for_each(|line| console.print(&format!("  {line}")))?;
            }
            match row.state {
                State::Ops => {
                    console.print(&format!("{}: an op that it calls was pushed since", row.stack))?
                }
                State::There => console.note(&format!("{}: apply leaves what is only there", row.stack)),
                State::Same | State::New | State::Changed => {}
            }
        }
        let files: Vec<Value> =
            files.into_iter().map(|(path, lines)| json!({ "path": path, "lines": lines })).collect();
        all.push(json!({ "stack": row.stack, "version": row.active.version, "files": files }));
    }
    if args.space.json {
        return console.print(&json!(all).to_string());
    }
    if all.is_empty() { console.print("no differences") } else { Ok(()) }
}

/// The files that are other, each with its lines.
fn differing(before: &[StackFile], after: &[StackFile]) -> Vec<(String, Vec<String>)> {
    let texts = |files: &[StackFile]| -> BTreeMap<String, String> {
        files.iter().map(|file| (file.path.clone(), file.content.clone())).collect()
    };
    let (before, mut after) = (texts(before), texts(after));
    let mut all = Vec::new();
    for (path, old) in before {
        let new = after.remove(&path).unwrap_or_default();
        if old != new {
            all.push((path, changed(&old, &new)));
        }
    }
    all.extend(after.into_iter().map(|(path, new)| (path, changed("", &new))));
    all.sort();
    all
}
