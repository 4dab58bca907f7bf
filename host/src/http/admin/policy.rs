//! A secret's policy as the API shows it: what is not said is not restricted.

use model::{OpRule, Ops};
use schemars::JsonSchema;
use serde::Serialize;
use vault::PolicyRow;

/// A policy.
#[derive(Serialize, JsonSchema)]
pub(super) struct PolicyRecord {
    /// `splice`, `use`, `reveal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    purposes: Option<Vec<&'static str>>,
    /// `HOST`, `HOST:PORT` or `*.HOST`.
    #[serde(skip_serializing_if = "Option::is_none")]
    hosts: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ops: Option<OpsRecord>,
    /// Said when a later txco wrote a policy that this one cannot read: then nothing is allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown: Option<bool>,
}

/// Which ops.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
enum OpsRecord {
    /// `digest or credential`: every built-in op that gives one of these.
    Sealing(&'static str),
    /// These.
    Only(Vec<OpRecord>),
}

/// One op.
#[derive(Serialize, JsonSchema)]
struct OpRecord {
    /// `txco://NAME`, `op://NAME` or `op://NAME:CLASS`.
    op: String,
    /// What an op of the tenant may return: `data`, `digest` or `credential`.
    #[serde(skip_serializing_if = "Option::is_none")]
    returns: Option<&'static str>,
    /// The builds of an op of the tenant that are meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    digests: Option<Vec<String>>,
}

impl PolicyRecord {
    pub(super) fn of(row: &PolicyRow) -> Self {
        let Some(policy) = row.policy() else {
            return Self { purposes: None, hosts: None, ops: None, unknown: Some(true) };
        };
        Self {
            purposes: Some(policy.purposes().iter().map(|purpose| purpose.word()).collect()),
            hosts: policy.hosts().map(|hosts| hosts.iter().map(ToString::to_string).collect()),
            ops: match policy.ops() {
                Ops::Any => None,
                Ops::Sealing => Some(OpsRecord::Sealing("digest or credential")),
                Ops::Only(rules) => Some(OpsRecord::Only(rules.iter().map(OpRecord::of).collect())),
            },
            unknown: None,
        }
    }
}

impl OpRecord {
    fn of(rule: &OpRule) -> Self {
        match rule {
            OpRule::Builtin(name) => Self { op: format!("txco://{name}"), returns: None, digests: None },
            OpRule::Tenant { returns, digests, .. } => Self {
                op: rule.to_string(),
                returns: Some(returns.word()),
                digests: Some(digests.iter().map(ToString::to_string).collect()),
            },
        }
    }
}
