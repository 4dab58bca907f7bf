//! The `keys` interface: a guest names a key and what to compute, the host computes.

use std::borrow::Cow;

use vault::{Key, KeyError};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceType, WasmList, WasmStr};

use crate::Over;
use crate::abi::PieceOut;
use crate::hostcalls::{Contact, Host, KEYS, argument, counted};
use crate::wire::{AlgorithmOut, EncodingOut, KeyErrorIn, Piece};

/// What a function of the interface answers.
type Answer<T> = wasmtime::Result<(Result<T, KeyErrorIn>,)>;

/// Adds `keys` to a linker.
pub(crate) fn link_keys(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    let mut keys = linker.instance(KEYS)?;
    keys.resource("key", ResourceType::host::<Key>(), |mut store, handle| {
        counted(&mut store)?.drop_key(handle);
        Ok(())
    })?;
    keys.func_wrap("versions", |mut store, (slot,): (WasmStr,)| {
        let (host, slot) = argument(&mut store, &slot)?;
        Ok((host.bags.keys.versions(&slot).unwrap_or(0),))
    })?;
    keys.func_wrap("open", |mut store, (slot, index, encoding): (WasmStr, u32, EncodingOut)| {
        let (host, slot) = argument(&mut store, &slot)?;
        let key = host.open_key(&slot, index, encoding)?;
        answer(key.map(Resource::<Key>::new_own), host)
    })?;
    keys.func_wrap("[static]key.public", |mut store, (pem,): (WasmStr,)| {
        let (host, pem) = argument(&mut store, &pem)?;
        let key = host.hold_key(Key::public(&pem))?;
        answer(key.map(Resource::<Key>::new_own), host)
    })?;
    keys.func_wrap("[method]key.sign", sign)?;
    keys.func_wrap("[method]key.verify", verify)?;
    keys.func_wrap("[method]key.derive", derive)
}

fn sign(
    mut store: StoreContextMut<'_, Host>,
    (key, algorithm, message): (Resource<Key>, AlgorithmOut, Vec<Piece>),
) -> Answer<Vec<u8>> {
    paid(&mut store, &message, &[])?;
    let bytes = gathered(&store, &message)?;
    let pieces: Vec<&[u8]> = bytes.iter().map(AsRef::as_ref).collect();
    let host = store.data();
    answer(host.key(key.rep())?.sign(algorithm.into(), &pieces), host)
}

fn verify(
    mut store: StoreContextMut<'_, Host>,
    (key, algorithm, message, signature): (Resource<Key>, AlgorithmOut, Vec<Piece>, WasmList<u8>),
) -> Answer<bool> {
    paid(&mut store, &message, &[&signature])?;
    let bytes = gathered(&store, &message)?;
    let pieces: Vec<&[u8]> = bytes.iter().map(AsRef::as_ref).collect();
    let host = store.data();
    answer(host.key(key.rep())?.verify(algorithm.into(), &pieces, signature.as_le_slice(&store)), host)
}

fn derive(
    mut store: StoreContextMut<'_, Host>,
    (key, algorithm, prefix, message): (Resource<Key>, AlgorithmOut, WasmList<u8>, WasmList<u8>),
) -> Answer<Resource<Key>> {
    paid(&mut store, &[], &[&prefix, &message])?;
    let parent = store.data().key(key.rep())?;
    let derived = parent.derive(algorithm.into(), prefix.as_le_slice(&store), message.as_le_slice(&store));
    let host = store.data_mut();
    let derived = host.hold_key(derived)?;
    answer(derived.map(Resource::new_own), host)
}

/// Counts a host call and the bytes that the guest itself passes.
fn paid(
    store: &mut StoreContextMut<'_, Host>,
    message: &[Piece],
    rest: &[&WasmList<u8>],
) -> Result<(), Over> {
    counted(store)?;
    let of_message = message.iter().map(|piece| match piece {
        Piece::Bytes(bytes) => bytes.len(),
        Piece::Blob(_) => 0,
    });
    let bytes = of_message.chain(rest.iter().map(|list| list.len())).fold(0, usize::saturating_add);
    store.data_mut().meter.argument(bytes)
}

/// The pieces where they lie.
fn gathered<'a>(
    store: &'a StoreContextMut<'_, Host>,
    message: &'a [Piece],
) -> Result<Vec<Cow<'a, [u8]>>, Over> {
    store.data().gathered(message.iter().map(|piece| match piece {
        Piece::Bytes(bytes) => PieceOut::Bytes(bytes.as_le_slice(store)),
        Piece::Blob(blob) => PieceOut::Blob(blob.rep()),
    }))
}

/// What the guest gets to know; that its time is over it does not live to see.
fn answer<T>(result: Result<T, KeyError>, host: &Host) -> Answer<T> {
    match result {
        Ok(made) => Ok((Ok(made),)),
        Err(error) => match KeyErrorIn::of(error) {
            Some(error) => Ok((Err(error),)),
            None => Err(host.meter.late().into()),
        },
    }
}

impl Host {
    /// The pieces of a message where they lie, in the guest's memory and in the host's: none is
    /// copied.
    pub(crate) fn gathered<'a>(
        &'a self,
        message: impl Iterator<Item = PieceOut<'a>>,
    ) -> Result<Vec<Cow<'a, [u8]>>, Over> {
        let bytes: Vec<_> = message
            .map(|piece| match piece {
                PieceOut::Bytes(bytes) => Cow::Borrowed(bytes),
                PieceOut::Blob(blob) => self.blob(blob),
            })
            .collect();
        // A list can name one large blob many times over.
        self.meter.message(bytes.iter().map(|piece| piece.len()).fold(0, usize::saturating_add))?;
        Ok(bytes)
    }

    /// The key behind a handle, which was checked before this.
    pub(crate) fn key(&self, handle: u32) -> wasmtime::Result<&Key> {
        self.keys.at(handle).ok_or_else(|| wasmtime::Error::msg("no such key"))
    }

    pub(crate) fn drop_key(&mut self, handle: u32) {
        if self.keys.take(handle).is_some() {
            self.meter.let_go(0);
        }
    }

    /// A number for the key in a slot.
    pub(crate) fn open_key(
        &mut self,
        slot: &str,
        index: u32,
        encoding: EncodingOut,
    ) -> Result<Result<u32, KeyError>, Over> {
        let opened = match self.bags.keys.key(slot, index, encoding.into()) {
            // The rule declares it, and the op may see it but not use it.
            Err(KeyError::NoSuchSlot) if self.bags.reveal.versions(slot).is_some() => Err(KeyError::Denied),
            opened => opened,
        };
        if opened.is_ok() {
            self.contact = self.contact.max(Contact::Used);
        }
        self.hold_key(opened)
    }

    /// Gives a key a handle, which counts like any other (R25).
    pub(crate) fn hold_key(&mut self, key: Result<Key, KeyError>) -> Result<Result<u32, KeyError>, Over> {
        match key {
            Ok(key) => {
                self.meter.hold(0)?;
                // No epoch interrupts a host call: the key itself looks at the clock.
                Ok(Ok(self.keys.put(key.until(self.deadline))))
            }
            Err(error) => Ok(Err(error)),
        }
    }
}
