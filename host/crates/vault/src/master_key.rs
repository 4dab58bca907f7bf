//! The key of the house: 32 bytes handed in, kept in locked memory, written only to files that keep it.

use std::io::{self, Write};

use hkdf::Hkdf;
use pages::Locked;
use sha2::Sha256;
use zeroize::Zeroize as _;

use store::{CheckValue, KeyId};

use crate::error::Error;
use crate::seal::{Cipher, KEY_BYTES};

/// The master key. Where it comes from is the host's business: this crate reads neither
/// files nor the environment.
///
/// ```compile_fail,E0277
/// fn f(k: txco_vault::MasterKey) { let _ = format!("{k:?}"); }
/// ```
/// ```compile_fail,E0599
/// fn f(k: txco_vault::MasterKey) { let _ = k.clone(); }
/// ```
/// ```compile_fail,E0369
/// fn f(k: txco_vault::MasterKey, l: txco_vault::MasterKey) -> bool { k == l }
/// ```
pub struct MasterKey {
    bytes: Locked,
    id: KeyId,
    check: CheckValue,
}

impl MasterKey {
    /// Takes the key out of `source`, which is wiped whatever the answer is.
    ///
    /// # Errors
    /// [`Error::KeyLength`], [`Error::KeyWeak`], [`Error::NoMemory`].
    pub fn from_bytes(source: &mut [u8]) -> Result<Self, Error> {
        let key = Self::check(source);
        source.zeroize();
        key
    }

    fn check(source: &[u8]) -> Result<Self, Error> {
        if source.len() != KEY_BYTES {
            return Err(Error::KeyLength { found: source.len() });
        }
        if source.windows(2).all(|pair| pair.first() == pair.last()) {
            return Err(Error::KeyWeak);
        }
        let mut bytes = Locked::zeroed(KEY_BYTES).map_err(|_| Error::NoMemory)?;
        bytes.bytes_mut().copy_from_slice(source);
        Self::of(bytes)
    }

    /// A new key, of the operating system's randomness.
    ///
    /// # Errors
    /// [`Error::NoRandomness`], [`Error::NoMemory`].
    pub fn mint() -> Result<Self, Error> {
        let mut bytes = Locked::zeroed(KEY_BYTES).map_err(|_| Error::NoMemory)?;
        getrandom::fill(bytes.bytes_mut()).map_err(|_| Error::NoRandomness)?;
        Self::of(bytes)
    }

    fn of(bytes: Locked) -> Result<Self, Error> {
        let id = KeyId::new(derive(&bytes, b"txco/v1/key-id")?);
        let check = CheckValue::new(derive(&bytes, b"txco/v1/kcv")?);
        Ok(Self { bytes, id, check })
    }

    /// Writes the 32 bytes as they are: a key file is made of them, and nothing else.
    ///
    /// # Errors
    /// What writing says.
    pub fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(self.bytes.bytes())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.bytes()
    }

    /// The key's name: says which key sealed a row, and nothing about the key (R12).
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// What the database keeps beside the id, so that another key is noticed at boot.
    #[must_use]
    pub const fn check_value(&self) -> CheckValue {
        self.check
    }

    /// The key that authenticates compiled code on disk (R27).
    ///
    /// # Errors
    /// [`Error::NoMemory`].
    pub fn code_cache_key(&self) -> Result<CodeCacheKey, Error> {
        let mut bytes = Locked::zeroed(KEY_BYTES).map_err(|_| Error::NoMemory)?;
        derive_into(&self.bytes, b"txco/v1/cwasm", bytes.bytes_mut())?;
        Ok(CodeCacheKey(bytes))
    }

    /// Expanded for each use: the first words of a key schedule are the key itself, and one that
    /// is kept would lie in ordinary memory, for every core dump.
    pub(crate) fn cipher(&self) -> Option<Cipher> {
        Cipher::new(self.bytes.bytes())
    }

    /// What wraps audit keys (R12).
    pub(crate) fn audit_cipher(&self) -> Result<Cipher, Error> {
        self.derived_cipher(b"txco/v1/audit")
    }

    /// What wraps the keys of runs (R12).
    pub(crate) fn run_cipher(&self) -> Result<Cipher, Error> {
        self.derived_cipher(b"txco/v1/continuation")
    }

    fn derived_cipher(&self, label: &[u8]) -> Result<Cipher, Error> {
        let mut bytes = Locked::zeroed(KEY_BYTES).map_err(|_| Error::NoMemory)?;
        derive_into(&self.bytes, label, bytes.bytes_mut())?;
        Cipher::new(bytes.bytes()).ok_or(Error::Cipher)
    }
}

/// The key that authenticates compiled code on disk; opens no secret.
///
/// ```compile_fail,E0277
/// fn f(k: txco_vault::CodeCacheKey) { let _ = format!("{k:?}"); }
/// ```
/// ```compile_fail,E0599
/// fn f(k: txco_vault::CodeCacheKey) { let _ = k.clone(); }
/// ```
pub struct CodeCacheKey(Locked);

impl CodeCacheKey {
    /// The 32 bytes, for the HMAC over a cache file.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.bytes()
    }
}

/// HKDF-SHA256 (RFC 5869) of the master key without salt, one label per use (R12). Never
/// an output of the block cipher: AES of zeros is GCM's hash key.
fn derive<const N: usize>(key: &Locked, label: &[u8]) -> Result<[u8; N], Error> {
    let mut out = [0; N];
    derive_into(key, label, &mut out)?;
    Ok(out)
}

fn derive_into(key: &Locked, label: &[u8], out: &mut [u8]) -> Result<(), Error> {
    Hkdf::<Sha256>::new(None, key.bytes()).expand(label, out).map_err(|_| Error::Cipher)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> MasterKey {
        MasterKey::from_bytes(&mut std::array::from_fn::<u8, 32, _>(|i| u8::try_from(i).unwrap()))
            .ok()
            .unwrap()
    }

    #[test]
    fn the_source_is_wiped_whether_or_not_it_is_a_key() {
        let mut good: [u8; 32] = std::array::from_fn(|i| u8::try_from(i).unwrap());
        assert!(MasterKey::from_bytes(&mut good).is_ok());
        assert_eq!(good, [0; 32]);
        let mut short = [7_u8; 31];
        assert!(matches!(MasterKey::from_bytes(&mut short), Err(Error::KeyLength { found: 31 })));
        assert_eq!(short, [0; 31]);
    }

    #[test]
    fn a_zeroed_file_is_not_a_key() {
        for byte in [0, 0xff] {
            assert!(matches!(MasterKey::from_bytes(&mut [byte; 32]), Err(Error::KeyWeak)));
        }
    }

    /// Frozen: computed with another implementation (tests/vectors/aead/derivations.json).
    #[test]
    fn derivations_are_frozen_and_differ_from_each_other() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../../../tests/vectors/aead/derivations.json")).unwrap();
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let key = key();
        assert_eq!(key.id().to_string(), vectors["key_id"].as_str().unwrap());
        assert_eq!(hex(key.check_value().as_bytes()), vectors["check_value"].as_str().unwrap());
        assert_eq!(hex(key.code_cache_key().unwrap().expose()), vectors["code_cache_key"].as_str().unwrap());
    }
}
