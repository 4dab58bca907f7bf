//! The two heads: admin and web, thin adapters over the rooms below.

mod problem;
mod stall;
mod window;
pub(crate) mod ready;
mod open_dev;
pub(crate) mod authentication;
pub(crate) mod throttle;
pub(crate) mod metrics;
pub(crate) mod admin;
pub(crate) mod web;

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response, Version};
use axum::{Extension, Router};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use stall::Unstalled;
use window::Streams;

/// The most that names and values of a request's headers may weigh together.
pub(crate) const MAX_HEADER_BYTES: u32 = 256 << 10;
/// How long a client may take to send the header of a request, and to answer a ping of
/// HTTP/2: who only holds connections open holds them no longer than this.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);
/// How often a silent HTTP/2 client is asked whether it is still there.
const PING: Duration = Duration::from_secs(30);
/// How long to wait when the system has no more descriptors for connections.
const OUT_OF_DESCRIPTORS: Duration = Duration::from_millis(500);

/// Who answers on a head.
#[derive(Clone)]
pub(crate) struct Front {
    /// Its routes.
    router: Router,
    /// On the web head, who answers everything that no route could be for. That is nearly all, and the router's layers
    /// would cost each of them 3 % more (decision 0096).
    events: Option<Arc<web::Web>>,
}

impl From<Router> for Front {
    fn from(router: Router) -> Self {
        Self { router, events: None }
    }
}

impl Front {
    /// The web head: these routes, and events.
    pub(crate) fn of_events(web: Arc<web::Web>, router: Router) -> Self {
        Self { router, events: Some(web) }
    }

    /// Who answers the requests of one connection.
    fn answering(&self, peer: SocketAddr) -> impl Fn(Request<Incoming>) -> Answering + use<> {
        let router = TowerToHyperService::new(self.router.clone().layer(Extension(ConnectInfo(peer))));
        let events = self.events.clone();
        move |request| match events.as_ref().filter(|_| web::is_event(request.uri().path())) {
            Some(web) => web::event(Arc::clone(web), request).map(Ok).boxed(),
            None => router.call(request).boxed(),
        }
    }
}

/// An answer on its way.
type Answering = BoxFuture<'static, Result<Response<Body>, Infallible>>;

/// Lets `front` answer, inside TLS when there is some, until `stop` and then until the requests
/// under way have ended. A client that takes nothing of an answer for `write_within` is cut off.
///
/// # Errors
/// When the listener cannot be used.
pub(crate) async fn serve(
    listener: std::net::TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
    front: Front,
    write_within: Duration,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let tls = tls.map(TlsAcceptor::from);
    let connections = GracefulShutdown::new();
    let (ending, ends) = watch::channel(());
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let answering = front.answering(peer);
                let speaks_1 = Arc::new(AtomicBool::new(false));
                let heard = Arc::clone(&speaks_1);
                let service = service_fn(move |request: Request<Incoming>| {
                    heard.fetch_or(request.version() < Version::HTTP_2, Ordering::AcqRel);
                    answering(request).map(|answer| answer.map(window::watched))
                });
                let watcher = connections.watcher();
                let (tls, mut ends) = (tls.clone(), ends.clone());
                tokio::spawn(async move {
                    let Some(stream) = prepared(stream, tls, write_within).await else { return };
                    let streams = Streams::new(write_within);
                    let server = server(streams.clone());
                    let connection = server.serve_connection(TokioIo::new(stream), service);
                    let needed = async {
                        ends.changed().await.ok();
                        streams.none_left().await;
                        // One of HTTP/1 ends with its request.
                        if speaks_1.load(Ordering::Acquire) {
                            pending::<()>().await;
                        }
                    };
                    tokio::select! {
                        ended = watcher.watch(connection) => if let Err(error) = ended {
                            tracing::debug!(%peer, %error, "connection ended early");
                        },
                        () = needed => tracing::debug!(%peer, "a connection was closed that had no request"),
                    }
                });
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "no connection could be accepted");
                tokio::time::sleep(OUT_OF_DESCRIPTORS).await;
            }
        }
    }
    drop((listener, ending));
    connections.shutdown().await;
    Ok(())
}

/// What serves one connection.
fn server(streams: Streams) -> auto::Builder<Streams> {
    let mut server = auto::Builder::new(streams);
    server.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    server.http2().max_header_list_size(MAX_HEADER_BYTES);
    server.http2().timer(TokioTimer::new()).keep_alive_interval(PING).keep_alive_timeout(PATIENCE);
    server
}

/// What a connection is read and written by.
trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

/// The connection, once a TLS handshake has ended; nothing when it failed or took too long.
async fn prepared(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    write_within: Duration,
) -> Option<Box<dyn Transport>> {
    // Small answers are not to wait for more; when refused, they only come later.
    let _later: io::Result<()> = stream.set_nodelay(true);
    let stream = Unstalled::new(stream, write_within);
    let Some(tls) = tls else { return Some(Box::new(stream)) };
    let stream = tokio::time::timeout(PATIENCE, tls.accept(stream)).await.ok()?.ok()?;
    Some(Box::new(stream))
}

/// Whether the client went away before it was accepted: nothing is wrong here.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}
