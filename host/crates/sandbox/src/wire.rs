//! The contract's types as they cross the wall (guest-sdk/wit/op.wit).

use model::{CREDENTIAL_TEXT, Value};
use wasmtime::component::{ComponentType, Lift, Lower};
use zeroize::Zeroize;

use crate::Class;

/// `types.value`, on its way in.
#[derive(ComponentType, Lower)]
#[component(variant)]
pub(crate) enum ValueIn {
    #[component(name = "text")]
    Text(String),
    #[component(name = "json")]
    Json(String),
}

impl ValueIn {
    /// A string's own characters, of anything else the JSON text.
    pub(crate) fn of(value: &Value) -> Self {
        match value {
            Value::String(text) => Self::Text(text.clone()),
            Value::Sealed(_) => Self::Text(CREDENTIAL_TEXT.to_owned()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                Self::Json(value.to_json())
            }
        }
    }
}

/// `types.value`, on its way out. It may be a credential, so the host's copy is wiped.
#[derive(ComponentType, Lift)]
#[component(variant)]
pub(crate) enum ValueOut {
    #[component(name = "text")]
    Text(String),
    #[component(name = "json")]
    Json(String),
}

impl ValueOut {
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Json(text) => text,
        }
    }
}

impl Drop for ValueOut {
    fn drop(&mut self) {
        match self {
            Self::Text(text) | Self::Json(text) => text.zeroize(),
        }
    }
}

/// `types.field`. The value stands last: when lifting fails before it there is nothing to
/// wipe, and after it nothing can fail.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct Field {
    #[component(name = "path")]
    pub(crate) path: String,
    #[component(name = "class")]
    pub(crate) class: Class,
    #[component(name = "value")]
    pub(crate) value: ValueOut,
}

/// `types.failure`. A careless op quotes its secret here, so the host's copy is wiped.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct FailureOut {
    #[component(name = "code")]
    pub(crate) code: String,
    #[component(name = "message")]
    pub(crate) message: String,
}

impl Drop for FailureOut {
    fn drop(&mut self) {
        self.code.zeroize();
        self.message.zeroize();
    }
}

/// `types.secret-error`.
#[derive(Clone, Copy, ComponentType, Lower)]
#[component(enum)]
#[repr(u8)]
pub(crate) enum SecretError {
    #[component(name = "no-such-slot")]
    NoSuchSlot,
    #[component(name = "no-such-version")]
    NoSuchVersion,
    #[component(name = "denied")]
    #[expect(dead_code, reason = "the contract has it; no policy of this chassis answers it yet")]
    Denied,
}

/// What `handle` returns.
pub(crate) type Returned = Result<Vec<Field>, FailureOut>;
