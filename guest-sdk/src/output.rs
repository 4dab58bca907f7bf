//! Outputs of an op, with their places and classes.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::{Call, Class, Field, Value};

/// What an op returns; derive it.
///
/// ```
/// # use txco_op::prelude::*;
/// #[derive(Output)]
/// struct Verified {
///     /// Goes to the path that the rule's `WITH output_path` names, else to this one.
///     #[output(path = "@computed.valid", param = "output_path", class = data)]
///     valid: bool,
///     /// `None` is no field.
///     #[output(path = "@computed.key_version", class = data)]
///     version: Option<u32>,
/// }
///
/// #[derive(Output)]
/// struct Login {
///     /// A credential is text. Rules can send it on; everything else sees `[credential]`.
///     #[output(path = "@computed.basic_auth", class = credential)]
///     basic_auth: String,
/// }
///
/// let host = FakeHost::new().param("output_path", "ok");
/// let fields = Verified { valid: true, version: None }.fields(&host.call());
/// assert_eq!(fields, [Field { path: "ok".into(), class: Class::Data, value: Value::json("true") }]);
/// ```
///
/// When there is an `op.toml`, it must list every field under `[[outputs]]` with the same
/// path, param and class.
pub trait Output {
    /// The fields, at the places this call's parameters name.
    fn fields(self, call: &Call) -> Vec<Field>;
}

impl Output for Vec<Field> {
    fn fields(self, _: &Call) -> Vec<Field> {
        self
    }
}

impl Output for Field {
    fn fields(self, _: &Call) -> Vec<Field> {
        vec![self]
    }
}

/// A type that becomes a value of the envelope; `None` becomes no field.
pub trait IntoValue {
    /// The value.
    fn into_value(self) -> Option<Value>;
}

impl IntoValue for Value {
    fn into_value(self) -> Option<Value> {
        Some(self)
    }
}

impl IntoValue for String {
    fn into_value(self) -> Option<Value> {
        Some(Value::Text(self))
    }
}

impl IntoValue for &str {
    fn into_value(self) -> Option<Value> {
        Some(Value::Text(self.into()))
    }
}

impl IntoValue for bool {
    fn into_value(self) -> Option<Value> {
        Some(Value::Json(if self { "true" } else { "false" }.into()))
    }
}

/// Integers, written without the formatter.
macro_rules! integers {
    ($($kind:ty),+) => {$(
        impl IntoValue for $kind {
            fn into_value(self) -> Option<Value> {
                Some(Value::Json(crate::decimal(u64::from(self))))
            }
        }
    )+};
}
integers!(u8, u16, u32, u64);

impl IntoValue for i64 {
    fn into_value(self) -> Option<Value> {
        let digits = crate::decimal(self.unsigned_abs());
        Some(Value::Json(if self < 0 { crate::concat(&["-", &digits]) } else { digits }))
    }
}

impl<T: IntoValue> IntoValue for Option<T> {
    fn into_value(self) -> Option<Value> {
        self.and_then(IntoValue::into_value)
    }
}

/// Where an output goes: to the place its parameter names, else to its own.
#[must_use]
pub fn place(call: &Call, param: Option<&str>, path: &str) -> String {
    param.and_then(|param| call.text(param)).unwrap_or_else(|| path.into())
}

/// A field whose value may be of any type.
pub fn digest_or_data(path: String, class: Class, value: impl IntoValue) -> Option<Field> {
    value.into_value().map(|value| Field { path, class, value })
}

/// A field that is a text.
pub fn credential(path: String, value: impl Into<Option<String>>) -> Option<Field> {
    value.into().map(|text| Field::credential(path, text))
}
