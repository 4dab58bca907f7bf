//! The signature base (RFC 9421 §2.5): the exact text that is signed.

use sfv::{InnerList, ListSerializer};
use sha2::{Digest as _, Sha256};

/// The parts of a request that a signature can cover.
pub(crate) struct Message<'a> {
    /// `GET`, `POST` …
    pub method: &'a str,
    /// The path as it stands in the request, percent-encoding and all; never empty.
    pub path: &'a str,
    /// The query without its `?`, when there is one.
    pub query: Option<&'a str>,
    /// The Host header, or the authority of HTTP/2.
    pub authority: &'a str,
    /// A header by its name in lower case: its values joined by `, `, when it is there.
    pub header: &'a dyn Fn(&str) -> Option<String>,
}

impl Message<'_> {
    /// The value of a component; nothing for one that the request does not have, or that
    /// nobody here knows.
    fn component(&self, name: &str) -> Option<String> {
        match name {
            "@method" => Some(self.method.to_owned()),
            "@path" => Some(if self.path.is_empty() { "/" } else { self.path }.to_owned()),
            "@query" => Some(format!("?{}", self.query.unwrap_or_default())),
            "@authority" => Some(self.authority.to_ascii_lowercase()),
            derived if derived.starts_with('@') => None,
            header => (self.header)(header),
        }
    }

    /// The base for these components and parameters; nothing when one of them has no value.
    pub(super) fn base(&self, covered: &InnerList) -> Option<String> {
        let mut base = String::new();
        for item in &covered.items {
            let name = item.bare_item.as_string()?.as_str();
            base.push_str(&format!("\"{name}\": {}\n", self.component(name)?));
        }
        base.push_str(&format!("\"@signature-params\": {}", serialized(covered)?));
        Some(base)
    }
}

/// What stands for a body in a signature.
pub(super) fn sha256(body: &[u8]) -> [u8; 32] {
    Sha256::digest(body).into()
}

/// An inner list with its parameters, as RFC 9651 has them written.
pub(super) fn serialized(list: &InnerList) -> Option<String> {
    let mut writer = ListSerializer::new();
    let mut inner = writer.inner_list();
    inner.items(&list.items);
    inner.finish().parameters(&list.params);
    writer.finish()
}
