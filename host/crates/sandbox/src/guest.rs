//! A component, checked and linked before the first call: what it imports decides what it may get.

use model::{Digest, OpManifest, OpName, OpRef};
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker};
use wasmtime::{Engine, Module, Store};

use crate::cache::Origin;
use crate::direct::{self, Direct};
use crate::error::printable;
use crate::hostcalls::{self, CALL, Host, KEYS, LOG, RANDOM, SECRETS, TYPES, VERSION};
use crate::keys::link_keys;
use crate::manifest::{first_module, manifest};
use crate::wire::Returned;
use crate::{CodeCache, Error, wasi};

/// The two sets of functions a guest can be linked with, which one is the grant's decision; and
/// those of the embedded ops.
pub(crate) struct Linkers {
    plain: Linker<Host>,
    revealing: Linker<Host>,
    direct: wasmtime::Linker<Host>,
}

impl Linkers {
    pub(crate) fn new(engine: &Engine) -> Result<Self, Error> {
        let linkers = || {
            let mut plain = hostcalls::plain(engine)?;
            link_keys(&mut plain)?;
            let mut revealing = plain.clone();
            hostcalls::link_secrets(&mut revealing)?;
            Ok::<_, wasmtime::Error>(Self { plain, revealing, direct: direct::linker(engine)? })
        };
        linkers().map_err(|_| Error::Engine)
    }
}

/// A component ready to be instantiated.
pub(crate) struct Guest {
    pub(crate) reference: OpRef,
    pub(crate) manifest: Option<OpManifest>,
    pub(crate) imports: Imports,
    linked: Linked,
}

/// Code linked with the host's functions.
pub(crate) enum Linked {
    /// As a component, whoever made it.
    Component { pre: InstancePre<Host>, handle: ComponentExportIndex },
    /// The module of an embedded op.
    Direct(Direct),
}

impl Linked {
    pub(crate) fn engine(&self) -> &Engine {
        match self {
            Self::Component { pre, .. } => pre.engine(),
            Self::Direct(direct) => direct.engine(),
        }
    }

    /// Instantiates it and calls `handle`; of its result at most `most` bytes are taken.
    pub(crate) fn run(&self, store: &mut Store<Host>, most: usize) -> wasmtime::Result<Returned> {
        match self {
            Self::Component { pre, handle } => {
                let instance = pre.instantiate(&mut *store)?;
                let handle = instance.get_typed_func::<(), (Returned,)>(&mut *store, handle)?;
                Ok(handle.call(&mut *store, ())?.0)
            }
            Self::Direct(direct) => direct.run(store, most),
        }
    }
}

/// What a component imports: which ways to a secret, and whether an operating system.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Imports {
    pub(crate) secrets: bool,
    pub(crate) keys: bool,
    pub(crate) wasi: bool,
}

impl Guest {
    /// An op of anybody's.
    pub(crate) fn new(
        name: OpName,
        wasm: &[u8],
        engine: &Engine,
        linkers: &Linkers,
        cache: &CodeCache,
    ) -> Result<(Self, Origin), Error> {
        let digest = Digest::of(wasm);
        let (component, origin): (Component, _) =
            cache.code(engine, &digest, wasm).map_err(|_| Error::NotAComponent)?;
        let imports = imports(component.component_type().imports(engine).map(|(import, _)| import))?;
        let manifest = manifest(wasm)?;
        let handle = component.get_export_index(None, "handle").ok_or(Error::NoHandle)?;
        let linker = if imports.secrets { &linkers.revealing } else { &linkers.plain };
        let linked = if imports.wasi {
            let mut linker = linker.clone();
            let linked = wasi::link(&mut linker, &component, engine);
            linked.and_then(|()| linker.instantiate_pre(&component))
        } else {
            linker.instantiate_pre(&component)
        };
        let linked = Linked::Component { pre: linked.map_err(|_| Error::OtherContract)?, handle };
        Ok((Self { reference: OpRef { name, digest }, manifest, imports, linked }, origin))
    }

    /// One of the embedded ops, whose component is known to be wired as usual.
    pub(crate) fn embedded(
        name: OpName,
        wasm: &[u8],
        engine: &Engine,
        linkers: &Linkers,
        cache: &CodeCache,
    ) -> Result<(Self, Origin), Error> {
        let digest = Digest::of(wasm);
        let (module, origin): (Module, _) =
            cache.code(engine, &digest, first_module(wasm)?).map_err(|_| Error::NotAComponent)?;
        let imports = imports(module.imports().map(|import| import.module()))?;
        let manifest = manifest(wasm)?;
        let linked = Linked::Direct(Direct::link(&linkers.direct, &module)?);
        Ok((Self { reference: OpRef { name, digest }, manifest, imports, linked }, origin))
    }

    /// What to instantiate under a grant. One that imports `secrets` is not linked without
    /// them: under a rule that reveals none to it, it never starts.
    pub(crate) fn under(&self, grants: Grants) -> Result<&Linked, Error> {
        match grants {
            Grants::None if self.imports.secrets => Err(Error::NothingToReveal),
            Grants::Some | Grants::None => Ok(&self.linked),
        }
    }
}

/// Whether a call grants the revealing of any slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grants {
    Some,
    None,
}

/// Sorts what an op imports; the first thing that no op may have refuses it.
fn imports<'a>(imports: impl Iterator<Item = &'a str>) -> Result<Imports, Error> {
    let mut found = Imports::default();
    for import in imports {
        match import {
            TYPES | CALL | RANDOM | LOG => {}
            SECRETS => found.secrets = true,
            KEYS => found.keys = true,
            import if wasi::interface(import).is_some() => found.wasi = true,
            other => return Err(refused(other)),
        }
    }
    Ok(found)
}

/// Why an import is refused: another version of ours, or nothing of ours.
fn refused(import: &str) -> Error {
    let of_ours = || {
        let (_, version) = import.strip_prefix("txco:op/")?.split_once('@')?;
        let mut parts = version.splitn(3, '.').map(|part| part.parse::<u64>().ok());
        let needs = [parts.next()??, parts.next()??, parts.next()??];
        let remedy = if needs < VERSION {
            "rebuild the op with the SDK of this version"
        } else {
            "update txco, or rebuild the op with the older SDK"
        };
        let printed = |version: [u64; 3]| version.map(|part| part.to_string()).join(".");
        Some(Error::OtherVersion { needs: printed(needs), has: printed(VERSION), remedy })
    };
    of_ours()
        .filter(|error| !matches!(error, Error::OtherVersion { needs, has, .. } if needs == has))
        .unwrap_or_else(|| Error::ForeignImport { import: printable(import, 128) })
}
