//! What all measurements share: a vault with one key, ops that sign a body with it, and the native signer.

use std::collections::HashMap;
use std::hint::black_box;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use model::{
    Digest, Envelope, OpName, Path, RequestId, SecretName, SecretRef, Slot, TenantId, TenantSlug, Value,
};
use sandbox::measure::Subject;
use sandbox::{Builtin, CodeCache, Limits, Op, OpInput, Randomness, Sandbox, Trust, builtins};
use sha2::Sha256;
use store::{By, SecretAddress, Store};
use tempfile::TempDir;
use vault::{Caller, CodeCacheKey, Credentials, MasterKey, OpBags, Origin, SecretValue, Terms, Vault, Wants};

const KEY: &[u8] = b"0123456789abcdef0123456789abcdef";

/// How an op comes by the key and the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// `hmac-sign` is shown the key, and computes in the guest.
    Shown,
    /// The host computes over the body, both by handle.
    Handle,
    /// The host computes over a copy of the body that the guest has.
    Copied,
}

/// A place to make calls from.
pub(crate) struct House {
    folder: TempDir,
    vault: Vault,
    tenant: TenantId,
}

/// An op, ready to sign one body again and again.
pub(crate) struct Signer<'a> {
    house: &'a House,
    pub(crate) op: Op,
    input: OpInput,
    body: Arc<[u8]>,
    /// For the native work.
    params: String,
    keys: HashMap<String, &'static [u8]>,
}

impl House {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(folder.path(), "bench", store::Options::default()).unwrap();
        let tenant = store.create_tenant(&TenantSlug::parse("acme").unwrap(), None, By::Local).unwrap().id;
        let (vault, _) = Vault::open(Arc::new(store), master_key()).ok().unwrap();
        let secret = secret();
        let address = SecretAddress { tenant: &tenant, stack: None, name: &secret };
        vault.create(&address, &Terms::of(By::Local), SecretValue::new(KEY.to_vec()).unwrap()).unwrap();
        Self { folder, vault, tenant }
    }

    /// A code cache of its own.
    pub(crate) fn cache(&self) -> (PathBuf, CodeCache) {
        let folder = self.folder.path().join("cache");
        let key: CodeCacheKey = master_key().code_cache_key().ok().unwrap();
        (folder.clone(), CodeCache::At { folder, key })
    }

    /// An op that signs a body of so many bytes.
    pub(crate) fn signer(&self, sandbox: &Sandbox, how: How, bytes: usize) -> Signer<'_> {
        let op = match how {
            How::Shown => Self::builtin(sandbox, true).unwrap(),
            How::Handle => Self::builtin(sandbox, false).unwrap(),
            How::Copied => Self::guest_directly(sandbox, "forger"),
        };
        let attack = if how == How::Copied { 9 } else { 0 };
        let params =
            format!(r#"{{"algorithm":"sha256","input_path":"body","output_path":"p","attack":{attack}}}"#);
        let body: Arc<[u8]> = Arc::from(vec![b'x'; bytes]);
        let mut envelope = Envelope::default();
        envelope.receive_body(Value::from("as received"), Arc::clone(&body));
        let input = OpInput {
            request: RequestId::mint().unwrap(),
            stack: "bench".to_owned(),
            scope: 100,
            rule: "sign".to_owned(),
            now_millis: 0,
            params: Arc::new(Value::parse(params.as_bytes()).unwrap()),
            envelope: Arc::new(envelope),
            randomness: Randomness::System,
        };
        let keys = HashMap::from([("KEY".to_owned(), KEY)]);
        let signer = Signer { house: self, op, input, body, params, keys };
        signer.call(signer.bags(), &Credentials::new());
        signer
    }

    fn builtin(sandbox: &Sandbox, shown: bool) -> Option<Op> {
        let named = builtins().unwrap().into_iter().filter(|builtin| builtin.name.as_str() == "hmac-sign");
        named.map(|builtin| sandbox.load_builtin(&builtin).unwrap()).find(|op| op.reveals() == shown)
    }

    /// A guest of `tests/guests`, with leave to return a digest at `p`.
    pub(crate) fn guest(sandbox: &Sandbox, name: &str) -> Op {
        sandbox.load(OpName::parse(name).unwrap(), &Self::component(name), Trust::Tenant).unwrap()
    }

    /// The same, called as the built-in ops are.
    fn guest_directly(sandbox: &Sandbox, name: &str) -> Op {
        let wasm = Self::component(name).leak();
        let (name, digest) = (OpName::parse(name).unwrap(), Digest::of(wasm));
        sandbox.load_builtin(&Builtin { name, file: "", wasm, digest }).unwrap()
    }

    fn component(name: &str) -> Vec<u8> {
        let root = FilePath::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).unwrap();
        let component = std::fs::read(root.join(format!("tests/guests/dist/{name}.wasm"))).unwrap();
        let manifest = format!("name = \"{name}\"\n[[outputs]]\npath = \"p\"\nclass = \"digest\"");
        // A custom section whose lengths have one byte each.
        let section = model::MANIFEST_SECTION.as_bytes();
        let lengths = [section.len(), section.len() + 1 + manifest.len()].map(|n| u8::try_from(n).unwrap());
        assert!(lengths[1] < 0x80);
        [&component, &[0, lengths[1], lengths[0]][..], section, manifest.as_bytes()].concat()
    }
}

