//! A recording server on loopback that answers what it is told, with or without TLS.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Arrived {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Arrived {
    /// The values of header `name`.
    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v).collect()
    }
}

type Answer = Arc<dyn Fn(&Arrived) -> Option<Vec<u8>> + Send + Sync>;

pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    /// The certificate to trust, when it speaks TLS.
    pub(crate) ca: Vec<u8>,
    arrived: Arc<Mutex<Vec<Arrived>>>,
}

impl Upstream {
    /// Answers every request with `answer`; `None` keeps the connection open and silent.
    pub(crate) async fn http(answer: impl Fn(&Arrived) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        Self::start(None, answer).await
    }

    /// The same over TLS as `name`.
    pub(crate) async fn https(
        name: &str,
        answer: impl Fn(&Arrived) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        Self::start(Some(name), answer).await
    }

    async fn start(
        tls: Option<&str>,
        answer: impl Fn(&Arrived) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        let (acceptor, ca) = tls.map(acceptor).unzip();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let arrived = Arc::new(Mutex::new(Vec::new()));
        let (answer, seen): (Answer, _) = (Arc::new(answer), Arc::clone(&arrived));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, seen, acceptor) = (Arc::clone(&answer), Arc::clone(&seen), acceptor.clone());
                tokio::spawn(async move {
                    match acceptor {
                        None => serve(stream, &answer, &seen).await,
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                serve(stream, &answer, &seen).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, ca: ca.unwrap_or_default(), arrived }
    }

    /// What arrived so far.
    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        self.arrived.lock().unwrap().clone()
    }

    /// The only request that arrived.
    pub(crate) fn only(&self) -> Arrived {
        let arrived = self.arrived();
        assert_eq!(arrived.len(), 1, "{arrived:?}");
        arrived[0].clone()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

/// A reply with a body and extra header lines.
pub(crate) fn reply(status: &str, headers: &str, body: &[u8]) -> Option<Vec<u8>> {
    let head =
        format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    Some([head.as_bytes(), body].concat())
}

fn acceptor(name: &str) -> (TlsAcceptor, Vec<u8>) {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), made.cert.pem().into_bytes())
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &Answer, seen: &Mutex<Vec<Arrived>>) {
    let mut received = Vec::new();
    let arrived = loop {
        if let Some(arrived) = complete(&received) {
            break arrived;
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return,
            Ok(count) => received.extend_from_slice(&chunk[..count]),
        }
    };
    seen.lock().unwrap().push(arrived.clone());
    match answer(&arrived) {
        Some(bytes) => {
            // The client may have hung up, which is what some tests want.
            let written = stream.write_all(&bytes).await;
            written.and(stream.shutdown().await).ok();
        }
        None => std::future::pending().await,
    }
}

fn complete(received: &[u8]) -> Option<Arrived> {
    let end = received.windows(4).position(|w| w == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&received[..end]).into_owned();
    let arrived = Arrived { head, body: received[end + 4..].to_vec() };
    let length = arrived.header("content-length").first().map_or(0, |l| l.parse().unwrap());
    (arrived.body.len() >= length).then_some(arrived)
}
