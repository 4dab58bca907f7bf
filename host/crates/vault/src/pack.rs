//! Packing: the names a rule declared become the bags of one call, or a loud failure (D3).
//!
//! What a policy allows is decided here, before anything is opened, by whoever has the key (D11).

use std::sync::Arc;

use jiff::Timestamp;
use model::{Callee, Class, Denied, Destination, Origin, Policy, Purpose, SecretName, SecretRef, Slot};
use model::{OpRef, StackName, TenantId};
use store::{ActiveSecret, PolicyRow, Resolution, SealedVersion};

use crate::bag::{Counter, OpBags, Opened, Packed, Reveal, SecretBag, Splice, Use};
use crate::context::{Context, written};
use crate::credentials::Parent;
use crate::encoding::Encoding;
use crate::error::{Error, Unopened};
use crate::key::decoded;
use crate::vault::Vault;

/// On whose behalf a bag is packed: the tenant of the request and the stack that the rule
/// itself belongs to. A [`SecretRef`] has no tenant, so it cannot leave this one.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// The tenant of the request.
    pub tenant: &'a TenantId,
    /// The stack of the rule.
    pub stack: Option<&'a StackName>,
}

/// What an op's component can do with secrets.
#[derive(Clone, Copy)]
pub struct Wants<'a> {
    /// It asks to be shown them: it imports `secrets`.
    pub reveal: bool,
    /// It uses handles: it imports `keys`.
    pub keys: bool,
    /// Whether it can use a version of a slot that is being retired (R22).
    pub accepts_retiring: &'a dyn Fn(&Slot) -> bool,
    /// The least bound class among its declared outputs.
    pub loosest: Class,
    /// Whether it may be called when some of its slots are only to be used and not shown.
    pub partly: bool,
}

/// In which ways an op may have one secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ways {
    /// It may be shown it, and then return this.
    pub(crate) reveal: Option<Class>,
    /// It may compute with it.
    pub(crate) keys: bool,
}

impl Wants<'_> {
    /// In which of the ways it wants `callee` may have a secret with this policy: one at least.
    pub(crate) fn allowed(&self, policy: Option<&Policy>, callee: &Callee<'_>) -> Result<Ways, Denied> {
        let Some(policy) = policy else {
            let free = if callee.origin == Origin::Builtin { Class::Data } else { Class::Credential };
            return Ok(Ways { reveal: self.reveal.then_some(free), keys: self.keys });
        };
        let reveal = self.reveal.then(|| policy.serves(callee, Purpose::Reveal));
        let keys = self.keys.then(|| policy.serves(callee, Purpose::Use));
        match (reveal, keys) {
            (Some(Ok(class)), keys) => Ok(Ways { reveal: Some(class), keys: matches!(keys, Some(Ok(_))) }),
            (_, Some(Ok(_))) => Ok(Ways { reveal: None, keys: true }),
            (Some(Err(denied)), _) | (None, Some(Err(denied))) => Err(denied),
            (None, None) => Ok(Ways { reveal: None, keys: false }),
        }
    }
}

/// A declared secret that was found.
struct Found<'a> {
    declared: &'a SecretRef,
    secret: Arc<ActiveSecret>,
    policy: Option<Arc<Policy>>,
}

impl Found<'_> {
    fn denied(&self, why: Denied) -> Error {
        Error::Denied { name: self.declared.name.clone(), why }
    }

    fn parent(&self) -> Parent {
        Parent { name: self.declared.name.clone(), policy: self.policy.clone() }
    }
}

/// The secrets, each once.
fn parents(found: &[Found<'_>]) -> Vec<Parent> {
    let mut parents: Vec<_> = found.iter().map(Found::parent).collect();
    parents.sort_by(|a, b| a.name.cmp(&b.name));
    parents.dedup_by(|a, b| a.name == b.name);
    parents
}

/// The secrets that a rule declared, as they were found at one moment; still shut.
pub struct Declared<'r>(Vec<Found<'r>>);

