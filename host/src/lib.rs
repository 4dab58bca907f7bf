//! A chassis that runs a tenant's ops and keeps the tenant's secrets.
//!
//! **Use it when** a Rust program wants a chassis inside it. **Not when** you only want to
//! run one: that is the program `txco`, and `txco demo` shows what it does.
//!
//! ```no_run
//! use txco::config::{Config, ProcessEnvironment, ServeFlags};
//! use txco::{App, Role};
//!
//! let mut config = Config::read(ServeFlags::default(), &ProcessEnvironment::default(), &Vec::new())?;
//! config.secret_master_key = None; // no secret store
//! let serving = App::boot(config, Role::Serve)?.serve()?;
//! serving.until_signal()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A program that keeps its master keys in a KMS or an HSM gives them itself:
//!
//! ```no_run
//! use txco::config::{Config, ProcessEnvironment, ServeFlags};
//! use txco::{App, KeyProvider, KeyRing, MasterKey, ProviderError, Role};
//!
//! /// Keys that lie sealed by a KMS, and are unsealed by it once per start.
//! struct Kms;
//!
//! impl KeyProvider for Kms {
//!     fn ring(&self) -> Result<KeyRing, ProviderError> {
//!         // Ask the KMS here; the bytes are wiped once they are read.
//!         let mut active = unseal("txco-2026")?;
//!         let mut before = unseal("txco-2025")?;
//!         Ok(KeyRing::new(MasterKey::from_bytes(&mut active)?).and(MasterKey::from_bytes(&mut before)?))
//!     }
//!
//!     fn changed(&self) -> bool {
//!         false // a restart, SIGHUP or a row of an unknown key asks again
//!     }
//! }
//!
//! fn unseal(_name: &str) -> Result<Vec<u8>, ProviderError> {
//!     Err("no KMS in this example".into())
//! }
//!
//! let config = Config::read(ServeFlags::default(), &ProcessEnvironment::default(), &Vec::new())?;
//! App::boot_with_keys(config, Role::Serve, Box::new(Kms))?.serve()?.until_signal()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Invariants:
//! 1. The environment is read in `config/env.rs` only; a flag wins over its variable, that
//!    over the default.
//! 2. Nothing is printed but by commands, to handles they were given; the log goes to
//!    stderr, and foreign crates never log below `info` (their debug lines hold headers).
//! 3. Everything is opened and bound before anything is served.
//! 4. A master key is minted only where no ciphertext waits for a lost one; a bad key turns
//!    the secret store off, not the chassis. No command removes the last file of a key.
//! 5. Whoever is not on this very machine has no way into administration (R32), and the
//!    admin head answers while ops keep every other thread busy (R26).
//! 6. No administration path returns a stored value; a minted one is shown once.
//! 7. Every administrative request about a secret leaves one `secret_action` line, however
//!    it ends.
//!
//! Tests: beside the code; `tests/blackbox` runs the program.
#![forbid(unsafe_code)]

pub mod config;
pub mod telemetry;
mod key_source;
mod op_signature;
mod request_signature;
mod backup;
mod bookkeeping;
mod meter;
mod admin;
mod http;
mod app;
mod watch;
mod own_ops;
mod reload;
pub mod cli;
pub mod manual;

pub use app::{App, BootError, Role, Serving};
pub use vault::{KeyProvider, KeyRing, MasterKey, ProviderError};
