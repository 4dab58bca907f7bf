//! A secret that can be used and not seen: MACs, signatures and derived keys.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use zeroize::Zeroize as _;

use crate::cleartext::Cleartext;
use crate::encoding::Encoding;
use crate::signature::{PublicKey, Scheme};

/// What a MAC or a signature is made with, and what it looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC (RFC 2104) with SHA-1, 20 bytes.
    HmacSha1,
    /// HMAC with SHA-256, 32 bytes.
    HmacSha256,
    /// HMAC with SHA-512, 64 bytes.
    HmacSha512,
    /// Ed25519 (RFC 8032), 64 bytes.
    Ed25519,
    /// ECDSA with P-256 and SHA-256 (FIPS 186-5), 64 bytes: r and s.
    EcdsaP256Sha256,
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 §8.2), as long as the modulus.
    RsaPkcs1Sha256,
}

/// Why a key cannot be had or used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The rule declares nothing for this slot.
    #[error("no such slot")]
    NoSuchSlot,
    /// The slot has fewer versions.
    #[error("no such version")]
    NoSuchVersion,
    /// Not for this op, or not as a handle.
    #[error("denied")]
    Denied,
    /// The value is no such key. The reason quotes nothing of it.
    #[error("{0}")]
    Unusable(String),
    /// The time until which the key may compute has come.
    #[error("out of time")]
    Late,
}

/// The longest message that a key pair signs or verifies: unlike a MAC it cannot stop on the way.
pub const MAX_PAIR_MESSAGE_BYTES: usize = 8 << 20;
/// How much of a message goes into a MAC between two looks at the clock.
const STRIDE: usize = 256 << 10;

/// A handle to a key: of a secret, derived from one, or a public one. What it holds is
/// wiped when it is dropped.
///
/// ```compile_fail,E0277
/// fn f(k: txco_vault::Key) { let _ = format!("{k:?}"); }
/// ```
/// ```compile_fail,E0599
/// fn f(k: txco_vault::Key) { let _ = k.clone(); }
/// ```
/// ```compile_fail,E0599
/// fn f(k: txco_vault::Key) { let _ = k.expose(); }
/// ```
pub struct Key {
    material: Material,
    until: Option<Instant>,
}

enum Material {
    /// A value of the store, and how it writes a key.
    Stored(Arc<Cleartext>, Encoding),
    Derived(Cleartext),
    Public(PublicKey),
}

/// The bytes of a MAC key: the stored ones, or decoded for this use and wiped after it.
enum Symmetric<'a> {
    Stored(&'a Cleartext),
    Decoded(Cleartext),
}

/// What an algorithm computes with.
enum Family {
    Mac(Digest),
    Pair(Scheme),
}

#[derive(Clone, Copy)]
enum Digest {
    Sha1,
    Sha256,
    Sha512,
}

impl Algorithm {
    const fn family(self) -> Family {
        match self {
            Self::HmacSha1 => Family::Mac(Digest::Sha1),
            Self::HmacSha256 => Family::Mac(Digest::Sha256),
            Self::HmacSha512 => Family::Mac(Digest::Sha512),
            Self::Ed25519 => Family::Pair(Scheme::Ed25519),
            Self::EcdsaP256Sha256 => Family::Pair(Scheme::EcdsaP256),
            Self::RsaPkcs1Sha256 => Family::Pair(Scheme::RsaPkcs1),
        }
    }
}

impl Key {
    pub(crate) const fn stored(value: Arc<Cleartext>, encoding: Encoding) -> Self {
        Self::of(Material::Stored(value, encoding))
    }

    const fn of(material: Material) -> Self {
        Self { material, until: None }
    }

    /// The same key, and what is derived from it, computing no longer than until then.
    #[must_use]
    pub fn until(self, until: Instant) -> Self {
        Self { material: self.material, until: Some(until) }
    }

    /// A public key, which is no secret: SubjectPublicKeyInfo as PEM. It verifies only.
    ///
    /// # Errors
    /// [`KeyError::Unusable`].
    pub fn public(pem: &str) -> Result<Self, KeyError> {
        PublicKey::parse(pem.as_bytes()).map(Material::Public).map(Self::of).map_err(KeyError::Unusable)
    }

    /// A MAC or signature of the pieces, one after the other.
    ///
    /// # Errors
    /// [`KeyError::Unusable`], [`KeyError::Late`].
    pub fn sign(&self, algorithm: Algorithm, pieces: &[&[u8]]) -> Result<Vec<u8>, KeyError> {
        match algorithm.family() {
            Family::Mac(digest) => {
                let mut made = [0; 64];
                let length = self.mac(digest, &[], pieces, &mut made)?;
                Ok(made.get(..length).unwrap_or_default().to_vec())
            }
            Family::Pair(scheme) => match &self.material {
                Material::Stored(pem, _) => {
                    scheme.sign(pem.expose(), &joined(pieces)?).map_err(KeyError::Unusable)
                }
                Material::Derived(_) => Err(unusable("a derived key makes MACs only")),
                Material::Public(_) => Err(unusable("a public key verifies only")),
            },
        }
    }

