//! The audit as it is read: rows, whether the chain holds, and what it does not explain.

use std::collections::{BTreeMap, HashSet};

use model::{Id, TenantId};
use rusqlite::Connection;
use serde_json::Value;

use crate::chain::{self, AuditKeyRow, AuditRow, AuditSeal, By, COLUMNS, Deed, Head, STATE};
use crate::error::Error;
use crate::row::said;
use crate::store::{Store, Writing};

/// How many findings of a kind are told one by one.
const MOST_TOLD: usize = 100;

/// Which rows are asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct AuditFilter<'a> {
    /// Of this tenant.
    pub tenant: Option<&'a TenantId>,
    /// About what has this name.
    pub subject: Option<&'a str>,
    /// Of this action, or of all that begin with it and a dot.
    pub action: Option<&'a str>,
    /// Of this actor.
    pub actor: Option<&'a str>,
    /// Above this number.
    pub after: u64,
}

/// What looking at the whole chain found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// How many rows were read.
    pub rows: u64,
    /// The end of the chain.
    pub head: Option<Head>,
    /// Rows without a seal: written while the secret store was off.
    pub unsealed: u64,
    /// Rows under keys that cannot be opened here, by key.
    pub other_keys: BTreeMap<String, u64>,
    /// What is wrong with the chain.
    pub wrong: Option<Wrong>,
    /// State that the chain does not explain: changed outside txco. At most 100 are told.
    pub unexplained: Vec<String>,
    /// How many there are in all.
    pub unexplained_count: u64,
}

/// What is wrong with a chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// A number is missing, or stands twice.
    #[error("row {seq} is missing")]
    Missing {
        /// The number.
        seq: u64,
    },
    /// A row does not carry the hash of the one before it.
    #[error("row {seq} does not follow the row before it: one of the two was changed")]
    NotLinked {
        /// The later one.
        seq: u64,
    },
    /// A row's seal is not its key's.
    #[error("row {seq} was not written by this chassis: its seal is wrong")]
    NotSealed {
        /// The row.
        seq: u64,
    },
    /// The state before the first row is not what that row says.
    #[error("what was there before the first row is not what that row says")]
    Baseline,
    /// The chain ends before a head that was kept elsewhere.
    #[error("the chain ends at row {last} and once had {seq} rows: it was cut")]
    Cut {
        /// Where it ends.
        last: u64,
        /// The row that was kept.
        seq: u64,
    },
    /// The row of a head that was kept elsewhere is another one.
    #[error("row {seq} is not the row it once was: the chain was written anew")]
    Rewritten {
        /// The row.
        seq: u64,
    },
}

/// A version whose value is the one that was asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The secret.
    pub secret_id: String,
    /// The version.
    pub version_no: u32,
    /// Whose it is; none when its row is gone.
    pub tenant_id: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// The stack it is for.
    pub stack: Option<String>,
    /// When the version was made.
    pub created_at: Option<String>,
    /// When the secret was revoked.
    pub revoked_at: Option<String>,
}

impl Store {
    /// Appends a row that tells something without an effect here: a look, a denial, a use.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn note(&self, deeds: &[Deed<'_>]) -> Result<(), Error> {
        self.write(|writing| deeds.iter().try_for_each(|deed| writing.record(deed).map(drop)))
    }

    /// Begins the chain, unless it has begun: what is there now is its baseline.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn begin_audit(&self) -> Result<(), Error> {
        if self.audit_head()?.is_some() {
            return Ok(());
        }
        self.write(|writing| match chain::last(writing.transaction)? {
            Some(_) => Ok(()),
            None => {
                let (seal, at) = (writing.seal(), writing.time());
                chain::begin(writing.transaction, seal, &at, &[], STATE).map(drop)
            }
        })
    }

    /// The end of the chain.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn audit_head(&self) -> Result<Option<Head>, Error> {
        self.read(|reader| Ok(chain::last(&reader.connection)?.map(|row| row.head())))
    }

    /// The last `most` rows that `filter` lets through, oldest first.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn audit_rows(&self, filter: &AuditFilter<'_>, most: u32) -> Result<Vec<AuditRow>, Error> {
        let mut rows = self.read(|reader| select(&reader.connection, filter, "DESC", most))?;
        rows.reverse();
        Ok(rows)
    }

    /// The first `most` rows that `filter` lets through, oldest first: a page of an export.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn audit_page(&self, filter: &AuditFilter<'_>, most: u32) -> Result<Vec<AuditRow>, Error> {
        self.read(|reader| select(&reader.connection, filter, "ASC", most))
    }

    /// Looks at every row: is the chain whole, are the seals those of `seals`, does it
    /// reach `kept` (a head that somebody kept elsewhere), does it explain what is there?
    ///
    /// # Errors
    /// [`Error`] of the database; what is wrong with the chain is none.
    pub fn verify_audit(&self, seals: &[&dyn AuditSeal], kept: Option<Head>) -> Result<Verdict, Error> {
        self.read(|reader| {
            // One moment: the rows and the state that they explain belong together.
            let moment = reader.connection.unchecked_transaction().map_err(Error::of)?;
            verify(&moment, STATE, seals, kept)
        })
    }

    /// Records the state as it is now, whatever changed it; tells how much the chain did
    /// not explain.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn accept_state(&self, by: By<'_>) -> Result<u64, Error> {
        self.write(|writing| {
            let untold = untold(writing.transaction, STATE)?;
            untold.iter().for_each(|(sign, line)| writing.changed(*sign, line));
            let count = untold.len() as u64;
            if count > 0 {
                writing.record(&Deed::new(by, "audit.accept", "-", "-").fact("count", count))?;
            }
            Ok(count)
        })
    }

    /// The audit keys, oldest first.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn audit_keys(&self) -> Result<Vec<AuditKeyRow>, Error> {
        self.read(|reader| audit_keys(&reader.connection))
    }

    /// The versions whose value has this HMAC.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn seen(&self, mac: &[u8; 32]) -> Result<Vec<Seen>, Error> {
        let sql = "SELECT a.secret_id, a.version_no, s.tenant_id, s.name, s.stack, v.created_at, s.revoked_at
                   FROM txco_audit_values a
                   LEFT JOIN tenant_secrets s ON s.secret_id = a.secret_id
                   LEFT JOIN tenant_secret_versions v
                     ON v.secret_id = a.secret_id AND v.version_no = a.version_no
                   WHERE a.mac = ?1 ORDER BY v.created_at, a.secret_id, a.version_no";
        self.read(|reader| {
            let mut statement = reader.connection.prepare_cached(sql).map_err(Error::of)?;
            let rows = statement.query_map([mac], |row| {
                Ok(Seen {
                    secret_id: row.get(0)?,
                    version_no: row.get(1)?,
                    tenant_id: row.get(2)?,
                    name: row.get(3)?,
                    stack: said(row.get(4)?),
                    created_at: row.get(5)?,
                    revoked_at: row.get(6)?,
                })
            });
            rows.map_err(Error::of)?.collect::<rusqlite::Result<_>>().map_err(Error::of)
        })
    }
}

