//! The heads at work: the web head on a pool of threads, the admin head on one of its own.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use chassis::Chassis;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use super::BootError;
use crate::bookkeeping::Bookkeeping;
use crate::config::Otel;
use crate::http::{Front, serve};
use crate::meter::{Exporter, Meter};

/// How long requests under way may take once the chassis is asked to end.
const DRAIN: Duration = Duration::from_secs(30);

/// A bound port and who answers there.
pub(super) struct Listener {
    pub(super) socket: std::net::TcpListener,
    pub(super) front: Front,
    pub(super) tls: Option<Arc<rustls::ServerConfig>>,
    /// How long a client may take nothing of its answer.
    pub(super) write_within: Duration,
}

impl Listener {
    fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], 0)))
    }
}

/// The admin head: its thread answers also when every other one is busy with ops (R26).
pub(super) struct AdminThread {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl AdminThread {
    pub(super) fn start(listener: Listener) -> Result<Self, BootError> {
        let address = listener.address();
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(BootError::Threads)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let head = move || {
            let Listener { socket, front, tls, write_within } = listener;
            let served = runtime.block_on(serve(socket, tls, front, write_within, async {
                let _ = stopped.await;
            }));
            if let Err(error) = served {
                tracing::error!(%error, "admin head ended");
            }
        };
        let thread = std::thread::Builder::new().name("txco-admin".to_owned()).spawn(head);
        Ok(Self { address, stop, thread: thread.map_err(BootError::Threads)? })
    }

    fn end(self) {
        self.stop.send(()).ok();
        if self.thread.join().is_err() {
            tracing::error!("admin head ended by a panic");
        }
    }
}

/// A chassis that answers. Dropping it ends it at once; [`Serving::drain`] ends it well.
pub struct Serving {
    books: Arc<Bookkeeping>,
    meter: Arc<Meter>,
    exporter: OnceLock<Arc<Exporter>>,
    web_address: SocketAddr,
    stop_web: oneshot::Sender<()>,
    web: tokio::task::JoinHandle<()>,
    admin: AdminThread,
    runtime: Runtime,
}

impl Serving {
    pub(super) fn start(
        books: Arc<Bookkeeping>,
        meter: Arc<Meter>,
        web: Listener,
        admin: AdminThread,
        runtime: Runtime,
    ) -> Self {
        drop(runtime.spawn(Arc::clone(&books).keep()));
        let web_address = web.address();
        let (stop_web, stopped) = oneshot::channel::<()>();
        let web = runtime.spawn(async move {
            let stop = async {
                let _ = stopped.await;
            };
            if let Err(error) = serve(web.socket, web.tls, web.front, web.write_within, stop).await {
                tracing::error!(%error, "web head ended");
            }
        });
        tracing::info!(addr = %admin.address, "admin head listening");
        tracing::info!(addr = %web_address, "web head listening");
        Self { books, meter, exporter: OnceLock::new(), web_address, stop_web, web, admin, runtime }
    }

    /// Where the web head listens.
    #[must_use]
    pub fn web_address(&self) -> SocketAddr {
        self.web_address
    }

    /// Where the admin head listens.
    #[must_use]
    pub fn admin_address(&self) -> SocketAddr {
        self.admin.address
    }

    /// The assembly line, to install other rules in.
    #[must_use]
    pub fn chassis(&self) -> &Arc<Chassis> {
        &self.books.chassis
    }

    /// Exports the numbers of `/metrics` to a collector from now on; once. A collector that
    /// cannot be is a warning: nothing else depends on it.
    pub fn export_metrics(&self, otel: Otel) {
        match Exporter::new(Arc::clone(&self.meter), otel) {
            Ok(exporter) => {
                let exporter = Arc::clone(self.exporter.get_or_init(|| Arc::new(exporter)));
                self.spawn(exporter.run());
            }
            Err(error) => tracing::warn!(%error, "metrics are not exported"),
        }
    }

    /// Runs `work` beside the heads, such as watching files or waiting for a signal.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        drop(self.runtime.spawn(work));
    }

    /// Serves until SIGTERM or SIGINT, then drains.
    ///
    /// # Errors
    /// When signals cannot be waited for.
    pub fn until_signal(self) -> std::io::Result<()> {
        let ending = Ending::caught(&self.runtime)?;
        self.until(ending);
        Ok(())
    }

    pub(super) fn until(self, mut ending: Ending) {
        let name = self.runtime.block_on(ending.asked());
        tracing::info!(signal = name, "draining: requests under way are finished, new ones refused");
        self.drain();
    }

    /// Ends: refuses new requests, finishes those under way (30 seconds at most, less at a
    /// second signal), and only then closes the admin head.
    pub fn drain(self) {
        let Self { books, meter, exporter, stop_web, web, admin, runtime, .. } = self;
        let _ = stop_web.send(());
        let again = Ending::caught(&runtime);
        let second = async {
            match again {
                Ok(mut again) => again.asked().await,
                Err(_uncaught) => std::future::pending().await,
            }
        };
        runtime.block_on(async {
            let all = async {
                let _ended = web.await;
                // What nobody waits for is finished too; the next start goes on with the rest.
                books.chassis.rest().await;
            };
            tokio::select! {
                () = all => {}
                () = tokio::time::sleep(DRAIN) => {
                    tracing::warn!(seconds = DRAIN.as_secs(), "requests were cut off that did not end in time");
                }
                _ = second => tracing::warn!("second signal: requests were cut off"),
            }
        });
        admin.end();
        books.close();
        runtime.block_on(meter.spans().flush());
        if let Some(exporter) = exporter.get()
            && let Err(error) = runtime.block_on(exporter.send())
        {
            tracing::warn!(%error, "the last metrics could not be exported");
        }
        // An op that still runs must not keep the process.
        runtime.shutdown_timeout(Duration::from_secs(1));
        drop(books);
        tracing::info!("stopped");
    }
}

/// The signals that ask a chassis to end, caught for as long as this exists.
pub(super) struct Ending {
    terminate: Signal,
    interrupt: Signal,
}

impl Ending {
    pub(super) fn caught(runtime: &Runtime) -> std::io::Result<Self> {
        let _inside = runtime.enter();
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn asked(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
