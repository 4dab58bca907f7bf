//! A component, checked and linked before the first call: what it imports decides what it may get.

use model::{Digest, OpManifest, OpName, OpRef};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker};
use wasmtime::{Engine, Module, Store};

use crate::cache::Origin;
use crate::direct::{self, Direct};
use crate::error::printable;
use crate::hostcalls::{self, CALL, Host, KEYS, LOG, RANDOM, SECRETS, TYPES, VERSION};
use crate::keys::link_keys;
use crate::manifest::{before_modules, manifest};
use crate::wire::Returned;
use crate::wiring::{self, Usual};
use crate::{CodeCache, Error, Limits, wasi};

/// The two sets of functions a component can be linked with, which one is the grant's decision;
/// and those of modules that are called directly, unless none is.
pub(crate) struct Linkers {
    plain: Linker<Host>,
    revealing: Linker<Host>,
    direct: Option<wasmtime::Linker<Host>>,
}

/// How ops are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Directly, those that are wired as usual.
    Quickest,
    /// All of them through the engine's component layer. To compare with.
    Component,
}

impl Linkers {
    pub(crate) fn new(engine: &Engine, way: Way) -> Result<Self, Error> {
        let linkers = || {
            let mut plain = hostcalls::plain(engine)?;
            link_keys(&mut plain)?;
            let mut revealing = plain.clone();
            hostcalls::link_secrets(&mut revealing)?;
            let direct = (way == Way::Quickest).then(|| direct::linker(engine)).transpose()?;
            Ok::<_, wasmtime::Error>(Self { plain, revealing, direct })
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

/// Why an op is called through the engine's component layer, which costs it some 20 µs a call
/// (decision 0065).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Layered {
    /// The sandbox calls nothing directly.
    #[error("nothing is called directly here")]
    Asked,
    /// It is over 1 MiB: next to an interpreter that is nothing.
    #[error("it is larger than 1 MiB")]
    Large,
    /// An operating system is imported.
    #[error("it imports WASI")]
    Wasi,
    /// Not `wit-component`'s way to wire one.
    #[error("it is not wired as wit-component wires an op, or imports an interface that it does not call")]
    Unusual,
}

/// Code linked with the host's functions.
pub(crate) enum Linked {
    /// As a component, however it is wired.
    Component { pre: InstancePre<Host>, handle: ComponentExportIndex, why: Layered },
    /// The module of one that is wired as usual.
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
            Self::Component { pre, handle, .. } => {
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
    pub(crate) fn new(
        name: OpName,
        wasm: &[u8],
        engine: &Engine,
        linkers: &Linkers,
        cache: &CodeCache,
    ) -> Result<(Self, Origin), Error> {
        let reference = OpRef { name, digest: Digest::of(wasm) };
        if let Some(direct) = &linkers.direct
            && let Some((module, origin)) = usual_module(&reference.digest, wasm, engine, linkers, cache)
        {
            let imports = imports(module.imports().map(|import| import.module()))?;
            let (manifest, linked) = (manifest(wasm)?, Linked::Direct(Direct::link(direct, &module)?));
            return Ok((Self { reference, manifest, imports, linked }, origin));
        }
        let (component, origin): (Component, _) =
            cache.code(engine, &reference.digest, wasm).map_err(|_| Error::NotAComponent)?;
        let imports = imports(component.component_type().imports(engine).map(|(import, _)| import))?;
        let manifest = manifest(wasm)?;
        let exported = component.get_export(None, "handle");
        let Some((ComponentItem::ComponentFunc(function), handle)) = exported else {
            return Err(Error::NoHandle);
        };
        let linker = if imports.secrets { &linkers.revealing } else { &linkers.plain };
        let linked = if imports.wasi {
            let mut linker = linker.clone();
            let linked = wasi::link(&mut linker, &component, engine);
            linked.and_then(|()| linker.instantiate_pre(&component))
        } else {
            linker.instantiate_pre(&component)
        };
        let why = match &linkers.direct {
            None => Layered::Asked,
            Some(_) if Limits::is_large(wasm.len()) => Layered::Large,
            Some(_) if imports.wasi => Layered::Wasi,
            Some(_) => Layered::Unusual,
        };
        let pre = linked.map_err(|_| Error::OtherContract)?;
        let typed = function.typecheck::<(), (Returned,)>(&pre.instance_type());
        if typed.is_err() || function.async_() {
            return Err(Error::NoHandle);
        }
        let linked = Linked::Component { pre, handle, why };
        Ok((Self { reference, manifest, imports, linked }, origin))
    }

    pub(crate) const fn layered(&self) -> Option<Layered> {
        match self.linked {
            Linked::Direct(_) => None,
            Linked::Component { why, .. } => Some(why),
        }
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

/// The module of a component that is wired as usual, compiled; of any other, nothing. That it is
/// was found out when its code was kept, for code that was.
fn usual_module(
    digest: &Digest,
    wasm: &[u8],
    engine: &Engine,
    linkers: &Linkers,
    cache: &CodeCache,
) -> Option<(Module, Origin)> {
    if Limits::is_large(wasm.len()) {
        return None;
    }
    if let Some(module) = cache.find(engine, digest) {
        return Some((module, Origin::Cached));
    }
    let Usual { module, imports: all } = wiring::usual(wasm)?;
    // The engine says whether what it imports has the types of the contract. All of its imports
    // stand before its modules, in what is a component too.
    let importing = Component::from_binary(engine, before_modules(wasm)?).ok()?;
    let names = importing.component_type();
    let as_usual = names.imports(engine).map(|(name, _)| name).eq(all.iter().map(String::as_str));
    linkers.revealing.instantiate_pre(&importing).ok().filter(|_| as_usual)?;
    let module = Module::from_binary(engine, module).ok()?;
    // An interface that it imports and calls nothing of counts as well.
    let called = imports(module.imports().map(|import| import.module())).ok()?;
    if imports(all.iter().map(String::as_str)).ok()? != called {
        return None;
    }
    cache.keep(engine, digest, &module);
    Some((module, Origin::Compiled))
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
