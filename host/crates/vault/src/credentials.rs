//! What ops derived from secrets during one request: held until the request ends.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::{CredentialId, Denied, Destination, HostRule, Policy, SecretName};
use pages::Locked;

use crate::error::Error;

/// The most credentials one request may hold.
pub const MAX_CREDENTIALS: usize = 256;
/// The most bytes all credentials of one request may have together.
pub const MAX_CREDENTIAL_BYTES: usize = 4 * 1024 * 1024;

/// The credentials of one request (R1): an envelope only ever holds their numbers, and
/// only this object turns a number into bytes. Rules that run in parallel share it.
///
/// ```compile_fail,E0277
/// fn f(c: txco_vault::Credentials) { let _ = format!("{c:?}"); }
/// ```
/// ```compile_fail,E0599
/// fn f(c: txco_vault::Credentials) { let _ = c.clone(); }
/// ```
/// ```compile_fail,E0277
/// fn f(c: txco_vault::Credentials) { let _ = serde_json::to_string(&c); }
/// ```
pub struct Credentials {
    held: Mutex<Held>,
}

struct Held {
    credentials: Vec<Arc<Credential>>,
    bytes: usize,
}

struct Credential {
    bytes: Locked,
    parents: Vec<Parent>,
    /// Of one that came with a reply.
    arrived: Option<Arrived>,
}

/// Where the rule let a credential go that came with a reply, if it said: there, and back.
#[derive(Clone)]
struct Arrived {
    from: Destination,
    hosts: BTreeSet<HostRule>,
}

/// What binds the credentials that come with the reply to a request: who sends them, where its
/// rule lets them go if it says, and the policies of every secret that was in the request.
pub struct Bonds {
    arrived: Arrived,
    parents: Vec<Parent>,
}

impl Bonds {
    pub(crate) const fn new(from: Destination, hosts: BTreeSet<HostRule>, parents: Vec<Parent>) -> Self {
        Self { arrived: Arrived { from, hosts }, parents }
    }
}

/// A secret that a credential was made of, and where its policy lets it go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parent {
    pub(crate) name: SecretName,
    pub(crate) policy: Option<Arc<Policy>>,
}

