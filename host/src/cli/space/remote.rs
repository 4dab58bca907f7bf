//! What a chassis has of a tenant's stacks, and how it is changed.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use store::StackFile;

use super::patience::{Patience, Twice};
use crate::cli::client::{self, Refusal, Reply};
use crate::cli::output::{Complaint, Console};
use crate::cli::target::Target;

/// The stacks of a tenant at a chassis.
pub(super) struct Remote<'a> {
    pub(super) target: &'a Target,
    pub(super) tenant: &'a str,
    pub(super) patience: Patience,
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
    pub(super) fn active(&self, console: &mut Console<'_>) -> Result<BTreeMap<String, Active>, Complaint> {
        let reply = self.call("GET", "stacks", None, console)?;
        let all = list(&reply.body, "stacks").map(|stack| {
            let version = stack.get("active_version").and_then(Value::as_u64);
            let manifest = text(stack, "manifest_hash").to_owned();
            (text(stack, "name").to_owned(), Active { version, manifest })
        });
        Ok(all.collect())
    }

    /// The versions of a stack, newest first.
    pub(super) fn versions(&self, stack: &str, console: &mut Console<'_>) -> Result<Vec<Value>, Complaint> {
        let reply =
            self.call("GET", &format!("stacks/{}/versions", client::encoded(stack)), None, console)?;
        Ok(list(&reply.body, "versions").cloned().collect())
    }

    /// The files of a version.
    pub(super) fn files(
        &self,
        stack: &str,
        version: u64,
        console: &mut Console<'_>,
    ) -> Result<Vec<StackFile>, Complaint> {
        let stack = client::encoded(stack);
        let reply =
            self.call("GET", &format!("stacks/{stack}/versions/{version}?include=content"), None, console)?;
        let file = |file: &Value| StackFile {
            path: text(file, "path").to_owned(),
            content: text(file, "content").to_owned(),
        };
        Ok(list(&reply.body, "files").map(file).collect())
    }

    /// What a version is pinned to: name, delivery and digest.
    pub(super) fn pins(
        &self,
        stack: &str,
        version: u64,
        console: &mut Console<'_>,
    ) -> Result<Vec<[String; 3]>, Complaint> {
        let stack = client::encoded(stack);
        let reply =
            self.call("GET", &format!("stacks/{stack}/versions/{version}?include=ops"), None, console)?;
        let pin = |pin: &Value| ["name", "delivery", "digest"].map(|member| text(pin, member).to_owned());
        Ok(list(&reply.body, "ops").map(pin).collect())
    }

    /// The ops of the tenant: name, delivery and digest of each component.
    pub(super) fn ops(&self, console: &mut Console<'_>) -> Result<Vec<[String; 3]>, Complaint> {
        let reply = self.call("GET", "ops", None, console)?;
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
    pub(super) fn upload(
        &self,
        stack: &str,
        files: &[StackFile],
        console: &mut Console<'_>,
    ) -> Result<(u64, String), Complaint> {
        let at = format!("stacks/{}", client::encoded(stack));
        let begun = self.call("POST", &format!("{at}/draft"), Some(&json!({})), console)?;
        let number = begun.body.get("version_number").and_then(Value::as_u64).unwrap_or_default();
        let files: Vec<_> = files
            .iter()
            .map(|file| {
                let hash = file.digest().to_string();
                json!({ "path": file.path, "content": file.content, "content_hash": hash })
            })
            .collect();
        let body = json!({ "files": files, "manage": "code" });
        let put = self.call("PUT", &format!("{at}/versions/{number}/files"), Some(&body), console)?;
        Ok((number, text(&put.body, "manifest_hash").to_owned()))
    }

    /// What its activation would find wrong with a version.
    pub(super) fn validate(
        &self,
        stack: &str,
        number: u64,
        console: &mut Console<'_>,
    ) -> Result<Value, Complaint> {
        let rest = format!("stacks/{}/versions/{number}/validate", client::encoded(stack));
        Ok(self.call("POST", &rest, None, console)?.body)
    }

    /// Makes a version active, if it and what is active are what was looked at.
    pub(super) fn activate(
        &self,
        stack: &str,
        number: u64,
        manifest: &str,
        before: &Active,
        console: &mut Console<'_>,
    ) -> Result<Result<Value, Refusal>, Complaint> {
        let rest = format!("stacks/{}/activate", client::encoded(stack));
        let body = json!({
            "version_number": number,
            "manifest_hash": manifest,
            "active_manifest_hash": before.manifest,
        });
        let answer = self.ask("POST", &rest, Some(&body), Twice::Same, console)?;
        // A try whose reply was lost may have done it.
        if matches!(&answer, Err(refusal) if refusal.code == "active_changed")
            && self.active(console)?.get(stack).and_then(|active| active.version) == Some(number)
            && before.version != Some(number)
        {
            let told = json!({ "version_number": number, "prior_version_number": before.version });
            return Ok(Ok(told));
        }
        Ok(answer.map(|reply| reply.body))
    }

    /// One request below the tenant.
    pub(super) fn call(
        &self,
        method: &str,
        rest: &str,
        body: Option<&Value>,
        console: &mut Console<'_>,
    ) -> Result<Reply, Complaint> {
        // Whatever is put or asked for is the same the second time; a second draft is another.
        let twice = if method == "POST" { Twice::Other } else { Twice::Same };
        let answer = self.ask(method, rest, body, twice, console)?;
        answer.map_err(|refusal| client::explained(self.target, refusal))
    }

    fn ask(
        &self,
        method: &str,
        rest: &str,
        body: Option<&Value>,
        twice: Twice,
        console: &mut Console<'_>,
    ) -> Result<Result<Reply, Refusal>, Complaint> {
        let path = self.path(rest);
        self.patience.ask(twice, console, || client::attempt(self.target, method, &path, body, Vec::new()))
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
