//! The ops of a tenant over HTTP: pushed, listed, shown, removed; a slow compile keeps nobody else waiting.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Path, Query};
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::{Delivery, StackName};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use store::{Pushed, StackFile, StoredBuild, StoredOp, WholeVersion};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use workshop::Facts;

use super::AdminHead;
use super::doors::{Door, Doors, Who};
use super::gate::{Caller, Done, Entered, Visitor, answered};
use super::wire::first_of;
use crate::admin::{Actor, AdminError, Arriving, Deed, Effect, Kind, Need};
use crate::http::problem::{json_reply, nothing};
use crate::op_signature;

/// How long a client may take to send an op.
const PUSH_WITHIN: Duration = Duration::from_secs(60);
/// How many ops are received and compiled at one time, whoever's they are.
const AT_ONCE: usize = 3;
/// What a push has beside its components.
const BESIDE: usize = 64 << 10;

/// The verbs on ops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    List,
    Push,
    Show,
    Remove,
}

impl Verb {
    const fn word(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Push => "push",
            Self::Show => "show",
            Self::Remove => "remove",
        }
    }
}

/// Who may push now: of each tenant one, of all a few. A push waits for its turn before its
/// body is read, so that waiting costs no memory; and a tenant whose op compiles slowly
/// leaves the other turns to others.
pub(super) struct Turns {
    all: Arc<Semaphore>,
    tenants: Mutex<BTreeMap<String, Arc<Semaphore>>>,
}

impl Default for Turns {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(AT_ONCE)), tenants: Mutex::default() }
    }
}

impl Turns {
    /// Waits for the turn of `tenant`; it ends when what is returned is dropped.
    async fn of(&self, tenant: &str) -> Option<[OwnedSemaphorePermit; 2]> {
        let own = {
            let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
            // Nobody waits or works there any more.
            tenants.retain(|_, turn| Arc::strong_count(turn) > 1);
            Arc::clone(tenants.entry(tenant.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(1))))
        };
        let own = own.acquire_owned().await.ok()?;
        Some([own, Arc::clone(&self.all).acquire_owned().await.ok()?])
    }
}

/// The doors.
pub(super) fn open(doors: Doors) -> Doors {
    let (ops, one) = ("/v1/tenants/{slug}/ops", "/v1/tenants/{slug}/ops/{name}");
    let (read, update) = (Who::Capable(Need::OPS_READ), Who::Capable(Need::OPS_UPDATE));
    let says = "List the ops, or with ?stack= the rules that are active in it";
    let list = Door::new(Method::GET, ops, says, read).asks("stack").asks("scope").gives::<OpRecords>(200);
    let show = Door::new(Method::GET, one, "What is known of an op", read).gives::<OpReply>(200);
    let push = Door::new(Method::PUT, one, "Push an op", update).takes::<Incoming>();
    let push = push.gives::<PushedReply>(200).gives::<PushedReply>(201);
    let remove = Door::new(Method::DELETE, one, "Remove an op", update).ends(204);
    doors
        .open(&list, |method| verb(method, Verb::List))
        .open(&show, |method| verb(method, Verb::Show))
        .open(&push, |method| verb(method, Verb::Push))
        .open(&remove, |method| verb(method, Verb::Remove))
}

#[derive(Deserialize)]
struct Segments {
    slug: String,
    name: Option<String>,
}

/// One request about ops, once it is read.
struct Call {
    verb: Verb,
    slug: String,
    name: String,
    asked: Asked,
}

/// What a query may say.
#[derive(Default, Deserialize)]
struct Asked {
    stack: Option<String>,
    scope: Option<u32>,
}

