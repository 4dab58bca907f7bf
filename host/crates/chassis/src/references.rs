//! Which secrets rules name, and where: for those who ask before anything runs.

use std::collections::BTreeSet;

use model::{SecretName, Slot, StackName};

use crate::ruleset::RuleSet;

/// A place where a rule names a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The rule file, below the workspace.
    pub file: String,
    /// The rule's name in it.
    pub rule: String,
    /// The stack that the rule belongs to, which is where the name is looked for.
    pub stack: StackName,
    /// What the rule executes, as written.
    pub exec: String,
    /// Where the secret goes.
    pub slot: Slot,
    /// The secret.
    pub name: SecretName,
}

impl RuleSet {
    /// Every place where a rule names a secret, in the order of stacks, scopes and files.
    #[must_use]
    pub fn references(&self) -> Vec<Reference> {
        let mut all = Vec::new();
        for (stack, _, files) in self.stages() {
            for file in files {
                for rule in &file.rules {
                    all.extend(rule.secrets().iter().map(|secret| Reference {
                        file: file.path.clone(),
                        rule: rule.name().to_owned(),
                        stack: stack.clone(),
                        exec: rule.operand().to_string(),
                        slot: secret.slot.clone(),
                        name: secret.name.clone(),
                    }));
                }
            }
        }
        all
    }
}

/// The secrets that `new` names and `old` did not: who makes `new` the current rules must be
/// allowed to use them (R18).
#[must_use]
pub fn newly_used(old: Option<&RuleSet>, new: &RuleSet) -> BTreeSet<SecretName> {
    let names = |rules: &RuleSet| rules.references().into_iter().map(|one| one.name).collect::<BTreeSet<_>>();
    let known = old.map(names).unwrap_or_default();
    names(new).into_iter().filter(|name| !known.contains(name)).collect()
}

/// What stands in the way of making `new` the current rules: the places where they name a
/// secret that `old` did not name and that the actor may not use. `may_use` asks for the
/// actor's capability `secret:NAME:use`, which the capability to activate implies unless the
/// tenant wants it said (R18). To be asked wherever rules are activated for somebody.
#[must_use]
pub fn unpermitted_uses(
    old: Option<&RuleSet>,
    new: &RuleSet,
    may_use: impl Fn(&SecretName) -> bool,
) -> Vec<Reference> {
    let refused: BTreeSet<_> = newly_used(old, new).into_iter().filter(|name| !may_use(name)).collect();
    new.references().into_iter().filter(|one| refused.contains(&one.name)).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use txcl::Mode;

    use super::*;

    fn rules(text: &str) -> RuleSet {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("OPS/shop/eu/100/send.txcl");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        RuleSet::load(folder.path(), None, Mode::Strict).unwrap()
    }

    fn name(text: &str) -> SecretName {
        SecretName::parse(text).unwrap()
    }

    const TWO: &str = "EXEC \"https://api.example/\"\nWITH secrets.headers.x.secret = \"A\", secrets.body.y.secret = \"B\"\n";

    #[test]
    fn a_reference_says_file_rule_stack_and_exec() {
        let found = rules(TWO).references();
        let shown: Vec<_> = found.iter().map(|one| (one.slot.to_string(), one.name.as_str())).collect();
        assert_eq!(shown, [("headers.x".to_owned(), "A"), ("body.y".to_owned(), "B")]);
        let first = &found[0];
        assert_eq!(first.file, "OPS/shop/eu/100/send.txcl");
        assert_eq!((first.stack.as_str(), first.exec.as_str()), ("shop/eu", "https://api.example/"));
    }

    #[test]
    fn only_what_was_not_named_before_is_new() {
        let one = rules("EXEC \"https://api.example/\"\nWITH secrets.headers.x.secret = \"A\"\n");
        assert_eq!(newly_used(None, &one), BTreeSet::from([name("A")]));
        assert_eq!(newly_used(Some(&one), &rules(TWO)), BTreeSet::from([name("B")]));
        assert!(newly_used(Some(&rules(TWO)), &one).is_empty());
    }

    /// R18: what was in use stays; what is new needs the capability, secret by secret.
    #[test]
    fn a_new_use_needs_somebody_who_may() {
        let one = rules("EXEC \"https://api.example/\"\nWITH secrets.headers.x.secret = \"A\"\n");
        let two = rules(TWO);
        let refused = |old, may: &[&str]| {
            let found = unpermitted_uses(old, &two, |name| may.contains(&name.as_str()));
            found.into_iter().map(|one| one.name.as_str().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(refused(None, &[]), ["A", "B"]);
        assert_eq!(refused(None, &["A"]), ["B"]);
        assert_eq!(refused(Some(&one), &[]), ["B"]);
        assert!(refused(Some(&one), &["B"]).is_empty() && refused(Some(&two), &[]).is_empty());
    }
}
