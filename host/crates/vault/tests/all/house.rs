//! A vault in a temporary folder, and short names for what is done with it.

use std::path::PathBuf;
use std::sync::Arc;

use model::{
    Destination, FormatTemplate, OpName, OpRef, Path, SecretName, SecretRef, Slot, StackName, TenantId,
};
use rusqlite::Connection;
use store::{Options, Store};
use tempfile::TempDir;
use txco_vault::{
    By, Caller, Error, KeyProvider, KeyReport, KeyRing, MasterKey, Metadata, Reveal, SecretAddress,
    SecretBag, SecretValue, Terms, Vault, Written,
};

const GO_DATABASE: &str = include_str!("../../../../../tests/vectors/store/go-runtime.sql");

pub(crate) struct House {
    folder: TempDir,
    pub(crate) vault: Vault,
    pub(crate) report: KeyReport,
}

/// The master key of the vectors, 00 01 … 1f, or with another first byte.
pub(crate) fn key(first: u8) -> MasterKey {
    let mut bytes: [u8; 32] = std::array::from_fn(|i| u8::try_from(i).unwrap());
    bytes[0] = first;
    MasterKey::from_bytes(&mut bytes).ok().unwrap()
}

impl House {
    pub(crate) fn new() -> Self {
        Self::over(tempfile::tempdir().unwrap(), key(0))
    }

    /// Over a database of the Go chassis.
    pub(crate) fn of_go(key: impl Into<KeyRing>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let go = Connection::open(folder.path().join("runtime-dev.db")).unwrap();
        go.execute_batch(GO_DATABASE).unwrap();
        drop(go);
        Self::over(folder, key)
    }

    fn over(folder: TempDir, key: impl Into<KeyRing>) -> Self {
        Self::with_options(folder, key, Options::default())
    }

    /// The same folder, with quotas.
    pub(crate) fn with_quotas(self, quotas: store::Quotas) -> Self {
        drop(self.vault);
        Self::with_options(self.folder, key(0), Options { quotas, ..Options::default() })
    }

    fn with_options(folder: TempDir, key: impl Into<KeyRing>, options: Options) -> Self {
        let (store, _) = Store::open(folder.path(), "dev", options).unwrap();
        let (vault, report) = Vault::open(Arc::new(store), key).ok().unwrap();
        Self { folder, vault, report }
    }

    /// The same folder under a (perhaps other) key: a restart.
    pub(crate) fn reopened(self, key: impl Into<KeyRing>) -> Self {
        drop(self.vault);
        Self::over(self.folder, key)
    }

    /// The same with somebody to ask for the next ring.
    pub(crate) fn provided_by(self, provider: impl KeyProvider + 'static) -> Self {
        Self { vault: self.vault.provided_by(Box::new(provider)), ..self }
    }

    /// Somebody at the database with `sqlite3`.
    pub(crate) fn attacker(&self) -> Connection {
        let file: PathBuf = self.folder.path().join("runtime-dev.db");
        Connection::open(file).unwrap()
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub(crate) fn create(&self, stack: &str, secret: &str, text: &str) -> Result<Metadata, Error> {
        on(stack, secret, |address| self.vault.create(address, &terms(), value(text)))
    }

    pub(crate) fn set(&self, stack: &str, secret: &str, text: &str) -> Result<(Metadata, Written), Error> {
        on(stack, secret, |address| self.vault.set(address, &terms(), value(text)))
    }

    pub(crate) fn pack(&self, from: &str, names: &[&str]) -> Result<SecretBag<Reveal>, Error> {
        let refs: Vec<_> = names.iter().map(|n| reference(&format!("slot_{n}"), n)).collect();
        let (tenant, stack) = (tenant(), stack(from));
        self.vault.pack_reveal(&Caller { tenant: &tenant, stack: stack.as_ref() }, &op(), &refs)
    }

    /// The value that ops of `from` get under this name, or the error.
    pub(crate) fn value_of(&self, from: &str, secret: &str) -> Result<Vec<u8>, Error> {
        let bag = self.pack(from, &[secret])?;
        Ok(bag.cleartext(&format!("slot_{secret}"), 0).unwrap().expose().to_vec())
    }
}

/// What is said of a version when nothing is.
pub(crate) fn terms() -> Terms<'static> {
    Terms::of(By::Actor("actor_test"))
}

pub(crate) fn on<T>(stack_text: &str, secret: &str, act: impl FnOnce(&SecretAddress<'_>) -> T) -> T {
    let (tenant, stack, name) = (tenant(), stack(stack_text), name(secret));
    act(&SecretAddress { tenant: &tenant, stack: stack.as_ref(), name: &name })
}

pub(crate) fn value(text: &str) -> SecretValue {
    SecretValue::new(text.as_bytes().to_vec()).ok().unwrap()
}

pub(crate) fn tenant() -> TenantId {
    TenantId::parse("tnt_default").unwrap()
}

pub(crate) fn stack(text: &str) -> Option<StackName> {
    (!text.is_empty()).then(|| StackName::parse(text).unwrap())
}

pub(crate) fn name(text: &str) -> SecretName {
    SecretName::parse(text).unwrap()
}

pub(crate) fn op() -> OpRef {
    OpRef { name: OpName::parse("hmac-sign").unwrap(), digest: model::Digest::of(b"wasm") }
}

pub(crate) fn destination() -> Destination {
    Destination::of("https://api.example").unwrap()
}

pub(crate) fn reference(slot: &str, secret: &str) -> SecretRef {
    SecretRef {
        slot: Slot::new(Path::parse(slot).unwrap()).unwrap(),
        name: name(secret),
        format: Some(FormatTemplate::parse("Bearer {}").unwrap()),
    }
}
