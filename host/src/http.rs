//! The two heads: admin and web, thin adapters over the rooms below.

mod problem;
mod open_dev;
pub mod admin;
pub mod web;

use std::io;
use std::net::SocketAddr;

use axum::Router;
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;

/// Serves `router` until `stop` and then until the requests under way have ended.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(
    listener: std::net::TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?.tap_io(|connection| {
        // Small answers are not to wait for more; when refused, they only come later.
        let _ = connection.set_nodelay(true);
    });
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(stop).await
}
