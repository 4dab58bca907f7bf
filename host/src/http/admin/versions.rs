//! The versions of a stack over HTTP: listed, shown, compared, filled and checked.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, Query};
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::Digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use store::{Change, MOST_FILE_BYTES, Managed, Pin, StackFile, VersionRecord, WholeVersion};

use super::doors::{Door, Doors, Who};
use super::gate::{Caller, Done};
use super::stacks::pins;
use super::wire::first_of;
use super::{AdminHead, MAX_BODY};
use crate::admin::{AdminError, Deed, Effect, Kind, Need, Stacks};
use crate::http::problem::json_reply;

/// The largest upload: every file, escaped as JSON does.
const MAX_UPLOAD: usize = MOST_FILE_BYTES * 2 + (1 << 20);

/// The verbs on versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    List,
    Show,
    Diff,
    Cat,
    Put,
    Write,
    Remove,
    Validate,
}

impl Verb {
    const fn word(self) -> &'static str {
        match self {
            Self::List => "versions",
            Self::Show => "version",
            Self::Diff => "diff",
            Self::Cat => "cat",
            Self::Put => "upload",
            Self::Write => "write",
            Self::Remove => "remove",
            Self::Validate => "validate",
        }
    }

    const fn need(self) -> Need<'static> {
        match self {
            Self::List | Self::Show | Self::Diff | Self::Cat | Self::Validate => Need::OPS_READ,
            Self::Put | Self::Write | Self::Remove => Need::OPS_UPDATE,
        }
    }

    const fn effect(self) -> Effect {
        match self {
            Self::List | Self::Show | Self::Diff | Self::Cat | Self::Validate => Effect::Look,
            Self::Put | Self::Write | Self::Remove => Effect::Change,
        }
    }
}

/// The doors.
pub(super) fn open(doors: Doors) -> Doors {
    let stack = "/v1/tenants/{slug}/stacks/{name}";
    let at = |rest: &str| format!("{stack}{rest}");
    let door =
        |method, path: &str, verb: Verb, says| Door::new(method, path, says, Who::Capable(verb.need()));
    let any = |door: Door| door.gives::<Map<String, Value>>(200);
    let (files, one) = (at("/versions/{version}/files"), at("/versions/{version}"));
    let list = any(door(Method::GET, &at("/versions"), Verb::List, "The versions, newest first"));
    let show = any(door(Method::GET, &one, Verb::Show, "One version").asks("include"));
    let diff = door(Method::GET, &at("/diff"), Verb::Diff, "Which files two versions differ in");
    let cat = door(Method::GET, &at("/cat"), Verb::Cat, "A file, of the active version unless told");
    let put = door(Method::PUT, &files, Verb::Put, "Replace the files of a draft");
    let write = door(Method::PATCH, &files, Verb::Write, "Write one file of a draft");
    let remove = door(Method::DELETE, &files, Verb::Remove, "Remove one file of a draft");
    let validate = "Check a version as its activation would";
    let validate = door(Method::POST, &at("/versions/{version}/validate"), Verb::Validate, validate);
    doors
        .open(&list, |method| verb(method, Verb::List))
        .open(&show, |method| verb(method, Verb::Show))
        .open(&any(diff.asks("v1").asks("v2")), |method| verb(method, Verb::Diff))
        .open(&any(cat.asks("path").asks("version")), |method| verb(method, Verb::Cat))
        .open(&put.takes::<Upload>().gives::<Manifest>(200), |method| verb(method, Verb::Put))
        .open(&write.takes::<OneFile>().gives::<Manifest>(200), |method| verb(method, Verb::Write))
        .open(&remove.takes::<OneFile>().gives::<Manifest>(200), |method| verb(method, Verb::Remove))
        .open(&any(validate), |method| verb(method, Verb::Validate))
}

#[derive(Deserialize)]
struct Segments {
    slug: String,
    name: String,
    version: Option<u32>,
}

