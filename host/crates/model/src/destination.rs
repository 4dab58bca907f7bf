//! Where a request goes: scheme, host and port, compared whole.

use std::fmt;

/// The two schemes the house speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Cleartext; secrets travel over it only where policy says so.
    Http,
    /// TLS.
    Https,
}

impl Scheme {
    /// As in a URL, without the colon.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// Why a URL has no destination.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DestinationError {
    /// Not a URL (WHATWG URL Standard).
    #[error("not a URL")]
    NotAUrl,
    /// Neither `http` nor `https`.
    #[error("only http:// and https:// URLs can be called")]
    Scheme,
    /// Nobody to call.
    #[error("the URL names no host")]
    NoHost,
    /// `user:password@` in the URL would be a credential outside the secret store.
    #[error("a URL with user:password@ is refused; use a secret")]
    UserInfo,
}

/// An origin (RFC 6454): what a secret may be bound to. Nothing else of a URL is in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Destination {
    scheme: Scheme,
    host: String,
    port: u16,
}

impl Destination {
    /// The origin of `url`; the host is lower-case, internationalised names as A-labels,
    /// IPv4 in every spelling as dotted decimal, IPv6 in brackets.
    ///
    /// # Errors
    /// [`DestinationError`] with the reason.
    pub fn of(url: &str) -> Result<Self, DestinationError> {
        let url = url::Url::parse(url).map_err(|_| DestinationError::NotAUrl)?;
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(DestinationError::Scheme),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(DestinationError::UserInfo);
        }
        let host = url.host_str().filter(|h| !h.is_empty()).ok_or(DestinationError::NoHost)?;
        let port = url.port_or_known_default().ok_or(DestinationError::NoHost)?;
        Ok(Self { scheme, host: host.to_owned(), port })
    }

    /// The scheme.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host, normalised.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, filled in from the scheme when the URL had none.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.host)?;
        match (self.scheme, self.port) {
            (Scheme::Http, 80) | (Scheme::Https, 443) => Ok(()),
            (_, port) => write!(f, ":{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_and_nothing_else() {
        let d = Destination::of("HTTPS://API.Stripe.com/v1/charges?x=1#f").unwrap();
        assert_eq!(d.to_string(), "https://api.stripe.com");
        assert_eq!(Destination::of("http://0x7f.1:8080/").unwrap().to_string(), "http://127.0.0.1:8080");
        assert_eq!(Destination::of("https://bücher.example/").unwrap().host(), "xn--bcher-kva.example");
        assert_eq!(Destination::of("https://u:p@h/"), Err(DestinationError::UserInfo));
        assert_eq!(Destination::of("ftp://h/"), Err(DestinationError::Scheme));
        assert_eq!(Destination::of("nonsense"), Err(DestinationError::NotAUrl));
        assert_eq!(Destination::of("https:///"), Err(DestinationError::NotAUrl));
    }
}
