//! The request in the one form that both sides sign, and what is made of its signature.

use alloc::string::String;
use alloc::vec::Vec;

use parts::joined;
use txco_op::{Hash, concat, decimal, hex, message};

use crate::encode::{escaped, unescaped};
use crate::time::Stamp;

/// How the path becomes canonical.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum PathStyle {
    /// Dots and empty segments go, and what is escaped is escaped once more: all services
    /// but one.
    Normalized,
    /// Every segment stays, escaped once: S3, where a path is the name of an object.
    Kept,
}

/// Where and when a key is good.
pub(crate) struct Scope<'a> {
    pub(crate) date: &'a str,
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
}

/// What is signed.
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    /// As it is sent.
    pub(crate) path: &'a str,
    /// As it is sent; empty when there is none.
    pub(crate) query: String,
    /// Those that are signed: names in lower case, in the order in which they are sent.
    pub(crate) headers: Vec<(String, String)>,
    /// The hash of the body, or what stands for it.
    pub(crate) payload: String,
    pub(crate) style: PathStyle,
}

impl Scope<'_> {
    /// `20150830/us-east-1/service/aws4_request`.
    fn text(&self) -> String {
        concat(&[self.date, "/", self.region, "/", self.service, "/aws4_request"])
    }
}

impl Request<'_> {
    /// Adds to the query what a presigned URL carries, all but the signature.
    pub(crate) fn presign(&mut self, access_key_id: &str, scope: &Scope<'_>, stamp: &Stamp, seconds: u32) {
        let credential = concat(&[access_key_id, "/", &scope.text()]);
        let signed = self.signed_headers();
        let seconds = decimal(u64::from(seconds));
        for (name, value) in [
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
            ("X-Amz-Credential", &credential),
            ("X-Amz-Date", stamp.text()),
            ("X-Amz-Expires", &seconds),
            ("X-Amz-SignedHeaders", &signed),
        ] {
            if !self.query.is_empty() {
                self.query.push('&');
            }
            self.query.push_str(name);
            self.query.push('=');
            self.query.push_str(&escaped(value.as_bytes(), b""));
        }
    }

    /// The canonical request.
    pub(crate) fn canonical(&self) -> String {
        let path = match self.style {
            PathStyle::Normalized => escaped(normalized(self.path).as_bytes(), b"/"),
            PathStyle::Kept => escaped(&unescaped(self.path), b"/"),
        };
        let headers = self.canonical_headers();
        let lines: Vec<_> = headers.iter().map(|(name, value)| concat(&[name, ":", value, "\n"])).collect();
        let parts = [
            self.method,
            &path,
            &canonical_query(&self.query),
            &joined(&lines, ""),
            &self.signed_headers(),
            &self.payload,
        ];
        joined(&parts, "\n")
    }

    /// The text that is signed.
    pub(crate) fn to_sign(&self, stamp: &Stamp, scope: &Scope<'_>) -> String {
        let hash = hex(&Hash::Sha256.digest(message![&self.canonical()]));
        joined(&["AWS4-HMAC-SHA256", stamp.text(), &scope.text(), &hash], "\n")
    }

    /// The value of the Authorization header.
    pub(crate) fn authorization(&self, access_key_id: &str, scope: &Scope<'_>, signature: &str) -> String {
        concat(&[
            "AWS4-HMAC-SHA256 Credential=",
            access_key_id,
            "/",
            &scope.text(),
            ", SignedHeaders=",
            &self.signed_headers(),
            ", Signature=",
            signature,
        ])
    }

    /// Names in order, each once; values without superfluous blanks, those of one name joined.
    fn canonical_headers(&self) -> Vec<(&str, String)> {
        let mut headers: Vec<(&str, String)> = Vec::new();
        for (name, value) in &self.headers {
            let value = joined(&value.split_ascii_whitespace().collect::<Vec<_>>(), " ");
            match headers.iter_mut().find(|(known, _)| known == name) {
                Some((_, values)) => {
                    values.push(',');
                    values.push_str(&value);
                }
                None => headers.push((name, value)),
            }
        }
        in_order(headers)
    }

    fn signed_headers(&self) -> String {
        joined(&self.canonical_headers().iter().map(|(name, _)| *name).collect::<Vec<_>>(), ";")
    }
}

/// The path without `.`, `..` and empty segments (RFC 3986, section 5.2.4).
fn normalized(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            _ => kept.push(segment),
        }
    }
    let folder = ["/", "/.", "/.."].iter().any(|end| path.ends_with(end)) && !kept.is_empty();
    concat(&["/", &joined(&kept, "/"), if folder { "/" } else { "" }])
}

/// Names and values escaped in one way, in order.
fn canonical_query(query: &str) -> String {
    let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (escaped(&unescaped(name), b""), escaped(&unescaped(value), b""))
    });
    let pairs = in_order(pairs);
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| concat(&[name, "=", value])).collect();
    joined(&pairs, "&")
}

/// Sorted by insertion, since there are few: a library's sort would be half of the op.
fn in_order<T: PartialOrd>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut sorted: Vec<T> = Vec::new();
    for item in items {
        let place = sorted.iter().position(|other| *other > item).unwrap_or(sorted.len());
        sorted.insert(place, item);
    }
    sorted
}
