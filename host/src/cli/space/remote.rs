//! What a chassis has of a tenant's stacks, and how it is changed.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use store::StackFile;

use crate::cli::client::{self, Refusal, Reply};
use crate::cli::output::Complaint;
use crate::cli::target::Target;

/// The stacks of a tenant at a chassis.
pub(super) struct Remote<'a> {
    pub(super) target: &'a Target,
    pub(super) tenant: &'a str,
}

/// What is active of a stack.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Active {
    /// The version; none when nothing is active.
    pub(super) version: Option<u64>,
    /// Its manifest; empty when nothing is active.
    pub(super) manifest: String,
}

impl Remote<'_> {
    /// What is active, by stack.
    pub(super) fn active(&self) -> Result<BTreeMap<String, Active>, Complaint> {
        let reply = self.call("GET", "stacks", None)?;
        let all = list(&reply.body, "stacks").map(|stack| {
            let version = stack.get("active_version").and_then(Value::as_u64);
            let manifest = text(stack, "manifest_hash").to_owned();
            (text(stack, "name").to_owned(), Active { version, manifest })
        });
        Ok(all.collect())
    }

    /// The versions of a stack, newest first.
    pub(super) fn versions(&self, stack: &str) -> Result<Vec<Value>, Complaint> {
        let reply = self.call("GET", &format!("stacks/{}/versions", client::encoded(stack)), None)?;
        Ok(list(&reply.body, "versions").cloned().collect())
    }

    /// The files of a version.
    pub(super) fn files(&self, stack: &str, version: u64) -> Result<Vec<StackFile>, Complaint> {
        let stack = client::encoded(stack);
        let reply = self.call("GET", &format!("stacks/{stack}/versions/{version}?include=content"), None)?;
        let file = |file: &Value| StackFile {
            path: text(file, "path").to_owned(),
            content: text(file, "content").to_owned(),
        };
        Ok(list(&reply.body, "files").map(file).collect())
    }

    /// What a version is pinned to: name, delivery and digest.
    pub(super) fn pins(&self, stack: &str, version: u64) -> Result<Vec<[String; 3]>, Complaint> {
        let stack = client::encoded(stack);
        let reply = self.call("GET", &format!("stacks/{stack}/versions/{version}?include=ops"), None)?;
        let pin = |pin: &Value| ["name", "delivery", "digest"].map(|member| text(pin, member).to_owned());
        Ok(list(&reply.body, "ops").map(pin).collect())
    }

    /// The ops of the tenant: name, delivery and digest of each component.
    pub(super) fn ops(&self) -> Result<Vec<[String; 3]>, Complaint> {
        let reply = self.call("GET", "ops", None)?;
        let builds = |op: &Value| {
            let name = text(op, "name").to_owned();
            let build = move |build: &Value| {
                [name.clone(), text(build, "delivery").to_owned(), text(build, "digest").to_owned()]
            };
            list(op, "builds").map(build).collect::<Vec<_>>()
        };
        Ok(list(&reply.body, "ops").flat_map(builds).collect())
    }

    /// Begins a version and fills it: its number and manifest.
    pub(super) fn upload(&self, stack: &str, files: &[StackFile]) -> Result<(u64, String), Complaint> {
        let at = format!("stacks/{}", client::encoded(stack));
        let begun = self.call("POST", &format!("{at}/draft"), Some(&json!({})))?;
        let number = begun.body.get("version_number").and_then(Value::as_u64).unwrap_or_default();
        let files: Vec<_> = files
            .iter()
            .map(|file| {
                let hash = file.digest().to_string();
                json!({ "path": file.path, "content": file.content, "content_hash": hash })
            })
            .collect();
        let body = json!({ "files": files, "manage": "code" });
        let put = self.call("PUT", &format!("{at}/versions/{number}/files"), Some(&body))?;
        Ok((number, text(&put.body, "manifest_hash").to_owned()))
    }

    /// Makes a version active, if it and what is active are what was looked at.
    pub(super) fn activate(
        &self,
        stack: &str,
        number: u64,
        manifest: &str,
        before: &Active,
    ) -> Result<Result<Value, Refusal>, Complaint> {
        let path = self.path(&format!("stacks/{}/activate", client::encoded(stack)));
        let body = json!({
            "version_number": number,
            "manifest_hash": manifest,
            "active_manifest_hash": before.manifest,
        });
        let answer = client::ask(self.target, "POST", &path, Some(&body), Vec::new())?;
        Ok(answer.map(|reply| reply.body))
    }

    /// One request below the tenant.
    pub(super) fn call(&self, method: &str, rest: &str, body: Option<&Value>) -> Result<Reply, Complaint> {
        client::call(self.target, method, &self.path(rest), body)
    }

    fn path(&self, rest: &str) -> String {
        format!("/v1/tenants/{}/{rest}", client::encoded(self.tenant))
    }
}

/// A member that is a list.
pub(super) fn list<'v>(value: &'v Value, member: &str) -> impl Iterator<Item = &'v Value> + use<'v> {
    value.get(member).and_then(Value::as_array).into_iter().flatten()
}

/// A member that is a text; empty when there is none.
pub(super) fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value.get(member).and_then(Value::as_str).unwrap_or_default()
}
