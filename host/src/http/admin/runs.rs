//! Requests that wait, over HTTP: listed, shown, ended.

use std::sync::Arc;

use axum::extract::{Path, Query};
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};
use jiff::Timestamp;
use model::Fault;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{RunRecord, WaitRecord};

use super::doors::{Door, Doors, Who};
use super::gate::Caller;
use super::{AdminHead, MAX_BODY};
use crate::admin::{Asking, Deed, Effect, Kind, Need, Shown};
use crate::http::problem::json_reply;

/// The verbs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    List,
    Show,
    Cancel,
}

impl Verb {
    /// The word that the audit has for it, what it does, and what one needs for it.
    const fn facts(self) -> (&'static str, Effect, Need<'static>) {
        match self {
            Self::List => ("list", Effect::Look, Need::RUNS_READ),
            Self::Show => ("show", Effect::Look, Need::RUNS_READ),
            Self::Cancel => ("cancel", Effect::Change, Need::RUNS_CANCEL),
        }
    }
}

/// The doors.
pub(super) fn open(doors: Doors) -> Doors {
    let all = "/v1/tenants/{slug}/runs";
    let (one, cancel) = (format!("{all}/{{id}}"), format!("{all}/{{id}}/cancel"));
    let door = |method, path, verb: Verb, says| Door::new(method, path, says, Who::Capable(verb.facts().2));
    let list = door(Method::GET, all, Verb::List, "List the requests that wait, oldest first");
    let list = ["state", "stack", "older", "after", "limit"].into_iter().fold(list, Door::asks);
    let show =
        door(Method::GET, &one, Verb::Show, "Tell where a request waits, and for whom").gives::<Told>(200);
    let cancel = door(Method::POST, &cancel, Verb::Cancel, "End a request that waits or runs on its own")
        .gives::<Ended>(200);
    doors
        .open(&list.gives::<Records>(200), |method| verb(method, Verb::List))
        .open(&show, |method| verb(method, Verb::Show))
        .open(&cancel, |method| verb(method, Verb::Cancel))
}

#[derive(Deserialize)]
struct Segments {
    slug: String,
    id: Option<String>,
}

#[derive(Default, Deserialize)]
struct Asked {
    state: Option<String>,
    stack: Option<String>,
    older: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
}

