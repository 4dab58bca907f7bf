//! Signatures over ops: an operator's own key says which bytes may run here.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::Digest;
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use zeroize::Zeroizing;

use crate::config::{OnlySigned, TrustKey};

/// What a signature begins with; another form gets another number.
const FORM: &str = "txco-op-signature-1";
/// What is signed, before the digest: so that no other use of the key signs the same text.
const DOMAIN: &[u8] = b"txco/op/signature/1\0";

/// Why an op may not run here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unsigned {
    /// Somebody's mistake, or somebody's attempt.
    #[error("its signature is not one of these bytes")]
    Wrong,
    /// Not even the form is right.
    #[error("its signature is not of the form `{FORM} ed25519:KEY SIGNATURE`")]
    Malformed,
    /// `--only-signed`.
    #[error("it is not signed, and this chassis runs signed ops only (`txco op sign`)")]
    Missing,
    /// `--only-signed`, and a key that nobody named.
    #[error("it is signed by {0}, which no --op-trust-key names")]
    Untrusted(TrustKey),
}

/// Whose signatures count here.
#[derive(Debug, Clone, Default)]
pub(crate) struct Signers {
    trusted: Vec<TrustKey>,
    only_signed: bool,
}

impl Signers {
    /// Those of the settings.
    pub(crate) fn new(trusted: Vec<TrustKey>, only_signed: OnlySigned) -> Self {
        Self { trusted, only_signed: only_signed == OnlySigned::Yes }
    }

    /// Whether bytes with `digest` may run. A signature that is there must be right, also
    /// where none is asked for.
    ///
    /// # Errors
    /// [`Unsigned`].
    pub(crate) fn admit(&self, digest: &Digest, signature: Option<&str>) -> Result<(), Unsigned> {
        let signer = signature.map(|text| signer(digest, text)).transpose()?;
        match signer {
            _ if !self.only_signed => Ok(()),
            None => Err(Unsigned::Missing),
            Some(key) if self.trusted.contains(&key) => Ok(()),
            Some(key) => Err(Unsigned::Untrusted(key)),
        }
    }
}

/// Whose signature over `digest` this is.
///
/// # Errors
/// [`Unsigned::Malformed`], [`Unsigned::Wrong`].
pub(crate) fn signer(digest: &Digest, text: &str) -> Result<TrustKey, Unsigned> {
    let mut words = text.split_ascii_whitespace();
    let (Some(FORM), Some(key), Some(signature), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Unsigned::Malformed);
    };
    let key = TrustKey::read(key).ok_or(Unsigned::Malformed)?;
    let signature = STANDARD.decode(signature).map_err(|_| Unsigned::Malformed)?;
    let public = UnparsedPublicKey::new(&ED25519, key.bytes());
    public.verify(&message(digest), &signature).map_err(|_| Unsigned::Wrong)?;
    Ok(key)
}

/// A key that signs; wiped by its owner's memory, not printable.
pub(crate) struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// Mints one: the key, and the PKCS #8 to keep.
    pub(crate) fn mint() -> Option<(Self, Zeroizing<Vec<u8>>)> {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).ok()?;
        let kept = Zeroizing::new(document.as_ref().to_vec());
        Some((Self::of_pkcs8(&kept)?, kept))
    }

    /// Reads PKCS #8 (RFC 5958), with or without the public key.
    pub(crate) fn of_pkcs8(der: &[u8]) -> Option<Self> {
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok().map(Self)
    }

    /// What others need to know of it.
    pub(crate) fn public(&self) -> Option<TrustKey> {
        TrustKey::of(self.0.public_key().as_ref())
    }

    /// A signature over bytes with `digest`, as text.
    pub(crate) fn sign(&self, digest: &Digest) -> Option<String> {
        let signature = STANDARD.encode(self.0.sign(&message(digest)));
        Some(format!("{FORM} {} {signature}", self.public()?))
    }
}

/// Prints nothing of the key.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

fn message(digest: &Digest) -> Vec<u8> {
    [DOMAIN, digest.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signers(trusted: &[&SigningKey], only: OnlySigned) -> Signers {
        Signers::new(trusted.iter().map(|key| key.public().unwrap()).collect(), only)
    }

    #[test]
    fn a_signature_is_of_one_key_over_these_bytes() {
        let (key, der) = SigningKey::mint().unwrap();
        let (other, _) = SigningKey::mint().unwrap();
        let digest = Digest::of(b"op");
        let text = key.sign(&digest).unwrap();
        assert_eq!(signer(&digest, &text), Ok(key.public().unwrap()));
        assert_eq!(signer(&Digest::of(b"other"), &text), Err(Unsigned::Wrong));
        let (public, others) = (key.public().unwrap().to_string(), other.public().unwrap().to_string());
        assert_eq!(signer(&digest, &text.replace(&public, &others)), Err(Unsigned::Wrong));
        for bad in
            ["", "x", &format!("{text} more"), &text.replace("-1 ", "-2 "), &text.replace("ed25519:", "")]
        {
            assert_eq!(signer(&digest, bad), Err(Unsigned::Malformed), "{bad}");
        }
        assert_eq!(SigningKey::of_pkcs8(&der).unwrap().public(), key.public());
        assert!(SigningKey::of_pkcs8(b"no key").is_none());
    }

    #[test]
    fn only_signed_means_by_a_key_that_was_named() {
        let (key, _) = SigningKey::mint().unwrap();
        let (other, _) = SigningKey::mint().unwrap();
        let digest = Digest::of(b"op");
        let (by_key, by_other) = (key.sign(&digest).unwrap(), other.sign(&digest).unwrap());
        let strict = signers(&[&key], OnlySigned::Yes);
        assert_eq!(strict.admit(&digest, Some(&by_key)), Ok(()));
        assert_eq!(strict.admit(&digest, None), Err(Unsigned::Missing));
        let untrusted = Unsigned::Untrusted(other.public().unwrap());
        assert_eq!(strict.admit(&digest, Some(&by_other)), Err(untrusted));
        let easy = signers(&[], OnlySigned::No);
        assert_eq!(easy.admit(&digest, None), Ok(()));
        assert_eq!(easy.admit(&digest, Some(&by_other)), Ok(()));
        assert_eq!(easy.admit(&Digest::of(b"x"), Some(&by_other)), Err(Unsigned::Wrong), "a wrong one never");
    }
}
