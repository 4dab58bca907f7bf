//! `txco pull [STACK]`: what a chassis has becomes what lies in a workspace, every file whole and nothing lost.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use chassis::{Operations, rule_place};
use model::StackName;
use serde_json::json;
use store::StackFile;
use tempfile::NamedTempFile;

use super::SpaceFlags;
use super::compare::chosen;
use super::local::MOCKS;
use super::patience::Patience;
use super::remote::Remote;
use super::versions::numbered;
use crate::cli::dev::workspace;
use crate::cli::output::{Complaint, Console};

/// The arguments of `txco pull`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct PullArgs {
    /// Only this stack [default: every stack that is active]
    #[arg(value_name = "STACK")]
    stack: Option<String>,
    /// This version of it [default: the active one]
    #[arg(long, value_name = "VERSION", requires = "stack")]
    version: Option<String>,
    #[command(flatten)]
    pub(super) space: SpaceFlags,
    /// Replace files that are other here
    #[arg(long)]
    force: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// A stack as it comes.
struct Pulled {
    stack: StackName,
    version: u64,
    /// New here.
    new: Vec<StackFile>,
    /// Other here.
    other: Vec<StackFile>,
    /// The same here.
    same: usize,
}

/// Looks at everything first; when something would be lost, nothing is written.
pub(super) fn run(args: &PullArgs, console: &mut Console<'_>) -> Result<(), Complaint> {
    let asked = args.version.as_deref().map(numbered).transpose()?;
    let dir = args.space.workspace.clone().unwrap_or_else(|| PathBuf::from("."));
    // Where there is no workspace yet, one begins.
    let found = workspace(&dir).ok();
    let flags =
        SpaceFlags { workspace: found.clone(), tenant: args.space.tenant.clone(), json: args.space.json };
    let folder = found.unwrap_or(dir);
    let chosen = chosen(&flags, console)?;
    chosen.target.may_read()?;
    let remote = Remote { target: &chosen.target, tenant: &chosen.tenant, patience: Patience::NONE };
    let mut active = remote.active(console)?;
    let wanted: BTreeMap<String, u64> = match &args.stack {
        Some(stack) => {
            let nothing =
                || Complaint::failed(format!("nothing of {stack} is active (txco versions {stack})"));
            let version = asked.or_else(|| active.remove(stack)?.version).ok_or_else(nothing)?;
            BTreeMap::from([(stack.clone(), version)])
        }
        None => active.into_iter().filter_map(|(stack, active)| Some((stack, active.version?))).collect(),
    };
    if wanted.is_empty() {
        return Err(Complaint::failed("nothing is active there"));
    }
    let mut all = Vec::new();
    for (name, version) in wanted {
        let stack = StackName::parse(&name)
            .map_err(|error| Complaint::failed(format!("{name} is no name of a stack: {}", error.rule)))?;
        let files = remote.files(&name, version, console)?;
        all.push(compared(&folder, stack, version, (files, &chosen.operations), console)?);
    }
    let lost: Vec<_> =
        all.iter().flat_map(|one| one.other.iter().map(|file| shown(&one.stack, &file.path))).collect();
    if !lost.is_empty() && !args.force {
        for path in &lost {
            console.note(&format!("{path} is other here"));
        }
        return Err(Complaint::failed(
            "nothing is written: `txco diff` shows the differences, --force replaces the files",
        ));
    }
    if !args.dry_run {
        write(&folder, &all)?;
    }
    tell(args, &all, console)
}

