//! Everything that can go wrong on the way from a sealed row to a bag.

use jiff::Timestamp;
use model::{Denied, Failure, Fault, Policy, SecretName, StackName};

use store::KeyId;

/// The largest value a secret can have, however a chassis is set up.
pub const MAX_VALUE_BYTES: usize = 256 * 1024;
/// The longest description a secret can have, however a chassis is set up.
pub const MAX_DESCRIPTION_BYTES: usize = 4 * 1024;
/// The shortest passphrase that is chosen here, in characters; what opens is not judged.
pub const MIN_PASSPHRASE: usize = 8;
/// The longest passphrase, in bytes.
pub const MAX_PASSPHRASE: usize = 1024;
/// The most random bytes `generate` draws.
pub const MAX_GENERATED_BYTES: usize = 4096;

/// Why a provider has no key ring, in its own words for an operator; passed on unread.
pub type ProviderError = Box<dyn std::error::Error + Send + Sync>;

/// Why a sealed row does not open. People who attack rows learn nothing from it; people
/// who run the chassis learn which of the two remedies is theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unopened {
    /// The row was sealed under another key.
    #[error("it is sealed under key {0}, which this chassis does not have")]
    OtherKey(KeyId),
    /// The row does not authenticate: altered, swapped with another, or (imported rows
    /// carry no key id) sealed under another key.
    #[error("it does not authenticate under the master key")]
    NotAuthentic,
    /// The secret has no version row.
    #[error("its version row is missing")]
    NoVersion,
    /// The row is of a layout this build does not know.
    #[error("its layout is not known to this version of txco")]
    UnknownScheme,
    /// The row has a policy that this build does not know, so nothing is allowed.
    #[error("its policy is not known to this version of txco")]
    UnknownPolicy,
}

/// Why the vault did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No active secret of that name where it was looked for.
    #[error("no secret {name}")]
    NotFound {
        /// The name asked for.
        name: SecretName,
    },
    /// The secret was revoked in a stack, which ends the search there (R17).
    #[error(
        "secret {name} is revoked in stack {stack}; wider ones are not used in its place (set it there again)"
    )]
    Revoked {
        /// The name asked for.
        name: SecretName,
        /// The stack whose revocation ends the search.
        stack: StackName,
    },
    /// An active secret of that name exists in that scope.
    #[error("secret {name} exists in this scope")]
    NameTaken {
        /// The name asked for.
        name: SecretName,
    },
    /// The row is there and does not open. `set` replaces it without opening it.
    #[error("secret {name} does not open: {why}")]
    Undecryptable {
        /// The name asked for.
        name: SecretName,
        /// What is wrong with the row.
        why: Unopened,
    },
    /// The secret's policy does not allow this use of it.
    #[error("secret {name}: {why}")]
    Denied {
        /// The name asked for.
        name: SecretName,
        /// The rule that does not allow it.
        why: Denied,
    },
    /// The time of the version in use is over.
    #[error("secret {name} expired at {at}; rotate it")]
    Expired {
        /// The name asked for.
        name: SecretName,
        /// When.
        at: Timestamp,
    },
    /// The value is not what its key encoding says.
    #[error("secret {name} cannot be used as a key: {why}")]
    NotAKey {
        /// The name asked for.
        name: SecretName,
        /// What is wrong; quotes nothing of the value.
        why: String,
    },
    /// A value that is not what its key encoding says.
    #[error("the value is {why} (--key-encoding)")]
    KeyEncoding {
        /// What is wrong; quotes nothing of the value.
        why: String,
    },
    /// A policy that is to stay, and may not be the one that the secret was sealed under.
    #[error(
        "the policy of secret {name} cannot be trusted ({why}): say it again, with `secrets set` and --allow-host, --allow-op, --purpose or --use-only"
    )]
    PolicyUnproven {
        /// The name asked for.
        name: SecretName,
        /// Why the version in use does not open under it.
        why: Unopened,
    },
    /// A policy that names more than it may.
    #[error("a policy names at most {most} hosts and {most} ops", most = Policy::most())]
    PolicyTooLong,
    /// This chassis stores no secret without a policy.
    #[error(
        "this chassis wants a policy for every secret (--secrets-require-policy): say --allow-host, --allow-op, --purpose or --use-only"
    )]
    PolicyRequired,
    /// No such version.
    #[error("secret {name} has no version {version_no}")]
    NoSuchVersion {
        /// The name asked for.
        name: SecretName,
        /// The version asked for.
        version_no: u32,
    },
    /// There is no older version to go back to.
    #[error("secret {name} has no version before the one in use")]
    NothingBefore {
        /// The name asked for.
        name: SecretName,
    },
    /// The version's bytes are destroyed.
    #[error("version {version_no} of secret {name} is destroyed")]
    Destroyed {
        /// The name asked for.
        name: SecretName,
        /// The version asked for.
        version_no: u32,
    },
    /// The version is in use, and an older one would silently take its place.
    #[error(
        "version {version_no} of secret {name} is in use: rotate or roll back first, or revoke the secret"
    )]
    InUse {
        /// The name asked for.
        name: SecretName,
        /// The version asked for.
        version_no: u32,
    },
    /// A value of no bytes.
    #[error("the value is empty")]
    EmptyValue,
    /// A value over [`MAX_VALUE_BYTES`].
    #[error("the value has {found} bytes; at most {MAX_VALUE_BYTES} are stored")]
    ValueTooLong {
        /// How many bytes were given.
        found: usize,
    },
    /// A description over [`MAX_DESCRIPTION_BYTES`].
    #[error("the description has {found} bytes; at most {MAX_DESCRIPTION_BYTES} are stored")]
    DescriptionTooLong {
        /// How many bytes were given.
        found: usize,
    },
    /// A number of random bytes outside 1 to [`MAX_GENERATED_BYTES`].
    #[error("byte length {asked} is out of range (1..{MAX_GENERATED_BYTES})")]
    ByteLength {
        /// How many bytes were asked for.
        asked: usize,
    },
    /// More credentials, or more bytes of them, than one request may hold.
    #[error("the request holds too many credentials (at most {max_count}, {max_bytes} bytes in all)")]
    TooManyCredentials {
        /// The most credentials of one request.
        max_count: usize,
        /// The most bytes of all its credentials.
        max_bytes: usize,
    },
    /// A master key that is not 32 bytes.
    #[error("a master key has 32 bytes, this one has {found}")]
    KeyLength {
        /// How many bytes were given.
        found: usize,
    },
    /// A master key whose bytes are all the same: a zeroed file, not a key.
    #[error("the master key consists of one repeated byte; that is a damaged file, not a key")]
    KeyWeak,
    /// The database knows another key by this key's id.
    #[error("key {id} fails its check value: the database recorded a different key under this id")]
    KeyCheck {
        /// The id of the key handed in.
        id: KeyId,
    },
    /// A passphrase that cannot be one.
    #[error("a passphrase is 1 to {MAX_PASSPHRASE} bytes of text")]
    Passphrase,
    /// A passphrase that is too short to be chosen.
    #[error("the passphrase is too short; choose at least {MIN_PASSPHRASE} characters")]
    PassphraseShort,
    /// The passphrase does not open the sealed key, or somebody altered its file.
    #[error("the passphrase does not open the sealed key")]
    PassphraseWrong,
    /// What should be a sealed key is none, or costs more to open than is allowed.
    #[error("that is not a sealed key, or a damaged one")]
    SealedForm,
    /// A key of the ring was sealed under another passphrase than the one that unlocked it.
    #[error("that key was sealed under another passphrase or salt than the rest of its ring")]
    SealedApart,
    /// A backup for nobody.
    #[error("a backup needs a passphrase or a recipient")]
    NoRecipients,
    /// The backup could not be written.
    #[error("cannot write the backup: {0}")]
    BackupWrite(std::io::ErrorKind),
    /// What should be a backup of a key ring is none.
    #[error("that is not a backup of a key ring, or a damaged one")]
    BackupForm,
    /// Neither the passphrase nor the identities open the backup.
    #[error("the backup does not open with that passphrase or identity")]
    BackupShut,
    /// The provider of the key ring has none; the text is the provider's.
    #[error("{0}")]
    Provider(ProviderError),
    /// The operating system gives no randomness.
    #[error("the operating system gives no randomness")]
    NoRandomness,
    /// The operating system gives no memory for secrets.
    #[error("no memory for secrets")]
    NoMemory,
    /// A limit of the cipher; out of reach of values as long as they may be.
    #[error("the cipher refused the input")]
    Cipher,
    /// The database.
    #[error("secret store: {0}")]
    Store(store::Error),
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

