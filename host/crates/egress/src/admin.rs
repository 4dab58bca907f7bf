//! The command line's way to a chassis: one address, one request, texts for people.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use url::Url;
use zeroize::Zeroizing;

use crate::client::http_client;
use crate::error::Error;
use crate::resolver::is_localhost;
use crate::tls;

const TIMEOUT: Duration = Duration::from_secs(30);
/// The same for a request that brings an op: it waits for its turn and is compiled first, which the smallest can make
/// long. None is smaller than this.
const LARGE_TIMEOUT: Duration = Duration::from_secs(600);
const LARGE: usize = 2 << 10;
const MAX_REPLY_BYTES: usize = 8 * 1024 * 1024;

/// Why a call to the chassis has no answer. The texts are what the command line prints.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// `--chassis` or its variable.
    #[error("{0:?} is not the address of a chassis: expected http://HOST:PORT or https://HOST:PORT")]
    Address(String),
    /// Values are not sent in the clear (R32).
    #[error("refusing to send secrets to {0} over plain http; use https, or run the command on that machine")]
    Cleartext(String),
    /// Nobody there.
    #[error("can't connect to chassis at {url}: {why} — is the chassis running?")]
    Unreachable {
        /// The address of the chassis.
        url: String,
        /// The kind of failure.
        why: String,
    },
    /// Somebody there who does not answer.
    #[error("the chassis at {url} did not answer within {seconds} seconds{then}", seconds = after.as_secs())]
    Timeout {
        /// The address of the chassis.
        url: String,
        /// How long was waited.
        after: Duration,
        /// What that means for a change.
        then: &'static str,
    },
    /// More than an answer of a chassis ever is.
    #[error("the answer from {0} is larger than {MAX_REPLY_BYTES} bytes — is that a chassis?")]
    TooLarge(String),
    /// Not HTTP, or broken off.
    #[error("the answer from {0} broke off or is not HTTP — is that a chassis?")]
    Protocol(String),
    /// A fault of this crate.
    #[error("{0}")]
    Internal(#[from] Error),
}

impl AdminError {
    /// Whether the chassis was not there, and nothing was sent: soon it may be.
    #[must_use]
    pub fn is_nobody_there(&self) -> bool {
        let passes = ["connection refused", "connection reset", "connection aborted"];
        matches!(self, Self::Unreachable { why, .. } if passes.contains(&why.as_str()))
    }

    /// Whether the connection broke off, so that nobody knows what was done.
    #[must_use]
    pub const fn is_broken_off(&self) -> bool {
        matches!(self, Self::Protocol(_))
    }
}

/// An answer of the admin API. Its body may hold a generated value, so it is wiped when
/// dropped and not printed.
///
/// ```compile_fail,E0277
/// fn f(r: txco_egress::AdminReply) { let _ = format!("{r:?}"); }
/// ```
/// ```compile_fail,E0599
/// fn f(r: txco_egress::AdminReply) { let _ = r.clone(); }
/// ```
pub struct AdminReply {
    status: u16,
    reason: &'static str,
    server: String,
    cf_ray: String,
    retry_after: Option<Duration>,
    body: Zeroizing<Vec<u8>>,
}

impl AdminReply {
    /// The status code.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// Whether it is 2xx.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    /// How long the chassis asks to wait before the next try, in whole seconds.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The body as received.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The code of an error answer, when it has one.
    #[must_use]
    pub fn code(&self) -> Option<String> {
        self.error_object()?.get("error")?.as_str().map(str::to_owned)
    }

    /// What to tell a person about an answer that is no success:
    /// `404 Not Found: secret_not_found (detail=map[name:X])`.
    #[must_use]
    pub fn refusal(&self) -> String {
        let mut text = format!("{} {}", self.status, self.reason);
        text.truncate(text.trim_end().len());
        match self.error_object() {
            Some(object) => {
                let field = |name| object.get(name).and_then(serde_json::Value::as_str);
                let _ = write!(text, ": {}", field("error").unwrap_or_default());
                if let Some(message) = field("message").filter(|m| !m.is_empty()) {
                    let _ = write!(text, ": {message}");
                }
                if let Some(detail) = object.get("detail").filter(|d| !d.is_null()) {
                    let _ = write!(text, " (detail={})", mapped(detail));
                }
            }
            None => {
                let _ = write!(text, ": {}", String::from_utf8_lossy(&self.body));
            }
        }
        if self.status >= 500 {
            text.push_str(&self.origin());
        }
        // What a server says may not steer the terminal it is shown on.
        text.chars().filter(|c| !c.is_control() || *c == '\n').collect()
    }

