//! An HTTP request becomes the envelope that rules see.

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Version, header};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use model::{Envelope, Object, RequestId, StackName, TenantSlug, Value};

/// A request as it arrived, and to whom it belongs.
pub(super) struct Arrived<'a> {
    pub(super) request: &'a RequestId,
    pub(super) tenant: &'a TenantSlug,
    pub(super) stack: &'a StackName,
    pub(super) at: Timestamp,
    pub(super) parts: &'a Parts,
    pub(super) body: Bytes,
}

/// The query string is not `application/x-www-form-urlencoded`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the query string has a broken %-escape or a bare semicolon")]
pub(super) struct QueryInvalid;

impl Arrived<'_> {
    /// The envelope: `_ts`, `_txc` with what came in, and `body`, which remembers its bytes
    /// as received for as long as no rule writes to it (R4).
    pub(super) fn into_envelope(self) -> Result<Envelope, QueryInvalid> {
        let mut request = Object::default();
        request.insert("method", Value::from(self.parts.method.as_str()));
        request.insert("proto", Value::from(protocol(self.parts.version)));
        request.insert("host", Value::from(host(self.parts)));
        request.insert("headers", Value::Object(headers(&self.parts.headers)));
        let cookies = cookies(&self.parts.headers);
        if !cookies.is_empty() {
            request.insert("cookies", Value::Object(cookies));
        }
        request.insert("url", Value::Object(url(self.parts)?));
        if !self.body.is_empty() {
            request.insert("body", Value::from(BASE64_STANDARD.encode(&self.body)));
        }
        let control: Object = [
            ("src", Value::from("http")),
            ("rid", Value::from(self.request.as_str())),
            ("tenant", Value::from(self.tenant.as_str())),
            ("stack", Value::from(self.stack.as_str())),
            ("web", [("req", Value::Object(request))].into_iter().collect()),
        ]
        .into_iter()
        .collect();
        let document: Object = [("_ts", Value::from(self.at.to_string())), ("_txc", Value::Object(control))]
            .into_iter()
            .collect();
        // An object is always an envelope.
        let mut envelope = Envelope::new(Value::Object(document)).unwrap_or_default();
        if !self.body.is_empty() {
            envelope.receive_body(body(&self.parts.headers, &self.body), Arc::from(self.body.as_ref()));
        }
        Ok(envelope)
    }
}

/// The mocks that a client asks for: patterns of rules, separated by commas.
pub(super) fn choose_mocks(envelope: &mut Envelope, headers: &HeaderMap) {
    let asked: Vec<String> = headers.get_all("x-txco-mocks").iter().map(|v| text(v.as_bytes())).collect();
    if !asked.is_empty()
        && let Ok(path) = model::Path::from_segments(["_txc", "mocks"])
    {
        // `_txc` is an object here, so it can be written.
        let _infallible = envelope.set(&path, Value::from(asked.join(",")));
    }
}

/// The body as rules see it: parsed where the client says JSON and it is, otherwise text;
/// nothing when it is not text (its base64 is in `_txc.web.req.body`, and ops read its bytes).
fn body(headers: &HeaderMap, bytes: &[u8]) -> Option<Value> {
    if says_json(headers)
        && let Ok(value) = Value::parse(bytes)
    {
        return Some(value);
    }
    std::str::from_utf8(bytes).ok().map(Value::from)
}

/// `application/json`, `application/problem+json`, `text/json; charset=utf-8` …
fn says_json(headers: &HeaderMap) -> bool {
    let Some(text) = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()) else { return false };
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.split_once('/').is_some_and(|(_, subtype)| subtype == "json" || subtype.ends_with("+json"))
}

/// The host as it was asked for.
pub(super) fn host(parts: &Parts) -> String {
    match parts.headers.get(header::HOST) {
        Some(value) => text(value.as_bytes()),
        None => parts.uri.authority().map(ToString::to_string).unwrap_or_default(),
    }
}

/// As Go's `Request.Proto` says it.
const fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        Version::HTTP_3 => "HTTP/3.0",
        _ => "HTTP/1.1",
    }
}

/// Canonical names, arrays of values; `Host` is not among them.
fn headers(headers: &HeaderMap) -> Object {
    let mut object = Object::default();
    for (name, value) in headers.iter().filter(|(name, _)| *name != header::HOST) {
        push(&mut object, &canonical(name.as_str()), text(value.as_bytes()));
    }
    object
}