impl Vault {
    /// Opens what a rule declared for a call of `op`: into the bag that shows, into the bag
    /// of handles, or both, as the op wants and the secrets' policies permit.
    ///
    /// # Errors
    /// As [`declared`](Self::declared) and [`pack`](Self::pack).
    pub fn pack_for_op(
        &self,
        caller: &Caller<'_>,
        op: &OpRef,
        origin: Origin,
        wants: &Wants<'_>,
        refs: &[SecretRef],
    ) -> Result<OpBags, Error> {
        self.pack(&self.declared(caller, refs)?, op, origin, wants)
    }

    /// Finds what a rule declared, in one look at the database.
    ///
    /// # Errors
    /// The first name that cannot be had: [`Error::NotFound`], [`Error::Revoked`],
    /// [`Error::Undecryptable`] for a policy that is not known, [`Error::Store`].
    pub fn declared<'r>(&self, caller: &Caller<'_>, refs: &'r [SecretRef]) -> Result<Declared<'r>, Error> {
        self.find(caller, refs).map(Declared)
    }

    /// Opens what was found for a call of `op`, as [`pack_for_op`](Self::pack_for_op).
    ///
    /// # Errors
    /// The first that cannot be had: [`Error::Denied`], [`Error::Expired`], [`Error::NotAKey`],
    /// [`Error::Undecryptable`]. Nothing is opened before all is permitted, and what was opened
    /// is wiped.
    pub fn pack(
        &self,
        Declared(found): &Declared<'_>,
        op: &OpRef,
        origin: Origin,
        wants: &Wants<'_>,
    ) -> Result<OpBags, Error> {
        let callee = Callee { op, origin, loosest: wants.loosest };
        let ways = permitted(found, &callee, wants)?;
        let (mut shown, mut used, mut denied) = (Vec::new(), Vec::new(), Vec::new());
        let mut opened = OpenedOnce::default();
        let mut may_return = Class::Data;
        for (found, ways) in found.iter().zip(ways) {
            let packed = self.open_one(&mut opened, found, wants)?;
            match ways.reveal {
                Some(class) => {
                    may_return = may_return.min(class);
                    shown.push(packed.read()?);
                }
                None if wants.reveal => denied.push(packed.slot_text.clone()),
                None => {}
            }
            if ways.keys {
                used.push(packed);
            }
        }
        self.count(&opened);
        if shown.is_empty() && origin == Origin::Tenant {
            may_return = Class::Credential;
        }
        let parents = parents(found);
        Ok(OpBags {
            reveal: SecretBag::<Reveal>::of(op.clone(), parents, denied, may_return, shown),
            keys: SecretBag::<Use>::of(used),
        })
    }

    /// Opens what a rule declared for a built-in op that is only shown secrets.
    ///
    /// # Errors
    /// As [`pack_for_op`](Self::pack_for_op).
    pub fn pack_reveal(
        &self,
        caller: &Caller<'_>,
        op: &OpRef,
        refs: &[SecretRef],
    ) -> Result<SecretBag<Reveal>, Error> {
        let wants = Wants {
            reveal: true,
            keys: false,
            accepts_retiring: &|_| false,
            loosest: Class::Data,
            partly: false,
        };
        Ok(self.pack_for_op(caller, op, Origin::Builtin, &wants, refs)?.reveal)
    }

    /// Opens what a rule declared for one outbound request.
    ///
    /// # Errors
    /// As [`pack_for_op`](Self::pack_for_op).
    pub fn pack_splice(
        &self,
        caller: &Caller<'_>,
        destination: &Destination,
        refs: &[SecretRef],
    ) -> Result<SecretBag<Splice>, Error> {
        let found = self.find(caller, refs)?;
        for one in &found {
            if let Some(policy) = &one.policy {
                policy.splices(destination).map_err(|why| one.denied(why))?;
            }
        }
        let mut opened = OpenedOnce::default();
        let newest_only = Wants {
            reveal: false,
            keys: false,
            accepts_retiring: &|_| false,
            loosest: Class::Data,
            partly: false,
        };
        let packed = found.iter().map(|one| self.open_one(&mut opened, one, &newest_only));
        let packed = packed.collect::<Result<_, _>>()?;
        self.count(&opened);
        Ok(SecretBag::<Splice>::of(destination.clone(), parents(&found), packed))
    }

