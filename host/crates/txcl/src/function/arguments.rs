//! Reads the arguments of a call, and says what is wrong with one without quoting it.

use std::borrow::Cow;

use model::Value;

use crate::clock::Reason;

/// The longest text a function may make.
pub(super) const MAX_TEXT: usize = 32 << 20;

/// The arguments of a call.
pub(crate) type Arguments<'a> = [Cow<'a, Value>];

/// The argument at `at`; `null` where there is none.
pub(super) fn value<'a>(arguments: &'a Arguments<'_>, at: usize) -> &'a Value {
    arguments.get(at).map_or(&Value::Null, Cow::as_ref)
}

/// The argument at `at`, which must be a text.
pub(super) fn text<'a>(arguments: &'a Arguments<'_>, at: usize) -> Result<&'a str, Reason> {
    let argument = value(arguments, at);
    argument.as_str().ok_or_else(|| unfit("a text", argument))
}

/// The argument at `at`, which must be a number without fraction.
pub(super) fn whole(arguments: &Arguments<'_>, at: usize) -> Result<i64, Reason> {
    let argument = value(arguments, at);
    if !matches!(argument, Value::Number(_)) {
        return Err(unfit("a whole number", argument));
    }
    argument
        .as_i64()
        .ok_or_else(|| Reason::failed("expected a whole number, got one with a fraction or out of range"))
}

/// "expected a text, got a number".
pub(super) fn unfit(wanted: &str, got: &Value) -> Reason {
    Reason::Failed(format!(
        "expected {wanted}, got {}",
        match got {
            Value::Null => "null or nothing",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::String(_) => "a text",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
            Value::Sealed(_) => "a credential",
        }
    ))
}

/// Refuses a result of more than [`MAX_TEXT`] bytes before it is made.
pub(super) fn fits(length: usize) -> Result<(), Reason> {
    if length > MAX_TEXT {
        return Err(Reason::failed(format!("the result is longer than {} MiB", MAX_TEXT >> 20)));
    }
    Ok(())
}
