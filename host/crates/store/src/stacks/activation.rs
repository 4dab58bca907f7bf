//! A version becomes the active one, whole, or nothing changes.

use model::{StackName, TenantId};
use rusqlite::Connection;

use super::rows::{self, VersionRow};
use super::{Pin, VersionStatus, manifest_of};
use crate::chain::{By, Deed};
use crate::error::Error;
use crate::refusal::StackRefusal;
use crate::store::{Store, Writing};

/// What is to become active, as it was looked at before.
#[derive(Debug, Clone, Copy)]
pub struct Activation<'a> {
    /// The version.
    pub number: u32,
    /// The manifest of the version that was checked: another is not activated.
    pub manifest: &'a str,
    /// The manifest of the active version, when somebody looked; empty for none.
    pub active: Option<&'a str>,
    /// The components that its rules call. Those of a version that was active before stay
    /// what they were.
    pub pins: &'a [Pin],
    /// Its rules, as the Go chassis reads them.
    pub rules: &'a [RuleRow<'a>],
}

/// A rule for the Go chassis's table.
#[derive(Debug, Clone, Copy)]
pub struct RuleRow<'a> {
    /// Its scope.
    pub scope: u32,
    /// Its name.
    pub name: &'a str,
    /// Its text.
    pub text: &'a str,
}

/// What an activation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Activated {
    /// The version that was active before.
    pub prior: Option<u32>,
    /// Whether it was active already.
    pub unchanged: bool,
}

impl Store {
    /// Makes a version the active one of its stack, if it and what is active are still what
    /// was looked at. One transaction, with its row of the audit.
    ///
    /// # Errors
    /// [`StackRefusal`]: no such stack or version, revoked, [`StackRefusal::ManifestChanged`],
    /// [`StackRefusal::ActiveChanged`], [`StackRefusal::OpChanged`]; or of the database.
    pub fn activate(
        &self,
        tenant: &TenantId,
        name: &StackName,
        activation: &Activation<'_>,
        by: By<'_>,
    ) -> Result<Activated, Error> {
        self.write(|writing: &Writing<'_>| {
            let transaction = writing.transaction;
            let number = activation.number;
            let stack = rows::stack(transaction, tenant, name)?;
            let version = rows::version(transaction, &stack, number)?;
            if version.record.status == VersionStatus::Revoked {
                return Err(Error::Stack(StackRefusal::Revoked(number)));
            }
            // Computed, not read: what is activated is what its files are.
            let manifest = manifest_of(&rows::files(transaction, version.id)?).to_string();
            if manifest != activation.manifest {
                return Err(Error::Stack(StackRefusal::ManifestChanged { number, found: manifest }));
            }
            let before = rows::active(transaction, &stack)?;
            let found = before.as_ref().map_or("", |before| before.record.manifest.as_str());
            if activation.active.is_some_and(|expected| expected != found) {
                let found = found.to_owned();
                return Err(Error::Stack(StackRefusal::ActiveChanged { found }));
            }
            pin(transaction, tenant, &version, activation.pins)?;
            let prior = before.as_ref().map(|before| before.record.number);
            let unchanged = prior == Some(number) && is_ours(transaction, version.id)?;
            if unchanged {
                return Ok(Activated { prior, unchanged });
            }
            if let Some(before) = &before {
                supersede(writing, tenant, name, before)?;
            }
            flip(writing, &stack.id, version.id, &manifest)?;
            materialise(transaction, tenant, name, activation.rules)?;
            writing.changed('+', &state(tenant, name, number, &manifest));
            let again = version.record.status != VersionStatus::Draft;
            let action = if again { "stack.rollback" } else { "stack.activate" };
            let deed = Deed::new(by, action, tenant.as_str(), name.as_str()).fact("version", number);
            let deed = deed.fact("manifest", manifest.as_str());
            let deed = prior.map_or_else(|| deed.clone(), |prior| deed.clone().fact("prior", prior));
            writing.record(&deed)?;
            Ok(Activated { prior, unchanged })
        })
    }

    /// Lets no version of a stack be active; its versions stay. Says which was.
    ///
    /// # Errors
    /// [`StackRefusal::NoStack`], [`StackRefusal::NothingActive`], or of the database.
    pub fn deactivate(&self, tenant: &TenantId, name: &StackName, by: By<'_>) -> Result<u32, Error> {
        self.write(|writing: &Writing<'_>| {
            let transaction = writing.transaction;
            let stack = rows::stack(transaction, tenant, name)?;
            let before = rows::active(transaction, &stack)?;
            let before = before.ok_or(Error::Stack(StackRefusal::NothingActive))?;
            supersede(writing, tenant, name, &before)?;
            let sql = "UPDATE stacks SET active_version = NULL WHERE stack_id = ?1";
            transaction.execute(sql, [&stack.id]).map_err(Error::of)?;
            materialise(transaction, tenant, name, &[])?;
            let deed = Deed::new(by, "stack.deactivate", tenant.as_str(), name.as_str());
            writing.record(&deed.fact("version", before.record.number))?;
            Ok(before.record.number)
        })
    }
}

