//! Requests that may be asked to wait with a credential in their envelope, found without running
//! them.

use std::collections::{BTreeMap, BTreeSet};

use model::StackName;

use crate::ruleset::RuleSet;
use crate::workspace::Misplaced;

impl RuleSet {
    /// Rules that wait for a worker behind a rule that makes a credential, or beside it: a
    /// request in which both apply fails with `credential_cannot_wait`. Where something is
    /// deleted in between nobody knows, and nothing is said.
    #[must_use]
    pub fn cannot_wait(&self) -> Vec<Misplaced> {
        let mut found = BTreeMap::new();
        let stacks: BTreeSet<&str> = self.stages().map(|(stack, ..)| stack).collect();
        for stack in stacks.into_iter().filter_map(|stack| StackName::parse(stack).ok()) {
            self.follow(&stack, &mut found);
        }
        found.into_values().collect()
    }

    /// Goes through the scopes of a lane.
    fn follow(&self, lane: &StackName, found: &mut BTreeMap<(String, String), Misplaced>) {
        let (mut from, mut maker) = (Some(0), None);
        while let Some((owner, scope, files)) = from.and_then(|from| self.scope(lane, from)) {
            let rules = || files.iter().flat_map(|file| file.rules.iter().map(move |rule| (file, rule)));
            let here = rules().find(|(_, rule)| rule.makes_credential());
            let here = here.map(|(_, rule)| format!("{owner}/{scope}/{}", rule.name()));
            if let Some(maker) = maker.as_ref().or(here.as_ref()) {
                for (file, rule) in rules().filter(|(_, rule)| rule.waits().for_worker()) {
                    let misplaced = Misplaced {
                        path: file.path.clone(),
                        message: format!(
                            "rule {} waits for a worker, and {maker} may have put a credential into the envelope",
                            rule.name()
                        ),
                        hint: "a credential cannot wait: use it and @delete it before, or let the rule name the \
                               secret itself"
                            .to_owned(),
                    };
                    found.entry((file.path.clone(), rule.name().to_owned())).or_insert(misplaced);
                }
            }
            if rules().any(|(_, rule)| rule.deletes()) {
                maker = None;
            } else {
                maker = maker.or(here);
            }
            from = scope.checked_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use txcl::Mode;

    use super::*;
    use crate::workspace::Source;

    const BASIC: &str =
        "EXEC \"txco://basic-auth-encode\" WITH secrets.password.secret = \"P\", user = \"u\"";
    const LOGIN: &str = "EXEC \"https://id.example/\" WITH credential = \"access_token\"";
    const JOB: &str = "EXEC \"https://w.example/\" WITH mode = \"async\"";
    const ON: &str = "EMIT .a = 1";

    fn told(files: &[(&str, &str)]) -> Vec<String> {
        let source = |(path, text): &(&str, &str)| {
            let (stack, path) = path.split_once(':').unwrap();
            Source {
                stack: StackName::parse(stack).unwrap(),
                path: path.to_owned(),
                text: (*text).to_owned(),
            }
        };
        let rules = RuleSet::of_sources(files.iter().map(source).collect(), Mode::Strict);
        let rules = rules.unwrap_or_else(|errors| panic!("{}", errors.render(txcl::Color::Plain)));
        rules.cannot_wait().into_iter().map(|one| format!("{}: {}", one.path, one.message)).collect()
    }

    #[test]
    fn what_is_made_before_or_beside_is_told() {
        for maker in [BASIC, LOGIN] {
            let said = told(&[("shop:10/m.txcl", maker), ("shop:20/j.txcl", JOB)]);
            assert_eq!(said.len(), 1, "{maker}: {said:?}");
            assert!(said[0].starts_with("OPS/shop/20/j.txcl: rule j waits") && said[0].contains("shop/10/m"));
            assert_eq!(told(&[("shop:20/m.txcl", maker), ("shop:20/j.txcl", JOB)]).len(), 1);
            assert_eq!(told(&[("shop:30/j.txcl", JOB), ("shop/eu:10/m.txcl", maker)]).len(), 1, "inherited");
        }
    }

    #[test]
    fn what_cannot_meet_is_not() {
        assert!(
            told(&[("shop:10/a.txcl", ON), ("shop:20/j.txcl", JOB), ("shop:30/m.txcl", BASIC)]).is_empty()
        );
        assert!(told(&[("mail:10/m.txcl", BASIC), ("shop:20/j.txcl", JOB)]).is_empty());
        let deletes = ("shop:15/d.txcl", "EMIT @delete = \"@computed.basic\"");
        assert!(told(&[("shop:10/m.txcl", BASIC), deletes, ("shop:20/j.txcl", JOB)]).is_empty());
    }
}
