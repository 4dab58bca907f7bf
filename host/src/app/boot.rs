//! The order of a start: harden, database, key, vault, ports, sandbox, egress, chassis.

use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chassis::{Chassis, Parts, Trace, Unbound};
use model::TenantSlug;
use sandbox::{CodeCache, Limits, Sandbox};
use store::{Actors, Opened, Store};
use tokio::net::TcpSocket;
use vault::{CodeCacheKey, KeyProvider, LateVault, Vault};

use super::admission::{self, Admission, Tls};
use super::heads::Listener;
use super::waiting::waiting;
use super::{App, BootError, Role};
use crate::admin::{
    Admin, Applied, Checking, Demand, OpBounds, Ops, SecretBounds, ServedFrom, TenantOps, seal_people,
};
use crate::bookkeeping::Bookkeeping;
use crate::config::{
    self, Config, ConfigError, EgressPolicy, Listen, MissAction, Mock, RequirePolicy, StackFallback,
    TraceMode, WebMockHeader,
};
use crate::http::PATIENCE;
use crate::http::admin::{self, AdminHead, Aside};
use crate::http::metrics;
use crate::http::ready::{self, Readiness};
use crate::http::web::{self, Detail, Web};
use crate::key_source::{Ask, IfMissing, Kept, KeyError, KeySource, Obtained};
use crate::meter::Meter;
use crate::op_signature::Signers;

/// How long a client may take to send its body.
const BODY_WITHIN: Duration = Duration::from_secs(15);
/// The generation number that the existing chassis gives every key.
const KEY_VERSION: u32 = 1;

impl App {
    /// Opens and binds everything; nothing is answered yet.
    ///
    /// # Errors
    /// [`BootError`]. A bad master key is none: the secret store is off then, and the log
    /// says why (D7).
    pub fn boot(config: Config, role: Role) -> Result<Self, BootError> {
        Self::boot_asking(config, role, &mut |path| Err(KeyError::Locked(path.to_owned())))
    }

    /// The same, with the master keys of `provider` instead of those that the settings name: for
    /// programs that keep them in a KMS or an HSM.
    ///
    /// # Errors
    /// [`BootError`]. A provider that gives no keys is none: the secret store is off then, and
    /// the log says why.
    pub fn boot_with_keys(
        mut config: Config,
        role: Role,
        provider: Box<dyn KeyProvider>,
    ) -> Result<Self, BootError> {
        // A key in the environment is wiped all the same.
        let _unused = KeySource::of(&mut config);
        let nobody: &mut Ask<'_> = &mut |path| Err(KeyError::Locked(path.to_owned()));
        Self::boot_from(&config, role, KeySource::provided(provider), nobody)
    }

    /// The same, with somebody to ask for the passphrase of a sealed master key.
    pub(crate) fn boot_asking(mut config: Config, role: Role, ask: &mut Ask<'_>) -> Result<Self, BootError> {
        let keys = KeySource::of(&mut config);
        Self::boot_from(&config, role, keys, ask)
    }

