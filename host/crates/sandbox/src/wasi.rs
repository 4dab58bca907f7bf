//! An operating system with nothing in it, for guests whose toolchains import one in any case.
//!
//! Interpreters and the standard libraries of most languages import WASI whether an op uses it
//! or not. What they find is empty: no files, no environment, no arguments, no sockets, no
//! terminal, and a clock that stands at the time of the call. Random bytes are as real as the
//! contract's (weakness W2); what is printed goes to the op's log, on the log's terms. Whoever
//! calls anything else is ended.

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{
    Component, ComponentType, Linker, LinkerInstance, Lower, Resource, ResourceType, WasmList,
};
use wasmtime::{Engine, StoreContextMut};
use zeroize::Zeroizing;

use crate::error::printable;
use crate::hostcalls::{Host, counted, fact};

/// The interfaces that are there to be linked; `wasi:http` and all others are foreign.
const INTERFACES: [&str; 27] = [
    "cli/environment",
    "cli/exit",
    "cli/stdin",
    "cli/stdout",
    "cli/stderr",
    "cli/terminal-input",
    "cli/terminal-output",
    "cli/terminal-stdin",
    "cli/terminal-stdout",
    "cli/terminal-stderr",
    "clocks/monotonic-clock",
    "clocks/wall-clock",
    "filesystem/preopens",
    "filesystem/types",
    "io/error",
    "io/poll",
    "io/streams",
    "random/insecure",
    "random/insecure-seed",
    "random/random",
    "sockets/instance-network",
    "sockets/ip-name-lookup",
    "sockets/network",
    "sockets/tcp",
    "sockets/tcp-create-socket",
    "sockets/udp",
    "sockets/udp-create-socket",
];
/// The most that a guest is asked to print at once.
const MOST_PRINTED: u64 = 4096;
const NANOS: u64 = 1_000_000;

/// The guest called something that is not there; its name, which is of the guest's choice.
#[derive(Debug, thiserror::Error)]
#[error("it called {0}, which no op has")]
pub(crate) struct Absent(pub(crate) String);

/// Standard input, at its end.
struct Input;
/// Standard output and error.
struct Output;
/// Something that has happened already.
struct Now;
/// What nobody can have: files, sockets, terminals, errors of streams.
struct Nothing;

/// `clocks/wall-clock.datetime`.
#[derive(ComponentType, Lower)]
#[component(record)]
struct Datetime {
    #[component(name = "seconds")]
    seconds: u64,
    #[component(name = "nanoseconds")]
    nanoseconds: u32,
}

/// `io/streams.stream-error`.
#[derive(ComponentType, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    #[expect(dead_code, reason = "no operation fails; the type has it")]
    Failed(Resource<Nothing>),
    #[component(name = "closed")]
    Closed,
}

/// The interface of WASI 0.2 that `import` names, such as `cli/exit`, if it can be linked.
pub(crate) fn interface(import: &str) -> Option<&'static str> {
    let (interface, version) = import.strip_prefix("wasi:")?.split_once('@')?;
    let patch = version.strip_prefix("0.2.")?;
    let is_number = !patch.is_empty() && patch.bytes().all(|byte| byte.is_ascii_digit());
    INTERFACES.into_iter().find(|known| is_number && *known == interface)
}

/// Defines what `component` imports of it, and nothing that it does not.
pub(crate) fn link(
    linker: &mut Linker<Host>,
    component: &Component,
    engine: &Engine,
) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    for (import, its) in component.component_type().imports(engine) {
        let Some(interface) = interface(import) else { continue };
        // Anything but an instance stays undefined, and is refused for that.
        let ComponentItem::ComponentInstance(instance) = its.ty else { continue };
        let mut linked = linker.instance(import)?;
        for (name, item) in instance.exports(engine) {
            absent(&mut linked, import, name, &item.ty)?;
        }
        present(&mut linked, interface)?;
    }
    linker.allow_shadowing(false);
    Ok(())
}

