//! What is told of credentials that may have to wait.

use txcl::Mode;

use super::*;
use crate::workspace::Source;

const BASIC: &str = "EXEC \"txco://basic-auth-encode\" WITH secrets.password.secret = \"P\", user = \"u\"";
const LOGIN: &str = "EXEC \"https://id.example/\" WITH credential = \"access_token\"";
const JOB: &str = "EXEC \"https://w.example/\" WITH mode = \"async\"";
const ON: &str = "EMIT .a = 1";

fn set(files: &[(&str, &str)]) -> Result<RuleSet, String> {
    let source = |(path, text): &(&str, &str)| {
        let (stack, path) = path.split_once(':').unwrap();
        Source { stack: StackName::parse(stack).unwrap(), path: path.to_owned(), text: (*text).to_owned() }
    };
    let rules = RuleSet::of_sources(files.iter().map(source).collect(), Mode::Strict);
    rules.map_err(|errors| errors.render(txcl::Color::Plain))
}

/// What is warned of; none of it is an error.
fn told(files: &[(&str, &str)]) -> Vec<String> {
    let rules = set(files).unwrap_or_else(|errors| panic!("{errors}"));
    rules.cannot_wait().into_iter().map(|one| format!("{}: {}", one.path, one.message)).collect()
}

/// The same rule where something must hold.
fn when(condition: &str, rule: &str) -> String {
    format!("WHEN {condition}\n{rule}")
}

#[test]
fn what_no_when_keeps_apart_is_an_error() {
    for maker in [BASIC, LOGIN] {
        let error = set(&[("shop:10/m.txcl", maker), ("shop:20/j.txcl", JOB)]).unwrap_err();
        let want = "OPS/shop/20/j.txcl: rule j waits for a worker, and shop/10/m has put a credential into the envelope";
        assert!(error.starts_with(want), "{error}");
        assert!(set(&[("shop:20/m.txcl", maker), ("shop:20/j.txcl", JOB)]).is_err());
        assert!(set(&[("shop:30/j.txcl", JOB), ("shop/eu:10/m.txcl", maker)]).is_err(), "inherited");
        let (maker, job) = (when(".a == 1", maker), when(".a == 1", JOB));
        assert!(set(&[("shop:20/m.txcl", &maker), ("shop:20/j.txcl", &job)]).is_err(), "the same condition");
    }
    let maybe = when(".a == 1", BASIC);
    let error = set(&[("shop:10/a.txcl", &maybe), ("shop:10/m.txcl", BASIC), ("shop:20/j.txcl", JOB)]);
    assert!(error.unwrap_err().contains("shop/10/m has put"), "another may not have");
}

#[test]
fn what_is_made_before_or_beside_is_told() {
    for maker in [BASIC, LOGIN] {
        let maker = when(".a == 1", maker);
        let said = told(&[("shop:10/m.txcl", &maker), ("shop:20/j.txcl", JOB)]);
        assert_eq!(said.len(), 1, "{maker}: {said:?}");
        assert!(said[0].starts_with("OPS/shop/20/j.txcl: rule j waits") && said[0].contains("shop/10/m may"));
        assert_eq!(told(&[("shop:20/m.txcl", &maker), ("shop:20/j.txcl", JOB)]).len(), 1);
        assert_eq!(told(&[("shop:30/j.txcl", JOB), ("shop/eu:10/m.txcl", &maker)]).len(), 1, "inherited");
    }
    let job = when(".a == 2", JOB);
    assert_eq!(told(&[("shop:10/m.txcl", BASIC), ("shop:20/j.txcl", &job)]).len(), 1);
    // What the same condition sees in a later scope is another envelope.
    let maker = when(".a == 2", BASIC);
    assert_eq!(told(&[("shop:10/m.txcl", &maker), ("shop:20/j.txcl", &job)]).len(), 1);
}

#[test]
fn what_goes_elsewhere_in_between_is_only_warned_of() {
    let (maker, job) = (("shop:10/m.txcl", BASIC), ("shop:20/j.txcl", JOB));
    for way in ["WHEN .a == 1 EMIT @goto = 30", "WHEN .a == 1 EMIT @halt = true", "EMIT @halt = .done"] {
        assert_eq!(told(&[maker, ("shop:15/w.txcl", way), job]).len(), 1, "{way}");
    }
    assert_eq!(told(&[maker, ("shop:20/p.txcl", "WHEN .a == 1 PRIORITY 1 EMIT .b = 1"), job]).len(), 1);
}

