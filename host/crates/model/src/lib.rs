//! The nouns the whole house talks about: no secrets, no I/O.
//!
//! **Use it when** two rooms must agree on a word. **Not when** the thing can hold a
//! secret (go to `vault`), does I/O (`store`, `egress`) or runs something (`sandbox`,
//! `chassis`).
//!
//! Invariants:
//! 1. Nothing in this crate can hold the bytes of a secret; everything here may be logged.
//!    A [`Value::Sealed`] names credentials of the running request by number; the bytes
//!    are in `vault::Credentials`.
//! 2. Every name is valid by construction; parsing is the only way in.
//! 3. Every operation on a [`Value`] or [`Envelope`] is total: it returns or fails, it
//!    never panics, and it never grows a document without a bound.
//!
//! Tests: beside the code.
#![forbid(unsafe_code)]

mod name;
mod id;
mod tenant;
mod op;
mod destination;
mod hostname;
mod template;
mod path;
mod manifest;
mod policy;
mod secret;
mod capability;
mod value;
mod json;
mod envelope;
mod fault;

pub use capability::Capability;
pub use destination::{Destination, DestinationError, Scheme};
pub use envelope::{Envelope, EnvelopeError};
pub use fault::{Failure, Fault};
pub use hostname::Hostname;
pub use id::{Id, IdKind, RequestId};
pub use manifest::{
    Class, MANIFEST_SECTION, ManifestError, OpManifest, OutputManifest, ParamManifest, Reach, SlotManifest,
    is_failure_code,
};
pub use name::NameError;
pub use op::{Delivery, Digest, OpName, OpRef, Origin, unhex};
pub use path::{Path, PathError, Segment};
pub use policy::{Callee, Denied, HostRule, OpRule, Ops, Policy, Purpose, UnknownPolicy};
pub use secret::{SecretName, SecretRef, Slot, StackName};
pub use template::{FormatTemplate, TemplateError};
pub use tenant::{TenantId, TenantSlug};
pub use value::{
    CREDENTIAL_TEXT, CredentialId, EXACT, Members, Object, Sealed, SealedPart, Value, ValueError, exact,
};
