//! What a name means to a caller: one joined query, remembered until the database changes.

use std::sync::Arc;

use model::{Id, SecretName, StackName, TenantId};
use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::cache::{Cache, Weighs};
use crate::connection::data_version;
use crate::error::Error;
use crate::row::{
    AadScheme, ActiveSecret, KeyId, PolicyRow, Resolution, SealedSecret, SealedVersion, time_of,
};
use crate::store::{Reader, StackFallback, Store};
use crate::wal_index::WalIndex;

/// The exact stack, then (with `?4`) its parents, nearest first, then the tenant; a
/// revocation by us ends the search where it stands. All in one statement, so that no
/// commit falls between a secret and its versions (weakness S12).
const RESOLVE: &str = "
    SELECT s.secret_id, COALESCE(s.stack, ''), s.revoked_at IS NOT NULL, s.policy,
           v.version_no, v.key_encoding, v.expires_at, v.retiring_until, v.aad_scheme, v.key_id,
           COALESCE(v.aad_key_version, s.key_version), v.nonce, v.ciphertext, v.dek_nonce, v.wrapped_dek,
           r.version_no, r.key_encoding, r.expires_at, r.retiring_until, r.aad_scheme, r.key_id,
           COALESCE(r.aad_key_version, s.key_version), r.nonce, r.ciphertext, r.dek_nonce, r.wrapped_dek
    FROM tenant_secrets s
    LEFT JOIN tenant_secret_versions v
      ON v.secret_id = s.secret_id AND v.revoked_at IS NULL
     AND v.version_no = (SELECT MAX(version_no) FROM tenant_secret_versions
                         WHERE secret_id = s.secret_id AND revoked_at IS NULL)
    LEFT JOIN tenant_secret_versions r
      ON r.secret_id = s.secret_id AND r.revoked_at IS NULL AND r.retiring_until IS NOT NULL
     AND r.version_no = (SELECT MAX(version_no) FROM tenant_secret_versions
                         WHERE secret_id = s.secret_id AND revoked_at IS NULL
                           AND retiring_until IS NOT NULL AND version_no < v.version_no)
    WHERE s.tenant_id = ?1 AND s.name = ?2
      AND (COALESCE(s.stack, '') = '' OR s.stack = ?3
           OR (?4 AND substr(?3, 1, length(s.stack) + 1) = s.stack || '/'))
      AND (s.revoked_at IS NULL OR s.blocks_fallback = 1)
    ORDER BY length(COALESCE(s.stack, '')) DESC, s.revoked_at IS NULL DESC, s.created_at DESC, s.secret_id DESC
    LIMIT 1";
/// Where the columns of a version begin in `RESOLVE`.
const NEWEST: usize = 4;
const RETIRING: usize = 15;

impl Store {
    /// What each of `names` means to rules of `stack` in `tenant`, in the order given, all
    /// as of one moment: two secrets that were changed together are seen together.
    ///
    /// # Errors
    /// [`Error`] of the database.
    pub fn resolve<'n>(
        &self,
        tenant: &TenantId,
        stack: Option<&StackName>,
        names: impl IntoIterator<Item = &'n SecretName, IntoIter: ExactSizeIterator>,
    ) -> Result<Vec<Resolution>, Error> {
        let parents = self.fallback() == StackFallback::Parents;
        let stack = stack.map_or("", StackName::as_str);
        let names = names.into_iter();
        let asked: Vec<_> = names.map(|name| Asked { tenant, stack, name, parents }).collect();
        self.read(|reader| {
            let looks = reader.index.as_ref().map(WalIndex::look);
            let Reader { connection, as_of, seen, known, .. } = reader;
            if looks.is_some()
                && looks == *seen
                && let Some(all) = asked.iter().map(|one| known.find(&one.key())).collect()
            {
                return Ok(all);
            }
            // One statement is a moment by itself. Dropped, it ends, on every path.
            let moment = if asked.len() > 1 { Some(connection.unchecked_transaction()) } else { None };
            let _moment = moment.transpose().map_err(Error::of)?;
            forget_if_changed(connection, as_of, known)?;
            *seen = looks;
            asked.iter().map(|one| resolve(connection, known, one)).collect()
        })
    }
}

/// What is looked for.
struct Asked<'a> {
    tenant: &'a TenantId,
    stack: &'a str,
    name: &'a SecretName,
    parents: bool,
}

impl Asked<'_> {
    /// Under which it is known. Names cannot contain the separator; absence is remembered
    /// like presence.
    fn key(&self) -> String {
        format!("{}|{}|{}", self.tenant, self.stack, self.name)
    }
}

