//! Everything an administrator can be told, with its code and status.

mod stacks;
mod extra;

use serde_json::Value;
use store::ProofMethod;

use super::unproven::Unproven;

pub(crate) use extra::Extra;

/// Why open access is not given (R32). Each is a way in that an attacker on the network, or
/// a web page in the operator's browser, would otherwise have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denial {
    /// The connection comes from another machine.
    #[error("the connection does not come from this machine")]
    Peer,
    /// A name that a web page's host can be made to resolve to (DNS rebinding).
    #[error("the Host header is not localhost, 127.0.0.1 or [::1]")]
    Host,
    /// A browser sends it, with a page of some site behind it.
    #[error("the request carries an Origin header, as a web page's does")]
    Origin,
    /// A proxy speaks for somebody else.
    #[error("the request was forwarded by a proxy")]
    Forwarded,
    /// Somebody has an identity here, so anonymous access is over.
    #[error("actors are enrolled here; sign the request with the key of one (txco auth profiles)")]
    Enrolled,
    /// Whether somebody has, cannot be found out.
    #[error("the actor database cannot be read")]
    Unreadable,
}

/// What is wrong with a request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum AdminError {
    /// Not let in.
    #[error("open access is for this machine only: {0}")]
    Denied(Denial),
    /// Not who they say they are, or nobody.
    #[error(transparent)]
    Unproven(#[from] Unproven),
    /// Too many tries to become somebody.
    #[error("too many tries; wait {0} s")]
    Throttled(u64),
    /// Let in, and not allowed to do this.
    #[error("this needs the capability {0}")]
    CapabilityDenied(String),
    /// Giving away what one does not have.
    #[error("nobody can grant a capability they do not have: {0}")]
    ExceedsGranter(String),
    /// Enrolment by secret is closed: there is none, or somebody is enrolled.
    #[error("enrolment by secret is closed")]
    EnrolmentClosed,
    /// A JSON body of the doors that hand out identities.
    #[error("{0}")]
    InvalidEnrolment(&'static str),
    /// Somebody's key.
    #[error("the key is enrolled already")]
    KeyEnrolled {
        /// Whose it is.
        actor_id: String,
        /// What it is called.
        key_id: String,
    },
    /// No such key, or not one's own.
    #[error("no such key")]
    KeyNotFound,
    /// Only somebody with a key has keys.
    #[error("only an enrolled actor has keys; enrol first")]
    NoIdentity,
    /// No such actor, or none of this tenant.
    #[error("no such actor")]
    ActorNotFound,
    /// No actor named.
    #[error("the request names no actor")]
    ActorIdRequired,
    /// No capabilities named.
    #[error("the request names no capabilities")]
    CapabilitiesRequired,
    /// Not a capability, or none that may be granted.
    #[error("{0}")]
    UnknownCapability(String),
    /// A revoked actor gets nothing.
    #[error("the actor is revoked")]
    ActorRevoked,
    /// Nobody would be left who rules everything.
    #[error(
        "this is the last super-admin with a key, and nobody could undo it; enrol another one, or give this one another key, first"
    )]
    LastSuperAdmin,
    /// Whoever asks would lock themselves out.
    #[error("this would revoke yourself; ask for it by ?self=true")]
    SelfRevoke,
    /// Not a lifetime of an invitation.
    #[error("ttl must be a duration such as 24h, at most 7 days (168h)")]
    InvalidTtl,
    /// No such invitation in this tenant.
    #[error("no such invitation")]
    InvitationNotFound,
    /// The actor database says no.
    #[error("actor database: {0}")]
    Actors(store::Error),
    /// A route of the past.
    #[error("this route moved below /v1/tenants/{{slug}}")]
    Gone,
    /// A body of a type that a browser sends without asking.
    #[error("the body must be sent as content-type: application/json")]
    JsonRequired,
    /// A body over the cap.
    #[error("the request body is too large")]
    BodyTooLarge,
    /// A body that is not what it should be; the text never repeats any of it.
    #[error("{0}")]
    InvalidBody(String),
    /// No such tenant.
    #[error("no tenant {0}")]
    TenantNotFound(String),
    /// Not a slug.
    #[error("{0}")]
    InvalidSlug(String),
    /// A slug of the chassis's own.
    #[error("tenant slugs that begin with _ are the chassis's own")]
    ReservedSlug,
    /// Not a state that a tenant can be in.
    #[error("{0}")]
    InvalidRuntime(String),
    /// A slug that somebody has.
    #[error("the slug is taken")]
    SlugTaken,
    /// The store is off.
    #[error("the secret store is off")]
    StoreOff,
    /// No name given.
    #[error("the request names no secret")]
    MissingName,
    /// Not a name.
    #[error("{0}")]
    InvalidName(String),
    /// Not a stack.
    #[error("{0}")]
    InvalidStack(String),
    /// A name is for ever.
    #[error("a secret cannot be renamed")]
    NameImmutable,
    /// A number that is none of bytes.
    #[error("byte_len must be 1 to {}", vault::MAX_GENERATED_BYTES)]
    InvalidByteLength,
    /// More secrets than are stored in one step.
    #[error("at most {most} secrets are stored in one step: divide them")]
    TooManyAtOnce {
        /// How many.
        most: usize,
    },
    /// A value over what this chassis takes.
    #[error("the value has {found} bytes; at most {most} are stored (--secret-value-max)")]
    ValueTooLarge {
        /// How many bytes were given.
        found: usize,
        /// How many it takes.
        most: usize,
    },
    /// A description over what this chassis takes.
    #[error("the description has {found} bytes; at most {most} are stored (--secret-description-max)")]
    DescriptionTooLong {
        /// How many bytes were given.
        found: usize,
        /// How many it takes.
        most: usize,
    },
    /// Not a policy, or one that names an op that is not there.
    #[error("{0}")]
    InvalidPolicy(String),
    /// Not a time or a span.
    #[error("{0}")]
    InvalidTime(String),
    /// Not an encoding of keys.
    #[error("key encoding {0:?}: expected text, base64url, base64, hex, base32 or whsec")]
    InvalidKeyEncoding(String),
    /// Not a number of versions to keep.
    #[error("keep must be at least 1")]
    InvalidKeep,
    /// No such op.
    #[error("no such op")]
    OpNotFound,
    /// Not the name of an op.
    #[error("{0}")]
    InvalidOpName(String),
    /// A component that is no op, or not this one.
    #[error("{0}")]
    OpInvalid(String),
    /// A component over the cap.
    #[error("it has {size} bytes, and a component may have {most} (--op-size-max)")]
    OpTooLarge {
        /// Its size.
        size: usize,
        /// The cap.
        most: usize,
    },
    /// A tenant with all the ops it may have.
    #[error("{0} (--ops-max)")]
    TooManyOps(String),
    /// Bytes that nobody vouches for who counts here.
    #[error("{0}")]
    OpUnsigned(String),
    /// No stack named.
    #[error("the request names no stack")]
    EmptyStackName,
    /// A stack of the chassis's own.
    #[error("stacks below boot and _sys are the chassis's own")]
    ReservedStackName,
    /// Not where a draft can begin.
    #[error("from is empty, active or the number of a version")]
    BadFrom,
    /// Nothing to begin with.
    #[error("there is no such version to begin with")]
    FromNotFound,
    /// Not where a file of a stack can lie.
    #[error("{0}")]
    InvalidPath(String),
    /// Two files of one path.
    #[error("{0} is there twice")]
    DuplicatePath(String),
    /// A file that is no text, or in an encoding that nobody knows.
    #[error("{0}")]
    InvalidFile(String),
    /// No version named.
    #[error("the request names no version")]
    MissingVersion,
    /// Rules that cannot be served; a list of problems.
    #[error("the rules cannot be used")]
    InvalidRules(Value),
    /// Rules that call ops which are not there; a list of problems.
    #[error("an op is not there")]
    UnresolvedOps(Value),
    /// No such run.
    #[error("the tenant has no such run")]
    RunNotFound,
    /// A run that has ended.
    #[error("the run has ended; there is nothing to cancel")]
    RunEnded,
    /// A question about runs that cannot be answered.
    #[error("{0}")]
    InvalidFilter(String),
    /// A signed request whose nonce cannot be kept: it could be sent again (weakness A3).
    #[error(
        "the disk is full, and a signed request is taken only once it is written down that it was; nothing was done. \
         With --admin-user and a password what is there can be read"
    )]
    NonceUnwritten,
    /// A proof that nobody knows.
    #[error("a host is proven by http-01 or by dns-txt")]
    MethodUnsupported,
    /// A host that does not say what it was to say.
    #[error("{at}: {why}")]
    HostnameUnverified {
        /// How it was asked.
        method: ProofMethod,
        /// Where: a URL, or the name of a record.
        at: String,
        /// What it was to say.
        answer: String,
        /// Until when it may.
        until: String,
        /// What came instead.
        why: String,
    },
    /// Not a host.
    #[error("{0}")]
    InvalidHostname(String),
    /// The vault says no.
    #[error(transparent)]
    Vault(#[from] vault::Error),
    /// The database says no.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The handler broke off.
    #[error("a bug in txco")]
    Internal,
}

