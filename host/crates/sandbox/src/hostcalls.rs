//! What a call knows on the host's side, and the only place where a secret is revealed to a guest.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use model::{Path, Value};
use vault::{Cleartext, Key, OpBags};
use wasmtime::component::{
    ComponentNamedList, Linker, LinkerInstance, Lower, Resource, ResourceType, WasmStr,
};
use wasmtime::{Engine, StoreContextMut};
use zeroize::Zeroize;

use crate::abi::Wires;
use crate::handles::{Blob, Handles};
use crate::json::Bounds;
use crate::limits::Meter;
use crate::log::Log;
use crate::random::{MOST_AT_ONCE, Source};
use crate::wire::{SecretError, ValueIn};
use crate::{Error, Limits, OpInput, Over};

/// The version of the contract that is linked.
pub(crate) const VERSION: [u64; 3] = [1, 0, 0];
/// The interfaces an op may import, by the names the contract gives them.
pub(crate) const TYPES: &str = "txco:op/types@1.0.0";
pub(crate) const CALL: &str = "txco:op/call@1.0.0";
pub(crate) const SECRETS: &str = "txco:op/secrets@1.0.0";
pub(crate) const KEYS: &str = "txco:op/keys@1.0.0";
pub(crate) const RANDOM: &str = "txco:op/random@1.0.0";
pub(crate) const LOG: &str = "txco:op/log@1.0.0";

/// What the host knows during one call; dropped, and wiped, with the call's store.
pub(crate) struct Host {
    pub(crate) input: OpInput,
    pub(crate) bags: OpBags,
    pub(crate) meter: Meter,
    pub(crate) keys: Handles<Key>,
    pub(crate) contact: Contact,
    pub(crate) deadline: Instant,
    /// The ways into a module that is called directly; none while it makes room or cleans up, when it may not call the
    /// host.
    pub(crate) wires: Option<Wires>,
    blobs: Handles<Blob>,
    handed: Handed,
    source: Source,
    pub(crate) log: Log,
}

/// How close the guest came to a secret, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Contact {
    /// Not at all.
    None,
    /// It has, or had, a handle.
    Used,
    /// It was shown one.
    Shown,
}

/// The copy that was last on its way into a guest: the engine shares it while it copies, the
/// host wipes it afterwards. (A `Vec` given to the engine would be freed unwiped.) Only the
/// last, so that a guest that asks ten thousand times makes the host hold one.
struct Handed(Option<Arc<[u8]>>);

impl Host {
    pub(crate) fn new(input: OpInput, bags: OpBags, limits: &Limits, deadline: Instant) -> Self {
        Self {
            source: Source::new(input.randomness),
            input,
            bags,
            meter: Meter::new(limits.clone()),
            keys: Handles::new(),
            contact: Contact::None,
            deadline,
            wires: None,
            blobs: Handles::new(),
            handed: Handed(None),
            log: Log::new(),
        }
    }

    /// What the guest logged and printed.
    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// What the guest printed.
    pub(crate) fn hear(&mut self, bytes: &[u8]) {
        self.log.hear(bytes, &mut self.meter);
    }

    /// The end of what is printed.
    pub(crate) fn end_line(&mut self) {
        self.log.end_line(&mut self.meter);
    }

    /// A parameter of the rule.
    pub(crate) fn param(&self, name: &str) -> Option<&Value> {
        // Names and formats of secrets are none of an op's business (weakness W6).
        self.input.params.as_object().filter(|_| name != "secrets")?.get(name)
    }

    pub(crate) fn get(&self, path: &str) -> Option<&Value> {
        self.input.envelope.get(&Path::parse_sugared(path).ok()?)
    }

    /// A value on its way into the guest; none that is more than the guest could hold.
    pub(crate) fn handed_in(&self, value: Option<&Value>) -> Result<Option<ValueIn>, Over> {
        value
            .map(|value| ValueIn::of(value, self.bounds()))
            .transpose()
            .map_err(|why| self.meter.stopped(why))
    }

    pub(crate) fn whole_input(&self) -> Result<String, Over> {
        self.bounds().json(self.input.envelope.document()).map_err(|why| self.meter.stopped(why))
    }

    fn bounds(&self) -> Bounds {
        Bounds { most: self.meter.memory_limit(), until: self.deadline }
    }

    /// A number for the bytes at `path`.
    pub(crate) fn open(&mut self, path: &str) -> Result<Option<u32>, Over> {
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
        Ok(Some(self.blobs.put(blob)))
    }