#[test]
fn what_a_jump_brings_together_is_told() {
    let (maker, job) = (("shop:10/m.txcl", BASIC), ("mail:20/j.txcl", JOB));
    for way in ["EXEC \"mail/20\"", "WHEN .a == 1 EMIT @goto = \"mail/5\""] {
        let said = told(&[maker, ("shop:15/w.txcl", way), job]);
        assert_eq!(said.len(), 1, "{way}: {said:?}");
        assert!(said[0].starts_with("OPS/mail/20/j.txcl: rule j waits") && said[0].contains("shop/10/m may"));
    }
    let further = ("post:1/w.txcl", "WHEN .a == 1 EXEC \"mail/20\"");
    assert_eq!(told(&[maker, ("shop:15/w.txcl", "EXEC \"post/1\""), further, job]).len(), 1);
    // Round and round, to a scope that comes before.
    let back = [("shop:5/j.txcl", JOB), maker, ("shop:15/w.txcl", "WHEN .a == 1 EMIT @goto = 5")];
    assert_eq!(told(&back).len(), 1);
    // Behind the job, past it, or without it.
    assert!(told(&[maker, ("shop:15/w.txcl", "EXEC \"mail/30\""), job, ("mail:30/e.txcl", ON)]).is_empty());
    assert!(told(&[("shop:5/w.txcl", "EXEC \"mail/20\""), maker, job]).is_empty());
    let deletes = ("shop:12/d.txcl", "EMIT @delete = \"@computed.basic\"");
    assert!(told(&[maker, deletes, ("shop:15/w.txcl", "EXEC \"mail/20\""), job]).is_empty());
    // Nobody knows before where a reply leads.
    let anywhere = ("shop:15/w.txcl", "EXEC \"https://steers.example/\"");
    assert!(told(&[maker, anywhere, job]).is_empty());
}

#[test]
fn a_job_that_joins_meets_what_is_made_before_its_scope() {
    const LATER: &str = "EXEC \"https://w.example/\" WITH mode = \"async\", join_at_scope = 30";
    let (job, end) = (("shop:10/j.txcl", LATER), ("shop:30/e.txcl", ON));
    let want = "OPS/shop/10/j.txcl: the job of rule j joins at scope 30, and shop/20/m has put";
    for at in ["shop:5/m.txcl", "shop:10/m.txcl", "shop:20/m.txcl"] {
        let error = set(&[job, (at, BASIC), end]).unwrap_err();
        assert!(error.starts_with(&want.replace("20", &at[5..7].replace('/', ""))), "{error}");
    }
    assert!(set(&[job, ("shop:20/m.txcl", BASIC)]).is_err(), "it joins at the end");
    assert!(told(&[job, end, ("shop:40/m.txcl", BASIC)]).is_empty(), "it has joined before");
    assert!(told(&[job, ("shop:30/m.txcl", BASIC)]).is_empty(), "beside what sees it");
    let deletes = ("shop:25/d.txcl", "EMIT @delete = \"@computed.basic\"");
    assert!(told(&[job, ("shop:20/m.txcl", BASIC), deletes, end]).is_empty());
    for maybe in [
        [("shop:10/j.txcl", when(".a == 1", LATER)), ("shop:20/m.txcl", BASIC.to_owned())],
        [("shop:10/j.txcl", LATER.to_owned()), ("shop:20/m.txcl", when(".a == 1", BASIC))],
        [("shop:10/j.txcl", LATER.to_owned()), ("shop:10/p.txcl", format!("PRIORITY 1 {BASIC}"))],
    ] {
        let files = [(maybe[0].0, maybe[0].1.as_str()), (maybe[1].0, maybe[1].1.as_str()), end];
        assert_eq!(told(&files).len(), 1, "{files:?}");
    }
    let way = ("shop:15/w.txcl", "WHEN .a == 1 EMIT @goto = 30");
    assert_eq!(told(&[job, way, ("shop:20/m.txcl", BASIC), end]).len(), 1);
}

