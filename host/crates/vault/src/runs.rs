//! What a request holds while it waits for a worker: sealed under a key of its own.
//!
//! Unlike a secret it is given back, to go on with; no credential is in it, which is checked
//! where it is made. The tokens of client and worker are shown once and stored as hashes.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use model::{Id, IdKind, RequestId, StackName, TenantId};
use sha2::{Digest as _, Sha256};
use store::{
    Beginning, EndedWait, Ending, Joined, Living, NewRun, NewStep, NewWait, Recovered, RunKey, RunRow,
    RunState, SealedBytes, Store, TokenHash,
};
use zeroize::Zeroizing;

use crate::cleartext::Cleartext;
use crate::context::framed;
use crate::error::{Error, Unopened};
use crate::master_key::MasterKey;
use crate::ring::KeyRing;
use crate::seal::{Cipher, KEY_BYTES};
use crate::vault::Vault;

/// How many keys of runs are wrapped anew in one transaction.
const BATCH: u32 = 500;

/// What somebody proves with that a run is his to ask for, or a wait his to end: 256 random
/// bits. Not printable; only its hash is stored.
///
/// ```compile_fail,E0277
/// fn f(t: txco_vault::Token) { let _ = format!("{t:?}"); }
/// ```
pub struct Token(Zeroizing<String>);

impl Token {
    fn mint(prefix: &str) -> Result<Self, Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(bytes.as_mut()).map_err(|_| Error::NoRandomness)?;
        let text = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(bytes.as_ref()));
        Ok(Self(Zeroizing::new(format!("{prefix}{}", text.as_str()))))
    }

    /// The text, for the one message that carries it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// The comparison of hashes is the database's: who does not know a token cannot learn from the
/// time it takes what would hash to something near.
fn hash(token: &str) -> TokenHash {
    Sha256::digest(token.as_bytes()).into()
}

/// A run that is about to begin.
pub struct Run<'a> {
    /// Its name, from [`Run::name`].
    pub id: &'a Id,
    /// Whose it is.
    pub tenant: &'a TenantId,
    /// The stack that the request entered.
    pub stack: &'a StackName,
    /// The request that it was.
    pub request: &'a RequestId,
    /// How many open ones the tenant may have.
    pub most: Option<u64>,
}

impl Run<'_> {
    /// A name for a new one.
    ///
    /// # Errors
    /// [`Error::NoRandomness`].
    pub fn name() -> Result<Id, Error> {
        mint(IdKind::Run)
    }
}

/// A worker's part: minted before anything is sent, so that nothing is sent that is not kept.
pub struct Wait {
    /// Its name.
    pub id: Id,
    /// What the worker proves itself with.
    pub token: Token,
    /// When it is over.
    pub expires: Timestamp,
}

impl Wait {
    /// Mints one.
    ///
    /// # Errors
    /// [`Error::NoRandomness`].
    pub fn mint(expires: Timestamp) -> Result<Self, Error> {
        Ok(Self { id: mint(IdKind::Wait)?, token: Token::mint("")?, expires })
    }
}

/// What a run holds while it waits.
pub struct Step<'a> {
    /// The digest of its rules.
    pub rules: [u8; 32],
    /// The rules themselves.
    pub content: &'a str,
    /// What it needs to go on.
    pub held: Vec<u8>,
    /// Whom it waits for.
    pub waits: &'a [Wait],
    /// Earlier waits that it waits for now.
    pub due: &'a [Id],
    /// Earlier waits that it will wait for later.
    pub later: &'a [Id],
}