/// SQLite counts commits of other connections and processes in `data_version` (R16).
/// It is read *before* the rows: a row fetched after it can only be newer than the
/// number says, and then the next look forgets it. So a reader never keeps what a
/// writer has replaced (weakness S10).
fn forget_if_changed(
    connection: &Connection,
    as_of: &mut Option<i64>,
    known: &mut Cache<Resolution>,
) -> Result<(), Error> {
    let now = Some(data_version(connection)?);
    if *as_of != now {
        known.clear();
        *as_of = now;
    }
    Ok(())
}

fn resolve(
    connection: &Connection,
    known: &mut Cache<Resolution>,
    asked: &Asked<'_>,
) -> Result<Resolution, Error> {
    let Asked { tenant, stack, name, parents } = *asked;
    let key = asked.key();
    if let Some(known) = known.find(&key) {
        return Ok(known);
    }
    let mut statement = connection.prepare_cached(RESOLVE).map_err(Error::of)?;
    let resolution = statement
        .query_row((tenant.as_str(), name.as_str(), stack, parents), |row| resolution(row, tenant, name))
        .optional()
        .map_err(Error::of)?
        .unwrap_or(Resolution::Missing);
    known.keep(key, resolution.clone());
    Ok(resolution)
}

impl Weighs for Resolution {
    fn weight(&self) -> usize {
        match self {
            Self::Found(secret) => {
                let texts = [
                    secret.secret_id.as_str(),
                    secret.tenant_id.as_str(),
                    secret.name.as_str(),
                    secret.stack.as_str(),
                ];
                let versions = secret.version.iter().chain(&secret.retiring);
                let sealed = versions.filter_map(|version| version.sealed.as_ref());
                size_of::<ActiveSecret>()
                    + texts.iter().map(|text| text.len()).sum::<usize>()
                    + sealed.map(|sealed| sealed.ciphertext.len()).sum::<usize>()
            }
            Self::Revoked(stack) => stack.as_str().len(),
            Self::Missing => 0,
        }
    }
}

fn resolution(row: &Row<'_>, tenant: &TenantId, name: &SecretName) -> rusqlite::Result<Resolution> {
    let stack: String = row.get(1)?;
    if row.get(2)? {
        // Nothing is wider than the whole tenant, so a revocation there ends nothing.
        return Ok(StackName::parse(&stack).map_or(Resolution::Missing, Resolution::Revoked));
    }
    Ok(Resolution::Found(Arc::new(ActiveSecret {
        secret_id: Id::from_row(row.get(0)?),
        tenant_id: tenant.clone(),
        name: name.clone(),
        stack,
        policy: row.get::<_, Option<String>>(3)?.as_deref().map(PolicyRow::read),
        version: version(row, NEWEST)?,
        retiring: version(row, RETIRING)?,
    })))
}