/// What a query may say.
#[derive(Default, Deserialize)]
struct Asked {
    include: Option<String>,
    v1: Option<u32>,
    v2: Option<u32>,
    path: Option<String>,
    version: Option<u32>,
}

fn verb(method: MethodFilter, verb: Verb) -> MethodRouter<Arc<AdminHead>> {
    on(method, move |Path(segments): Path<Segments>, Query(asked): Query<Asked>, caller: Caller| async move {
        let mut deed = Deed::new(Kind::Stack, verb.word(), verb.effect());
        deed.subject.clone_from(&segments.name);
        let most = if verb == Verb::Put { MAX_UPLOAD } else { MAX_BODY };
        caller
            .recorded(most, deed, move |head, actor, body, deed| {
                let tenant = head.tenant(&segments.slug, deed)?;
                let number = segments.version.or(asked.version);
                perform(verb, &segments.name, number, &asked, &head.admin.stacks(&tenant, actor), body)
            })
            .await
    })
}

fn perform(
    verb: Verb,
    name: &str,
    number: Option<u32>,
    asked: &Asked,
    stacks: &Stacks<'_>,
    body: &[u8],
) -> Done {
    stacks.may(verb.need())?;
    let numbered = || number.ok_or(AdminError::MissingVersion);
    Ok(match verb {
        Verb::List => {
            let all: Vec<_> = stacks.versions(name)?.iter().map(record_of).collect();
            json_reply(200, &json!({ "versions": all }))
        }
        Verb::Show => {
            let include = asked.include.as_deref().unwrap_or_default();
            json_reply(200, &whole(&stacks.version(name, numbered()?)?, include))
        }
        Verb::Diff => {
            let (one, two) = (asked.v1.ok_or(AdminError::MissingVersion)?, asked.v2);
            let one = stacks.version(name, one)?;
            let two = match two {
                Some(number) => stacks.version(name, number)?,
                None => stacks.active(name)?,
            };
            json_reply(200, &difference(&one, &two))
        }
        Verb::Cat => {
            let whole = match number {
                Some(number) => stacks.version(name, number)?,
                None => stacks.active(name)?,
            };
            let path = asked.path.as_deref().unwrap_or_default();
            let file = whole.files.iter().find(|file| file.path == path);
            let missing = || store::StackRefusal::NoFile { path: path.to_owned() };
            let file = file.ok_or_else(|| AdminError::Store(store::Error::Stack(missing())))?;
            json_reply(200, &file_of(file, true))
        }
        Verb::Put => {
            let upload: Upload = first_of(body)?;
            let managed = match upload.manage.as_deref().unwrap_or_default() {
                "" | "all" => Managed::All,
                "code" => Managed::Code,
                "data" => Managed::Data,
                _ => return Err(AdminError::InvalidBody("manage is all, code or data".to_owned())),
            };
            let files = upload.files.into_iter().map(Incoming::file).collect::<Result<Vec<_>, _>>()?;
            manifest(stacks.put(name, numbered()?, &files, managed)?)
        }
        Verb::Write => {
            let OneFile { path, content, base_hash } = first_of(body)?;
            let content = content.ok_or_else(|| AdminError::InvalidFile("content is missing".to_owned()))?;
            let base = base_hash.unwrap_or_default();
            let change = Change::Write { path: &path, content: &content, base: &base };
            manifest(stacks.change(name, numbered()?, change)?)
        }
        Verb::Remove => {
            let OneFile { path, base_hash, .. } = first_of(body)?;
            let base = base_hash.filter(|base| !base.is_empty());
            let base = base.ok_or_else(|| AdminError::InvalidFile("base_hash is missing".to_owned()))?;
            manifest(stacks.change(name, numbered()?, Change::Remove { path: &path, base: &base })?)
        }
        Verb::Validate => {
            let checked = stacks.validate(name, numbered()?)?;
            json_reply(
                200,
                &json!({
                    "ok": checked.is_good(),
                    "checked": checked.files,
                    "errors": checked.errors,
                    "warnings": checked.warnings,
                    "secrets": checked.secrets,
                    "ops": pins(&checked),
                }),
            )
        }
    })
}

