//! Parameters of a rule's `WITH`, with types.

use alloc::string::String;

use crate::{Call, Encoding, Failure, Value};

/// The longest value a failure quotes: a mistyped word is helpful, a text is nobody's business.
const QUOTED: usize = 16;

/// The parameters of an op, read from the rule's `WITH`; derive it.
///
/// ```
/// # use txco_op::prelude::*;
/// #[derive(Params)]
/// struct Params {
///     /// Required: a rule without it fails with `missing user in WITH`.
///     user: String,
///     /// Absent is `None`.
///     issuer: Option<String>,
///     #[param(default = "body")]
///     input_path: String,
///     #[param(default = 300)]
///     max_age: u32,
///     #[param(default = Algorithm::Sha256)]
///     algorithm: Algorithm,
///     /// What rules call it, when Rust cannot.
///     #[param(name = "type", default)]
///     kind: bool,
/// }
///
/// /// Rules write the names in lower case; a wrong one fails with
/// /// `unsupported algorithm "md5" (sha256|512)`.
/// #[derive(FromParam, PartialEq, Debug)]
/// enum Algorithm {
///     Sha256,
///     #[param(name = "512")]
///     Sha512,
/// }
///
/// let host = FakeHost::new().param("user", "u").param("algorithm", "512");
/// let params = host.call().params::<Params>().unwrap();
/// assert_eq!((params.max_age, params.algorithm), (300, Algorithm::Sha512));
/// ```
///
/// When there is an `op.toml`, it must list every parameter as `[params.NAME]`.
pub trait Params: Sized {
    /// Reads them.
    ///
    /// # Errors
    /// [`Failure`] that names the parameter and what it takes.
    fn read(call: &Call) -> Result<Self, Failure>;
}

/// A type of parameter. Derive it for an enum of words.
pub trait FromParam: Sized {
    /// What it takes, for failures: `sha256|sha512`, `true|false`.
    const ACCEPTED: &'static str;

    /// The value, when it is one.
    fn from_param(value: Value) -> Option<Self>;
}

impl FromParam for Value {
    const ACCEPTED: &'static str = "anything";

    fn from_param(value: Value) -> Option<Self> {
        Some(value)
    }
}

/// A text, a number or a truth value, as text.
impl FromParam for String {
    const ACCEPTED: &'static str = "text";

    fn from_param(value: Value) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text),
            Value::Json(json) => (!matches!(json.as_bytes(), [b'{' | b'[', ..])).then_some(json),
        }
    }
}

impl FromParam for bool {
    const ACCEPTED: &'static str = "true|false";

    fn from_param(value: Value) -> Option<Self> {
        match value.as_text() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }
}

/// Integers, also those that a rule writes as text.
macro_rules! integers {
    ($($kind:ty, $accepted:literal;)+) => {$(
        impl FromParam for $kind {
            const ACCEPTED: &'static str = $accepted;

            fn from_param(value: Value) -> Option<Self> {
                value.as_text().parse().ok()
            }
        }
    )+};
}
integers! {
    u8, "an integer from 0 to 255";
    u16, "an integer from 0 to 65535";
    u32, "an integer from 0 to 4294967295";
    u64, "an integer, 0 or more";
    i64, "an integer";
}

impl FromParam for Encoding {
    const ACCEPTED: &'static str = "declared|text|hex|base64|base64url|base32|whsec";

    fn from_param(value: Value) -> Option<Self> {
        Some(match value.as_text() {
            "declared" => Self::Declared,
            "text" => Self::Text,
            "hex" => Self::Hex,
            "base64" => Self::Base64,
            "base64url" => Self::Base64url,
            "base32" => Self::Base32,
            "whsec" => Self::Whsec,
            _ => return None,
        })
    }
}

/// A parameter that may be absent; an empty text and `null` are.
pub fn optional<T: FromParam>(call: &Call, name: &str) -> Result<Option<T>, Failure> {
    let Some(value) = call.present(name) else { return Ok(None) };
    T::from_param(value).map(Some).ok_or_else(|| unsupported(call, name, T::ACCEPTED))
}

/// The value is asked for again: when it is right, nothing was kept of it to be quoted.
#[inline(never)]
fn unsupported(call: &Call, name: &str, accepted: &str) -> Failure {
    let word = call.param(name).map(Value::into_text).filter(|word| is_quotable(word)).unwrap_or_default();
    let (before, after) = if word.is_empty() { ("", "") } else { (" \"", "\"") };
    Failure::words(&["unsupported ", name, before, &word, after, " (", accepted, ")"])
}

/// A parameter that a rule must give.
pub fn required<T: FromParam>(call: &Call, name: &str) -> Result<T, Failure> {
    optional(call, name)?.ok_or_else(|| missing(name))
}

#[inline(never)]
fn missing(name: &str) -> Failure {
    Failure::words(&["missing ", name, " in WITH"])
}

/// What a failure may show: one short word.
fn is_quotable(word: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    word.len() <= QUOTED && word.bytes().all(plain)
}