/// The version whose eleven columns begin at `at`: number, encoding, times, layout, bytes.
pub(crate) fn version(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<SealedVersion>> {
    let time =
        |column: usize| row.get::<_, Option<String>>(column).map(|text| text.map(|text| time_of(&text)));
    let Some(version_no) = row.get(at)? else { return Ok(None) };
    Ok(Some(SealedVersion {
        version_no,
        key_encoding: row.get(at + 1)?,
        expires_at: time(at + 2)?,
        retiring_until: time(at + 3)?,
        sealed: sealed(row, at + 4)?,
    }))
}

/// `None` for bytes of lengths or a layout that nobody of ours has written: they cannot
/// be opened, which is the vault's to say, not a failure of the database.
fn sealed(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<SealedSecret>> {
    let scheme = scheme(row.get(at)?, row.get::<_, Option<String>>(at + 1)?.as_deref(), row.get(at + 2)?);
    let (nonce, ciphertext): (Vec<u8>, Vec<u8>) = (row.get(at + 3)?, row.get(at + 4)?);
    let (dek_nonce, wrapped_dek): (Vec<u8>, Vec<u8>) = (row.get(at + 5)?, row.get(at + 6)?);
    Ok((|| {
        Some(SealedSecret {
            scheme: scheme?,
            nonce: nonce.try_into().ok()?,
            ciphertext,
            dek_nonce: dek_nonce.try_into().ok()?,
            wrapped_dek: wrapped_dek.try_into().ok()?,
        })
    })())
}

/// The layout that a row's columns name.
pub(crate) fn scheme(scheme: i64, key_id: Option<&str>, key_version: i64) -> Option<AadScheme> {
    match (scheme, key_id.map(KeyId::parse)) {
        (1, key_id) => Some(AadScheme::One { key_version, key_id: key_id.flatten() }),
        (2, Some(Some(key_id))) => Some(AadScheme::Two { key_id }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use model::IdKind;

    use super::*;
    use crate::chain::{By, Deed};
    use crate::row::SecretAddress;
    use crate::store::{Options, Writing};

    fn told(writing: &Writing<'_>) -> Result<(), Error> {
        writing.record(&Deed::new(By::Open, "test", "-", "-")).map(drop)
    }

    fn version(mark: u8) -> SealedSecret {
        SealedSecret {
            scheme: AadScheme::Two { key_id: KeyId::new([1; 8]) },
            nonce: [mark; 12],
            ciphertext: vec![mark; 40],
            dek_nonce: [mark; 12],
            wrapped_dek: [mark; 48],
        }
    }

    /// Weakness S10, with its interleaving fixed: a reader looks whether anything changed, a
    /// writer commits, the reader still reads the row of before and keeps it. The next look
    /// must not find it.
    #[test]
    fn a_row_read_from_before_a_commit_is_forgotten_by_the_next_look() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(folder.path(), "dev", Options::default()).unwrap();
        let (tenant, name) =
            (TenantId::parse("tnt_default").unwrap(), SecretName::parse("PASSWORD").unwrap());
        let id = store
            .write(|writing| {
                let id = writing.mint(IdKind::Secret)?;
                let address = SecretAddress { tenant: &tenant, stack: None, name: &name };
                writing.add_secret(&id, &address, None, By::Open)?;
                writing.add_version(&id, 1, &version(1), By::Open)?;
                told(writing)?;
                Ok::<_, Error>(id)
            })
            .unwrap();
        let asked = Asked { tenant: &tenant, stack: "", name: &name, parents: true };
        let seen = |resolution: Resolution| match resolution {
            Resolution::Found(found) => found.version.as_ref().map(|version| version.version_no),
            Resolution::Revoked(_) | Resolution::Missing => None,
        };
        store
            .read(|reader| {
                let Reader { connection, as_of, known, .. } = reader;
                forget_if_changed(connection, as_of, known)?;
                // The reader's view of the file is the one of before the commit.
                connection.execute_batch("BEGIN; SELECT COUNT(*) FROM tenants").map_err(Error::of)?;
                store.write(|writing| {
                    writing.add_version(&id, 2, &version(2), By::Open)?;
                    told(writing)
                })?;
                assert_eq!(seen(resolve(connection, known, &asked)?), Some(1));
                connection.execute_batch("COMMIT").map_err(Error::of)?;
                assert_eq!(seen(resolve(connection, known, &asked)?), Some(1), "it was kept");

                forget_if_changed(connection, as_of, known)?;
                assert_eq!(seen(resolve(connection, known, &asked)?), Some(2));

                store.write(|writing| writing.revoke(&id).and_then(|()| told(writing)))?;
                assert_eq!(seen(resolve(connection, known, &asked)?), Some(2), "nobody has looked yet");
                forget_if_changed(connection, as_of, known)?;
                assert_eq!(seen(resolve(connection, known, &asked)?), None);
                Ok(())
            })
            .unwrap();
    }

    /// However many secrets there are, each is found by an index: no table is scanned. The
    /// figures are those of `vault/benches/materialise.rs`.
    #[test]
    fn nothing_is_scanned() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(folder.path(), "dev", Options::default()).unwrap();
        let plan = store.read(|reader| {
            let sql = format!("EXPLAIN QUERY PLAN {RESOLVE}");
            let mut statement = reader.connection.prepare(&sql).map_err(Error::of)?;
            let steps = statement.query_map(("t", "n", "s", true), |row| row.get(3)).map_err(Error::of)?;
            steps.collect::<rusqlite::Result<Vec<String>>>().map_err(Error::of)
        });
        let plan = plan.unwrap();
        assert!(plan.iter().any(|step| step.contains("USING INDEX txco_secrets_by_name_idx")), "{plan:#?}");
        let scans: Vec<_> = plan.iter().filter(|step| step.contains("SCAN")).collect();
        assert!(scans.is_empty(), "{scans:?}");
    }

    #[test]
    fn what_is_kept_weighs_at_least_its_ciphertext() {
        let secret = |bytes: usize| {
            let sealed = SealedSecret { ciphertext: vec![0; bytes], ..version(1) };
            Resolution::Found(Arc::new(ActiveSecret {
                secret_id: Id::from_row("sec_1".to_owned()),
                tenant_id: TenantId::parse("tnt_default").unwrap(),
                name: SecretName::parse("K").unwrap(),
                stack: String::new(),
                policy: None,
                version: Some(SealedVersion {
                    version_no: 1,
                    key_encoding: None,
                    expires_at: None,
                    retiring_until: None,
                    sealed: Some(sealed),
                }),
                retiring: None,
            }))
        };
        assert_eq!(secret(70_000).weight() - secret(0).weight(), 70_000);
        assert!(secret(0).weight() >= size_of::<ActiveSecret>());
    }
}
