//! Rules as they can be kept beside a request that waits, and be had again from there.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Digest, Object, OpName, StackName, Value};
use serde::{Deserialize, Serialize};
use serde_json::json;
use txcl::Mode;

use crate::mock::Kept;
use crate::workspace::Found;

/// By stack and op of the tenant, the digests of its components.
pub(crate) type Pins = BTreeMap<StackName, BTreeMap<OpName, Vec<Digest>>>;

/// The rules of a set, and the digest of them and of the ops that they are pinned to.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) digest: Digest,
    pub(crate) content: String,
}

#[derive(Serialize, Deserialize)]
struct Content {
    lenient: bool,
    files: Vec<FileContent>,
    mocks: BTreeMap<String, serde_json::Value>,
    #[serde(default)]
    ops: BTreeMap<String, BTreeMap<String, Vec<String>>>,
}

#[derive(Serialize, Deserialize)]
struct FileContent {
    stack: String,
    scope: u32,
    name: String,
    path: String,
    text: String,
}

impl Snapshot {
    /// Of these files, mocks by folder, and the ops with their digests.
    pub(crate) fn of(mode: Mode, files: impl Iterator<Item = Found>, mocks: &Kept, pins: Pins) -> Self {
        let files = files.map(|file| FileContent {
            stack: file.stack.as_str().to_owned(),
            scope: file.scope,
            name: file.name,
            path: file.shown,
            text: file.text,
        });
        let mock = |mock: &Object| json!(Value::Object(mock.clone()));
        let mocks = mocks.iter().map(|(folder, answer)| (folder.clone(), mock(answer))).collect();
        let texts = |(name, digests): (OpName, Vec<Digest>)| {
            (name.as_str().to_owned(), digests.iter().map(Digest::to_string).collect())
        };
        let ops = pins
            .into_iter()
            .map(|(stack, ops)| (stack.to_string(), ops.into_iter().map(texts).collect()))
            .collect();
        let content = Content { lenient: mode == Mode::Lenient, files: files.collect(), mocks, ops };
        let content = serde_json::to_string(&content).unwrap_or_default();
        Self { digest: Digest::of(content.as_bytes()), content }
    }

    /// What the content of a snapshot says; nothing when it is none.
    pub(crate) fn read(content: &str) -> Option<(Vec<Found>, Kept, Mode, Pins)> {
        let content: Content = serde_json::from_str(content).ok()?;
        let found = |file: FileContent| {
            let stack = StackName::parse(&file.stack).ok()?;
            Some(Found { stack, scope: file.scope, name: file.name, shown: file.path, text: file.text })
        };
        let mock = |(folder, answer): (String, serde_json::Value)| {
            Some((folder, Arc::new(Value::from(answer).into_object()?)))
        };
        let op = |(name, digests): (String, Vec<String>)| {
            let digests = digests.iter().map(|digest| Digest::parse(digest)).collect::<Option<_>>()?;
            Some((OpName::parse(&name).ok()?, digests))
        };
        let ops = |(stack, ops): (String, BTreeMap<String, Vec<String>>)| {
            Some((StackName::parse(&stack).ok()?, ops.into_iter().map(op).collect::<Option<_>>()?))
        };
        Some((
            content.files.into_iter().map(found).collect::<Option<_>>()?,
            content.mocks.into_iter().map(mock).collect::<Option<_>>()?,
            if content.lenient { Mode::Lenient } else { Mode::Strict },
            content.ops.into_iter().map(ops).collect::<Option<_>>()?,
        ))
    }
}