    /// One look at the database for all names.
    fn find<'r>(&self, caller: &Caller<'_>, refs: &'r [SecretRef]) -> Result<Vec<Found<'r>>, Error> {
        if refs.is_empty() {
            return Ok(Vec::new());
        }
        let resolved = self.store.resolve(caller.tenant, caller.stack, refs.iter().map(|one| &one.name))?;
        let found = refs.iter().zip(resolved).map(|(declared, resolution)| {
            let secret = resolved_to(&declared.name, resolution)?;
            let policy = policy_of(&secret)?;
            Ok(Found { declared, secret, policy })
        });
        found.collect()
    }

    fn open_one(
        &self,
        opened: &mut OpenedOnce,
        found: &Found<'_>,
        wants: &Wants<'_>,
    ) -> Result<Packed, Error> {
        let (name, secret) = (&found.declared.name, &found.secret);
        let now = Timestamp::now();
        let newest = match opened.find(name, 0) {
            Some(known) => known,
            None => {
                let version = in_use(name, secret, now)?;
                opened.keep(secret, name, self.open_version(secret, version)?, 0)
            }
        };
        let accepted = secret.retiring.as_ref().filter(|retiring| {
            let (until, expires) = (retiring.retiring_until, retiring.expires_at);
            until.is_some_and(|until| until > now)
                && expires.is_none_or(|expires| expires > now)
                && (wants.accepts_retiring)(&found.declared.slot)
        });
        let retiring = match (accepted, opened.find(name, 1)) {
            (None, _) => None,
            (Some(_), Some(known)) => Some(known),
            (Some(version), None) => {
                let counter = Counter { uses: Arc::clone(&self.uses), secret: secret.secret_id.clone() };
                let mut one = self.open_version(secret, version)?;
                one.counter = Some(Arc::new(counter));
                Some(opened.keep(secret, name, one, 1))
            }
        };
        let slot = found.declared.slot.clone();
        Ok(Packed {
            slot_text: slot.to_string(),
            slot,
            name: name.clone(),
            format: found.declared.format.clone(),
            newest,
            retiring,
        })
    }

    /// That a version belongs to the secret as the database tells it: its key unwraps. The value
    /// stays shut.
    pub(crate) fn proves(&self, secret: &ActiveSecret, version: &SealedVersion) -> Result<(), Error> {
        let sealed = version.sealed.as_ref().ok_or(Unopened::UnknownScheme);
        let proven = sealed.and_then(|sealed| {
            let context = Context::of_version(secret, version)?;
            self.unwrap(&context, sealed).map(drop)
        });
        proven.map_err(|why| Error::Undecryptable { name: secret.name.clone(), why })
    }

    fn open_version(&self, secret: &ActiveSecret, version: &SealedVersion) -> Result<Opened, Error> {
        let shut = |why| Error::Undecryptable { name: secret.name.clone(), why };
        let sealed = version.sealed.as_ref().ok_or_else(|| shut(Unopened::UnknownScheme))?;
        let context = Context::of_version(secret, version).map_err(shut)?;
        let cleartext = self.unseal(&context, sealed).map_err(shut)?;
        // It is sealed in, so it is a word that this or an earlier txco wrote.
        let encoding = Encoding::parse(written(version.key_encoding.as_deref()));
        let encoding = encoding.ok_or_else(|| shut(Unopened::UnknownScheme))?;
        Ok(Opened { version: version.version_no, encoding, cleartext: Arc::new(cleartext), counter: None })
    }

