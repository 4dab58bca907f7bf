//! A database in a folder, and all that can be seen of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use model::{OpName, OpRef, SecretName, SecretRef, Slot, StackName, TenantId};
use rusqlite::Connection;
use store::{Options, Store};
use txco_vault::{Caller, Error, MasterKey, SecretAddress, SecretValue, Vault};

/// What each secret is: its version, its value and its description.
pub(crate) type State = BTreeMap<String, (u32, String, String)>;

/// The master key of the vectors, 00 01 … 1f.
pub(crate) fn key() -> MasterKey {
    MasterKey::from_bytes(&mut (0..32).collect::<Vec<u8>>()).ok().unwrap()
}

pub(crate) fn tenant() -> TenantId {
    TenantId::parse("tnt_default").unwrap()
}

pub(crate) fn name(text: &str) -> SecretName {
    SecretName::parse(text).unwrap()
}

pub(crate) fn value(text: &str) -> SecretValue {
    SecretValue::new(text.as_bytes().to_vec()).ok().unwrap()
}

pub(crate) fn open(folder: &Path) -> Result<Vault, Error> {
    let (store, _) = Store::open(folder, "dev", Options::default())?;
    Ok(Vault::open(Arc::new(store), key())?.0)
}

pub(crate) fn on<T>(stack: &str, secret: &str, act: impl FnOnce(&SecretAddress<'_>) -> T) -> T {
    let (tenant, name) = (tenant(), name(secret));
    let stack = (!stack.is_empty()).then(|| StackName::parse(stack).unwrap());
    act(&SecretAddress { tenant: &tenant, stack: stack.as_ref(), name: &name })
}

/// The state of a database: every active secret opens, and its value is told.
pub(crate) fn state(vault: &Vault) -> State {
    let tenant = tenant();
    let op = OpRef { name: OpName::parse("hmac-sign").unwrap(), digest: model::Digest::of(b"wasm") };
    let told = |metadata: &txco_vault::Metadata| {
        let slot = Slot::new(model::Path::parse("key").unwrap()).unwrap();
        let refs = [SecretRef { slot, name: metadata.name.clone(), format: None }];
        let caller = Caller { tenant: &tenant, stack: metadata.stack.as_ref() };
        let bag = vault.pack_reveal(&caller, &op, &refs).unwrap_or_else(|e| panic!("{}: {e}", metadata.name));
        let text = String::from_utf8_lossy(bag.cleartext("key", 0).unwrap().expose()).into_owned();
        let place = metadata.stack.as_ref().map_or_else(String::new, |stack| format!("{stack}:"));
        let description = metadata.description.clone().unwrap_or_default();
        (format!("{place}{}", metadata.name), (metadata.version_no, text, description))
    };
    vault.list(&tenant).unwrap().iter().map(told).collect()
}

/// Opens what is left in `folder` and tells its state; the file must be whole, and take a
/// further write.
pub(crate) fn left(folder: &Path) -> State {
    let vault = open(folder).unwrap_or_else(|e| panic!("it does not open: {e}"));
    let sql = Connection::open(folder.join("runtime-dev.db")).unwrap();
    let whole: String = sql.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(whole, "ok");
    let orphans: u32 = sql
        .query_row(
            "SELECT (SELECT COUNT(*) FROM tenant_secret_versions v WHERE NOT EXISTS
                        (SELECT 1 FROM tenant_secrets s WHERE s.secret_id = v.secret_id))
                  + (SELECT COUNT(*) FROM tenant_secrets s WHERE NOT EXISTS
                        (SELECT 1 FROM tenant_secret_versions v WHERE v.secret_id = s.secret_id))",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(orphans, 0, "halves of secrets");
    let state = state(&vault);
    on("", "AFTERWARDS", |address| vault.set(address, None, None, value("goes on"))).unwrap();
    state
}

/// A copy of a folder's files.
pub(crate) fn copied(from: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.path().join(entry.file_name())).unwrap();
    }
    to
}