    fn boot_from(config: &Config, role: Role, keys: KeySource, ask: &mut Ask<'_>) -> Result<Self, BootError> {
        admission::refuse_exposed(config)?;
        say_hardened(pages::harden());
        let (store, opened) = Store::open(&config.db_root_dir, &config.env, store_options(config))?;
        say_opened(&opened);
        let store = Arc::new(store);
        let actors = open_actors(config)?;
        let admission = admission::admission(config, role, Arc::clone(&actors))?;
        let [admin_tls, web_tls] = admission::tls(config)?;
        if config.web_mock_header == WebMockHeader::Yes && config.mock == Mock::Allow {
            tracing::warn!(
                "callers may choose mocks by X-Txco-Mocks: whoever calls can skip an op, also one that checks signatures"
            );
        }
        let tenant_slug = TenantSlug::default_tenant();
        let tenant = store.tenant_by_slug(&tenant_slug)?.ok_or(BootError::NoDefaultTenant)?;
        let limits = limits(config);
        let op_bounds = OpBounds {
            size: config.op_size_max.0,
            count: usize::try_from(config.ops_max).unwrap_or(usize::MAX),
            limits: limits.clone(),
        };
        let signers = Signers::new(config.op_trust_key.clone(), config.only_signed);
        let demand = match config.secrets_require_policy {
            RequirePolicy::Yes => Demand::Policy,
            RequirePolicy::No => Demand::Nothing,
        };
        let secret_bounds = secret_bounds(config)?;
        let egress = egress_settings(config)?;
        let kept = keys.kept();
        let Keyed { vault, cache_key } = open_vault(keys, &store, ask)?;
        let vault = LateVault::from(vault);
        // With a key the vault has begun it, under a seal.
        store.begin_audit()?;

        let admin_socket = bind("admin", config.admin_addr)?;
        let web_socket = bind("web", config.web_addr)?;
        let own_admin = admin_socket.local_addr().map_err(BootError::Threads)?;
        let own_web = web_socket.local_addr().map_err(BootError::Threads)?;
        let waiting = waiting(config, own_web, web_tls.is_some())?;
        let settings = chassis::Settings { waiting, ..settings(config) };
        if let Some(secret) = &admission.told {
            say_first(secret, own_admin, admin_tls.is_some());
        }

        let traces = trace_settings(config);
        let trace = Trace::open(traces, &config.trace_dir)
            .map_err(|reason| BootError::Trace { path: config.trace_dir.clone(), reason })?;
        let cache =
            cache_key.map_or(CodeCache::Off, |key| CodeCache::At { folder: config.cache_dir.clone(), key });
        let chassis = Arc::new(Chassis::new(Parts {
            vault: vault.clone(),
            sandbox: Sandbox::new(limits, cache)?,
            egress: egress::Client::new(egress::Settings { own_admin: Some(own_admin), ..egress })?,
            trace,
            settings,
        })?);
        let readiness = Arc::new(Readiness::new(Arc::clone(&store), vault.clone(), Arc::clone(&chassis)));
        let ops = Arc::new(Ops::new(Arc::clone(&store), Arc::clone(&chassis), op_bounds, signers));
        let applied = Arc::new(applied(config, role, &store, &ops));
        applied.renew()?;
        let books = Arc::new(Bookkeeping {
            store: Arc::clone(&store),
            actors: Arc::clone(&actors),
            chassis: Arc::clone(&chassis),
        });
        let meter = Arc::new(Meter::new(Arc::clone(&chassis), Arc::clone(&store), Arc::clone(&actors)));
        let late =
            Late { vault: vault.clone(), kept, store: Arc::clone(&store), actors: Arc::clone(&actors) };
        let applying = (Arc::clone(&applied), checking(config));
        let proofs = Arc::clone(&store);
        let admin = Admin::new(store, vault, Arc::clone(&ops), applying, Arc::clone(&actors), secret_bounds);
        let admin = admin.demanding(demand);
        actors.begin_audit()?;
        let Admission { authentication, enrol_secret, throttle, .. } = admission;
        let admin_head = AdminHead::new(admin, authentication, enrol_secret, throttle);
        let aside = Aside { readiness: ready::router(&readiness), metrics: metrics::routes(&meter) };
        let web_head = Web {
            chassis: Arc::clone(&chassis),
            max_body: config.web_max_body_bytes.0,
            body_within: BODY_WITHIN,
            detail: if role == Role::Dev { Detail::Shown } else { Detail::Hidden },
            mock_header: config.web_mock_header,
            longpoll: Duration::from_millis(config.continuation_longpoll_ms.into()),
            store: proofs,
            spans: Arc::clone(meter.spans()),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .thread_name("txco-web")
            .build()
            .map_err(BootError::Threads)?;
        Ok(Self {
            chassis,
            late: Arc::new(late),
            ops: Arc::new(TenantOps { ops, tenant: tenant.id, slug: tenant_slug }),
            applied,
            books,
            meter,
            sweep: config.continuation_sweep_period,
            follow: config.follow_period,
            web: Listener {
                socket: web_socket,
                front: web::front(web_head, ready::router(&readiness)),
                tls: server(&web_tls),
                write_within: config.web_write_timeout,
            },
            admin: Listener {
                socket: admin_socket,
                front: admin::router(admin_head, aside).into(),
                tls: server(&admin_tls),
                write_within: PATIENCE,
            },
            certificates: [admin_tls, web_tls].into_iter().flatten().map(|tls| tls.certificate).collect(),
            runtime,
        })
    }
}

fn server(tls: &Option<Tls>) -> Option<Arc<rustls::ServerConfig>> {
    tls.as_ref().map(|tls| Arc::clone(&tls.server))
}

/// Opens the actor database; a foreign one was copied aside, and the log says where.
fn open_actors(config: &Config) -> Result<Arc<Actors>, BootError> {
    let (actors, opened) = Actors::open(&config.db_root_dir, &config.env)?;
    if let Some(copy) = &opened.copied {
        tracing::info!(
            path = %opened.path.display(),
            copy = %copy.display(),
            "actor database of another chassis: copied before its first migration"
        );
    }
    Ok(Arc::new(actors))
}

/// Tells the operator how to become the first actor.
fn say_first(secret: &str, admin: SocketAddr, tls: bool) {
    let scheme = if tls { "https" } else { "http" };
    let host = if admin.ip().is_unspecified() { "localhost".to_owned() } else { admin.ip().to_string() };
    let host = if admin.is_ipv6() && !admin.ip().is_unspecified() { format!("[{host}]") } else { host };
    tracing::warn!(
        "nobody is enrolled here; to be the first: txco auth bootstrap-local --url {scheme}://{host}:{} --secret {secret}",
        admin.port()
    );
}

fn bind(head: &'static str, address: Listen) -> Result<TcpListener, BootError> {
    let address = address.0;
    let cannot = |error: std::io::Error| {
        let kind = error.kind();
        let why = if kind == ErrorKind::AddrInUse {
            format!("the port is in use (another txco?); choose another with --{head}-addr HOST:PORT")
        } else if kind == ErrorKind::PermissionDenied {
            format!("no permission for this port; choose one above 1023 with --{head}-addr HOST:PORT")
        } else if kind == ErrorKind::AddrNotAvailable {
            "this machine does not have that address".to_owned()
        } else {
            error.to_string()
        };
        BootError::Bind { head, address, why }
    };
    listen(address).map_err(cannot)
}

/// Connections that may wait to be accepted.
const QUEUE: u32 = 1024;

/// The standard library's own queue is 128 long: of a burst of clients the system would drop the rest, who try again
/// seconds later, or are reset.
fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let _inside = runtime.enter();
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(QUEUE)?.into_std()
}

