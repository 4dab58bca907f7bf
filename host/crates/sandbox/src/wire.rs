//! The contract's types as they cross the wall (guest-sdk/wit/op.wit).

use model::{CREDENTIAL_TEXT, Value};
use vault::{Algorithm, Encoding, KeyError};
use wasmtime::component::{ComponentType, Lift, Lower, Resource, WasmList};
use zeroize::Zeroize;

use crate::handles::Blob;
use crate::json::{Bounds, Stopped};

/// `types.value`, on its way in.
#[derive(ComponentType, Lower)]
#[component(variant)]
pub(crate) enum ValueIn {
    #[component(name = "text")]
    Text(String),
    #[component(name = "json")]
    Json(String),
}

impl ValueIn {
    /// A string's own characters, of anything else the JSON text.
    pub(crate) fn of(value: &Value, bounds: Bounds) -> Result<Self, Stopped> {
        Ok(match value {
            Value::String(text) => Self::Text(bounds.copy(text)?),
            Value::Sealed(_) => Self::Text(CREDENTIAL_TEXT.to_owned()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                Self::Json(bounds.json(value)?)
            }
        })
    }
}

/// `types.value`, on its way out. It may be a credential, so the host's copy is wiped.
#[derive(ComponentType, Lift)]
#[component(variant)]
pub(crate) enum ValueOut {
    #[component(name = "text")]
    Text(String),
    #[component(name = "json")]
    Json(String),
}

impl ValueOut {
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Json(text) => text,
        }
    }
}

impl Drop for ValueOut {
    fn drop(&mut self) {
        match self {
            Self::Text(text) | Self::Json(text) => text.zeroize(),
        }
    }
}

/// `types.class`.
#[derive(Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
pub(crate) enum ClassOut {
    #[component(name = "data")]
    Data,
    #[component(name = "digest")]
    Digest,
    #[component(name = "credential")]
    Credential,
}

impl ClassOut {
    /// By their numbers.
    pub(crate) const ALL: [Self; 3] = [Self::Data, Self::Digest, Self::Credential];
}

/// `types.field`. The value stands last: when lifting fails before it there is nothing to
/// wipe, and after it nothing can fail.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct Field {
    #[component(name = "path")]
    pub(crate) path: String,
    #[component(name = "class")]
    pub(crate) class: ClassOut,
    #[component(name = "value")]
    pub(crate) value: ValueOut,
}

/// `types.failure`. A careless op quotes its secret here, so the host's copy is wiped.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct FailureOut {
    #[component(name = "code")]
    pub(crate) code: String,
    #[component(name = "message")]
    pub(crate) message: String,
}

impl Drop for FailureOut {
    fn drop(&mut self) {
        self.code.zeroize();
        self.message.zeroize();
    }
}

/// `types.secret-error`.
#[derive(Clone, Copy, ComponentType, Lower)]
#[component(enum)]
#[repr(u8)]
pub(crate) enum SecretError {
    #[component(name = "no-such-slot")]
    NoSuchSlot,
    #[component(name = "no-such-version")]
    NoSuchVersion,
    #[component(name = "denied")]
    Denied,
}

/// `keys.key-error`.
#[derive(ComponentType, Lower)]
#[component(variant)]
pub(crate) enum KeyErrorIn {
    #[component(name = "secret")]
    Secret(SecretError),
    #[component(name = "unusable")]
    Unusable(String),
}

impl KeyErrorIn {
    /// The same error in the contract's words; none for [`KeyError::Late`], which ends the call.
    pub(crate) fn of(error: KeyError) -> Option<Self> {
        Some(match error {
            KeyError::NoSuchSlot => Self::Secret(SecretError::NoSuchSlot),
            KeyError::NoSuchVersion => Self::Secret(SecretError::NoSuchVersion),
            KeyError::Denied => Self::Secret(SecretError::Denied),
            KeyError::Unusable(why) => Self::Unusable(why),
            KeyError::Late => return None,
        })
    }
}