impl Error {
    /// What a request that met this error reports.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let (fault, secret) = match self {
            Self::NotFound { name } | Self::Revoked { name, .. } => (Fault::SecretNotFound, Some(name)),
            Self::Undecryptable { name, .. } => (Fault::SecretUndecryptable, Some(name)),
            Self::Denied { name, .. } => (Fault::SecretDenied, Some(name)),
            Self::Expired { name, .. } => (Fault::SecretExpired, Some(name)),
            Self::NotAKey { name, .. } => (Fault::SecretUnusable, Some(name)),
            Self::NameTaken { name }
            | Self::NoSuchVersion { name, .. }
            | Self::PolicyUnproven { name, .. }
            | Self::NothingBefore { name }
            | Self::Destroyed { name, .. }
            | Self::InUse { name, .. } => (Fault::Internal, Some(name)),
            Self::TooManyCredentials { .. } => (Fault::OpOverOutput, None),
            Self::Store(_) | Self::NoMemory => (Fault::SecretStoreUnavailable, None),
            Self::EmptyValue
            | Self::KeyEncoding { .. }
            | Self::PolicyTooLong
            | Self::PolicyRequired
            | Self::ValueTooLong { .. }
            | Self::DescriptionTooLong { .. }
            | Self::ByteLength { .. }
            | Self::KeyLength { .. }
            | Self::KeyWeak
            | Self::KeyCheck { .. }
            | Self::Passphrase
            | Self::PassphraseShort
            | Self::PassphraseWrong
            | Self::SealedForm
            | Self::SealedApart
            | Self::NoRecipients
            | Self::BackupWrite(_)
            | Self::BackupForm
            | Self::BackupShut
            | Self::Provider(_)
            | Self::NoRandomness
            | Self::Cipher => (Fault::Internal, None),
        };
        let failure = Failure::new(fault, self.to_string());
        match secret {
            Some(name) => failure.about(name.clone()),
            None => failure,
        }
    }
}
