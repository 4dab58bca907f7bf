//! What was asked of the chassis: one table of settings, each a flag, a variable and a default.

mod env;
pub(crate) mod of_go;
mod setting;
mod otel;
mod sampler;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use model::StackName;

pub use env::{Environment, ProcessEnvironment, variable_of};
pub use otel::{Otel, Signal};
pub use sampler::Sampler;
pub use setting::{
    AuthMode, Bytes, ConnectTo, EgressPolicy, InlineKey, Listen, LogLevel, Logger, MissAction, Mock,
    OnlySigned, Password, RequirePolicy, RuleMode, SecretsUse, Setting, StackFallback, StackSize, Switch,
    TraceMode, TrustKey, WebMockHeader,
};

/// A setting that cannot be what it was set to; never repeats the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct ConfigError {
    /// Where the value stands: the flag or the variable.
    pub place: String,
    /// What was expected.
    pub reason: String,
}

/// Defaults that differ from those of the table, by flag: what `txco dev` changes.
pub type Defaults = Vec<(&'static str, String)>;

/// Defines the settings: flags as typed, and what they mean.
macro_rules! settings {
    ($($field:ident: $type:ty = $flag:literal $value:literal [$default:literal] $help:literal;)*) => {
        /// The chassis flags as typed; what is absent is looked for in the environment.
        #[derive(Default, clap::Args)]
        #[command(next_help_heading = "Chassis")]
        pub struct ServeFlags {
            $(
                #[doc = $help]
                #[arg(
                    long = $flag,
                    value_name = $value,
                    help = help($flag, $help, $default),
                    num_args = if <$type>::ALONE.is_some() { 0..=1 } else { 1..=1 },
                    // Otherwise the word behind the flag could be meant for it.
                    require_equals = <$type>::ALONE.is_some(),
                    default_missing_value = <$type>::ALONE.unwrap_or_default(),
                )]
                pub $field: Vec<String>,
            )*
        }

        /// How a chassis runs. [`Config::read`] makes one of flags, environment and defaults;
        /// an embedder may then change any field.
        pub struct Config {
            $(
                #[doc = $help]
                pub $field: $type,
            )*
        }

        impl Config {
            /// Reads every setting: a flag wins over its variable, a variable over `defaults`,
            /// and these over the table.
            ///
            /// # Errors
            /// [`ConfigError`] names the first flag or variable that does not parse.
            pub fn read(
                flags: ServeFlags,
                environment: &dyn Environment,
                defaults: &Defaults,
            ) -> Result<Self, ConfigError> {
                let reader = Reader { environment, defaults };
                let ServeFlags { $($field,)* } = flags;
                Ok(Self { $($field: reader.read($flag, &$field, $default)?,)* })
            }
        }

        /// Every flag with its default, for tests and documentation.
        #[cfg(test)]
        const TABLE: &[(&str, &str)] = &[$(($flag, $default)),*];
    };
}

