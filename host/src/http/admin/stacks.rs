//! The stacks of a tenant over HTTP: listed, shown, drafted, activated.

use std::sync::Arc;

use axum::extract::Path;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use store::StackRecord;

use super::doors::{Door, Doors, Who};
use super::gate::{Caller, Done};
use super::wire::first_of;
use super::{AdminHead, MAX_BODY};
use crate::admin::{AdminError, Checked, Deed, Effect, Kind, Need, ServedFrom, Stacks};
use crate::http::problem::json_reply;

/// The verbs on a whole stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    List,
    Show,
    Draft,
    Activate,
    Deactivate,
}

impl Verb {
    const fn word(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Show => "show",
            Self::Draft => "draft",
            Self::Activate => "activate",
            Self::Deactivate => "deactivate",
        }
    }

    const fn need(self) -> Need<'static> {
        match self {
            Self::List | Self::Show => Need::OPS_READ,
            Self::Draft => Need::OPS_UPDATE,
            Self::Activate | Self::Deactivate => Need::OPS_ACTIVATE,
        }
    }

    const fn effect(self) -> Effect {
        match self {
            Self::List | Self::Show => Effect::Look,
            Self::Draft | Self::Activate | Self::Deactivate => Effect::Change,
        }
    }
}

/// The doors.
pub(super) fn open(doors: Doors) -> Doors {
    let all = "/v1/tenants/{slug}/stacks";
    let at = |rest: &str| format!("{all}/{{name}}{rest}");
    let door =
        |method, path: &str, verb: Verb, says| Door::new(method, path, says, Who::Capable(verb.need()));
    let list = door(Method::GET, all, Verb::List, "List the stacks").gives::<StackList>(200);
    let show = door(Method::GET, &at(""), Verb::Show, "What is known of a stack").gives::<StackAnswer>(200);
    let draft = door(Method::POST, &at("/draft"), Verb::Draft, "Begin a version")
        .takes::<NewDraft>()
        .gives::<Begun>(201);
    let activation = door(Method::POST, &at("/activate"), Verb::Activate, "Serve a version from now on")
        .takes::<Activate>()
        .gives::<Map<String, Value>>(200);
    let deactivation = door(Method::POST, &at("/deactivate"), Verb::Deactivate, "Serve no version")
        .gives::<Map<String, Value>>(200);
    doors
        .open(&list, |method| verb(method, Verb::List))
        .open(&show, |method| verb(method, Verb::Show))
        .open(&draft, |method| verb(method, Verb::Draft))
        .open(&activation, |method| verb(method, Verb::Activate))
        .open(&deactivation, |method| verb(method, Verb::Deactivate))
}

#[derive(Deserialize)]
struct Segments {
    slug: String,
    name: Option<String>,
}

fn verb(method: MethodFilter, verb: Verb) -> MethodRouter<Arc<AdminHead>> {
    on(method, move |Path(segments): Path<Segments>, caller: Caller| async move {
        let name = segments.name.unwrap_or_default();
        let mut deed = Deed::new(Kind::Stack, verb.word(), verb.effect());
        deed.subject.clone_from(&name);
        caller
            .recorded(MAX_BODY, deed, move |head, actor, body, deed| {
                let tenant = head.tenant(&segments.slug, deed)?;
                perform(verb, &name, &head.admin.stacks(&tenant, actor), body)
            })
            .await
    })
}

fn perform(verb: Verb, name: &str, stacks: &Stacks<'_>, body: &[u8]) -> Done {
    stacks.may(verb.need())?;
    Ok(match verb {
        Verb::List => {
            let all = stacks.list()?;
            json_reply(200, &StackList { stacks: all.iter().map(Record::of).collect() })
        }
        Verb::Show => json_reply(200, &StackAnswer { stack: Record::of(&stacks.show(name)?) }),
        Verb::Draft => {
            let asked: NewDraft = if body.is_empty() { NewDraft::default() } else { first_of(body)? };
            let number = stacks.draft(name, asked.from.as_deref().unwrap_or_default())?;
            json_reply(201, &Begun { version_number: number })
        }
        Verb::Activate => {
            let asked: Activate = first_of(body)?;
            let number = asked.version_number.filter(|number| *number > 0);
            let number = number.ok_or(AdminError::MissingVersion)?;
            let (manifest, active) = (asked.manifest_hash.as_deref(), asked.active_manifest_hash.as_deref());
            let activated = stacks.activate(name, number, manifest, active)?;
            let served = match activated.served {
                ServedFrom::Database => "now",
                ServedFrom::Workspace => "not: this chassis serves a workspace of its own",
            };
            json_reply(
                200,
                &json!({
                    "version_number": number,
                    "prior_version_number": activated.done.prior,
                    "unchanged": activated.done.unchanged,
                    "served": served,
                    "ops": pins(&activated.checked),
                    "warnings": activated.checked.warnings,
                    "secrets": activated.checked.secrets,
                }),
            )
        }
        Verb::Deactivate => json_reply(200, &json!({ "prior_version_number": stacks.deactivate(name)? })),
    })
}

/// What the rules of a version call, by digest.
pub(super) fn pins(checked: &Checked) -> Vec<Value> {
    let pin = |pin: &store::Pin| json!({ "name": pin.name.as_str(), "delivery": pin.delivery.word(), "digest": pin.digest.to_string() });
    checked.pins.iter().map(pin).collect()
}

/// Where a draft begins.
#[derive(Default, Deserialize, JsonSchema)]
struct NewDraft {
    /// Empty, `active`, or the number of a version.
    from: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Begun {
    version_number: u32,
}

/// Which version, and what was looked at.
#[derive(Deserialize, JsonSchema)]
struct Activate {
    version_number: Option<u32>,
    /// The manifest of the version that was looked at: with another it is not activated.
    manifest_hash: Option<String>,
    /// The manifest of the version that was active then, empty for none.
    active_manifest_hash: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct StackList {
    stacks: Vec<Record>,
}

#[derive(Serialize, JsonSchema)]
struct StackAnswer {
    #[serde(flatten)]
    stack: Record,
}

/// A stack's record.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Stack")]
struct Record {
    name: String,
    created_at: String,
    mint_hostname: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    active_version: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code_manifest_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    activated_at: Option<String>,
}

impl Record {
    fn of(stack: &StackRecord) -> Self {
        let active = stack.active.as_ref();
        // Every file of a version is code here.
        let manifest = active.map(|active| active.manifest.clone());
        Self {
            name: stack.name.as_str().to_owned(),
            created_at: stack.created_at.clone(),
            mint_hostname: stack.mint_hostname,
            active_version: active.map(|active| active.number),
            manifest_hash: manifest.clone(),
            code_manifest_hash: manifest,
            activated_at: active.and_then(|active| active.activated_at.clone()),
        }
    }
}