/// What of a version is not here, or other.
fn compared(
    folder: &Path,
    stack: StackName,
    version: u64,
    (files, operations): (Vec<StackFile>, &Operations),
    console: &mut Console<'_>,
) -> Result<Pulled, Complaint> {
    let mut pulled = Pulled { stack, version, new: Vec::new(), other: Vec::new(), same: 0 };
    for file in files {
        // A chassis is not trusted with where its files go.
        if !belongs(&pulled.stack, &file.path) {
            console.note(&format!("{}/{} is not pulled: no rule and no mock", pulled.stack, file.path));
            continue;
        }
        let path = folder.join(shown(&pulled.stack, &file.path));
        // What was applied has addresses where the file here has names.
        let applied = |here: &[u8]| {
            let beside = path.parent().unwrap_or(folder);
            str::from_utf8(here).is_ok_and(|here| operations.put_in(here, beside) == file.content)
        };
        match fs::read(&path) {
            Ok(here) if here == file.content.as_bytes() || applied(&here) => pulled.same += 1,
            Ok(_) => pulled.other.push(file),
            Err(error) if error.kind() == ErrorKind::NotFound => pulled.new.push(file),
            Err(error) => return Err(Complaint::failed(format!("{}: {error}", path.display()))),
        }
    }
    Ok(pulled)
}

/// Whether a workspace has a place for the file.
fn belongs(stack: &StackName, path: &str) -> bool {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let as_rule = if MOCKS.contains(&file) { format!("{folder}/mock.txcl") } else { path.to_owned() };
    !path.contains(['\\', '\0']) && rule_place(stack, &as_rule).is_ok()
}

fn shown(stack: &StackName, path: &str) -> String {
    format!("OPS/{stack}/{path}")
}

/// Every file is on the disk, under another name, before the first takes its place. When one cannot take it, those that
/// did give theirs back: all is written or nothing. A kill in between leaves whole files, of the old and the new ones.
fn write(folder: &Path, all: &[Pulled]) -> Result<(), Complaint> {
    // Goes after what lies in them.
    let mut made = Folders::default();
    let mut ready: Vec<(NamedTempFile, PathBuf)> = Vec::new();
    for one in all {
        for file in one.new.iter().chain(&one.other) {
            let path = folder.join(shown(&one.stack, &file.path));
            let failed = |error: std::io::Error| {
                Complaint::failed(format!("{}: {error}; nothing is replaced", path.display()))
            };
            // What a link leads to is replaced, not the link.
            let path = path.canonicalize().unwrap_or_else(|_| path.clone());
            let parent = path.parent().unwrap_or(folder);
            made.make(parent).map_err(failed)?;
            let mut new =
                tempfile::Builder::new().prefix(".txco-pull-").tempfile_in(parent).map_err(failed)?;
            new.write_all(file.content.as_bytes()).map_err(failed)?;
            new.as_file().set_permissions(mode(&path)).map_err(failed)?;
            new.as_file().sync_all().map_err(failed)?;
            ready.push((new, path));
        }
    }
    let mut done: Vec<(PathBuf, Option<NamedTempFile>)> = Vec::new();
    for (new, path) in ready {
        let put = kept(&path).and_then(|old| new.persist(&path).map(|_| old).map_err(|error| error.error));
        match put {
            Ok(old) => done.push((path, old)),
            Err(error) => return Err(given_back(done, &path, &error)),
        }
    }
    made.stay();
    Ok(())
}

