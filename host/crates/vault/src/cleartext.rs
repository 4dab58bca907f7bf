//! The bytes of a secret: in locked memory, wiped on drop, shown through one accessor.

use pages::Pocket;
use zeroize::Zeroize as _;

use crate::error::{Error, MAX_VALUE_BYTES};

/// A secret's bytes, opened for one call: in memory that is locked, in no core dump, and
/// wiped on drop (decision 0044).
///
/// Minted only in this crate. It cannot be printed, copied, compared, serialised or
/// taken for something else:
///
/// ```compile_fail,E0277
/// fn f(c: txco_vault::Cleartext) { let _ = format!("{c:?}"); }
/// ```
/// ```compile_fail,E0277
/// fn f(c: txco_vault::Cleartext) { let _ = format!("{c}"); }
/// ```
/// ```compile_fail,E0599
/// fn f(c: txco_vault::Cleartext) { let _ = c.clone(); }
/// ```
/// ```compile_fail,E0369
/// fn f(c: txco_vault::Cleartext, d: txco_vault::Cleartext) -> bool { c == d }
/// ```
/// ```compile_fail,E0277
/// fn needs<T: std::hash::Hash>() {} needs::<txco_vault::Cleartext>();
/// ```
/// ```compile_fail,E0277
/// fn f(c: txco_vault::Cleartext) { let _ = serde_json::to_string(&c); }
/// ```
/// ```compile_fail,E0277
/// fn f() -> txco_vault::Cleartext { serde_json::from_str("[]").unwrap() }
/// ```
/// ```compile_fail,E0614
/// fn f(c: txco_vault::Cleartext) { let _ = *c; }
/// ```
/// ```compile_fail,E0599
/// fn f(c: txco_vault::Cleartext) { let _: &[u8] = c.as_ref(); }
/// ```
/// ```compile_fail,E0277
/// fn needs<T: Default>() {} needs::<txco_vault::Cleartext>();
/// ```
pub struct Cleartext(Pocket);

impl Cleartext {
    /// Room for exactly `len` bytes. Filled in place: a buffer that grows leaves copies
    /// of its former self behind.
    pub(crate) fn zeroed(len: usize) -> Self {
        Self(Pocket::zeroed(len))
    }

    /// A copy of `bytes`, which stay the caller's to wipe.
    pub(crate) fn copy_of(bytes: &[u8]) -> Self {
        let mut copy = Self::zeroed(bytes.len());
        copy.buffer().copy_from_slice(bytes);
        copy
    }

    /// Random bytes of the operating system.
    pub(crate) fn random(len: usize) -> Result<Self, Error> {
        let mut bytes = Self::zeroed(len);
        getrandom::fill(bytes.buffer()).map_err(|_| Error::NoRandomness)?;
        Ok(bytes)
    }

    /// Feeds the bytes to a computation that shows nothing of them.
    pub(crate) fn feed(&self, mac: &mut impl hmac::Mac) {
        mac.update(self.0.bytes());
    }

    /// Derives other keys from a key that was drawn or opened as cleartext (HKDF-SHA256).
    pub(crate) fn expand(&self, label: &[u8], out: &mut [u8]) -> Result<(), Error> {
        let derived = hkdf::Hkdf::<sha2::Sha256>::new(None, self.0.bytes()).expand(label, out);
        derived.map_err(|_| Error::Cipher)
    }

    pub(crate) fn buffer(&mut self) -> &mut [u8] {
        self.0.bytes_mut()
    }

    /// How many bytes it has.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has no bytes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes. The files that may call this are pinned by the architecture test.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.bytes()
    }
}

/// A value on its way into the store: not empty, at most [`MAX_VALUE_BYTES`], wiped on drop.
///
/// ```compile_fail,E0277
/// fn f(v: txco_vault::SecretValue) { let _ = format!("{v:?}"); }
/// ```
/// ```compile_fail,E0599
/// fn f(v: txco_vault::SecretValue) { let _ = v.clone(); }
/// ```
pub struct SecretValue(pub(crate) Cleartext);

impl SecretValue {
    /// Takes `bytes`; they are wiped whatever the answer is.
    ///
    /// # Errors
    /// [`Error::EmptyValue`], [`Error::ValueTooLong`].
    pub fn new(mut bytes: Vec<u8>) -> Result<Self, Error> {
        let value = Self::check(&bytes);
        bytes.zeroize();
        value
    }

    /// Takes the bytes out of `buffer`, which is wiped whatever the answer is.
    ///
    /// # Errors
    /// [`Error::EmptyValue`], [`Error::ValueTooLong`].
    pub fn take(buffer: &mut [u8]) -> Result<Self, Error> {
        let value = Self::check(buffer);
        buffer.zeroize();
        value
    }

    /// How many bytes it has; never none.
    #[must_use]
    pub const fn length(&self) -> usize {
        self.0.len()
    }

    fn check(bytes: &[u8]) -> Result<Self, Error> {
        match bytes.len() {
            0 => Err(Error::EmptyValue),
            found if found > MAX_VALUE_BYTES => Err(Error::ValueTooLong { found }),
            _ => Ok(Self(Cleartext::copy_of(bytes))),
        }
    }
}

/// A generated value, to be shown once to the person who asked for it; wiped on drop.
///
/// ```compile_fail,E0277
/// fn f(v: txco_vault::Shown) { let _ = format!("{v:?}"); }
/// ```
/// ```compile_fail,E0599
/// fn f(v: txco_vault::Shown) { let _ = v.clone(); }
/// ```
pub struct Shown(pub(crate) Cleartext);

impl Shown {
    /// The text, for the one reply that shows it.
    #[must_use]
    pub fn text(&self) -> &str {
        // Every encoding is ASCII.
        str::from_utf8(self.0.0.bytes()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_bounded_on_both_sides() {
        assert!(matches!(SecretValue::new(vec![]), Err(Error::EmptyValue)));
        assert!(SecretValue::new(vec![7]).is_ok());
        assert!(SecretValue::new(vec![7; MAX_VALUE_BYTES]).is_ok());
        assert!(matches!(
            SecretValue::new(vec![7; MAX_VALUE_BYTES + 1]),
            Err(Error::ValueTooLong { found }) if found == MAX_VALUE_BYTES + 1
        ));
    }

    #[test]
    fn taking_a_value_wipes_where_it_came_from() {
        let mut good = *b"sk_live_abc";
        let value = SecretValue::take(&mut good).ok().unwrap();
        assert_eq!((good, value.0.expose()), ([0; 11], &b"sk_live_abc"[..]));
        let mut bad = vec![7; MAX_VALUE_BYTES + 1];
        assert!(SecretValue::take(&mut bad).is_err());
        assert!(bad.iter().all(|b| *b == 0));
    }
}
