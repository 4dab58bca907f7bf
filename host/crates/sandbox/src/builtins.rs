//! The ops this binary embeds, and the lock file that says which bytes they are.

use std::collections::BTreeMap;

use model::{Digest, OpName};

use crate::{Class, Error, Trust};

/// Built from `builtin-ops/`, committed, rebuilt and compared in CI.
const EMBEDDED: [(&str, &[u8]); 2] = [
    ("basic-auth-encode", include_bytes!("../../../../builtin-ops/dist/basic-auth-encode.wasm")),
    ("hmac-sign", include_bytes!("../../../../builtin-ops/dist/hmac-sign.wasm")),
];
const LOCK: &str = include_str!("../../../../builtin-ops/dist/lock.toml");
/// An op with a longer budget does not run on the thread that has the request (R26).
const INLINE_BUDGET_MS: u32 = 5;

/// One embedded op.
#[derive(Debug, Clone)]
pub struct Builtin {
    /// Its name, as in `txco://NAME`.
    pub name: OpName,
    /// Its component.
    pub wasm: &'static [u8],
    /// The digest of the component, equal to the lock file's.
    pub digest: Digest,
    /// What its outputs tell about the secrets it is shown.
    pub classes: Vec<Class>,
    /// Whether it may run on the thread that has the request.
    pub inline: bool,
}

impl Builtin {
    pub(crate) fn trust(&self) -> Trust {
        Trust::Builtin { classes: self.classes.clone(), inline: self.inline }
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Lock {
    #[expect(dead_code, reason = "for those who rebuild the ops; the host has no use for it")]
    compiler: String,
    ops: BTreeMap<String, Locked>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Locked {
    sha256: String,
    classes: Vec<Class>,
    budget_ms: u32,
}

/// The embedded ops, each compared with the lock file.
///
/// # Errors
/// [`Error::BuiltinDamaged`]: the build is not what was committed.
pub fn builtins() -> Result<Vec<Builtin>, Error> {
    let damaged = |name: &str| Error::BuiltinDamaged { name: name.to_owned() };
    let mut lock: Lock = toml::from_str(LOCK).map_err(|_| damaged("lock.toml"))?;
    let builtins = EMBEDDED.iter().map(|(name, wasm)| {
        let locked = lock.ops.remove(*name).ok_or_else(|| damaged(name))?;
        let digest = Digest::of(wasm);
        if digest.to_string() != locked.sha256 {
            return Err(damaged(name));
        }
        let inline = locked.budget_ms <= INLINE_BUDGET_MS;
        let name = OpName::parse(name).map_err(|_| damaged(name))?;
        Ok(Builtin { name, wasm, digest, classes: locked.classes, inline })
    });
    let builtins = builtins.collect::<Result<Vec<_>, _>>()?;
    match lock.ops.keys().next() {
        Some(not_embedded) => Err(damaged(not_embedded)),
        None => Ok(builtins),
    }
}
