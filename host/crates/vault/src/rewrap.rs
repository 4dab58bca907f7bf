//! Moving rows from one key to the next, and looking whether every row opens.

use std::collections::{BTreeMap, VecDeque};

use store::{
    AadScheme, By, Deed, KeyId, Rewrapped, SealedSecret, SealedValue, Versions, WrappedRow, Writing,
};

use crate::context::Context;
use crate::dek::Dek;
use crate::error::{Error, Unopened};
use crate::ring::KeyRing;
use crate::runs;
use crate::vault::{Vault, unwrapped};

/// What is done with rows in the layout of the Go chassis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemeOne {
    /// Their DEK is wrapped anew; their layout stays.
    Keep,
    /// They are sealed anew in ours, under a fresh DEK (R10).
    Upgrade,
}

/// A row that did not open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shut {
    /// Whose secret.
    pub tenant_id: String,
    /// Its name.
    pub name: String,
    /// The stack it is for, empty for the whole tenant.
    pub stack: String,
    /// Which version.
    pub version_no: u32,
    /// Why.
    pub why: Unopened,
}

impl Shut {
    fn of(row: &WrappedRow, why: Unopened) -> Self {
        Self {
            tenant_id: row.tenant_id.clone(),
            name: row.name.clone(),
            stack: row.stack.clone(),
            version_no: row.version_no,
            why,
        }
    }
}

/// How far a rewrap is. What it did is in the database: a new one goes on where the last one
/// was killed.
pub struct Rewrap {
    scheme_one: SchemeOne,
    /// The key that everything moves to.
    to: KeyId,
    left: VecDeque<Versions>,
    after: i64,
    /// How many rows were moved to the active key.
    pub rewrapped: u64,
    /// How many of the Go chassis's rows were sealed anew.
    pub upgraded: u64,
    /// How many rows stay as they are, because they do not open.
    pub shut: u64,
    /// The first of those.
    pub first_shut: Option<Shut>,
}

/// How far a verification is.
#[derive(Debug, Default)]
pub struct Verify {
    after: i64,
    /// How many rows opened.
    pub open: u64,
    /// How many did not.
    pub shut: u64,
    /// The first of those.
    pub first_shut: Option<Shut>,
}

/// Whether there is more to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Another step is needed.
    More,
    /// That was all.
    Done,
}

/// What the versions say about their keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    /// How many rows each key wraps (versions, and runs that wait or whose result is kept), those that no longer name one included where a key of
    /// the ring opens them.
    pub rows: BTreeMap<KeyId, u64>,
    /// How many active secrets each key is needed for now.
    pub secrets: BTreeMap<KeyId, u64>,
    /// How many rows are in the layout of the Go chassis.
    pub scheme_one: u64,
    /// How many rows name no key and open under none.
    pub unidentified: u64,
    /// How many rows there are.
    pub versions: u64,
}

