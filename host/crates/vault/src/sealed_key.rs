//! A master key that lies on disk sealed by a passphrase: Argon2id (RFC 9106) and AES-256-GCM.
//!
//! The key is random; the passphrase only seals it (R12), so a passphrase can be changed
//! without touching a secret. All keys of a ring are sealed under one derived key, whose
//! parameters and salt stand in front of each file: a ring is unlocked once, and rotated and
//! read again without asking.

use argon2::{Algorithm, Argon2, Params, Version};
use pages::Locked;
use zeroize::Zeroizing;

use crate::cleartext::Cleartext;
use crate::error::{Error, MAX_PASSPHRASE, MIN_PASSPHRASE};
use crate::master_key::MasterKey;
use crate::seal::{Cipher, KEY_BYTES, NONCE_BYTES, TAG_BYTES};

const MAGIC: &[u8] = b"txco-sealed-key/1\n";
const SALT_BYTES: usize = 16;
/// Magic; memory in KiB, passes and lanes, four bytes each, big-endian; salt.
const HEADER_BYTES: usize = MAGIC.len() + 12 + SALT_BYTES;
/// How long a sealed key file is.
pub const SEALED_KEY_BYTES: usize = HEADER_BYTES + NONCE_BYTES + KEY_BYTES + TAG_BYTES;

/// RFC 9106's second choice, with one lane: 64 MiB, three passes.
const COST: Cost = Cost { memory: 64 * 1024, passes: 3, lanes: 1 };
/// What a file may ask for: whoever can write it must not be able to stop the start for hours.
const MOST: Cost = Cost { memory: 1024 * 1024, passes: 16, lanes: 16 };

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cost {
    memory: u32,
    passes: u32,
    lanes: u32,
}

