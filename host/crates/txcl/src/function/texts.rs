//! Functions of texts: join, cut, encode, digest.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use model::{Sealed, Value};
use sha2::{Digest as _, Sha256};

use super::arguments::{Arguments, fits, text, unfit, value, whole};
use crate::budget::NODE;
use crate::clock::{Clock, Reason};
use crate::coerce;

/// The longest text that `&repeat` and `&pad` make: theirs grow by a number, not by input.
const MAX_REPEATED: usize = 1 << 20;
/// Base64 as the Go chassis reads it: bits that the last byte has no use for are not looked at (RFC 4648 §3.5).
const PADDED: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);
/// What the pieces of `&split` may weigh together.
const MAX_PIECES: usize = 32 << 20;

pub(super) fn concat(arguments: &Arguments<'_>, _: &Clock) -> Result<Value, Reason> {
    let mut before = String::new();
    let mut sealed: Option<Sealed> = None;
    let mut length = 0_usize;
    for argument in arguments {
        let text = match (&mut sealed, argument.as_ref()) {
            (None, Value::Sealed(first)) => {
                let mut first = first.clone();
                first.prepend_text(std::mem::take(&mut before));
                sealed = Some(first);
                continue;
            }
            (Some(sealed), Value::Sealed(next)) => {
                sealed.push_sealed(next);
                continue;
            }
            // The caller names the function; what matters here is the kind of the failure.
            (_, other) => coerce::text(other).map_err(|_| Reason::Credential(String::new()))?,
        };
        length = length.saturating_add(text.len());
        fits(length)?;
        match &mut sealed {
            Some(sealed) => sealed.push_text(&text),
            None => before.push_str(&text),
        }
    }
    Ok(sealed.map_or(Value::String(before), Value::Sealed))
}

pub(super) fn join(arguments: &Arguments<'_>, _: &Clock) -> Result<Value, Reason> {
    let Value::Array(items) = value(arguments, 0) else {
        return Err(unfit("an array", value(arguments, 0)));
    };
    let separator = text(arguments, 1)?;
    let mut out = String::new();
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push_str(separator);
        }
        out.push_str(&coerce::text(item).map_err(|_| Reason::Credential(String::new()))?);
        fits(out.len())?;
    }
    Ok(Value::String(out))
}

/// By an empty separator into characters.
pub(super) fn split(arguments: &Arguments<'_>, _: &Clock) -> Result<Value, Reason> {
    let (whole, separator) = (text(arguments, 0)?, text(arguments, 1)?);
    let pieces: Box<dyn Iterator<Item = &str>> = match separator {
        "" => Box::new(whole.char_indices().map(|(at, c)| whole.get(at..at + c.len_utf8()).unwrap_or(""))),
        _ => Box::new(whole.split(separator)),
    };
    let (mut items, mut together) = (Vec::new(), 0);
    for piece in pieces {
        together += NODE + piece.len();
        if together > MAX_PIECES {
            return Err(Reason::failed(format!("the pieces take more than {} MiB", MAX_PIECES >> 20)));
        }
        items.push(Value::from(piece));
    }
    Ok(Value::Array(items))
}

pub(super) fn len(arguments: &Arguments<'_>, _: &Clock) -> Result<Value, Reason> {
    let length = match value(arguments, 0) {
        Value::Null => 0,
        Value::String(text) => text.len(),
        Value::Array(items) => items.len(),
        Value::Object(members) => members.len(),
        other @ (Value::Bool(_) | Value::Number(_) | Value::Sealed(_)) => {
            return Err(unfit("a text, an array or an object", other));
        }
    };
    Ok(Value::from(u64::try_from(length).unwrap_or(u64::MAX)))
}

pub(super) fn substr(arguments: &Arguments<'_>, _: &Clock) -> Result<Value, Reason> {
    let text = text(arguments, 0)?;
    let (from, to) = (whole(arguments, 1)?, whole(arguments, 2)?);
    let place = |at: i64| usize::try_from(at).ok().filter(|at| *at <= text.len());
    let (Some(from), Some(to)) = (place(from), place(to)) else {
        return Err(Reason::failed("the places lie outside of the text"));
    };
    if from > to {
        return Err(Reason::failed("the first place lies behind the second"));
    }
    // Nothing of a character is none of it.
    let cut = if from == to { "" } else { text.get(from..to).ok_or_else(inside_of_a_character)? };
    Ok(Value::from(cut))
}