impl Vault {
    /// Begins to move every version to the active key: of active and of revoked secrets, the
    /// newest and the old. The keys of runs are moved at once.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn rewrap(&self, scheme_one: SchemeOne) -> Result<Rewrap, Error> {
        let ring = self.keeper.newest(&self.store);
        let to = ring.active().id();
        // The keys of runs that wait, which are few beside the versions.
        runs::move_keys(&self.store, &ring)?;
        let left = self.to_move(scheme_one, to)?;
        let (rewrapped, upgraded, shut) = (0, 0, 0);
        Ok(Rewrap { scheme_one, to, left, after: 0, rewrapped, upgraded, shut, first_shut: None })
    }

    /// How many rows a rewrap would look at now.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn to_rewrap(&self, scheme_one: SchemeOne) -> Result<u64, Error> {
        let to = self.keeper.newest(&self.store).active().id();
        let mut rows = 0;
        for versions in self.to_move(scheme_one, to)? {
            rows += self.store.count_versions(versions)?;
        }
        if scheme_one == SchemeOne::Upgrade {
            // What is sealed anew needs no rewrap after that, and is counted once.
            let unnamed = self.store.count_versions(Versions::Under(None))?;
            rows = rows.saturating_sub(unnamed);
        }
        Ok(rows)
    }

    fn to_move(&self, scheme_one: SchemeOne, to: KeyId) -> Result<VecDeque<Versions>, Error> {
        let named = self.store.keys_named()?.into_iter().filter(|key| *key != Some(to));
        let mut left: VecDeque<_> = named.map(Versions::Under).collect();
        if scheme_one == SchemeOne::Upgrade {
            left.push_front(Versions::SchemeOne);
        }
        Ok(left)
    }

    /// Moves at most `most` rows, in one transaction of its own: requests and administration go
    /// on between two steps, and a kill undoes at most one.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::NoRandomness`]; this step did nothing then.
    pub fn rewrap_step(&self, rewrap: &mut Rewrap, most: u32) -> Result<Progress, Error> {
        let Some(versions) = rewrap.left.front().copied() else { return Ok(Progress::Done) };
        let mut step = Step { after: rewrap.after, rewrapped: 0, upgraded: 0, shut: Vec::new() };
        let mut moved_on = false;
        let rows = self.store.write(|writing| {
            // Under the write lock: from here on nobody seals under a key rotated out before.
            let ring = self.keeper.newest(&self.store);
            moved_on = ring.active().id() != rewrap.to;
            if moved_on {
                return Ok::<_, Error>(0);
            }
            let rows = writing.versions_after(versions, rewrap.after, most)?;
            for row in &rows {
                step.after = row.row;
                match step.one(&ring, writing, row, rewrap.scheme_one)? {
                    Ok(()) => {}
                    Err(why) => step.shut.push(Shut::of(row, why)),
                }
            }
            if step.rewrapped + step.upgraded > 0 {
                let to = rewrap.to.to_string();
                let deed = Deed::new(By::Local, "keys.rewrap", "-", &to);
                writing.record(&deed.fact("rewrapped", step.rewrapped).fact("upgraded", step.upgraded))?;
            }
            Ok(rows.len())
        })?;
        if moved_on {
            // Rotated again meanwhile: what is left is all that is not under the newest key.
            let again = self.rewrap(rewrap.scheme_one)?;
            (rewrap.to, rewrap.left, rewrap.after) = (again.to, again.left, 0);
            return Ok(Progress::More);
        }
        rewrap.take(step, versions, rows < most as usize)
    }

    /// Opens at most `most` versions, values included, and forgets them again.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn verify_step(&self, verify: &mut Verify, most: u32) -> Result<Progress, Error> {
        let rows = self.store.versions_after(Versions::All, verify.after, most)?;
        let ring = self.keeper.newest(&self.store);
        for row in &rows {
            verify.after = row.row;
            // Gone between two looks: destroyed, which is not a row that does not open.
            let Some(sealed) = self.store.sealed_value(row.row)? else { continue };
            match opens(&ring, row, &sealed) {
                Ok(()) => verify.open += 1,
                Err(why) => {
                    verify.shut += 1;
                    verify.first_shut.get_or_insert_with(|| Shut::of(row, why));
                }
            }
        }
        Ok(if rows.len() < most as usize { Progress::Done } else { Progress::More })
    }

    /// Counts what each key is needed for.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn census(&self) -> Result<Census, Error> {
        let ring = self.keeper.newest(&self.store);
        let mut census = Census {
            scheme_one: self.store.count_versions(Versions::SchemeOne)?,
            versions: self.store.count_versions(Versions::All)?,
            ..Census::default()
        };
        for key in self.store.keys_named()? {
            match key {
                Some(id) => {
                    let rows = self.store.count_versions(Versions::Under(key))?;
                    *census.rows.entry(id).or_default() += rows;
                }
                None => self.count_unnamed(&ring, &mut census)?,
            }
        }
        for (key, runs) in self.store.run_keys()? {
            *census.rows.entry(key).or_default() += runs;
        }
        self.store.each_wrapped(|row| {
            let key = key_of(row).or_else(|| opener(&ring, row));
            if let Some(key) = key {
                *census.secrets.entry(key).or_default() += 1;
            }
        })?;
        Ok(census)
    }

    fn count_unnamed(&self, ring: &KeyRing, census: &mut Census) -> Result<(), Error> {
        const PAGE: u32 = 1000;
        let mut after = 0;
        loop {
            let rows = self.store.versions_after(Versions::Under(None), after, PAGE)?;
            for row in &rows {
                after = row.row;
                match opener(ring, row) {
                    Some(key) => *census.rows.entry(key).or_default() += 1,
                    None => census.unidentified += 1,
                }
            }
            if rows.len() < PAGE as usize {
                return Ok(());
            }
        }
    }
}

/// What one step did, to be believed once it is committed.
struct Step {
    after: i64,
    rewrapped: u64,
    upgraded: u64,
    shut: Vec<Shut>,
}