/// How a run begins.
pub enum First<'a> {
    /// It runs, and its client is told to come back.
    Promised,
    /// It waits, once its owner has [let go](Vault::release_run) of it.
    Waits(Step<'a>),
    /// It runs, and will wait for these later.
    Defers(&'a [Wait]),
}

/// How waits are that are to join their run.
pub enum Joining {
    /// The run is not its owner's any more.
    Lost,
    /// Some are not over.
    Open,
    /// All are over.
    Ended(Vec<WaitEnd>),
}

/// How a wait ended.
#[derive(Debug, Clone)]
pub struct WaitEnd {
    /// The wait.
    pub wait: Id,
    /// How.
    pub ending: Ending,
    /// What the worker said; nothing when its time was over.
    pub output: Vec<u8>,
}

/// A run to go on with.
pub struct Claimed {
    /// Its name.
    pub run: Id,
    /// Whose it is.
    pub tenant: TenantId,
    /// The stack that the request entered.
    pub stack: String,
    /// The request that it was.
    pub request: String,
    /// The digest of its rules.
    pub rules: Vec<u8>,
    /// What it held; an error when it does not open.
    pub held: Result<(Vec<u8>, Vec<WaitEnd>), Unopened>,
}

/// How a run is, for its client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunView {
    /// Waits for a worker.
    Waiting,
    /// Runs.
    Running,
    /// Ended well, with this.
    Completed(Vec<u8>),
    /// Ended by the fault of this code.
    Failed(String),
}

impl Vault {
    /// Notes a run of `owner`. Gives what its client asks with; nothing when the tenant has as
    /// many as it may.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::NoRandomness`].
    pub fn begin_run(&self, run: &Run<'_>, owner: &str, first: First<'_>) -> Result<Option<Token>, Error> {
        let (id, poll) = (run.id, Token::mint("rc_")?);
        let dek = Cleartext::random(KEY_BYTES)?;
        let ring = self.keeper.newest(&self.store);
        let key = wrap(ring.active(), id, run.tenant, &dek)?;
        let new = NewRun {
            run: id,
            tenant: run.tenant,
            stack: run.stack,
            request: run.request,
            poll: hash(poll.text()),
            key: &key,
        };
        let begun = match first {
            First::Promised => self.store.begin_run(&new, owner, Beginning::Promised, run.most)?,
            First::Waits(step) => sealed_step(id, run.tenant, 1, &dek, step, |step| {
                Ok(self.store.begin_run(&new, owner, Beginning::Waits(step), run.most)?)
            })?,
            First::Defers(waits) => {
                self.store.begin_run(&new, owner, Beginning::Defers(&rows(waits)), run.most)?
            }
        };
        Ok(begun.then_some(poll))
    }

