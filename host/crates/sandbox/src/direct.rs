//! The contract for ops that are wired as usual, linked to their modules without the engine's
//! component layer in between (decisions 0039, 0065).
//!
//! The module that holds such an op's code was found to be wired as `wit-component` wires
//! (`wiring.rs`), so it can be called directly. That is one instance instead of three, and host
//! calls that copy nothing but bytes. What a function does is said once, in `hostcalls.rs` and
//! `keys.rs`; here is only how it is called.

use std::borrow::Cow;

use vault::KeyError;
use wasmtime::{
    AsContextMut as _, Caller, Engine, Extern, InstancePre, Linker, Module, ModuleExport, Store, Trap,
    TypedFunc,
};

use crate::Error;
use crate::abi::{Broken, PieceOut, Wires, aligned, bytes, bytes_mut, pieces, returned, text};
use crate::hostcalls::{CALL, Host, KEYS, LOG, MOST_COPIED, RANDOM, SECRETS};
use crate::wire::{AlgorithmOut, EncodingOut, KeyErrorIn, Returned, ValueIn};

type To<'a> = Caller<'a, Host>;

/// A module, ready to be instantiated.
pub(crate) struct Direct {
    pre: InstancePre<Host>,
    memory: ModuleExport,
    realloc: ModuleExport,
    handle: ModuleExport,
    post: Option<ModuleExport>,
}

impl Direct {
    /// Links the module of an op that is wired as usual.
    pub(crate) fn link(linker: &Linker<Host>, module: &Module) -> Result<Self, Error> {
        let export = |name: &str| module.get_export_index(name).ok_or(Error::NoHandle);
        Ok(Self {
            pre: linker.instantiate_pre(module).map_err(|_| Error::OtherContract)?,
            memory: export("memory")?,
            realloc: export("cabi_realloc")?,
            handle: export("handle")?,
            post: export("cabi_post_handle").ok(),
        })
    }

    pub(crate) fn engine(&self) -> &Engine {
        self.pre.module().engine()
    }

    /// Instantiates it and calls `handle`; of its result at most `most` bytes are taken.
    pub(crate) fn run(&self, store: &mut Store<Host>, most: usize) -> wasmtime::Result<Returned> {
        let instance = self.pre.instantiate(&mut *store)?;
        let mut export = |export| instance.get_module_export(&mut *store, export).ok_or(Broken);
        let memory = export(&self.memory)?.into_memory().ok_or(Broken)?;
        let realloc = export(&self.realloc)?.into_func().ok_or(Broken)?;
        let handle = export(&self.handle)?.into_func().ok_or(Broken)?;
        let handle: TypedFunc<(), u32> = handle.typed(&*store)?;
        let realloc = realloc.typed(&*store)?;
        store.data_mut().wires = Some(Wires { memory, realloc });
        let at = handle.call(store.as_context_mut(), ())?;
        let returned = returned(memory.data(&*store), at, most)?;
        if let Some(post) = &self.post {
            let post = instance.get_module_export(&mut *store, post).and_then(Extern::into_func);
            let post: TypedFunc<u32, ()> = post.ok_or(Broken)?.typed(&*store)?;
            store.data_mut().wires = None;
            post.call(&mut *store, at)?;
        }
        Ok(returned)
    }
}

/// A linker of all that an op may import.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Host>> {
    let mut linker = Linker::new(engine);
    call(&mut linker)?;
    secrets(&mut linker)?;
    keys(&mut linker)?;
    linker.func_wrap(RANDOM, "bytes", |mut to: To<'_>, len: u32, at: u32| {
        let random = entered(&mut to)?.1.random(len)?;
        list(&mut to, at, &random)
    })?;
    linker.func_wrap(LOG, "write", |mut to: To<'_>, line: u32, len: u32| {
        let (memory, host) = entered(&mut to)?;
        let line = text(memory, line, len)?;
        host.meter.log_line(line.len())?;
        if line.len() <= MOST_COPIED {
            host.log.add(line.to_owned());
        }
        Ok(())
    })?;
    Ok(linker)
}

