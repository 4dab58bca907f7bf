//! Guests made of text, secrets made by a real vault.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::{
    Envelope, FormatTemplate, OpName, RequestId, SecretName, SecretRef, Slot, TenantId, TenantSlug, Value,
};
use sandbox::{CodeCache, Error, Limits, Op, OpInput, OpOutput, Sandbox, Trust};
use store::{SecretAddress, Store};
use tempfile::TempDir;
use vault::{Caller, Credentials, MasterKey, Reveal, SecretBag, SecretValue, Vault};

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).unwrap().to_owned()
}

pub(crate) fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// The component of `tests/guests/NAME.wat`; of a core module, made by `builtin-ops/build`.
pub(crate) fn guest(name: &str) -> Vec<u8> {
    let source = text(&format!("tests/guests/{name}.wat"));
    if source.contains("\n(component") {
        return wat::parse_str(source).unwrap();
    }
    std::fs::read(root().join(format!("tests/guests/dist/{name}.wasm"))).unwrap()
}

pub(crate) fn name(text: &str) -> OpName {
    OpName::parse(text).unwrap()
}

/// A sandbox without a code cache.
pub(crate) fn sandbox(limits: Limits) -> Sandbox {
    Sandbox::new(limits, CodeCache::Off).unwrap()
}

/// A guest of a tenant, under these limits.
pub(crate) fn op(guest_name: &str, limits: Limits) -> Op {
    sandbox(limits).load(name(guest_name), &guest(guest_name), Trust::Tenant).unwrap()
}

/// An input whose time is `dial`.
pub(crate) fn input(dial: u64) -> OpInput {
    OpInput {
        request: RequestId::parse("req_1111111111111111111111").unwrap(),
        stack: "shop/eu".to_owned(),
        scope: 100,
        rule: "sign".to_owned(),
        now_millis: dial,
        params: Arc::new(Value::object()),
        envelope: Arc::new(Envelope::new(Value::parse(br#"{"body":"hello"}"#).unwrap()).unwrap()),
    }
}

/// Calls an op without secrets, its time being `dial`.
pub(crate) fn dialled(op: &Op, dial: u64) -> Result<OpOutput, Error> {
    op.call(input(dial), SecretBag::<Reveal>::empty(), &Credentials::new())
}

/// A vault of its own, for one tenant.
pub(crate) struct Secrets {
    _folder: TempDir,
    vault: Vault,
    tenant: TenantId,
}

impl Secrets {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(folder.path(), "test", store::Options::default()).unwrap();
        let tenant = store.create_tenant(&TenantSlug::parse("acme").unwrap(), None).unwrap().id;
        let (vault, _) = Vault::open(Arc::new(store), master_key()).ok().unwrap();
        Self { _folder: folder, vault, tenant }
    }

    /// A bag for `op` whose slot holds `value`.
    pub(crate) fn bag(&self, op: &Op, slot: &str, value: &[u8]) -> SecretBag<Reveal> {
        let secret = SecretName::parse("THE_SECRET").unwrap();
        let address = SecretAddress { tenant: &self.tenant, stack: None, name: &secret };
        self.vault.set(&address, None, None, SecretValue::new(value.to_vec()).unwrap()).unwrap();
        self.pack(op, slot)
    }

    /// The same with the value stored before.
    pub(crate) fn pack(&self, op: &Op, slot: &str) -> SecretBag<Reveal> {
        let slot = Slot::new(model::Path::parse(slot).unwrap()).unwrap();
        let one = SecretRef {
            slot,
            name: SecretName::parse("THE_SECRET").unwrap(),
            format: None::<FormatTemplate>,
        };
        let caller = Caller { tenant: &self.tenant, stack: None };
        self.vault.pack_reveal(&caller, op.reference(), &[one]).unwrap()
    }
}

pub(crate) fn master_key() -> MasterKey {
    let mut bytes: Vec<u8> = (0..32).collect();
    MasterKey::from_bytes(&mut bytes).ok().unwrap()
}