fn verb(method: MethodFilter, verb: Verb) -> MethodRouter<Arc<AdminHead>> {
    on(method, move |Path(segments): Path<Segments>, Query(asked): Query<Asked>, caller: Caller| async move {
        let call = Call { verb, slug: segments.slug, name: segments.name.unwrap_or_default(), asked };
        let deed = call.deed();
        if verb != Verb::Push {
            let perform = move |head: &AdminHead, actor: &Actor, body: &[u8], deed: &mut Deed| {
                call.perform(head, actor, body, deed)
            };
            return caller.recorded(BESIDE, deed, perform).await;
        }
        let head = Arc::clone(&caller.head);
        let (turn, entered) = call.heard_in_turn(caller.knock(), &head).await;
        // Reading and compiling block: on a thread that may.
        answered(move || {
            let done =
                head.recorded(entered, deed, |head, actor, body, deed| call.perform(head, actor, body, deed));
            drop(turn);
            done
        })
        .await
    })
}

impl Call {
    fn deed(&self) -> Deed {
        let effect = match self.verb {
            Verb::List | Verb::Show => Effect::Look,
            Verb::Push | Verb::Remove => Effect::Change,
        };
        let mut deed = Deed::new(Kind::Op, self.verb.word(), effect);
        deed.subject.clone_from(&self.name);
        deed
    }

    /// Waits for the turn of whoever may push here, and only then for what they push: a turn
    /// is not for those who may not.
    async fn heard_in_turn(
        &self,
        visitor: Result<Visitor, AdminError>,
        head: &AdminHead,
    ) -> (Option<[OwnedSemaphorePermit; 2]>, Entered) {
        let may = visitor.and_then(|visitor| {
            visitor.actor().may(&head.admin.tenant(&self.slug)?.id, Need::OPS_UPDATE)?;
            Ok(visitor)
        });
        let visitor = match may {
            Ok(visitor) => visitor,
            Err(error) => return (None, Err(error)),
        };
        // Two components in base64.
        let most = head.admin.ops().largest().saturating_mul(3).saturating_add(BESIDE);
        let turn = head.turns.of(&self.slug).await;
        (turn, visitor.enter(most, PUSH_WITHIN).await)
    }

    fn perform(&self, head: &AdminHead, actor: &Actor, body: &[u8], deed: &mut Deed) -> Done {
        let tenant = head.tenant(&self.slug, deed)?;
        let ops = head.admin.ops();
        Ok(match self.verb {
            Verb::List if self.asked.stack.is_some() => {
                let stack = self.asked.stack.as_deref().unwrap_or_default();
                let active = head.admin.stacks(&tenant, actor).active(stack)?;
                json_reply(200, &json!({ "ops": rules_of(stack, &active, self.asked.scope) }))
            }
            Verb::List => {
                let all: Vec<_> = ops.list(&tenant.id, actor)?.iter().map(record_of).collect();
                json_reply(200, &json!({ "ops": all }))
            }
            Verb::Show => {
                let (op, facts) = ops.show(&tenant.id, actor, &self.name)?;
                let mut record = record_of(&op);
                put(&mut record, "about", facts.first().map(about));
                json_reply(200, &json!({ "op": record }))
            }
            Verb::Remove => {
                ops.remove(&tenant.id, actor, &self.name)?;
                nothing()
            }
            Verb::Push => {
                let arriving = first_of::<Incoming>(body)?.arriving()?;
                let digests = arriving.iter().map(|one| one.digest().to_string());
                deed.digests = digests.collect::<Vec<_>>().join(",");
                let (op, pushed) = ops.push(&tenant.id, actor, &self.name, &arriving)?;
                let (status, word) = match pushed {
                    Pushed::Created => (201, "created"),
                    Pushed::Replaced => (200, "replaced"),
                    Pushed::Unchanged => (200, "unchanged"),
                };
                json_reply(status, &json!({ "op": record_of(&op), "pushed": word }))
            }
        })
    }
}

/// What a push brings.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "OpPush")]
struct Incoming {
    builds: Vec<IncomingBuild>,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "OpBuild")]
struct IncomingBuild {
    delivery: String,
    /// In base64.
    component: String,
    signature: Option<String>,
}