/// `keys.algorithm`.
#[derive(Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
pub(crate) enum AlgorithmOut {
    #[component(name = "hmac-sha1")]
    HmacSha1,
    #[component(name = "hmac-sha256")]
    HmacSha256,
    #[component(name = "hmac-sha512")]
    HmacSha512,
    #[component(name = "ed25519")]
    Ed25519,
    #[component(name = "ecdsa-p256-sha256")]
    EcdsaP256Sha256,
    #[component(name = "rsa-pkcs1-sha256")]
    RsaPkcs1Sha256,
}

impl AlgorithmOut {
    /// By their numbers.
    pub(crate) const ALL: [Self; 6] = [
        Self::HmacSha1,
        Self::HmacSha256,
        Self::HmacSha512,
        Self::Ed25519,
        Self::EcdsaP256Sha256,
        Self::RsaPkcs1Sha256,
    ];
}

impl From<AlgorithmOut> for Algorithm {
    fn from(algorithm: AlgorithmOut) -> Self {
        match algorithm {
            AlgorithmOut::HmacSha1 => Self::HmacSha1,
            AlgorithmOut::HmacSha256 => Self::HmacSha256,
            AlgorithmOut::HmacSha512 => Self::HmacSha512,
            AlgorithmOut::Ed25519 => Self::Ed25519,
            AlgorithmOut::EcdsaP256Sha256 => Self::EcdsaP256Sha256,
            AlgorithmOut::RsaPkcs1Sha256 => Self::RsaPkcs1Sha256,
        }
    }
}

/// `keys.encoding`.
#[derive(Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
pub(crate) enum EncodingOut {
    #[component(name = "declared")]
    Declared,
    #[component(name = "text")]
    Text,
    #[component(name = "hex")]
    Hex,
    #[component(name = "base64")]
    Base64,
    #[component(name = "base64url")]
    Base64Url,
    #[component(name = "base32")]
    Base32,
    #[component(name = "whsec")]
    Whsec,
}

impl EncodingOut {
    /// By their numbers.
    pub(crate) const ALL: [Self; 7] =
        [Self::Declared, Self::Text, Self::Hex, Self::Base64, Self::Base64Url, Self::Base32, Self::Whsec];
}

impl From<EncodingOut> for Encoding {
    fn from(encoding: EncodingOut) -> Self {
        match encoding {
            EncodingOut::Declared => Self::Declared,
            EncodingOut::Text => Self::Text,
            EncodingOut::Hex => Self::Hex,
            EncodingOut::Base64 => Self::Base64,
            EncodingOut::Base64Url => Self::Base64Url,
            EncodingOut::Base32 => Self::Base32,
            EncodingOut::Whsec => Self::Whsec,
        }
    }
}

/// `keys.piece`: its bytes stay where they are, in the guest or with the host.
#[derive(ComponentType, Lift)]
#[component(variant)]
pub(crate) enum Piece {
    #[component(name = "bytes")]
    Bytes(WasmList<u8>),
    #[component(name = "blob")]
    Blob(Resource<Blob>),
}

/// The most fields that an output has room for, however short they are.
pub(crate) const MOST_FIELDS: usize = 1024;

/// What `handle` returns.
pub(crate) type Returned = Result<Vec<Field>, FailureOut>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_reads_as_fixed_text() {
        let bounds = Bounds { most: 100, until: std::time::Instant::now() };
        let sealed = Value::Sealed(model::Sealed::credential(model::CredentialId::new(0)));
        let of = |value: &Value| ValueIn::of(value, bounds);
        assert!(matches!(of(&sealed), Ok(ValueIn::Text(text)) if text == "[credential]"));
        let inside: Value = [("a".to_owned(), sealed)].into_iter().collect();
        assert!(matches!(of(&inside), Ok(ValueIn::Json(text)) if text == r#"{"a":"[credential]"}"#));
    }
}
