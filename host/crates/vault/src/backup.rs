//! The key ring in one encrypted file: by passphrase or for recipients, in the age format.
//!
//! The payload is text, so that a person with `age` can read it without txco:
//!
//! ```text
//! txco key ring 1
//! active 461acc3cf76993ef AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=
//! opens 60303ae22b998861 …
//! retired …
//! ```

use std::io::{Read, Write};

use age::secrecy::SecretString;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use store::KeyId;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::master_key::MasterKey;
use crate::ring::KeyRing;
use crate::seal::KEY_BYTES;
use crate::sealed_key::Passphrase;

const TITLE: &str = "txco key ring 1";
/// How many bytes a payload may have: some hundred keys.
const MOST_BYTES: usize = 64 * 1024;
/// The costliest passphrase that is tried, as a power of two: about a minute.
const MOST_WORK: u8 = 22;

/// Who can open a backup.
pub enum ForWhom<'a> {
    /// Whoever knows the passphrase.
    Passphrase(&'a Passphrase),
    /// Whoever has the identity of one of these.
    Recipients(&'a [Recipient]),
}

/// By what a backup is opened.
pub enum ByWhat<'a> {
    /// The passphrase.
    Passphrase(&'a Passphrase),
    /// Identities: the text of an age identity file.
    Identities(&'a str),
}

/// The public key of somebody who may open a backup.
pub struct Recipient(age::x25519::Recipient);

impl Recipient {
    /// Reads `age1…`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text.trim().parse().ok().map(Self)
    }
}

/// What a backup holds.
pub struct Restored {
    /// The ring as it was.
    pub ring: KeyRing,
    /// Keys that were out of use.
    pub retired: Vec<MasterKey>,
}

/// Writes the ring and the keys out of use into `out`, encrypted.
///
/// # Errors
/// [`Error::BackupWrite`], [`Error::NoRecipients`].
pub fn back_up(
    ring: &KeyRing,
    retired: &[MasterKey],
    whom: &ForWhom<'_>,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let encryptor = match whom {
        ForWhom::Passphrase(passphrase) => {
            age::Encryptor::with_user_passphrase(SecretString::from(passphrase.text().to_owned()))
        }
        ForWhom::Recipients(recipients) => {
            let recipients = recipients.iter().map(|one| &one.0 as &dyn age::Recipient);
            age::Encryptor::with_recipients(recipients).map_err(|_| Error::NoRecipients)?
        }
    };
    let payload = payload(ring, retired)?;
    let written = encryptor.wrap_output(out).and_then(|mut writer| {
        writer.write_all(payload.as_bytes())?;
        writer.finish().map(drop)
    });
    written.map_err(|error| Error::BackupWrite(error.kind()))
}

fn payload(ring: &KeyRing, retired: &[MasterKey]) -> Result<Zeroizing<String>, Error> {
    const LINE: usize = "retired 0123456789abcdef \n".len() + 44;
    let states = std::iter::once("active").chain(std::iter::repeat("opens"));
    let keys = ring.keys().zip(states).chain(retired.iter().zip(std::iter::repeat("retired")));
    let count = ring.keys().count() + retired.len();
    // Its final size from the start: text that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(TITLE.len() + 1 + LINE * count));
    text.push_str(TITLE);
    text.push('\n');
    for (key, state) in keys {
        let mut encoded = Zeroizing::new([0_u8; 44]);
        STANDARD.encode_slice(key.bytes(), encoded.as_mut_slice()).map_err(|_| Error::Cipher)?;
        let encoded = str::from_utf8(encoded.as_slice()).map_err(|_| Error::Cipher)?;
        for part in [state, " ", &key.id().to_string(), " ", encoded, "\n"] {
            text.push_str(part);
        }
    }
    Ok(text)
}

/// Whether a backup wants a passphrase; `false`: identities.
///
/// # Errors
/// [`Error::BackupForm`].
pub fn wants_passphrase(file: &[u8]) -> Result<bool, Error> {
    age::Decryptor::new(file).map(|decryptor| decryptor.is_scrypt()).map_err(|_| Error::BackupForm)
}

/// Reads what [`back_up`] wrote.
///
/// # Errors
/// [`Error::BackupForm`] when it is no such file or damaged, [`Error::BackupShut`] when the
/// passphrase or the identities do not open it.
pub fn read_backup(file: &[u8], by: &ByWhat<'_>) -> Result<Restored, Error> {
    let decryptor = age::Decryptor::new(file).map_err(|_| Error::BackupForm)?;
    let opened = match by {
        ByWhat::Passphrase(passphrase) => {
            let mut identity = age::scrypt::Identity::new(SecretString::from(passphrase.text().to_owned()));
            identity.set_max_work_factor(MOST_WORK);
            decryptor.decrypt(std::iter::once(&identity as &dyn age::Identity))
        }
        ByWhat::Identities(text) => {
            let identities = identities(text);
            decryptor.decrypt(identities.iter().map(|one| one as &dyn age::Identity))
        }
    };
    let opened = opened.map_err(|_| Error::BackupShut)?;
    let mut text = Zeroizing::new(Vec::with_capacity(MOST_BYTES));
    opened.take(MOST_BYTES as u64).read_to_end(&mut text).map_err(|_| Error::BackupForm)?;
    parse(str::from_utf8(&text).map_err(|_| Error::BackupForm)?).ok_or(Error::BackupForm)
}