/// `stripe-signature` as rules write it: `Stripe-Signature`.
pub(super) fn canonical(name: &str) -> String {
    let mut capital = true;
    let mut written = String::with_capacity(name.len());
    for c in name.chars() {
        written.push(if capital { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() });
        capital = c == '-';
    }
    written
}

fn cookies(headers: &HeaderMap) -> Object {
    let mut object = Object::default();
    for header in headers.get_all(header::COOKIE) {
        for pair in text(header.as_bytes()).split(';') {
            if let Some((name, value)) = pair.trim().split_once('=')
                && !name.is_empty()
            {
                let value = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value);
                push(&mut object, name, value.to_owned());
            }
        }
    }
    object
}

/// HTTP/2 always names scheme and authority (RFC 9113 §8.3.1); what a client asked for is
/// then the path and query, as in the origin form of HTTP/1.1.
fn url(parts: &Parts) -> Result<Object, QueryInvalid> {
    let uri = &parts.uri;
    let absolute = parts.version < Version::HTTP_2;
    let origin_form = || uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let mut url = Object::default();
    let mut put = |key: &str, text: &str| {
        if !text.is_empty() {
            url.insert(key, Value::from(text));
        }
    };
    put("full", &if absolute { uri.to_string() } else { origin_form() });
    if let Some(authority) = uri.authority().filter(|_| absolute) {
        put("scheme", uri.scheme_str().unwrap_or_default());
        let user = authority.as_str().rsplit_once('@').map_or("", |(user, _)| user);
        put("user", user.split(':').next().unwrap_or_default());
        put("hostname", authority.host());
        put("port", authority.port().map(|p| p.to_string()).unwrap_or_default().as_str());
    }
    let path = decoded(uri.path(), Plus::Literal).map_or_else(|| uri.path().to_owned(), |bytes| text(&bytes));
    put("path", &path);
    if let Some(raw) = uri.query().filter(|raw| !raw.is_empty()) {
        url.insert("query", Value::Object(query(raw)?));
    }
    Ok(url)
}

fn query(raw: &str) -> Result<Object, QueryInvalid> {
    let mut object = Object::default();
    for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
        if pair.contains(';') {
            return Err(QueryInvalid);
        }
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let key = decoded(key, Plus::Space).ok_or(QueryInvalid)?;
        let value = decoded(value, Plus::Space).ok_or(QueryInvalid)?;
        push(&mut object, &text(&key), text(&value));
    }
    object.insert("raw", Value::from(raw));
    Ok(object)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Plus {
    Space,
    Literal,
}

/// Undoes %-escapes; nothing when one is broken.
fn decoded(text: &str, plus: Plus) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let digit = |b: Option<u8>| char::from(b?).to_digit(16);
                let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
                u8::try_from(high * 16 + low).ok()?
            }
            b'+' if plus == Plus::Space => b' ',
            other => other,
        });
    }
    Some(out)
}

