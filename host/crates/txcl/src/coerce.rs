//! How values are read as texts, numbers and booleans, where a rule compares or joins them.

use std::borrow::Cow;

use model::Value;

/// A credential stands where something would have to look into it (R1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Inspected;

/// A text as it is; `null` and what is missing as ""; a number without exponent; an
/// object or array as compact JSON.
pub(crate) fn text(value: &Value) -> Result<Cow<'_, str>, Inspected> {
    Ok(match value {
        Value::Null => Cow::Borrowed(""),
        Value::Bool(true) => Cow::Borrowed("true"),
        Value::Bool(false) => Cow::Borrowed("false"),
        Value::Number(n) => Cow::Owned(match n.as_f64() {
            Some(float) if n.is_f64() => float.to_string(),
            _ => n.to_string(),
        }),
        Value::String(text) => Cow::Borrowed(text),
        Value::Sealed(_) => return Err(Inspected),
        Value::Array(_) | Value::Object(_) if value.has_sealed() => return Err(Inspected),
        Value::Array(_) | Value::Object(_) => Cow::Owned(value.to_json()),
    })
}

/// A number cut to its whole part; a boolean as 1 or 0; a text of decimal digits;
/// everything else 0.
pub(crate) fn int(value: &Value) -> Result<i64, Inspected> {
    Ok(match value {
        Value::Bool(b) => i64::from(*b),
        Value::Number(n) => n.as_i64().unwrap_or_else(|| match n.as_f64() {
            // `as` saturates: what does not fit is the nearest that does.
            #[expect(clippy::cast_possible_truncation, reason = "cutting is what this coercion means")]
            Some(float) => float as i64,
            None => 0,
        }),
        Value::String(text) => whole(text),
        Value::Sealed(_) => return Err(Inspected),
        Value::Null | Value::Array(_) | Value::Object(_) => 0,
    })
}

/// A number; a boolean as 1 or 0; a text that is a number; everything else 0.
pub(crate) fn float(value: &Value) -> Result<f64, Inspected> {
    Ok(match value {
        Value::Bool(b) => f64::from(u8::from(*b)),
        Value::Number(n) => n.as_f64().unwrap_or(0.0),
        Value::String(text) => text.parse().unwrap_or(0.0),
        Value::Sealed(_) => return Err(Inspected),
        Value::Null | Value::Array(_) | Value::Object(_) => 0.0,
    })
}

/// A boolean; a number that is not 0; the texts `1`, `t`, `true` in any case.
pub(crate) fn boolean(value: &Value) -> Result<bool, Inspected> {
    Ok(match value {
        Value::Bool(b) => *b,
        Value::Number(n) => n.as_f64().is_some_and(|n| n != 0.0),
        Value::String(text) => ["1", "t", "true"].iter().any(|yes| text.eq_ignore_ascii_case(yes)),
        Value::Sealed(_) => return Err(Inspected),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    })
}

fn whole(text: &str) -> i64 {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let decimal = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if decimal { text.parse().unwrap_or(0) } else { 0 }
}
