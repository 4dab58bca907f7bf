//! Where the master keys come from: files that are minted, rotated and perhaps sealed; what the process inherited; or the setting itself.

mod file;
mod folder;
mod inherited;
mod inline;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use vault::{KeyProvider, KeyRing, Passphrase, ProviderError, Unlocked};

use crate::config::{Config, InlineKey};

pub(crate) use file::{KeyFileState, inspect};
use folder::Stamp;
pub(crate) use folder::{Adopted, KeyFiles, Loaded};
use inherited::Credential;

/// Who is asked for the passphrase of the sealed key at a path.
pub(crate) type Ask<'a> = dyn FnMut(&Path) -> Result<Passphrase, KeyError> + 'a;

/// Why there is no master key. The texts are those of the existing chassis.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum KeyError {
    /// No file, and none was to be minted.
    #[error("secrets: master key file does not exist: {0:?}")]
    Missing(PathBuf),
    /// No file, beside a database that holds secrets of another key.
    #[error(
        "secrets: master key file does not exist: {0:?}, and the database holds secrets sealed under it; \
         either restore the file from its backup (`txco auth secrets restore --from FILE`), or give those \
         secrets up and mint a new key with `txco auth secrets init --path {path}`, then restart",
        path = .0.display()
    )]
    MissingBesideCiphertext(PathBuf),
    /// There is something, and it is not a key.
    #[error("secrets: master key file is malformed: {path:?} {reason}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The inline key is not one.
    #[error("secrets: master key file is malformed: TXCO_SECRET_MASTER_KEY_B64: {0}")]
    MalformedInline(String),
    /// What an open descriptor gives is none.
    #[error("secrets: master key is malformed: descriptor {number}: {reason}")]
    MalformedDescriptor {
        /// Its number.
        number: u32,
        /// What is wrong with it.
        reason: String,
    },
    /// The key is sealed and nobody knows the passphrase.
    #[error(
        "secrets: master key {0:?} is sealed by a passphrase; start on a terminal to be asked for it, \
         or give it with --secret-passphrase-fd"
    )]
    Locked(PathBuf),
    /// The key is sealed and stays so.
    #[error("secrets: master key {path:?}: {why}")]
    Sealed {
        /// The file.
        path: PathBuf,
        /// Why.
        why: vault::Error,
    },
    /// Another command changes the ring.
    #[error("secrets: the key ring {0:?} is being changed by another command; wait for its end")]
    InUse(PathBuf),
    /// Whoever was asked for the passphrase did not answer.
    #[error("{0}")]
    Unanswered(String),
    /// The operating system refused.
    #[error("secrets: {doing} {path:?}: {kind}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file or folder.
        path: PathBuf,
        /// What it said.
        kind: std::io::Error,
    },
    /// Whoever provides the keys gave none.
    #[error("secrets: the key provider gave no keys: {0}")]
    Provided(ProviderError),
    /// The vault refused the bytes.
    #[error("secrets: {0}")]
    Refused(#[source] vault::Error),
}

impl KeyError {
    fn io(doing: &'static str, path: &Path, kind: std::io::Error) -> Self {
        Self::Io { doing, path: path.to_owned(), kind }
    }
}

/// What is configured, with what was read of it already.
pub(crate) struct KeySource {
    kind: Kind,
    /// What was given for a sealed key, or why it was not.
    passphrase: Option<Result<Passphrase, KeyError>>,
}

/// A passphrase from an open descriptor.
///
/// # Errors
/// [`KeyError::MalformedDescriptor`], [`KeyError::Refused`].
pub(crate) fn passphrase_of(number: u32) -> Result<Passphrase, KeyError> {
    inherited::passphrase(number)
}

enum Kind {
    Off,
    Provided(Box<dyn KeyProvider>),
    Files(KeyFiles),
    Credential(Credential),
    Descriptor { number: u32, read: Result<KeyRing, KeyError> },
    Inline(InlineKey),
}

/// What an operator can do about keys, as the source permits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kept {
    /// There are none.
    Nowhere,
    /// In files that txco may change.
    Files(KeyFiles),
    /// Elsewhere: a rotation is done there. The text says how, in numbered lines.
    Elsewhere(String),
}