    /// Adds waits to a run that goes on; whether it is still `owner`'s.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn defer_waits(&self, run: &Id, owner: &str, waits: &[Wait]) -> Result<bool, Error> {
        Ok(self.store.defer_waits(run, owner, &rows(waits))?)
    }

    /// How the waits of these names are, which a run of `owner`'s has deferred.
    ///
    /// # Errors
    /// [`Error::Store`]; [`Error::Cipher`] when what a worker said does not open.
    pub fn joined_waits(&self, run: &Id, owner: &str, waits: &[Id]) -> Result<Joining, Error> {
        Ok(match self.store.joined_waits(run, owner, waits)? {
            Joined::Lost => Joining::Lost,
            Joined::Open => Joining::Open,
            Joined::Ended(row, ends) => {
                let dek = self.run_key(&row).map_err(|_| Error::Cipher)?;
                let ends = ends.into_iter().map(|ended| said(&dek, &row, ended));
                Joining::Ended(ends.collect::<Result<_, _>>().map_err(|_| Error::Cipher)?)
            }
        })
    }

    /// Removes a run of `owner`'s of which nobody was told; whether it was there.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn forget_run(&self, run: &Id, owner: &str) -> Result<bool, Error> {
        Ok(self.store.forget_run(run, owner)?)
    }

    /// Lets a claimed run wait again; whether it is still `owner`'s.
    ///
    /// # Errors
    /// [`Error`] of the database or the key.
    pub fn suspend_run(&self, run: &Id, owner: &str, step: Step<'_>) -> Result<bool, Error> {
        let Some(row) = self.store.owned_run(run, owner)? else { return Ok(false) };
        let dek = self.run_key(&row).map_err(|_| Error::Cipher)?;
        sealed_step(run, &row.tenant, row.step.saturating_add(1), &dek, step, |step| {
            Ok(self.store.suspend_run(run, owner, step)?)
        })
    }

    /// `owner` lets go of a run that waits: its jobs are with their workers. Whether it is ready
    /// to go on already.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn release_run(&self, run: &Id, owner: &str) -> Result<bool, Error> {
        Ok(self.store.release_run(run, owner)?)
    }

    /// Whether a token is good for a wait now.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn is_waited_for(&self, wait: &str, token: &str) -> Result<bool, Error> {
        Ok(self.store.waiting_run(wait, &hash(token))?.is_some())
    }

    /// Ends a wait with what its worker says. Nothing when the token is not good (any more);
    /// otherwise whether the run is ready to go on.
    ///
    /// # Errors
    /// [`Error::Store`]; [`Error::Cipher`] when the run's key does not open.
    pub fn end_wait(
        &self,
        wait: &str,
        token: &str,
        ending: Ending,
        output: Vec<u8>,
    ) -> Result<Option<bool>, Error> {
        let token = hash(token);
        let Some((row, step)) = self.store.waiting_run(wait, &token)? else { return Ok(None) };
        let dek = self.run_key(&row).map_err(|_| Error::Cipher)?;
        let output = seal(&dek, &aad(&row.run, &row.tenant, step, "output", wait), output)?;
        Ok(self.store.end_wait(wait, &token, ending, &output)?)
    }

    /// Whose the oldest run is that is ready to go on, of tenants that are not in `not_of`.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn ready_tenant(&self, not_of: &[TenantId]) -> Result<Option<TenantId>, Error> {
        Ok(self.store.ready_tenant(not_of)?)
    }

    /// Takes the oldest run of `tenant` that is ready to go on, for `owner` alone.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn claim_run(&self, owner: &str, tenant: &TenantId) -> Result<Option<Claimed>, Error> {
        let Some(claimed) = self.store.claim_run(owner, tenant)? else { return Ok(None) };
        let row = claimed.row;
        let held = self.run_key(&row).and_then(|dek| {
            let held = open(&dek, &aad(&row.run, &row.tenant, row.step, "held", ""), claimed.held)?;
            let waits = claimed.waits.into_iter().map(|ended| said(&dek, &row, ended));
            Ok((held, waits.collect::<Result<_, _>>()?))
        });
        let RunRow { run, tenant, stack, request, rules, .. } = row;
        Ok(Some(Claimed { run, tenant, stack, request, rules: rules.unwrap_or_default(), held }))
    }

    /// Notes that a run is about to do what must not be done twice; whether it is still
    /// `owner`'s.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn touch_run(&self, run: &Id, owner: &str) -> Result<bool, Error> {
        Ok(self.store.touch_run(run, owner)?)
    }

    /// Ends a run that `owner` runs, with its result or the code of a fault; whether it was
    /// still running.
    ///
    /// # Errors
    /// [`Error`] of the database or the key.
    pub fn end_run(&self, run: &Id, owner: &str, result: Result<Vec<u8>, &str>) -> Result<bool, Error> {
        let bytes = match result {
            Err(code) => return Ok(self.store.end_run(run, owner, Err(code))?),
            Ok(bytes) => bytes,
        };
        let Some(row) = self.store.owned_run(run, owner)? else { return Ok(false) };
        let dek = self.run_key(&row).map_err(|_| Error::Cipher)?;
        let result = seal(&dek, &aad(run, &row.tenant, 0, "result", ""), bytes)?;
        Ok(self.store.end_run(run, owner, Ok(&result))?)
    }

    /// How the run is that a client asks for, where it began; nothing when there is none.
    ///
    /// # Errors
    /// [`Error::Store`]; [`Error::Cipher`] when the result does not open.
    pub fn polled_run(
        &self,
        poll: &str,
        tenant: &TenantId,
        stack: &StackName,
    ) -> Result<Option<RunView>, Error> {
        let Some((row, state)) = self.store.polled_run(&hash(poll), tenant, stack)? else { return Ok(None) };
        Ok(Some(match state {
            RunState::Waiting => RunView::Waiting,
            RunState::Running => RunView::Running,
            RunState::Failed(code) => RunView::Failed(code),
            RunState::Completed(result) => {
                let dek = self.run_key(&row).map_err(|_| Error::Cipher)?;
                let aad = aad(&row.run, &row.tenant, 0, "result", "");
                RunView::Completed(open(&dek, &aad, result).map_err(|_| Error::Cipher)?)
            }
        }))
    }

    /// What a run holds, for whoever tells where it waits.
    ///
    /// # Errors
    /// [`Error::Cipher`]: it does not open.
    pub fn held(&self, row: &RunRow, held: SealedBytes) -> Result<Vec<u8>, Error> {
        let dek = self.run_key(row).map_err(|_| Error::Cipher)?;
        open(&dek, &aad(&row.run, &row.tenant, row.step, "held", ""), held).map_err(|_| Error::Cipher)
    }

    /// Whether a worker's token was good until its run was cancelled.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn is_cancelled_wait(&self, wait: &str, token: &str) -> Result<bool, Error> {
        Ok(self.store.is_cancelled_wait(wait, &hash(token))?)
    }

    /// Runs that were cancelled since a moment.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn cancelled_runs(&self, since: Timestamp) -> Result<Vec<Id>, Error> {
        Ok(self.store.cancelled_runs(since)?)
    }

    /// The rules of a digest, as they were kept.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn run_rules(&self, digest: &[u8]) -> Result<Option<String>, Error> {
        Ok(self.store.run_rules(digest)?)
    }

    /// Says to other chassis on this database that the life of this name goes on.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn live(&self, owner: &str) -> Result<Living, Error> {
        Ok(self.store.live(owner)?)
    }

    /// Lets go of what lives of the chassis ran that are over.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn recover_runs(&self, owner: &str, interrupted: &str) -> Result<Recovered, Error> {
        Ok(self.store.recover_runs(owner, interrupted)?)
    }

    /// Ends at most `most` waits whose time is over; how many.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn expire_waits(&self, now: Timestamp, most: u32) -> Result<usize, Error> {
        Ok(self.store.expire_waits(now, most)?)
    }

    /// Removes at most `most` runs that ended before `before`; how many.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn purge_runs(&self, before: Timestamp, most: u32) -> Result<usize, Error> {
        Ok(self.store.purge_runs(before, most)?)
    }

    fn run_key(&self, row: &RunRow) -> Result<Cleartext, Unopened> {
        if let Ok(dek) = unwrap(&self.keeper.ring(), row) {
            return Ok(dek);
        }
        let missing = Unopened::OtherKey(row.key.key_id);
        let ring = self.keeper.looking_for(&self.store, Some(row.key.key_id)).ok_or(missing)?;
        unwrap(&ring, row)
    }
}

