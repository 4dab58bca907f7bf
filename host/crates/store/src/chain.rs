//! The audit chain: each row carries the hash of the one before it, and a seal.
//!
//! The hash makes a row's place and its forerunners unchangeable, the seal says that a
//! holder of the audit key wrote it. This room has no key: the seal is somebody else's
//! ([`AuditSeal`]). Any database file can have a chain; it needs the tables of migration 40
//! and a query for the state that its rows explain.

use std::collections::BTreeSet;
use std::fmt;

use rusqlite::{Connection, OptionalExtension as _, Row};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::error::Error;
use crate::row::{SecretAddress, WRAPPED_DEK_BYTES};

/// The state that the rows of this database's chain explain, one line for each thing.
pub(crate) const STATE: &str = "
    SELECT 'tenant ' || tenant_id || ' ' || slug FROM tenants WHERE revoked_at IS NULL
    UNION ALL
    SELECT CASE WHEN revoked_at IS NULL THEN 'secret ' ELSE 'revoked ' END || secret_id || ' ' || tenant_id
           || ' ' || COALESCE(NULLIF(stack, ''), '-') || ' ' || name FROM tenant_secrets
    UNION ALL
    SELECT 'version ' || secret_id || ' ' || version_no FROM tenant_secret_versions
    UNION ALL
    SELECT 'op ' || tenant_id || ' ' || name || ' ' || delivery || ' ' || digest FROM txco_op_builds
    UNION ALL
    SELECT 'stack ' || s.tenant_id || ' ' || s.name || ' ' || v.version_number || ' ' || a.manifest_hash
    FROM stacks s JOIN stack_versions v ON v.stack_id = s.stack_id AND v.version_id = s.active_version
    JOIN txco_activated a ON a.version_id = v.version_id";

/// The same for the actor database: who could do what, with which keys.
pub(crate) const PEOPLE: &str = "
    SELECT CASE WHEN COALESCE(revoked_at, '') = '' THEN 'actor ' ELSE 'revoked ' END || actor_id
           || CASE WHEN super_admin = 0 THEN '' ELSE ' super_admin' END FROM actors
    UNION ALL
    SELECT 'key ' || key_id || ' ' || actor_id || ' ' || lower(hex(public_key)) FROM actor_keys
    WHERE COALESCE(revoked_at, '') = ''
    UNION ALL
    SELECT 'member ' || actor_id || ' ' || tenant_id || ' ' || capabilities_json FROM actor_memberships
    WHERE COALESCE(revoked_at, '') = ''
    UNION ALL
    SELECT 'invitation ' || invitation_id || ' ' || COALESCE(tenant_id, '') || ' ' || capabilities || ' ' || token_hash
    FROM actor_invitations WHERE COALESCE(consumed_at, '') = '' AND COALESCE(revoked_at, '') = ''";

/// All lines of a state.
pub(crate) fn lines(connection: &Connection, state: &str) -> Result<BTreeSet<String>, Error> {
    let mut statement = connection.prepare_cached(state).map_err(Error::of)?;
    let lines = statement.query_map([], |row| row.get(0)).map_err(Error::of)?;
    lines.collect::<rusqlite::Result<_>>().map_err(Error::of)
}

/// Who does something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By<'a> {
    /// Whoever works on this machine, while nobody is enrolled (R32).
    Open,
    /// Whoever knows the administrator's name and password.
    Basic,
    /// An enrolled actor.
    Actor(&'a str),
    /// Whoever can use the chassis's files: a command without a chassis.
    Local,
    /// The chassis itself.
    Chassis,
}

impl<'a> By<'a> {
    /// How it is called in the log and in the audit.
    #[must_use]
    pub const fn label(self) -> &'a str {
        match self {
            Self::Open => "open",
            Self::Basic => "basic",
            Self::Actor(id) => id,
            Self::Local => "local",
            Self::Chassis => "chassis",
        }
    }

    /// What a row remembers as its author: an actor, or nobody.
    #[must_use]
    pub const fn author(self) -> Option<&'a str> {
        match self {
            Self::Actor(id) => Some(id),
            Self::Open | Self::Basic | Self::Local | Self::Chassis => None,
        }
    }
}

/// Something that somebody did or was refused, for the audit. Never holds a value.
#[derive(Debug, Clone)]
pub struct Deed<'a> {
    by: By<'a>,
    action: &'a str,
    tenant: &'a str,
    subject: &'a str,
    outcome: &'a str,
    facts: Map<String, Value>,
}

impl<'a> Deed<'a> {
    /// `by` did `action` to `subject` (a name; `-` for none) of `tenant` (an id; `-` for none).
    #[must_use]
    pub fn new(by: By<'a>, action: &'a str, tenant: &'a str, subject: &'a str) -> Self {
        Self { by, action, tenant, subject, outcome: "ok", facts: Map::new() }
    }