/// First everything is what nobody has.
fn absent(
    linked: &mut LinkerInstance<'_, Host>,
    import: &str,
    name: &str,
    item: &ComponentItem,
) -> wasmtime::Result<()> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "types need no definition")]
    match item {
        ComponentItem::ComponentFunc(_) => {
            let called = printable(&format!("{import}#{name}"), 128);
            linked.func_new(name, move |mut store, _, _, _| {
                counted(&mut store)?;
                Err(Absent(called.clone()).into())
            })
        }
        ComponentItem::Resource(_) => linked.resource(name, resource(name), |mut store, _| {
            counted(&mut store)?;
            Ok(())
        }),
        _ => Ok(()),
    }
}

/// The resource called `name`, the same in every interface that uses it.
fn resource(name: &str) -> ResourceType {
    match name {
        "input-stream" => ResourceType::host::<Input>(),
        "output-stream" => ResourceType::host::<Output>(),
        "pollable" => ResourceType::host::<Now>(),
        _ => ResourceType::host::<Nothing>(),
    }
}

/// Then the little that an empty system can answer.
fn present(linked: &mut LinkerInstance<'_, Host>, interface: &str) -> wasmtime::Result<()> {
    match interface {
        "cli/environment" => {
            fact(linked, "get-environment", |_| Vec::<(String, String)>::new())?;
            fact(linked, "get-arguments", |_| Vec::<String>::new())?;
            fact(linked, "initial-cwd", |_| None::<String>)
        }
        "cli/stdin" => fact(linked, "get-stdin", |_| Resource::<Input>::new_own(0)),
        "cli/stdout" => fact(linked, "get-stdout", |_| Resource::<Output>::new_own(0)),
        "cli/stderr" => fact(linked, "get-stderr", |_| Resource::<Output>::new_own(0)),
        "cli/terminal-stdin" => fact(linked, "get-terminal-stdin", |_| None::<Resource<Nothing>>),
        "cli/terminal-stdout" => fact(linked, "get-terminal-stdout", |_| None::<Resource<Nothing>>),
        "cli/terminal-stderr" => fact(linked, "get-terminal-stderr", |_| None::<Resource<Nothing>>),
        "clocks/wall-clock" => {
            fact(linked, "now", |host| datetime(host.input.now_millis))?;
            fact(linked, "resolution", |_| datetime(1))
        }
        "clocks/monotonic-clock" => {
            fact(linked, "now", |host| host.input.now_millis.saturating_mul(NANOS))?;
            fact(linked, "resolution", |_| NANOS)?;
            // Time does not pass during a call: whatever is waited for is there.
            awaited(linked, "subscribe-instant")?;
            awaited(linked, "subscribe-duration")
        }
        "filesystem/preopens" => {
            fact(linked, "get-directories", |_| Vec::<(Resource<Nothing>, String)>::new())
        }
        "io/poll" => poll(linked),
        "io/streams" => streams(linked),
        "random/random" => {
            random(linked, "get-random-bytes")?;
            number(linked, "get-random-u64")
        }
        "random/insecure" => {
            random(linked, "get-insecure-random-bytes")?;
            number(linked, "get-insecure-random-u64")
        }
        "random/insecure-seed" => linked.func_wrap("insecure-seed", |mut store, (): ()| {
            let host = counted(&mut store)?;
            Ok(((host.random_number()?, host.random_number()?),))
        }),
        _ => Ok(()),
    }
}

fn datetime(millis: u64) -> Datetime {
    let nanoseconds = u32::try_from(millis % 1000 * NANOS).unwrap_or(0);
    Datetime { seconds: millis / 1000, nanoseconds }
}

fn awaited(linked: &mut LinkerInstance<'_, Host>, name: &str) -> wasmtime::Result<()> {
    linked.func_wrap(name, |mut store, (_,): (u64,)| {
        counted(&mut store)?;
        Ok((Resource::<Now>::new_own(0),))
    })
}

