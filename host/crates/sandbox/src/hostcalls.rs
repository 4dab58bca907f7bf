//! Every function a guest can call, and the only place where a secret is revealed to one.

use std::borrow::Cow;
use std::sync::Arc;

use model::Path;
use vault::{Reveal, SecretBag};
use wasmtime::component::{
    ComponentNamedList, Linker, LinkerInstance, Lower, Resource, ResourceType, WasmStr,
};
use wasmtime::{Engine, StoreContextMut};
use zeroize::Zeroize;

use crate::limits::Meter;
use crate::wire::{SecretError, ValueIn};
use crate::{Limits, OpInput, Over};

/// The interfaces an op may import, by the names the contract gives them.
pub(crate) const TYPES: &str = "txco:op/types@1.0.0";
pub(crate) const CALL: &str = "txco:op/call@1.0.0";
pub(crate) const SECRETS: &str = "txco:op/secrets@1.0.0";
pub(crate) const KEYS: &str = "txco:op/keys@1.0.0";
pub(crate) const LOG: &str = "txco:op/log@1.0.0";

/// What the host knows during one call; dropped, and wiped, with the call's store.
pub(crate) struct Host {
    input: OpInput,
    bag: SecretBag<Reveal>,
    pub(crate) meter: Meter,
    shown: Shown,
    blobs: Vec<Option<Blob>>,
    log: Vec<String>,
}

/// Copies of secrets on their way into a guest: the engine shares them while it copies, the
/// host wipes them afterwards. (A `Vec` given to the engine would be freed unwiped.)
struct Shown(Vec<Arc<[u8]>>);

/// What a `blob` handle stands for.
enum Blob {
    /// A place of the input that yields its bytes without a copy.
    At(Path),
    /// Bytes made for this handle.
    Own(Vec<u8>),
}

impl Host {
    pub(crate) fn new(input: OpInput, bag: SecretBag<Reveal>, limits: &Limits) -> Self {
        let meter = Meter::new(limits.clone());
        Self { input, bag, meter, shown: Shown(Vec::new()), blobs: Vec::new(), log: Vec::new() }
    }

    /// The bag, for minting credentials from the output.
    pub(crate) fn bag(&self) -> &SecretBag<Reveal> {
        &self.bag
    }

    /// Whether the guest was shown a secret.
    pub(crate) fn has_shown(&self) -> bool {
        !self.shown.0.is_empty()
    }

    /// What the guest logged.
    pub(crate) fn take_log(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }

    /// What the guest logged, wiped: how many lines it was.
    pub(crate) fn drop_log(&mut self) -> u32 {
        let lines = self.log.len();
        self.log.drain(..).for_each(|mut line| line.zeroize());
        u32::try_from(lines).unwrap_or(u32::MAX)
    }

    fn param(&self, name: &str) -> Option<ValueIn> {
        // Names and formats of secrets are none of an op's business (weakness W6).
        let declared = self.input.params.as_object().filter(|_| name != "secrets")?;
        declared.get(name).map(ValueIn::of)
    }

    fn get(&self, path: &str) -> Option<ValueIn> {
        let path = Path::parse_sugared(path).ok()?;
        self.input.envelope.get(&path).map(ValueIn::of)
    }

    fn open(&mut self, path: &str) -> Result<Option<Resource<Blob>>, Over> {
        let Ok(path) = Path::parse_sugared(path) else { return Ok(None) };
        let blob = match self.input.envelope.bytes(&path) {
            None => return Ok(None),
            // Inside a received body the bytes are found by parsing it: once, not per read.
            Some(Cow::Borrowed(_)) if path.segments().len() == 1 || path.first() != Some("body") => {
                Blob::At(path)
            }
            Some(bytes) => Blob::Own(bytes.into_owned()),
        };
        self.meter.hold(blob.own_bytes())?;
        let free = self.blobs.iter().position(Option::is_none).unwrap_or(self.blobs.len());
        if free == self.blobs.len() {
            self.blobs.push(None);
        }
        if let Some(place) = self.blobs.get_mut(free) {
            *place = Some(blob);
        }
        Ok(u32::try_from(free).ok().map(Resource::new_own))
    }

    fn bytes(&self, handle: u32) -> Option<Cow<'_, [u8]>> {
        match self.blobs.get(usize::try_from(handle).ok()?)?.as_ref()? {
            Blob::At(path) => self.input.envelope.bytes(path),
            Blob::Own(bytes) => Some(Cow::Borrowed(bytes)),
        }
    }

    fn read(&self, handle: u32, offset: u64, max: u32) -> Vec<u8> {
        let Some(bytes) = self.bytes(handle) else { return Vec::new() };
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let to = from.saturating_add(usize::try_from(max).unwrap_or(usize::MAX)).min(bytes.len());
        bytes.get(from..to).unwrap_or_default().to_vec()
    }

    fn close(&mut self, handle: u32) {
        let place = usize::try_from(handle).ok().and_then(|at| self.blobs.get_mut(at));
        if let Some(blob) = place.and_then(Option::take) {
            self.meter.let_go(blob.own_bytes());
        }
    }

    /// The only reveal.
    fn reveal(&mut self, slot: &str, index: u32) -> Result<Arc<[u8]>, SecretError> {
        let versions = self.bag.versions(slot).ok_or(SecretError::NoSuchSlot)?;
        let cleartext = self.bag.cleartext(slot, index).filter(|_| index < versions);
        let copy: Arc<[u8]> = Arc::from(cleartext.ok_or(SecretError::NoSuchVersion)?.expose());
        self.shown.0.push(Arc::clone(&copy));
        Ok(copy)
    }
}

