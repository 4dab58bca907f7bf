//! Which keys and which database a command is about, opened as the chassis would open them.

use std::path::PathBuf;
use std::sync::Arc;

use store::{By, Deed, Store};
use vault::{KeyId, Shut, Vault};

use crate::cli::dev;
use crate::cli::output::{Complaint, Console};
use crate::cli::passphrase::ask;
use crate::config::{Config, Defaults, ServeFlags};
use crate::key_source::{IfMissing, Kept, KeyError, KeyFiles, KeySource, Obtained};

/// The flags of `txco serve` that say where keys and database are, with the same variables.
#[derive(Default, clap::Args)]
pub(crate) struct Place {
    /// The file of the master key [$TXCO_SECRET_MASTER_KEY, default as for txco serve]
    #[arg(long, alias = "secret-master-key", value_name = "FILE")]
    path: Option<String>,
    /// The folder of the databases [$TXCO_DB_ROOT_DIR, default as for txco serve]
    #[arg(long, value_name = "DIR")]
    db_root_dir: Option<String>,
    /// Names the database file: runtime-NAME.db [$TXCO_ENV, default dev]
    #[arg(long, value_name = "NAME")]
    env: Option<String>,
    /// Those of the chassis that `txco dev` runs for the workspace around DIR
    #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = ".", require_equals = true)]
    dev: Option<PathBuf>,
    /// An open descriptor to read the master keys from [$TXCO_SECRET_MASTER_KEY_FD]
    #[arg(long, value_name = "N")]
    secret_master_key_fd: Option<String>,
    /// The systemd credential that is the master key [$TXCO_SECRET_MASTER_KEY_CREDENTIAL]
    #[arg(long, value_name = "NAME")]
    secret_master_key_credential: Option<String>,
    /// An open descriptor to read the passphrase of a sealed key from [$TXCO_SECRET_PASSPHRASE_FD]
    #[arg(long, value_name = "N")]
    secret_passphrase_fd: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// What a place has.
pub(super) struct Opened {
    /// How the source is called.
    pub label: String,
    /// Where the keys are kept.
    pub kept: Kept,
    /// The database file.
    pub database: PathBuf,
    /// The keys.
    pub obtained: Obtained,
    /// The open database, where there is one.
    pub store: Option<Arc<Store>>,
}

impl Place {
    /// The settings of the chassis that this is about.
    pub(super) fn config(&self, console: &Console<'_>) -> Result<Config, Complaint> {
        let one = |value: &Option<String>| value.iter().cloned().collect::<Vec<_>>();
        let flags = ServeFlags {
            secret_master_key: one(&self.path),
            db_root_dir: one(&self.db_root_dir),
            env: one(&self.env),
            secret_master_key_fd: one(&self.secret_master_key_fd),
            secret_master_key_credential: one(&self.secret_master_key_credential),
            secret_passphrase_fd: one(&self.secret_passphrase_fd),
            ..ServeFlags::of_no_head()
        };
        let defaults = match &self.dev {
            Some(dir) => dev::defaults(&dev::workspace(dir)?),
            None => Defaults::new(),
        };
        Config::read(flags, console.environment, &defaults)
            .map_err(|error| Complaint::usage(error.to_string()))
    }

    /// Reads the keys, and opens the database where there is one.
    pub(super) fn open(&self, console: &mut Console<'_>) -> Result<Opened, Complaint> {
        let mut config = self.config(console)?;
        let source = source_of(&mut config);
        let (label, kept) = (source.label(), source.kept());
        let obtained = source
            .obtain(IfMissing::Refuse, &mut |path| ask(console, path))
            .map_err(|error| failed(&error))?
            .ok_or_else(|| {
                Complaint::failed("no master key is configured; say where it is with --path FILE")
            })?;
        for error in &obtained.left_out {
            console.note(&format!("warning: {error}"));
        }
        let database = Store::file(&config.db_root_dir, &config.env).map_err(store_failed)?;
        let store = store_of(&config)?;
        Ok(Opened { label, kept, database, obtained, store })
    }
}

/// Reads what the process inherited, and makes it undumpable before any key is loaded.
pub(super) fn source_of(config: &mut Config) -> KeySource {
    let source = KeySource::of(config);
    // A command is short, and says nothing about limits that a chassis would warn of.
    let _hardened = pages::harden();
    source
}

/// Opens the database, where there is one.
pub(super) fn store_of(config: &Config) -> Result<Option<Arc<Store>>, Complaint> {
    if !Store::file(&config.db_root_dir, &config.env).map_err(store_failed)?.exists() {
        return Ok(None);
    }
    let (store, _) =
        Store::open(&config.db_root_dir, &config.env, store::Options::default()).map_err(store_failed)?;
    Ok(Some(Arc::new(store)))
}

impl Opened {
    /// The vault over keys and database; `None` where there is no database yet.
    pub(super) fn vault_if_any(self) -> Result<Option<Vault>, Complaint> {
        self.store.map(|store| vault_of(store, self.obtained)).transpose()
    }

