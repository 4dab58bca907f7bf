//! Types of serde as parameters, as values of the envelope and as outputs.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Call, Failure, FromParam, IntoValue, Value};

/// A type of serde where a parameter or an output stands.
///
/// ```
/// # use txco_op::prelude::*;
/// # use std::collections::BTreeMap;
/// #[derive(Params)]
/// struct Params {
///     claims: Json<BTreeMap<String, u64>>,
/// }
///
/// #[derive(Output)]
/// struct Sum {
///     #[output(path = "sums", class = data)]
///     sums: Json<Vec<u64>>,
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromParam for Json<T> {
    const ACCEPTED: &'static str = "JSON of the right shape";

    fn from_param(value: Value) -> Option<Self> {
        read(value).map(Self)
    }
}

impl<T: Serialize> IntoValue for Json<T> {
    /// A value that serde cannot write as JSON, such as a map whose keys are no texts, is none.
    fn into_value(self) -> Option<Value> {
        match serde_json::to_value(self.0).ok()? {
            serde_json::Value::String(text) => Some(Value::Text(text)),
            other => serde_json::to_string(&other).ok().map(Value::Json),
        }
    }
}

impl Call {
    /// What the input has at `path`, as a type of serde; `None` when nothing is there.
    ///
    /// # Errors
    /// [`Failure`] that names the path when the value has another shape.
    pub fn json<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Failure> {
        let Some(value) = self.get(path) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| Failure::words(&["another shape than expected at ", path]))
    }

    /// The whole input as a type of serde.
    ///
    /// # Errors
    /// [`Failure`] when the input has another shape.
    pub fn input_json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        read(Value::Json(self.input()))
            .ok_or_else(|| Failure::new("the input has another shape than expected"))
    }
}

fn read<T: DeserializeOwned>(value: Value) -> Option<T> {
    match value {
        Value::Json(json) => serde_json::from_str(&json).ok(),
        Value::Text(text) => T::deserialize(serde::de::value::StringDeserializer::<Error>::new(text)).ok(),
    }
}

type Error = serde::de::value::Error;