    /// What was packed is used; a version that is retiring only when somebody asks for it.
    fn count(&self, opened: &OpenedOnce) {
        for (secret, _, index, one) in &opened.0 {
            if *index == 0 {
                self.uses.note(&secret.secret_id, one.version);
            }
        }
    }
}

/// In which ways each slot may be had; none of them has been opened yet.
fn permitted(found: &[Found<'_>], callee: &Callee<'_>, wants: &Wants<'_>) -> Result<Vec<Ways>, Error> {
    let ways =
        found.iter().map(|one| wants.allowed(one.policy.as_deref(), callee).map_err(|why| one.denied(why)));
    let ways: Vec<Ways> = ways.collect::<Result<_, _>>()?;
    // One that asks to be shown secrets is not even linked when it is shown none (R22).
    let shown = ways.iter().filter(|ways| ways.reveal.is_some()).count();
    if wants.reveal && (shown == 0 || (shown < ways.len() && !wants.partly)) {
        for (one, _) in found.iter().zip(&ways).filter(|(_, ways)| ways.reveal.is_none()) {
            if let Some(policy) = &one.policy {
                policy.serves(callee, Purpose::Reveal).map_err(|why| one.denied(why))?;
            }
        }
    }
    Ok(ways)
}

/// The secret that a name means, or why it means none.
pub(crate) fn resolved_to(name: &SecretName, resolution: Resolution) -> Result<Arc<ActiveSecret>, Error> {
    match resolution {
        Resolution::Found(secret) => Ok(secret),
        Resolution::Revoked(stack) => Err(Error::Revoked { name: name.clone(), stack }),
        Resolution::Missing => Err(Error::NotFound { name: name.clone() }),
    }
}

/// Its policy. One that this build does not know allows nothing.
pub(crate) fn policy_of(secret: &ActiveSecret) -> Result<Option<Arc<Policy>>, Error> {
    match &secret.policy {
        None => Ok(None),
        Some(PolicyRow::Known(policy, _)) => Ok(Some(Arc::clone(policy))),
        Some(PolicyRow::Unknown) => {
            Err(Error::Undecryptable { name: secret.name.clone(), why: Unopened::UnknownPolicy })
        }
    }
}

/// The version in use, unless its time is over: an older one does not take its place.
pub(crate) fn in_use<'s>(
    name: &SecretName,
    secret: &'s ActiveSecret,
    now: Timestamp,
) -> Result<&'s SealedVersion, Error> {
    let no_version = || Error::Undecryptable { name: name.clone(), why: Unopened::NoVersion };
    let version = secret.version.as_ref().ok_or_else(no_version)?;
    match version.expires_at {
        Some(at) if at <= now => Err(Error::Expired { name: name.clone(), at }),
        _ => Ok(version),
    }
}

impl Packed {
    /// The same slot for an op that is shown it: a key as its bytes, whatever it is written in.
    fn read(&self) -> Result<Self, Error> {
        let mut packed = self.again();
        for opened in std::iter::once(&mut packed.newest).chain(&mut packed.retiring) {
            if opened.encoding == Encoding::Text {
                continue;
            }
            let unusable = |why| Error::NotAKey { name: self.name.clone(), why };
            opened.cleartext = Arc::new(decoded(&opened.cleartext, opened.encoding).map_err(unusable)?);
            opened.encoding = Encoding::Text;
        }
        Ok(packed)
    }
}

/// One opening per secret and version however many slots it fills.
#[derive(Default)]
struct OpenedOnce(Vec<(Arc<ActiveSecret>, SecretName, u32, Opened)>);

impl OpenedOnce {
    fn find(&self, name: &SecretName, index: u32) -> Option<Opened> {
        let known = self.0.iter().find(|(_, known, at, _)| known == name && *at == index);
        known.map(|(.., opened)| opened.again())
    }

    fn keep(&mut self, secret: &Arc<ActiveSecret>, name: &SecretName, opened: Opened, index: u32) -> Opened {
        self.0.push((Arc::clone(secret), name.clone(), index, opened.again()));
        opened
    }
}
