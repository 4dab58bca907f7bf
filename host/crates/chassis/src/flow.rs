//! Where requests can go at all: stages that none reaches, jumps to nowhere, loops without end.

use std::collections::{BTreeMap, BTreeSet};

use model::{StackName, Value};
use txcl::{Leads, Rule};

use crate::ruleset::{File, RuleSet};
use crate::walk::{Next, jump};
use crate::workspace::Misplaced;

/// A stage: the stack that owns it, and its scope.
type Stage = (StackName, u32);

/// What is odd about the ways through `rules`, whichever stack events enter. What ops write
/// to `_txc.goto` themselves is not counted.
pub(crate) fn flow(rules: &RuleSet) -> Vec<Misplaced> {
    let mut walk = Walk { rules, reached: BTreeSet::new(), odd: BTreeMap::new(), anywhere: false };
    for (stack, ..) in rules.stages() {
        walk.from(stack);
    }
    let Walk { reached, mut odd, anywhere, .. } = walk;
    for (stack, scope, _) in rules.stages().filter(|_| !anywhere) {
        if !reached.contains(&(stack.clone(), scope)) {
            let hint = "a stage before it always halts or jumps elsewhere";
            odd.entry((stack.clone(), scope))
                .or_insert_with(|| ("no request reaches this stage".to_owned(), hint.to_owned()));
        }
    }
    let told =
        |((stack, scope), (message, hint))| Misplaced { path: format!("{stack}/{scope}"), message, hint };
    odd.into_iter().map(told).chain(joins_at_end(rules)).collect()
}

/// Rules whose jobs join at a scope behind all that there are: only the end of the stack is left.
fn joins_at_end(rules: &RuleSet) -> impl Iterator<Item = Misplaced> {
    let below = |one: &StackName, other: &StackName| {
        one.as_str().strip_prefix(other.as_str()).is_some_and(|rest| rest.starts_with('/'))
    };
    rules.stages().flat_map(move |(stack, scope, files)| {
        // What inherits the rule may have such a scope, or inherit it.
        let comes = move |at: u32| {
            let near = |other: &StackName| other == stack || below(other, stack) || below(stack, other);
            rules.stages().any(|(other, scope, _)| scope >= at && near(other))
        };
        let joins = files.iter().flat_map(|file| &file.rules);
        let joins = joins.filter_map(|rule| Some((rule, rule.waits().joins_at()?)));
        joins.filter(move |(_, at)| !comes(*at)).map(move |(rule, at)| Misplaced {
            path: format!("{stack}/{scope}"),
            message: format!(
                "rule {} joins at scope {at}, and no scope lies there or behind it",
                rule.name()
            ),
            hint: "the request waits for it at its end; name a scope that there is".to_owned(),
        })
    })
}

struct Walk<'r> {
    rules: &'r RuleSet,
    reached: BTreeSet<Stage>,
    odd: BTreeMap<Stage, (String, String)>,
    /// A rule jumps to what the envelope says: then every stage may be reached.
    anywhere: bool,
}

impl Walk<'_> {
    /// Follows the ways of a request that enters `stack`.
    fn from(&mut self, stack: &StackName) {
        let mut seen: BTreeSet<(StackName, u32)> = BTreeSet::new();
        let mut ways = vec![(stack.clone(), 0)];
        while let Some((stack, from)) = ways.pop() {
            let Some((owner, scope, files)) = self.rules.scope(&stack, from) else { continue };
            let stage = (owner.clone(), scope);
            if !seen.insert((stack.clone(), scope)) {
                continue;
            }
            self.reached.insert(stage.clone());
            for rule in files.iter().flat_map(|file| &file.rules) {
                ways.extend(self.jump(rule, &stack, &stage));
            }
            if !always_leaves(files) {
                ways.extend(scope.checked_add(1).map(|next| (stack.clone(), next)));
            }
        }
    }

    /// Where a rule jumps to.
    fn jump(&mut self, rule: &Rule, stack: &StackName, stage: &Stage) -> Option<(StackName, u32)> {
        let to = match rule.leads() {
            Leads::On | Leads::Ends => return None,
            Leads::Anywhere => {
                self.anywhere = true;
                return None;
            }
            Leads::To(to) => to,
        };
        match jump(&Value::from(to.as_str()), self.rules, stack) {
            Ok(Next::Scope { stack: there, from }) => {
                let (owner, scope, _) = self.rules.scope(&there, from)?;
                if rule.applies_always() && (owner, scope) == (&stage.0, stage.1) {
                    let message = format!("rule {} always jumps back to its own stage", rule.name());
                    let hint = "the request ends at the limit of stage entries; add a WHEN";
                    self.odd.insert(stage.clone(), (message, hint.to_owned()));
                }
                Some((there, from))
            }
            Ok(Next::Halt) => None,
            Err(failure) => {
                let message = format!("rule {} jumps to {to}: {}", rule.name(), failure.detail);
                let hint = "the request fails when the rule applies; name a stage that there is";
                self.odd.insert(stage.clone(), (message, hint.to_owned()));
                None
            }
        }
    }
}