impl Writing<'_> {
    /// The audit keys, as of this transaction.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn audit_keys(&self) -> Result<Vec<AuditKeyRow>, Error> {
        audit_keys(self.transaction)
    }

    /// Keeps an audit key, newly minted or wrapped anew.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn keep_audit_key(&self, key: &AuditKeyRow) -> Result<(), Error> {
        let sql = "INSERT INTO txco_audit_keys (audit_key, key_id, nonce, wrapped, created_at)
                   VALUES (?1, ?2, ?3, ?4, ?5)
                   ON CONFLICT DO UPDATE SET key_id = ?2, nonce = ?3, wrapped = ?4";
        let row = (&key.audit_key, &key.key_id, &key.nonce, key.wrapped, self.time());
        self.transaction.execute(sql, row).map(drop).map_err(Error::of)
    }

    /// Keeps the HMAC of a version's value, under the audit key called `key`.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn keep_value_mac(
        &self,
        secret: &Id,
        version_no: u32,
        key: &str,
        mac: &[u8; 32],
    ) -> Result<(), Error> {
        let sql = "INSERT OR REPLACE INTO txco_audit_values (secret_id, version_no, audit_key, mac)
                   VALUES (?1, ?2, ?3, ?4)";
        self.run(sql, (secret.as_str(), version_no, key, mac))
    }

    /// Forgets the HMAC of a version's value: it is being destroyed.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn forget_value_mac(&self, secret: &Id, version_no: u32) -> Result<(), Error> {
        let sql = "DELETE FROM txco_audit_values WHERE secret_id = ?1 AND version_no = ?2";
        self.run(sql, (secret.as_str(), version_no))
    }
}

/// The rows that `filter` lets through.
pub(crate) fn select(
    connection: &Connection,
    filter: &AuditFilter<'_>,
    order: &str,
    most: u32,
) -> Result<Vec<AuditRow>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM txco_audit
         WHERE seq > ?1 AND (?2 IS NULL OR tenant_id = ?2) AND (?3 IS NULL OR subject = ?3)
           AND (?4 IS NULL OR action = ?4 OR substr(action, 1, length(?4) + 1) = ?4 || '.')
           AND (?5 IS NULL OR actor = ?5)
         ORDER BY seq {order} LIMIT ?6"
    );
    let tenant = filter.tenant.map(TenantId::as_str);
    let after = i64::try_from(filter.after).unwrap_or(i64::MAX);
    let asked = (after, tenant, filter.subject, filter.action, filter.actor, most);
    let mut statement = connection.prepare_cached(&sql).map_err(Error::of)?;
    let rows = statement.query_map(asked, chain::row).map_err(Error::of)?;
    rows.collect::<rusqlite::Result<_>>().map_err(Error::of)
}

fn audit_keys(connection: &Connection) -> Result<Vec<AuditKeyRow>, Error> {
    let sql = "SELECT audit_key, key_id, nonce, wrapped FROM txco_audit_keys ORDER BY rowid";
    let mut statement = connection.prepare(sql).map_err(Error::of)?;
    let rows =
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get::<_, Vec<u8>>(3)?)));
    let keys = rows.map_err(Error::of)?.map(|row| {
        let (audit_key, key_id, nonce, wrapped) = row.map_err(Error::of)?;
        let wrapped = wrapped.try_into().map_err(|_| Error::Row { table: "txco_audit_keys" })?;
        Ok(AuditKeyRow { audit_key, key_id, nonce, wrapped })
    });
    keys.collect()
}

