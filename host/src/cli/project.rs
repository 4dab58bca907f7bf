//! `txco.yaml`: which chassis a workspace is applied to, by whom, and what is left out there.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use chassis::Operations;
use yaml_rust2::{Yaml, YamlLoader};

use super::output::Complaint;
use super::target::{ChassisFlags, Target, TenantFlags};
use crate::config::Environment;

/// The name of the file.
const FILE: &str = "txco.yaml";
/// The largest one.
const MAX_BYTES: u64 = 1 << 20;
/// What the Go chassis reads in it and this one does not.
const OF_GO: [&str; 7] = ["apps", "dev", "registry", "trust", "user", "pass", "mcp"];

/// Whether the mocks of a workspace go along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Mocks {
    /// They do.
    #[default]
    Allowed,
    /// They stay here.
    Denied,
}

/// Where a workspace is applied to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ProjectTarget {
    /// The admin address.
    pub(super) chassis: Option<String>,
    /// The profile that signs.
    pub(super) profile: Option<String>,
    /// The tenant.
    pub(super) tenant: Option<String>,
    /// What becomes of mocks.
    pub(super) mocks: Mocks,
    /// The addresses of ops by their names.
    operations: BTreeMap<String, String>,
}

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Project {
    /// The target when none is named.
    target: Option<String>,
    targets: BTreeMap<String, ProjectTarget>,
    operations: BTreeMap<String, String>,
    /// What is there and not read, each to be told once.
    pub(super) unread: Vec<String>,
}

/// Where a command goes, and in whose name.
pub(super) struct Chosen {
    pub(super) target: Target,
    pub(super) tenant: String,
    pub(super) mocks: Mocks,
    pub(super) operations: Operations,
}