settings! {
    env: String = "env" "NAME" ["dev"] "Names the database files: runtime-NAME.db";
    web_addr: Listen = "web-addr" "ADDR" [":8080"] "Where the web head listens";
    web_max_body_bytes: Bytes = "web-max-body-bytes" "BYTES" ["31457280"] "The largest request body; 0 is no limit";
    web_write_timeout: Duration = "web-write-timeout" "TIME" ["60s"] "How long a client may take nothing of its answer before it is cut off";
    web_tls_cert: Option<PathBuf> = "web-tls-cert" "FILE" [""] "Certificate chain of the web head, in PEM; with --web-tls-key it speaks https";
    web_tls_key: Option<PathBuf> = "web-tls-key" "FILE" [""] "Private key of the web head, in PEM";
    web_mock_header: WebMockHeader = "web-mock-header" "YES|NO" ["no"] "Let callers choose mocks by X-Txco-Mocks: for tests, never where strangers call";
    admin_addr: Listen = "admin-addr" "ADDR" ["127.0.0.1:8081"] "Where the admin head listens";
    auth_mode: Option<AuthMode> = "auth-mode" "MODE" [""] "How administrators prove who they are: basic, signed or both; must be given for an --admin-addr that others can reach. Without it both count";
    admin_user: String = "admin-user" "NAME" [""] "Name for HTTP Basic; counts together with --admin-pass only";
    admin_pass: Option<Password> = "admin-pass" "PASSWORD" [""] "Password for HTTP Basic. Other users can read it in `ps`: prefer the variable";
    admin_tls_cert: Option<PathBuf> = "admin-tls-cert" "FILE" [""] "Certificate chain of the admin head, in PEM; with --admin-tls-key it speaks https";
    admin_tls_key: Option<PathBuf> = "admin-tls-key" "FILE" [""] "Private key of the admin head, in PEM";
    auth_dev_enroll_secret: Option<Password> = "auth-dev-enroll-secret" "SECRET" [""] "Whoever knows it can become an actor. Without it the chassis mints one for the first actor and prints it";
    throttle_rate: u32 = "throttle-rate" "COUNT" ["10"] "How often one machine may try to become an actor within --throttle-window; 0 is no limit";
    throttle_window: Duration = "throttle-window" "TIME" ["60s"] "The time in which those tries are counted";
    db_root_dir: PathBuf = "db-root-dir" "DIR" ["./chassis/data/db"] "The folder of the databases";
    secret_master_key: Option<PathBuf> = "secret-master-key" "PATH" ["./chassis/data/secrets/txco-master.key"] "The file of the master key, minted when missing; empty turns the secret store off";
    secret_master_key_b64: Option<InlineKey> = "secret-master-key-b64" "KEY" [""] "The master key itself, in base64, older ones behind commas; wins over the file. Other users can read it in `ps`: prefer the variable, which is wiped";
    secret_master_key_fd: Option<u32> = "secret-master-key-fd" "N" [""] "An open descriptor (a pipe or a file) to read the master key from: 32 bytes, and 32 more for each older one; wins over the file";
    secret_master_key_credential: Option<String> = "secret-master-key-credential" "NAME" ["txco-master.key"] "The systemd credential that is the master key, where there is one; wins over the file";
    credentials_directory: Option<PathBuf> = "credentials-directory" "DIR" [""] "The folder of the credentials";
    secret_passphrase_fd: Option<u32> = "secret-passphrase-fd" "N" [""] "An open descriptor to read the passphrase of a sealed master key from";
    secret_value_max: Bytes = "secret-value-max" "BYTES" ["64KiB"] "The largest value of a secret, at most 256KiB";
    secret_description_max: Bytes = "secret-description-max" "BYTES" ["1KiB"] "The longest description of a secret, at most 4KiB";
    stack_fallback: StackFallback = "stack-fallback" "RULE" ["parents"] "Which secret a nested stack sees that has none of its own: parents, or exact (only the tenant's)";
    secret_cache: Bytes = "secret-cache" "BYTES" ["32MiB"] "Memory for sealed rows of secrets, so that each use need not read the file; 0 turns it off";
    secrets_max: u32 = "secrets-max" "COUNT" ["10000"] "How many active secrets a tenant may have; 0 is no limit";
    secret_versions_max: u32 = "secret-versions-max" "COUNT" ["1000"] "How many versions a secret may have, old ones included; 0 is no limit";
    secret_bytes_max: Bytes = "secret-bytes-max" "BYTES" ["256MiB"] "How many bytes of sealed values a tenant may keep, old versions included; 0 is no limit";
    secrets_require_policy: RequirePolicy = "secrets-require-policy" "YES|NO" ["no"] "Refuse secrets that are set or generated without a policy";
    secrets_use: SecretsUse = "secrets-use" "RULE" ["implied"] "What it takes to activate rules that name a secret they did not name before: implied (by the capability to activate), or explicit (secret:NAME:use)";
    ingress_miss_action: MissAction = "ingress-miss-action" "ACTION" ["fallthrough"] "What happens to a request whose host nobody bound: fallthrough (it belongs to the only tenant, when there is only one), or reject";
    require_hostname_verification: Switch = "require-hostname-verification" "YES|NO" ["no"] "A bound host counts only once it is verified (txco auth tenant hostnames verify)";
    follow_period: Option<Duration> = "follow-period" "TIME" ["1s"] "How often the database is looked at for what another chassis changed: applied rules, hosts, tenants; empty leaves it to SIGHUP";
    workspace: Option<PathBuf> = "workspace" "DIR" [""] "The workspace whose OPS/ folder holds the rules; reloaded on SIGHUP. Without it what was applied is served";
    rule_mode: RuleMode = "rule-mode" "MODE" ["strict"] "How mistakes in rules are taken that the Go chassis lets pass: strict, or lenient (each is a warning)";
    stack: Option<StackName> = "stack" "NAME" [""] "Which stack answers a host that names none, when there are several";
    cache_dir: PathBuf = "cache-dir" "DIR" ["./chassis/data/cache/ops"] "The folder of compiled ops";
    trace_mode: TraceMode = "trace-mode" "MODE" ["off"] "What is traced of each request: off, summary or full";
    trace_dir: PathBuf = "trace-dir" "DIR" ["./data/trace"] "The folder of the traces";
    trace_async: Switch = "trace-async" "YES|NO" ["no"] "Traces are written by a thread of their own; when it cannot keep up, requests wait and nothing is lost";
    trace_buffer_size: u32 = "trace-buffer-size" "COUNT" ["1024"] "How many writes may wait for that thread";
    trace_body_cap_bytes: Bytes = "trace-body-cap-bytes" "BYTES" ["64KiB"] "How much of each body a full trace keeps; 0 keeps all of it";
    trace_max_age: Option<Duration> = "trace-max-age" "TIME" ["168h"] "Traces of requests that ended longer ago are removed; empty keeps them";
    trace_max_bytes: Bytes = "trace-max-bytes" "BYTES" ["1024MiB"] "The oldest traces are removed beyond this size; 0 is no limit";
    egress_policy: EgressPolicy = "egress-policy" "POLICY" ["private"] "Which addresses ops may call: private (only public ones) or open (any)";
    egress_allow_cidrs: Vec<Network> = "egress-allow-cidrs" "CIDR,…" [""] "Networks that ops may call in spite of the policy";
    egress_deny_cidrs: Vec<Network> = "egress-deny-cidrs" "CIDR,…" [""] "Networks that ops may not call";
    egress_connect_to: Vec<ConnectTo> = "egress-connect-to" "HOST=ADDR:PORT" [""] "Connect elsewhere for HOST; names, TLS and policy stay those of HOST";
    dns_server: Option<SocketAddr> = "dns-server" "ADDR:PORT" [""] "Who is asked for the TXT records that prove a host (hostnames verify --method dns-txt); empty asks the machine's name servers";
    egress_ca: Vec<PathBuf> = "egress-ca" "FILE" [""] "Also trust the certificate authorities in this PEM file";
    egress_calls: u32 = "egress-calls" "COUNT" ["256"] "How many requests of one tenant to upstreams may be under way at once";
    op_timeout: Duration = "op-timeout" "TIME" ["5s"] "How long an op may take that says nothing about it";
    op_timeout_max: Duration = "op-timeout-max" "TIME" ["10m"] "The longest any op or request may take";
    op_payload_max: Bytes = "op-payload-max" "BYTES" ["4194304"] "The largest reply of an upstream";
    op_scope_ttl_max: u32 = "op-scope-ttl-max" "COUNT" ["500"] "How many stages one request may enter; 0 is no limit";
    max_fuel_per_request: u64 = "max-fuel-per-request" "COUNT" ["100000"] "What one request may use in all; 0 is no limit";
    op_repeat_penalty_ms: u32 = "op-repeat-penalty-ms" "COUNT" ["20"] "Milliseconds that a request waits which goes from one stage to another again";
    async_runtime_default: Duration = "async-runtime-default" "TIME" ["10m"] "How long a worker may take for its job when its rule says nothing";
    async_ack_timeout: Duration = "async-ack-timeout" "TIME" ["5s"] "How long a worker may take to accept a job";
    continue_after_default: Duration = "continue-after-default" "TIME" ["5s"] "After what time the client of a continuable rule is told to come back";
    continuable_timeout_default: Duration = "continuable-timeout-default" "TIME" ["10m"] "How long a continuable rule may take that says nothing about it, within --op-timeout-max";
    continuation_callback_base_url: String = "continuation-callback-base-url" "URL" [""] "Where workers reach the web head: scheme, host and port; without it, the address it listens on";
    continuation_sweep_period: Duration = "continuation-sweep-period" "TIME" ["900"] "How often requests that waited and ended are looked at, to be removed";
    continuation_retention: Duration = "continuation-retention" "TIME" ["604800"] "How long the end of a request that waited is kept for its client; no job may take longer";
    continuation_longpoll_ms: u32 = "continuation-longpoll-ms" "COUNT" ["12000"] "Milliseconds that a client waits for an end when it asks with format=json";
    continuations_max: u64 = "continuations-max" "COUNT" ["10000"] "How many requests of a tenant may wait; 0 is no limit";
    continuation_runs: u32 = "continuation-runs" "COUNT" ["256"] "How many requests that nobody waits for may run at once";
    mock: Mock = "mock" "allow|deny" ["allow"] "Whether a mock-response.json may stand for an op";
    op_size_max: Bytes = "op-size-max" "BYTES" ["20MiB"] "The largest component of an op that may be pushed";
    ops_max: u32 = "ops-max" "COUNT" ["200"] "How many ops a tenant may have";
    op_trust_key: Vec<TrustKey> = "op-trust-key" "KEY" [""] "A public key whose signatures over ops count, as `txco op sign` prints it";
    only_signed: OnlySigned = "only-signed" "YES|NO" ["no"] "Run ops of tenants only when they are signed by a trusted key";
    sandbox_memory: Bytes = "sandbox-memory" "BYTES" ["32MiB"] "Memory of one op call";
    sandbox_wall: Duration = "sandbox-wall" "TIME" ["250ms"] "Wall-clock time of one op call";
    sandbox_stack: StackSize = "sandbox-stack" "BYTES" ["512KiB"] "WebAssembly stack of one op call, 64KiB to 1MiB";
    sandbox_tables: u32 = "sandbox-tables" "COUNT" ["1000"] "Table elements of one op call";
    sandbox_host_calls: u32 = "sandbox-host-calls" "COUNT" ["10000"] "Host calls of one op call";
    sandbox_arguments: Bytes = "sandbox-arguments" "BYTES" ["1MiB"] "Bytes that one op call may hand to the host in all";
    sandbox_handles: u32 = "sandbox-handles" "COUNT" ["64"] "Handles one op call may hold";
    sandbox_output: Bytes = "sandbox-output" "BYTES" ["4MiB"] "Bytes that one op call may return";
    sandbox_log_lines: u32 = "sandbox-log-lines" "COUNT" ["32"] "Log lines of one op call";
    sandbox_log_line: Bytes = "sandbox-log-line" "BYTES" ["1KiB"] "Bytes of one log line of an op";
    sandbox_large_memory: Bytes = "sandbox-large-memory" "BYTES" ["128MiB"] "Memory of one call of an op over 1 MiB: one in JavaScript or Python";
    sandbox_large_wall: Duration = "sandbox-large-wall" "TIME" ["1s"] "Wall-clock time of one call of an op over 1 MiB";
    sandbox_large_tables: u32 = "sandbox-large-tables" "COUNT" ["20000"] "Table elements of one call of an op over 1 MiB";
    sandbox_large_calls: u32 = "sandbox-large-calls" "COUNT" ["4"] "How many calls of ops over 1 MiB run at once";
    log_level: LogLevel = "log-level" "LEVEL" ["info"] "What is logged: error, warn, info, debug or trace; foreign code never below info";
    logger: Logger = "logger" "FORMAT" ["console"] "How log lines look: console or json";
}

