//! The keys of a person: read from OpenSSH files, minted, and used to sign.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use sha2::{Digest as _, Sha256};
use ssh_key::private::{Ed25519Keypair, Ed25519PrivateKey, KeypairData};
use ssh_key::public::{Ed25519PublicKey, KeyData};
use ssh_key::{LineEnding, PrivateKey, PublicKey};
use zeroize::Zeroizing;

use super::agent::Agent;
use super::home::write_whole;
use super::output::Complaint;

/// Somebody's key, wherever it is.
pub(super) enum Signer {
    /// In a file that was read.
    File { path: PathBuf, key: Ed25519KeyPair, public: [u8; 32] },
    /// In an agent, which does not give it away.
    Agent { agent: Agent, public: [u8; 32] },
}

/// Prints nothing of the key.
impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", fingerprint(self.public()))
    }
}

impl Signer {
    /// The key in a file: OpenSSH's format, or the PKCS #8 PEM of earlier days.
    pub(super) fn read(path: &Path) -> Result<Self, Complaint> {
        let wrong = |why: &str| Complaint::failed(format!("{}: {why}", path.display()));
        let text =
            fs::read(path).map(Zeroizing::new).map_err(|error| wrong(&format!("cannot be read: {error}")))?;
        if text.windows(11).any(|part| part == b"PRIVATE KEY")
            && !text.windows(7).any(|part| part == b"OPENSSH")
        {
            let der = pkcs8(&text).ok_or_else(|| wrong("is not a private key in PEM"))?;
            let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der);
            return Self::of(path, key.map_err(|_| wrong("is not an ed25519 key"))?);
        }
        let key = PrivateKey::from_openssh(text.as_slice())
            .map_err(|_| wrong("is not a private key in OpenSSH's format"))?;
        if key.is_encrypted() {
            return Err(wrong(
                "is protected by a passphrase; load it into your ssh-agent and enrol with --ssh-agent",
            ));
        }
        let KeypairData::Ed25519(pair) = key.key_data() else { return Err(wrong("is not an ed25519 key")) };
        let seed = Zeroizing::new(pair.private.to_bytes());
        let key = Ed25519KeyPair::from_seed_and_public_key(seed.as_ref(), &pair.public.0);
        Self::of(path, key.map_err(|_| wrong("is damaged: its halves do not belong together"))?)
    }

    fn of(path: &Path, key: Ed25519KeyPair) -> Result<Self, Complaint> {
        let public = key.public_key().as_ref().try_into();
        let public = public.map_err(|_| Complaint::failed("a public key of another length"))?;
        Ok(Self::File { path: path.to_owned(), key, public })
    }

    /// Whether a key can be minted there; who is to be asked for a secret first is told before that.
    pub(super) fn vacant(path: &Path) -> Result<(), Complaint> {
        if !path.exists() {
            return Ok(());
        }
        let hint = "use it (txco auth enrol, or bootstrap-local without --new-key), or say another name";
        Err(Complaint::failed(format!("{} already exists: {hint}", path.display())))
    }

    /// Mints a key into a file that is not there yet, with its public half beside it.
    pub(super) fn mint(path: &Path, comment: &str) -> Result<Self, Complaint> {
        Self::vacant(path)?;
        let mut seed = Zeroizing::new([0_u8; 32]);
        getrandom::fill(seed.as_mut()).map_err(|_| Complaint::failed("the system gives no randomness"))?;
        let bug = |_| Complaint::failed("cannot write a key");
        let key =
            Ed25519KeyPair::from_seed_unchecked(seed.as_ref()).map_err(|_| Complaint::failed("no key"))?;
        let made = Self::of(path, key)?;
        let pair = Ed25519Keypair {
            public: Ed25519PublicKey(*made.public()),
            private: Ed25519PrivateKey::from_bytes(&seed),
        };
        let private = PrivateKey::new(KeypairData::Ed25519(pair), comment).map_err(bug)?;
        let public = openssh(made.public(), comment)?;
        write_whole(path, private.to_openssh(LineEnding::LF).map_err(bug)?.as_bytes())?;
        write_whole(&public_path(path), format!("{public}\n").as_bytes())?;
        Ok(made)
    }

    /// The public half.
    pub(super) fn public(&self) -> &[u8; 32] {
        match self {
            Self::File { public, .. } | Self::Agent { public, .. } => public,
        }
    }

    /// A signature.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Complaint> {
        match self {
            Self::File { key, .. } => Ok(key.sign(message).as_ref().to_vec()),
            Self::Agent { agent, public } => {
                let failed =
                    |error| Complaint::failed(format!("ssh-agent ({}): {error}", agent.path().display()));
                agent.sign(public, message).map_err(failed)
            }
        }
    }

    /// The public half in base64, as profiles and requests have it.
    pub(super) fn public_b64(&self) -> String {
        STANDARD.encode(self.public())
    }

    /// Its file; nothing when an agent holds it.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::File { path, .. } => Some(path),
            Self::Agent { .. } => None,
        }
    }
}

