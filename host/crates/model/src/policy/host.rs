//! A host that a secret may go to: compared whole, with a port, or one label wide.

use std::fmt;

use crate::Destination;
#[cfg(test)]
use crate::Scheme;

/// The port that is meant when none is said.
const HTTPS: u16 = 443;

/// A host and port. `*.x.y` stands for one more label before `x.y`, not for `x.y` itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostRule {
    host: String,
    port: u16,
    /// Whether one label stands before `host`.
    label_before: bool,
}

impl HostRule {
    /// Reads `host`, `host:port`, or either with `*.` before it. The host is made lower-case,
    /// and internationalised names A-labels.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| Err(format!("{text:?}: {why}"));
        let (label_before, rest) = match text.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        if rest.contains("://") || rest.contains(['/', '?', '#', '@', '*', '%', '\\']) || rest.is_empty() {
            return wrong("expected HOST, HOST:PORT or *.HOST, without a scheme or path");
        }
        let Ok(origin) = Destination::of(&format!("https://{rest}/")) else {
            return wrong("not a host name");
        };
        let host = origin.host().to_owned();
        let is_name = !host.starts_with('[') && !host.split('.').all(|part| part.parse::<u32>().is_ok());
        if label_before && !(is_name && host.contains('.')) {
            return wrong("a wildcard needs a name of at least two labels, such as *.example.com");
        }
        Ok(Self { host, port: origin.port(), label_before })
    }

    /// Whether a request to `destination` goes there.
    #[must_use]
    pub fn matches(&self, destination: &Destination) -> bool {
        if destination.port() != self.port {
            return false;
        }
        if !self.label_before {
            return destination.host() == self.host;
        }
        match destination.host().split_once('.') {
            Some((label, rest)) => !label.is_empty() && rest == self.host,
            None => false,
        }
    }
}

impl fmt::Display for HostRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let star = if self.label_before { "*." } else { "" };
        write!(f, "{star}{}", self.host)?;
        if self.port == HTTPS { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

/// The URL of a scheme and host, for tests of both schemes.
#[cfg(test)]
pub(super) fn origin(scheme: Scheme, host: &str) -> Destination {
    Destination::of(&format!("{}://{host}/", scheme.as_str())).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> HostRule {
        HostRule::parse(text).unwrap()
    }

    fn https(host: &str) -> Destination {
        origin(Scheme::Https, host)
    }

    #[test]
    fn a_host_is_compared_whole() {
        let stripe = rule("API.Stripe.com");
        assert_eq!(stripe.to_string(), "api.stripe.com");
        assert!(stripe.matches(&https("api.stripe.com")) && stripe.matches(&https("api.stripe.com:443")));
        for other in [
            "stripe.com",
            "xapi.stripe.com",
            "api.stripe.com.evil.example",
            "api.stripe.com:8443",
            "api.stripe.com.",
        ] {
            assert!(!stripe.matches(&https(other)), "{other}");
        }
        // The port is part of it: port 80 is another place.
        assert!(!stripe.matches(&origin(Scheme::Http, "api.stripe.com")));
        assert!(rule("bücher.example").matches(&https("xn--bcher-kva.example")));
        assert!(rule("localhost:3000").matches(&origin(Scheme::Http, "localhost:3000")));
        assert!(rule("h.example:443").matches(&https("h.example")));
        assert!(rule("[::1]:9").matches(&https("[0:0::1]:9")) && rule("[::1]").matches(&https("[::1]")));
        assert_eq!(rule("0x7f.1:80").to_string(), "127.0.0.1:80");
    }

    #[test]
    fn a_wildcard_is_one_label() {
        let any = rule("*.example.com");
        assert_eq!(any.to_string(), "*.example.com");
        assert!(any.matches(&https("a.example.com")));
        for other in ["example.com", "a.b.example.com", ".example.com", "a.example.com:444", "aexample.com"] {
            let Ok(other) = Destination::of(&format!("https://{other}/")) else { continue };
            assert!(!any.matches(&other), "{other}");
        }
    }

    #[test]
    fn what_is_no_host_is_told() {
        for bad in [
            "",
            "*",
            "*.",
            "*.com",
            "*.127.0.0.1",
            "*.[::1]",
            "a.*.com",
            "https://a.example",
            "a/b",
            "a b",
            "u@h",
            "h:x",
            "h:99999",
            "h:80/",
        ] {
            assert!(HostRule::parse(bad).is_err(), "{bad}");
        }
    }
}