/// Looks a setting up: flag, variable, changed default, default.
struct Reader<'a> {
    environment: &'a dyn Environment,
    defaults: &'a Defaults,
}

impl ServeFlags {
    /// What a command types that acts on files and listens nowhere: `TXCO_ADMIN_ADDR` says to
    /// commands where a chassis is, and may be a URL that nobody here could listen on.
    pub(crate) fn of_no_head() -> Self {
        let nowhere = || vec!["127.0.0.1:0".to_owned()];
        Self { admin_addr: nowhere(), web_addr: nowhere(), ..Self::default() }
    }
}

impl Reader<'_> {
    fn read<T: Setting>(&self, flag: &str, typed: &[String], default: &str) -> Result<T, ConfigError> {
        let (place, text) = if !typed.is_empty() {
            let place = format!("--{flag}");
            if typed.len() > 1 && !T::LIST {
                return Err(ConfigError { place, reason: "given more than once".to_owned() });
            }
            (place, typed.join(","))
        } else if let Some(text) = self.environment.variable(&variable_of(flag)) {
            (format!("${}", variable_of(flag)), text)
        } else {
            let changed = self.defaults.iter().find(|(name, _)| *name == flag);
            (format!("--{flag}"), changed.map_or(default, |(_, text)| text.as_str()).to_owned())
        };
        T::parse(&text).map_err(|reason| ConfigError { place, reason })
    }
}

