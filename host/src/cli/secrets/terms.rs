//! What is said of a value beside it, and of a secret's use: flags, and the JSON they become.

use serde_json::{Map, Value, json};

/// What a secret may be used for. Without any of these: anything, in its tenant.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Policy")]
pub(crate) struct PolicyFlags {
    /// Allow this way of using it, and no other: splice (into requests), use (ops compute with it and do not see it), reveal (ops see it)
    #[arg(long, value_name = "PURPOSE")]
    pub(super) purpose: Vec<String>,
    /// The same as --purpose use: it is never shown and never sent
    #[arg(long)]
    pub(super) use_only: bool,
    /// Allow requests to this host, and no other; *.example.com is one more label; the port is 443 unless said
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(super) allow_host: Vec<String>,
    /// Allow this op, and no other: txco://NAME, or op://NAME with the bytes it has today (op://NAME:digest lets it return a digest)
    #[arg(long, value_name = "OP")]
    pub(super) allow_op: Vec<String>,
}

impl PolicyFlags {
    /// Whether any was given.
    pub(super) fn said(&self) -> bool {
        self.use_only || !(self.purpose.is_empty() && self.allow_host.is_empty() && self.allow_op.is_empty())
    }

    /// As the API takes it.
    pub(super) fn json(&self) -> Value {
        let mut purposes = self.purpose.clone();
        if self.use_only {
            purposes.push("use".to_owned());
        }
        json!({ "purposes": purposes, "hosts": self.allow_host, "ops": self.allow_op })
    }

    /// Puts it into a request, when any was given.
    pub(super) fn put(&self, body: &mut Value) {
        if self.said() {
            put(body, "policy", self.json());
        }
    }
}

/// What is said of a new version.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct VersionFlags {
    /// How ops read the value as a key: text, base64url, base64, hex, base32 or whsec [default: as the version before, or text]
    #[arg(long, value_name = "ENCODING")]
    pub(super) key_encoding: Option<String>,
    /// When the value expires: 90d, 2026-12-31 (its beginning, UTC) or a time of RFC 3339; using it fails then
    #[arg(long, value_name = "TIME")]
    pub(super) expires: Option<String>,
}

impl VersionFlags {
    /// Puts what was given into a request.
    pub(super) fn put(&self, body: &mut Value) {
        for (member, text) in [("key_encoding", &self.key_encoding), ("expires", &self.expires)] {
            if let Some(text) = text {
                put(body, member, text.as_str().into());
            }
        }
    }
}

fn put(body: &mut Value, member: &str, value: Value) {
    if let Value::Object(members) = body {
        members.insert(member.to_owned(), value);
    }
}

/// A policy as one line: what `list` and `show` print.
pub(super) fn policy_text(secret: &Value) -> String {
    let Some(policy) = secret.get("policy").and_then(Value::as_object) else { return "any host".to_owned() };
    if policy.get("unknown").is_some() {
        return "unknown to this version of txco: not usable".to_owned();
    }
    let texts = |member: &str| texts(policy, member);
    let mut parts = vec![texts("purposes").join("+")];
    let hosts = texts("hosts");
    if !hosts.is_empty() {
        parts.push(format!("hosts {}", hosts.join(", ")));
    } else if texts("purposes").iter().any(|purpose| purpose == "splice") {
        parts.push("any host".to_owned());
    }
    match policy.get("ops") {
        None => {}
        Some(Value::String(sealing)) => parts.push(format!("ops that return a {sealing}")),
        Some(ops) => {
            let names = ops.as_array().into_iter().flatten();
            let names: Vec<_> = names.filter_map(|op| op.get("op")?.as_str()).collect();
            parts.push(format!("ops {}", names.join(", ")));
        }
    }
    parts.join("; ")
}

fn texts(object: &Map<String, Value>, member: &str) -> Vec<String> {
    let all = object.get(member).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    all.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_one_line() {
        for (policy, text) in [
            (json!({}), "any host"),
            (json!({"policy": {"purposes": ["use"]}}), "use"),
            (json!({"policy": {"purposes": ["splice"]}}), "splice; any host"),
            (
                json!({"policy": {"purposes": ["splice", "use", "reveal"], "hosts": ["a.example"], "ops": "digest or credential"}}),
                "splice+use+reveal; hosts a.example; ops that return a digest or credential",
            ),
            (
                json!({"policy": {"purposes": ["use"], "ops": [{"op": "txco://hmac-sign"}]}}),
                "use; ops txco://hmac-sign",
            ),
        ] {
            assert_eq!(policy_text(&policy), text);
        }
    }
}