    /// The vault over keys and database.
    pub(super) fn vault(self) -> Result<Vault, Complaint> {
        let path = self.database.display().to_string();
        self.vault_if_any()?.ok_or_else(|| {
            Complaint::failed(format!(
                "there is no database {path}; say where it is with --db-root-dir and --env"
            ))
        })
    }

    /// The files of the ring, where they are ours to change.
    ///
    /// # Errors
    /// The steps that lead to the same where they are not.
    pub(super) fn files(&self, doing: &str) -> Result<KeyFiles, Complaint> {
        match &self.kept {
            Kept::Files(files) => Ok(files.clone()),
            Kept::Elsewhere(steps) => Err(Complaint::failed(format!(
                "{} is read-only here; {doing} it where it is kept:\n{steps}",
                self.label
            ))),
            Kept::Nowhere => Err(Complaint::failed("no master key is configured")),
        }
    }
}

pub(super) fn vault_of(store: Arc<Store>, obtained: Obtained) -> Result<Vault, Complaint> {
    let (vault, _) = Vault::open(store, obtained.ring).map_err(vault_failed)?;
    Ok(match obtained.provider {
        Some(provider) => vault.provided_by(provider),
        None => vault,
    })
}

/// Writes down what was done to the keys of an open vault: an action, the key it is about, and
/// others that it concerns. Called where the keys are files, which no transaction of the
/// database covers.
pub(super) fn record(
    store: &Store,
    (action, outcome): (&str, &str),
    about: KeyId,
    others: &[KeyId],
) -> Result<(), Complaint> {
    let about = about.to_string();
    let mut deed = Deed::new(By::Local, action, "-", &about).outcome(outcome);
    if !others.is_empty() {
        deed = deed.fact("keys", others.iter().map(ToString::to_string).collect::<Vec<_>>());
    }
    store.note(&[deed]).map_err(store_failed)
}

/// One line about the first row that does not open, and what to do.
pub(super) fn shut(first: &Shut, count: u64, store: Option<&Store>) -> String {
    let slug = store
        .and_then(|store| store.tenants().ok())
        .and_then(|all| all.into_iter().find(|one| one.id.as_str() == first.tenant_id))
        .map_or_else(|| first.tenant_id.clone(), |tenant| tenant.slug.to_string());
    let stack = if first.stack.is_empty() { String::new() } else { format!(" in stack {}", first.stack) };
    let remedy = match first.why {
        vault::Unopened::OtherKey(_) => {
            "restore that key (`txco auth secrets restore --from FILE`, or `--retired` when it was set aside here), \
             or set the secret again"
        }
        vault::Unopened::NotAuthentic
        | vault::Unopened::NoVersion
        | vault::Unopened::UnknownScheme
        | vault::Unopened::UnknownPolicy => "set the secret again, or restore the database from a backup",
    };
    let rows = if count == 1 {
        "1 row does not open:".to_owned()
    } else {
        format!("{count} rows do not open; the first is")
    };
    format!("{rows} {} v{} of tenant {slug:?}{stack}: {}; {remedy}", first.name, first.version_no, first.why)
}

/// Key ids behind each other.
pub(super) fn listed(ids: &[KeyId]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

pub(super) fn failed(error: &KeyError) -> Complaint {
    let missing = matches!(error, KeyError::Missing(_));
    let remedy = if missing {
        "; say where it is with --path FILE, or bring it back with `txco auth secrets restore --from FILE`"
    } else {
        ""
    };
    Complaint::failed(format!("{error}{remedy}"))
}

#[expect(clippy::needless_pass_by_value, reason = "used as map_err(vault_failed)")]
pub(super) fn vault_failed(error: vault::Error) -> Complaint {
    Complaint::failed(error.to_string())
}

#[expect(clippy::needless_pass_by_value, reason = "used as map_err(store_failed)")]
fn store_failed(error: store::Error) -> Complaint {
    Complaint::failed(error.to_string())
}
