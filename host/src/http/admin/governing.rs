//! The state of a tenant over HTTP: suspended, resumed, limited, shown.

use std::sync::Arc;

use axum::extract::Path;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::doors::{Door, Doors, Who};
use super::gate::Caller;
use super::wire::first_of;
use super::{AdminHead, MAX_BODY};
use crate::admin::{Deed, Effect, Kind};
use crate::http::problem::json_reply;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Show,
    Suspend,
    Resume,
    Limit,
    Settings,
}

/// The doors.
pub(super) fn open(doors: Doors) -> Doors {
    let door = |method, rest: &str, says| {
        Door::new(method, &format!("/v1/tenants/{{slug}}{rest}"), says, Who::RulesAll)
            .gives::<Runtime<'static>>(200)
    };
    let show = door(Method::GET, "/runtime", "Whether a tenant is suspended, its limits, what runs");
    let suspend = door(Method::POST, "/suspend", "Refuse a tenant's requests from now on");
    let resume = door(Method::POST, "/resume", "Let a tenant's requests in again");
    let limit = door(Method::POST, "/limits", "Limit a tenant's requests; what is not said stays, 0 ends it");
    let settings = door(Method::POST, "/settings", "Say what it takes to use a secret in the tenant's rules");
    doors
        .open(&show, |method| verb(method, Verb::Show))
        .open(&suspend.takes::<Suspending>(), |method| verb(method, Verb::Suspend))
        .open(&resume, |method| verb(method, Verb::Resume))
        .open(&limit.takes::<Limits>(), |method| verb(method, Verb::Limit))
        .open(&settings.takes::<Settings>(), |method| verb(method, Verb::Settings))
}

#[derive(Deserialize)]
struct Segments {
    slug: String,
}

fn verb(method: MethodFilter, verb: Verb) -> MethodRouter<Arc<AdminHead>> {
    on(method, move |Path(Segments { slug }): Path<Segments>, caller: Caller| async move {
        let (action, effect) = match verb {
            Verb::Show => ("runtime", Effect::Look),
            Verb::Suspend => ("suspend", Effect::Change),
            Verb::Resume => ("resume", Effect::Change),
            Verb::Limit => ("limits", Effect::Change),
            Verb::Settings => ("settings", Effect::Change),
        };
        let deed = Deed::new(Kind::Tenant, action, effect);
        caller
            .recorded(MAX_BODY, deed, move |head, actor, body, deed| {
                let tenant = head.tenant(&slug, deed)?;
                let governing = head.admin.governing(&tenant, actor)?;
                match verb {
                    Verb::Show => {}
                    Verb::Suspend => {
                        let said: Suspending =
                            if body.is_empty() { Suspending::default() } else { first_of(body)? };
                        let reason = said.reason.as_deref().unwrap_or_default();
                        governing.suspend(said.status, reason)?;
                    }
                    Verb::Resume => governing.resume()?,
                    Verb::Settings => {
                        let Settings { secrets_use } = first_of(body)?;
                        governing.say_secrets_use(&secrets_use)?;
                    }
                    Verb::Limit => {
                        let said: Limits = first_of(body)?;
                        let limits = store::Limits {
                            rate: said.rate_limit_rps,
                            burst: said.rate_burst,
                            concurrency: said.concurrency_limit,
                            upstream_calls: said.upstream_calls_limit,
                        };
                        governing.limit(limits)?;
                    }
                }
                let (state, running) = governing.state()?;
                let answer = Runtime {
                    tenant_id: tenant.id.as_str(),
                    slug: tenant.slug.as_str(),
                    suspended: state.suspended,
                    deny_status: state.suspended.then_some(state.deny_status),
                    deny_reason: (state.suspended && !state.deny_reason.is_empty())
                        .then_some(state.deny_reason.as_str()),
                    rate_limit_rps: state.rate,
                    rate_burst: state.burst,
                    concurrency_limit: state.concurrency,
                    upstream_calls_limit: state.upstream_calls,
                    secrets_use: state.secrets_use.word(),
                    in_flight: running,
                };
                Ok(json_reply(200, &answer))
            })
            .await
    })
}

/// What a suspended tenant's requests are told: 402, 403 (without a word) or 503, and a reason.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(default)]
struct Suspending {
    status: Option<u16>,
    reason: Option<String>,
}

/// Limits of a tenant; 0 is none.
#[derive(Deserialize, JsonSchema)]
struct Limits {
    rate_limit_rps: Option<u32>,
    rate_burst: Option<u32>,
    concurrency_limit: Option<u32>,
    upstream_calls_limit: Option<u32>,
}

/// What is required of a tenant.
#[derive(Deserialize, JsonSchema)]
struct Settings {
    /// `implied`, or `explicit`: activating rules that name a new secret takes `secret:NAME:use`.
    secrets_use: String,
}

/// A tenant's state on this chassis.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TenantRuntime")]
struct Runtime<'a> {
    tenant_id: &'a str,
    slug: &'a str,
    suspended: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    deny_status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deny_reason: Option<&'a str>,
    /// Requests a second; 0 is no limit.
    rate_limit_rps: u32,
    /// Requests at once; 0 is as many as a second's.
    rate_burst: u32,
    /// Requests at the same time; 0 is no limit.
    concurrency_limit: u32,
    /// Requests to upstreams under way at once; 0 is as many as the chassis allows each tenant.
    upstream_calls_limit: u32,
    /// `implied` or `explicit`.
    secrets_use: &'static str,
    /// Requests that run on this chassis now.
    in_flight: usize,
}
