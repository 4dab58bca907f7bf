//! The deeds that a child does, and what they make of a database.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use rusqlite::Connection;
use tempfile::TempDir;
use txco_vault::{By, Error, KeyRing, SchemeOne, Terms, Vault};

use crate::house::{State, copied, key, left, name, on, open, open_under, rewrapped, tenant, value};

fn about(description: &'static str) -> Terms<'static> {
    Terms { description: Some(description), ..Terms::of(By::Open) }
}

const GO_DATABASE: &str = include_str!("../../../../../tests/vectors/store/go-runtime.sql");

/// What a deed finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// No database.
    Nothing,
    /// One of the Go chassis.
    Go,
    /// One of ours, with three secrets and an old key.
    Ours,
}

type Act = fn(&Vault) -> Result<(), Error>;

/// A deed: what it is called, what it finds, and how it is done to an open vault; nothing is
/// done beyond opening where opening itself is the deed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deed {
    pub(crate) name: &'static str,
    pub(crate) found: Found,
    act: Option<Act>,
}

pub(crate) const DEEDS: &[Deed] = &[
    Deed { name: "first start", found: Found::Nothing, act: None },
    Deed { name: "arrival", found: Found::Go, act: None },
    Deed { name: "create", found: Found::Ours, act: Some(create) },
    Deed { name: "set", found: Found::Ours, act: Some(set) },
    Deed { name: "rotate", found: Found::Ours, act: Some(rotate) },
    Deed { name: "describe", found: Found::Ours, act: Some(describe) },
    Deed { name: "revoke", found: Found::Ours, act: Some(revoke) },
    Deed { name: "import", found: Found::Ours, act: Some(import) },
    Deed { name: "rewrap", found: Found::Ours, act: Some(rewrap) },
    Deed { name: "upgrade", found: Found::Go, act: Some(upgrade) },
];

/// Not among the deeds that are killed: it needs a revoked secret.
const AGAIN: Deed = Deed { name: "create again", found: Found::Ours, act: Some(create_again) };

fn create_again(vault: &Vault) -> Result<(), Error> {
    on("shop", "PASSWORD", |address| vault.create(address, &Terms::of(By::Open), value("made again")))
        .map(drop)
}

fn create(vault: &Vault) -> Result<(), Error> {
    on("shop", "FRESH", |address| vault.create(address, &about("new"), value("fresh"))).map(drop)
}

fn set(vault: &Vault) -> Result<(), Error> {
    on("", "PASSWORD", |address| vault.set(address, &about("changed"), value("second"))).map(drop)
}

/// A value of many pages, so that the change is many writes.
fn rotate(vault: &Vault) -> Result<(), Error> {
    on("shop", "PASSWORD", |address| {
        vault.rotate(address, &Terms::of(By::Open), value(&"long ".repeat(6000)))
    })
    .map(drop)
}

fn describe(vault: &Vault) -> Result<(), Error> {
    on("", "PASSWORD", |address| vault.describe(address, By::Open, "what for")).map(drop)
}

fn revoke(vault: &Vault) -> Result<(), Error> {
    on("shop", "PASSWORD", |address| vault.revoke(address, By::Open)).map(drop)
}

fn import(vault: &Vault) -> Result<(), Error> {
    let pairs = [("USER", "somebody else"), ("PASSWORD", "of somebody else"), ("FRESH", "fresh")];
    let values = pairs.map(|(secret, text)| (name(secret), value(text))).into_iter().collect();
    vault.import(&tenant(), None, &Terms::of(By::Open), values).map(drop)
}

fn rewrap(vault: &Vault) -> Result<(), Error> {
    rewrapped(vault, SchemeOne::Keep)
}

fn upgrade(vault: &Vault) -> Result<(), Error> {
    rewrapped(vault, SchemeOne::Upgrade)
}

impl Deed {
    /// Whether it changes keys and no value.
    pub(crate) fn moves_keys(&self) -> bool {
        matches!(self.name, "rewrap" | "upgrade")
    }

    pub(crate) fn called(name: &str) -> Self {
        *DEEDS.iter().chain([&AGAIN]).find(|deed| deed.name == name).unwrap()
    }

    /// A folder as the deed finds it.
    pub(crate) fn before(&self) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        match self.found {
            Found::Nothing => {}
            Found::Go => {
                let go = Connection::open(folder.path().join("runtime-dev.db")).unwrap();
                go.execute_batch(GO_DATABASE).unwrap();
            }
            Found::Ours => {
                // Under the key that is the old one later.
                let vault = open_under(folder.path(), KeyRing::new(key(0))).ok().unwrap();
                for (stack, secret, text) in [
                    ("", "USER", "somebody"),
                    ("", "PASSWORD", "zeroth"),
                    ("", "PASSWORD", "first"),
                    ("shop", "PASSWORD", "of the shop"),
                ] {
                    on(stack, secret, |address| vault.set(address, &Terms::of(By::Open), value(text)))
                        .unwrap();
                }
            }
        }
        folder
    }

    /// The states before and after the deed.
    pub(crate) fn states(&self, before: &Path) -> (State, State) {
        let was = left(copied(before).path());
        let done = copied(before);
        let child = self.child(done.path(), &[]);
        assert!(acknowledged(&child), "{child:?}");
        let is = left(done.path());
        (was, is)
    }

    /// Does the deed in a child process.
    pub(crate) fn child(&self, folder: &Path, environment: &[(&'static str, String)]) -> Output {
        Command::new(std::env::current_exe().unwrap())
            .env("DEED", self.name)
            .env("FOLDER", folder)
            .envs(environment.iter().cloned())
            .output()
            .unwrap()
    }
}

/// Whether a child said that its deed was done.
pub(crate) fn acknowledged(child: &Output) -> bool {
    child.stdout == b"done\n"
}

/// The child: opens the database, does its deed and says so. What it fails with it says on
/// standard output, and tries again when the faults are over.
pub(crate) fn child(deed: &str) {
    let (deed, folder) = (Deed::called(deed), std::env::var("FOLDER").unwrap());
    let folder = Path::new(&folder);
    let say = |text: &str| {
        let mut out = std::io::stdout();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).unwrap();
    };
    // Outside of the database's folder, whose files are looked at.
    let marks = tempfile::tempdir().unwrap();
    for mark in ["faults-begin", "faults-end"] {
        fs::write(marks.path().join(mark), "").unwrap();
    }
    let mark = |name: &str| fs::remove_file(marks.path().join(name)).unwrap();
    let attempt = |vault: Option<Vault>| -> Result<(), Error> {
        let vault = vault.map_or_else(|| open(folder), Ok)?;
        if let Some(act) = deed.act {
            act(&vault)?;
        }
        // Closing is part of it: the write-ahead log goes into the database.
        say("done\n");
        drop(vault);
        Ok(())
    };
    let opened = deed.act.map(|_| open(folder).ok().unwrap());
    mark("faults-begin");
    if let Err(error) = attempt(opened) {
        mark("faults-end");
        say(&format!("{error}\n"));
        if let Err(error) = attempt(None) {
            say(&format!("{error}\n"));
        }
    }
}
