//! How vendors sign webhooks: what is signed, and how the signature is written.

use alloc::string::String;
use alloc::vec::Vec;

use txco_op::{
    Algorithm, Encoding, Failure, FromParam, Key, Piece, base64, concat, from_base64, from_hex, hex, message,
};

/// The way of a vendor. All of them are HMACs with SHA-256.
#[derive(FromParam, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `Stripe-Signature: t=…,v1=…`, over `time.body`.
    Stripe,
    /// `X-Hub-Signature-256: sha256=…`, over the body.
    Github,
    /// `X-Slack-Signature: v0=…`, over `v0:time:body`.
    Slack,
    /// `webhook-signature: v1,…`, over `id.time.body`.
    StandardWebhooks,
}

/// What is signed beside the body.
pub struct Stamp<'a> {
    /// Standard Webhooks only.
    pub id: &'a str,
    /// Seconds since 1970, as the message writes them.
    pub time: &'a str,
}

impl Scheme {
    /// How the stored value is read as a key unless the rule says otherwise.
    #[must_use]
    pub const fn encoding(self) -> Encoding {
        match self {
            Self::StandardWebhooks => Encoding::Whsec,
            Self::Stripe | Self::Github | Self::Slack => Encoding::Declared,
        }
    }

    /// Whether the time is signed.
    #[must_use]
    pub const fn has_time(self) -> bool {
        !matches!(self, Self::Github)
    }

    /// Whether a message can carry several signatures.
    #[must_use]
    pub const fn takes_several(self) -> bool {
        matches!(self, Self::Stripe | Self::StandardWebhooks)
    }

    /// The MAC of a message.
    ///
    /// # Errors
    /// [`Failure`] when the key cannot be used.
    pub fn mac(self, key: &Key, stamp: &Stamp<'_>, body: Piece<'_>) -> Result<Vec<u8>, Failure> {
        let Stamp { id, time } = *stamp;
        let how = Algorithm::HmacSha256;
        match self {
            Self::Stripe => key.sign(how, message![time, ".", body]),
            Self::Github => key.sign(how, message![body]),
            Self::Slack => key.sign(how, message!["v0:", time, ":", body]),
            Self::StandardWebhooks => key.sign(how, message![id, ".", time, ".", body]),
        }
    }

    /// One MAC as the vendor writes it.
    #[must_use]
    pub fn write(self, mac: &[u8]) -> String {
        let (before, mac) = match self {
            Self::Stripe => ("v1=", hex(mac)),
            Self::Github => ("sha256=", hex(mac)),
            Self::Slack => ("v0=", hex(mac)),
            Self::StandardWebhooks => ("v1,", base64(mac)),
        };
        concat(&[before, &mac])
    }

    /// The MAC that a signature writes; `None` when it is none of this version of the scheme.
    #[must_use]
    pub fn read(self, signature: &str) -> Option<Vec<u8>> {
        match self {
            Self::Stripe => from_hex(signature.strip_prefix("v1=")?),
            Self::Github => from_hex(signature.strip_prefix("sha256=")?),
            Self::Slack => from_hex(signature.strip_prefix("v0=")?),
            Self::StandardWebhooks => from_base64(signature.strip_prefix("v1,")?),
        }
    }
}
