//! The hosts of a tenant over HTTP: listed, bound, let go.

use std::sync::Arc;

use axum::extract::Path;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::HostnameRecord;

use super::doors::{Door, Doors, Who};
use super::gate::Caller;
use super::wire::first_of;
use super::{AdminHead, MAX_BODY};
use crate::admin::{Bound, Deed, Effect, Kind, Need};
use crate::http::problem::{json_reply, nothing};

/// The verbs on hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    List,
    Bind,
    Verify,
    Release,
}

impl Verb {
    /// The word that the audit has for it, what it does, and what one needs for it.
    const fn facts(self) -> (&'static str, Effect, Need<'static>) {
        match self {
            Self::List => ("list", Effect::Look, Need::HOSTNAMES_READ),
            Self::Bind => ("bind", Effect::Change, Need::HOSTNAMES_WRITE),
            Self::Verify => ("verify", Effect::Change, Need::HOSTNAMES_WRITE),
            Self::Release => ("release", Effect::Change, Need::HOSTNAMES_WRITE),
        }
    }
}

/// The doors.
pub(super) fn open(doors: Doors) -> Doors {
    let all = "/v1/tenants/{slug}/hostnames";
    let one = format!("{all}/{{hostname}}");
    let door = |method, path, verb: Verb, says| Door::new(method, path, says, Who::Capable(verb.facts().2));
    let list = door(Method::GET, all, Verb::List, "List the hosts that lead here").gives::<Records>(200);
    let bind = door(Method::POST, all, Verb::Bind, "Send a host's requests to a stack")
        .takes::<Binding>()
        .gives::<Answer>(200);
    let release = door(Method::DELETE, &one, Verb::Release, "Let a host go").ends(204);
    let says = "Ask a host for the proof that it is the tenant's";
    let verify = door(Method::POST, &format!("{one}/verify"), Verb::Verify, says);
    let verify = verify.takes::<Proof>().gives::<Answer>(200);
    doors
        .open(&verify, |method| verb(method, Verb::Verify))
        .open(&list, |method| verb(method, Verb::List))
        .open(&bind, |method| verb(method, Verb::Bind))
        .open(&release, |method| verb(method, Verb::Release))
}

#[derive(Deserialize)]
struct Segments {
    slug: String,
    hostname: Option<String>,
}

fn verb(method: MethodFilter, verb: Verb) -> MethodRouter<Arc<AdminHead>> {
    on(method, move |Path(segments): Path<Segments>, caller: Caller| async move {
        let (action, effect, need) = verb.facts();
        let hostname = segments.hostname.unwrap_or_default();
        let mut deed = Deed::new(Kind::Hostname, action, effect);
        deed.subject.clone_from(&hostname);
        caller
            .recorded(MAX_BODY, deed, move |head, actor, body, deed| {
                let tenant = head.tenant(&segments.slug, deed)?;
                let hostnames = head.admin.hostnames(&tenant, actor);
                hostnames.may(need)?;
                Ok(match verb {
                    Verb::List => {
                        let all = hostnames.list()?;
                        json_reply(200, &Records { hostnames: all.iter().map(Record::of).collect() })
                    }
                    Verb::Bind => {
                        let Binding { hostname, stack } = first_of(body)?;
                        deed.subject.clone_from(&hostname);
                        let bound = hostnames.bind(&hostname, stack.as_deref())?;
                        json_reply(200, &Answer::of(bound))
                    }
                    Verb::Verify => {
                        let asked: Proof = if body.is_empty() { Proof::default() } else { first_of(body)? };
                        let Proof { method, stack } = asked;
                        let verified = hostnames.verify(&hostname, method.as_deref(), stack.as_deref())?;
                        json_reply(200, &Answer::of(verified))
                    }
                    Verb::Release => {
                        hostnames.release(&hostname)?;
                        nothing()
                    }
                })
            })
            .await
    })
}

/// Which host, and where its requests go.
#[derive(Deserialize, JsonSchema)]
struct Binding {
    hostname: String,
    /// Absent: the tenant's only stack.
    stack: Option<String>,
}

/// How a host is asked.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(rename = "Verification")]
struct Proof {
    /// `http-01`, also when absent, or `dns-txt`.
    method: Option<String>,
    /// Where its requests go once it is proven; absent: where they went.
    stack: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Records {
    hostnames: Vec<Record>,
}

#[derive(Serialize, JsonSchema)]
struct Answer {
    hostname: Record,
    /// Why no rule would answer its requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
}

impl Answer {
    fn of(bound: Bound) -> Self {
        Self { hostname: Record::of(&bound.record), warning: bound.warning }
    }
}

/// A host's record.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Hostname")]
struct Record {
    hostname: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    stack: Option<String>,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verified_at: Option<String>,
}

impl Record {
    fn of(one: &HostnameRecord) -> Self {
        Self {
            hostname: one.hostname.to_string(),
            stack: one.stack.as_ref().map(ToString::to_string),
            created_at: one.created_at.clone(),
            created_by: one.created_by.clone(),
            verified_at: one.verified_at.clone(),
        }
    }
}
