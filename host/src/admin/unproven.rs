//! Why somebody who says who they are is not believed; each with the code that the existing API gives.

use crate::request_signature::Unreadable;

/// Why a proof of identity does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unproven {
    /// There is none, and here one is needed.
    #[error("sign the request (RFC 9421), or send credentials where the chassis has some")]
    Missing,
    /// There is one that cannot be read.
    #[error("{0}")]
    Unreadable(#[from] Unreadable),
    /// Too old, from the future, or no longer meant.
    #[error("the signature was not made within five minutes of this clock")]
    Timestamp,
    /// Seen before.
    #[error("this signature was used already")]
    Replay,
    /// No such key.
    #[error("no such key is enrolled")]
    UnknownKey,
    /// A key of the past.
    #[error("the key is revoked")]
    RevokedKey,
    /// Not made by that key over this request.
    #[error("the signature is not one of that key over this request")]
    Signature,
    /// Another name or password, or the chassis has none (weakness A1).
    #[error("the credentials are wrong, or this chassis takes none")]
    Credentials,
    /// Another body than the one that was signed.
    #[error("the body is not the one that was signed")]
    Digest,
    /// An actor of the past.
    #[error("the actor is revoked")]
    ActorRevoked,
    /// Not the secret of the start.
    #[error("the enrolment secret is wrong")]
    EnrolmentSecret,
    /// Not a token that can be accepted now.
    #[error("the token is of no invitation that can be accepted")]
    Token,
}

impl Unproven {
    /// The code.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Missing | Self::Unreadable(_) => "missing_signature_headers",
            Self::Timestamp => "timestamp_out_of_range",
            Self::Replay => "nonce_replay",
            Self::UnknownKey => "unknown_key",
            Self::RevokedKey => "revoked_key",
            Self::Signature | Self::Credentials => "invalid_signature",
            Self::Digest => "invalid_content_digest",
            Self::ActorRevoked => "actor_revoked",
            Self::EnrolmentSecret => "invalid_enrollment_secret",
            Self::Token => "invalid_token",
        }
    }
}
