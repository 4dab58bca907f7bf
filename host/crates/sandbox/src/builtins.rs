//! The ops this binary embeds, and the lock file that says which bytes they are.

use std::collections::BTreeMap;

use model::{Digest, OpName};

use crate::Error;

/// Each component of `builtin-ops/dist`: built there, committed, rebuilt and compared in CI.
macro_rules! embedded {
    ($($file:literal,)*) => {
        &[$(($file, include_bytes!(concat!("../../../../builtin-ops/dist/", $file))),)*]
    };
}

/// A build with `.use` in its name has its keys as handles and is shown nothing; an op that
/// serves both ways of giving it a secret is built twice, from one source.
const EMBEDDED: &[(&str, &[u8])] = embedded![
    "basic-auth-encode.wasm",
    "hmac-sign.use.wasm",
    "hmac-sign.wasm",
    "hmac-verify.use.wasm",
    "hmac-verify.wasm",
    "http-signature.use.wasm",
    "http-signature-verify.use.wasm",
    "jwt-sign.use.wasm",
    "jwt-verify.use.wasm",
    "sigv4-sign.use.wasm",
    "sigv4-sign.wasm",
    "totp.use.wasm",
    "webhook-sign.use.wasm",
    "webhook-verify.use.wasm",
];
const LOCK: &str = include_str!("../../../../builtin-ops/dist/lock.toml");

/// One embedded component; an op that is built twice has two of them, under one name.
#[derive(Debug, Clone)]
pub struct Builtin {
    /// The op's name, as in `txco://NAME`.
    pub name: OpName,
    /// The file of `builtin-ops/dist`: `NAME.wasm`, or `NAME.use.wasm`.
    pub file: &'static str,
    /// The component.
    pub wasm: &'static [u8],
    /// Its digest, equal to the lock file's.
    pub digest: Digest,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Lock {
    #[expect(dead_code, reason = "for those who rebuild the ops; the host has no use for it")]
    compiler: String,
    /// Digests, by file.
    sha256: BTreeMap<String, String>,
}

/// The embedded components, each compared with the lock file.
///
/// # Errors
/// [`Error::BuiltinDamaged`]: the build is not what was committed.
pub fn builtins() -> Result<Vec<Builtin>, Error> {
    let damaged = |name: &str| Error::BuiltinDamaged { name: name.to_owned() };
    let mut lock: Lock = toml::from_str(LOCK).map_err(|_| damaged("lock.toml"))?;
    let builtins = EMBEDDED.iter().map(|(file, wasm)| {
        let digest = Digest::of(wasm);
        let locked = lock.sha256.remove(*file).ok_or_else(|| damaged(file))?;
        if digest.to_string() != locked {
            return Err(damaged(file));
        }
        let name = file.split('.').next().unwrap_or_default();
        let name = OpName::parse(name).map_err(|_| damaged(file))?;
        Ok(Builtin { name, file, wasm, digest })
    });
    let builtins = builtins.collect::<Result<Vec<_>, _>>()?;
    match lock.sha256.keys().next() {
        Some(not_embedded) => Err(damaged(not_embedded)),
        None => Ok(builtins),
    }
}