/// A passphrase as it was given: UTF-8, wiped on drop.
///
/// ```compile_fail,E0277
/// fn f(p: txco_vault::Passphrase) { let _ = format!("{p:?}"); }
/// ```
/// ```compile_fail,E0599
/// fn f(p: txco_vault::Passphrase) { let _ = p.clone(); }
/// ```
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Takes `bytes`, as typed or piped, without the line's end.
    ///
    /// # Errors
    /// [`Error::Passphrase`] unless it is UTF-8 of 1 to [`MAX_PASSPHRASE`] bytes.
    pub fn new(bytes: &[u8]) -> Result<Self, Error> {
        let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match str::from_utf8(line) {
            Ok(text) if !text.is_empty() && text.len() <= MAX_PASSPHRASE => {
                Ok(Self(Zeroizing::new(text.to_owned())))
            }
            _ => Err(Error::Passphrase),
        }
    }

    /// Whether it is long enough to be chosen.
    ///
    /// # Errors
    /// [`Error::PassphraseShort`].
    pub fn chosen(self) -> Result<Self, Error> {
        if self.0.chars().count() < MIN_PASSPHRASE { Err(Error::PassphraseShort) } else { Ok(self) }
    }

    /// Whether it was typed the same way twice.
    #[must_use]
    pub fn is(&self, again: &Self) -> bool {
        self.0.as_str() == again.0.as_str()
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

/// What a passphrase unlocks: opens and makes the sealed files of one ring.
///
/// ```compile_fail,E0277
/// fn f(u: txco_vault::Unlocked) { let _ = format!("{u:?}"); }
/// ```
pub struct Unlocked {
    header: [u8; HEADER_BYTES],
    cipher: Box<Cipher>,
}

/// Whether the bytes of a key file say that they are sealed.
#[must_use]
pub fn is_sealed(file: &[u8]) -> bool {
    file.starts_with(MAGIC)
}

impl Unlocked {
    /// For a new ring: a fresh salt.
    ///
    /// # Errors
    /// [`Error::NoRandomness`], [`Error::NoMemory`].
    pub fn fresh(passphrase: &Passphrase) -> Result<Self, Error> {
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt).map_err(|_| Error::NoRandomness)?;
        Self::derive(header(COST, &salt), COST, &salt, passphrase)
    }

    /// For the ring that `file` belongs to, which it must open.
    ///
    /// # Errors
    /// [`Error::SealedForm`] when it is no such file, [`Error::PassphraseWrong`].
    pub fn of(file: &[u8], passphrase: &Passphrase) -> Result<Self, Error> {
        let (header, cost, salt) = read_header(file).ok_or(Error::SealedForm)?;
        let unlocked = Self::derive(header, cost, &salt, passphrase)?;
        unlocked.open(file).map(|_| unlocked)
    }

    fn derive(
        header: [u8; HEADER_BYTES],
        cost: Cost,
        salt: &[u8],
        passphrase: &Passphrase,
    ) -> Result<Self, Error> {
        let params = Params::new(cost.memory, cost.passes, cost.lanes, Some(KEY_BYTES))
            .map_err(|_| Error::SealedForm)?;
        let mut key = Locked::zeroed(KEY_BYTES).map_err(|_| Error::NoMemory)?;
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.text().as_bytes(), salt, key.bytes_mut())
            .map_err(|_| Error::NoMemory)?;
        let cipher = Box::new(Cipher::new(key.bytes()).ok_or(Error::Cipher)?);
        Ok(Self { header, cipher })
    }

    /// Seals `key`: the bytes of its file.
    ///
    /// # Errors
    /// [`Error::NoRandomness`].
    pub fn seal(&self, key: &MasterKey) -> Result<Vec<u8>, Error> {
        let sealed = self.cipher.seal(&self.header, &Cleartext::copy_of(key.bytes()))?;
        let mut file = Vec::with_capacity(SEALED_KEY_BYTES);
        file.extend_from_slice(&self.header);
        file.extend_from_slice(&sealed.nonce);
        file.extend_from_slice(&sealed.ciphertext);
        Ok(file)
    }

    /// Opens a file of this ring.
    ///
    /// # Errors
    /// [`Error::SealedForm`]; [`Error::SealedApart`] when it was sealed under another passphrase
    /// or salt; [`Error::PassphraseWrong`].
    pub fn open(&self, file: &[u8]) -> Result<MasterKey, Error> {
        let (header, ..) = read_header(file).ok_or(Error::SealedForm)?;
        if header != self.header {
            return Err(Error::SealedApart);
        }
        let (nonce, ciphertext) = file
            .get(HEADER_BYTES..)
            .and_then(|rest| rest.split_first_chunk::<NONCE_BYTES>())
            .ok_or(Error::SealedForm)?;
        let mut key =
            self.cipher.open(nonce, &self.header, ciphertext).map_err(|_| Error::PassphraseWrong)?;
        MasterKey::from_bytes(key.buffer())
    }
}

fn header(cost: Cost, salt: &[u8; SALT_BYTES]) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    let fields =
        [&cost.memory.to_be_bytes()[..], &cost.passes.to_be_bytes(), &cost.lanes.to_be_bytes(), salt];
    let bytes = MAGIC.iter().chain(fields.into_iter().flatten());
    for (place, byte) in header.iter_mut().zip(bytes) {
        *place = *byte;
    }
    header
}