impl Project {
    /// Reads the file of `workspace`; one that is not there says nothing.
    ///
    /// # Errors
    /// [`Complaint`] with the place and what is wrong there.
    pub(super) fn read(workspace: &Path) -> Result<Self, Complaint> {
        let path = workspace.join(FILE);
        let failed = |why: String| Complaint::failed(format!("{}: {why}", path.display()));
        match fs::metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(failed(error.to_string())),
            Ok(facts) if facts.len() > MAX_BYTES => return Err(failed("is larger than 1 MiB".to_owned())),
            Ok(_) => {}
        }
        let text = fs::read_to_string(&path).map_err(|error| failed(error.to_string()))?;
        Self::parse(&text).map_err(failed)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let documents = YamlLoader::load_from_str(text).map_err(|error| error.to_string())?;
        let mut project = Self::default();
        let members = match documents.as_slice() {
            [] | [Yaml::Null] => return Ok(project),
            [Yaml::Hash(members)] => members,
            _ => return Err("expected one document of names and values".to_owned()),
        };
        for (name, value) in members {
            match named(name)? {
                // A name for people; rules say themselves which stack they are of.
                "stack" => drop(text_of("stack", value)?),
                "target" => project.target = Some(text_of("target", value)?),
                "addr" => project.unread.push("addr (name a target with chassis: instead)".to_owned()),
                "targets" => {
                    for (name, value) in hash(value, "targets")? {
                        let name = named(name)?;
                        let target = project.target_of(name, value)?;
                        project.targets.insert(name.to_owned(), target);
                    }
                }
                "operations" => project.operations = project.addresses("operations", value)?,
                name if OF_GO.contains(&name) => project.unread.push(name.to_owned()),
                name => {
                    return Err(format!(
                        "{name} is not known here; there are target, targets, operations and stack"
                    ));
                }
            }
        }
        match &project.target {
            Some(target) if !project.targets.contains_key(target) => {
                Err(format!("target: there is no {target} below targets"))
            }
            _ => Ok(project),
        }
    }

    fn target_of(&mut self, name: &str, value: &Yaml) -> Result<ProjectTarget, String> {
        let mut target = ProjectTarget::default();
        for (member, value) in hash(value, &format!("targets.{name}"))? {
            let member = named(member)?;
            let place = format!("targets.{name}.{member}");
            match member {
                "chassis" => target.chassis = Some(text_of(&place, value)?),
                "profile" => target.profile = Some(text_of(&place, value)?),
                "tenant" => target.tenant = Some(text_of(&place, value)?),
                "mock" => {
                    target.mocks = match text_of(&place, value)?.as_str() {
                        "allow" => Mocks::Allowed,
                        "deny" => Mocks::Denied,
                        _ => return Err(format!("{place}: expected allow or deny")),
                    }
                }
                // A password in a file of the workspace ends in its repository.
                "user" | "pass" => {
                    self.unread
                        .push(format!("{place} (use a profile, or TXCO_ADMIN_USER and TXCO_ADMIN_PASS)"));
                }
                "operations" => target.operations = self.addresses(&place, value)?,
                member if OF_GO.contains(&member) => self.unread.push(place),
                _ => {
                    return Err(format!(
                        "{place} is not known here; there are chassis, profile, tenant, mock and operations"
                    ));
                }
            }
        }
        Ok(target)
    }

    /// `NAME: { url: ADDRESS }`.
    fn addresses(&mut self, place: &str, value: &Yaml) -> Result<BTreeMap<String, String>, String> {
        let mut addresses = BTreeMap::new();
        for (name, value) in hash(value, place)? {
            let name = named(name)?;
            for (member, value) in hash(value, &format!("{place}.{name}"))? {
                let place = format!("{place}.{name}.{}", named(member)?);
                if named(member)? != "url" {
                    self.unread.push(place);
                    continue;
                }
                let url = text_of(&place, value)?;
                Operations::default().add(name, &url).map_err(|why| format!("{place}: {why}"))?;
                addresses.insert(name.to_owned(), url);
            }
        }
        Ok(addresses)
    }

    /// Which names of ops stand for addresses where no target is named.
    pub(super) fn operations(&self) -> Operations {
        let target = self.target.as_ref().and_then(|name| self.targets.get(name));
        target.map_or_else(
            || self.operations_of(&ProjectTarget::default()),
            |target| self.operations_of(target),
        )
    }

    /// What a target says counts before what is said for all.
    fn operations_of(&self, target: &ProjectTarget) -> Operations {
        let mut all = Operations::default();
        for (name, url) in self.operations.iter().chain(&target.operations) {
            // Each was looked at when it was read.
            let _sound = all.add(name, url);
        }
        all
    }

    /// The chassis, profile and tenant of a command: flags win over the environment, that over
    /// the target that is named or chosen here, that over the profile.
    ///
    /// # Errors
    /// [`Complaint`]: no such target or profile, no address.
    pub(super) fn choose(
        &self,
        flags: &TenantFlags,
        environment: &dyn Environment,
    ) -> Result<Chosen, Complaint> {
        let asked = flags.chassis.target.as_deref().filter(|text| !text.contains(':'));
        let of_file = asked.and_then(|name| self.targets.get(name));
        let selected = of_file.or_else(|| {
            let default = self.target.as_ref().filter(|_| asked.is_none());
            default.and_then(|name| self.targets.get(name))
        });
        let selected = selected.cloned().unwrap_or_default();
        let unless = |variable: &str, text: &Option<String>| {
            text.clone().filter(|_| environment.variable(variable).is_none())
        };
        let ChassisFlags { url, target, profile } = &flags.chassis;
        // A name that the file knows is no name of a profile.
        let target = target.clone().filter(|_| of_file.is_none());
        let elsewhere = target.as_deref().is_some_and(|text| text.contains(':'));
        let url = url.clone().or_else(|| unless("TXCO_ADMIN_ADDR", &selected.chassis).filter(|_| !elsewhere));
        let profile = profile.clone().or_else(|| {
            unless("TXCO_PROFILE", &selected.profile)
                .filter(|_| target.as_deref().is_none_or(|t| t.contains(':')))
        });
        let chassis = ChassisFlags { url, target, profile };
        let tenant = flags.tenant.clone().or_else(|| unless("TXCO_TENANT", &selected.tenant));
        let flags = TenantFlags { chassis, tenant };
        let unknown = asked.filter(|_| of_file.is_none() && flags.chassis.profile.is_none());
        let target =
            Target::choose(&flags.chassis, None, environment).map_err(|complaint| match unknown {
                Some(name) if complaint.code == 2 => {
                    let there: Vec<_> = self.targets.keys().map(String::as_str).collect();
                    let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
                    Complaint::failed(format!("there is no target or profile {name:?} ({FILE} has {there})"))
                }
                _ => complaint,
            })?;
        let (tenant, operations) = (flags.slug(environment), self.operations_of(&selected));
        Ok(Chosen { target, tenant, mocks: selected.mocks, operations })
    }
}

fn named(name: &Yaml) -> Result<&str, String> {
    name.as_str().ok_or_else(|| "a name is no text".to_owned())
}

