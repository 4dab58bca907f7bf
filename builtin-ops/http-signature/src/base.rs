//! The signature base (RFC 9421, section 2.5) and the parameters that are part of it.

use alloc::string::String;
use alloc::vec::Vec;

use parts::failure;
use txco_op::{Failure, decimal};

use crate::component::Component;
use crate::message::Message;
use crate::structured;

/// What a signature says of itself (RFC 9421, section 2.3). The algorithm is not among it: who
/// verifies knows it from the key.
pub(crate) struct Parameters {
    pub(crate) created: Option<u64>,
    pub(crate) expires: Option<u64>,
    pub(crate) key_id: Option<String>,
    pub(crate) nonce: Option<String>,
    pub(crate) tag: Option<String>,
}

impl Parameters {
    fn text(&self) -> Result<String, Failure> {
        let mut text = String::new();
        for (name, value) in [(";created=", self.created), (";expires=", self.expires)] {
            if let Some(value) = value {
                text.push_str(name);
                text.push_str(&decimal(value));
            }
        }
        let texts = [
            ("key_id", ";keyid=", &self.key_id),
            ("nonce", ";nonce=", &self.nonce),
            ("tag", ";tag=", &self.tag),
        ];
        for (param, name, value) in texts {
            if let Some(value) = value {
                text.push_str(name);
                let quoted = structured::string(value);
                text.push_str(&quoted.ok_or_else(|| failure(&[param, " must be printable ASCII"]))?);
            }
        }
        Ok(text)
    }
}

/// The text that is signed, and the member of Signature-Input that says what it covers.
pub(crate) fn base(
    message: &Message<'_>,
    components: &[Component],
    parameters: &Parameters,
) -> Result<(String, String), Failure> {
    let mut base = String::new();
    let mut identifiers: Vec<String> = Vec::with_capacity(components.len());
    for component in components {
        let identifier = component.identifier();
        base.push_str(&identifier);
        base.push_str(": ");
        base.push_str(&message.value(component)?);
        base.push('\n');
        identifiers.push(identifier);
    }
    let input = ["(", &identifiers.join(" "), ")", &parameters.text()?].concat();
    base.push_str("\"@signature-params\": ");
    base.push_str(&input);
    Ok((base, input))
}
