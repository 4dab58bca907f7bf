//! The host that a request names, one way for all spellings.

use std::fmt;

use crate::destination::Destination;
use crate::name::NameError;

const RULE: &str = "expected a host such as shop.example.com, without scheme, port or path";

/// A host: lower-case, internationalised names as A-labels, no port, no dot at the end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hostname(String);

impl Hostname {
    /// Reads a host without a port, as it is bound.
    ///
    /// # Errors
    /// [`NameError`] when it is something else.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let port = text.rsplit_once(']').map_or(text, |(_, rest)| rest).contains(':');
        if port { Err(NameError::new("hostname", text, RULE)) } else { Self::of(text) }
    }

    /// Reads the `Host` of a request, which may have a port.
    ///
    /// # Errors
    /// [`NameError`] when it is none.
    pub fn of(text: &str) -> Result<Self, NameError> {
        let wrong = || NameError::new("hostname", text, RULE);
        if text.is_empty() || text.len() > 300 || text.contains(['/', '?', '#', '@', '\\', '%']) {
            return Err(wrong());
        }
        let origin = Destination::of(&format!("http://{text}/")).map_err(|_| wrong())?;
        let host = origin.host().strip_suffix('.').unwrap_or_else(|| origin.host());
        let good = !host.is_empty() && host.len() <= 253 && !host.contains('*');
        if good { Ok(Self(host.to_owned())) } else { Err(wrong()) }
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Hostname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_host_has_one_text() {
        for (text, host) in [
            ("Shop.Example.com", "shop.example.com"),
            ("shop.example.com.", "shop.example.com"),
            ("shop.example.com:8080", "shop.example.com"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("[::1]:9", "[::1]"),
            ("127.0.0.1:80", "127.0.0.1"),
        ] {
            assert_eq!(Hostname::of(text).unwrap().as_str(), host, "{text}");
        }
    }

    #[test]
    fn what_is_no_host_is_none() {
        for bad in [
            "",
            "a/b",
            "u@h",
            "a b",
            "*.example.com",
            "h:x",
            "http://h",
            ".",
            "%41.example",
            &"a".repeat(301),
        ] {
            assert!(Hostname::of(bad).is_err(), "{bad}");
        }
        for bad in ["shop.example.com:80", "[::1]:9"] {
            assert!(Hostname::parse(bad).is_err(), "{bad}");
        }
        assert!(Hostname::parse("[::1]").is_ok() && Hostname::parse("shop.example").is_ok());
    }
}