    /// Whether `signature` is one of the pieces; MACs are compared in constant time.
    ///
    /// # Errors
    /// [`KeyError::Unusable`], [`KeyError::Late`].
    pub fn verify(&self, algorithm: Algorithm, pieces: &[&[u8]], signature: &[u8]) -> Result<bool, KeyError> {
        let scheme = match algorithm.family() {
            Family::Mac(digest) => {
                let key = self.symmetric()?;
                let whole = Message { prefix: &[], pieces, until: self.until };
                return Ok(match digest {
                    Digest::Sha1 => whole.fed::<Hmac<Sha1>>(key.bytes())?.verify_slice(signature),
                    Digest::Sha256 => whole.fed::<Hmac<Sha256>>(key.bytes())?.verify_slice(signature),
                    Digest::Sha512 => whole.fed::<Hmac<Sha512>>(key.bytes())?.verify_slice(signature),
                }
                .is_ok());
            }
            Family::Pair(scheme) => scheme,
        };
        let message = joined(pieces)?;
        match &self.material {
            Material::Stored(pem, _) => scheme
                .public_of(pem.expose())
                .and_then(|key| key.verify(scheme, &message, signature))
                .map_err(KeyError::Unusable),
            Material::Public(key) => key.verify(scheme, &message, signature).map_err(KeyError::Unusable),
            Material::Derived(_) => Err(unusable("a derived key makes MACs only")),
        }
    }

    /// The MAC of `message` under `prefix` followed by this key, as a key.
    ///
    /// # Errors
    /// [`KeyError::Unusable`], [`KeyError::Late`].
    pub fn derive(&self, algorithm: Algorithm, prefix: &[u8], message: &[u8]) -> Result<Self, KeyError> {
        let Family::Mac(digest) = algorithm.family() else {
            return Err(unusable("keys are derived with HMAC only"));
        };
        let mut made = [0; 64];
        let length = self.mac(digest, prefix, &[message], &mut made)?;
        let key = Cleartext::copy_of(made.get(..length).unwrap_or_default());
        made.zeroize();
        Ok(Self { material: Material::Derived(key), until: self.until })
    }

    /// Writes the MAC to the front of `made` and says how long it is.
    fn mac(
        &self,
        digest: Digest,
        prefix: &[u8],
        pieces: &[&[u8]],
        made: &mut [u8; 64],
    ) -> Result<usize, KeyError> {
        let key = self.symmetric()?;
        let whole = Message { prefix, pieces, until: self.until };
        match digest {
            Digest::Sha1 => whole.finished::<Hmac<Sha1>>(key.bytes(), made),
            Digest::Sha256 => whole.finished::<Hmac<Sha256>>(key.bytes(), made),
            Digest::Sha512 => whole.finished::<Hmac<Sha512>>(key.bytes(), made),
        }
    }

    fn symmetric(&self) -> Result<Symmetric<'_>, KeyError> {
        match &self.material {
            Material::Stored(value, Encoding::Text | Encoding::Declared) => Ok(Symmetric::Stored(value)),
            Material::Stored(value, encoding) => {
                encoding.decode(value.expose()).map(Symmetric::Decoded).map_err(KeyError::Unusable)
            }
            Material::Derived(key) => Ok(Symmetric::Stored(key)),
            Material::Public(_) => Err(unusable("a public key makes no MAC")),
        }
    }
}

/// The bytes that `value` writes when it is read as `encoding` says: what an op is shown.
pub(crate) fn decoded(value: &Cleartext, encoding: Encoding) -> Result<Cleartext, String> {
    encoding.decode(value.expose())
}

impl Symmetric<'_> {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Stored(value) => value.expose(),
            Self::Decoded(value) => value.expose(),
        }
    }
}

/// What a MAC is made of, beside the key.
struct Message<'a> {
    /// What stands before the key.
    prefix: &'a [u8],
    pieces: &'a [&'a [u8]],
    until: Option<Instant>,
}

impl Message<'_> {
    /// A MAC that has eaten the pieces.
    fn fed<M: Mac + KeyInit>(&self, key: &[u8]) -> Result<M, KeyError> {
        let refused = |_| unusable("no MAC takes this key");
        let mut mac = if self.prefix.is_empty() {
            M::new_from_slice(key).map_err(refused)?
        } else {
            let mut whole = Cleartext::zeroed(self.prefix.len() + key.len());
            if let Some((front, back)) = whole.buffer().split_at_mut_checked(self.prefix.len()) {
                front.copy_from_slice(self.prefix);
                back.copy_from_slice(key);
            }
            M::new_from_slice(whole.expose()).map_err(refused)?
        };
        let mut since_looked = 0;
        for stride in self.pieces.iter().flat_map(|piece| piece.chunks(STRIDE)) {
            mac.update(stride);
            since_looked += stride.len();
            if since_looked >= STRIDE {
                since_looked = 0;
                if self.until.is_some_and(|until| Instant::now() >= until) {
                    return Err(KeyError::Late);
                }
            }
        }
        Ok(mac)
    }

    fn finished<M: Mac + KeyInit>(&self, key: &[u8], made: &mut [u8; 64]) -> Result<usize, KeyError> {
        let mut tag = self.fed::<M>(key)?.finalize().into_bytes();
        let length = tag.len();
        if let Some(place) = made.get_mut(..length) {
            place.copy_from_slice(&tag);
        }
        // It may become a key.
        tag.zeroize();
        Ok(length)
    }
}

/// One message of the pieces: `ring` signs nothing else.
fn joined<'a>(pieces: &[&'a [u8]]) -> Result<Cow<'a, [u8]>, KeyError> {
    if pieces.iter().map(|piece| piece.len()).fold(0, usize::saturating_add) > MAX_PAIR_MESSAGE_BYTES {
        let most = MAX_PAIR_MESSAGE_BYTES >> 20;
        return Err(unusable(&format!("a key pair takes messages of at most {most} MiB; use their digest")));
    }
    Ok(match pieces {
        [one] => Cow::Borrowed(one),
        _ => Cow::Owned(pieces.concat()),
    })
}

fn unusable(reason: &str) -> KeyError {
    KeyError::Unusable(reason.to_owned())
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod wycheproof;