fn call(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(CALL, "[resource-drop]blob", |mut to: To<'_>, blob: u32| {
        let host = entered(&mut to)?.1;
        let blob = host.live_blob(blob)?;
        host.close(blob);
        Ok(())
    })?;
    linker.func_wrap(CALL, "[method]blob.len", |mut to: To<'_>, blob: u32| {
        let host = entered(&mut to)?.1;
        Ok(host.blob(host.live_blob(blob)?).len() as u64)
    })?;
    linker.func_wrap(
        CALL,
        "[method]blob.read",
        |mut to: To<'_>, blob: u32, offset: u64, max: u32, at: u32| {
            let host = entered(&mut to)?.1;
            let blob = host.live_blob(blob)?;
            let len = host.part(blob, offset, max).len();
            let room = make_room(&mut to, len)?;
            // From where the bytes lie to where they go, without a copy in between.
            let (memory, host) = parts(&mut to)?;
            bytes_mut(memory, room[0], room[1])?.copy_from_slice(&host.part(blob, offset, max));
            put(&mut to, at, &room)
        },
    )?;
    fact(linker, "request-id", |host| host.input.request.as_str().to_owned())?;
    fact(linker, "stack", |host| host.input.stack.clone())?;
    fact(linker, "op-name", |host| host.input.rule.clone())?;
    linker.func_wrap(CALL, "scope", |mut to: To<'_>| Ok(entered(&mut to)?.1.input.scope))?;
    linker.func_wrap(CALL, "now", |mut to: To<'_>| Ok(entered(&mut to)?.1.input.now_millis))?;
    linker.func_wrap(CALL, "input", |mut to: To<'_>, at: u32| {
        let input = entered(&mut to)?.1.whole_input()?;
        list(&mut to, at, input.as_bytes())
    })?;
    linker.func_wrap(CALL, "param", |mut to: To<'_>, name: u32, len: u32, at: u32| {
        let (name, host) = argument(&mut to, name, len)?;
        let value = host.handed_in(host.param(name))?;
        option(&mut to, at, value)
    })?;
    linker.func_wrap(CALL, "get", |mut to: To<'_>, path: u32, len: u32, at: u32| {
        let (path, host) = argument(&mut to, path, len)?;
        let value = host.handed_in(host.get(path))?;
        option(&mut to, at, value)
    })?;
    linker.func_wrap(CALL, "bytes", |mut to: To<'_>, path: u32, len: u32, at: u32| {
        let (path, host) = argument(&mut to, path, len)?;
        match host.open(path)? {
            Some(blob) => put(&mut to, at, &[1, Host::blob_number(blob)]),
            None => put(&mut to, at, &[0]),
        }
    })?;
    Ok(())
}

fn secrets(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(SECRETS, "versions", |mut to: To<'_>, slot: u32, len: u32| {
        let (slot, host) = argument(&mut to, slot, len)?;
        Ok(host.versions(slot))
    })?;
    linker.func_wrap(SECRETS, "reveal", |mut to: To<'_>, slot: u32, len: u32, index: u32, at: u32| {
        let (slot, host) = argument(&mut to, slot, len)?;
        match host.reveal(slot, index) {
            Ok(secret) => {
                let [address, len] = give(&mut to, secret.bytes())?;
                put(&mut to, at, &[0, address, len])
            }
            Err(error) => put(&mut to, at, &[1, error as u32]),
        }
    })?;
    Ok(())
}