/// What is done where no key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IfMissing {
    /// One is minted.
    Mint,
    /// Nothing: ciphertext waits for the lost one.
    RefuseBesideCiphertext,
    /// Nothing.
    Refuse,
}

/// A key ring, and how it came.
pub(crate) struct Obtained {
    /// The keys.
    pub ring: KeyRing,
    /// Who is asked for the next ring; `None` when this one is all there will be.
    pub provider: Option<Box<dyn KeyProvider>>,
    /// What opens and makes the files of a sealed ring.
    pub unlocked: Option<Arc<Unlocked>>,
    /// Whether the first key was made just now.
    pub minted: bool,
    /// A folder that others may write to, and so could replace the key in.
    pub open_folder: Option<PathBuf>,
    /// Files of the ring that cannot be used.
    pub left_out: Vec<KeyError>,
}

/// The credential that is taken where it is there, unless another one is named.
const CREDENTIAL: &str = "txco-master.key";

impl KeySource {
    /// The source that the settings name: the inline key, then the descriptor, then the
    /// credential where there is one, then the file. Call it before the process makes itself
    /// undumpable: descriptors are read here.
    pub(crate) fn of(config: &mut Config) -> Self {
        let inline = config.secret_master_key_b64.take();
        let credential = || {
            let (folder, name) =
                (config.credentials_directory.as_deref(), config.secret_master_key_credential.as_ref()?);
            let found = folder.and_then(|folder| Credential::find(folder, name));
            // Who names one does not mean that a key is minted in its place.
            found.or_else(|| (name != CREDENTIAL).then(|| Credential::absent(folder, name)))
        };
        let kind = match (inline, config.secret_master_key_fd) {
            (Some(key), _) => Kind::Inline(key),
            (None, Some(number)) => Kind::Descriptor { number, read: inherited::from_descriptor(number) },
            (None, None) => match (&config.secret_master_key, credential()) {
                (None, _) => Kind::Off,
                (Some(_), Some(credential)) => Kind::Credential(credential),
                (Some(path), None) => Kind::Files(KeyFiles::at(path)),
            },
        };
        Self { kind, passphrase: config.secret_passphrase_fd.map(inherited::passphrase) }
    }

    /// Key files, as they are now.
    pub(crate) fn files(files: KeyFiles) -> Self {
        Self { kind: Kind::Files(files), passphrase: None }
    }

    /// A source of the program that embeds the chassis.
    pub(crate) fn provided(provider: Box<dyn KeyProvider>) -> Self {
        Self { kind: Kind::Provided(provider), passphrase: None }
    }

    /// How the source is called in log lines.
    #[must_use]
    pub(crate) fn label(&self) -> String {
        match &self.kind {
            Kind::Off => String::new(),
            Kind::Provided(_) => "provider".to_owned(),
            Kind::Files(files) => files.path().display().to_string(),
            Kind::Credential(credential) => credential.path.display().to_string(),
            Kind::Descriptor { number, .. } => format!("descriptor:{number}"),
            Kind::Inline(_) => "inline:TXCO_SECRET_MASTER_KEY_B64".to_owned(),
        }
    }

    /// Where the keys are kept, for commands that change them.
    #[must_use]
    pub(crate) fn kept(&self) -> Kept {
        let elsewhere = |mint: &str, put: &str| {
            Kept::Elsewhere(format!(
                "1. mint the next key: {mint}\n\
                 2. {put}\n\
                 3. restart the chassis: it seals under the first key and opens under both\n\
                 4. move the secrets, with the same keys: txco auth secrets rewrap\n\
                 5. when `txco auth secrets status` shows no row under the old key, take it away; \
                 keep it as long as you keep backups of the database from before"
            ))
        };
        let new_key = "head -c 32 /dev/urandom";
        match &self.kind {
            Kind::Off | Kind::Provided(_) => Kept::Nowhere,
            Kind::Files(files) => Kept::Files(files.clone()),
            Kind::Inline(_) => elsewhere(
                &format!("{new_key} | base64"),
                "put it in front of the old one: TXCO_SECRET_MASTER_KEY_B64=NEW,OLD",
            ),
            Kind::Descriptor { .. } => elsewhere(
                &format!("{new_key} > new.key"),
                "give both through the descriptor, the new one first: cat new.key old.key",
            ),
            Kind::Credential(credential) => {
                let name = credential.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                elsewhere(
                    "txco auth secrets rotate --path FILE, on the file that the credential is made of",
                    &format!(
                        "load the ring too: LoadCredential={name}:FILE and LoadCredential={name}.d:FILE.d"
                    ),
                )
            }
        }
    }

