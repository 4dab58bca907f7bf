//! The algorithms of JSON Web Signatures (RFC 7518 §3, RFC 8037 §3.1) that the host computes.

use txco_op::{Algorithm, FromParam};

/// An algorithm by its registered name. A rule always says which: the token never does.
#[derive(FromParam, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Jws {
    /// HMAC with SHA-256.
    #[param(name = "HS256")]
    Hs256,
    /// Ed25519.
    #[param(name = "EdDSA")]
    EdDsa,
    /// ECDSA with P-256 and SHA-256.
    #[param(name = "ES256")]
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[param(name = "RS256")]
    Rs256,
}

impl Jws {
    /// Its name in a token's header.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }

    /// The host's word for it.
    #[must_use]
    pub const fn algorithm(self) -> Algorithm {
        match self {
            Self::Hs256 => Algorithm::HmacSha256,
            Self::EdDsa => Algorithm::Ed25519,
            Self::Es256 => Algorithm::EcdsaP256Sha256,
            Self::Rs256 => Algorithm::RsaPkcs1Sha256,
        }
    }
}
