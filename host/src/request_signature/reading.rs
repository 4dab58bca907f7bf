//! What a request says of its signature, before anybody believes it.

use ring::signature::{ED25519, UnparsedPublicKey};
use sfv::{Dictionary, InnerList, ListEntry, Parser};

use super::COVERED;
use super::base::{Message, sha256};

/// The longest nonce; it is remembered.
const MAX_NONCE: usize = 128;

/// Why a request carries no signature that could be checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    /// One of the headers is missing, or not of its form.
    #[error("{0} is missing or not of the form of RFC 9421")]
    Header(&'static str),
    /// Several signatures, and none is called `sig1`.
    #[error("of several signatures one must be called sig1")]
    Several,
    /// It covers too little.
    #[error("the signature must cover {}", COVERED.join(" "))]
    Covers,
    /// A component that is not there or not known here, twice there, or has parameters.
    #[error("the signature covers something that this request does not have")]
    Component,
    /// A parameter is missing or wrong.
    #[error("the signature needs the parameter {0}")]
    Parameter(&'static str),
}

/// A signature as it is claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    /// Whose key is said to have made it.
    pub key_id: String,
    /// When, in Unix seconds.
    pub created: i64,
    /// Until when it is meant, when it says so.
    pub expires: Option<i64>,
    /// What makes it unlike every other.
    pub nonce: String,
    /// What the body's digest is said to be: the header as it stands.
    digest: String,
    base: String,
    signature: Vec<u8>,
}

impl Claim {
    /// Reads the claim of a request.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub(crate) fn read(message: &Message<'_>) -> Result<Self, Unreadable> {
        let dictionary = |name: &str, missing| {
            let text = (message.header)(name).ok_or(missing)?;
            Parser::new(&text).parse::<Dictionary>().map_err(|_| missing)
        };
        let inputs = dictionary("signature-input", Unreadable::Header("Signature-Input"))?;
        let signatures = dictionary("signature", Unreadable::Header("Signature"))?;
        let (label, input) = match inputs.iter().next() {
            Some((label, input)) if inputs.len() == 1 => (label.as_str(), input),
            _ => ("sig1", inputs.get("sig1").ok_or(Unreadable::Several)?),
        };
        let ListEntry::InnerList(covered) = input else { return Err(Unreadable::Header("Signature-Input")) };
        let signature = match signatures.get(label) {
            Some(ListEntry::Item(item)) => item.bare_item.as_byte_sequence().map(<[u8]>::to_vec),
            Some(ListEntry::InnerList(_)) | None => None,
        };
        check_covered(covered)?;
        let text = |name: &'static str| {
            let value = covered.params.get(name).and_then(|value| value.as_string());
            value.map(|text| text.as_str().to_owned()).filter(|text| !text.is_empty())
        };
        let number = |name: &str| covered.params.get(name).map(|value| value.as_integer().map(i64::from));
        if covered.params.contains_key("alg") && text("alg").as_deref() != Some("ed25519") {
            return Err(Unreadable::Parameter("alg=\"ed25519\""));
        }
        let nonce = text("nonce").filter(|nonce| nonce.len() <= MAX_NONCE);
        Ok(Self {
            key_id: text("keyid").ok_or(Unreadable::Parameter("keyid"))?,
            created: number("created").flatten().ok_or(Unreadable::Parameter("created"))?,
            expires: match number("expires") {
                Some(None) => return Err(Unreadable::Parameter("expires")),
                expires => expires.flatten(),
            },
            nonce: nonce.ok_or(Unreadable::Parameter("nonce"))?,
            digest: (message.header)("content-digest").ok_or(Unreadable::Header("Content-Digest"))?,
            base: message.base(covered).ok_or(Unreadable::Component)?,
            signature: signature.ok_or(Unreadable::Header("Signature"))?,
        })
    }

    /// Whether the owner of `public_key` signed this.
    pub(crate) fn is_of(&self, public_key: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, public_key).verify(self.base.as_bytes(), &self.signature).is_ok()
    }

    /// Whether `body` is the one that was signed.
    pub(crate) fn is_over(&self, body: &[u8]) -> bool {
        let Ok(digests) = Parser::new(&self.digest).parse::<Dictionary>() else { return false };
        let Some(ListEntry::Item(item)) = digests.get("sha-256") else { return false };
        item.bare_item.as_byte_sequence() == Some(sha256(body).as_slice())
    }
}

fn check_covered(covered: &InnerList) -> Result<(), Unreadable> {
    let mut names = Vec::new();
    for item in &covered.items {
        let name = item.bare_item.as_string().ok_or(Unreadable::Component)?.as_str();
        // A parameter changes what a component means (`;req`, `;bs` …): none is understood.
        if !item.params.is_empty() || names.contains(&name) || name.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(Unreadable::Component);
        }
        names.push(name);
    }
    if COVERED.iter().all(|name| names.contains(name)) { Ok(()) } else { Err(Unreadable::Covers) }
}