    /// The ring; `None` when the store is off on purpose. `ask` is asked for the passphrase of
    /// a sealed key that was not given.
    ///
    /// # Errors
    /// [`KeyError`].
    pub(crate) fn obtain(
        self,
        if_missing: IfMissing,
        ask: &mut Ask<'_>,
    ) -> Result<Option<Obtained>, KeyError> {
        let given = |ring| Obtained {
            ring,
            provider: None,
            unlocked: None,
            minted: false,
            open_folder: None,
            left_out: Vec::new(),
        };
        match self.kind {
            Kind::Off => Ok(None),
            Kind::Provided(provider) => {
                let ring = provider.ring().map_err(KeyError::Provided)?;
                Ok(Some(Obtained { provider: Some(provider), ..given(ring) }))
            }
            Kind::Inline(key) => inline::decode(&key).map(given).map(Some),
            Kind::Descriptor { read, .. } => read.map(given).map(Some),
            Kind::Credential(credential) => {
                let ring = credential.load()?;
                Ok(Some(Obtained { provider: Some(Box::new(credential)), ..given(ring) }))
            }
            Kind::Files(files) => {
                let mut passphrase = self.passphrase;
                let mut ask_first = |path: &Path| passphrase.take().unwrap_or_else(|| ask(path));
                from_files(files, if_missing, &mut ask_first).map(Some)
            }
        }
    }
}

fn from_files(files: KeyFiles, if_missing: IfMissing, ask: &mut Ask<'_>) -> Result<Obtained, KeyError> {
    // The stamp before the reading: a change in between is seen as one.
    let mut stamp = files.stamp();
    let (loaded, minted) = match files.load(None, ask) {
        Ok(loaded) => (loaded, false),
        Err(KeyError::Missing(path)) => match if_missing {
            IfMissing::Refuse => return Err(KeyError::Missing(path)),
            IfMissing::RefuseBesideCiphertext => return Err(KeyError::MissingBesideCiphertext(path)),
            IfMissing::Mint => {
                files.mint(None)?;
                stamp = files.stamp();
                (files.load(None, ask)?, true)
            }
        },
        Err(other) => return Err(other),
    };
    let open_folder = file::open_folder(files.path());
    let Loaded { ring, unlocked, left_out } = loaded;
    let read = Mutex::new(stamp);
    let provider = Box::new(FileKeys { files, unlocked: unlocked.clone(), read });
    Ok(Obtained { ring, provider: Some(provider), unlocked, minted, open_folder, left_out })
}

/// Key files as a provider: read again when another active key stands at the path. A sealed
/// ring was unlocked once and is read again without the passphrase.
struct FileKeys {
    files: KeyFiles,
    unlocked: Option<Arc<Unlocked>>,
    /// The active key's file as it was last read.
    read: Mutex<Option<Stamp>>,
}

impl KeyProvider for FileKeys {
    fn ring(&self) -> Result<KeyRing, ProviderError> {
        let stamp = self.files.stamp();
        let mut locked = |path: &Path| Err(KeyError::Locked(path.to_owned()));
        let loaded = self.files.load(self.unlocked.clone(), &mut locked)?;
        for error in &loaded.left_out {
            tracing::warn!(err = %error, "secret store: a key of the ring cannot be used");
        }
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = stamp;
        Ok(loaded.ring)
    }

    fn changed(&self) -> bool {
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) != self.files.stamp()
    }
}

/// systemd replaces credentials by a restart; until then they are what they were, unless a row
/// names a key that came later.
impl KeyProvider for Credential {
    fn ring(&self) -> Result<KeyRing, ProviderError> {
        Ok(self.load()?)
    }

    fn changed(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests;