/// The line of the audited state that says which version of a stack is active.
fn state(tenant: &TenantId, name: &StackName, number: u32, manifest: &str) -> String {
    format!("stack {tenant} {name} {number} {manifest}")
}

pub(super) fn is_ours(connection: &Connection, version: i64) -> Result<bool, Error> {
    let sql = "SELECT EXISTS (SELECT 1 FROM txco_activated WHERE version_id = ?1)";
    let mut statement = connection.prepare_cached(sql).map_err(Error::of)?;
    statement.query_row([version], |row| row.get(0)).map_err(Error::of)
}

/// Pins a version, unless it was pinned when it was active before. The digests are those of
/// the tenant's ops in this very transaction, or the version was not checked with them.
fn pin(connection: &Connection, tenant: &TenantId, version: &VersionRow, pins: &[Pin]) -> Result<(), Error> {
    let mut expected = pins.to_vec();
    expected.sort();
    if is_ours(connection, version.id)? {
        let changed = |pin: &Pin| Error::Stack(StackRefusal::OpChanged(pin.name.to_string()));
        let there = rows::pins(connection, version.id)?;
        return match expected.iter().find(|pin| !there.contains(pin)) {
            Some(pin) => Err(changed(pin)),
            None => Ok(()),
        };
    }
    let sql = "INSERT INTO txco_version_ops (version_id, name, delivery, digest, signature)
               SELECT ?1, name, delivery, digest, signature FROM txco_op_builds
               WHERE tenant_id = ?2 AND name = ?3 AND delivery = ?4 AND digest = ?5";
    for pin in &expected {
        let digest = pin.digest.to_string();
        let row = (version.id, tenant.as_str(), pin.name.as_str(), pin.delivery.word(), digest);
        if connection.execute(sql, row).map_err(Error::of)? != 1 {
            return Err(Error::Stack(StackRefusal::OpChanged(pin.name.to_string())));
        }
    }
    Ok(())
}

fn supersede(
    writing: &Writing<'_>,
    tenant: &TenantId,
    name: &StackName,
    before: &VersionRow,
) -> Result<(), Error> {
    let sql = "UPDATE stack_versions SET status = 'superseded' WHERE version_id = ?1";
    writing.transaction.execute(sql, [before.id]).map_err(Error::of)?;
    if is_ours(writing.transaction, before.id)? {
        writing.changed('-', &state(tenant, name, before.record.number, &before.record.manifest));
    }
    Ok(())
}

fn flip(writing: &Writing<'_>, stack: &str, version: i64, manifest: &str) -> Result<(), Error> {
    let transaction = writing.transaction;
    let sql = "UPDATE stack_versions SET status = 'active', activated_at = ?2, manifest_hash = ?3
               WHERE version_id = ?1";
    transaction.execute(sql, (version, writing.time(), manifest)).map_err(Error::of)?;
    let sql = "INSERT INTO txco_activated (version_id, manifest_hash) VALUES (?1, ?2)
               ON CONFLICT DO UPDATE SET manifest_hash = ?2";
    transaction.execute(sql, (version, manifest)).map_err(Error::of)?;
    let sql = "UPDATE stacks SET active_version = ?2 WHERE stack_id = ?1";
    transaction.execute(sql, (stack, version)).map_err(Error::of)?;
    Ok(())
}

/// Puts the rules where the Go chassis reads them. Its table has no two rules of one scope
/// with the same text; the second is left out, and only there.
fn materialise(
    connection: &Connection,
    tenant: &TenantId,
    name: &StackName,
    rules: &[RuleRow<'_>],
) -> Result<(), Error> {
    let sql = "DELETE FROM ops WHERE tenant_id = ?1 AND stack = ?2";
    connection.execute(sql, (tenant.as_str(), name.as_str())).map_err(Error::of)?;
    let sql = "INSERT OR IGNORE INTO ops (stack, scope, name, txcl, tenant_id) VALUES (?1, ?2, ?3, ?4, ?5)";
    let mut insert = connection.prepare_cached(sql).map_err(Error::of)?;
    for rule in rules {
        let row = (name.as_str(), rule.scope, rule.name, rule.text, tenant.as_str());
        insert.execute(row).map_err(Error::of)?;
    }
    Ok(())
}
