//! What a signature says of itself (RFC 9421, section 2.3).

use alloc::string::String;
use alloc::vec::Vec;

use parts::failure;
use parts::http_signature::{Component, structured};
use txco_op::{Failure, concat, decimal};

/// The parameters of a signature. The algorithm is not among it: who
/// verifies knows it from the key.
pub(crate) struct Parameters {
    pub(crate) created: Option<u64>,
    pub(crate) expires: Option<u64>,
    pub(crate) key_id: Option<String>,
    pub(crate) nonce: Option<String>,
    pub(crate) tag: Option<String>,
}

impl Parameters {
    /// The member of Signature-Input: what is covered, and these.
    pub(crate) fn input(&self, components: &[Component]) -> Result<String, Failure> {
        let identifiers: Vec<_> = components.iter().map(Component::identifier).collect();
        let mut text = concat(&["(", &parts::joined(&identifiers, " "), ")"]);
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
