//! The demo's partner: a TLS server on loopback that records what it gets and checks it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{Request, Response, StatusCode, header};
use axum::serve::Listener;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::Sha256;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// What the partner agreed on with the merchant, out of band.
pub(super) struct Agreed {
    pub(super) webhook_secret: String,
    pub(super) api_key: String,
    pub(super) client_secret: String,
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(super) struct Received {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
    pub(super) verdict: Verdict,
    pub(super) reply: String,
}

/// What the partner found when it checked the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub(super) struct Verdict {
    /// The HMAC, computed here from the bytes received, is the one in the header.
    pub(super) signature: bool,
    /// How many bytes the signature covers.
    pub(super) signed_bytes: usize,
    /// `authorization` is exactly `Bearer ` and the key.
    pub(super) api_key: bool,
    /// `client_secret` in the body is exactly the one agreed on.
    pub(super) client_secret: bool,
}

impl Verdict {
    pub(super) const fn good(self) -> bool {
        self.signature && self.api_key && self.client_secret
    }
}

/// The running partner; it stops when this is dropped.
pub(super) struct Upstream {
    pub(super) address: SocketAddr,
    /// The certificate to trust, as PEM.
    pub(super) certificate: String,
    received: Arc<Mutex<Vec<Received>>>,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Upstream {
    /// Starts it on a free loopback port, with a certificate of its own for `host`.
    pub(super) async fn start(host: &str, agreed: Agreed) -> std::io::Result<Self> {
        let own = rcgen::generate_simple_self_signed([host.to_owned()]).map_err(std::io::Error::other)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(own.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(std::io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key)
            .map_err(std::io::Error::other)?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let received = Arc::new(Mutex::new(Vec::new()));
        let desk = Arc::new(Desk { agreed, received: Arc::clone(&received) });
        let router = Router::new().fallback(receive).with_state(desk);
        let tls = TlsListener { listener, acceptor: TlsAcceptor::from(Arc::new(tls)) };
        let serving = tokio::spawn(async move {
            // It ends only with the task.
            let _ended: std::io::Result<()> = axum::serve(tls, router).await;
        });
        Ok(Self { address, certificate: own.cert.pem(), received, serving })
    }

    /// Every request so far.
    pub(super) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

struct Desk {
    agreed: Agreed,
    received: Arc<Mutex<Vec<Received>>>,
}

async fn receive(State(desk): State<Arc<Desk>>, request: Request<Body>) -> Response<Body> {
    const MOST: usize = 1 << 20;
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, MOST).await.unwrap_or_default();
    let verdict = desk.agreed.check(&parts, &body);
    let (status, reply) = if verdict.good() {
        (StatusCode::OK, r#"{"accepted":true}"#)
    } else {
        (StatusCode::UNAUTHORIZED, r#"{"accepted":false}"#)
    };
    desk.received.lock().unwrap_or_else(PoisonError::into_inner).push(Received {
        method: parts.method.to_string(),
        path: parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        headers: parts.headers.iter().map(|(n, v)| (n.to_string(), lossy(v.as_bytes()))).collect(),
        body: lossy(&body),
        verdict,
        reply: format!("{status}\ncontent-type: application/json\n\n{reply}"),
    });
    let mut response = Response::new(Body::from(reply));
    *response.status_mut() = status;
    let json = axum::http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

/// The part of a delivery that the partner reads; `order` as it stands in the body.
#[derive(Deserialize)]
struct Delivery<'a> {
    #[serde(borrow)]
    order: &'a RawValue,
    client_secret: String,
}

impl Agreed {
    fn check(&self, parts: &Parts, body: &Bytes) -> Verdict {
        let header = |name: &str| parts.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let delivery: Option<Delivery<'_>> = serde_json::from_slice(body).ok();
        let signed = delivery.as_ref().map_or("", |d| d.order.get());
        Verdict {
            signature: !signed.is_empty() && self.signed(signed, header("x-signature")),
            signed_bytes: signed.len(),
            api_key: header("authorization").strip_prefix("Bearer ") == Some(self.api_key.as_str()),
            client_secret: delivery.is_some_and(|d| d.client_secret == self.client_secret),
        }
    }

    /// HMAC-SHA256 computed here, natively: the guest's result is not taken on trust.
    fn signed(&self, text: &str, header: &str) -> bool {
        let Some(claimed) = header.strip_prefix("sha256=").and_then(from_hex) else { return false };
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.webhook_secret.as_bytes()) else {
            return false;
        };
        mac.update(text.as_bytes());
        mac.verify_slice(&claimed).is_ok()
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> = text.chars().map(|c| c.to_digit(16)).collect::<Option<_>>()?;
    digits
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => u8::try_from(high * 16 + low).ok(),
            _ => None,
        })
        .collect()
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

struct TlsListener {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, peer) = Listener::accept(&mut self.listener).await;
            // A failed handshake is the other side's business: the chassis reports it.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, peer);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agreed() -> Agreed {
        Agreed {
            webhook_secret: "key".to_owned(),
            api_key: "api".to_owned(),
            client_secret: "client".to_owned(),
        }
    }

    fn check(authorization: &str, signature: &str, body: &'static str) -> Verdict {
        let request = Request::post("/orders")
            .header("authorization", authorization)
            .header("x-signature", signature)
            .body(())
            .unwrap();
        agreed().check(&request.into_parts().0, &Bytes::from_static(body.as_bytes()))
    }

    /// `printf '{"id": 7}' | openssl dgst -sha256 -hmac key`
    const SIGNATURE: &str = "sha256=be7b9a776d97265c53b1cbfb567cde27f00a0a2ec44547419035f1409aec2c46";
    const BODY: &str = r#"{"client_secret":"client","order":{"id": 7}}"#;

    #[test]
    fn the_text_of_the_order_is_what_is_verified() {
        let verdict = check("Bearer api", SIGNATURE, BODY);
        assert_eq!(verdict, Verdict { signature: true, signed_bytes: 9, api_key: true, client_secret: true });
    }

    #[test]
    fn each_fault_is_found() {
        assert!(!check("Bearer api", SIGNATURE, r#"{"client_secret":"client","order":{"id":7}}"#).signature);
        assert!(!check("Bearer api", &SIGNATURE[..70], BODY).signature);
        assert!(!check("Bearer api", "", BODY).signature);
        assert!(!check("Bearer api2", SIGNATURE, BODY).api_key);
        assert!(!check("api", SIGNATURE, BODY).api_key);
        assert!(!check("Bearer api", SIGNATURE, r#"{"client_secret":"x","order":1}"#).client_secret);
        assert!(!check("Bearer api", SIGNATURE, "not json").good());
    }
}