/// Bytes of a header or URL as text; what is not UTF-8 becomes U+FFFD.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn push(object: &mut Object, key: &str, value: String) {
    let member = object.member(key);
    if let Value::Array(items) = member {
        items.push(Value::from(value));
    } else {
        *member = Value::Array(vec![Value::from(value)]);
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use model::Path;

    use super::*;

    fn arrived(request: Request<&[u8]>) -> Result<Envelope, QueryInvalid> {
        let (parts, body) = request.into_parts();
        let at: Timestamp = "2026-11-23T18:00:00Z".parse().unwrap();
        Arrived {
            request: &RequestId::parse("req_1111111111111111111111").unwrap(),
            tenant: &TenantSlug::default_tenant(),
            stack: &StackName::parse("shop").unwrap(),
            at,
            parts: &parts,
            body: Bytes::copy_from_slice(body),
        }
        .into_envelope()
    }

    fn at(envelope: &Envelope, path: &str) -> Option<String> {
        envelope.get(&Path::parse(path).unwrap()).map(Value::to_json)
    }

    fn post(content_type: &str, body: &'static [u8]) -> Envelope {
        arrived(Request::post("/").header("content-type", content_type).body(body).unwrap()).unwrap()
    }

    #[test]
    fn the_specification_table() {
        let request = Request::post("/a%20b/c?q=1&q=x+y&raw=z&flag")
            .header("host", "shop.example:8080")
            .header("stripe-signature", "t=1")
            .header("x-twice", "1")
            .header("x-twice", "2")
            .header("cookie", "a=1; b=\"2\"; a=3")
            .header("x-request-id", "../../etc")
            .body(&b"hi"[..])
            .unwrap();
        let envelope = arrived(request).unwrap();
        for (path, want) in [
            ("_ts", r#""2026-11-23T18:00:00Z""#),
            ("_txc.src", r#""http""#),
            ("_txc.rid", r#""req_1111111111111111111111""#),
            ("_txc.tenant", r#""default""#),
            ("_txc.stack", r#""shop""#),
            ("_txc.web.req.method", r#""POST""#),
            ("_txc.web.req.proto", r#""HTTP/1.1""#),
            ("_txc.web.req.host", r#""shop.example:8080""#),
            ("_txc.web.req.headers.Stripe-Signature.0", r#""t=1""#),
            ("_txc.web.req.headers.X-Twice", r#"["1","2"]"#),
            ("_txc.web.req.headers.X-Request-Id.0", r#""../../etc""#),
            ("_txc.web.req.cookies", r#"{"a":["1","3"],"b":["2"]}"#),
            ("_txc.web.req.url.full", r#""/a%20b/c?q=1&q=x+y&raw=z&flag""#),
            ("_txc.web.req.url.path", r#""/a b/c""#),
            ("_txc.web.req.url.query", r#"{"q":["1","x y"],"raw":"q=1&q=x+y&raw=z&flag","flag":[""]}"#),
            ("_txc.web.req.body", r#""aGk=""#),
            ("body", r#""hi""#),
        ] {
            assert_eq!(at(&envelope, path).as_deref(), Some(want), "{path}");
        }
        for path in ["_txc.web.req.headers.Host", "_txc.web.req.url.scheme", "_txc.web.req.url.hostname"] {
            assert_eq!(at(&envelope, path), None, "{path}");
        }
    }

    #[test]
    fn a_body_is_json_when_the_client_says_so_and_it_is() {
        for json in ["application/json", "Application/JSON; charset=utf-8", "application/cloudevents+json"] {
            assert_eq!(at(&post(json, b" {\"a\" : 1}"), "body").as_deref(), Some(r#"{"a":1}"#), "{json}");
        }
        assert_eq!(at(&post("text/plain", b"{\"a\":1}"), "body").as_deref(), Some(r#""{\"a\":1}""#));
        assert_eq!(at(&post("application/json", b"{\"a\":"), "body").as_deref(), Some(r#""{\"a\":""#));
        assert_eq!(at(&post("application/octet-stream", &[0xff, 0xfe]), "body"), None);
        assert_eq!(
            at(&post("application/octet-stream", &[0xff]), "_txc.web.req.body").as_deref(),
            Some(r#""/w==""#)
        );
    }

    #[test]
    fn the_bytes_of_a_body_stay_as_received() {
        let body = Path::parse("body").unwrap();
        let envelope = post("application/json", b" {\"a\" : 1.50}\n");
        assert_eq!(envelope.bytes(&body).unwrap().as_ref(), b" {\"a\" : 1.50}\n");
    }

    #[test]
    fn an_empty_body_is_absent() {
        let envelope = arrived(Request::get("/").body(&b""[..]).unwrap()).unwrap();
        for path in ["body", "_txc.web.req.body", "_txc.web.req.cookies", "_txc.web.req.url.query"] {
            assert_eq!(at(&envelope, path), None, "{path}");
        }
    }

    #[test]
    fn a_broken_query_is_refused() {
        for uri in ["/?a=%zz", "/?a=%4", "/?a;b"] {
            assert_eq!(arrived(Request::get(uri).body(&b""[..]).unwrap()), Err(QueryInvalid), "{uri}");
        }
    }

    #[test]
    fn an_absolute_uri_is_taken_apart() {
        let envelope = arrived(Request::get("http://u:p@shop.example:81/x").body(&b""[..]).unwrap()).unwrap();
        for (path, want) in
            [("scheme", "http"), ("user", "u"), ("hostname", "shop.example"), ("port", "81"), ("path", "/x")]
        {
            let got = at(&envelope, &format!("_txc.web.req.url.{path}"));
            assert_eq!(got, Some(format!("{want:?}")), "{path}");
        }
    }

    #[test]
    fn over_http_2_it_looks_the_same() {
        let request =
            Request::get("http://shop.example/x?q=1").version(Version::HTTP_2).body(&b""[..]).unwrap();
        let envelope = arrived(request).unwrap();
        for (path, want) in [
            ("proto", Some(r#""HTTP/2.0""#)),
            ("host", Some(r#""shop.example""#)),
            ("url.full", Some(r#""/x?q=1""#)),
            ("url.scheme", None),
            ("url.hostname", None),
        ] {
            assert_eq!(at(&envelope, &format!("_txc.web.req.{path}")).as_deref(), want, "{path}");
        }
    }
}
