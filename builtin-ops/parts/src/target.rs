//! Where a request goes: the parts of its URL as a signature covers them.

use alloc::string::String;

/// An absolute URL in the form in which it is sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// `https` or `http`.
    pub scheme: &'static str,
    /// The host in lower case, with the port unless it is the scheme's own.
    pub authority: String,
    /// The path, `/` when the URL has none.
    pub path: &'a str,
    /// What follows the question mark, if there is one.
    pub query: Option<&'a str>,
}

/// What a path and a query may consist of beside letters and digits. Of everything else an
/// HTTP client makes percent-escapes, and the signature would be of another URL.
const SENT: &[u8] = b"-._~:/@!$&()*+,;=%";

impl<'a> Target<'a> {
    /// Reads a URL; `None` when it is none, or would be sent in another form than this.
    #[must_use]
    pub fn parse(url: &'a str) -> Option<Self> {
        let (scheme, own_port, rest) = match url.strip_prefix("https://") {
            Some(rest) => ("https", ":443", rest),
            None => ("http", ":80", url.strip_prefix("http://")?),
        };
        let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        let path = if path.is_empty() { "/" } else { path };
        let authority = authority.strip_suffix(own_port).unwrap_or(authority);
        let host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
        let sent = |byte: u8| byte.is_ascii_alphanumeric() || SENT.contains(&byte);
        let as_it_is = !authority.is_empty()
            && authority.bytes().all(host)
            && path.bytes().all(sent)
            && query.is_none_or(|query| query.bytes().all(|byte| sent(byte) || byte == b'?'))
            && !path.split('/').any(is_dots);
        as_it_is.then(|| Self { scheme, authority: authority.to_ascii_lowercase(), path, query })
    }
}

/// Whether a segment of a path goes away before it is sent.
fn is_dots(segment: &str) -> bool {
    matches!(segment.to_ascii_lowercase().as_str(), "." | ".." | "%2e" | ".%2e" | "%2e." | "%2e%2e")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> Option<(&'static str, String, &str, Option<&str>)> {
        Target::parse(url).map(|t| (t.scheme, t.authority, t.path, t.query))
    }

    #[test]
    fn a_url_is_taken_apart() {
        let host = || "api.example.com".to_owned();
        assert_eq!(parsed("https://api.example.com"), Some(("https", host(), "/", None)));
        assert_eq!(parsed("https://API.example.com:443/a/b"), Some(("https", host(), "/a/b", None)));
        assert_eq!(parsed("http://api.example.com:80?a=%20"), Some(("http", host(), "/", Some("a=%20"))));
        let ported = "api.example.com:8443".to_owned();
        assert_eq!(parsed("https://api.example.com:8443/?"), Some(("https", ported, "/", Some(""))));
        assert_eq!(parsed("https://[::1]/a?b?c").map(|t| t.3), Some(Some("b?c")));
    }

    #[test]
    fn what_would_be_sent_in_another_form_is_none() {
        for url in [
            "",
            "api.example.com/a",
            "ftp://api.example.com/",
            "HTTPS://api.example.com/",
            "https:///a",
            "https://user@api.example.com/",
            "https://api.example.com/a b",
            "https://api.example.com/é",
            "https://api.example.com/a\\b",
            "https://api.example.com/#a",
            "https://api.example.com/a?b='c'",
            "https://api.example.com/a?b\n",
            "https://api.example.com/a/../b",
            "https://api.example.com/./b",
            "https://api.example.com/%2e%2E/b",
        ] {
            assert_eq!(parsed(url), None, "{url}");
        }
    }
}
