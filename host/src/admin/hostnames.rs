//! The hosts of a tenant: bound to a stack, and let go.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chassis::{Chassis, NoRoute};
use jiff::{SignedDuration, Timestamp};
use model::{Hostname, StackName};
use store::{HostnameProof, HostnameRecord, ProofMethod, Store, Tenant};

use super::actor::{Actor, Need};
use super::applied::Applied;
use super::error::AdminError;

/// Where a host is asked, before the token; the web head answers there.
pub(crate) const VERIFY: &str = "/.well-known/txco-verify/";
/// What the name of the record begins with that proves a host.
const RECORD: &str = "_txco-challenge.";
/// How long a question stays open.
const OPEN: SignedDuration = SignedDuration::from_hours(24 * 7);

/// A host as it is bound now.
pub(crate) struct Bound {
    pub record: HostnameRecord,
    /// Why its requests would be answered by no rule.
    pub warning: Option<String>,
}

/// The hosts of one tenant, handled by one actor.
pub(crate) struct Hostnames<'a> {
    pub(super) store: &'a Store,
    pub(super) applied: &'a Applied,
    pub(super) chassis: &'a Chassis,
    pub(super) tenant: &'a Tenant,
    pub(super) actor: &'a Actor,
}

impl Hostnames<'_> {
    /// Whether `actor` may, before what they say is looked at.
    ///
    /// # Errors
    /// [`AdminError::CapabilityDenied`].
    pub(crate) fn may(&self, need: Need<'_>) -> Result<(), AdminError> {
        self.actor.may(&self.tenant.id, need)
    }

    /// All of them, by name.
    ///
    /// # Errors
    /// [`AdminError::CapabilityDenied`], [`AdminError::Store`].
    pub(crate) fn list(&self) -> Result<Vec<HostnameRecord>, AdminError> {
        self.may(Need::HOSTNAMES_READ)?;
        Ok(self.store.hostnames(Some(&self.tenant.id))?)
    }

    /// Sends the requests of a host to a stack from now on; without one, to the only stack.
    ///
    /// # Errors
    /// [`AdminError`]: the host, the stack, `hostname_taken`.
    pub(crate) fn bind(&self, hostname: &str, stack: Option<&str>) -> Result<Bound, AdminError> {
        self.may(Need::HOSTNAMES_WRITE)?;
        let (hostname, stack) = (parsed(hostname)?, named(stack)?);
        let (tenant, by) = (&self.tenant.id, self.actor.by());
        self.store.bind_hostname(tenant, &hostname, stack.as_ref(), by)?;
        self.renewed(&hostname)
    }

    /// The host, once what is served knows of it. Its stack may be applied later, so that there is none
    /// is no error.
    fn renewed(&self, hostname: &Hostname) -> Result<Bound, AdminError> {
        self.applied.renew_changed()?;
        let all = self.store.hostnames(Some(&self.tenant.id))?;
        let record = all.into_iter().find(|one| one.hostname == *hostname).ok_or(AdminError::Internal)?;
        let leads = self.chassis.space().enters(&self.tenant.id, record.stack.clone());
        let warning = leads.err().map(|why| self.leads_nowhere(&record, why));
        Ok(Bound { record, warning })
    }

    fn leads_nowhere(&self, record: &HostnameRecord, why: NoRoute) -> String {
        let (host, tenant) = (&record.hostname, &self.tenant.slug);
        match (why, &record.stack) {
            (NoRoute::Broken, _) => format!("{host} leads to a stack whose rules cannot be used: 503"),
            (_, Some(stack)) => format!(
                "{host} leads to stack {stack}, of which tenant {tenant} has applied nothing: 404 until it has"
            ),
            (NoRoute::NoStack, None) => {
                format!(
                    "{host} leads to tenant {tenant}, but not to one of its stacks: 404; name one (--stack)"
                )
            }
            (NoRoute::NoRules | NoRoute::UnknownHost, None) => {
                format!("{host} leads to tenant {tenant}, which has applied nothing: 404 until it has")
            }
        }
    }

    /// Asks a host, or its name servers, for what only whoever rules it can make them say. A host is asked over http,
    /// which one without a certificate speaks, on the way that tenants' requests take. When it is proven, it leads to
    /// `stack`, if there is one. On a thread that may block.
    ///
    /// # Errors
    /// [`AdminError`]: the host, the method, the stack, `hostname_not_found`, `hostname_unverified`.
    pub(crate) fn verify(
        &self,
        hostname: &str,
        method: Option<&str>,
        stack: Option<&str>,
    ) -> Result<Bound, AdminError> {
        self.may(Need::HOSTNAMES_WRITE)?;
        let stack = named(stack)?;
        let methods = [ProofMethod::Http, ProofMethod::Dns];
        let method = methods.into_iter().find(|one| one.word() == method.unwrap_or("http-01"));
        let method = method.ok_or(AdminError::MethodUnsupported)?;
        let (hostname, tenant) = (parsed(hostname)?, &self.tenant.id);
        let expires = Timestamp::now() + OPEN;
        let fresh = HostnameProof { token: random()?, answer: random()?, expires };
        let HostnameProof { token, answer, expires } =
            self.store.hostname_proof(tenant, &hostname, method, &fresh)?;
        let at = match method {
            ProofMethod::Http => format!("http://{hostname}{VERIFY}{token}"),
            ProofMethod::Dns => format!("{RECORD}{hostname}"),
        };
        if let Some(why) = tokio::runtime::Handle::current().block_on(self.unproven(method, &at, &answer)) {
            return Err(AdminError::HostnameUnverified {
                method,
                at,
                answer,
                until: expires.to_string(),
                why,
            });
        }
        self.store.verify_hostname(tenant, &hostname, &token, method, self.actor.by())?;
        if stack.is_some() {
            self.store.bind_hostname(tenant, &hostname, stack.as_ref(), self.actor.by())?;
        }
        self.renewed(&hostname)
    }

    /// Why what is said at `at` does not prove the host; nothing when it does.
    async fn unproven(&self, method: ProofMethod, at: &str, answer: &str) -> Option<String> {
        let is_it = |said: &[u8]| said.trim_ascii() == answer.as_bytes();
        match method {
            ProofMethod::Http => match self.chassis.asked_at(at).await {
                Ok((200, said)) if is_it(&said) => None,
                Ok((200, _)) => Some("it said something else there".to_owned()),
                Ok((status, _)) => Some(format!("it answered {status}")),
                Err(failure) => Some(failure.to_string()),
            },
            ProofMethod::Dns => match self.chassis.records_of(at).await {
                Ok(records) if records.iter().any(|said| is_it(said.as_bytes())) => None,
                Ok(records) if records.is_empty() => Some("it has no TXT record".to_owned()),
                Ok(_) => Some("its TXT records say something else".to_owned()),
                Err(failure) => Some(failure.to_string()),
            },
        }
    }

    /// Lets a host go.
    ///
    /// # Errors
    /// [`AdminError`]: the host, `hostname_not_found`.
    pub(crate) fn release(&self, hostname: &str) -> Result<(), AdminError> {
        self.may(Need::HOSTNAMES_WRITE)?;
        self.store.release_hostname(&self.tenant.id, &parsed(hostname)?, self.actor.by())?;
        Ok(self.applied.renew_changed()?)
    }
}

fn parsed(hostname: &str) -> Result<Hostname, AdminError> {
    Hostname::parse(hostname).map_err(|e| AdminError::InvalidHostname(e.rule.to_owned()))
}

/// The stack that is named; none for an empty name.
fn named(stack: Option<&str>) -> Result<Option<StackName>, AdminError> {
    let stack = stack.filter(|stack| !stack.is_empty()).map(StackName::parse).transpose();
    stack.map_err(|e| AdminError::InvalidStack(e.rule.to_owned()))
}

/// 128 bits as text.
fn random() -> Result<String, AdminError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| AdminError::Internal)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}