impl Step {
    /// Moves one row; the inner error says why it does not open.
    fn one(
        &mut self,
        ring: &KeyRing,
        writing: &Writing<'_>,
        row: &WrappedRow,
        scheme_one: SchemeOne,
    ) -> Result<Result<(), Unopened>, Error> {
        let dek = match unwrapped(ring, row) {
            Ok(dek) => dek,
            Err(why) => return Ok(Err(why)),
        };
        let Some(scheme @ AadScheme::One { .. }) = row.scheme.filter(|_| scheme_one == SchemeOne::Upgrade)
        else {
            self.rewrapped += 1;
            return move_dek(ring, writing, row, &dek).map(Ok);
        };
        let Some(value) = writing.sealed_value(row.row)? else {
            return Ok(Err(Unopened::UnknownScheme));
        };
        let old = Context::under(row, scheme);
        let value = match dek.open(&old, &value.nonce, &value.ciphertext) {
            Ok(value) => value,
            Err(why) => return Ok(Err(why)),
        };
        let new = Context::under(row, AadScheme::Two { key_id: ring.active().id() });
        let dek = Dek::fresh()?;
        let sealed = dek.seal(&new.value_aad(), &value)?;
        let wrapped = dek.wrap(ring.active(), &new.dek_aad())?;
        writing.reseal(
            row.row,
            &SealedSecret {
                scheme: new.scheme,
                nonce: sealed.nonce,
                ciphertext: sealed.ciphertext,
                dek_nonce: wrapped.nonce,
                wrapped_dek: wrapped.bytes,
            },
        )?;
        self.upgraded += 1;
        Ok(Ok(()))
    }
}

impl Rewrap {
    fn take(&mut self, step: Step, versions: Versions, end_of_these: bool) -> Result<Progress, Error> {
        self.after = step.after;
        self.rewrapped += step.rewrapped;
        self.upgraded += step.upgraded;
        // A row that does not open is met by the upgrade and by the rewrap, and told once.
        let upgrading = versions == Versions::SchemeOne;
        for shut in step.shut {
            let again =
                !upgrading && self.scheme_one == SchemeOne::Upgrade && versions == Versions::Under(None);
            if !again {
                self.shut += 1;
                self.first_shut.get_or_insert(shut);
            }
        }
        if end_of_these {
            self.left.pop_front();
            self.after = 0;
        }
        Ok(if self.left.is_empty() { Progress::Done } else { Progress::More })
    }
}

/// Wraps the same DEK under the active key: 48 bytes, and the value stays as it is.
fn move_dek(ring: &KeyRing, writing: &Writing<'_>, row: &WrappedRow, dek: &Dek) -> Result<(), Error> {
    let to = ring.active().id();
    let scheme = match row.scheme {
        Some(AadScheme::One { key_version, .. }) => AadScheme::One { key_version, key_id: Some(to) },
        Some(AadScheme::Two { .. }) | None => AadScheme::Two { key_id: to },
    };
    let wrapped = dek.wrap(ring.active(), &Context::under(row, scheme).dek_aad())?;
    let sealed = Rewrapped { scheme, dek_nonce: wrapped.nonce, wrapped_dek: wrapped.bytes };
    Ok(writing.rewrap(row.row, &sealed)?)
}

fn opens(ring: &KeyRing, row: &WrappedRow, sealed: &SealedValue) -> Result<(), Unopened> {
    let dek = unwrapped(ring, row)?;
    let context = Context::of(row).ok_or(Unopened::UnknownScheme)?;
    dek.open(&context, &sealed.nonce, &sealed.ciphertext).map(drop)
}

/// The key that a row names.
fn key_of(row: &WrappedRow) -> Option<KeyId> {
    match row.scheme? {
        AadScheme::One { key_id, .. } => key_id,
        AadScheme::Two { key_id } => Some(key_id),
    }
}

/// The key of the ring that opens a row which names none.
fn opener(ring: &KeyRing, row: &WrappedRow) -> Option<KeyId> {
    ring.ids().into_iter().find(|id| {
        let named = match row.scheme {
            Some(AadScheme::One { key_version, key_id: None }) => {
                Some(AadScheme::One { key_version, key_id: Some(*id) })
            }
            other => other,
        };
        unwrapped(ring, &WrappedRow { scheme: named, ..row.clone() }).is_ok()
    })
}
