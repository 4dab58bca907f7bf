//! Signatures with key pairs, made and checked by `ring` from keys in PEM.

use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
    VerificationAlgorithm,
};

use crate::pem::{Pem, element};

/// What a signature is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Ed25519,
    EcdsaP256,
    RsaPkcs1,
}

/// A key that verifies: its bytes as `ring` wants them.
pub(crate) struct PublicKey {
    scheme: Scheme,
    bytes: Vec<u8>,
}

/// A key that signs. The key of the rule's secret, parsed for one signature.
enum PrivateKey {
    Ed25519(Ed25519KeyPair),
    EcdsaP256(EcdsaKeyPair),
    RsaPkcs1(Box<RsaKeyPair>),
}

// The algorithms as SubjectPublicKeyInfo names them: RFC 8410 §3, RFC 5480 §2.1.1, RFC 3279 §2.3.1.
const ED25519_NAME: &[u8] = &[0x06, 3, 0x2b, 0x65, 0x70];
const P256_NAME: &[u8] =
    &[0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const RSA_NAME: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;

/// The smallest RSA modulus that is accepted, in bytes.
const RSA_LEAST: usize = 256;

impl Scheme {
    const fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "Ed25519",
            Self::EcdsaP256 => "ECDSA P-256",
            Self::RsaPkcs1 => "RSA",
        }
    }

    /// Signs `message` with the private key in `pem`.
    pub(crate) fn sign(self, pem: &[u8], message: &[u8]) -> Result<Vec<u8>, String> {
        let failed = |_| format!("the {} key does not sign", self.name());
        match PrivateKey::parse(self, &Pem::parse(pem)?)? {
            PrivateKey::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            PrivateKey::EcdsaP256(pair) => {
                pair.sign(&SystemRandom::new(), message).map(|made| made.as_ref().to_vec()).map_err(failed)
            }
            PrivateKey::RsaPkcs1(pair) => {
                let mut made = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut made).map_err(failed)?;
                Ok(made)
            }
        }
    }

    /// The public key to the key in `pem`, which is a private or a public one.
    pub(crate) fn public_of(self, pem: &[u8]) -> Result<PublicKey, String> {
        let pem = Pem::parse(pem)?;
        if pem.label.ends_with("PUBLIC KEY") {
            return PublicKey::of(&pem);
        }
        let bytes = match PrivateKey::parse(self, &pem)? {
            PrivateKey::Ed25519(pair) => pair.public_key().as_ref().to_vec(),
            PrivateKey::EcdsaP256(pair) => pair.public_key().as_ref().to_vec(),
            PrivateKey::RsaPkcs1(pair) => pair.public_key().as_ref().to_vec(),
        };
        Ok(PublicKey { scheme: self, bytes })
    }
}

impl PrivateKey {
    fn parse(scheme: Scheme, pem: &Pem<'_>) -> Result<Self, String> {
        let der = pem.der.expose();
        let refused = |why: ring::error::KeyRejected| format!("not an {} key: {why}", scheme.name());
        match (pem.label, scheme) {
            ("PRIVATE KEY", Scheme::Ed25519) => {
                Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map(Self::Ed25519).map_err(refused)
            }
            ("PRIVATE KEY", Scheme::EcdsaP256) => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &SystemRandom::new())
                    .map(Self::EcdsaP256)
                    .map_err(refused)
            }
            ("PRIVATE KEY", Scheme::RsaPkcs1) => {
                RsaKeyPair::from_pkcs8(der).map(Box::new).map(Self::RsaPkcs1).map_err(refused)
            }
            ("RSA PRIVATE KEY", Scheme::RsaPkcs1) => {
                RsaKeyPair::from_der(der).map(Box::new).map(Self::RsaPkcs1).map_err(refused)
            }
            (label, _) => Err(refusal(label).to_owned()),
        }
    }
}