impl AdminError {
    /// HTTP status and code.
    #[must_use]
    pub(crate) fn answer(&self) -> (u16, &'static str) {
        match self {
            Self::Denied(_) => (401, "missing_signature_headers"),
            Self::Unproven(unproven) => (401, unproven.code()),
            Self::Throttled(_) => (429, "throttled"),
            Self::EnrolmentClosed => (404, "not_found"),
            Self::InvalidEnrolment(why) => (400, why),
            Self::KeyEnrolled { .. } => (409, "key_already_enrolled"),
            Self::KeyNotFound => (404, "key_not_found"),
            Self::NoIdentity => (400, "no_identity"),
            Self::ActorNotFound => (404, "actor_not_found"),
            Self::ActorIdRequired => (400, "actor_id_required"),
            Self::CapabilitiesRequired => (400, "capabilities_required"),
            Self::UnknownCapability(_) => (400, "unknown_capability"),
            Self::ActorRevoked => (400, "actor_revoked"),
            Self::SelfRevoke => (409, "self_revoke"),
            Self::LastSuperAdmin => (409, "last_super_admin"),
            Self::InvalidTtl => (400, "invalid_ttl"),
            Self::InvitationNotFound => (404, "invitation_not_found"),
            Self::Actors(_) => (500, "actor_store_err"),
            Self::Gone => (410, "gone"),
            Self::CapabilityDenied(_) => (403, "capability_denied"),
            Self::ExceedsGranter(_) => (403, "capability_exceeds_granter"),
            Self::JsonRequired => (415, "json_required"),
            Self::BodyTooLarge => (413, "body_too_large"),
            Self::InvalidBody(_) => (400, "invalid_body"),
            Self::TenantNotFound(_) => (404, "tenant_not_found"),
            Self::InvalidSlug(_) => (400, "invalid_slug"),
            Self::ReservedSlug => (400, "reserved_slug"),
            Self::InvalidRuntime(_) => (400, "invalid_runtime"),
            Self::SlugTaken => (409, "tenant_slug_taken"),
            Self::StoreOff => (503, "secret_store_unavailable"),
            Self::MissingName => (400, "missing_name"),
            Self::InvalidName(_) => (400, "invalid_name"),
            Self::InvalidStack(_) => (400, "invalid_stack"),
            Self::NameImmutable => (400, "name_immutable"),
            Self::InvalidByteLength => (400, "invalid_byte_len"),
            Self::TooManyAtOnce { .. } => (422, "too_many_at_once"),
            Self::ValueTooLarge { .. } => (413, "value_too_large"),
            Self::DescriptionTooLong { .. } => (422, "description_too_long"),
            Self::InvalidPolicy(_) => (422, "invalid_policy"),
            Self::InvalidTime(_) => (400, "invalid_time"),
            Self::InvalidKeyEncoding(_) => (400, "invalid_key_encoding"),
            Self::InvalidKeep => (400, "invalid_keep"),
            Self::OpNotFound => (404, "op_not_found"),
            Self::InvalidOpName(_) => (400, "invalid_op_name"),
            Self::OpInvalid(_) => (422, "op_invalid"),
            Self::OpTooLarge { .. } => (413, "op_too_large"),
            Self::TooManyOps(_) => (422, "too_many_ops"),
            Self::OpUnsigned(_) => (422, "op_unsigned"),
            Self::EmptyStackName => (400, "empty_stack_name"),
            Self::ReservedStackName => (400, "reserved_stack_name"),
            Self::BadFrom => (400, "bad_from"),
            Self::FromNotFound => (400, "from_version_not_found"),
            Self::InvalidPath(_) => (400, "invalid_path"),
            Self::DuplicatePath(_) => (400, "duplicate_path"),
            Self::InvalidFile(_) => (400, "invalid_file"),
            Self::MissingVersion => (400, "missing_version_number"),
            Self::InvalidRules(_) => (422, "invalid_rules"),
            Self::UnresolvedOps(_) => (422, "unresolved_op_ref"),
            Self::RunNotFound => (404, "run_not_found"),
            Self::RunEnded => (409, "run_ended"),
            Self::InvalidFilter(_) => (400, "invalid_filter"),
            Self::NonceUnwritten => (507, "disk_full"),
            Self::MethodUnsupported => (422, "method_unsupported"),
            Self::HostnameUnverified { .. } => (422, "hostname_unverified"),
            Self::InvalidHostname(_) => (400, "invalid_hostname"),
            Self::Vault(error) => of_vault(error),
            Self::Store(error) => of_store(error),
            Self::Internal => (500, "internal"),
        }
    }