    /// `by` did `action` to the secret at `address`.
    #[must_use]
    pub fn on_secret(by: By<'a>, action: &'a str, address: &SecretAddress<'a>) -> Self {
        let deed = Self::new(by, action, address.tenant.as_str(), address.name.as_str());
        match address.stack {
            Some(stack) => deed.fact("stack", stack.as_str()),
            None => deed,
        }
    }

    /// How it ended, when not well: a code.
    #[must_use]
    pub const fn outcome(mut self, outcome: &'a str) -> Self {
        self.outcome = outcome;
        self
    }

    /// One thing more that is worth knowing.
    #[must_use]
    pub fn fact(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.facts.insert(name.to_owned(), value.into());
        self
    }
}

/// What authenticates rows: a key that this room never sees.
pub trait AuditSeal: Send + Sync {
    /// The key's name.
    fn key(&self) -> &str;
    /// The seal over a row.
    fn seal(&self, row: &[u8]) -> [u8; 32];
}

/// The end of a chain: a row's number and hash. Who keeps one elsewhere notices when a
/// chain was cut or written anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The number.
    pub seq: u64,
    /// The hash.
    pub hash: [u8; 32],
}

impl Head {
    /// Reads `SEQ:HASH`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (seq, hex) = text.split_once(':')?;
        Some(Self { seq: seq.parse().ok()?, hash: model::unhex(hex)?.try_into().ok()? })
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.seq)?;
        self.hash.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A row as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Its number: 1, 2, 3 …
    pub seq: u64,
    /// When it was written (RFC 3339, UTC, seconds).
    pub at: String,
    /// Who did it.
    pub actor: String,
    /// The tenant's identifier; `-` for none.
    pub tenant_id: String,
    /// What was done.
    pub action: String,
    /// The name of what it was done to; `-` for none.
    pub subject: String,
    /// `ok`, or a code.
    pub outcome: String,
    /// The rest, as a JSON object.
    pub detail: String,
    /// The hash of the row before; zeros in the first.
    pub previous: Vec<u8>,
    /// The key of the seal.
    pub audit_key: Option<String>,
    /// The seal; none when the secret store was off.
    pub seal: Option<Vec<u8>>,
}

impl AuditRow {
    /// What is sealed: every column, each with its length before it, so that no text can
    /// move from one into the next.
    #[must_use]
    pub fn sealed(&self) -> Vec<u8> {
        let mut bytes = b"txco/audit/row/1".to_vec();
        bytes.extend_from_slice(&self.seq.to_be_bytes());
        let key = self.audit_key.as_deref().unwrap_or_default();
        let texts = [&self.at, &self.actor, &self.tenant_id, &self.action, &self.subject, &self.outcome];
        let texts = texts.into_iter().map(String::as_bytes);
        for part in texts.chain([self.detail.as_bytes(), &self.previous, key.as_bytes()]) {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part);
        }
        bytes
    }

    /// Its number and the hash that the next row carries, over the seal too.
    #[must_use]
    pub fn head(&self) -> Head {
        let mut hash = Sha256::new();
        hash.update(self.sealed());
        hash.update(self.seal.as_deref().unwrap_or_default());
        Head { seq: self.seq, hash: hash.finalize().into() }
    }
}

/// An audit key as it is stored, wrapped by a master key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditKeyRow {
    /// The audit key's name.
    pub audit_key: String,
    /// The id of the master key that wraps it.
    pub key_id: String,
    /// The nonce of the wrapping.
    pub nonce: Vec<u8>,
    /// The wrapped key, tag last.
    pub wrapped: [u8; WRAPPED_DEK_BYTES],
}

/// The columns of a row, in the order that [`row`] reads.
pub(crate) const COLUMNS: &str =
    "seq, at, actor, tenant_id, action, subject, outcome, detail, previous, audit_key, seal";

pub(crate) fn row(row: &Row<'_>) -> rusqlite::Result<AuditRow> {
    Ok(AuditRow {
        seq: row.get::<_, i64>(0)?.unsigned_abs(),
        at: row.get(1)?,
        actor: row.get(2)?,
        tenant_id: row.get(3)?,
        action: row.get(4)?,
        subject: row.get(5)?,
        outcome: row.get(6)?,
        detail: row.get(7)?,
        previous: row.get(8)?,
        audit_key: row.get(9)?,
        seal: row.get(10)?,
    })
}

/// The last row.
pub(crate) fn last(connection: &Connection) -> Result<Option<AuditRow>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM txco_audit ORDER BY seq DESC LIMIT 1");
    let mut statement = connection.prepare_cached(&sql).map_err(Error::of)?;
    statement.query_row([], row).optional().map_err(Error::of)
}

