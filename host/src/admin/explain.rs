//! What rules would get of the secrets they name, answered before anything runs.

use chassis::Chassis;
use model::{Class, Destination, Fault, OpName, OpRef, Origin, SecretName, StackName, TenantId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::Store;
use vault::{Asked, Caller, Vault, Verdict, Wants};
use workshop::Facts;

use super::error::AdminError;

/// The most questions that are answered at once.
pub(crate) const MOST_ASKS: usize = 1000;

/// One question.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(crate) struct Ask {
    /// The secret.
    #[serde(default)]
    pub(crate) name: String,
    /// The stack of the rule that names it.
    #[serde(default)]
    pub(crate) stack: Option<String>,
    /// What the rule executes: a URL, `txco://NAME`, `op://NAME`.
    #[serde(default, rename = "for")]
    pub(crate) purpose: Option<String>,
}

/// Its answer: never a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Answer {
    /// The secret.
    pub(crate) name: String,
    /// As asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stack: Option<String>,
    /// As asked.
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    pub(crate) purpose: Option<String>,
    /// Whether it would be given.
    pub(crate) allowed: bool,
    /// `ok`, or the code that the request would fail with.
    pub(crate) code: &'static str,
    /// Why, or why not.
    pub(crate) why: String,
    /// The stack of the secret that the name means, empty for the whole tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) found_in: Option<String>,
    /// The version in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version_no: Option<u32>,
    /// Whether it has a policy; without one it may go to any host.
    pub(crate) has_policy: bool,
}

/// Answers `ask` for rules of `tenant`.
///
/// # Errors
/// [`AdminError`]: the name, the stack, or the database. A secret that cannot be had is an answer.
pub(crate) fn answer(
    vault: &Vault,
    store: &Store,
    chassis: &Chassis,
    tenant: &TenantId,
    ask: &Ask,
) -> Result<Answer, AdminError> {
    let name = SecretName::parse(&ask.name).map_err(|e| AdminError::InvalidName(e.rule.to_owned()))?;
    let stack = ask.stack.as_deref().filter(|stack| !stack.is_empty()).map(StackName::parse).transpose();
    let stack = stack.map_err(|e| AdminError::InvalidStack(e.rule.to_owned()))?;
    let caller = Caller { tenant, stack: stack.as_ref() };
    let operand = ask.purpose.as_deref().unwrap_or_default();
    let builds = builds(store, tenant, operand)?;
    let destination = Destination::of(operand).ok();
    let candidates: Vec<_> = builds.iter().flatten().map(Build::candidate).collect();
    let asked = match (&destination, &builds) {
        (Some(destination), _) => Asked::Request(destination),
        (None, Some(_)) => Asked::Call(&candidates),
        (None, None) => Asked::Anything,
    };
    let clear = destination.as_ref().filter(|to| !chassis.sends_secrets_to(to));
    let unknown_op = builds.as_ref().is_some_and(Vec::is_empty);
    let mut answer = Answer {
        name: ask.name.clone(),
        stack: ask.stack.clone(),
        purpose: ask.purpose.clone(),
        allowed: false,
        code: "ok",
        why: String::new(),
        found_in: None,
        version_no: None,
        has_policy: false,
    };
    match vault.explain(&caller, &name, &asked) {
        Ok(explained) => {
            answer.found_in = Some(explained.stack);
            answer.version_no = Some(explained.version_no);
            answer.has_policy = explained.has_policy;
            let free = if explained.has_policy {
                "its policy allows it"
            } else {
                "it has no policy: any host, any op"
            };
            (answer.allowed, answer.why) = match &explained.verdict {
                _ if unknown_op => (false, format!("there is no op {operand}")),
                Verdict::Spliced if clear.is_some() => {
                    (false, format!("no secret is sent to {operand} over plain http; use https"))
                }
                Verdict::Spliced => (true, format!("it may be sent there ({free})")),
                Verdict::Shown(op) => (true, format!("{op} is shown it ({free})")),
                Verdict::Used(op) => (true, format!("{op} computes with it and does not see it ({free})")),
                Verdict::There => (true, "it is there and in use".to_owned()),
                Verdict::Denied(denied) => (false, denied.to_string()),
            };
            if !answer.allowed {
                answer.code = match explained.verdict {
                    _ if unknown_op => "op_unknown",
                    Verdict::Spliced => Fault::SecretOverCleartext.code(),
                    Verdict::Shown(_) | Verdict::Used(_) | Verdict::There | Verdict::Denied(_) => {
                        "secret_denied"
                    }
                };
            }
        }
        Err(vault::Error::Store(error)) => return Err(AdminError::Store(error)),
        Err(error) => {
            let failure = error.failure();
            (answer.code, answer.why) = (failure.fault.code(), failure.detail);
        }
    }
    Ok(answer)
}

/// One build of an op, as far as policies ask.
struct Build {
    op: OpRef,
    origin: Origin,
    reveals: bool,
    keys: bool,
    loosest: Class,
}

impl Build {
    fn of(name: &OpName, origin: Origin, component: &[u8]) -> Option<Self> {
        let facts = Facts::read(component).ok()?;
        Some(Self {
            op: OpRef { name: name.clone(), digest: facts.digest },
            origin,
            reveals: facts.reveals(),
            keys: facts.uses_keys(),
            loosest: facts.manifest.loosest(),
        })
    }

    fn candidate(&self) -> (OpRef, Origin, Wants<'_>) {
        let wants = Wants {
            reveal: self.reveals,
            keys: self.keys,
            accepts_retiring: &|_| false,
            loosest: self.loosest,
            partly: false,
        };
        (self.op.clone(), self.origin, wants)
    }
}

/// The builds of the op that an operand names, the one that is shown secrets first; none when
/// there is no such op, and nothing when it names no op.
fn builds(store: &Store, tenant: &TenantId, operand: &str) -> Result<Option<Vec<Build>>, AdminError> {
    let mut found = if let Some(rest) = operand.strip_prefix("txco://") {
        let Ok(name) = OpName::parse(rest.split('/').next().unwrap_or_default()) else {
            return Ok(Some(Vec::new()));
        };
        if name.as_str() == "noop" {
            return Ok(None);
        }
        let builtins = sandbox::builtins().unwrap_or_default();
        let mine = builtins.iter().filter(|one| one.name == name);
        mine.filter_map(|one| Build::of(&name, Origin::Builtin, one.wasm)).collect::<Vec<_>>()
    } else if let Some(rest) = operand.strip_prefix("op://") {
        let Ok(name) = OpName::parse(rest) else { return Ok(Some(Vec::new())) };
        let mut found = Vec::new();
        for build in store.op(tenant, &name)?.map(|op| op.builds).unwrap_or_default() {
            let component = store.component(tenant, &build.digest)?.unwrap_or_default();
            found.extend(Build::of(&name, Origin::Tenant, &component));
        }
        found
    } else {
        return Ok(None);
    };
    found.sort_by_key(|build| !build.reveals);
    Ok(Some(found))
}
