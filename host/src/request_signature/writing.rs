//! The headers that sign a request.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sfv::{InnerList, Item, Key, Parameters, StringRef};

use super::COVERED;
use super::base::{Message, serialized, sha256};

const NONCE_BYTES: usize = 16;

/// The value of `Content-Digest` for a body.
pub(super) fn content_digest(body: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(sha256(body)))
}

/// The headers that sign `message`, whose `content-digest` they set: name and value each.
/// Nothing when the system has no randomness, or `sign` makes no signature.
pub(crate) fn signed_headers<E>(
    message: &Message<'_>,
    body: &[u8],
    (key_id, created): (&str, i64),
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
) -> Result<Option<[(&'static str, String); 3]>, E> {
    let mut nonce = [0_u8; NONCE_BYTES];
    if getrandom::fill(&mut nonce).is_err() {
        return Ok(None);
    }
    let nonce = URL_SAFE_NO_PAD.encode(nonce);
    let digest = content_digest(body);
    let header = |name: &str| match name {
        "content-digest" => Some(digest.clone()),
        other => (message.header)(other),
    };
    let message = Message { header: &header, ..*message };
    let Some((input, base)) = input(&message, key_id, created, &nonce) else { return Ok(None) };
    let signature = STANDARD.encode(sign(base.as_bytes())?);
    Ok(Some([
        ("content-digest", digest.clone()),
        ("signature-input", format!("sig1={input}")),
        ("signature", format!("sig1=:{signature}:")),
    ]))
}

/// The covered components with their parameters, and the base; nothing for a name that
/// cannot stand in a header.
pub(super) fn input(
    message: &Message<'_>,
    key_id: &str,
    created: i64,
    nonce: &str,
) -> Option<(String, String)> {
    let text = |text: &str| StringRef::from_str(text).ok().map(ToOwned::to_owned);
    let items = COVERED.iter().map(|name| text(name).map(Item::new)).collect::<Option<Vec<_>>>()?;
    let key = |name: &str| Key::from_string(name.to_owned()).ok();
    let mut params = Parameters::new();
    params.insert(key("created")?, sfv::Integer::try_from(created).ok()?.into());
    params.insert(key("keyid")?, text(key_id)?.into());
    params.insert(key("alg")?, text("ed25519")?.into());
    params.insert(key("nonce")?, text(nonce)?.into());
    let covered = InnerList::with_params(items, params);
    Some((serialized(&covered)?, message.base(&covered)?))
}
