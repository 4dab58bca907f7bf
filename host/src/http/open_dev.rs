//! The gate of open access: only somebody working on this very machine comes through (R32).

use std::net::SocketAddr;

use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use crate::admin::{AdminError, Denial};

/// Whether a request brings a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Payload {
    /// It does.
    Present,
    /// It does not.
    Absent,
}

/// Headers by which a proxy says that it speaks for somebody else.
const FORWARDING: &[&str] = &[
    "forwarded",
    "via",
    "x-real-ip",
    "x-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "fastly-client-ip",
];
/// The same, as prefixes.
const FORWARDING_PREFIXES: &[&str] = &["x-forwarded-", "x-original-"];

/// Lets a request in, or says what is wrong with it.
pub(super) fn admit(parts: &Parts, peer: SocketAddr) -> Result<(), AdminError> {
    deny(!peer.ip().to_canonical().is_loopback(), Denial::Peer)?;
    deny(!host_is_local(parts), Denial::Host)?;
    deny(parts.headers.contains_key(header::ORIGIN), Denial::Origin)?;
    deny(is_forwarded(&parts.headers), Denial::Forwarded)
}

/// Refuses a body of a type that a web page can send without being asked.
pub(super) fn check_payload(parts: &Parts, payload: Payload) -> Result<(), AdminError> {
    if payload == Payload::Present && !is_json(&parts.headers) {
        return Err(AdminError::JsonRequired);
    }
    Ok(())
}

fn deny(when: bool, denial: Denial) -> Result<(), AdminError> {
    if when { Err(AdminError::Denied(denial)) } else { Ok(()) }
}

/// Whether every host that the request names is this machine: the `Host` header, of which
/// there must be exactly one, or the authority of HTTP/2.
fn host_is_local(parts: &Parts) -> bool {
    let mut hosts: Vec<&str> = Vec::new();
    for value in parts.headers.get_all(header::HOST) {
        match value.to_str() {
            Ok(host) => hosts.push(host),
            Err(_) => return false,
        }
    }
    hosts.extend(parts.uri.authority().map(axum::http::uri::Authority::as_str));
    !hosts.is_empty()
        && parts.headers.get_all(header::HOST).iter().count() <= 1
        && hosts.into_iter().all(is_local)
}

/// `localhost`, `127.0.0.1` or `[::1]`, with or without a port, and nothing else.
fn is_local(host: &str) -> bool {
    let rest = ["localhost", "127.0.0.1", "[::1]"].into_iter().find_map(|name| {
        let head = host.get(..name.len())?;
        head.eq_ignore_ascii_case(name).then(|| host.get(name.len()..)).flatten()
    });
    match rest {
        Some("") => true,
        Some(rest) => rest.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok()),
        None => false,
    }
}

fn is_forwarded(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| {
        let name = name.as_str();
        FORWARDING.contains(&name) || FORWARDING_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(only), None) = (types.next(), types.next()) else { return false };
    let essence = only.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    const HERE: &str = "127.0.0.1:5000";

    fn admitted(peer: &str, headers: &[(&str, &str)]) -> Result<(), &'static str> {
        let body = headers
            .iter()
            .any(|(name, value)| *name == "content-type" || (*name == "content-length" && *value != "0"));
        let payload = if body { Payload::Present } else { Payload::Absent };
        let mut request = Request::builder().method("POST").uri("/v1/tenants");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        admit(&parts, peer.parse().unwrap())
            .and_then(|()| check_payload(&parts, payload))
            .map_err(|error| denied(&error))
    }

    fn denied(error: &AdminError) -> &'static str {
        if matches!(error, AdminError::JsonRequired) {
            return "json";
        }
        let AdminError::Denied(denial) = error else { return "other" };
        match denial {
            Denial::Peer => "peer",
            Denial::Host => "host",
            Denial::Origin => "origin",
            Denial::Forwarded => "forwarded",
            Denial::Enrolled | Denial::Unreadable => "enrolled",
        }
    }

    #[test]
    fn somebody_on_this_machine_comes_in() {
        for (peer, host) in [
            (HERE, "localhost:8081"),
            (HERE, "LOCALHOST"),
            (HERE, "127.0.0.1:8081"),
            ("[::1]:5000", "[::1]:8081"),
            ("[::ffff:127.0.0.1]:5000", "localhost"),
        ] {
            assert_eq!(admitted(peer, &[("host", host)]), Ok(()), "{peer} {host}");
        }
    }

    #[test]
    fn another_machine_does_not() {
        for peer in ["10.0.0.1:5000", "[2001:db8::1]:5000", "[::ffff:10.0.0.1]:5000"] {
            assert_eq!(admitted(peer, &[("host", "localhost")]), Err("peer"), "{peer}");
        }
    }

    #[test]
    fn a_rebound_name_does_not() {
        for host in [
            "evil.example",
            "localhost.evil.example",
            "localhost:8081.evil",
            "127.0.0.1.evil.example",
            "127.0.0.2",
            "[::1].evil",
            "localhost:",
            "0.0.0.0",
            "localhost:99999",
            "",
        ] {
            assert_eq!(admitted(HERE, &[("host", host)]), Err("host"), "{host:?}");
        }
        assert_eq!(admitted(HERE, &[]), Err("host"));
        assert_eq!(admitted(HERE, &[("host", "localhost"), ("host", "localhost")]), Err("host"));
    }

    #[test]
    fn a_web_page_does_not() {
        let page = [("host", "localhost"), ("origin", "http://localhost:8081")];
        assert_eq!(admitted(HERE, &page), Err("origin"));
        let form = [("host", "localhost"), ("content-length", "5"), ("content-type", "text/plain")];
        assert_eq!(admitted(HERE, &form), Err("json"));
        assert_eq!(admitted(HERE, &[("host", "localhost"), ("content-length", "5")]), Err("json"));
        let twice = [
            ("host", "localhost"),
            ("content-length", "5"),
            ("content-type", "application/json"),
            ("content-type", "text/plain"),
        ];
        assert_eq!(admitted(HERE, &twice), Err("json"));
        let json = [
            ("host", "localhost"),
            ("content-length", "5"),
            ("content-type", "Application/JSON; charset=utf-8"),
        ];
        assert_eq!(admitted(HERE, &json), Ok(()));
        assert_eq!(admitted(HERE, &[("host", "localhost"), ("content-length", "0")]), Ok(()));
    }

    #[test]
    fn a_proxy_does_not() {
        for name in
            ["Forwarded", "X-Forwarded-For", "X-Forwarded-Anything", "Via", "X-Real-IP", "CF-Connecting-IP"]
        {
            assert_eq!(admitted(HERE, &[("host", "localhost"), (name, "x")]), Err("forwarded"), "{name}");
        }
    }
}
