//! A database in a folder, and all that can be seen of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use model::{OpName, OpRef, SecretName, SecretRef, Slot, StackName, TenantId};
use rusqlite::Connection;
use store::{Options, Store};
use txco_vault::{
    By, Caller, Error, KeyRing, MasterKey, Progress, SchemeOne, SecretAddress, SecretValue, Terms, Vault,
    Verify,
};

/// What each secret is: its version, its value and its description.
pub(crate) type State = BTreeMap<String, (u32, String, String)>;

/// The master key of the vectors, 00 01 … 1f, or with another first byte.
pub(crate) fn key(first: u8) -> MasterKey {
    let mut bytes: Vec<u8> = (0..32).collect();
    bytes[0] = first;
    MasterKey::from_bytes(&mut bytes).ok().unwrap()
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

/// Opens a database as after a rotation of the master key: the old one is kept.
pub(crate) fn open(folder: &Path) -> Result<Vault, Error> {
    open_under(folder, KeyRing::new(key(1)).and(key(0)))
}

pub(crate) fn open_under(folder: &Path, ring: KeyRing) -> Result<Vault, Error> {
    let (store, _) = Store::open(folder, "dev", Options::default())?;
    Ok(Vault::open(Arc::new(store), ring)?.0)
}

/// Moves what is left to the new key, however far that had come, and does without the old one.
pub(crate) fn moved(folder: &Path) -> State {
    rewrapped(&open(folder).ok().unwrap(), SchemeOne::Upgrade).unwrap();
    let vault = open_under(folder, KeyRing::new(key(1))).ok().unwrap();
    verified(&vault);
    state(&vault)
}

/// Rewraps all rows, two in each transaction.
pub(crate) fn rewrapped(vault: &Vault, scheme_one: SchemeOne) -> Result<(), Error> {
    let mut rewrap = vault.rewrap(scheme_one)?;
    while vault.rewrap_step(&mut rewrap, 2)? == Progress::More {}
    assert_eq!(rewrap.shut, 0, "{:?}", rewrap.first_shut);
    Ok(())
}

/// Every version opens, old ones and those of revoked secrets too.
fn verified(vault: &Vault) {
    let mut verify = Verify::default();
    while vault.verify_step(&mut verify, 100).unwrap() == Progress::More {}
    assert_eq!(verify.shut, 0, "{:?}", verify.first_shut);
    let audit = vault.verify_audit(None).unwrap();
    assert_eq!((&audit.wrong, &audit.unexplained[..], audit.other_keys.len()), (&None, &[][..], 0));
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
    verified(&vault);
    let state = state(&vault);
    on("", "AFTERWARDS", |address| vault.set(address, &Terms::of(By::Open), value("goes on"))).unwrap();
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
