//! What can go wrong on the way out, and what each of it means to the request.

use std::time::Duration;

use model::{Denied, Destination, DestinationError, Failure, Fault, Path, PathError, SecretName};

/// Why a request was not made, not sent, or not answered. No text in here comes from a
/// URL's path or query, from a header value or from a body.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operator's settings make no client.
    #[error("{0}")]
    Settings(String),

    /// The URL cannot be called.
    #[error("{0}")]
    Url(#[from] DestinationError),
    /// Not a method, or one that is not for requests of this kind.
    #[error("{0:?} is not a method that can be sent")]
    Method(String),
    /// The request asks for a body where none is sent.
    #[error("a {0} request has no body")]
    BodyNotAllowed(String),
    /// Not a header name (RFC 9110 §5.1).
    #[error("{0:?} is not a header name")]
    HeaderName(String),
    /// A header that belongs to the connection, not to the rule.
    #[error("header {0} is set by the chassis")]
    HeaderForbidden(String),
    /// One header, two values.
    #[error("header {0} is set twice")]
    HeaderTwice(String),
    /// Control characters in a header would end it and begin another (request splitting).
    #[error("header {0}: the value has a line break or another control character")]
    HeaderValue(String),
    /// A header is one line of text.
    #[error("header {0}: the value must be a text, a number or a boolean")]
    HeaderType(String),

    /// Sent twice, it could be done twice.
    #[error("a {0} request is not sent again without an idempotency key")]
    RetryUnsafe(String),

    /// A credential in a URL, method or header name, or in a body that is sent as raw bytes.
    #[error("a credential cannot stand in {0}")]
    CredentialNotAllowedHere(&'static str),
    /// What a credential was made of, or came with, does not allow this destination (R2).
    #[error("a credential that may not go there: {why}")]
    CredentialDestination {
        /// The secret, when it is its policy that does not.
        secret: Option<SecretName>,
        /// The rule.
        why: Denied,
    },
    /// A sealed value of another request.
    #[error("a credential of another request")]
    CredentialUnknown,
    /// A credential whose bytes cannot stand where the rule puts them.
    #[error("the credential in {place} {why}")]
    CredentialUnusable {
        /// The header or body field.
        place: String,
        /// What is wrong with it.
        why: &'static str,
    },

    /// A good reply has not what the rule holds for a credential.
    #[error("{destination}: the reply has no credential at {path}")]
    CredentialAbsent {
        /// Where it came from.
        destination: Destination,
        /// Where it should have been.
        path: Path,
    },
    /// What stands where a credential should is no text.
    #[error("the reply has something other than a text at {0}, where a credential should be")]
    CredentialShape(Path),
    /// More than one request may hold.
    #[error("the request holds too many credentials, or too large ones")]
    TooManyCredentials,

    /// `WITH secrets.<slot>` names no place in this request.
    #[error("secrets.{slot}: {why}")]
    Slot {
        /// The slot.
        slot: String,
        /// The secret that was to go there.
        secret: SecretName,
        /// What is wrong with it.
        why: &'static str,
    },
    /// `WITH secrets.body.<path>` names no place in this body.
    #[error("secrets.{slot}: {why}")]
    SlotPath {
        /// The slot.
        slot: String,
        /// The secret that was to go there.
        secret: SecretName,
        /// What is wrong with it.
        why: PathError,
    },
    /// The draft has a hole that the bag does not fill, so nothing is sent.
    #[error("secrets.{slot}: was not granted")]
    Unfilled {
        /// The slot.
        slot: String,
        /// The secret that was to go there.
        secret: SecretName,
    },
    /// A secret whose bytes cannot stand where the rule puts them.
    #[error("the value for {place} {why}")]
    SecretUnusable {
        /// The header or body field.
        place: String,
        /// The secret.
        secret: SecretName,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A secret would travel in the clear (D6).
    #[error("secrets are not sent to {destination} over plain http; use https")]
    OverCleartext {
        /// Where to.
        destination: Destination,
        /// One of the secrets.
        secret: Option<SecretName>,
    },
    /// The request goes elsewhere than the secrets were packed for.
    #[error("the secrets were packed for {packed}, the request goes to {asked}")]
    DestinationChanged {
        /// What the bag says.
        packed: Destination,
        /// What the draft says.
        asked: Destination,
    },

    /// The address policy.
    #[error("{destination}: egress: blocked {why}")]
    Blocked {
        /// Where to.
        destination: Destination,
        /// The address and its kind.
        why: String,
    },
    /// No connection.
    #[error("{destination}: {why}")]
    Unreachable {
        /// Where to.
        destination: Destination,
        /// The kind of failure.
        why: String,
    },
    /// No TLS session.
    #[error("{destination}: {why}")]
    Tls {
        /// Where to.
        destination: Destination,
        /// What TLS says.
        why: String,
    },
    /// Not answered in time, from the first packet to the last byte of the reply.
    #[error("{destination}: no complete reply within {} ms", after.as_millis())]
    Timeout {
        /// Where to.
        destination: Destination,
        /// The time it had.
        after: Duration,
    },
    /// More bytes than a reply may have.
    #[error("{destination}: the {part} of the reply is larger than {limit} bytes")]
    TooLarge {
        /// Where to.
        destination: Destination,
        /// `body` or `header`.
        part: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A reply that the mask could not look into.
    #[error("{destination}: the reply has a content encoding that was not asked for, or is not what it says")]
    Encoding {
        /// Where to.
        destination: Destination,
    },
    /// Broken off, or not HTTP.
    #[error("{destination}: {why}")]
    Protocol {
        /// Where to.
        destination: Destination,
        /// The kind of failure.
        why: &'static str,
    },
    /// A fault of this crate.
    #[error("{0}")]
    Internal(&'static str),
}

impl Error {
    /// What it means to the request.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let failure = Failure::new(self.fault(), self.to_string());
        match self.secret() {
            Some(secret) => failure.about(secret.clone()),
            None => failure,
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::Settings(_) | Self::CredentialUnknown | Self::Internal(_) => Fault::Internal,
            Self::Url(_) => Fault::UpstreamUrlInvalid,
            Self::Method(_)
            | Self::BodyNotAllowed(_)
            | Self::HeaderName(_)
            | Self::HeaderForbidden(_)
            | Self::HeaderTwice(_)
            | Self::HeaderValue(_)
            | Self::HeaderType(_)
            | Self::RetryUnsafe(_) => Fault::UpstreamRequestInvalid,
            Self::CredentialAbsent { .. } | Self::CredentialShape(_) => Fault::UpstreamCredentialAbsent,
            Self::TooManyCredentials => Fault::OpOutputInvalid,
            Self::CredentialNotAllowedHere(_) => Fault::CredentialNotAllowedHere,
            Self::CredentialDestination { .. } => Fault::CredentialDestinationDenied,
            Self::Slot { .. } | Self::SlotPath { .. } | Self::Unfilled { .. } => {
                Fault::SecretDeclarationInvalid
            }
            Self::CredentialUnusable { .. } | Self::SecretUnusable { .. } => Fault::SecretUnusable,
            Self::OverCleartext { .. } => Fault::SecretOverCleartext,
            Self::DestinationChanged { .. } => Fault::SecretDenied,
            Self::Blocked { .. } => Fault::UpstreamBlocked,
            Self::Unreachable { .. } => Fault::UpstreamUnreachable,
            Self::Tls { .. } => Fault::UpstreamTls,
            Self::Timeout { .. } => Fault::UpstreamTimeout,
            Self::TooLarge { .. } => Fault::UpstreamTooLarge,
            Self::Encoding { .. } => Fault::UpstreamEncoding,
            Self::Protocol { .. } => Fault::UpstreamProtocol,
        }
    }

    fn secret(&self) -> Option<&SecretName> {
        match self {
            Self::Slot { secret, .. }
            | Self::SlotPath { secret, .. }
            | Self::Unfilled { secret, .. }
            | Self::SecretUnusable { secret, .. } => Some(secret),
            Self::OverCleartext { secret, .. } | Self::CredentialDestination { secret, .. } => {
                secret.as_ref()
            }
            Self::Settings(_)
            | Self::Url(_)
            | Self::Method(_)
            | Self::BodyNotAllowed(_)
            | Self::HeaderName(_)
            | Self::HeaderForbidden(_)
            | Self::HeaderTwice(_)
            | Self::HeaderValue(_)
            | Self::HeaderType(_)
            | Self::RetryUnsafe(_)
            | Self::CredentialAbsent { .. }
            | Self::CredentialShape(_)
            | Self::TooManyCredentials
            | Self::CredentialNotAllowedHere(_)
            | Self::CredentialUnknown
            | Self::CredentialUnusable { .. }
            | Self::DestinationChanged { .. }
            | Self::Blocked { .. }
            | Self::Unreachable { .. }
            | Self::Tls { .. }
            | Self::Timeout { .. }
            | Self::TooLarge { .. }
            | Self::Encoding { .. }
            | Self::Protocol { .. }
            | Self::Internal(_) => None,
        }
    }
}