#[expect(clippy::new_without_default, reason = "a holder of secrets has no Default (house rules)")]
impl Credentials {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { held: Mutex::new(Held { credentials: Vec::new(), bytes: 0 }) }
    }

    /// Holds a credential that an upstream minted and sent in its reply. It may go no farther
    /// than what it was asked for with.
    ///
    /// # Errors
    /// [`Error::TooManyCredentials`], [`Error::NoMemory`].
    pub fn arrive(&self, bytes: &[u8], bonds: &Bonds) -> Result<CredentialId, Error> {
        self.keep(bytes, bonds.parents.clone(), Some(bonds.arrived.clone()))
    }

    /// A request carries credential `id` too: what binds that binds what comes back.
    pub fn bind(&self, bonds: &mut Bonds, id: CredentialId) {
        if let Some(credential) = self.credential(id) {
            bonds.parents.extend(credential.parents.iter().cloned());
        }
    }

    pub(crate) fn hold(&self, bytes: &[u8], parents: Vec<Parent>) -> Result<CredentialId, Error> {
        self.keep(bytes, parents, None)
    }

    fn keep(
        &self,
        bytes: &[u8],
        parents: Vec<Parent>,
        arrived: Option<Arrived>,
    ) -> Result<CredentialId, Error> {
        let too_many =
            Error::TooManyCredentials { max_count: MAX_CREDENTIALS, max_bytes: MAX_CREDENTIAL_BYTES };
        let mut held = self.lock();
        let index = held.credentials.len();
        let total = held.bytes.saturating_add(bytes.len());
        if index >= MAX_CREDENTIALS || total > MAX_CREDENTIAL_BYTES {
            return Err(too_many);
        }
        let id = CredentialId::new(u32::try_from(index).map_err(|_| too_many)?);
        let mut locked = Locked::zeroed(bytes.len()).map_err(|_| Error::NoMemory)?;
        locked.bytes_mut().copy_from_slice(bytes);
        held.credentials.push(Arc::new(Credential { bytes: locked, parents, arrived }));
        held.bytes = total;
        Ok(id)
    }

    /// Shows the bytes of `id` to `use_it`; `None` when this request has no such credential.
    /// For the splice and the mask of `egress`, and nobody else.
    pub fn with<T>(&self, id: CredentialId, use_it: impl FnOnce(&[u8]) -> T) -> Option<T> {
        // Not under the lock: the closure may be long, or ask for another credential.
        self.credential(id).map(|credential| use_it(credential.bytes.bytes()))
    }

    /// The secrets `id` was derived from.
    #[must_use]
    pub fn parents(&self, id: CredentialId) -> Option<Vec<SecretName>> {
        self.credential(id).map(|credential| credential.parents.iter().map(|p| p.name.clone()).collect())
    }

    /// Whether `id` may go to `destination`: every secret that it was made of, or asked for with,
    /// must allow it (R2), and of one that came with a reply its rule, if it said where.
    ///
    /// # Errors
    /// The first secret that does not, if it is one, and the rule.
    pub fn travels(
        &self,
        id: CredentialId,
        destination: &Destination,
    ) -> Result<(), (Option<SecretName>, Denied)> {
        let Some(credential) = self.credential(id) else { return Ok(()) };
        if let Some(Arrived { from, hosts }) = &credential.arrived
            && !hosts.is_empty()
            && from != destination
            && !hosts.iter().any(|rule| rule.matches(destination))
        {
            return Err((None, Denied::Arrived { asked: destination.clone(), from: from.clone() }));
        }
        for parent in &credential.parents {
            if let Some(policy) = &parent.policy {
                policy.travels(destination).map_err(|why| (Some(parent.name.clone()), why))?;
            }
        }
        Ok(())
    }

    fn credential(&self, id: CredentialId) -> Option<Arc<Credential>> {
        self.lock().credentials.get(usize::try_from(id.index()).ok()?).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        // A list that only grows is whole at every point where a panic could be.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> SecretName {
        SecretName::parse(text).unwrap()
    }

    fn free(text: &str) -> Parent {
        Parent { name: name(text), policy: None }
    }

    #[test]
    fn a_credential_is_found_by_its_number_and_nothing_else_is() {
        let credentials = Credentials::new();
        let first = credentials.hold(b"one", vec![free("A"), free("B")]).unwrap();
        let second = credentials.hold(b"", vec![]).unwrap();
        assert_eq!(credentials.with(first, <[u8]>::to_vec).unwrap(), b"one");
        assert_eq!(credentials.with(second, <[u8]>::len), Some(0));
        assert_eq!(credentials.parents(first).unwrap(), [name("A"), name("B")]);
        assert_eq!(credentials.with(CredentialId::new(2), <[u8]>::len), None);
        assert!(Credentials::new().parents(first).is_none());
    }

    #[test]
    fn their_number_is_bounded() {
        let credentials = Credentials::new();
        for _ in 0..MAX_CREDENTIALS {
            credentials.hold(b"x", vec![]).unwrap();
        }
        assert!(matches!(credentials.hold(b"x", vec![]), Err(Error::TooManyCredentials { .. })));
    }

    #[test]
    fn their_bytes_are_bounded() {
        let credentials = Credentials::new();
        credentials.hold(&vec![0; MAX_CREDENTIAL_BYTES - 1], vec![]).unwrap();
        credentials.hold(b"x", vec![]).unwrap();
        assert!(matches!(credentials.hold(b"x", vec![]), Err(Error::TooManyCredentials { .. })));
        credentials.hold(b"", vec![]).unwrap();
    }

    /// R2: where it may go is what all its parents allow.
    #[test]
    fn a_credential_goes_where_all_its_parents_may() {
        let bound = |secret: &str, hosts: &[&str]| {
            let hosts = hosts.iter().map(|host| HostRule::parse(host).unwrap()).collect();
            let policy = Policy::asked(Default::default(), hosts, Default::default()).unwrap();
            Parent { name: name(secret), policy: Some(Arc::new(policy)) }
        };
        let credentials = Credentials::new();
        let parents =
            vec![free("F"), bound("A", &["a.example", "b.example"]), bound("B", &["b.example", "c.example"])];
        let id = credentials.hold(b"x", parents).unwrap();
        let to = |host: &str| credentials.travels(id, &Destination::of(&format!("https://{host}/")).unwrap());
        assert!(to("b.example").is_ok());
        for (host, denied) in [("a.example", "B"), ("c.example", "A"), ("d.example", "A")] {
            assert!(matches!(to(host), Err((secret, _)) if secret == Some(name(denied))), "{host}");
        }
    }

    #[test]
    fn the_closure_may_ask_for_another() {
        let credentials = Credentials::new();
        let a = credentials.hold(b"a", vec![]).unwrap();
        let b = credentials.hold(b"bc", vec![]).unwrap();
        assert_eq!(credentials.with(a, |_| credentials.with(b, <[u8]>::len)), Some(Some(2)));
    }
}
