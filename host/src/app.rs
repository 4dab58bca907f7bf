//! A chassis put together: everything is opened and bound first, then served, then drained.

mod heads;
mod admission;
mod waiting;
mod boot;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chassis::{Chassis, RuleSet};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::block_in_place;

use crate::admin::{Applied, TenantOps};
use crate::bookkeeping::Bookkeeping;
use crate::config::{ConfigError, Otel, Sampler};
use crate::meter::Meter;
use admission::Certificate;
use boot::Late;
use heads::{AdminThread, Ending, Listener};

pub use heads::Serving;

/// What a chassis is run for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// For others: open access ends with the first enrolled actor, web clients learn little.
    Serve,
    /// For the one who writes its rules: failures are told in full.
    Dev,
}

/// Why a chassis does not start; one line for the operator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BootError {
    /// A setting.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The admin head would be reachable by others, who could not be told apart.
    #[error(
        "--admin-addr {0} is reachable from other machines: say how they prove who they are, by --auth-mode signed \
         (or basic, with --admin-user and --admin-pass), or use 127.0.0.1:PORT and a tunnel"
    )]
    AdminExposed(SocketAddr),
    /// The database.
    #[error("{0}")]
    Store(#[from] store::Error),
    /// A file that a setting names.
    #[error("--{flag}: cannot read {path}: {reason}", path = path.display())]
    File {
        /// The setting.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        reason: std::io::Error,
    },
    /// The folder of the traces.
    #[error("--trace-dir: cannot use {path}: {reason}", path = path.display())]
    Trace {
        /// The folder.
        path: PathBuf,
        /// What the operating system says.
        reason: std::io::Error,
    },
    /// The sandbox, or a built-in op.
    #[error("sandbox: {0}")]
    Sandbox(#[from] sandbox::Error),
    /// The way out.
    #[error("egress: {0}")]
    Egress(#[from] egress::Error),
    /// A port.
    #[error("{head} head cannot listen on {address}: {why}")]
    Bind {
        /// `admin` or `web`.
        head: &'static str,
        /// Where.
        address: SocketAddr,
        /// Why, with a way out where there is one.
        why: String,
    },
    /// The default tenant is missing from the database.
    #[error(
        "the database has no tenant \"default\"; it was revoked or removed, and events have nowhere to go"
    )]
    NoDefaultTenant,
    /// Threads.
    #[error("cannot start threads: {0}")]
    Threads(std::io::Error),
}

/// A chassis that is ready and not served yet: rules may be installed first.
pub struct App {
    chassis: Arc<Chassis>,
    /// To read its key ring again at SIGHUP, or to open it then.
    late: Arc<Late>,
    /// To read them again at SIGHUP.
    certificates: Vec<Arc<Certificate>>,
    ops: Arc<TenantOps>,
    applied: Arc<Applied>,
    books: Arc<Bookkeeping>,
    meter: Arc<Meter>,
    /// How often ended requests that waited are removed.
    sweep: Duration,
    /// How often it is looked at what others changed.
    follow: Option<Duration>,
    web: Listener,
    admin: Listener,
    runtime: tokio::runtime::Runtime,
}

impl App {
    /// The assembly line.
    #[must_use]
    pub fn chassis(&self) -> &Arc<Chassis> {
        &self.chassis
    }

    /// The ops of the tenant whose rules are installed.
    pub(crate) fn ops(&self) -> &Arc<TenantOps> {
        &self.ops
    }

    /// What tenants applied.
    pub(crate) fn applied(&self) -> &Arc<Applied> {
        &self.applied
    }

    /// Makes `rules` the current ones, with the ops that were pushed here. From then on what
    /// tenants apply is stored and not served.
    ///
    /// # Errors
    /// [`chassis::LoadErrors`]: a rule calls an op that is not there.
    pub fn install(&self, rules: RuleSet) -> Result<Arc<RuleSet>, chassis::LoadErrors> {
        self.applied.give_way();
        self.ops.install(rules)
    }

