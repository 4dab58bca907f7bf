//! What the head of a request must say so that everybody on its way reads the same: whose it is, and where it ends.

use std::net::Ipv6Addr;

use axum::http::request::Parts;
use axum::http::{HeaderMap, Version, header};

/// Whether it is clear whose request this is: somebody on the way may look at another place than we do (RFC 9112 §3.2,
/// RFC 9113 §8.3.1).
pub(super) fn names_one_host(parts: &Parts) -> bool {
    let mut said = parts.headers.get_all(header::HOST).iter().map(|host| host.as_bytes());
    let target =
        parts.uri.authority().map(|authority| authority.as_str().rsplit('@').next().unwrap_or_default());
    match (said.next(), said.next(), target) {
        (Some(_), Some(_), _) => false,
        (Some(one), None, Some(target)) => is_host(one) && one.eq_ignore_ascii_case(target.as_bytes()),
        (Some(one), None, None) => is_host(one),
        // Of HTTP/1.1 the header is asked for, also where the target has it.
        (None, _, _) if parts.version == Version::HTTP_11 => false,
        (None, _, Some(target)) => is_host(target.as_bytes()),
        (None, _, None) => parts.version < Version::HTTP_11,
    }
}

/// `uri-host [ ":" port ]` (RFC 9110 §7.2); a host may be empty there.
fn is_host(text: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(text) else { return false };
    let (host, port) = match text.strip_prefix('[').map(|rest| rest.split_once(']')) {
        Some(Some((address, port))) if address.parse::<Ipv6Addr>().is_ok() => ("", port),
        Some(_) => return false,
        None => text.find(':').map_or((text, ""), |colon| text.split_at(colon)),
    };
    let stands = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%".contains(&byte);
    let is_escape =
        |rest: &str| matches!(rest.as_bytes(), [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit());
    host.bytes().all(stands)
        && host.split('%').skip(1).all(is_escape)
        && (port.is_empty()
            || port.strip_prefix(':').is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit())))
}

/// Whether the body lies there as it is, once or in chunks: of another coding, or of one over another, rules would see
/// what nobody meant (RFC 9112 §6.1).
pub(super) fn is_whole(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter().peekable();
    codings.peek().is_none() || {
        let named = codings.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
        let mut named = named.map(<[u8]>::trim_ascii).filter(|coding| !coding.is_empty());
        named.next().is_some_and(|coding| coding.eq_ignore_ascii_case(b"chunked")) && named.next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_those_of_the_grammar() {
        for good in [
            "a.example",
            "A_1.example.:8080",
            "localhost:",
            "127.0.0.1:80",
            "[::1]",
            "[2001:db8::1]:443",
            "",
            "a%2Db",
            "..",
        ] {
            assert!(is_host(good.as_bytes()), "{good}");
        }
        for bad in [
            "a b",
            "a/b",
            "u@a",
            "[::1",
            "[::1]x",
            "[::g]",
            "[::1%25lo]",
            "::1",
            "a:b",
            "a:80:80",
            "a?b",
            "a#b",
            "a\\b",
            "<a>",
            "a\"b",
            "a%2",
            "a%zz",
            "ä",
            "a\t",
        ] {
            assert!(!is_host(bad.as_bytes()), "{bad}");
        }
        assert!(!is_host(b"\xff"));
    }

    #[test]
    fn a_body_is_in_chunks_once() {
        let whole = |lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::TRANSFER_ENCODING, line.parse().unwrap());
            }
            is_whole(&headers)
        };
        assert!(whole(&[]) && whole(&["chunked"]) && whole(&[" Chunked"]) && whole(&[",chunked"]));
        for bad in [
            &["gzip, chunked"][..],
            &["chunked, chunked"],
            &["chunked", "chunked"],
            &["chunked", "identity"],
            &["identity"],
            &[""],
        ] {
            assert!(!whole(bad), "{bad:?}");
        }
    }
}