#[test]
fn what_cannot_meet_is_not() {
    assert!(told(&[("shop:10/a.txcl", ON), ("shop:20/j.txcl", JOB), ("shop:30/m.txcl", BASIC)]).is_empty());
    assert!(told(&[("mail:10/m.txcl", BASIC), ("shop:20/j.txcl", JOB)]).is_empty());
    let deletes = ("shop:15/d.txcl", "EMIT @delete = \"@computed.basic\"");
    assert!(told(&[("shop:10/m.txcl", BASIC), deletes, ("shop:20/j.txcl", JOB)]).is_empty());
}

#[test]
fn a_job_that_is_to_join_is_followed_where_a_rule_leads_elsewhere() {
    const LATER: &str = "EXEC \"https://w.example/\" WITH mode = \"async\", join_at_scope = 300";
    let (job, maker) = (("shop:10/j.txcl", LATER), ("shop:15/m.txcl", BASIC));
    let deletes = ("shop:25/d.txcl", "EMIT @delete = \"@computed.basic\"");
    let (end, mail) = (("shop:300/e.txcl", ON), ("mail:20/e.txcl", ON));
    let told_with = |way: &str| told(&[job, maker, ("shop:20/w.txcl", way), deletes, end, mail]);
    assert!(told_with(ON).is_empty(), "it is deleted before the job joins");
    let want =
        "OPS/shop/10/j.txcl: the job of rule j joins where shop/20/w leads elsewhere, and shop/15/m may";
    // Out of the stack, to the end, past what deletes it, and to what only the envelope says.
    for way in [
        "EXEC \"mail/20\"",
        "EMIT @goto = \"mail/5\"",
        "EMIT @halt = true",
        "EMIT @halt = .done",
        "EMIT @goto = 300",
        "EMIT @goto = 26",
        "EMIT @goto = .next",
    ] {
        let said = told_with(&when(".a == 1", way));
        assert_eq!(said.len(), 1, "{way}: {said:?}");
        assert!(said[0].starts_with(want), "{way}: {said:?}");
    }
    // To where it is deleted, or without one.
    assert!(told_with(&when(".a == 1", "EMIT @goto = 25")).is_empty());
    let way = ("shop:20/w.txcl", "WHEN .a == 1 EXEC \"mail/20\"");
    assert!(
        told(&[job, ("shop:12/m.txcl", BASIC), ("shop:13/d.txcl", deletes.1), way, end, mail]).is_empty()
    );
    assert!(told(&[job, way, end, mail, ("mail:30/m.txcl", BASIC)]).is_empty(), "it has joined before");
    // A job that goes back with the request meets what comes before it.
    let past = ("shop:6/p.txcl", "WHEN .b == 1 EMIT @goto = 300");
    let back = ("shop:20/w.txcl", "WHEN .a == 1 EMIT @goto = 5");
    let round = [("shop:5/m.txcl", BASIC), past, ("shop:7/d.txcl", deletes.1), job, back, end];
    let said = told(&round);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("joins where shop/6/p leads elsewhere, and shop/5/m may"), "{said:?}");
}

#[test]
fn where_every_request_leaves_with_a_credential_and_an_open_job_is_an_error() {
    const LATER: &str = "EXEC \"https://w.example/\" WITH mode = \"async\", join_at_scope = 300";
    let (job, maker, mail) = (("shop:10/j.txcl", LATER), ("shop:15/m.txcl", BASIC), ("mail:20/e.txcl", ON));
    let end = ("shop:300/e.txcl", ON);
    let deletes = ("shop:25/d.txcl", "EMIT @delete = \"@computed.basic\"");
    let loaded = |way: &str| set(&[job, maker, ("shop:20/w.txcl", way), deletes, end, mail]);
    for way in ["EXEC \"mail/20\"", "EMIT @halt = true", "EMIT @goto = 300"] {
        let error = loaded(way).unwrap_err();
        let want =
            "OPS/shop/10/j.txcl: the job of rule j joins where shop/20/w leads elsewhere, and shop/15/m has";
        assert!(error.starts_with(want), "{way}: {error}");
    }
    for way in ["WHEN .a == 1 EXEC \"mail/20\"", "EMIT @halt = .done", "PRIORITY 1 EXEC \"mail/20\""] {
        assert!(loaded(way).is_ok(), "{way}");
    }
    // Another rule may lead to where it is deleted.
    let two = [("shop:20/w.txcl", "EXEC \"mail/20\""), ("shop:20/x.txcl", "WHEN .a == 1 EMIT @goto = 25")];
    assert!(set(&[job, maker, two[0], two[1], deletes, end, mail]).is_ok());
}