fn verb(method: MethodFilter, verb: Verb) -> MethodRouter<Arc<AdminHead>> {
    on(method, move |Path(segments): Path<Segments>, Query(asked): Query<Asked>, caller: Caller| async move {
        let (action, effect, need) = verb.facts();
        let id = segments.id.unwrap_or_default();
        let mut deed = Deed::new(Kind::Run, action, effect);
        deed.subject.clone_from(&id);
        caller
            .recorded(MAX_BODY, deed, move |head, actor, _, deed| {
                let tenant = head.tenant(&segments.slug, deed)?;
                let runs = head.admin.runs(&tenant, actor);
                runs.may(need)?;
                Ok(match verb {
                    Verb::List => {
                        let asking = Asking {
                            state: asked.state.as_deref(),
                            stack: asked.stack.as_deref(),
                            older: asked.older.as_deref(),
                            after: asked.after.as_deref(),
                            limit: asked.limit,
                        };
                        let (all, more) = runs.list(&asking)?;
                        let next = all.last().filter(|_| more).map(|last| last.run.to_string());
                        json_reply(200, &Records { runs: all.iter().map(Record::of).collect(), next })
                    }
                    Verb::Show => json_reply(200, &Told::of(&runs.show(&id)?)),
                    Verb::Cancel => {
                        runs.cancel(&id)?;
                        json_reply(200, &Ended { id, state: store::Standing::Cancelled.word() })
                    }
                })
            })
            .await
    })
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Runs")]
struct Records {
    runs: Vec<Record>,
    /// When there are more: what `after` is for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A request that waits, or ran on its own.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Run")]
struct Record {
    id: String,
    request_id: String,
    stack: String,
    /// `waiting`, `ready`, `running`, `completed`, `failed` or `cancelled`.
    state: &'static str,
    /// When it was first kept.
    since: String,
    /// Since when it waits, while it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_since: Option<String>,
    /// How often it has waited.
    waits: u32,
    /// How many workers it waits for now.
    workers: u32,
    /// When the time of the last of them is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<String>,
    /// The code of the fault that ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<String>,
}

impl Record {
    fn of(run: &RunRecord) -> Self {
        let text = |at: Option<Timestamp>| at.as_ref().map(ToString::to_string);
        Self {
            id: run.run.to_string(),
            request_id: run.request.clone(),
            stack: run.stack.clone(),
            state: run.standing.word(),
            since: run.since.to_string(),
            waiting_since: text(run.waiting_since),
            waits: run.step,
            workers: run.waits_for,
            expires_at: text(run.expires),
            ended_at: text(run.ended),
            fault: run.fault.clone(),
        }
    }
}

/// A request that waits, and where.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WholeRun")]
struct Told {
    run: Record,
    /// `STACK/SCOPE` where it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fuel_used: Option<u64>,
    /// How many stages it may enter still, when that is bounded.
    #[serde(skip_serializing_if = "Option::is_none")]
    stages_left: Option<u32>,
    workers: Vec<Worker>,
    /// In words, why it is where it is.
    why: String,
}

/// The part of one worker.
#[derive(Serialize, JsonSchema)]
struct Worker {
    id: String,
    /// The rule that sent the job, while the request waits: `STACK/SCOPE/RULE` when it joins at a later scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    /// The scope before which its output joins the request, when that is a later one.
    #[serde(skip_serializing_if = "Option::is_none")]
    joins_at: Option<u32>,
    /// `waiting`, `deferred` (the request does not wait for it yet), `completed`, `failed`, `expired` or `cancelled`.
    state: String,
    expires_at: String,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CancelledRun")]
struct Ended {
    id: String,
    state: &'static str,
}

impl Told {
    fn of(shown: &Shown) -> Self {
        let stands = shown.stands.as_ref();
        // The parts of its scope have no names there, and are in the order of their rules.
        let mut rules = stands.into_iter().flat_map(|stands| &stands.rules);
        let worker = |wait: &WaitRecord| {
            let joins = stands.and_then(|stands| stands.joins.iter().find(|joins| joins.wait == wait.wait));
            Worker {
                id: wait.wait.to_string(),
                rule: joins.map(|joins| &joins.rule).or_else(|| rules.next()).cloned(),
                joins_at: joins.map(|joins| joins.at),
                state: wait.ending.clone().unwrap_or_else(|| not_called(wait).to_owned()),
                expires_at: wait.expires.to_string(),
            }
        };
        let workers: Vec<_> = shown.waits.iter().map(worker).collect();
        Self {
            run: Record::of(&shown.record),
            stage: stands.map(|stands| format!("{}/{}", stands.stack, stands.scope)),
            fuel_used: stands.map(|stands| stands.fuel),
            stages_left: stands.and_then(|stands| stands.left),
            why: why(shown, &workers),
            workers,
        }
    }
}

/// Of a worker who has not called.
fn not_called(wait: &WaitRecord) -> &'static str {
    if wait.awaited { "waiting" } else { "deferred" }
}

fn why(shown: &Shown, workers: &[Worker]) -> String {
    use store::Standing::{Cancelled, Completed, Failed, Ready, Running, Waiting};
    let run = &shown.record;
    let said = match run.standing {
        Waiting => {
            let open = workers.iter().filter(|worker| worker.state == "waiting");
            let named = open.map(|worker| {
                let name = worker.rule.as_deref().unwrap_or(&worker.id);
                format!("{name} until {}", worker.expires_at)
            });
            format!(
                "waits for {} of {} workers: {}",
                run.waits_for,
                shown.waits.iter().filter(|wait| wait.awaited).count(),
                named.collect::<Vec<_>>().join(", ")
            )
        }
        Ready => "its workers are done; it goes on when there is a place (--continuation-runs, the tenant's \
                  --concurrency, a tenant that is not suspended)"
            .to_owned(),
        Running if shown.waits.iter().any(|wait| !wait.awaited) => {
            "it goes on while workers do their jobs, and waits for them later (join_at_scope)".to_owned()
        }
        Running if run.step == 0 => {
            "its continuable rule runs, and its client was told to come back".to_owned()
        }
        Running => "its workers are done, and it goes on".to_owned(),
        Completed => "it ended well; its answer is kept for its client".to_owned(),
        Failed => {
            let code = run.fault.as_deref().unwrap_or_default();
            let meaning = Fault::ALL.iter().find(|fault| fault.code() == code).map(|fault| fault.meaning());
            format!("it failed ({code}): {}", meaning.unwrap_or("a fault that this chassis does not know"))
        }
        Cancelled => "an administrator ended it (txco auth audit list --action run.cancel)".to_owned(),
    };
    if shown.shut { format!("{said}; what it holds does not open (txco auth secrets status)") } else { said }
}