impl Blob {
    fn own_bytes(&self) -> usize {
        match self {
            Self::At(_) => 0,
            Self::Own(bytes) => bytes.len(),
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        for copy in &mut self.0 {
            // The engine lets go of its share when the host call returns.
            if let Some(bytes) = Arc::get_mut(copy) {
                bytes.zeroize();
            }
        }
    }
}

/// A linker of what every op may have.
pub(crate) fn plain(engine: &Engine) -> wasmtime::Result<Linker<Host>> {
    let mut linker = Linker::new(engine);
    linker.instance(TYPES)?;

    let mut call = linker.instance(CALL)?;
    call.resource("blob", ResourceType::host::<Blob>(), |mut store, handle| {
        let host = counted(&mut store)?;
        host.close(handle);
        Ok(())
    })?;
    call.func_wrap("[method]blob.len", |mut store, (blob,): (Resource<Blob>,)| {
        let bytes = counted(&mut store)?.bytes(blob.rep()).map_or(0, |bytes| bytes.len());
        Ok((bytes as u64,))
    })?;
    call.func_wrap("[method]blob.read", |mut store, (blob, offset, max): (Resource<Blob>, u64, u32)| {
        Ok((counted(&mut store)?.read(blob.rep(), offset, max),))
    })?;
    fact(&mut call, "request-id", |host| host.input.request.as_str().to_owned())?;
    fact(&mut call, "stack", |host| host.input.stack.clone())?;
    fact(&mut call, "scope", |host| host.input.scope)?;
    fact(&mut call, "op-name", |host| host.input.rule.clone())?;
    fact(&mut call, "now", |host| host.input.now_millis)?;
    fact(&mut call, "input", |host| host.input.envelope.document().to_json())?;
    call.func_wrap("param", |mut store, (name,): (WasmStr,)| {
        let (host, name) = argument(&mut store, &name)?;
        Ok((host.param(&name),))
    })?;
    call.func_wrap("get", |mut store, (path,): (WasmStr,)| {
        let (host, path) = argument(&mut store, &path)?;
        Ok((host.get(&path),))
    })?;
    call.func_wrap("bytes", |mut store, (path,): (WasmStr,)| {
        let (host, path) = argument(&mut store, &path)?;
        Ok((host.open(&path)?,))
    })?;

    let mut log = linker.instance(LOG)?;
    log.func_wrap("write", |mut store, (line,): (WasmStr,)| {
        counted(&mut store)?;
        let line = line.to_str(&store)?;
        let bytes = line.len();
        let line = (bytes <= MOST_COPIED).then(|| line.into_owned());
        let host = store.data_mut();
        host.meter.log_line(bytes)?;
        host.log.extend(line);
        Ok(())
    })?;
    Ok(linker)
}

/// A linker of the same, and of `secrets`.
pub(crate) fn revealing(engine: &Engine) -> wasmtime::Result<Linker<Host>> {
    let mut linker = plain(engine)?;
    let mut secrets = linker.instance(SECRETS)?;
    secrets.func_wrap("versions", |mut store, (slot,): (WasmStr,)| {
        let (host, slot) = argument(&mut store, &slot)?;
        Ok((host.bag.versions(&slot).unwrap_or(0),))
    })?;
    secrets.func_wrap("reveal", |mut store, (slot, index): (WasmStr, u32)| {
        let (host, slot) = argument(&mut store, &slot)?;
        Ok((host.reveal(&slot, index),))
    })?;
    Ok(linker)
}

/// A log line longer than any limit of lines is counted without being copied.
const MOST_COPIED: usize = 64 << 10;

/// Defines a function without arguments.
fn fact<R>(interface: &mut LinkerInstance<'_, Host>, name: &str, read: fn(&Host) -> R) -> wasmtime::Result<()>
where
    R: Lower + 'static,
    (R,): ComponentNamedList,
{
    interface.func_wrap(name, move |mut store, (): ()| Ok((read(counted(&mut store)?),)))
}

/// Counts a host call.
fn counted<'a>(store: &'a mut StoreContextMut<'_, Host>) -> Result<&'a mut Host, Over> {
    let host = store.data_mut();
    host.meter.host_call()?;
    Ok(host)
}

/// Counts a host call and its text, before the text is copied out of the guest.
fn argument<'a>(
    store: &'a mut StoreContextMut<'_, Host>,
    text: &WasmStr,
) -> wasmtime::Result<(&'a mut Host, String)> {
    counted(store)?;
    let bytes = text.to_str(&*store)?.len();
    store.data_mut().meter.argument(bytes)?;
    let text = text.to_str(&*store)?.into_owned();
    Ok((store.data_mut(), text))
}

#[cfg(test)]
mod tests {
    use model::Value;

    use super::*;

    #[test]
    fn a_credential_reads_as_fixed_text() {
        let sealed = Value::Sealed(model::Sealed::credential(model::CredentialId::new(0)));
        assert!(matches!(ValueIn::of(&sealed), ValueIn::Text(text) if text == "[credential]"));
        let inside: Value = [("a".to_owned(), sealed)].into_iter().collect();
        assert!(matches!(ValueIn::of(&inside), ValueIn::Json(text) if text == r#"{"a":"[credential]"}"#));
    }
}
