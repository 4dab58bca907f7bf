//! Making the fields and failures that an op returns.

use alloc::string::String;

use crate::{Class, Failure, Field, Value};

impl Field {
    /// A text that tells nothing about a secret.
    pub fn data(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), class: Class::Data, value: Value::Text(text.into()) }
    }

    /// A text from which a secret cannot be computed: a MAC, a signature.
    pub fn digest(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), class: Class::Digest, value: Value::Text(text.into()) }
    }

    /// A text from which a secret can be computed; rules can send it and not look into it.
    pub fn credential(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), class: Class::Credential, value: Value::Text(text.into()) }
    }
}

impl Failure {
    /// A failure with a fixed code and one line for the operator, which must quote no values.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }
}

impl Value {
    /// The text, or the JSON text of what is not one.
    #[must_use]
    pub fn into_text(self) -> String {
        match self {
            Self::Text(text) | Self::Json(text) => text,
        }
    }
}
