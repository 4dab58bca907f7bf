//! An op called outside a chassis, by the same sandbox, vault and limits.
//!
//! Its secrets are sealed in a database of their own under a key that is only in this
//! process's memory; both are gone when this is dropped.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use model::{
    Class, Envelope, OpManifest, Path, Policy, RequestId, SecretName, SecretRef, Slot, TenantId, TenantSlug,
    Value,
};
use sandbox::{Op, OpInput, Randomness, Sandbox, Trust};
use store::{By, SecretAddress, Store};
use vault::{Caller, Credentials, MasterKey, OpBags, Origin, PolicyChange, SecretValue, Terms, Vault, Wants};
use zeroize::Zeroizing;

use super::place::Component;
use crate::cli::output::Complaint;

/// The rooms an op needs, on a stage of their own.
pub(super) struct Rehearsal {
    pub(super) sandbox: Sandbox,
    vault: Vault,
    tenant: TenantId,
    refs: Vec<SecretRef>,
    _folder: tempfile::TempDir,
}

/// What one call is about.
#[derive(Debug, Clone)]
pub(super) struct Scene {
    pub(super) now: Timestamp,
    pub(super) params: Value,
    pub(super) envelope: Envelope,
    pub(super) randomness: Randomness,
}

/// What an op answered, with its credentials to be read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    /// Where, whether it is a credential, and what, as JSON.
    pub(super) fields: Vec<(Path, Kind, serde_json::Value)>,
    pub(super) log: Vec<String>,
    pub(super) log_dropped: u32,
}

/// Why an op did not answer, and what it said before.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Failed {
    pub(super) error: sandbox::Error,
    pub(super) log: Vec<String>,
}

/// Whether rules can look into a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// They can.
    Plain,
    /// They cannot.
    Credential,
}

impl Rehearsal {
    /// A stage in this sandbox, with secrets by slot that have this policy.
    pub(super) fn new(
        sandbox: Sandbox,
        secrets: BTreeMap<String, Zeroizing<Vec<u8>>>,
        policy: Option<&Policy>,
    ) -> Result<Self, Complaint> {
        let failed = |e: &dyn std::fmt::Display| Complaint::failed(format!("cannot rehearse: {e}"));
        let folder = tempfile::tempdir().map_err(|e| failed(&e))?;
        let opened = Store::open(&folder.path().join("db"), "rehearsal", store::Options::default());
        let store = Arc::new(opened.map_err(|e| failed(&e))?.0);
        let tenant = store.tenant_by_slug(&TenantSlug::default_tenant()).map_err(|e| failed(&e))?;
        let tenant = tenant.ok_or_else(|| failed(&"no tenant"))?.id;
        let mut key = Zeroizing::new([0_u8; 32]);
        getrandom::fill(&mut *key).map_err(|e| failed(&e))?;
        let key = MasterKey::from_bytes(&mut *key).map_err(|e| failed(&e))?;
        let (vault, _) = Vault::open(store, key).map_err(|e| failed(&e))?;
        let mut refs = Vec::new();
        for (at, (slot, value)) in secrets.into_iter().enumerate() {
            let of_slot = |e: &dyn std::fmt::Display| Complaint::failed(format!("secret {slot}: {e}"));
            let name = SecretName::parse(&format!("SLOT_{at}")).map_err(|e| of_slot(&e))?;
            let value = SecretValue::new(value.to_vec()).map_err(|e| of_slot(&e))?;
            let address = SecretAddress { tenant: &tenant, stack: None, name: &name };
            let policy = policy.cloned().map_or(PolicyChange::Keep, PolicyChange::Put);
            let terms = Terms { policy, ..Terms::of(By::Local) };
            vault.create(&address, &terms, value).map_err(|e| of_slot(&e))?;
            let slot = Path::parse(&slot)
                .map_err(|e| of_slot(&e))
                .and_then(|path| Slot::new(path).map_err(|e| of_slot(&e)))?;
            refs.push(SecretRef { slot, name, format: None });
        }
        Ok(Self { sandbox, vault, tenant, refs, _folder: folder })
    }

    /// Compiles a component of the op.
    pub(super) fn op(&self, component: &Component) -> Result<Op, Complaint> {
        component.load(&self.sandbox, Trust::Author)
    }