/// What to do with a PEM that is no PKCS #8.
fn refusal(label: &str) -> &'static str {
    match label {
        "EC PRIVATE KEY" | "EC PARAMETERS" | "DSA PRIVATE KEY" | "RSA PRIVATE KEY" => {
            "this PEM is not PKCS #8; convert it: openssl pkcs8 -topk8 -nocrypt -in OLD.pem"
        }
        "ENCRYPTED PRIVATE KEY" => "this PEM is encrypted; store the key decrypted: openssl pkey -in OLD.pem",
        "OPENSSH PRIVATE KEY" => {
            "this is OpenSSH's own format; convert it: ssh-keygen -p -m PKCS8 -f COPY_OF_KEY, then openssl pkcs8 -topk8 -nocrypt"
        }
        "PUBLIC KEY" | "RSA PUBLIC KEY" => "this is a public key; a private one signs",
        "CERTIFICATE" => "this is a certificate; take its key: openssl x509 -pubkey -noout -in CERT.pem",
        _ => "this PEM holds no key; PRIVATE KEY (PKCS #8) is expected",
    }
}

impl PublicKey {
    /// Reads a public key that is no secret.
    pub(crate) fn parse(pem: &[u8]) -> Result<Self, String> {
        Self::of(&Pem::parse(pem)?)
    }

    fn of(pem: &Pem<'_>) -> Result<Self, String> {
        let der = pem.der.expose();
        match pem.label {
            "PUBLIC KEY" => Self::spki(der),
            "RSA PUBLIC KEY" => Self::checked(Scheme::RsaPkcs1, der),
            "CERTIFICATE" => Err(refusal(pem.label).to_owned()),
            _ => Err("this PEM is no public key; PUBLIC KEY (SubjectPublicKeyInfo) is expected".to_owned()),
        }
    }

    /// SubjectPublicKeyInfo (RFC 5280 §4.1): the algorithm's name, then the key as bits.
    fn spki(der: &[u8]) -> Result<Self, String> {
        let parts = || {
            let (info, after) = element(SEQUENCE, der)?;
            let (name, rest) = element(SEQUENCE, info)?;
            let (bits, rest) = element(BIT_STRING, rest)?;
            let (0, bytes) = bits.split_first().map(|(unused, bytes)| (*unused, bytes))? else {
                return None;
            };
            (rest.is_empty() && after.is_empty()).then_some((name, bytes))
        };
        let (name, bytes) = parts().ok_or("not a SubjectPublicKeyInfo")?;
        let scheme = match name {
            ED25519_NAME => Scheme::Ed25519,
            P256_NAME => Scheme::EcdsaP256,
            RSA_NAME => Scheme::RsaPkcs1,
            _ => return Err("a public key of another algorithm; Ed25519, P-256 and RSA are known".to_owned()),
        };
        Self::checked(scheme, bytes)
    }

    fn checked(scheme: Scheme, bytes: &[u8]) -> Result<Self, String> {
        let fits = match scheme {
            Scheme::Ed25519 => bytes.len() == 32,
            Scheme::EcdsaP256 => bytes.len() == 65 && bytes.first() == Some(&4),
            Scheme::RsaPkcs1 => modulus(bytes).is_some_and(|modulus| modulus.len() >= RSA_LEAST),
        };
        match (fits, scheme) {
            (true, _) => Ok(Self { scheme, bytes: bytes.to_vec() }),
            (false, Scheme::EcdsaP256) => Err("the P-256 point is not written uncompressed".to_owned()),
            (false, Scheme::RsaPkcs1) => Err("not an RSA key of 2048 bits or more".to_owned()),
            (false, Scheme::Ed25519) => Err("an Ed25519 key has 32 bytes".to_owned()),
        }
    }

    /// Whether `signature` is one of `message` under `scheme`.
    pub(crate) fn verify(&self, scheme: Scheme, message: &[u8], signature: &[u8]) -> Result<bool, String> {
        if scheme != self.scheme {
            let (is, wanted) = (self.scheme.name(), scheme.name());
            return Err(format!("this is an {is} key, the algorithm wants {wanted}"));
        }
        let how: &'static dyn VerificationAlgorithm = match scheme {
            Scheme::Ed25519 => &ED25519,
            Scheme::EcdsaP256 => &ECDSA_P256_SHA256_FIXED,
            Scheme::RsaPkcs1 => &RSA_PKCS1_2048_8192_SHA256,
        };
        Ok(UnparsedPublicKey::new(how, &self.bytes).verify(message, signature).is_ok())
    }
}

/// The modulus of an RSAPublicKey (RFC 8017 §A.1.1), without the zero that keeps it positive.
fn modulus(der: &[u8]) -> Option<&[u8]> {
    let (key, _) = element(SEQUENCE, der)?;
    let (modulus, _) = element(INTEGER, key)?;
    Some(modulus.strip_prefix(&[0]).unwrap_or(modulus))
}