    fn error_object(&self) -> Option<serde_json::Map<String, serde_json::Value>> {
        let parsed: serde_json::Value = serde_json::from_slice(&self.body).ok()?;
        parsed.as_object().filter(|o| o.contains_key("error")).cloned()
    }

    /// Whether a 5xx is the chassis's own or that of a proxy before it.
    fn origin(&self) -> String {
        let edge = self.error_object().is_none() && !self.cf_ray.is_empty();
        let mut text = format!(" [origin={}", if edge { "cloudflare-edge" } else { "worker" });
        if !self.cf_ray.is_empty() {
            let _ = write!(text, " cf-ray={}", self.cf_ray);
        }
        if !self.server.is_empty() {
            let _ = write!(text, " server={}", self.server);
        }
        text + "]"
    }
}

/// A JSON value in the notation the existing command line prints: `map[a:1 b:x]`.
fn mapped(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Object(object) => {
            let mut members: Vec<_> = object.iter().map(|(k, v)| format!("{k}:{}", mapped(v))).collect();
            members.sort();
            format!("map[{}]", members.join(" "))
        }
        serde_json::Value::Array(items) => {
            format!("[{}]", items.iter().map(mapped).collect::<Vec<_>>().join(" "))
        }
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Null => "<nil>".to_owned(),
        scalar @ (serde_json::Value::Bool(_) | serde_json::Value::Number(_)) => scalar.to_string(),
    }
}

/// Where a request goes, as it stands on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestLine {
    /// Host, and the port unless it is the scheme's own.
    pub authority: String,
    /// The path, percent-encoded.
    pub path: String,
    /// The query, when there is one.
    pub query: Option<String>,
}

/// A client for the admin API of one chassis. No proxy, no redirects.
#[derive(Debug, Clone)]
pub struct AdminClient {
    base: Url,
    shown: String,
    http: reqwest::Client,
    patience: Duration,
}