/// Whether a request never goes on from a scope to the next: a rule without WHEN halts or
/// jumps, and no PRIORITY can keep it from running.
fn always_leaves(files: &[std::sync::Arc<File>]) -> bool {
    let all = || files.iter().flat_map(|file| &file.rules);
    let chosen = all().any(|rule| rule.priority() > 0);
    !chosen && all().any(|rule| rule.applies_always() && matches!(rule.leads(), Leads::Ends | Leads::To(_)))
}

#[cfg(test)]
mod tests {
    use txcl::Mode;

    use super::*;

    fn odd(files: &[(&str, &str)]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let path = folder.path().join("OPS").join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let stack = StackName::parse("shop").unwrap();
        let rules = RuleSet::load(folder.path(), Some(&stack), Mode::Strict);
        let rules = rules.unwrap_or_else(|e| panic!("{}", e.render(txcl::Color::Plain)));
        flow(&rules).iter().map(|m| format!("{}: {}", m.path, m.message)).collect()
    }

    const ON: &str = "EMIT .a = 1";

    #[test]
    fn what_always_halts_hides_what_follows() {
        let halts = ("shop/10/a.txcl", "EMIT @halt = true");
        assert_eq!(odd(&[halts, ("shop/20/b.txcl", ON)]), ["shop/20: no request reaches this stage"]);
        // Sometimes is not always.
        let sometimes = ("shop/10/a.txcl", "WHEN .x == 1 EMIT @halt = true");
        assert!(odd(&[sometimes, ("shop/20/b.txcl", ON)]).is_empty());
        let chosen = ("shop/10/z.txcl", "WHEN .x == 1 PRIORITY 1 EMIT .a = 1");
        assert!(odd(&[halts, chosen, ("shop/20/b.txcl", ON)]).is_empty());
    }

    #[test]
    fn jumps_reach_what_they_name() {
        let jumps = ("shop/10/a.txcl", "EXEC \"shop/30\"");
        let stages = [jumps, ("shop/20/b.txcl", ON), ("shop/30/c.txcl", ON)];
        assert_eq!(odd(&stages), ["shop/20: no request reaches this stage"]);
        let back = [jumps, ("shop/20/b.txcl", ON), ("shop/30/c.txcl", "WHEN .again == 1 EMIT @goto = 20")];
        assert!(odd(&back).is_empty());
        let anywhere = [jumps, ("shop/20/b.txcl", ON), ("shop/30/c.txcl", "EMIT @goto = .next")];
        assert!(odd(&anywhere).is_empty());
    }

    #[test]
    fn a_nested_stack_reaches_what_it_inherits() {
        let own = ("shop/eu/10/a.txcl", "EXEC \"shop/eu/25\"");
        let parents = [("shop/10/b.txcl", "EMIT @goto = 30"), ("shop/20/c.txcl", ON), ("shop/30/d.txcl", ON)];
        let all = [own, parents[0], parents[1], parents[2]];
        assert_eq!(odd(&all), ["shop/20: no request reaches this stage"]);
    }

    #[test]
    fn a_join_behind_all_scopes_is_told() {
        let job = "EXEC \"https://w.example/\" WITH mode = \"async\", join_at_scope = 300";
        let told = ["shop/10: rule a joins at scope 300, and no scope lies there or behind it"];
        assert_eq!(odd(&[("shop/10/a.txcl", job), ("shop/20/b.txcl", ON), ("mail/400/b.txcl", ON)]), told);
        for there in ["shop/300/b.txcl", "shop/400/b.txcl", "shop/eu/300/b.txcl"] {
            assert!(odd(&[("shop/10/a.txcl", job), (there, ON)]).is_empty(), "{there}");
        }
        assert!(odd(&[("shop/eu/10/a.txcl", job), ("shop/300/b.txcl", ON)]).is_empty(), "inherited");
    }

    #[test]
    fn loops_and_jumps_to_nowhere_are_told() {
        assert_eq!(
            odd(&[("shop/10/a.txcl", "EMIT @goto = 10")]),
            ["shop/10: rule a always jumps back to its own stage"]
        );
        let nowhere = odd(&[("shop/10/a.txcl", "WHEN .x == 1 EMIT @goto = \"mail/5\"")]);
        assert_eq!(nowhere, ["shop/10: rule a jumps to mail/5: _txc.goto: there is no stack mail"]);
    }
}