/// What a file has now, beside it under another name; nothing when there is none.
fn kept(path: &Path) -> std::io::Result<Option<NamedTempFile>> {
    let parent = path.parent().unwrap_or(path);
    match fs::File::open(path) {
        Ok(mut now) => {
            let mut old = tempfile::Builder::new().prefix(".txco-pull-").tempfile_in(parent)?;
            std::io::copy(&mut now, &mut old)?;
            old.as_file().set_permissions(mode(path))?;
            Ok(Some(old))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Puts everything back as it was, because `path` cannot be written.
fn given_back(done: Vec<(PathBuf, Option<NamedTempFile>)>, path: &Path, why: &std::io::Error) -> Complaint {
    let mut lost = Vec::new();
    for (path, old) in done.into_iter().rev() {
        let back = match old {
            Some(old) => old.persist(&path).map(drop).map_err(|error| error.error),
            None => fs::remove_file(&path),
        };
        if back.is_err() {
            lost.push(path.display().to_string());
        }
    }
    let told = match lost.as_slice() {
        [] => "nothing is written".to_owned(),
        lost => format!("these are new already and could not be put back: {}", lost.join(", ")),
    };
    Complaint::failed(format!("{}: {why}; {told}", path.display()))
}

/// Folders that were made, and go again unless they stay.
#[derive(Default)]
struct Folders(Vec<PathBuf>);

impl Folders {
    fn make(&mut self, folder: &Path) -> std::io::Result<()> {
        let missing: Vec<_> =
            folder.ancestors().take_while(|one| !one.exists()).map(Path::to_owned).collect();
        fs::create_dir_all(folder)?;
        self.0.extend(missing.into_iter().rev());
        Ok(())
    }

    fn stay(mut self) {
        self.0.clear();
    }
}

impl Drop for Folders {
    fn drop(&mut self) {
        for folder in self.0.iter().rev() {
            // One that something else lies in now stays.
            let _not_empty = fs::remove_dir(folder);
        }
    }
}

/// That of the file that is replaced, or what rules usually have.
fn mode(path: &Path) -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).map_or_else(|_| fs::Permissions::from_mode(0o644), |facts| facts.permissions())
}

fn tell(args: &PullArgs, all: &[Pulled], console: &mut Console<'_>) -> Result<(), Complaint> {
    if args.space.json {
        let paths = |files: &[StackFile]| files.iter().map(|file| file.path.clone()).collect::<Vec<_>>();
        let list: Vec<_> = all
            .iter()
            .map(|one| {
                json!({
                    "stack": one.stack.as_str(), "version": one.version, "created": paths(&one.new),
                    "replaced": paths(&one.other), "unchanged": one.same,
                })
            })
            .collect();
        return console.print(&json!(list).to_string());
    }
    let would = if args.dry_run { "would be " } else { "" };
    for one in all {
        for (files, word) in [(&one.new, "created"), (&one.other, "replaced")] {
            for file in files {
                console.print(&format!("{would}{word} {}", shown(&one.stack, &file.path)))?;
            }
        }
        let changed = one.new.len() + one.other.len();
        console.print(&format!(
            "{} {} v{} ({changed} written, {} unchanged)",
            if args.dry_run { "·" } else { "✓" },
            one.stack,
            one.version,
            one.same
        ))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, content: &str) -> StackFile {
        StackFile { path: path.to_owned(), content: content.to_owned() }
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn when_one_file_cannot_be_written_none_is() {
        let space = tempfile::tempdir().unwrap();
        let at = space.path().join("OPS/web/100");
        fs::create_dir_all(&at).unwrap();
        fs::write(at.join("a.txcl"), "old").unwrap();
        // A folder is where the last file is to be.
        fs::create_dir_all(at.join("z.txcl/in")).unwrap();
        let pulled = |last: &str| Pulled {
            stack: StackName::parse("web").unwrap(),
            version: 1,
            new: vec![file("200/n.txcl", "n"), file(last, "z")],
            other: vec![file("100/a.txcl", "new")],
            same: 0,
        };
        let mut one = pulled("100/z.txcl");
        one.other.push(one.new.pop().unwrap());
        let refused = write(space.path(), &[one]).unwrap_err();
        assert!(
            refused.message.contains("z.txcl") && refused.message.ends_with("nothing is written"),
            "{refused:?}"
        );
        assert_eq!(fs::read_to_string(at.join("a.txcl")).unwrap(), "old");
        assert_eq!(
            (names(&at), names(&space.path().join("OPS/web"))),
            (vec!["a.txcl".into(), "z.txcl".into()], vec!["100".into()])
        );

        write(space.path(), &[pulled("100/y.txcl")]).unwrap();
        assert_eq!(fs::read_to_string(at.join("a.txcl")).unwrap(), "new");
        assert_eq!(names(&at), ["a.txcl", "y.txcl", "z.txcl"]);
        assert_eq!(fs::read_to_string(space.path().join("OPS/web/200/n.txcl")).unwrap(), "n");
    }
}