impl Incoming {
    fn arriving(self) -> Result<Vec<Arriving>, AdminError> {
        let invalid = |why: &str| AdminError::InvalidBody(why.to_owned());
        if self.builds.len() > Delivery::ALL.len() {
            return Err(invalid("a push has at most two builds"));
        }
        let one = |build: IncomingBuild| {
            let delivery =
                Delivery::parse(&build.delivery).ok_or_else(|| invalid("delivery is reveal or use"))?;
            let component =
                STANDARD.decode(build.component).map_err(|_| invalid("component is not base64"))?;
            Ok(Arriving { delivery, component, signature: build.signature })
        };
        self.builds.into_iter().map(one).collect()
    }
}

/// An op's record, as [`record_of`] writes it.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "described only")]
struct OpRecord {
    name: String,
    push_no: u32,
    pushed_at: String,
    pushed_by: Option<String>,
    builds: Vec<OpBuildRecord>,
    /// What the op says of itself; only where one is asked for.
    about: Option<Map<String, Value>>,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "described only")]
struct OpBuildRecord {
    /// `reveal` or `use`.
    delivery: String,
    digest: String,
    size: u64,
    signed_by: Option<String>,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "described only")]
struct OpRecords {
    ops: Vec<OpRecord>,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "described only")]
struct OpReply {
    op: OpRecord,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "described only")]
struct PushedReply {
    op: OpRecord,
    /// `created`, `replaced` or `unchanged`.
    pushed: String,
}

/// The rules of a version in their places, as the Go chassis lists them here.
fn rules_of(stack: &str, whole: &WholeVersion, scope: Option<u32>) -> Vec<Value> {
    let Ok(name) = StackName::parse(stack) else { return Vec::new() };
    let rule = |file: &StackFile| {
        let place = chassis::rule_place(&name, &file.path).ok().flatten()?;
        let wanted = scope.is_none_or(|scope| scope == place.scope);
        wanted.then(
            || json!({ "stack": stack, "scope": place.scope, "name": place.name, "txcl": file.content }),
        )
    };
    whole.files.iter().filter_map(rule).collect()
}

/// An op's record.
fn record_of(op: &StoredOp) -> Value {
    let mut record = json!({
        "name": op.name.as_str(),
        "push_no": op.push_no,
        "pushed_at": op.pushed_at,
        "builds": op.builds.iter().map(build_of).collect::<Vec<_>>(),
    });
    put(&mut record, "pushed_by", op.pushed_by.as_deref().map(Value::from));
    record
}

fn build_of(build: &StoredBuild) -> Value {
    let mut record = json!({
        "delivery": build.delivery.word(),
        "digest": build.digest.to_string(),
        "size": build.size,
    });
    let signer = build.signature.as_deref().and_then(|text| op_signature::signer(&build.digest, text).ok());
    put(&mut record, "signed_by", signer.map(|key| Value::from(key.to_string())));
    record
}

/// What the op says of itself.
fn about(facts: &Facts) -> Value {
    let manifest = &facts.manifest;
    let outputs =
        manifest.outputs.iter().map(|output| json!({ "path": output.path, "class": output.class.word() }));
    let optional = manifest.slots.iter().filter(|(_, slot)| slot.optional).map(|(name, _)| name);
    json!({
        "description": manifest.description,
        "budget_ms": manifest.budget_ms,
        "slots": manifest.slots.keys().collect::<Vec<_>>(),
        "optional_slots": optional.collect::<Vec<_>>(),
        "params": manifest.params.keys().collect::<Vec<_>>(),
        "failures": manifest.failures,
        "outputs": outputs.collect::<Vec<_>>(),
        "imports": facts.imports,
    })
}

fn put(record: &mut Value, member: &str, value: Option<Value>) {
    let members: Option<&mut Map<String, Value>> = record.as_object_mut();
    if let (Some(members), Some(value)) = (members, value) {
        members.insert(member.to_owned(), value);
    }
}