fn text_of(place: &str, value: &Yaml) -> Result<String, String> {
    let text = value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    text.ok_or_else(|| format!("{place}: expected a text"))
}

fn hash<'y>(value: &'y Yaml, place: &str) -> Result<&'y yaml_rust2::yaml::Hash, String> {
    value.as_hash().ok_or_else(|| format!("{place}: expected names and values"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
target: staging
targets:
  staging:
    chassis: http://localhost:9001
    tenant: acme
  production:
    chassis: https://admin.example:8081
    mock: deny
apps: { web: { path: . } }
";

    fn chosen(
        text: &str,
        target: Option<&str>,
        env: &[(&'static str, &'static str)],
    ) -> (String, String, Mocks) {
        let project = Project::parse(text).unwrap();
        let env: BTreeMap<&str, &str> = env.iter().copied().collect();
        let chassis = ChassisFlags { target: target.map(str::to_owned), ..ChassisFlags::default() };
        let chosen = project.choose(&TenantFlags { chassis, tenant: None }, &env).unwrap();
        (chosen.target.url, chosen.tenant, chosen.mocks)
    }

    #[test]
    fn a_command_goes_to_the_target_that_is_named_or_chosen() {
        let of = |url: &str, tenant: &str, mocks| (url.to_owned(), tenant.to_owned(), mocks);
        let staging = of("http://localhost:9001", "acme", Mocks::Allowed);
        assert_eq!(chosen(TEXT, None, &[]), staging);
        let production = of("https://admin.example:8081", "default", Mocks::Denied);
        assert_eq!(chosen(TEXT, Some("production"), &[]), production);
        let elsewhere = chosen(TEXT, Some("http://localhost:1"), &[]);
        assert_eq!(elsewhere.0, "http://localhost:1");
        let by_variable = chosen(TEXT, None, &[("TXCO_ADMIN_ADDR", "localhost:2"), ("TXCO_TENANT", "b")]);
        assert_eq!((by_variable.0.as_str(), by_variable.1.as_str()), ("http://localhost:2", "b"));
        assert_eq!(chosen("", None, &[]).0, "http://localhost:8081");
    }

    #[test]
    fn the_address_of_an_op_is_that_of_the_target() {
        let text = "
operations: { ENRICH: { url: 'https://e.example' }, SCORE: { url: 'https://s.example', owner: x } }
target: staging
targets:
  staging: { chassis: 'http://localhost:1' }
  production: { chassis: 'http://localhost:2', operations: { ENRICH: { url: 'https://e.prod' } } }
";
        let project = Project::parse(text).unwrap();
        assert_eq!(project.unread, ["operations.SCORE.owner"]);
        let of = |target: Option<&str>| {
            let chassis = ChassisFlags { target: target.map(str::to_owned), ..ChassisFlags::default() };
            let flags = TenantFlags { chassis, tenant: None };
            let operations = project.choose(&flags, &BTreeMap::new()).unwrap().operations;
            operations.put_in("\"op://ENRICH\" \"op://SCORE\"", Path::new(".")).into_owned()
        };
        assert_eq!(of(None), "\"https://e.example\" \"https://s.example\"");
        assert_eq!(of(Some("production")), "\"https://e.prod\" \"https://s.example\"");
        assert_eq!(project.operations().put_in("\"op://ENRICH\"", Path::new(".")), "\"https://e.example\"");
        for (text, said) in [
            ("operations: { ENRICH: { url: nowhere } }", "operations.ENRICH.url: \"nowhere\" is no address"),
            ("operations: { ENRICH: https://e }", "operations.ENRICH: expected names"),
        ] {
            let error = Project::parse(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_not_read_is_told_and_what_is_wrong_is_an_error() {
        assert_eq!(Project::parse(TEXT).unwrap().unread, ["apps"]);
        let pass = Project::parse("targets: { a: { pass: x } }").unwrap().unread;
        assert!(pass[0].starts_with("targets.a.pass"), "{pass:?}");
        for (text, said) in [
            ("target: nowhere", "there is no nowhere"),
            ("targets: { a: { mock: perhaps } }", "expected allow or deny"),
            ("targets: { a: { chasis: x } }", "targets.a.chasis is not known"),
            ("targets: 5", "targets: expected names and values"),
            ("tragets: {}", "tragets is not known"),
            ("- a", "expected one document"),
            ("a: [", "line"),
        ] {
            let error = Project::parse(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
