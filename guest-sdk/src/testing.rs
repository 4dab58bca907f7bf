//! A host for native tests, which computes as the chassis does.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value as Json;

use crate::host::{Denies, Host, Slot, State, segments};
use crate::{Call, Encoding, Failure, Field, Value};

/// One call as a test wants it: parameters, input, secrets, time.
///
/// ```
/// # use txco_op::prelude::*;
/// let host = FakeHost::new()
///     .param("user", "Aladdin")
///     .body(r#"{"order": {"id": 7}}"#)
///     .secret("password", "open sesame")
///     .retiring("password", "the one before");
/// let call = host.call();
/// assert_eq!(call.get("body.order.id"), Some(Value::json("7")));
/// assert_eq!(call.versions("password"), 2);
/// log!(call, "asked at {}", call.now_seconds());
/// assert_eq!(host.log(), ["asked at 1700000000"]);
/// ```
pub struct FakeHost(Rc<State>);

impl FakeHost {
    /// A call of the rule `rule` in scope 100 of the stack `test`, on 14 November 2023, with
    /// an empty input.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "tests say what they begin with")]
    pub fn new() -> Self {
        Self(Rc::new(State {
            request_id: "req_test".to_owned(),
            stack: "test".to_owned(),
            scope: 100,
            rule: "rule".to_owned(),
            now: 1_700_000_000_000,
            params: BTreeMap::new(),
            input: Json::Object(serde_json::Map::new()),
            body: None,
            slots: BTreeMap::new(),
            random: Cell::new(0),
            log: RefCell::default(),
        }))
    }

    /// The rule's `WITH name = …`: a text, or a [`Value`] of any kind.
    #[must_use]
    pub fn param(self, name: &str, value: impl Into<Value>) -> Self {
        self.with(|state| state.params.insert(name.to_owned(), value.into()))
    }

    /// A body as it was received. The input has it too: as JSON when it is, else as text.
    #[must_use]
    pub fn body(self, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        let text = || Json::String(String::from_utf8_lossy(bytes).into_owned());
        let value = serde_json::from_slice(bytes).unwrap_or_else(|_| text());
        self.with(|state| {
            put(&mut state.input, &["body".to_owned()], value);
            state.body = Some(bytes.to_vec());
        })
    }

    /// What the input has at `path`, written as in rules.
    #[must_use]
    pub fn value(self, path: &str, value: impl Into<Value>) -> Self {
        let value = match value.into() {
            Value::Text(text) => Json::String(text),
            Value::Json(json) => serde_json::from_str(&json).unwrap_or(Json::Null),
        };
        self.with(|state| put(&mut state.input, &segments(path), value))
    }

    /// The newest version of the secret in `slot`.
    #[must_use]
    pub fn secret(self, slot: &str, value: impl AsRef<[u8]>) -> Self {
        self.slot(slot, |slot| slot.versions.insert(0, value.as_ref().to_vec()))
    }

    /// An older version of the secret in `slot`, behind those that are there.
    #[must_use]
    pub fn retiring(self, slot: &str, value: impl AsRef<[u8]>) -> Self {
        self.slot(slot, |slot| slot.versions.push(value.as_ref().to_vec()))
    }

    /// The secret in `slot` says itself how it encodes its key (`--key-encoding`).
    #[must_use]
    pub fn declares(self, slot: &str, encoding: Encoding) -> Self {
        self.slot(slot, |slot| slot.declared = Some(encoding))
    }

    /// The secret in `slot` may be used and not be revealed (`--use-only`).
    #[must_use]
    pub fn use_only(self, slot: &str) -> Self {
        self.slot(slot, |slot| slot.denies = Denies::Reveal)
    }

    /// The policy of the secret in `slot` denies it to this op.
    #[must_use]
    pub fn denied(self, slot: &str) -> Self {
        self.slot(slot, |slot| slot.denies = Denies::All)
    }

    /// The time, in milliseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn now_millis(self, now: u64) -> Self {
        self.with(|state| state.now = now)
    }

    /// Where the randomness begins; it is the same for the same seed.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        self.with(|state| state.random.set(seed))
    }

    /// The request's id.
    #[must_use]
    pub fn request_id(self, id: &str) -> Self {
        self.with(|state| state.request_id = id.to_owned())
    }

    /// The rule that calls the op.
    #[must_use]
    pub fn rule(self, stack: &str, scope: u32, name: &str) -> Self {
        self.with(|state| {
            state.stack = stack.to_owned();
            state.scope = scope;
            state.rule = name.to_owned();
        })
    }

    /// The call, for testing a part of an op.
    #[must_use]
    pub fn call(&self) -> Call {
        Call(Host(Rc::clone(&self.0)))
    }

    /// Runs a whole op: the function that [`op`](crate::op) made.
    ///
    /// # Errors
    /// The op's [`Failure`], with its code and its words.
    pub fn run(&self, op: impl FnOnce(&Call) -> Result<Vec<Field>, Failure>) -> Result<Vec<Field>, Failure> {
        op(&self.call())
    }

    /// The lines that ops have logged so far.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.0.log.borrow().clone()
    }

    fn slot<T>(self, name: &str, change: impl FnOnce(&mut Slot) -> T) -> Self {
        self.with(|state| change(state.slots.entry(name.to_owned()).or_default()))
    }

    fn with<T>(mut self, change: impl FnOnce(&mut State) -> T) -> Self {
        change(Rc::make_mut(&mut self.0));
        self
    }
}

/// Puts a value at a path; what is no object on the way becomes one.
fn put(at: &mut Json, path: &[String], value: Json) {
    let Some((first, rest)) = path.split_first() else {
        *at = value;
        return;
    };
    if let (Json::Array(items), Ok(index)) = (&mut *at, first.parse::<usize>())
        && let Some(item) = items.get_mut(index)
    {
        return put(item, rest, value);
    }
    if !at.is_object() {
        *at = Json::Object(serde_json::Map::new());
    }
    if let Json::Object(fields) = at {
        put(fields.entry(first.clone()).or_insert(Json::Null), rest, value);
    }
}