    /// The bytes behind a handle.
    pub(crate) fn blob(&self, handle: u32) -> Cow<'_, [u8]> {
        match self.blobs.at(handle) {
            Some(Blob::At(path)) => self.input.envelope.bytes(path).unwrap_or_default(),
            Some(Blob::Own(bytes)) => Cow::Borrowed(bytes),
            None => Cow::default(),
        }
    }

    pub(crate) fn has_blob(&self, handle: u32) -> bool {
        self.blobs.at(handle).is_some()
    }

    /// At most `max` bytes behind a handle, from `offset` on.
    pub(crate) fn part(&self, handle: u32, offset: u64, max: u32) -> Cow<'_, [u8]> {
        let bytes = self.blob(handle);
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let to = from.saturating_add(usize::try_from(max).unwrap_or(usize::MAX)).min(bytes.len());
        match bytes {
            Cow::Borrowed(bytes) => Cow::Borrowed(bytes.get(from..to).unwrap_or_default()),
            Cow::Owned(bytes) => Cow::Owned(bytes.get(from..to).unwrap_or_default().to_vec()),
        }
    }

    pub(crate) fn close(&mut self, handle: u32) {
        if let Some(blob) = self.blobs.take(handle) {
            self.meter.let_go(blob.own_bytes());
        }
    }

    /// How many versions a slot has, whether or not they may be shown.
    pub(crate) fn versions(&self, slot: &str) -> u32 {
        let of_keys = || self.bags.keys.versions(slot).filter(|_| self.bags.reveal.denied(slot));
        self.bags.reveal.versions(slot).or_else(of_keys).unwrap_or(0)
    }

    /// The only reveal.
    pub(crate) fn reveal(&mut self, slot: &str, index: u32) -> Result<Revealed, SecretError> {
        if self.bags.reveal.denied(slot) {
            return Err(SecretError::Denied);
        }
        self.bags.reveal.versions(slot).ok_or(SecretError::NoSuchSlot)?;
        let cleartext = self.bags.reveal.cleartext(slot, index).ok_or(SecretError::NoSuchVersion)?;
        let revealed = Revealed(Arc::clone(cleartext));
        self.contact = Contact::Shown;
        Ok(revealed)
    }

    pub(crate) fn random(&mut self, len: u32) -> wasmtime::Result<Arc<[u8]>> {
        if len > MOST_AT_ONCE {
            return Err(Over::Random(MOST_AT_ONCE).into());
        }
        let mut bytes: Arc<[u8]> = (0..len).map(|_| 0).collect();
        if let Some(bytes) = Arc::get_mut(&mut bytes) {
            self.source.fill(bytes)?;
        }
        Ok(self.handed.keep(bytes))
    }

    pub(crate) fn random_number(&mut self) -> Result<u64, Error> {
        let mut bytes = [0; 8];
        self.source.fill(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }
}

/// A secret on its way into the guest that was granted it.
pub(crate) struct Revealed(Arc<Cleartext>);

impl Revealed {
    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.expose()
    }
}

impl Handed {
    fn keep(&mut self, copy: Arc<[u8]>) -> Arc<[u8]> {
        self.wipe();
        self.0 = Some(Arc::clone(&copy));
        copy
    }

    fn wipe(&mut self) {
        // The engine let go of its share when the host call returned.
        if let Some(bytes) = self.0.as_mut().and_then(Arc::get_mut) {
            bytes.zeroize();
        }
    }
}

impl Drop for Handed {
    fn drop(&mut self) {
        self.wipe();
    }
}

