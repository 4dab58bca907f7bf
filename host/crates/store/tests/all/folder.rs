//! A temporary folder with a database in it, and short names for what goes in.

use std::path::PathBuf;

use model::{Id, IdKind, SecretName, StackName, TenantId, TenantSlug};
use rusqlite::Connection;
use tempfile::TempDir;
use txco_store::{
    AadScheme, By, Deed, Error, KeyId, Opened, Options, SealedSecret, SecretAddress, StackFallback, Store,
    Writing,
};

pub(crate) const GO_DATABASE: &str = include_str!("../../../../../tests/vectors/store/go-runtime.sql");

pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// With a database as the Go chassis leaves it, write-ahead log and all.
    pub(crate) fn of_go() -> Self {
        let folder = Self::new();
        let go = folder.foreign("runtime-dev.db");
        go.execute_batch(GO_DATABASE).unwrap();
        folder
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().join("db")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path()).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// A connection of somebody else: the Go chassis, or an operator's `sqlite3`.
    pub(crate) fn foreign(&self, name: &str) -> Connection {
        std::fs::create_dir_all(self.path()).unwrap();
        let connection = Connection::open(self.file(name)).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        connection
    }

    pub(crate) fn open(&self) -> Result<(Store, Opened), Error> {
        Store::open(&self.path(), "dev", Options::default())
    }

    pub(crate) fn store(&self) -> Store {
        self.open().unwrap().0
    }

    pub(crate) fn exact(&self) -> (Store, Opened) {
        Store::open(&self.path(), "dev", Options { fallback: StackFallback::Exact, ..Options::default() })
            .unwrap()
    }
}

pub(crate) fn tenant(id: &str) -> TenantId {
    TenantId::parse(id).unwrap()
}

pub(crate) fn default_tenant() -> TenantId {
    tenant("tnt_default")
}

pub(crate) fn slug(text: &str) -> TenantSlug {
    TenantSlug::parse(text).unwrap()
}

pub(crate) fn name(text: &str) -> SecretName {
    SecretName::parse(text).unwrap()
}

pub(crate) fn stack(text: &str) -> Option<StackName> {
    (!text.is_empty()).then(|| StackName::parse(text).unwrap())
}

/// Bytes that stand for a sealed value; this crate cannot tell them from real ones.
pub(crate) fn sealed(mark: u8) -> SealedSecret {
    SealedSecret {
        scheme: AadScheme::Two { key_id: KeyId::new([1; 8]) },
        nonce: [mark; 12],
        ciphertext: vec![mark; 40],
        dek_nonce: [mark; 12],
        wrapped_dek: [mark; 48],
    }
}

/// Adds a secret with one version, marked with `mark`.
pub(crate) fn add(store: &Store, stack_text: &str, secret: &str, mark: u8) -> Result<Id, Error> {
    let (tenant, stack, name) = (default_tenant(), stack(stack_text), name(secret));
    let address = SecretAddress { tenant: &tenant, stack: stack.as_ref(), name: &name };
    store.write(|writing| {
        let id = writing.mint(IdKind::Secret)?;
        writing.add_secret(&id, &address, None, By::Open)?;
        writing.add_version(&id, 1, &sealed(mark), By::Open)?;
        writing.record(&Deed::on_secret(By::Open, "create", &address))?;
        Ok(id)
    })
}

/// Adds the next version to a secret.
pub(crate) fn rotate(store: &Store, id: &Id, mark: u8) -> Result<u32, Error> {
    store.write(|writing| {
        let version_no = writing.next_version(id)?;
        writing.add_version(id, version_no, &sealed(mark), By::Open)?;
        writing.mark_rotated(id)?;
        writing.record(&Deed::new(By::Open, "rotate", "-", "-"))?;
        Ok(version_no)
    })
}

/// Revokes the secret at this place.
pub(crate) fn revoke(store: &Store, stack_text: &str, secret: &str) {
    let (tenant, stack, name) = (default_tenant(), stack(stack_text), name(secret));
    let address = SecretAddress { tenant: &tenant, stack: stack.as_ref(), name: &name };
    let revoked: Result<(), Error> = store.write(|writing| {
        writing.revoke(&writing.secret(&address)?.unwrap().secret_id)?;
        writing.record(&Deed::on_secret(By::Open, "revoke", &address)).map(drop)
    });
    revoked.unwrap();
}

/// Records what a write did.
pub(crate) fn told(writing: &Writing<'_>) -> Result<(), Error> {
    writing.record(&Deed::new(By::Open, "test", "-", "-")).map(drop)
}
