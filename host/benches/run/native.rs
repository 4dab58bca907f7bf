//! The same work without a chassis: axum handlers, as somebody would write them by hand.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::Mutex;

use crate::house::KEY;

/// Servers on loopback, on a runtime of their own.
pub(crate) struct Native {
    runtime: Runtime,
}

impl Native {
    pub(crate) fn new() -> Self {
        Self { runtime: Runtime::new().unwrap() }
    }

    fn serve(&self, router: Router) -> SocketAddr {
        let listener = self.runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        drop(self.runtime.spawn(async move { axum::serve(listener, router).await }));
        address
    }

    /// Reads JSON, adds two fields, answers.
    pub(crate) fn plain(&self) -> SocketAddr {
        self.serve(Router::new().route(
            "/",
            post(|body: Bytes| async move {
                let mut event: Value = serde_json::from_slice(&body).unwrap();
                event["a"] = 1.into();
                event["b"] = event["a"].clone();
                "ok\n"
            }),
        ))
    }

    /// Reads JSON, signs the body, answers with the signature.
    pub(crate) fn signing(&self) -> SocketAddr {
        self.serve(Router::new().route(
            "/",
            post(|body: Bytes| async move {
                let mut event: Value = serde_json::from_slice(&body).unwrap();
                let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
                mac.update(&body);
                let digits = b"0123456789abcdef";
                let mac = mac.finalize().into_bytes();
                let hex = mac.iter().flat_map(|byte| [byte >> 4, byte & 15]);
                let hex = hex.map(|digit| char::from(digits[usize::from(digit)])).collect::<String>();
                event["mac"] = hex.clone().into();
                hex
            }),
        ))
    }

    /// An upstream that takes what comes and answers with a little JSON.
    pub(crate) fn upstream(&self) -> SocketAddr {
        self.serve(Router::new().route(
            "/",
            post(|body: Bytes| async move {
                assert!(!body.is_empty());
                ([("content-type", "application/json")], r#"{"accepted":true}"#)
            }),
        ))
    }

    /// Reads JSON, sends part of it to `upstream` on a kept connection, merges the reply, answers.
    pub(crate) fn calling(&self, upstream: SocketAddr) -> SocketAddr {
        let idle: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
        let handler = move |State(idle): State<Arc<Mutex<Vec<TcpStream>>>>, body: Bytes| async move {
            let mut event: Value = serde_json::from_slice(&body).unwrap();
            let order = serde_json::json!({ "order": event["order"] }).to_string();
            let kept = idle.lock().await.pop();
            let mut stream = match kept {
                Some(stream) => stream,
                None => TcpStream::connect(upstream).await.unwrap(),
            };
            let request = format!(
                "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{order}",
                order.len()
            );
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut reply = vec![0; 4096];
            let mut have = 0;
            // It answers with less than a packet: the head, and an object.
            while !reply[..have].ends_with(b"}") {
                let read = stream.read(&mut reply[have..]).await.unwrap();
                assert_ne!(read, 0, "the upstream hung up");
                have += read;
            }
            idle.lock().await.push(stream);
            let body = reply[..have].windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
            event["reply"] = serde_json::from_slice(&reply[body..have]).unwrap();
            "ok\n"
        };
        self.serve(Router::new().route("/", post(handler)).with_state(idle))
    }
}
