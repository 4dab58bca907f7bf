//! A component, checked and linked before the first call: what it imports decides what it may get.

use model::{Digest, OpName, OpRef};
use wasmtime::Engine;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker};

use crate::cache::Found;
use crate::error::printable;
use crate::hostcalls::{self, CALL, Host, KEYS, LOG, SECRETS, TYPES};
use crate::{CodeCache, Error};

/// Whether a component was compiled now or found compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Compiled,
    Cached,
}

/// The two sets of functions a guest can be linked with: which one is the grant's decision.
pub(crate) struct Linkers {
    plain: Linker<Host>,
    revealing: Linker<Host>,
}

impl Linkers {
    pub(crate) fn new(engine: &Engine) -> Result<Self, Error> {
        let linker = |linked: wasmtime::Result<_>| linked.map_err(|_| Error::Engine);
        Ok(Self {
            plain: linker(hostcalls::plain(engine))?,
            revealing: linker(hostcalls::revealing(engine))?,
        })
    }
}

/// A component ready to be instantiated.
pub(crate) struct Guest {
    pub(crate) reference: OpRef,
    pub(crate) handle: ComponentExportIndex,
    linked: Linked,
}

/// How it is linked. One that imports `secrets` does not link without them, so under a
/// rule that grants none it never starts.
enum Linked {
    Plain(InstancePre<Host>),
    Revealing(InstancePre<Host>),
}

impl Guest {
    pub(crate) fn new(
        name: OpName,
        wasm: &[u8],
        engine: &Engine,
        linkers: &Linkers,
        cache: &CodeCache,
    ) -> Result<(Self, Origin), Error> {
        let digest = Digest::of(wasm);
        let (component, origin) = match cache.find(engine, &digest) {
            Found::Component(component) => (component, Origin::Cached),
            Found::Nothing => {
                let component = Component::from_binary(engine, wasm).map_err(|_| Error::NotAComponent)?;
                cache.keep(engine, &digest, &component);
                (component, Origin::Compiled)
            }
        };
        check_imports(&component, engine)?;
        let handle = component.get_export_index(None, "handle").ok_or(Error::NoHandle)?;
        let linked = match linkers.plain.instantiate_pre(&component) {
            Ok(linked) => Linked::Plain(linked),
            Err(_) => {
                let linked = linkers.revealing.instantiate_pre(&component);
                Linked::Revealing(linked.map_err(|_| Error::OtherContract)?)
            }
        };
        Ok((Self { reference: OpRef { name, digest }, handle, linked }, origin))
    }

    /// Whether it imports `secrets`.
    pub(crate) fn reveals(&self) -> bool {
        matches!(self.linked, Linked::Revealing(_))
    }

    /// What to instantiate under a grant.
    pub(crate) fn under(&self, grants: Grants) -> Result<&InstancePre<Host>, Error> {
        match (&self.linked, grants) {
            (Linked::Plain(linked), _) | (Linked::Revealing(linked), Grants::Some) => Ok(linked),
            (Linked::Revealing(_), Grants::None) => Err(Error::NothingToReveal),
        }
    }
}

/// Whether a call grants the revealing of any slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grants {
    Some,
    None,
}

fn check_imports(component: &Component, engine: &Engine) -> Result<(), Error> {
    for (import, _) in component.component_type().imports(engine) {
        match import {
            TYPES | CALL | SECRETS | LOG => {}
            KEYS => return Err(Error::KeysNotLinked),
            foreign => return Err(Error::ForeignImport { import: printable(foreign, 128) }),
        }
    }
    Ok(())
}
