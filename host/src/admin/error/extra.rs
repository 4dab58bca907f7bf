//! What a reply says beside the code of an error.

use serde_json::{Value, json};
use store::{ProofMethod, Quota};

use super::{AdminError, of_vault, stacks};

/// What stands beside the code of a reply.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Extra {
    /// Nothing.
    Nothing,
    /// `message`.
    Message(String),
    /// `detail`.
    Detail(Value),
}

impl AdminError {
    /// What the reply adds to the code: a message for people where the whole point is to
    /// be read, otherwise details by name.
    #[must_use]
    pub(crate) fn extra(&self) -> Extra {
        let said = self.to_string();
        match self {
            Self::Unproven(_)
            | Self::Denied(_)
            | Self::CapabilityDenied(_)
            | Self::ExceedsGranter(_)
            | Self::JsonRequired => Extra::Message(said),
            Self::KeyEnrolled { actor_id, key_id } => Extra::Detail(json!({
                "actor_id": actor_id,
                "key_id": key_id,
                "hint": "sign with it, accept an invitation with it, or revoke it first",
            })),
            Self::NoIdentity | Self::SelfRevoke | Self::LastSuperAdmin | Self::InvalidTtl | Self::Gone => {
                Extra::Message(said)
            }
            Self::UnknownCapability(hint) => Extra::Detail(json!({ "hint": hint })),
            Self::Actors(_) => Extra::Detail(json!({ "err": said })),
            Self::Throttled(seconds) => Extra::Detail(json!({ "retry_after_seconds": seconds })),
            Self::TenantNotFound(slug) => Extra::Detail(json!({ "slug": slug })),
            Self::StoreOff => Extra::Detail(json!({
                "hint": "set --secret-master-key on the chassis (or TXCO_SECRET_MASTER_KEY in env)"
            })),
            Self::InvalidName(hint) | Self::InvalidStack(hint) | Self::InvalidSlug(hint) => {
                Extra::Detail(json!({ "hint": hint }))
            }
            Self::NameImmutable => {
                Extra::Detail(json!({ "hint": "a secret keeps its name; revoke it and create another" }))
            }
            Self::InvalidRules(problems) | Self::UnresolvedOps(problems) => {
                Extra::Detail(json!({ "errors": problems }))
            }
            Self::Store(store::Error::Stack(refusal)) => Extra::Detail(stacks::detail(refusal)),
            Self::InvalidOpName(hint) | Self::InvalidHostname(hint) | Self::InvalidFilter(hint) => {
                Extra::Detail(json!({ "hint": hint }))
            }
            Self::OpTooLarge { .. } | Self::TooManyOps(_) => Extra::Detail(json!({ "hint": said })),
            Self::OpInvalid(_) | Self::OpUnsigned(_) => Extra::Detail(json!({ "err": said })),
            Self::BadFrom
            | Self::InvalidPath(_)
            | Self::DuplicatePath(_)
            | Self::InvalidFile(_)
            | Self::ReservedStackName
            | Self::InvalidPolicy(_)
            | Self::InvalidTime(_)
            | Self::InvalidKeyEncoding(_)
            | Self::InvalidKeep
            | Self::BodyTooLarge
            | Self::InvalidByteLength
            | Self::InvalidRuntime(_)
            | Self::TooManyAtOnce { .. } => Extra::Detail(json!({ "hint": said })),
            Self::InvalidBody(_)
            | Self::Store(_)
            | Self::ValueTooLarge { .. }
            | Self::DescriptionTooLong { .. } => Extra::Detail(json!({ "err": said })),
            Self::Vault(error)
                if matches!(of_vault(error).1, "secret_not_found" | "secret_exists" | "empty_value") =>
            {
                Extra::Nothing
            }
            Self::Vault(vault::Error::Store(store::Error::QuotaReached { quota, most })) => Extra::Detail(
                json!({ "quota": quota.word(), "most": most, "hint": format!("{said}: {}", remedy(*quota)) }),
            ),
            Self::Vault(_) => Extra::Detail(json!({ "err": said })),
            Self::EnrolmentClosed
            | Self::InvalidEnrolment(_)
            | Self::KeyNotFound
            | Self::ActorNotFound
            | Self::ActorIdRequired
            | Self::CapabilitiesRequired
            | Self::ActorRevoked
            | Self::InvitationNotFound => Extra::Nothing,
            Self::EmptyStackName | Self::FromNotFound | Self::MissingVersion => Extra::Nothing,
            Self::MethodUnsupported | Self::NonceUnwritten => Extra::Detail(json!({ "hint": said })),
            Self::HostnameUnverified { method, at, answer, until, .. } => {
                let (place, hint) = match method {
                    ProofMethod::Http => (
                        "url",
                        format!(
                            "lead the host here and verify again, or let its server say {answer:?} at that address until {until}"
                        ),
                    ),
                    ProofMethod::Dns => (
                        "record",
                        format!("give {at} the TXT record {answer:?} and verify again, until {until}"),
                    ),
                };
                Extra::Detail(json!({
                    place: at, "answer": answer, "until": until, "err": said, "hint": hint,
                }))
            }
            Self::RunNotFound | Self::RunEnded => Extra::Nothing,
            Self::OpNotFound | Self::ReservedSlug | Self::SlugTaken | Self::MissingName | Self::Internal => {
                Extra::Nothing
            }
        }
    }
}

/// What to do where a tenant keeps as much as it may.
fn remedy(quota: Quota) -> &'static str {
    match quota {
        Quota::Secrets => "revoke secrets that nobody uses, or raise --secrets-max",
        Quota::Versions => "prune old versions, or raise --secret-versions-max",
        Quota::Bytes => "prune old versions, or raise --secret-bytes-max",
    }
}
