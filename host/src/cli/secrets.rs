//! `txco auth tenant secrets …`: the operator's verbs, over the admin API.

mod terms;
mod named;
mod show;
mod versions;
mod policy;
mod flags;
mod dotenv;
mod import;

use std::process::ExitCode;

use model::SecretName;
use serde_json::{Value, json};

use super::client::{self, Reply};
use super::output::{Complaint, Console};
use super::target::{Agreed, Carries, Target};
use super::value;

pub(crate) use flags::Verb;
use named::{Common, Named};

/// What a verb works on.
struct Place {
    target: Target,
    tenant: String,
    json: bool,
}

/// Runs a verb.
pub(super) fn run(verb: Verb, console: &mut Console<'_>) -> ExitCode {
    let word = verb.word();
    let json = verb.json();
    let result = match verb {
        Verb::Set(flags) => set(&flags, console),
        Verb::Generate(flags) => generate(&flags, console),
        Verb::Rotate(flags) => rotate(&flags, console),
        Verb::List(flags) => list(&flags, console),
        Verb::Show(flags) => show(&flags, console),
        Verb::Describe(flags) => describe(&flags, console),
        Verb::Revoke(flags) => revoke(&flags, console),
        Verb::Import(flags) => import::run(&flags, console),
        Verb::Versions(flags) => versions::versions(&flags, console),
        Verb::Rollback(flags) => versions::rollback(&flags, console),
        Verb::Prune(flags) => versions::prune(&flags, console),
        Verb::Destroy(flags) => versions::destroy(&flags, console),
        Verb::Policy(flags) => policy::policy(&flags, console),
        Verb::Explain(flags) => policy::explain(&flags, console),
        Verb::Unknown(_) => Ok(()),
    };
    console.end(json, result.map_err(|complaint| complaint.of(&format!("auth tenant secrets {word}"))))
}

fn set(flags: &flags::Set, console: &mut Console<'_>) -> Result<(), Complaint> {
    let (place, name) = Place::named(&flags.named, console)?;
    place.target.may_change(console, place.agreed(flags.yes), Carries::Value)?;
    let value = value::read(console, name.as_str(), flags.from_file.as_deref())?;
    let mut body = json!({});
    value::put(&mut body, &value);
    put(&mut body, "description", flags.description.as_deref());
    put(&mut body, "stack", flags.named.stack.as_deref());
    flags.version.put(&mut body);
    flags.policy.put(&mut body);
    drop(value);
    let reply = place.call("PUT", &format!("/{name}"), "", Some(&body))?;
    let text = if reply.status == 201 {
        format!("created {name} (v{}) in tenant {:?}", version(&reply), place.tenant)
    } else {
        place.rotated(&name, &reply)
    };
    place.done(console, &reply, &text)
}

fn generate(flags: &flags::Generate, console: &mut Console<'_>) -> Result<(), Complaint> {
    let (place, name) = Place::named(&flags.named, console)?;
    place.target.may_change(console, place.agreed(flags.yes), Carries::Value)?;
    let mut body = json!({ "name": name.as_str(), "byte_len": flags.byte_len });
    put(&mut body, "description", flags.description.as_deref());
    put(&mut body, "stack", flags.named.stack.as_deref());
    flags.version.put(&mut body);
    flags.policy.put(&mut body);
    let reply = place.call("POST", "/generate", "", Some(&body))?;
    let note = format!(
        "generated {name} (v{}) in tenant {:?}. The value above is shown ONCE — rotate to see again.",
        version(&reply),
        place.tenant
    );
    place.reveal_once(console, &reply, &note)
}

fn rotate(flags: &flags::Rotate, console: &mut Console<'_>) -> Result<(), Complaint> {
    let (place, name) = Place::named(&flags.named, console)?;
    if !flags.generate && flags.byte_len.is_some() {
        return Err(Complaint::usage("--byte-len goes with --generate"));
    }
    if flags.generate && flags.from_file.is_some() {
        return Err(Complaint::usage("--from-file does not go with --generate"));
    }
    place.target.may_change(console, place.agreed(flags.yes), Carries::Value)?;
    let stack = stack_query(flags.named.stack.as_deref());
    if flags.generate {
        let mut body = flags.byte_len.map_or_else(|| json!({}), |n| json!({ "byte_len": n }));
        put(&mut body, "overlap", flags.overlap.as_deref());
        flags.version.put(&mut body);
        let path = format!("/{name}/rotate-generated");
        let reply = place.call("POST", &path, &stack, Some(&body))?;
        let note = format!("{}. The value above is shown ONCE.", place.rotated(&name, &reply));
        return place.reveal_once(console, &reply, &note);
    }
    let value = value::read(console, name.as_str(), flags.from_file.as_deref())?;
    let mut body = json!({});
    value::put(&mut body, &value);
    put(&mut body, "overlap", flags.overlap.as_deref());
    flags.version.put(&mut body);
    drop(value);
    let reply = place.call("POST", &format!("/{name}/rotate"), &stack, Some(&body))?;
    let text = place.rotated(&name, &reply);
    place.done(console, &reply, &text)
}