/// What an upload brings.
#[derive(Deserialize, JsonSchema)]
struct Upload {
    files: Vec<Incoming>,
    /// `all` (also when absent), `code` or `data`.
    manage: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "StackFile")]
struct Incoming {
    path: String,
    content: String,
    /// SHA-256 of the content, in hex.
    content_hash: Option<String>,
    /// Absent for text, or `base64`.
    encoding: Option<String>,
}

impl Incoming {
    fn file(self) -> Result<StackFile, AdminError> {
        let Self { path, content, content_hash, encoding } = self;
        let wrong = |why: &str| AdminError::InvalidFile(format!("{path}: {why}"));
        let content = match encoding.as_deref().unwrap_or_default() {
            "" => content,
            "base64" => {
                let bytes = STANDARD.decode(&content).map_err(|_| wrong("its content is not base64"))?;
                String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8 text"))?
            }
            _ => return Err(wrong("its encoding is neither absent nor base64")),
        };
        if let Some(hash) = content_hash.filter(|hash| !hash.is_empty())
            && Digest::parse(&hash) != Some(Digest::of(content.as_bytes()))
        {
            return Err(wrong("its content_hash is that of another content"));
        }
        Ok(StackFile { path, content })
    }
}

/// One file, and what it was.
#[derive(Deserialize, JsonSchema)]
struct OneFile {
    path: String,
    content: Option<String>,
    /// SHA-256 of the content that was looked at, in hex; empty to make a file.
    base_hash: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Manifest {
    manifest_hash: String,
}

fn manifest(manifest_hash: String) -> axum::http::Response<axum::body::Body> {
    json_reply(200, &Manifest { manifest_hash })
}

fn record_of(version: &VersionRecord) -> Value {
    json!({
        "version_number": version.number,
        "status": version.status.word(),
        "parent_version_number": version.parent,
        "created_at": version.created_at,
        "created_by": version.created_by,
        "activated_at": version.activated_at,
        "manifest_hash": version.manifest,
        "files": version.files,
    })
}

fn file_of(file: &StackFile, content: bool) -> Value {
    let mut record = json!({ "path": file.path, "content_hash": file.digest().to_string() });
    if content && let Value::Object(members) = &mut record {
        members.insert("content".to_owned(), file.content.as_str().into());
    }
    record
}

/// A version with its files, their contents when asked, and what it is pinned to.
fn whole(whole: &WholeVersion, include: &str) -> Value {
    let asks = |what: &str| include.split(',').any(|word| word == what);
    let files: Vec<_> = whole.files.iter().map(|file| file_of(file, asks("content"))).collect();
    let mut record = json!({ "version": record_of(&whole.version), "files": files });
    if asks("ops")
        && let Value::Object(members) = &mut record
    {
        let pin = |pin: &Pin| {
            json!({
                "name": pin.name.as_str(), "delivery": pin.delivery.word(), "digest": pin.digest.to_string(),
            })
        };
        let pins: Vec<_> = whole.pins.iter().flatten().map(pin).collect();
        members.insert("ops".to_owned(), pins.into());
    }
    record
}

/// Which files are only in one of two versions, or other there.
fn difference(one: &WholeVersion, two: &WholeVersion) -> Value {
    let hashes = |whole: &WholeVersion| -> BTreeMap<String, Digest> {
        whole.files.iter().map(|file| (file.path.clone(), file.digest())).collect()
    };
    let (before, after) = (hashes(one), hashes(two));
    let paths: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let changes: Vec<_> = paths
        .into_iter()
        .filter_map(|path| {
            let change = match (before.get(path), after.get(path)) {
                (None, Some(_)) => "added",
                (Some(_), None) => "removed",
                (Some(before), Some(after)) if before != after => "changed",
                _ => return None,
            };
            Some(json!({ "path": path, "change": change }))
        })
        .collect();
    json!({ "v1": one.version.number, "v2": two.version.number, "files": changes })
}