/// Looks at a whole chain, and at the `state` that it should explain.
pub(crate) fn verify(
    moment: &Connection,
    state: &str,
    seals: &[&dyn AuditSeal],
    kept: Option<Head>,
) -> Result<Verdict, Error> {
    let mut verdict = Verdict::default();
    let mut expected = HashSet::new();
    let (lines, digest) = chain::baseline(moment, |line| {
        expected.insert(line.to_owned());
    })?;
    let mut statement =
        moment.prepare(&format!("SELECT {COLUMNS} FROM txco_audit ORDER BY seq")).map_err(Error::of)?;
    let rows = statement.query_map([], chain::row).map_err(Error::of)?;
    let mut wrong = |found: Wrong| {
        verdict.wrong.get_or_insert(found);
    };
    for row in rows {
        let row = row.map_err(Error::of)?;
        let before = verdict.head.map_or((0, [0; 32]), |head| (head.seq, head.hash));
        if row.seq != before.0 + 1 {
            wrong(Wrong::Missing { seq: before.0 + 1 });
        } else if row.previous != before.1 {
            wrong(Wrong::NotLinked { seq: row.seq });
        }
        match (&row.audit_key, &row.seal) {
            (Some(key), Some(seal)) => match seals.iter().find(|seal| seal.key() == key) {
                Some(known) if known.seal(&row.sealed())[..] == seal[..] => {}
                Some(_) => wrong(Wrong::NotSealed { seq: row.seq }),
                None => *verdict.other_keys.entry(key.clone()).or_default() += 1,
            },
            _ => verdict.unsealed += 1,
        }
        let detail: Value = serde_json::from_str(&row.detail).unwrap_or_default();
        let told =
            (detail.get("lines").and_then(Value::as_u64), detail.get("digest").and_then(Value::as_str));
        if row.seq == 1 && told != (Some(lines), Some(&digest)) {
            wrong(Wrong::Baseline);
        }
        explain(&detail, &mut expected);
        if let Some(kept) = kept.filter(|kept| kept.seq == row.seq && *kept != row.head()) {
            wrong(Wrong::Rewritten { seq: kept.seq });
        }
        verdict.head = Some(row.head());
        verdict.rows += 1;
    }
    let last = verdict.head.map_or(0, |head| head.seq);
    if let Some(kept) = kept.filter(|kept| kept.seq > last) {
        wrong(Wrong::Cut { last, seq: kept.seq });
    }
    differences(moment, state, expected, |sign, line| {
        verdict.unexplained_count += 1;
        if verdict.unexplained.len() < MOST_TOLD {
            let word = if sign == '+' { "not told" } else { "gone" };
            verdict.unexplained.push(format!("{word}: {line}"));
        }
    })?;
    Ok(verdict)
}

/// What is there and no row tells of (`+`), and what rows tell of and is not there (`-`).
pub(crate) fn untold(moment: &Connection, state: &str) -> Result<Vec<(char, String)>, Error> {
    let mut expected = HashSet::new();
    chain::baseline(moment, |line| {
        expected.insert(line.to_owned());
    })?;
    let mut statement = moment.prepare("SELECT detail FROM txco_audit ORDER BY seq").map_err(Error::of)?;
    for detail in statement.query_map([], |row| row.get::<_, String>(0)).map_err(Error::of)? {
        let detail = detail.map_err(Error::of)?;
        explain(&serde_json::from_str(&detail).unwrap_or_default(), &mut expected);
    }
    let mut untold = Vec::new();
    differences(moment, state, expected, |sign, line| untold.push((sign, line.to_owned())))?;
    Ok(untold)
}

/// What a row says that it changed.
fn explain(detail: &Value, expected: &mut HashSet<String>) {
    let changes = detail.get("changes").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for change in changes.iter().filter_map(Value::as_str) {
        let _news = match change.split_at_checked(1) {
            Some(("+", line)) => expected.insert(line.to_owned()),
            Some(("-", line)) => expected.remove(line),
            _ => false,
        };
    }
}

/// What is there and was not told (`+`), and what was told and is not there (`-`).
fn differences(
    moment: &Connection,
    state: &str,
    mut expected: HashSet<String>,
    mut tell: impl FnMut(char, &str),
) -> Result<(), Error> {
    let mut seen = HashSet::new();
    let mut statement = moment.prepare(state).map_err(Error::of)?;
    let lines = statement.query_map([], |row| row.get::<_, String>(0)).map_err(Error::of)?;
    for line in lines {
        let line = line.map_err(Error::of)?;
        if expected.remove(&line) {
            seen.insert(line);
        } else if !seen.contains(&line) {
            tell('+', &line);
        }
    }
    let mut gone: Vec<_> = expected.into_iter().collect();
    gone.sort();
    gone.iter().for_each(|line| tell('-', line));
    Ok(())
}
