//! HTTP Message Signatures (RFC 9421), as far as signing and verifying them is the same.

pub mod structured;
pub mod component;
pub mod message;

use alloc::string::String;

use txco_op::{Algorithm, FromParam};

pub use component::Component;
pub use message::Message;

/// The algorithms of the registry (RFC 9421, section 6.2) that the host computes.
#[derive(FromParam, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// HMAC with SHA-256.
    HmacSha256,
    /// Ed25519.
    Ed25519,
    /// ECDSA with P-256 and SHA-256.
    EcdsaP256Sha256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[param(name = "rsa-v1_5-sha256")]
    RsaV15Sha256,
}

impl Scheme {
    /// Its name in the registry, as the parameter `alg` has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HmacSha256 => "hmac-sha256",
            Self::Ed25519 => "ed25519",
            Self::EcdsaP256Sha256 => "ecdsa-p256-sha256",
            Self::RsaV15Sha256 => "rsa-v1_5-sha256",
        }
    }

    /// The host's word for it.
    #[must_use]
    pub const fn algorithm(self) -> Algorithm {
        match self {
            Self::HmacSha256 => Algorithm::HmacSha256,
            Self::Ed25519 => Algorithm::Ed25519,
            Self::EcdsaP256Sha256 => Algorithm::EcdsaP256Sha256,
            Self::RsaV15Sha256 => Algorithm::RsaPkcs1Sha256,
        }
    }
}

/// The text that is signed (RFC 9421, section 2.5); `input` is the member of Signature-Input that
/// says what it covers.
///
/// # Errors
/// The first component that the message does not have.
pub fn base<'a>(
    message: &Message<'_>,
    components: &'a [Component],
    input: &str,
) -> Result<String, &'a Component> {
    let mut base = String::new();
    for component in components {
        base.push_str(&component.identifier());
        base.push_str(": ");
        base.push_str(&message.value(component).ok_or(component)?);
        base.push('\n');
    }
    base.push_str("\"@signature-params\": ");
    base.push_str(input);
    Ok(base)
}