impl AdminClient {
    /// A client for the chassis at `base`, such as `http://127.0.0.1:8081`.
    ///
    /// # Errors
    /// [`AdminError::Address`].
    pub fn new(base: &str) -> Result<Self, AdminError> {
        let wrong = || AdminError::Address(without_user(base));
        let url = Url::parse(base).map_err(|_| wrong())?;
        let plain = url.username().is_empty() && url.password().is_none();
        let plain = plain && url.query().is_none() && url.fragment().is_none() && url.has_host();
        if !plain || !matches!(url.scheme(), "http" | "https") {
            return Err(wrong());
        }
        let shown = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { base: url, shown, http: http_client(tls::config(&[])?, None)?, patience: TIMEOUT })
    }

    /// The same, for a question that is not worth waiting long.
    #[must_use]
    pub fn patient_for(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The chassis's address, for messages.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.shown
    }

    /// Calls `method` on `path` (which begins with `/` and may have a query) with a JSON
    /// body, which is wiped after sending.
    ///
    /// # Errors
    /// [`AdminError`]; [`AdminError::Cleartext`] before anything is sent when the call
    /// could carry a value (anything but GET and DELETE) over plain http to another machine.
    pub async fn call(
        &self,
        method: &str,
        path: &str,
        json: Option<Zeroizing<Vec<u8>>>,
    ) -> Result<AdminReply, AdminError> {
        self.call_with(method, path, json, Vec::new()).await
    }

    /// What a request for `path` says of where it goes, as it stands on the wire: what a
    /// signature covers.
    ///
    /// # Errors
    /// [`AdminError::Internal`] for a path that makes no URL.
    pub fn line(&self, path: &str) -> Result<RequestLine, AdminError> {
        let url = self.url(path)?;
        let host = url.host_str().unwrap_or_default();
        let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        Ok(RequestLine { authority, path: url.path().to_owned(), query: url.query().map(str::to_owned) })
    }

    fn url(&self, path: &str) -> Result<Url, AdminError> {
        Url::parse(&format!("{}{path}", self.shown))
            .map_err(|_| AdminError::Internal(Error::Internal("a path that makes no URL")))
    }

    /// The same as [`Self::call`], with headers that say who calls.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn call_with(
        &self,
        method: &str,
        path: &str,
        json: Option<Zeroizing<Vec<u8>>>,
        headers: Vec<(&'static str, Zeroizing<String>)>,
    ) -> Result<AdminReply, AdminError> {
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_| AdminError::Internal(Error::Method(method.to_owned())))?;
        let carries_value = json.is_some() || !matches!(method, Method::GET | Method::HEAD | Method::DELETE);
        if carries_value && self.base.scheme() != "https" && !self.is_loopback() {
            return Err(AdminError::Cleartext(self.shown.clone()));
        }
        let mut request = reqwest::Request::new(method, self.url(path)?);
        for (name, text) in headers {
            let internal = |_| AdminError::Internal(Error::Internal("a header that cannot be sent"));
            let mut value = HeaderValue::from_str(&text).map_err(internal)?;
            value.set_sensitive(true);
            request.headers_mut().insert(name, value);
        }
        let is_look = matches!(*request.method(), Method::GET | Method::HEAD);
        let then = if is_look { "" } else { "; it may do it all the same: look before you ask again" };
        let after =
            if json.as_ref().is_some_and(|json| json.len() > LARGE) { LARGE_TIMEOUT } else { self.patience };
        if let Some(json) = json {
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            *request.body_mut() = Some(bytes::Bytes::from_owner(json).into());
        }
        tokio::time::timeout(after, self.exchange(request)).await.map_err(|_| AdminError::Timeout {
            url: self.shown.clone(),
            after,
            then,
        })?
    }

    async fn exchange(&self, request: reqwest::Request) -> Result<AdminReply, AdminError> {
        let mut response = self.http.execute(request).await.map_err(|e| self.classified(&e))?;
        let mut chunks = Vec::new();
        let mut size = 0_usize;
        while let Some(chunk) = response.chunk().await.map_err(|e| self.classified(&e))? {
            size = size.saturating_add(chunk.len());
            if size > MAX_REPLY_BYTES {
                return Err(AdminError::TooLarge(self.shown.clone()));
            }
            chunks.push(chunk);
        }
        let mut body = Zeroizing::new(Vec::with_capacity(size));
        chunks.iter().for_each(|chunk| body.extend_from_slice(chunk));
        let header = |name: &str| -> String {
            let value = response.headers().get(name).and_then(|v| v.to_str().ok());
            value.unwrap_or_default().chars().take(100).collect()
        };
        Ok(AdminReply {
            status: response.status().as_u16(),
            reason: response.status().canonical_reason().unwrap_or_default(),
            server: header("server"),
            cf_ray: header("cf-ray"),
            retry_after: header("retry-after").trim().parse().ok().map(Duration::from_secs),
            body,
        })
    }

    fn is_loopback(&self) -> bool {
        match self.base.host() {
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => IpAddr::V6(address).to_canonical().is_loopback(),
            Some(url::Host::Domain(name)) => is_localhost(name),
            None => false,
        }
    }

    fn classified(&self, error: &reqwest::Error) -> AdminError {
        if !error.is_connect() {
            return AdminError::Protocol(self.shown.clone());
        }
        let mut why = if error.is_dns() { "no such host" } else { "no connection" }.to_owned();
        let mut cause = std::error::Error::source(error);
        while let Some(at) = cause.filter(|_| !error.is_dns()) {
            if let Some(said) = tls::complaint(at).or_else(|| tls::io_kind(at).map(|kind| kind.to_string())) {
                why = said;
            }
            cause = at.source();
        }
        AdminError::Unreachable { url: self.shown.clone(), why }
    }
}