/// Appends a row that tells `deed` and `changes` (lines of `state` with `+` or `-` before
/// them, already made in this transaction). The first row of a chain is preceded by one
/// that tells what was there before.
pub(crate) fn append(
    transaction: &Connection,
    seal: Option<&dyn AuditSeal>,
    at: &str,
    deed: &Deed<'_>,
    changes: &[String],
    state: &str,
) -> Result<Head, Error> {
    let before = match last(transaction)? {
        Some(row) => row.head(),
        None => begin(transaction, seal, at, changes, state)?,
    };
    let mut detail = deed.facts.clone();
    let changes = net(changes);
    if !changes.is_empty() {
        detail.insert("changes".to_owned(), changes.into());
    }
    put(transaction, seal, at, deed, &detail, Some(before))
}

/// Writes down the state that was there before the first row.
pub(crate) fn begin(
    transaction: &Connection,
    seal: Option<&dyn AuditSeal>,
    at: &str,
    changes: &[String],
    state: &str,
) -> Result<Head, Error> {
    let insert = format!("INSERT OR IGNORE INTO txco_audit_baseline (line) {state}");
    transaction.execute(&insert, []).map_err(Error::of)?;
    // What this very transaction did belongs to the row after.
    for change in changes.iter().rev() {
        let (sql, line) = match change.split_at_checked(1) {
            Some(("+", line)) => ("DELETE FROM txco_audit_baseline WHERE line = ?1", line),
            Some((_, line)) => ("INSERT OR IGNORE INTO txco_audit_baseline (line) VALUES (?1)", line),
            None => continue,
        };
        transaction.execute(sql, [line]).map_err(Error::of)?;
    }
    let (lines, digest) = baseline(transaction, |_| {})?;
    let detail = json!({ "lines": lines, "digest": digest });
    let detail = detail.as_object().cloned().unwrap_or_default();
    put(transaction, seal, at, &Deed::new(By::Chassis, "audit.begin", "-", "-"), &detail, None)
}

/// How many lines the baseline has, and its digest; shows each to `visit`.
pub(crate) fn baseline(connection: &Connection, mut visit: impl FnMut(&str)) -> Result<(u64, String), Error> {
    let sql = "SELECT line FROM txco_audit_baseline ORDER BY line";
    let mut statement = connection.prepare(sql).map_err(Error::of)?;
    let mut rows = statement.query([]).map_err(Error::of)?;
    let (mut lines, mut hash) = (0, Sha256::new());
    while let Some(row) = rows.next().map_err(Error::of)? {
        let line: String = row.get(0).map_err(Error::of)?;
        hash.update(line.as_bytes());
        hash.update(b"\n");
        visit(&line);
        lines += 1;
    }
    let digest = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((lines, digest))
}

/// The changes without those that undo each other.
fn net(changes: &[String]) -> Vec<String> {
    let mut net: Vec<String> = Vec::new();
    for change in changes {
        let undone = net
            .iter()
            .position(|other| other.get(..1) != change.get(..1) && other.get(1..) == change.get(1..));
        match undone {
            Some(at) => drop(net.remove(at)),
            None => net.push(change.clone()),
        }
    }
    net
}

fn put(
    transaction: &Connection,
    seal: Option<&dyn AuditSeal>,
    at: &str,
    deed: &Deed<'_>,
    detail: &Map<String, Value>,
    before: Option<Head>,
) -> Result<Head, Error> {
    let seq = before.map_or(0, |head| head.seq).checked_add(1);
    let mut row = AuditRow {
        seq: seq.ok_or(Error::Row { table: "txco_audit" })?,
        at: at.to_owned(),
        actor: deed.by.label().to_owned(),
        tenant_id: deed.tenant.to_owned(),
        action: deed.action.to_owned(),
        subject: deed.subject.to_owned(),
        outcome: deed.outcome.to_owned(),
        detail: serde_json::to_string(detail).map_err(|_| Error::Row { table: "txco_audit" })?,
        previous: before.map_or([0; 32], |head| head.hash).to_vec(),
        audit_key: seal.map(|seal| seal.key().to_owned()),
        seal: None,
    };
    row.seal = seal.map(|seal| seal.seal(&row.sealed()).to_vec());
    let sql =
        format!("INSERT INTO txco_audit ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)");
    let mut statement = transaction.prepare_cached(&sql).map_err(Error::of)?;
    let columns = rusqlite::params![
        i64::try_from(row.seq).unwrap_or(i64::MAX),
        row.at,
        row.actor,
        row.tenant_id,
        row.action,
        row.subject,
        row.outcome,
        row.detail,
        row.previous,
        row.audit_key,
        row.seal,
    ];
    statement.execute(columns).map_err(Error::of)?;
    Ok(row.head())
}

#[cfg(test)]
mod tests;