impl Setting for StackName {
    fn parse(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|e| e.rule.to_owned())
    }
}

/// A network, such as `10.0.0.0/8`; a bare address is a network of one.
pub type Network = egress::IpNet;

impl Setting for Network {
    fn parse(text: &str) -> Result<Self, String> {
        text.parse()
            .or_else(|_| text.parse::<std::net::IpAddr>().map(Self::from))
            .map_err(|_| "expected a network such as 10.0.0.0/8".to_owned())
    }
}

/// The help of a flag: what it is, its variable, its default.
fn help(flag: &str, text: &str, default: &str) -> String {
    let variable = variable_of(flag);
    if default.is_empty() {
        format!("{text} [${variable}]")
    } else {
        format!("{text} [${variable}, default {default}]")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn none() -> BTreeMap<&'static str, &'static str> {
        BTreeMap::new()
    }

    #[test]
    fn every_default_parses_and_every_flag_is_told_apart() {
        assert!(Config::read(ServeFlags::default(), &none(), &Vec::new()).is_ok());
        let mut flags: Vec<_> = TABLE.iter().map(|(flag, _)| *flag).collect();
        flags.sort_unstable();
        flags.dedup();
        assert_eq!(flags.len(), TABLE.len());
        assert!(TABLE.len() > 30, "the table was read");
    }

    #[test]
    fn flag_over_variable_over_default() {
        let env = BTreeMap::from([("TXCO_OP_TIMEOUT", "7s"), ("TXCO_ENV", "prod")]);
        let flags = ServeFlags { op_timeout: vec!["9s".to_owned()], ..ServeFlags::default() };
        let defaults: Defaults = vec![("env", "demo".to_owned()), ("trace-mode", "full".to_owned())];
        let config = Config::read(flags, &env, &defaults).map_err(|e| e.to_string()).unwrap();
        assert_eq!(config.op_timeout, Duration::from_secs(9));
        assert_eq!(config.env, "prod");
        assert_eq!(config.trace_mode, TraceMode::Full);
        assert_eq!(config.web_max_body_bytes, Bytes(31_457_280));
    }

    #[test]
    fn an_error_names_the_place_and_not_the_value() {
        let env = BTreeMap::from([("TXCO_OP_TIMEOUT", "s3cret")]);
        let error = Config::read(ServeFlags::default(), &env, &Vec::new()).err().unwrap();
        assert_eq!(error.to_string(), "$TXCO_OP_TIMEOUT: expected a duration such as 250ms, 5s or 10m");
        let flags = ServeFlags { web_addr: vec![":1".to_owned(), ":2".to_owned()], ..ServeFlags::default() };
        let error = Config::read(flags, &none(), &Vec::new()).err().unwrap();
        assert_eq!(error.to_string(), "--web-addr: given more than once");
    }

    #[test]
    fn an_empty_key_path_turns_the_store_off() {
        let flags = ServeFlags { secret_master_key: vec![String::new()], ..ServeFlags::default() };
        let config = Config::read(flags, &none(), &Vec::new()).map_err(|e| e.to_string()).unwrap();
        assert!(config.secret_master_key.is_none());
    }

    #[test]
    fn lists_may_repeat_the_flag() {
        let flags = ServeFlags {
            egress_allow_cidrs: vec!["10.0.0.0/8".to_owned(), "127.0.0.1".to_owned()],
            ..ServeFlags::default()
        };
        let config = Config::read(flags, &none(), &Vec::new()).map_err(|e| e.to_string()).unwrap();
        assert_eq!(config.egress_allow_cidrs.len(), 2);
    }
}
