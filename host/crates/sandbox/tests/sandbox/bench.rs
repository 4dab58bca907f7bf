//! Guests made of text, secrets made by a real vault.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use model::{
    Class, Envelope, FormatTemplate, OpName, RequestId, SecretName, SecretRef, Slot, TenantId, TenantSlug,
    Value,
};
use sandbox::{CodeCache, Error, Limits, Op, OpInput, OpOutput, Randomness, Sandbox, Trust};
use store::{By, SecretAddress, Store};
use tempfile::TempDir;
use vault::{
    Caller, Credentials, MasterKey, OpBags, Origin, Reveal, SecretBag, SecretValue, Terms, Use, Vault, Wants,
};

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

/// The same, with a manifest: a custom section behind the others.
pub(crate) fn declared(guest_name: &str, manifest: &str) -> Vec<u8> {
    let sized = |bytes: &[u8]| {
        let len = u16::try_from(bytes.len()).unwrap();
        assert!(len < 1 << 14);
        // LEB128, always of two bytes.
        [&[0x80 | (len & 0x7f) as u8, (len >> 7) as u8], bytes].concat()
    };
    let content = [sized(model::MANIFEST_SECTION.as_bytes()), manifest.as_bytes().to_vec()].concat();
    [guest(guest_name), vec![0], sized(&content)].concat()
}

pub(crate) fn name(text: &str) -> OpName {
    OpName::parse(text).unwrap()
}

/// A sandbox without a code cache. `TXCO_OPS_LAYERED` makes it one that calls nothing directly.
pub(crate) fn sandbox(limits: Limits) -> Sandbox {
    if std::env::var_os("TXCO_OPS_LAYERED").is_some() {
        return sandbox::measure::layered(limits).unwrap();
    }
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
        randomness: Randomness::System,
    }
}

/// Calls an op without secrets, its time being `dial`.
pub(crate) fn dialled(op: &Op, dial: u64) -> Result<OpOutput, Error> {
    op.call(input(dial), nothing(), &Credentials::new())
}

/// No secret at all.
pub(crate) fn nothing() -> OpBags {
    OpBags { reveal: SecretBag::<Reveal>::empty(), keys: SecretBag::<Use>::empty() }
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
        let tenant = store.create_tenant(&TenantSlug::parse("acme").unwrap(), None, By::Local).unwrap().id;
        let (vault, _) = Vault::open(Arc::new(store), master_key()).ok().unwrap();
        Self { _folder: folder, vault, tenant }
    }

    /// Bags for `op` whose slot holds `value`.
    pub(crate) fn bags(&self, op: &Op, slot: &str, value: &[u8]) -> OpBags {
        self.store("THE_SECRET", value);
        self.pack(op, &[(slot, "THE_SECRET")])
    }

    /// Stores a value, or a newer one.
    pub(crate) fn store(&self, secret: &str, value: &[u8]) {
        let secret = SecretName::parse(secret).unwrap();
        let address = SecretAddress { tenant: &self.tenant, stack: None, name: &secret };
        self.vault.set(&address, &Terms::of(By::Local), SecretValue::new(value.to_vec()).unwrap()).unwrap();
    }

    /// Stores a newer value; the one before stays in use for as long as `overlap`.
    pub(crate) fn rotate(&self, secret: &str, value: &[u8], overlap: Option<Duration>) {
        let secret = SecretName::parse(secret).unwrap();
        let address = SecretAddress { tenant: &self.tenant, stack: None, name: &secret };
        let overlap = overlap.map(|overlap| overlap.try_into().unwrap());
        let terms = Terms { overlap, ..Terms::of(By::Local) };
        self.vault.rotate(&address, &terms, SecretValue::new(value.to_vec()).unwrap()).unwrap();
    }

    /// Bags for `op` with these secrets in these slots.
    pub(crate) fn pack(&self, op: &Op, slots: &[(&str, &str)]) -> OpBags {
        self.try_pack(op, slots).unwrap()
    }

    pub(crate) fn try_pack(&self, op: &Op, slots: &[(&str, &str)]) -> Result<OpBags, vault::Error> {
        let origin = if op.trust() == Trust::Builtin { Origin::Builtin } else { Origin::Tenant };
        self.pack_as(op, origin, slots)
    }

    /// The same for whoever's op.
    pub(crate) fn pack_as(
        &self,
        op: &Op,
        origin: Origin,
        slots: &[(&str, &str)],
    ) -> Result<OpBags, vault::Error> {
        let one = |(slot, secret): &(&str, &str)| SecretRef {
            slot: Slot::new(model::Path::parse(slot).unwrap()).unwrap(),
            name: SecretName::parse(secret).unwrap(),
            format: None::<FormatTemplate>,
        };
        let refs: Vec<_> = slots.iter().map(one).collect();
        let caller = Caller { tenant: &self.tenant, stack: None };
        let accepts_retiring = |slot: &Slot| op.accepts_retiring(slot);
        let wants = Wants {
            reveal: op.reveals(),
            keys: op.uses_keys(),
            accepts_retiring: &accepts_retiring,
            loosest: Class::Data,
            partly: false,
        };
        self.vault.pack_for_op(&caller, op.reference(), origin, &wants, &refs)
    }
}

pub(crate) fn master_key() -> MasterKey {
    let mut bytes: Vec<u8> = (0..32).collect();
    MasterKey::from_bytes(&mut bytes).ok().unwrap()
}