fn keys(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(KEYS, "[resource-drop]key", |mut to: To<'_>, key: u32| {
        let host = entered(&mut to)?.1;
        let key = host.live_key(key)?;
        host.drop_key(key);
        Ok(())
    })?;
    linker.func_wrap(KEYS, "versions", |mut to: To<'_>, slot: u32, len: u32| {
        let (slot, host) = argument(&mut to, slot, len)?;
        Ok(host.bags.keys.versions(slot).unwrap_or(0))
    })?;
    linker.func_wrap(
        KEYS,
        "open",
        |mut to: To<'_>, slot: u32, len: u32, index: u32, encoding: u32, at: u32| {
            let (slot, host) = argument(&mut to, slot, len)?;
            let encoding = EncodingOut::ALL.get(usize::try_from(encoding)?).ok_or(Broken)?;
            let key = host.open_key(slot, index, *encoding)?;
            handle(&mut to, at, key)
        },
    )?;
    linker.func_wrap(KEYS, "[static]key.public", |mut to: To<'_>, pem: u32, len: u32, at: u32| {
        let (pem, host) = argument(&mut to, pem, len)?;
        let key = host.hold_key(vault::Key::public(pem))?;
        handle(&mut to, at, key)
    })?;
    linker.func_wrap(
        KEYS,
        "[method]key.sign",
        |mut to: To<'_>, key: u32, algorithm: u32, message: u32, len: u32, at: u32| {
            let (memory, host) = entered(&mut to)?;
            let (message, host) = self::message((memory, host), [message, len], 0)?;
            let key = host.key(host.live_key(key)?)?;
            let signed = key.sign(algorithm_of(algorithm)?, &slices(&message));
            drop(message);
            match signed {
                Ok(signature) => {
                    let [address, len] = give(&mut to, &signature)?;
                    put(&mut to, at, &[0, address, len])
                }
                Err(error) => failed(&mut to, at, error),
            }
        },
    )?;
    linker.func_wrap(
        KEYS,
        "[method]key.verify",
        |mut to: To<'_>,
         key: u32,
         algorithm: u32,
         message: u32,
         len: u32,
         sig: u32,
         sig_len: u32,
         at: u32| {
            let (memory, host) = entered(&mut to)?;
            let signature = bytes(memory, sig, sig_len)?;
            let (message, host) = self::message((memory, host), [message, len], signature.len())?;
            let key = host.key(host.live_key(key)?)?;
            let verified = key.verify(algorithm_of(algorithm)?, &slices(&message), signature);
            drop(message);
            match verified {
                Ok(genuine) => put(&mut to, at, &[0, genuine.into()]),
                Err(error) => failed(&mut to, at, error),
            }
        },
    )?;
    linker.func_wrap(
        KEYS,
        "[method]key.derive",
        |mut to: To<'_>,
         key: u32,
         algorithm: u32,
         prefix: u32,
         prefix_len: u32,
         message: u32,
         len: u32,
         at: u32| {
            let (memory, host) = entered(&mut to)?;
            let (prefix, message) = (bytes(memory, prefix, prefix_len)?, bytes(memory, message, len)?);
            host.meter.argument(prefix.len().saturating_add(message.len()))?;
            let parent = host.key(host.live_key(key)?)?;
            let derived = parent.derive(algorithm_of(algorithm)?, prefix, message);
            let derived = host.hold_key(derived)?;
            handle(&mut to, at, derived)
        },
    )?;
    Ok(())
}

/// The guest's memory, and what the host knows.
fn parts<'a>(to: &'a mut To<'_>) -> Result<(&'a mut [u8], &'a mut Host), Broken> {
    let memory = to.data().wires.as_ref().ok_or(Broken)?.memory;
    Ok(memory.data_and_store_mut(to))
}

/// The same at the beginning of a host call, which is counted.
fn entered<'a>(to: &'a mut To<'_>) -> wasmtime::Result<(&'a mut [u8], &'a mut Host)> {
    if to.data().wires.is_none() {
        return Err(Trap::CannotLeaveComponent.into());
    }
    let (memory, host) = parts(to)?;
    host.meter.host_call()?;
    Ok((memory, host))
}

/// Copies bytes into the guest, to where it makes room for them: `[address, length]`.
fn give(to: &mut To<'_>, bytes: &[u8]) -> wasmtime::Result<[u32; 2]> {
    let room = make_room(to, bytes.len())?;
    let (memory, _) = parts(to)?;
    bytes_mut(memory, room[0], room[1])?.copy_from_slice(bytes);
    Ok(room)
}

/// Where the guest makes room for so many bytes: `[address, length]`.
fn make_room(to: &mut To<'_>, len: usize) -> wasmtime::Result<[u32; 2]> {
    let len = u32::try_from(len).map_err(|_| Broken)?;
    // Taken away for so long, so that the guest cannot call the host meanwhile.
    let wires = to.data_mut().wires.take().ok_or(Broken)?;
    let at = wires.realloc.call(&mut *to, (0, 0, 1, len))?;
    to.data_mut().wires = Some(wires);
    Ok([at, len])
}

/// Writes a result of 32-bit words to where the guest wants it. A discriminant has the first
/// byte of its word; what follows it there is padding.
fn put(to: &mut To<'_>, at: u32, words: &[u32]) -> wasmtime::Result<()> {
    let (memory, _) = parts(to)?;
    let len = u32::try_from(size_of_val(words)).map_err(|_| Broken)?;
    let to = bytes_mut(memory, aligned(at)?, len)?;
    for (to, word) in to.chunks_exact_mut(4).zip(words) {
        to.copy_from_slice(&word.to_le_bytes());
    }
    Ok(())
}

/// Defines a function without arguments that returns a text.
fn fact(linker: &mut Linker<Host>, name: &str, read: fn(&Host) -> String) -> wasmtime::Result<()> {
    linker.func_wrap(CALL, name, move |mut to: To<'_>, at: u32| {
        let fact = read(entered(&mut to)?.1);
        list(&mut to, at, fact.as_bytes())
    })?;
    Ok(())
}