fn identities(text: &str) -> Vec<age::x25519::Identity> {
    text.lines().filter_map(|line| line.trim().parse().ok()).collect()
}

fn parse(text: &str) -> Option<Restored> {
    let mut lines = text.strip_prefix(TITLE)?.strip_prefix('\n')?.lines();
    let (state, active) = key_of(lines.next()?)?;
    let mut restored =
        Restored { ring: KeyRing::new((state == "active").then_some(active)?), retired: Vec::new() };
    for line in lines {
        match key_of(line)? {
            ("opens", key) => restored.ring = restored.ring.and(key),
            ("retired", key) => restored.retired.push(key),
            _ => return None,
        }
    }
    Some(restored)
}

/// A line, and only if its key is the one that it names.
fn key_of(line: &str) -> Option<(&str, MasterKey)> {
    let (state, rest) = line.split_once(' ')?;
    let (id, encoded) = rest.split_once(' ')?;
    let mut bytes = Zeroizing::new([0_u8; KEY_BYTES + 2]);
    let len = STANDARD.decode_slice(encoded, bytes.as_mut_slice()).ok()?;
    let key = MasterKey::from_bytes(bytes.get_mut(..len)?).ok()?;
    (key.id() == KeyId::parse(id)?).then_some((state, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring() -> (KeyRing, Vec<MasterKey>) {
        let mint = || MasterKey::mint().ok().unwrap();
        (KeyRing::new(mint()).and(mint()), vec![mint()])
    }

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::new(text.as_bytes()).ok().unwrap()
    }

    fn ids(restored: &Restored) -> Vec<KeyId> {
        restored.ring.ids().into_iter().chain(restored.retired.iter().map(MasterKey::id)).collect()
    }

    #[test]
    fn a_backup_for_a_recipient_opens_with_the_identity_and_no_other() {
        let (ring, retired) = ring();
        let mine = age::x25519::Identity::generate();
        let recipient = Recipient::parse(&mine.to_public().to_string()).unwrap();
        let mut file = Vec::new();
        back_up(&ring, &retired, &ForWhom::Recipients(&[recipient]), &mut file).ok().unwrap();
        assert!(!wants_passphrase(&file).unwrap());
        let text = |identity: &age::x25519::Identity| {
            use age::secrecy::ExposeSecret as _;
            format!("# mine\n{}\n", identity.to_string().expose_secret())
        };
        let restored = read_backup(&file, &ByWhat::Identities(&text(&mine))).ok().unwrap();
        assert_eq!(ids(&restored), [ring.ids(), vec![retired[0].id()]].concat());
        for identities in [text(&age::x25519::Identity::generate()), String::new()] {
            let refused = read_backup(&file, &ByWhat::Identities(&identities)).err().unwrap();
            assert!(matches!(refused, Error::BackupShut));
        }
        for key in ring.keys() {
            assert!(!file.windows(32).any(|bytes| bytes == key.bytes()));
        }
    }

    /// Made by the age tool, from text that a person typed.
    #[test]
    fn a_backup_of_another_tool_is_read() {
        let file = include_bytes!("../../../../tests/vectors/keys/ring.age");
        let identity = include_str!("../../../../tests/vectors/keys/ring-identity.txt");
        let restored = read_backup(file, &ByWhat::Identities(identity)).ok().unwrap();
        assert_eq!(ids(&restored), [KeyId::parse("461acc3cf76993ef").unwrap()]);
    }

    #[test]
    fn a_backup_under_a_passphrase_opens_with_it_and_no_other() {
        let (ring, retired) = ring();
        let mut file = Vec::new();
        back_up(&ring, &retired, &ForWhom::Passphrase(&passphrase("correct horse")), &mut file).ok().unwrap();
        assert!(wants_passphrase(&file).unwrap());
        let restored = read_backup(&file, &ByWhat::Passphrase(&passphrase("correct horse"))).ok().unwrap();
        assert_eq!(ids(&restored), [ring.ids(), vec![retired[0].id()]].concat());
        let refused = read_backup(&file, &ByWhat::Passphrase(&passphrase("correct house"))).err().unwrap();
        assert!(matches!(refused, Error::BackupShut));
    }

    #[test]
    fn what_is_no_backup_is_told() {
        for junk in [&b""[..], b"txco key ring 1\n", &[0; 200]] {
            assert!(matches!(wants_passphrase(junk).err().unwrap(), Error::BackupForm));
        }
        let (ring, _) = ring();
        let good = payload(&ring, &[]).ok().unwrap();
        assert!(parse(&good).is_some());
        for bad in [
            good.replace("active", "opens"),
            good.replace("opens", "opened"),
            good.replace("ring 1", "ring 2"),
            good.replacen(&ring.active().id().to_string(), "0123456789abcdef", 1),
            good.lines().next().unwrap().to_owned(),
        ] {
            assert!(parse(&bad).is_none());
        }
    }

    #[test]
    fn no_recipient_is_an_error() {
        let refused = back_up(&ring().0, &[], &ForWhom::Recipients(&[]), &mut Vec::new()).err().unwrap();
        assert!(matches!(refused, Error::NoRecipients));
        assert!(Recipient::parse("age1nothing").is_none());
    }
}