/// The address as typed, without what may be a password in it.
fn without_user(base: &str) -> String {
    match base.rsplit_once('@') {
        Some((_, rest)) => format!("…@{rest}"),
        None => base.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, reason: &'static str, body: &str) -> AdminReply {
        let body = Zeroizing::new(body.as_bytes().to_vec());
        AdminReply { status, reason, server: String::new(), cf_ray: String::new(), retry_after: None, body }
    }

    #[test]
    fn refusals_read_as_people_know_them() {
        let text = |status, reason, body| reply(status, reason, body).refusal();
        assert_eq!(
            text(404, "Not Found", r#"{"error":"secret_not_found"}"#),
            "404 Not Found: secret_not_found"
        );
        assert_eq!(
            text(400, "Bad Request", r#"{"error":"invalid_name","detail":{"hint":"use letters","a":1}}"#),
            "400 Bad Request: invalid_name (detail=map[a:1 hint:use letters])"
        );
        assert_eq!(
            text(403, "Forbidden", r#"{"error":"capability_denied","message":"needs secret:*:read"}"#),
            "403 Forbidden: capability_denied: needs secret:*:read"
        );
        assert_eq!(
            text(404, "Not Found", "404 page not found\n\x1b[2J"),
            "404 Not Found: 404 page not found\n[2J"
        );
        assert_eq!(
            text(503, "Service Unavailable", r#"{"error":"secret_store_unavailable"}"#),
            "503 Service Unavailable: secret_store_unavailable [origin=worker]"
        );
        let mut edge = reply(502, "Bad Gateway", "<html>");
        edge.cf_ray = "8f".to_owned();
        edge.server = "cloudflare".to_owned();
        assert_eq!(
            edge.refusal(),
            "502 Bad Gateway: <html> [origin=cloudflare-edge cf-ray=8f server=cloudflare]"
        );
    }

    #[test]
    fn an_address_is_checked() {
        for bad in ["", "127.0.0.1:8081", "ftp://h", "http://u:hunter2@h", "http://h/?q=1", "http://"] {
            let error = AdminClient::new(bad).err().map(|e| e.to_string()).unwrap_or_default();
            assert!(error.contains("not the address of a chassis"), "{bad}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert_eq!(AdminClient::new("http://127.0.0.1:8081/").unwrap().address(), "http://127.0.0.1:8081");
    }

    #[test]
    fn a_request_line_is_what_stands_on_the_wire() {
        for (base, authority) in [
            ("http://localhost:8081", "localhost:8081"),
            ("https://Chassis.Example:443", "chassis.example"),
            ("http://[::1]:80/", "[::1]"),
        ] {
            let line = AdminClient::new(base).unwrap().line("/v1/a%2Eb?stack=x%2Fy").unwrap();
            assert_eq!(line.authority, authority);
            assert_eq!((line.path.as_str(), line.query.as_deref()), ("/v1/a%2Eb", Some("stack=x%2Fy")));
        }
    }

    #[tokio::test]
    async fn values_do_not_travel_in_the_clear() {
        for host in ["http://10.0.0.1:8081", "http://chassis.example", "http://[2001:db8::1]:8081"] {
            let client = AdminClient::new(host).unwrap();
            let sent = client.call("POST", "/v1/x", Some(Zeroizing::new(b"{}".to_vec()))).await;
            assert!(matches!(sent, Err(AdminError::Cleartext(_))), "{host}");
            assert!(matches!(client.call("POST", "/v1/x", None).await, Err(AdminError::Cleartext(_))));
        }
        for host in ["http://localhost:8081", "http://127.0.0.1:8081", "http://[::1]:8081"] {
            assert!(AdminClient::new(host).unwrap().is_loopback(), "{host}");
        }
    }

    #[tokio::test]
    async fn nobody_there_is_said_plainly() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let client = AdminClient::new(&format!("http://{free}")).unwrap();
        let error = client.call("GET", "/v1/tenants", None).await.err().map(|e| e.to_string());
        let expected = format!(
            "can't connect to chassis at http://{free}: connection refused — is the chassis running?"
        );
        assert_eq!(error, Some(expected));
    }
}