fn list(flags: &flags::List, console: &mut Console<'_>) -> Result<(), Complaint> {
    let place = Place::of(&flags.common, None, console)?;
    place.target.may_read()?;
    let reply = place.call("GET", "", "", None)?;
    let text = show::table_of(&reply.body, &place.tenant);
    place.done(console, &reply, &text)
}

fn show(flags: &flags::Show, console: &mut Console<'_>) -> Result<(), Complaint> {
    let (place, name) = Place::named(&flags.named, console)?;
    place.target.may_read()?;
    let reply = place.call("GET", &format!("/{name}"), &stack_query(flags.named.stack.as_deref()), None)?;
    let text = show::lines_of(&reply.body);
    place.done(console, &reply, &text)
}

fn describe(flags: &flags::Describe, console: &mut Console<'_>) -> Result<(), Complaint> {
    let (place, name) = Place::named(&flags.named, console)?;
    let Some(description) = &flags.set else {
        return Err(Complaint::usage("--set is required (--set \"\" clears the description)"));
    };
    place.target.may_change(console, place.agreed(flags.yes), Carries::Metadata)?;
    let stack = stack_query(flags.named.stack.as_deref());
    let body = json!({ "description": description });
    let reply = place.call("PATCH", &format!("/{name}"), &stack, Some(&body))?;
    place.done(console, &reply, &format!("updated {name} description: {description:?}"))
}

fn revoke(flags: &flags::Revoke, console: &mut Console<'_>) -> Result<(), Complaint> {
    let (place, name) = Place::named(&flags.named, console)?;
    place.target.may_change(console, place.agreed(flags.yes), Carries::Metadata)?;
    let mut reply =
        place.call("DELETE", &format!("/{name}"), &stack_query(flags.named.stack.as_deref()), None)?;
    reply.body = json!({ "revoked": name.as_str(), "tenant": place.tenant });
    let text = format!("revoked {name} from tenant {:?} (name freed for re-creation)", place.tenant);
    place.done(console, &reply, &text)
}

impl Place {
    fn of(common: &Common, positional: Option<&str>, console: &Console<'_>) -> Result<Self, Complaint> {
        let target = Target::choose(&common.tenant.chassis, positional, console.environment)?;
        Ok(Self { target, tenant: common.tenant.slug(console.environment), json: common.json })
    }

    /// The place and the name; the name is checked here, before anything is typed for it.
    fn named(named: &Named, console: &Console<'_>) -> Result<(Self, SecretName), Complaint> {
        let name = named.name.as_deref().ok_or_else(|| Complaint::usage("NAME is required"))?;
        let name = SecretName::parse(name).map_err(|e| Complaint::failed(e.to_string()))?;
        Ok((Self::of(&named.common, named.target.as_deref(), console)?, name))
    }

    fn agreed(&self, yes: bool) -> Agreed {
        Agreed::of(yes, self.json)
    }

    fn call(&self, method: &str, path: &str, query: &str, body: Option<&Value>) -> Result<Reply, Complaint> {
        let path = format!("/v1/tenants/{}/secrets{path}{query}", client::encoded(&self.tenant));
        client::call(&self.target, method, &path, body)
    }

    /// A call beside the secrets of the tenant.
    fn beside(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Reply, Complaint> {
        let path = format!("/v1/tenants/{}{path}", client::encoded(&self.tenant));
        client::call(&self.target, method, &path, body)
    }

    fn rotated(&self, name: &SecretName, reply: &Reply) -> String {
        format!("rotated {name} → v{} in tenant {:?}", version(reply), self.tenant)
    }

    /// Prints the result: the text for people, or the reply for machines.
    fn done(&self, console: &mut Console<'_>, reply: &Reply, text: &str) -> Result<(), Complaint> {
        if self.json { console.print(&reply.body.to_string()) } else { console.print(text) }
    }

    /// Prints a minted value, the one time there is.
    fn reveal_once(&self, console: &mut Console<'_>, reply: &Reply, note: &str) -> Result<(), Complaint> {
        let lost = |c: Complaint| {
            Complaint::failed(format!("{}; the value is lost: rotate --generate for another", c.message))
        };
        if self.json {
            return console.print(&reply.body.to_string()).map_err(lost);
        }
        let value = reply.body.get("value").and_then(Value::as_str).unwrap_or_default();
        console.print(value).map_err(lost)?;
        console.note(note);
        Ok(())
    }
}

fn put(body: &mut Value, member: &str, text: Option<&str>) {
    if let (Value::Object(members), Some(text)) = (body, text) {
        members.insert(member.to_owned(), text.into());
    }
}

fn stack_query(stack: Option<&str>) -> String {
    stack.filter(|s| !s.is_empty()).map(|s| format!("?stack={}", client::encoded(s))).unwrap_or_default()
}

fn version(reply: &Reply) -> u64 {
    reply.body.pointer("/secret/version_no").and_then(Value::as_u64).unwrap_or_default()
}

#[cfg(test)]
mod tests;