    /// Sends what requests do to a collector of traces, from the first request on; once. A
    /// collector that cannot be is a warning.
    pub fn export_spans(&self, otel: Otel, sampler: Sampler) {
        match self.meter.spans().start(otel, sampler) {
            Ok(()) => drop(self.runtime.spawn(Arc::clone(self.meter.spans()).run())),
            Err(error) => tracing::warn!(%error, "spans are not exported"),
        }
    }

    /// Serves both heads, in the background, and says where.
    ///
    /// # Errors
    /// [`BootError::Threads`].
    pub fn serve(self) -> Result<Serving, BootError> {
        // Those that the rules call.
        let ready = self.ops.ops.chassis().ready();
        tracing::info!(compiled = ready.compiled, cached = ready.cached, "ops ready");
        let admin = AdminThread::start(self.admin)?;
        let ops: Arc<dyn chassis::PinnedOps> = Arc::clone(&self.ops.ops) as _;
        let watchers: Arc<dyn chassis::Watchers> = Arc::clone(self.meter.spans()) as _;
        let serving = Serving::start(self.books, self.meter, self.web, admin, self.runtime);
        serving.spawn(Arc::clone(serving.chassis()).tend(ops, watchers));
        serving.spawn(sweep(Arc::clone(serving.chassis()), self.sweep));
        if let Some(period) = self.follow {
            serving.spawn(self.applied.follow(period));
        }
        Ok(serving)
    }

    /// Serves until SIGTERM or SIGINT, then drains; `beside` starts what runs beside the heads.
    ///
    /// Signals are caught before the log says that the heads listen: whoever waits for that
    /// line may send one at once.
    ///
    /// # Errors
    /// [`BootError::Threads`], also when signals cannot be caught.
    pub fn serve_until_signal(self, beside: impl FnOnce(&Serving)) -> Result<(), BootError> {
        let ending = Ending::caught(&self.runtime).map_err(BootError::Threads)?;
        let hangups = self.hangups()?;
        let (late, certificates) = (Arc::clone(&self.late), self.certificates.clone());
        let serving = self.serve()?;
        serving.spawn(renew(late, certificates, hangups));
        beside(&serving);
        serving.until(ending);
        Ok(())
    }

    /// SIGHUP, caught from now on.
    ///
    /// # Errors
    /// [`BootError::Threads`].
    pub(crate) fn hangups(&self) -> Result<Signal, BootError> {
        let _inside = self.runtime.enter();
        signal(SignalKind::hangup()).map_err(BootError::Threads)
    }
}

/// Removes requests that waited and ended long ago, now and then.
async fn sweep(chassis: Arc<Chassis>, period: Duration) {
    loop {
        match chassis.sweep().await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "requests that waited, ended and are kept no longer"),
            Err(error) => tracing::warn!(%error, "requests that waited could not be removed"),
        }
        tokio::time::sleep(period).await;
    }
}

/// Reads the certificates of the heads and the key ring again at each of `hangups`; one that
/// cannot be read changes nothing. The ring is also read by itself, when a row names a key that
/// is not in it and before a value is sealed. A store that is off comes on when its key is there.
async fn renew(late: Arc<Late>, certificates: Vec<Arc<Certificate>>, mut hangups: Signal) {
    while hangups.recv().await.is_some() {
        for certificate in &certificates {
            let head = certificate.head();
            match block_in_place(|| certificate.renew()) {
                Ok(()) => tracing::info!(head, "certificate read again"),
                Err(error) => {
                    tracing::warn!(head, err = %error, "the certificate cannot be read; the old one stays in use");
                }
            }
        }
        let Some(vault) = late.vault.get() else {
            block_in_place(|| late.open());
            continue;
        };
        match block_in_place(|| vault.renew()) {
            Ok(report) if report.unopened() > 0 => tracing::warn!("secret store: {report}"),
            Ok(report) => tracing::info!("secret store: {report}"),
            Err(error) => {
                tracing::warn!(err = %error, "secret store: the key ring cannot be read; the old one stays in use");
            }
        }
    }
}