/// The public key in OpenSSH's file beside a private one, or in that file itself.
pub(super) fn read_public(path: &Path) -> Option<[u8; 32]> {
    let beside = public_path(path);
    let file = if path.extension().is_some_and(|end| end == "pub") { path } else { &beside };
    let text = fs::read_to_string(file).ok()?;
    PublicKey::from_openssh(text.trim()).ok()?.key_data().ed25519().map(|key| key.0)
}

/// `…/id_ed25519.pub` for `…/id_ed25519`.
pub(super) fn public_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".pub");
    PathBuf::from(name)
}

fn openssh(public: &[u8; 32], comment: &str) -> Result<String, Complaint> {
    let key = PublicKey::new(KeyData::Ed25519(Ed25519PublicKey(*public)), comment);
    key.to_openssh().map_err(|_| Complaint::failed("cannot write a public key"))
}

/// `SHA256:…`, as ssh-keygen prints it.
pub(super) fn fingerprint(public: &[u8; 32]) -> String {
    let mut blob = Vec::new();
    for field in [b"ssh-ed25519".as_slice(), public] {
        blob.extend(u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes());
        blob.extend(field);
    }
    format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(blob)))
}

/// What stands in base64 between the lines of a PEM file.
fn pkcs8(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let text = std::str::from_utf8(text).ok()?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("-----"));
    let body = Zeroizing::new(lines.collect::<String>());
    STANDARD.decode(body.as_bytes()).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_minted_key_is_read_again_and_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/id_ed25519-txco");
        let minted = Signer::mint(&path, "me@here").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(fs::read_to_string(&path).unwrap().starts_with("-----BEGIN OPENSSH PRIVATE KEY-----\n"));
        assert!(fs::read_to_string(public_path(&path)).unwrap().starts_with("ssh-ed25519 AAAA"));
        let read = Signer::read(&path).unwrap();
        assert_eq!(read.public(), minted.public());
        assert_eq!(read.sign(b"x").unwrap(), minted.sign(b"x").unwrap());
        assert_eq!(read_public(&path), Some(*minted.public()));
        assert!(Signer::mint(&path, "").unwrap_err().message.contains("already exists"));
        assert!(!format!("{read:?}").contains("seed"));
    }

    #[test]
    fn what_is_no_key_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k");
        assert!(Signer::read(&path).unwrap_err().message.contains("cannot be read"));
        for (text, why) in [
            ("hello", "is not a private key in OpenSSH's format"),
            ("-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----", "is not a private key in PEM"),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "is not an ed25519 key"),
        ] {
            fs::write(&path, text).unwrap();
            assert!(Signer::read(&path).unwrap_err().message.ends_with(why), "{text}");
        }
    }

    /// RFC 9421, B.1.4: the test key as PKCS #8 in PEM.
    #[test]
    fn a_pem_of_earlier_days_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k.pem");
        let pem = "-----BEGIN PRIVATE KEY-----\n\
                   MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF\n\
                   -----END PRIVATE KEY-----\n";
        fs::write(&path, pem).unwrap();
        assert_eq!(Signer::read(&path).unwrap().public_b64(), "JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=");
    }
}