    /// The secrets of one call, as a chassis would pack them for this build.
    pub(super) fn bags(&self, op: &Op) -> Result<OpBags, Complaint> {
        let wants = Wants {
            reveal: op.reveals(),
            keys: op.uses_keys(),
            accepts_retiring: &|slot| op.accepts_retiring(slot),
            loosest: Class::Data,
            partly: false,
        };
        let caller = Caller { tenant: &self.tenant, stack: None };
        let packed = self.vault.pack_for_op(&caller, op.reference(), Origin::Tenant, &wants, &self.refs);
        packed.map_err(|e| Complaint::failed(e.to_string()))
    }

    /// Calls the op once.
    pub(super) fn call(&self, op: &Op, scene: &Scene) -> Result<Result<Answer, Failed>, Complaint> {
        let bags = self.bags(op)?;
        let credentials = Credentials::new();
        let mut log = Vec::new();
        let output =
            match op.call_heard(scene.input()?, bags, &credentials, &mut log, &sandbox::Leash::default()) {
                Ok(output) => output,
                Err(error) => return Ok(Err(Failed { error, log })),
            };
        let fields = output.fields.into_iter().map(|(path, value)| {
            let (kind, value) = shown(&value, &credentials);
            (path, kind, value)
        });
        Ok(Ok(Answer { fields: fields.collect(), log: output.log, log_dropped: output.log_dropped }))
    }
}

impl Scene {
    /// The value of a parameter that is text.
    pub(super) fn text(&self, param: &str) -> Option<String> {
        self.params.as_object()?.get(param).and_then(Value::as_str).map(str::to_owned)
    }

    /// The facts of one call.
    pub(super) fn input(&self) -> Result<OpInput, Complaint> {
        Ok(OpInput {
            request: RequestId::mint().map_err(|e| Complaint::failed(format!("no randomness: {e}")))?,
            stack: "rehearsal".to_owned(),
            scope: 100,
            rule: "rehearsal".to_owned(),
            now_millis: u64::try_from(self.now.as_millisecond()).unwrap_or(0),
            params: Arc::new(self.params.clone()),
            envelope: Arc::new(self.envelope.clone()),
            randomness: self.randomness,
        })
    }
}

/// A value as JSON; a credential as its text, for the author's eyes (R21).
fn shown(value: &Value, credentials: &Credentials) -> (Kind, serde_json::Value) {
    let Value::Sealed(sealed) = value else {
        return (Kind::Plain, serde_json::to_value(value).unwrap_or_default());
    };
    let text: String = sealed
        .credentials()
        .filter_map(|id| credentials.with(id, |bytes| String::from_utf8_lossy(bytes).into_owned()))
        .collect();
    (Kind::Credential, text.into())
}

/// The parameters and input of a call, from JSON.
pub(super) fn envelope(input: &serde_json::Value, raw_body: Option<&[u8]>) -> Result<Envelope, Complaint> {
    let wrong = |why: String| Complaint::failed(format!("input: {why}"));
    let mut envelope = Envelope::new(input.clone().into()).map_err(|e| wrong(e.to_string()))?;
    if let Some(raw) = raw_body {
        let text = || std::str::from_utf8(raw).ok().map(Value::from);
        let body = Value::parse(raw).ok().or_else(text);
        envelope.receive_body(body, Arc::from(raw));
    }
    Ok(envelope)
}

/// The class that an op returned and its secrets' policies would have to allow (R21).
pub(super) const fn needs_allow(error: &sandbox::Error) -> Option<&'static str> {
    if let sandbox::Error::Output { why: sandbox::OutputFlaw::NotAllowed(class), .. } = error {
        return Some(class.word());
    }
    None
}

/// The slots that a call cannot do without and has no secret for.
pub(super) fn missing<'m>(
    manifest: &'m OpManifest,
    given: &BTreeMap<String, Zeroizing<Vec<u8>>>,
) -> Vec<&'m str> {
    let needed = manifest.slots.iter().filter(|(name, slot)| !slot.optional && !given.contains_key(*name));
    needed.map(|(name, _)| name.as_str()).collect()
}