    /// The code.
    #[must_use]
    pub(crate) fn code(&self) -> &'static str {
        self.answer().1
    }

    /// How an audit line calls the outcome.
    #[must_use]
    pub(crate) fn outcome(&self) -> &'static str {
        if matches!(
            self,
            Self::Unproven(_)
                | Self::Denied(_)
                | Self::CapabilityDenied(_)
                | Self::ExceedsGranter(_)
                | Self::JsonRequired
        ) {
            "denied"
        } else {
            self.code()
        }
    }
}

fn of_vault(error: &vault::Error) -> (u16, &'static str) {
    use vault::Error as E;
    match error {
        E::NotFound { .. } | E::Revoked { .. } => (404, "secret_not_found"),
        E::NameTaken { .. } => (409, "secret_exists"),
        E::EmptyValue => (400, "empty_value"),
        E::ValueTooLong { .. } => (413, "value_too_large"),
        E::DescriptionTooLong { .. } => (422, "description_too_long"),
        E::ByteLength { .. } => (400, "invalid_byte_len"),
        E::KeyEncoding { .. } => (422, "value_not_encoded"),
        E::PolicyUnproven { .. } => (409, "policy_unproven"),
        E::PolicyTooLong => (422, "policy_too_long"),
        E::PolicyRequired => (422, "policy_required"),
        E::NoSuchVersion { .. } => (404, "version_not_found"),
        E::NothingBefore { .. } => (409, "no_older_version"),
        E::Destroyed { .. } => (409, "version_destroyed"),
        E::InUse { .. } => (409, "version_in_use"),
        E::Denied { .. } => (403, "secret_denied"),
        E::Expired { .. } => (409, "secret_expired"),
        E::NotAKey { .. } => (422, "value_not_encoded"),
        E::Store(error) => of_store(error),
        E::Undecryptable { .. }
        | E::TooManyCredentials { .. }
        | E::KeyLength { .. }
        | E::KeyWeak
        | E::KeyCheck { .. }
        | E::Passphrase
        | E::PassphraseShort
        | E::PassphraseWrong
        | E::SealedForm
        | E::SealedApart
        | E::NoRecipients
        | E::BackupWrite(_)
        | E::BackupForm
        | E::BackupShut
        | E::Provider(_)
        | E::NoRandomness
        | E::NoMemory
        | E::Cipher => (500, "secret_store_err"),
    }
}

/// What the database says is the operator's to mend, and the code says how.
fn of_store(error: &store::Error) -> (u16, &'static str) {
    use store::Error as E;
    match error {
        E::QuotaReached { .. } => (422, "quota_reached"),
        E::Full => (507, "disk_full"),
        E::Busy => (503, "secret_store_busy"),
        E::Stack(refusal) => stacks::answer(refusal),
        E::LogInUse | E::NotErased => (500, "not_erased"),
        E::EnvName { .. }
        | E::Folder { .. }
        | E::File { .. }
        | E::OtherDatabases { .. }
        | E::Newer { .. }
        | E::NotADatabase { .. }
        | E::NoWriteAheadLog { .. }
        | E::Unwritable { .. }
        | E::ReadOnly
        | E::Damaged
        | E::Io
        | E::Row { .. }
        | E::Taken
        | E::TooManyOps { .. }
        | E::Unrecorded { .. }
        | E::ReservedSlug
        | E::NoRandomness
        | E::SomebodyEnrolled
        | E::KeyEnrolled { .. }
        | E::NoActor
        | E::ActorRevoked
        | E::LastSuperAdmin
        | E::Sqlite { .. } => (500, "secret_store_err"),
    }
}
