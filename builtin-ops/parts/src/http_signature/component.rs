//! What a signature covers, by name.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use txco_op::Failure;

use super::structured;
use crate::failure;

/// One component: a header, or something derived from the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// `content-type`, `@method`.
    pub name: String,
    /// Of `@query-param`: which one, as a form writes it.
    pub parameter: Option<String>,
}

/// What can be derived from a request or an answer (RFC 9421, section 2.2).
const DERIVED: [&str; 9] = [
    "@method",
    "@target-uri",
    "@authority",
    "@scheme",
    "@request-target",
    "@path",
    "@query",
    "@query-param",
    "@status",
];

impl Component {
    /// Reads components that are separated by blanks: `@method`, `content-type`,
    /// `@query-param;name="a"`. There may be none of them; none may be there twice.
    ///
    /// # Errors
    /// [`Failure`] that names the word which is none.
    pub fn list(text: &str) -> Result<Vec<Self>, Failure> {
        let mut components: Vec<Self> = Vec::new();
        for word in text.split_ascii_whitespace() {
            let component = Self::read(word)?;
            if components.contains(&component) {
                return Err(failure(&["components: ", word, " is there twice"]));
            }
            components.push(component);
        }
        Ok(components)
    }

    fn read(word: &str) -> Result<Self, Failure> {
        let (name, parameter) = match word.split_once(';') {
            None => (word, None),
            Some((name @ "@query-param", parameter)) => {
                let value = parameter.strip_prefix("name=\"").and_then(|rest| rest.strip_suffix('"'));
                (name, value.filter(|value| !value.contains('"')).map(str::to_owned))
            }
            Some(_) => return Err(failure(&["components: ", word, ": parameters are not supported here"])),
        };
        let component = Self::named(&name.to_ascii_lowercase(), parameter);
        component.ok_or_else(|| failure(&["components: ", word, " is no component"]))
    }

    /// The component of this name, and of a parameter of the query the parameter's; `None` when
    /// there is none such.
    #[must_use]
    pub fn named(name: &str, parameter: Option<String>) -> Option<Self> {
        let known = match name.strip_prefix('@') {
            Some(_) => DERIVED.contains(&name),
            None => !name.is_empty() && name.bytes().all(|byte| is_token(byte) && !byte.is_ascii_uppercase()),
        };
        let known = known && parameter.is_some() == (name == "@query-param");
        known.then(|| Self { name: name.to_owned(), parameter })
    }

    /// `"@query-param";name="a"`.
    #[must_use]
    pub fn identifier(&self) -> String {
        let mut identifier = structured::string(&self.name).unwrap_or_default();
        if let Some(parameter) = self.parameter.as_deref().and_then(structured::string) {
            identifier.push_str(";name=");
            identifier.push_str(&parameter);
        }
        identifier
    }
}

/// RFC 9110, section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
