//! Sealed to cleartext to bag; the only mint of cleartext.
//!
//! **Use it when** a value goes into the store, or a rule's secrets come out of it for one
//! call. **Not when** you want rows or tenants (go to `store`), want to put a secret into a
//! request (`egress` splices) or show it to an op (`sandbox` reveals).
//!
//! Read this crate and you have audited secrecy. Invariants:
//! 1. Nothing here returns a stored value to a person: administration gets [`Metadata`],
//!    and [`Shown`] once, at the moment a value is generated.
//! 2. [`Cleartext`] is minted only here. No type that holds secret bytes can be printed,
//!    copied, compared or serialised; all are wiped when dropped, on every path.
//! 3. A bag is packed for one purpose, and the purpose is in its type; a
//!    [`SecretBag<Splice>`] names the only destination its secrets may travel to.
//! 4. A reference resolves inside the caller's tenant only; it cannot name another.
//! 5. Every version has a key of its own. A row is bound to tenant, secret, version, name,
//!    stack, policy and key: moved or altered in the database, it does not open.
//!    Rows open under any key of the ring and are sealed under its active one.
//! 6. New versions are sealed under scheme 2
//!    (`host/docs/decisions/0001-aad-scheme-2.md`); scheme 1 is only read.
//! 7. What fails while packing fails by name and reason, and what was opened before is
//!    wiped. Nothing falls back to less.
//! 8. What a policy does not allow is not opened: the decision is made here, in `pack`, where
//!    the key is, and the failure names the rule that made it (D11).
//! 9. Randomness comes from the operating system, or the operation fails.
//!
//! Tests: beside the code; `tests/` over real databases; the vectors in
//! `tests/vectors/aead/` and `tests/vectors/store/` were made by another implementation.
#![forbid(unsafe_code)]

mod error;
mod cleartext;
mod encoding;
mod context;
mod seal;
mod master_key;
mod ring;
mod sealed_key;
mod backup;
mod dek;
mod keeper;
mod audit;
mod pem;
mod signature;
mod key;
mod uses;
mod credentials;
mod bag;
mod terms;
mod vault;
mod late;
mod seen;
mod rebind;
mod admin;
mod history;
mod runs;
mod rewrap;
mod pack;
mod explain;

pub use admin::Written;
pub use audit::rewrap_audit_keys;
pub use backup::{ByWhat, ForWhom, Recipient, Restored, back_up, read_backup, wants_passphrase};
pub use bag::{Entry, Granted, OpBags, Reveal, SecretBag, Splice, Use};
pub use cleartext::{Cleartext, SecretValue, Shown};
pub use credentials::{Bonds, Credentials, MAX_CREDENTIAL_BYTES, MAX_CREDENTIALS};
pub use encoding::Encoding;
pub use error::{
    Error, MAX_DESCRIPTION_BYTES, MAX_GENERATED_BYTES, MAX_PASSPHRASE, MAX_VALUE_BYTES, MIN_PASSPHRASE,
    ProviderError, Unopened,
};
pub use explain::{Asked, Explained, Verdict};
pub use history::Keep;
pub use key::{Algorithm, Key, KeyError, MAX_PAIR_MESSAGE_BYTES};
pub use late::LateVault;
pub use master_key::{CodeCacheKey, MasterKey};
pub use model::Origin;
pub use pack::{Caller, Declared, Wants};
pub use rewrap::{Census, Progress, Rewrap, SchemeOne, Shut, Verify};
pub use ring::{KeyProvider, KeyRing};
pub use runs::{Claimed, First, Joining, Run, RunView, Step, Token, Wait, WaitEnd};
pub use sealed_key::{Passphrase, SEALED_KEY_BYTES, Unlocked, is_sealed};
pub use seen::MIN_SEEN_BYTES;
pub use store::{
    By, Ending, KeyId, Living, Metadata, PolicyRow, Recovered, Retiring, SecretAddress, VersionFacts,
};
pub use terms::{PolicyChange, Terms};
pub use vault::{KeyReport, Vault, key_needed};