fn poll(linked: &mut LinkerInstance<'_, Host>) -> wasmtime::Result<()> {
    linked.func_wrap("[method]pollable.ready", |mut store, (_,): (Resource<Now>,)| {
        counted(&mut store)?;
        Ok((true,))
    })?;
    linked.func_wrap("[method]pollable.block", |mut store, (_,): (Resource<Now>,)| {
        counted(&mut store)?;
        Ok(())
    })?;
    linked.func_wrap("poll", |mut store, (all,): (Vec<Resource<Now>>,)| {
        counted(&mut store)?;
        Ok(((0..).zip(&all).map(|(at, _)| at).collect::<Vec<u32>>(),))
    })
}

fn streams(linked: &mut LinkerInstance<'_, Host>) -> wasmtime::Result<()> {
    for read in ["[method]input-stream.read", "[method]input-stream.blocking-read"] {
        linked.func_wrap(read, |mut store, (_, _): (Resource<Input>, u64)| {
            counted(&mut store)?;
            Ok((Err::<Vec<u8>, _>(StreamError::Closed),))
        })?;
    }
    linked.func_wrap("[method]input-stream.subscribe", |mut store, (_,): (Resource<Input>,)| {
        counted(&mut store)?;
        Ok((Resource::<Now>::new_own(0),))
    })?;
    linked.func_wrap("[method]output-stream.subscribe", |mut store, (_,): (Resource<Output>,)| {
        counted(&mut store)?;
        Ok((Resource::<Now>::new_own(0),))
    })?;
    linked.func_wrap("[method]output-stream.check-write", |mut store, (_,): (Resource<Output>,)| {
        counted(&mut store)?;
        Ok((Ok::<_, StreamError>(MOST_PRINTED),))
    })?;
    for write in ["[method]output-stream.write", "[method]output-stream.blocking-write-and-flush"] {
        linked.func_wrap(write, |mut store, (_, bytes): (Resource<Output>, WasmList<u8>)| {
            print(&mut store, &bytes)
        })?;
    }
    for flush in ["[method]output-stream.flush", "[method]output-stream.blocking-flush"] {
        linked.func_wrap(flush, |mut store, (_,): (Resource<Output>,)| {
            counted(&mut store)?;
            Ok((Ok::<_, StreamError>(()),))
        })?;
    }
    Ok(())
}

/// Of what is printed at once no more is copied than there may be.
fn print(
    store: &mut StoreContextMut<'_, Host>,
    bytes: &WasmList<u8>,
) -> wasmtime::Result<(Result<(), StreamError>,)> {
    counted(store)?;
    let all = bytes.as_le_slice(&*store);
    let most = usize::try_from(MOST_PRINTED).unwrap_or(0);
    let copy = Zeroizing::new(all.get(..all.len().min(most)).unwrap_or_default().to_vec());
    store.data_mut().hear(&copy);
    Ok((Ok(()),))
}

fn random(linked: &mut LinkerInstance<'_, Host>, name: &str) -> wasmtime::Result<()> {
    linked.func_wrap(name, |mut store, (len,): (u64,)| {
        Ok((counted(&mut store)?.random(u32::try_from(len).unwrap_or(u32::MAX))?,))
    })
}

fn number(linked: &mut LinkerInstance<'_, Host>, name: &str) -> wasmtime::Result<()> {
    linked.func_wrap(name, |mut store, (): ()| Ok((counted(&mut store)?.random_number()?,)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_listed_can_be_linked() {
        assert_eq!(interface("wasi:cli/environment@0.2.0"), Some("cli/environment"));
        assert_eq!(interface("wasi:io/streams@0.2.12"), Some("io/streams"));
        for foreign in [
            "wasi:http/outgoing-handler@0.2.0",
            "wasi:cli/run@0.2.0",
            "wasi:cli/environment@0.3.0",
            "wasi:cli/environment@0.2.",
            "wasi:cli/environment@0.2.0-rc",
            "wasi:cli/environment",
            "wasm:cli/environment@0.2.0",
            "wasi:keyvalue/store@0.2.0",
        ] {
            assert_eq!(interface(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn a_time_is_seconds_and_a_rest() {
        let Datetime { seconds, nanoseconds } = datetime(1_767_225_600_123);
        assert_eq!((seconds, nanoseconds), (1_767_225_600, 123_000_000));
    }
}