impl Signer<'_> {
    /// What one call uses up.
    pub(crate) fn bags(&self) -> OpBags {
        let slot = Slot::new(Path::parse("key").unwrap()).unwrap();
        let refs = [SecretRef { slot, name: secret(), format: None }];
        let caller = Caller { tenant: &self.house.tenant, stack: None };
        let accepts_retiring = |slot: &Slot| self.op.accepts_retiring(slot);
        let wants = Wants {
            reveal: self.op.reveals(),
            keys: self.op.uses_keys(),
            accepts_retiring: &accepts_retiring,
            loosest: model::Class::Data,
            partly: false,
        };
        let packed =
            self.house.vault.pack_for_op(&caller, self.op.reference(), Origin::Builtin, &wants, &refs);
        packed.ok().unwrap()
    }

    pub(crate) fn input(&self) -> OpInput {
        self.input.clone()
    }

    pub(crate) fn call(&self, bags: OpBags, credentials: &Credentials) {
        black_box(self.op.call(self.input(), bags, credentials).unwrap());
    }

    /// The same work without walls: the rule's parameters read, the key looked up, the HMAC, and
    /// a JSON object with its text.
    fn native(&self) -> String {
        let params: serde_json::Value = serde_json::from_str(black_box(&self.params)).unwrap();
        let key = &self.keys[black_box("KEY")];
        assert_eq!(params["algorithm"].as_str(), Some("sha256"));
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.update(black_box(&self.body));
        let digits = b"0123456789abcdef";
        let mac = mac.finalize().into_bytes();
        let hex = mac.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| digits[usize::from(digit)]);
        let hex = String::from_utf8(hex.collect()).unwrap();
        let path = params["output_path"].as_str().unwrap().to_owned();
        serde_json::Value::from_iter([(path, hex)]).to_string()
    }

    /// Hands out the two to be measured.
    pub(crate) fn measured<R>(&self, measure: impl FnOnce(&Subject<'_, OpBags>) -> R) -> R {
        let credentials = Credentials::new();
        measure(&Subject {
            prepare: &|| self.bags(),
            call: &|bags| self.call(bags, &credentials),
            native: &|| drop(black_box(self.native())),
        })
    }
}

pub(crate) fn sandbox() -> Sandbox {
    Sandbox::new(limits(), CodeCache::Off).unwrap()
}

/// The defaults, with room for bodies of megabytes that are copied.
pub(crate) fn limits() -> Limits {
    Limits { argument_bytes: 16 << 20, ..Limits::default() }
}

fn secret() -> SecretName {
    SecretName::parse("KEY").unwrap()
}

fn master_key() -> MasterKey {
    MasterKey::from_bytes(&mut (0..32).collect::<Vec<u8>>()).ok().unwrap()
}