/// Wraps the keys of runs under the ring's active key, so that a rotation strands no run.
pub(crate) fn move_keys(store: &Store, ring: &KeyRing) -> Result<u64, Error> {
    let active = ring.active();
    let elsewhere = |(key, _): &(store::KeyId, u64)| *key != active.id();
    if !store.run_keys()?.iter().any(elsewhere) {
        return Ok(0);
    }
    let (mut after, mut moved) = (String::new(), 0);
    loop {
        let rows = store.write(|writing| {
            let rows = writing.runs_not_under(active.id(), &after, BATCH)?;
            for row in &rows {
                // One whose key is nowhere stays as it is, and fails by name when it goes on.
                let Ok(dek) = unwrap(ring, row) else { continue };
                writing.rewrap_run(&row.run, &wrap(active, &row.run, &row.tenant, &dek)?)?;
                moved += 1;
            }
            Ok::<_, Error>(rows)
        })?;
        match rows.last() {
            Some(last) if rows.len() == BATCH as usize => last.run.as_str().clone_into(&mut after),
            _ => return Ok(moved),
        }
    }
}

fn sealed_step<T>(
    run: &Id,
    tenant: &TenantId,
    number: u32,
    dek: &Cleartext,
    step: Step<'_>,
    keep: impl FnOnce(&NewStep<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let held = seal(dek, &aad(run, tenant, number, "held", ""), step.held)?;
    let Step { rules, content, due, later, .. } = step;
    keep(&NewStep { rules: &rules, content, held: &held, waits: &rows(step.waits), due, later })
}

fn rows(waits: &[Wait]) -> Vec<NewWait> {
    let row = |wait: &Wait| NewWait {
        wait: wait.id.clone(),
        token: hash(wait.token.text()),
        expires: wait.expires,
    };
    waits.iter().map(row).collect()
}

/// What a worker said, opened.
fn said(dek: &Cleartext, row: &RunRow, ended: EndedWait) -> Result<WaitEnd, Unopened> {
    let aad = aad(&row.run, &row.tenant, ended.step, "output", ended.wait.as_str());
    let output = ended.output.map_or(Ok(Vec::new()), |output| open(dek, &aad, output))?;
    Ok(WaitEnd { wait: ended.wait, ending: ended.ending, output })
}

fn mint(kind: IdKind) -> Result<Id, Error> {
    let now = u64::try_from(Timestamp::now().as_millisecond()).unwrap_or(0);
    Id::mint(kind, now).map_err(|_| Error::NoRandomness)
}

fn wrap(master: &MasterKey, run: &Id, tenant: &TenantId, dek: &Cleartext) -> Result<RunKey, Error> {
    let sealed = master.run_cipher()?.seal(&key_aad(run, tenant, &master.id().to_string()), dek)?;
    let wrapped = sealed.ciphertext.try_into().map_err(|_| Error::Cipher)?;
    Ok(RunKey { key_id: master.id(), nonce: sealed.nonce, wrapped })
}

fn unwrap(ring: &KeyRing, row: &RunRow) -> Result<Cleartext, Unopened> {
    let RunKey { key_id, nonce, wrapped } = &row.key;
    let master = ring.find(*key_id).ok_or(Unopened::OtherKey(*key_id))?;
    let cipher = master.run_cipher().map_err(|_| Unopened::NotAuthentic)?;
    let aad = key_aad(&row.run, &row.tenant, &key_id.to_string());
    cipher.open(nonce, &aad, wrapped).map_err(|_| Unopened::NotAuthentic)
}

fn seal(dek: &Cleartext, aad: &[u8], bytes: Vec<u8>) -> Result<SealedBytes, Error> {
    let sealed = Cipher::of(dek).ok_or(Error::Cipher)?.seal_bytes(aad, bytes)?;
    Ok(SealedBytes { nonce: sealed.nonce, bytes: sealed.ciphertext })
}

fn open(dek: &Cleartext, aad: &[u8], sealed: SealedBytes) -> Result<Vec<u8>, Unopened> {
    let cipher = Cipher::of(dek).ok_or(Unopened::NotAuthentic)?;
    cipher.open_bytes(&sealed.nonce, aad, sealed.bytes).map_err(|_| Unopened::NotAuthentic)
}

fn key_aad(run: &Id, tenant: &TenantId, key_id: &str) -> Vec<u8> {
    framed(&[b"txco/run/key/1", run.as_str().as_bytes(), tenant.as_str().as_bytes(), key_id.as_bytes()])
}

/// Binds what is sealed to its run, its tenant, its step and what it is there.
fn aad(run: &Id, tenant: &TenantId, step: u32, what: &str, wait: &str) -> Vec<u8> {
    framed(&[
        b"txco/run/bytes/1",
        run.as_str().as_bytes(),
        tenant.as_str().as_bytes(),
        &step.to_be_bytes(),
        what.as_bytes(),
        wait.as_bytes(),
    ])
}