fn inside_of_a_character() -> Reason {
    Reason::failed("this would cut a character of several bytes")
}

pub(super) fn repeat(arguments: &Arguments<'_>, _: &Clock) -> Result<Value, Reason> {
    let (text, times) = (text(arguments, 0)?, whole(arguments, 1)?);
    let times = usize::try_from(times).map_err(|_| Reason::failed("the number of times is negative"))?;
    repeated(text.len().saturating_mul(times))?;
    Ok(Value::String(text.repeat(if text.is_empty() { 0 } else { times })))
}

fn repeated(length: usize) -> Result<(), Reason> {
    if length > MAX_REPEATED {
        return Err(Reason::failed(format!("the result is longer than {} MiB", MAX_REPEATED >> 20)));
    }
    Ok(())
}

/// To a width in bytes, on the left; with a negative width on the right.
pub(super) fn pad(arguments: &Arguments<'_>, _: &Clock) -> Result<Value, Reason> {
    let (text, width, fill) = (text(arguments, 0)?, whole(arguments, 1)?, text(arguments, 2)?);
    if width == 0 {
        return Err(Reason::failed("the width is 0"));
    }
    let wide = usize::try_from(width.unsigned_abs()).unwrap_or(usize::MAX);
    let Some(missing) = wide.checked_sub(text.len()).filter(|missing| *missing > 0) else {
        return Ok(Value::from(text));
    };
    repeated(wide)?;
    if fill.is_empty() {
        return Err(Reason::failed("there is nothing to fill with"));
    }
    let filling = fill.repeat(missing.div_ceil(fill.len()));
    let filling = filling.get(..missing).ok_or_else(inside_of_a_character)?;
    Ok(Value::String(if width > 0 { format!("{filling}{text}") } else { format!("{text}{filling}") }))
}

pub(super) fn b64encode(arguments: &Arguments<'_>, _: &Clock) -> Result<Value, Reason> {
    let text = text(arguments, 0)?;
    fits(text.len().div_ceil(3).saturating_mul(4))?;
    Ok(Value::String(PADDED.encode(text)))
}

pub(super) fn b64decode(arguments: &Arguments<'_>, _: &Clock) -> Result<Value, Reason> {
    // Line ends do not count, as in the Go chassis: mail and the API of GitHub wrap what they encode.
    let bytes = PADDED
        .decode(text(arguments, 0)?.replace(['\r', '\n'], ""))
        .map_err(|_| Reason::failed("not base64 (standard alphabet, padded)"))?;
    decoded(bytes)
}

/// As in the query of a URL (`application/x-www-form-urlencoded`): a blank is `+`.
pub(super) fn urlencode(arguments: &Arguments<'_>, _: &Clock) -> Result<Value, Reason> {
    let mut out = String::new();
    for byte in text(arguments, 0)?.bytes() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_' | b'.' | b'~' => out.push(byte.into()),
            b' ' => out.push('+'),
            _ => out.extend(['%', hex(byte >> 4), hex(byte & 15)]),
        }
        fits(out.len())?;
    }
    Ok(Value::String(out))
}

fn hex(nibble: u8) -> char {
    char::from_digit(u32::from(nibble), 16).unwrap_or('0').to_ascii_uppercase()
}

pub(super) fn urldecode(arguments: &Arguments<'_>, _: &Clock) -> Result<Value, Reason> {
    let text = text(arguments, 0)?;
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || bytes.next().and_then(|b| char::from(b).to_digit(16));
                let (Some(high), Some(low)) = (digit(), digit()) else {
                    return Err(Reason::failed("a % without two hex digits behind it"));
                };
                u8::try_from(high * 16 + low).unwrap_or_default()
            }
            other => other,
        });
    }
    decoded(out)
}

fn decoded(bytes: Vec<u8>) -> Result<Value, Reason> {
    let text =
        String::from_utf8(bytes).map_err(|_| Reason::failed("the decoded bytes are not UTF-8 text"))?;
    Ok(Value::String(text))
}

pub(super) fn sha256(arguments: &Arguments<'_>, _: &Clock) -> Result<Value, Reason> {
    let digest = Sha256::digest(text(arguments, 0)?);
    let digits = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    Ok(Value::String(digits.map(|nibble| hex(nibble).to_ascii_lowercase()).collect()))
}