/// A linker of what every op may have but keys.
pub(crate) fn plain(engine: &Engine) -> wasmtime::Result<Linker<Host>> {
    let mut linker = Linker::new(engine);
    linker.instance(TYPES)?;

    let mut call = linker.instance(CALL)?;
    call.resource("blob", ResourceType::host::<Blob>(), |mut store, handle| {
        counted(&mut store)?.close(handle);
        Ok(())
    })?;
    call.func_wrap("[method]blob.len", |mut store, (blob,): (Resource<Blob>,)| {
        Ok((counted(&mut store)?.blob(blob.rep()).len() as u64,))
    })?;
    call.func_wrap("[method]blob.read", |mut store, (blob, offset, max): (Resource<Blob>, u64, u32)| {
        Ok((counted(&mut store)?.part(blob.rep(), offset, max).into_owned(),))
    })?;
    fact(&mut call, "request-id", |host| host.input.request.as_str().to_owned())?;
    fact(&mut call, "stack", |host| host.input.stack.clone())?;
    fact(&mut call, "scope", |host| host.input.scope)?;
    fact(&mut call, "op-name", |host| host.input.rule.clone())?;
    fact(&mut call, "now", |host| host.input.now_millis)?;
    call.func_wrap("input", |mut store, (): ()| Ok((counted(&mut store)?.whole_input()?,)))?;
    call.func_wrap("param", |mut store, (name,): (WasmStr,)| {
        let (host, name) = argument(&mut store, &name)?;
        Ok((host.handed_in(host.param(&name))?,))
    })?;
    call.func_wrap("get", |mut store, (path,): (WasmStr,)| {
        let (host, path) = argument(&mut store, &path)?;
        Ok((host.handed_in(host.get(&path))?,))
    })?;
    call.func_wrap("bytes", |mut store, (path,): (WasmStr,)| {
        let (host, path) = argument(&mut store, &path)?;
        Ok((host.open(&path)?.map(Resource::<Blob>::new_own),))
    })?;

    let mut random = linker.instance(RANDOM)?;
    random.func_wrap("bytes", |mut store, (len,): (u32,)| Ok((counted(&mut store)?.random(len)?,)))?;

    let mut log = linker.instance(LOG)?;
    log.func_wrap("write", |mut store, (line,): (WasmStr,)| {
        counted(&mut store)?;
        let line = line.to_str(&store)?;
        let bytes = line.len();
        let line = (bytes <= MOST_COPIED).then(|| line.into_owned());
        let host = store.data_mut();
        host.meter.log_line(bytes)?;
        line.into_iter().for_each(|line| host.log.add(line));
        Ok(())
    })?;
    Ok(linker)
}

/// Adds `secrets` to a linker.
pub(crate) fn link_secrets(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    let mut secrets = linker.instance(SECRETS)?;
    secrets.func_wrap("versions", |mut store, (slot,): (WasmStr,)| {
        let (host, slot) = argument(&mut store, &slot)?;
        Ok((host.versions(&slot),))
    })?;
    secrets.func_wrap("reveal", |mut store, (slot, index): (WasmStr, u32)| {
        let (host, slot) = argument(&mut store, &slot)?;
        // The engine takes nothing that lies in locked memory: a copy, wiped when it has it.
        Ok((host.reveal(&slot, index).map(|secret| host.handed.keep(Arc::from(secret.bytes()))),))
    })
}

/// A log line longer than any limit of lines is counted without being copied.
pub(crate) const MOST_COPIED: usize = 64 << 10;

/// Defines a function without arguments.
pub(crate) fn fact<R>(
    interface: &mut LinkerInstance<'_, Host>,
    name: &str,
    read: fn(&Host) -> R,
) -> wasmtime::Result<()>
where
    R: Lower + 'static,
    (R,): ComponentNamedList,
{
    interface.func_wrap(name, move |mut store, (): ()| Ok((read(counted(&mut store)?),)))
}

/// Counts a host call.
pub(crate) fn counted<'a>(store: &'a mut StoreContextMut<'_, Host>) -> Result<&'a mut Host, Over> {
    let host = store.data_mut();
    host.meter.host_call()?;
    Ok(host)
}

/// Counts a host call and its text, before the text is copied out of the guest.
pub(crate) fn argument<'a>(
    store: &'a mut StoreContextMut<'_, Host>,
    text: &WasmStr,
) -> wasmtime::Result<(&'a mut Host, String)> {
    counted(store)?;
    let text = text.to_str(&*store)?;
    store.data().meter.has_room(text.len())?;
    let text = text.into_owned();
    let host = store.data_mut();
    host.meter.argument(text.len())?;
    Ok((host, text))
}

#[cfg(test)]
mod tests {
    use model::{Envelope, RequestId};
    use vault::{Reveal, SecretBag, Use};

    use super::*;
    use crate::Randomness;

    /// Weakness W6: an op sees neither the tenant's names for its secrets nor their formats.
    #[test]
    fn what_a_rule_says_of_secrets_is_no_parameter() {
        let params = br#"{"user":"u","secrets":{"key":{"secret":"TENANT_NAME","format":"Bearer {}"}}}"#;
        let input = OpInput {
            request: RequestId::parse("req_1111111111111111111111").unwrap(),
            stack: "web".to_owned(),
            scope: 100,
            rule: "sign".to_owned(),
            now_millis: 0,
            params: Arc::new(Value::parse(params).unwrap()),
            envelope: Arc::new(Envelope::default()),
            randomness: Randomness::System,
        };
        let bags = OpBags { reveal: SecretBag::<Reveal>::empty(), keys: SecretBag::<Use>::empty() };
        let host = Host::new(input, bags, &Limits::default(), Instant::now());
        assert_eq!(host.param("user"), Some(&Value::from("u")));
        assert_eq!(host.param("secrets"), None);
        assert_eq!(host.param("secrets.key.secret"), None);
    }
}