/// What it takes to turn a secret store on that was off at the start.
pub(super) struct Late {
    pub(super) vault: LateVault,
    kept: Kept,
    store: Arc<Store>,
    actors: Arc<Actors>,
}

impl Late {
    /// Looks whether there is a key by now, and turns the store on when there is one. What is
    /// wrong with it stays a warning, and the store stays off. Compiled ops are kept on the
    /// disk from the next start on.
    pub(super) fn open(&self) {
        let Kept::Files(files) = &self.kept else { return };
        let mut nobody = |path: &Path| Err(KeyError::Locked(path.to_owned()));
        match open_vault(KeySource::files(files.clone()), &self.store, &mut nobody) {
            Ok(Keyed { vault: Some(vault), .. }) => {
                self.vault.open(vault);
                seal_people(&self.actors, &self.vault);
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(err = %error, "secret store: it stays off"),
        }
    }
}

/// What the key gave.
struct Keyed {
    vault: Option<Arc<Vault>>,
    cache_key: Option<CodeCacheKey>,
}

/// Opens the vault. Whatever is wrong with the key turns the store off and not the
/// chassis; whatever is wrong with the database ends the start.
fn open_vault(source: KeySource, store: &Arc<Store>, ask: &mut Ask<'_>) -> Result<Keyed, BootError> {
    let off = Keyed { vault: None, cache_key: None };
    let path = source.label();
    let refused = |err: &dyn std::fmt::Display| {
        tracing::warn!(path = path, err = %err, "secret store disabled: master key load failed");
    };
    let waits = vault::key_needed(store).or_else(only_of_store)?;
    let if_missing = if waits { IfMissing::RefuseBesideCiphertext } else { IfMissing::Mint };
    let obtained = match source.obtain(if_missing, ask) {
        Ok(Some(obtained)) => obtained,
        Ok(None) => return Ok(off),
        Err(error) => {
            refused(&error);
            return Ok(off);
        }
    };
    say_obtained(&path, &obtained);
    let Obtained { ring, provider, .. } = obtained;
    let cache_key = ring.active().code_cache_key();
    let opened = Vault::open(Arc::clone(store), ring);
    match (opened, cache_key) {
        (Ok((vault, report)), Ok(cache_key)) => {
            let vault = match provider {
                Some(provider) => vault.provided_by(provider),
                None => vault,
            };
            tracing::info!(path = path, key_version = KEY_VERSION, "secret store enabled");
            if report.keys > 1 {
                tracing::info!(active = %report.key_id, keys = report.keys, "secret store: key ring");
            }
            if report.unopened() > 0 {
                tracing::warn!(
                    "secret store: {report}; those fail until they are set again or their key is restored \
                     (`txco auth secrets status` says which)"
                );
            }
            Ok(Keyed { vault: Some(Arc::new(vault)), cache_key: Some(cache_key) })
        }
        (Err(vault::Error::Store(error)), _) => Err(BootError::Store(error)),
        (Err(error), _) | (_, Err(error)) => {
            refused(&KeyError::Refused(error));
            Ok(off)
        }
    }
}

fn say_obtained(path: &str, obtained: &Obtained) {
    if obtained.minted {
        tracing::info!(
            path,
            "secret store: minted new master key — BACK THIS UP; losing it makes every stored secret unrecoverable"
        );
    }
    if let Some(folder) = &obtained.open_folder {
        tracing::warn!(
            path = %folder.display(),
            "the folder of the master key can be written by others, who could replace the key; chmod go-w it"
        );
    }
    for error in &obtained.left_out {
        tracing::warn!(err = %error, "secret store: a key of the ring cannot be used; what it opens fails until it is mended");
    }
}

/// Only the database can fail here.
fn only_of_store(error: vault::Error) -> Result<bool, BootError> {
    if let vault::Error::Store(error) = error {
        return Err(BootError::Store(error));
    }
    // Not known to hold no ciphertext: then a missing key is not minted over.
    Ok(true)
}

fn say_hardened(hardened: pages::Hardened) {
    if let Some(bytes) = hardened.memlock_budget {
        tracing::info!(bytes, "memory of ops is locked up to RLIMIT_MEMLOCK; beyond it, it may be swapped");
    }
    if !hardened.core_dumps_off || !hardened.undumpable {
        tracing::warn!("the kernel did not let this process turn its core dumps off");
    }
}

fn say_opened(opened: &Opened) {
    if let Some(copy) = &opened.copied {
        tracing::info!(
            path = %opened.path.display(),
            copy = %copy.display(),
            "database of another chassis: copied before its first migration"
        );
    }
    for differs in &opened.differs {
        let before = match differs.before {
            store::Before::TenantWide => "tenant-wide",
            store::Before::Nothing => "none",
        };
        tracing::info!(
            tenant_id = %differs.tenant,
            stack = %differs.stack,
            secret_name = %differs.name,
            before,
            now = %differs.now,
            "secret resolves to that of a parent stack here; --stack-fallback exact keeps the old order"
        );
    }
    for falls in &opened.falls_through {
        tracing::warn!(
            tenant_id = %falls.tenant,
            stack = %falls.stack,
            secret_name = %falls.name,
            "secret is revoked in this stack and still resolves there, to a wider one of the same name"
        );
    }
}

/// What an operator may choose below what the vault takes at all.
fn secret_bounds(config: &Config) -> Result<SecretBounds, ConfigError> {
    let within = |flag: &str, asked: usize, most: usize| match asked {
        0 => Err(ConfigError { place: format!("--{flag}"), reason: "expected at least 1 byte".to_owned() }),
        asked if asked > most => {
            Err(ConfigError { place: format!("--{flag}"), reason: format!("expected at most {most} bytes") })
        }
        asked => Ok(asked),
    };
    Ok(SecretBounds {
        value: within("secret-value-max", config.secret_value_max.0, vault::MAX_VALUE_BYTES)?,
        description: within(
            "secret-description-max",
            config.secret_description_max.0,
            vault::MAX_DESCRIPTION_BYTES,
        )?,
    })
}

fn store_options(config: &Config) -> store::Options {
    let fallback = match config.stack_fallback {
        StackFallback::Parents => store::StackFallback::Parents,
        StackFallback::Exact => store::StackFallback::Exact,
    };
    let most = |count: u64| Some(count).filter(|count| *count > 0);
    store::Options {
        fallback,
        cache_bytes: config.secret_cache.0,
        quotas: store::Quotas {
            secrets: most(config.secrets_max.into()),
            versions: most(config.secret_versions_max.into()),
            bytes: most(u64::try_from(config.secret_bytes_max.0).unwrap_or(u64::MAX)),
        },
    }
}

/// What tenants apply, and whether it is served.
fn applied(config: &Config, role: Role, store: &Arc<Store>, ops: &Arc<Ops>) -> Applied {
    let from = match (role, &config.workspace) {
        (Role::Serve, None) => ServedFrom::Database,
        (Role::Serve, Some(_)) | (Role::Dev, _) => ServedFrom::Workspace,
    };
    let unbound = match config.ingress_miss_action {
        MissAction::Fallthrough => Unbound::Lone,
        MissAction::Reject => Unbound::Refused,
    };
    Applied::new(Arc::clone(store), Arc::clone(ops), from, unbound, config.stack.clone())
        .requiring_proof(config.require_hostname_verification.0)
}

/// How what they apply is taken.
fn checking(config: &Config) -> Checking {
    let secrets_use = match config.secrets_use {
        config::SecretsUse::Implied => store::SecretsUse::Implied,
        config::SecretsUse::Explicit => store::SecretsUse::Explicit,
    };
    Checking { mode: config.rule_mode.mode(), secrets_use }
}

fn limits(config: &Config) -> Limits {
    Limits {
        memory: config.sandbox_memory.0,
        wall: config.sandbox_wall,
        stack: config.sandbox_stack.0,
        tables: usize::try_from(config.sandbox_tables).unwrap_or(usize::MAX),
        host_calls: config.sandbox_host_calls,
        argument_bytes: config.sandbox_arguments.0,
        handles: config.sandbox_handles,
        log_lines: config.sandbox_log_lines,
        log_line_bytes: config.sandbox_log_line.0,
        output: config.sandbox_output.0,
        large_memory: config.sandbox_large_memory.0,
        large_tables: usize::try_from(config.sandbox_large_tables).unwrap_or(usize::MAX),
        large_wall: config.sandbox_large_wall,
    }
}

fn settings(config: &Config) -> chassis::Settings {
    chassis::Settings {
        op_timeout: config.op_timeout,
        op_timeout_max: config.op_timeout_max,
        stage_entries: config.op_scope_ttl_max,
        fuel: config.max_fuel_per_request,
        repeat_penalty: Duration::from_millis(config.op_repeat_penalty_ms.into()),
        mocks: match config.mock {
            Mock::Allow => chassis::Mocks::Allow,
            Mock::Deny => chassis::Mocks::Deny,
        },
        // With none of them nobody would ever be served.
        large_ops: usize::try_from(config.sandbox_large_calls).unwrap_or(1).max(1),
        calls: usize::try_from(config.egress_calls).unwrap_or(1).max(1),
        ..chassis::Settings::default()
    }
}

fn trace_settings(config: &Config) -> chassis::TraceSettings {
    chassis::TraceSettings {
        mode: match config.trace_mode {
            TraceMode::Off => chassis::TraceMode::Off,
            TraceMode::Summary => chassis::TraceMode::Summary,
            TraceMode::Full => chassis::TraceMode::Full,
        },
        queue: config.trace_async.0.then(|| usize::try_from(config.trace_buffer_size).unwrap_or(usize::MAX)),
        body_cap: Some(config.trace_body_cap_bytes.0).filter(|bytes| *bytes > 0).unwrap_or(usize::MAX),
        retention: chassis::Retention {
            age: config.trace_max_age,
            bytes: u64::try_from(config.trace_max_bytes.0).ok().filter(|bytes| *bytes > 0),
        },
    }
}

fn egress_settings(config: &Config) -> Result<egress::Settings, BootError> {
    let read = |path: &std::path::PathBuf| {
        fs::read(path).map_err(|reason| BootError::File { flag: "egress-ca", path: path.clone(), reason })
    };
    Ok(egress::Settings {
        policy: match config.egress_policy {
            EgressPolicy::Private => egress::AddressPolicy::Private,
            EgressPolicy::Open => egress::AddressPolicy::Open,
        },
        allow: config.egress_allow_cidrs.clone(),
        deny: config.egress_deny_cidrs.clone(),
        connect_to: config.egress_connect_to.iter().map(|c| (c.host.clone(), c.address)).collect(),
        dns_server: config.dns_server,
        extra_ca: config.egress_ca.iter().map(read).collect::<Result<_, _>>()?,
        max_reply_bytes: config.op_payload_max.0,
        ..egress::Settings::default()
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::ServeFlags;

    /// Weakness W4: what passes in `txco op test`, which has the defaults, passes in a chassis.
    #[test]
    fn a_chassis_has_the_limits_that_ops_are_tested_with() {
        let none: BTreeMap<&str, &str> = BTreeMap::new();
        let config = Config::read(ServeFlags::default(), &none, &Vec::new()).ok().unwrap();
        assert_eq!(limits(&config), Limits::default());
        assert_eq!(settings(&config).large_ops, chassis::Settings::default().large_ops);
    }
}