fn read_header(file: &[u8]) -> Option<([u8; HEADER_BYTES], Cost, [u8; SALT_BYTES])> {
    if file.len() != SEALED_KEY_BYTES {
        return None;
    }
    let rest = file.strip_prefix(MAGIC)?;
    let (memory, rest) = rest.split_first_chunk::<4>()?;
    let (passes, rest) = rest.split_first_chunk::<4>()?;
    let (lanes, rest) = rest.split_first_chunk::<4>()?;
    let (salt, _) = rest.split_first_chunk::<SALT_BYTES>()?;
    let cost = Cost {
        memory: u32::from_be_bytes(*memory),
        passes: u32::from_be_bytes(*passes),
        lanes: u32::from_be_bytes(*lanes),
    };
    let bounded = cost.memory <= MOST.memory && cost.passes <= MOST.passes && cost.lanes <= MOST.lanes;
    bounded.then(|| (header(cost, salt), cost, *salt))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Cost = Cost { memory: 64, passes: 1, lanes: 1 };

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::new(text.as_bytes()).ok().unwrap()
    }

    fn cheap(text: &str, salt: u8) -> Unlocked {
        let salt = [salt; SALT_BYTES];
        Unlocked::derive(header(CHEAP, &salt), CHEAP, &salt, &passphrase(text)).ok().unwrap()
    }

    #[test]
    fn a_sealed_key_opens_under_its_passphrase_alone() {
        let key = MasterKey::mint().ok().unwrap();
        let file = cheap("correct horse", 1).seal(&key).unwrap();
        assert_eq!(file.len(), SEALED_KEY_BYTES);
        assert!(is_sealed(&file) && !is_sealed(key.bytes()));
        assert!(!file.windows(32).any(|bytes| bytes == key.bytes()));
        let unlocked = Unlocked::of(&file, &passphrase("correct horse")).ok().unwrap();
        assert!(unlocked.open(&file).ok().unwrap().id() == key.id());
        let wrong = Unlocked::of(&file, &passphrase("correct house")).err().unwrap();
        assert!(matches!(wrong, Error::PassphraseWrong));
    }

    #[test]
    fn the_next_key_of_a_ring_needs_no_second_question() {
        let (first, second) = (MasterKey::mint().ok().unwrap(), MasterKey::mint().ok().unwrap());
        let unlocked = cheap("correct horse", 1);
        let files = [unlocked.seal(&first).unwrap(), unlocked.seal(&second).unwrap()];
        let again = Unlocked::of(&files[0], &passphrase("correct horse")).ok().unwrap();
        assert!(again.open(&files[1]).ok().unwrap().id() == second.id());
        let apart = cheap("another one", 2).seal(&second).unwrap();
        assert!(matches!(again.open(&apart).err().unwrap(), Error::SealedApart));
    }

    #[test]
    fn any_changed_byte_is_refused() {
        let unlocked = cheap("correct horse", 1);
        let file = unlocked.seal(&MasterKey::mint().ok().unwrap()).unwrap();
        for at in 0..file.len() {
            let mut changed = file.clone();
            changed[at] ^= 1;
            assert!(unlocked.open(&changed).is_err(), "byte {at}");
        }
        for len in 0..file.len() {
            assert!(matches!(unlocked.open(&file[..len]).err().unwrap(), Error::SealedForm), "cut to {len}");
        }
    }

    #[test]
    fn what_a_file_may_cost_is_bounded() {
        let with = |cost: Cost| {
            let mut file = header(cost, &[1; SALT_BYTES]).to_vec();
            file.resize(SEALED_KEY_BYTES, 0);
            read_header(&file).is_some()
        };
        assert!(with(MOST));
        assert!(!with(Cost { memory: MOST.memory + 1, ..MOST }));
        assert!(!with(Cost { passes: MOST.passes + 1, ..MOST }));
        assert!(!with(Cost { lanes: MOST.lanes + 1, ..MOST }));
    }

    #[test]
    fn passphrases_are_text_of_a_bounded_length() {
        assert!(Passphrase::new(b"eight ch\n").ok().unwrap().chosen().is_ok());
        assert!(matches!(passphrase("seven c").chosen().err().unwrap(), Error::PassphraseShort));
        assert!(Passphrase::new(&[b'x'; MAX_PASSPHRASE]).is_ok());
        for bad in [&b""[..], b"\n", b"\xff\xfe", &[b'x'; MAX_PASSPHRASE + 1]] {
            assert!(matches!(Passphrase::new(bad).err().unwrap(), Error::Passphrase));
        }
        assert!(passphrase("one").is(&passphrase("one")) && !passphrase("one").is(&passphrase("two")));
    }
}