/// Counts a host call and its text, and gives the text, which stays in the guest.
fn argument<'a>(to: &'a mut To<'_>, at: u32, len: u32) -> wasmtime::Result<(&'a str, &'a mut Host)> {
    let (memory, host) = entered(to)?;
    let text = text(memory, at, len)?;
    host.meter.argument(text.len())?;
    Ok((text, host))
}

/// The pieces of a message where they lie, once they and `more` bytes that the guest itself
/// passes are counted; and the host, for the key.
fn message<'a>(
    (memory, host): (&'a [u8], &'a mut Host),
    [at, len]: [u32; 2],
    more: usize,
) -> wasmtime::Result<(Vec<Cow<'a, [u8]>>, &'a Host)> {
    let message = pieces(memory, at, len)?;
    let passed = message.iter().map(|piece| match piece {
        PieceOut::Bytes(bytes) => bytes.len(),
        PieceOut::Blob(_) => 0,
    });
    host.meter.argument(passed.fold(more, usize::saturating_add))?;
    let blobs = message.iter().filter(|piece| matches!(piece, PieceOut::Blob(_))).count();
    // And the key.
    host.meter.lend(blobs.saturating_add(1))?;
    let host = &*host;
    let live = message.into_iter().map(|piece| match piece {
        PieceOut::Blob(number) => host.live_blob(number).map(PieceOut::Blob),
        bytes @ PieceOut::Bytes(_) => Ok(bytes),
    });
    let live = live.collect::<Result<Vec<_>, Broken>>()?;
    Ok((host.gathered(live.into_iter())?, host))
}

fn slices<'a>(message: &'a [Cow<'_, [u8]>]) -> Vec<&'a [u8]> {
    message.iter().map(AsRef::as_ref).collect()
}

fn algorithm_of(number: u32) -> Result<vault::Algorithm, Broken> {
    let found = usize::try_from(number).ok().and_then(|number| AlgorithmOut::ALL.get(number));
    found.map(|algorithm| (*algorithm).into()).ok_or(Broken)
}

/// `list<u8>` or `string`.
fn list(to: &mut To<'_>, at: u32, bytes: &[u8]) -> wasmtime::Result<()> {
    let given = give(to, bytes)?;
    put(to, at, &given)
}

/// `option<value>`.
fn option(to: &mut To<'_>, at: u32, value: Option<ValueIn>) -> wasmtime::Result<()> {
    let (kind, text) = match value {
        None => return put(to, at, &[0]),
        Some(ValueIn::Text(text)) => (0, text),
        Some(ValueIn::Json(text)) => (1, text),
    };
    let [address, len] = give(to, text.as_bytes())?;
    put(to, at, &[1, kind, address, len])
}

/// `result<key, key-error>`.
fn handle(to: &mut To<'_>, at: u32, key: Result<u32, KeyError>) -> wasmtime::Result<()> {
    match key {
        Ok(key) => put(to, at, &[0, Host::key_number(key)]),
        Err(error) => failed(to, at, error),
    }
}

/// The error of a `result<_, key-error>`.
fn failed(to: &mut To<'_>, at: u32, error: KeyError) -> wasmtime::Result<()> {
    match KeyErrorIn::of(error) {
        Some(KeyErrorIn::Secret(error)) => put(to, at, &[1, 0, error as u32]),
        Some(KeyErrorIn::Unusable(why)) => {
            let [address, len] = give(to, why.as_bytes())?;
            put(to, at, &[1, 1, address, len])
        }
        None => Err(parts(to)?.1.meter.late().into()),
    }
}

/// A guest's numbers for what it holds: blobs are odd, keys even, none is zero. The engine's
/// table does the same for components; here the host looks whether a number is live.
impl Host {
    const fn blob_number(blob: u32) -> u32 {
        blob.saturating_mul(2).saturating_add(1)
    }

    const fn key_number(key: u32) -> u32 {
        key.saturating_mul(2).saturating_add(2)
    }

    fn live_blob(&self, number: u32) -> Result<u32, Broken> {
        halved(number.checked_sub(1)).filter(|blob| self.has_blob(*blob)).ok_or(Broken)
    }

    fn live_key(&self, number: u32) -> Result<u32, Broken> {
        halved(number.checked_sub(2)).filter(|key| self.keys.at(*key).is_some()).ok_or(Broken)
    }
}

fn halved(twice: Option<u32>) -> Option<u32> {
    twice.filter(|twice| twice.is_multiple_of(2)).map(|twice| twice / 2)
}

#[cfg(test)]
mod tests;
