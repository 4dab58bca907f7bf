//! A policy as it is asked for, and what it comes to here and now: names of ops become digests.

use std::collections::BTreeSet;

use model::{Class, Digest, HostRule, OpName, OpRule, Policy, Purpose, TenantId};
use schemars::JsonSchema;
use serde::Deserialize;
use store::Store;
use vault::PolicyChange;

use super::error::AdminError;

/// A policy as it is asked for; with nothing in it, the policy is taken away.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Policy")]
pub(crate) struct PolicyAsked {
    /// `splice`, `use`, `reveal`.
    #[serde(default)]
    pub(crate) purposes: Vec<String>,
    /// `HOST`, `HOST:PORT` or `*.HOST`.
    #[serde(default)]
    pub(crate) hosts: Vec<String>,
    /// `txco://NAME`, `op://NAME` or `op://NAME:CLASS`.
    #[serde(default)]
    pub(crate) ops: Vec<String>,
}

impl PolicyAsked {
    /// What it comes to: an op of the tenant is allowed with the builds it has at this
    /// moment, and a later push does not inherit that (R20).
    ///
    /// # Errors
    /// [`AdminError::InvalidPolicy`] with the first word that is none, or an op that is not
    /// there; [`AdminError::Store`].
    pub(crate) fn resolved(&self, store: &Store, tenant: &TenantId) -> Result<PolicyChange, AdminError> {
        let purpose = |word: &String| {
            let wrong = || invalid(format!("purpose {word:?}: expected splice, use or reveal"));
            Purpose::parse(word).ok_or_else(wrong)
        };
        let host = |text: &String| HostRule::parse(text).map_err(|why| invalid(format!("host {why}")));
        let purposes = self.purposes.iter().map(purpose).collect::<Result<BTreeSet<_>, _>>()?;
        let hosts = self.hosts.iter().map(host).collect::<Result<BTreeSet<_>, _>>()?;
        let ops =
            self.ops.iter().map(|text| op_rule(text, store, tenant)).collect::<Result<BTreeSet<_>, _>>()?;
        Ok(Policy::asked(purposes, hosts, ops).map_or(PolicyChange::Lift, PolicyChange::Put))
    }
}

fn op_rule(text: &str, store: &Store, tenant: &TenantId) -> Result<OpRule, AdminError> {
    let wrong = |why: &str| invalid(format!("op {text:?}: {why}"));
    let name = |name: &str| OpName::parse(name).map_err(|error| wrong(error.rule));
    if let Some(builtin) = text.strip_prefix("txco://") {
        let builtin = name(builtin)?;
        let known = sandbox::builtins().unwrap_or_default();
        if !known.iter().any(|one| one.name == builtin) {
            return Err(wrong("this txco has no such built-in op"));
        }
        return Ok(OpRule::Builtin(builtin));
    }
    let Some(rest) = text.strip_prefix("op://") else {
        return Err(wrong("expected txco://NAME, op://NAME or op://NAME:digest"));
    };
    let (op, returns) = match rest.split_once(':') {
        None => (name(rest)?, Class::Credential),
        Some((op, class)) => {
            let class = Class::parse(class)
                .ok_or_else(|| wrong("what it may return is credential, digest or data"))?;
            (name(op)?, class)
        }
    };
    let stored = store.op(tenant, &op)?.ok_or_else(|| wrong("the tenant has no such op; push it first"))?;
    let digests: BTreeSet<Digest> = stored.builds.iter().map(|build| build.digest).collect();
    Ok(OpRule::Tenant { name: op, returns, digests })
}

fn invalid(why: String) -> AdminError {
    AdminError::InvalidPolicy(why)
}

#[cfg(test)]
mod tests {
    use store::Options;

    use super::*;

    fn said(purposes: &[&str], hosts: &[&str], ops: &[&str]) -> Result<PolicyChange, String> {
        let owned = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect();
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(folder.path(), "dev", Options::default()).unwrap();
        let asked = PolicyAsked { purposes: owned(purposes), hosts: owned(hosts), ops: owned(ops) };
        asked.resolved(&store, &TenantId::parse("tnt_default").unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_takes_the_policy_away_and_something_makes_one() {
        assert_eq!(said(&[], &[], &[]), Ok(PolicyChange::Lift));
        assert!(matches!(said(&["use"], &[], &["txco://hmac-sign"]), Ok(PolicyChange::Put(_))));
    }

    #[test]
    fn a_word_that_is_none_is_told() {
        for (purposes, hosts, ops, told) in [
            (&["show"][..], &[][..], &[][..], "purpose \"show\": expected splice, use or reveal"),
            (&[], &["https://a.example"], &[], "host \"https://a.example\": expected HOST"),
            (&[], &[], &["hmac-sign"], "op \"hmac-sign\": expected txco://NAME"),
            (&[], &[], &["txco://hmac-sing"], "this txco has no such built-in op"),
            (&[], &[], &["op://mine"], "the tenant has no such op; push it first"),
            (&[], &[], &["op://mine:all"], "what it may return is credential, digest or data"),
        ] {
            let error = said(purposes, hosts, ops).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }
}
