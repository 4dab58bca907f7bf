//! Values of the envelope and of parameters, and the fields an op returns.

use alloc::string::String;

use crate::{Class, Field, Value};

impl Value {
    /// A text; rules and other ops see a JSON string.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Anything that is not a text, as JSON text.
    pub fn json(text: impl Into<String>) -> Self {
        Self::Json(text.into())
    }

    /// The text, or the JSON text of what is not one.
    #[must_use]
    pub fn into_text(self) -> String {
        match self {
            Self::Text(text) | Self::Json(text) => text,
        }
    }

    /// The text, or the JSON text of what is not one.
    #[must_use]
    pub fn as_text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Json(text) => text,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

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
