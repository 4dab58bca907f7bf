//! The host of a native test: what [`testing::FakeHost`](crate::testing::FakeHost) scripted.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value as Json;

use crate::{Encoding, SecretError, Value};

/// The call that a test scripted.
pub(crate) struct Host(pub(crate) Rc<State>);

#[derive(Clone)]
pub(crate) struct State {
    pub(crate) request_id: String,
    pub(crate) stack: String,
    pub(crate) scope: u32,
    pub(crate) rule: String,
    pub(crate) now: u64,
    pub(crate) params: BTreeMap<String, Value>,
    pub(crate) input: Json,
    /// The body as it was received.
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) slots: BTreeMap<String, Slot>,
    pub(crate) random: Cell<u64>,
    pub(crate) log: RefCell<Vec<String>>,
}

#[derive(Clone, Default)]
pub(crate) struct Slot {
    /// Newest first.
    pub(crate) versions: Vec<Vec<u8>>,
    pub(crate) declared: Option<Encoding>,
    pub(crate) denies: Denies,
}

/// What a secret's policy refuses to the op.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Denies {
    #[default]
    Nothing,
    Reveal,
    All,
}

impl Host {
    pub(crate) fn request_id(&self) -> String {
        self.0.request_id.clone()
    }

    pub(crate) fn stack(&self) -> String {
        self.0.stack.clone()
    }

    pub(crate) fn scope(&self) -> u32 {
        self.0.scope
    }

    pub(crate) fn rule(&self) -> String {
        self.0.rule.clone()
    }

    pub(crate) fn now(&self) -> u64 {
        self.0.now
    }

    pub(crate) fn param(&self, name: &str) -> Option<Value> {
        self.0.params.get(name).cloned()
    }

    pub(crate) fn input(&self) -> String {
        self.0.input.to_string()
    }

    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        self.at(&segments(path)).map(|found| match found {
            Json::String(text) => Value::Text(text.clone()),
            other => Value::Json(other.to_string()),
        })
    }

    pub(crate) fn bytes(&self, path: &str) -> Option<Blob> {
        let segments = segments(path);
        let body = self.0.body.as_ref().filter(|_| segments == ["body"]);
        let bytes = body.cloned().or_else(|| self.get(path).map(|value| value.into_text().into_bytes()));
        bytes.map(Blob)
    }

    fn at(&self, segments: &[String]) -> Option<&Json> {
        segments.iter().try_fold(&self.0.input, |value, segment| match value {
            Json::Object(fields) => fields.get(segment),
            Json::Array(items) => items.get(segment.parse::<usize>().ok()?),
            _ => None,
        })
    }

    pub(crate) fn versions(&self, slot: &str) -> u32 {
        self.0.slots.get(slot).map_or(0, |slot| slot.versions.len() as u32)
    }

    pub(crate) fn reveal(&self, slot: &str, index: u32) -> Result<Vec<u8>, SecretError> {
        self.version(slot, index, Denies::Reveal).map(|(bytes, _)| bytes)
    }

    /// One version, and how the secret says that it writes its key.
    pub(crate) fn version(
        &self,
        slot: &str,
        index: u32,
        denied_from: Denies,
    ) -> Result<(Vec<u8>, Encoding), SecretError> {
        let slot = self.0.slots.get(slot).ok_or(SecretError::NoSuchSlot)?;
        if slot.denies >= denied_from {
            return Err(SecretError::Denied);
        }
        let bytes = slot.versions.get(index as usize).ok_or(SecretError::NoSuchVersion)?;
        Ok((bytes.clone(), slot.declared.unwrap_or(Encoding::Text)))
    }

    /// SplitMix64: looks random, and is the same in each run.
    pub(crate) fn random(&self, len: u32) -> Vec<u8> {
        let byte = |_| {
            let seed = self.0.random.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
            self.0.random.set(seed);
            let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            ((mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 32) as u8
        };
        (0..len).map(byte).collect()
    }

    pub(crate) fn log(&self, line: &str) {
        self.0.log.borrow_mut().push(line.to_owned());
    }
}

/// The segments of a path as rules write it.
pub(crate) fn segments(path: &str) -> Vec<String> {
    let path = path.strip_prefix('.').unwrap_or(path);
    let (first, rest) = match path.strip_prefix('@') {
        Some(rest) => (Some("_txc".to_owned()), rest),
        None => (None, path),
    };
    first.into_iter().chain(rest.split('.').map(str::to_owned)).collect()
}

pub(crate) struct Blob(Vec<u8>);

impl Blob {
    pub(crate) fn len(&self) -> u64 {
        self.0.len() as u64
    }

    pub(crate) fn read(&self, offset: u64, max: u32) -> Vec<u8> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.0.get(offset..)).unwrap_or_default();
        rest.get(..max as usize).unwrap_or(rest).to_vec()
    }
}
