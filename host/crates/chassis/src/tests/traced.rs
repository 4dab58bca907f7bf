//! What a trace says of whole requests: why rules fired, and nothing of what they hide.

use super::*;

/// The timeline's events of this kind.
fn events(line: &Line, kind: &str) -> Vec<serde_json::Value> {
    let folder = traced_requests(&line.folder.path().join("trace")).unwrap().pop().unwrap();
    let text = std::fs::read_to_string(folder.join("timeline.jsonl")).unwrap();
    let events = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    events.filter(|event| event["event"] == kind).collect()
}

/// Every file of the newest trace.
fn everything(line: &Line) -> String {
    let folder = traced_requests(&line.folder.path().join("trace")).unwrap().pop().unwrap();
    let mut text = String::new();
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                text.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    text
}

/// Weakness T2: hints of a tenant's rules take effect on the tenant's requests, everywhere in the trace.
#[test]
fn what_a_rule_hides_is_in_no_file_of_the_trace() {
    let line = Line::new(Secrets::Off);
    line.rules(&[
        ("s/1/a.txcl", "WHEN .card == \"4111-secret\"\nEXEC \"txco://noop\"\nWITH redact = [\".card\", \"body.card\"], omit = \".user.email\""),
        ("s/2/b.txcl", "WHEN .user.email != \"who@example.com\"\nEMIT .x = 1"),
        ("s/2/c.txcl", "EMIT .copy = .n"),
    ]);
    let outcome = line.run(r#"{"n":7,"card":"4111-secret","user":{"email":"who@example.com","id":5}}"#);
    assert!(outcome.failure.is_none(), "{:?}", outcome.failure);
    let text = everything(&line);
    // The literal of a rule is the rule's text, and no value of the request.
    let text =
        text.replace(r#".card == \"4111-secret\""#, "").replace(r#".email != \"who@example.com\""#, "");
    assert!(!text.contains("4111-secret") && !text.contains("who@example.com"), "{text}");
    assert!(text.contains("[REDACTED]") && text.contains("\"id\":5"), "{text}");
}

#[test]
fn the_timeline_tells_why_each_rule_fired_or_did_not() {
    let line = Line::new(Secrets::Off);
    line.rules(&[
        ("s/1/a.txcl", "WHEN .type == \"x\" && .n > 5\nEMIT .a = 1"),
        ("s/1/b.txcl", "WHEN .type == \"x\" && .n > 50\nEMIT .b = 1"),
        ("s/2/first.txcl", "WHEN .n > 1\nPRIORITY 5\nEMIT @goto = 9"),
        ("s/2/second.txcl", "EMIT .c = 1"),
        ("s/2/third.txcl", "WHEN .n == 8\nPRIORITY 20\nEMIT .c = 1"),
        ("s/3/never.txcl", "EMIT .d = 1"),
        ("s/9/last.txcl", "EMIT .e = 1"),
        ("_elsewhere/1/other.txcl", "EMIT .f = 1"),
    ]);
    line.run(r#"{"n":7,"type":"x"}"#);
    let scopes = events(&line, "stage.rules");
    let rule = |scope: usize, name: &str| {
        let rules = scopes[scope]["rules"].as_array().unwrap();
        rules.iter().find(|rule| rule["name"] == name).cloned().unwrap()
    };
    assert_eq!(rule(0, "a")["fired"], true);
    let b = rule(0, "b");
    assert_eq!(b["fired"], false);
    let tests = serde_json::json!([
        { "line": 1, "test": ".type == \"x\"", "held": true, "found": "\"x\"" },
        { "line": 1, "test": ".n > 50", "held": false, "found": "7" },
    ]);
    assert_eq!(b["tests"], tests);
    assert_eq!(rule(1, "second")["because"], "first has PRIORITY 5");
    // It has more, and would not have run without the other either.
    let third = rule(1, "third");
    assert_eq!((&third["because"], &third["tests"][0]["found"]), (&serde_json::Value::Null, &"7".into()));
    assert_eq!(events(&line, "stage.jump")[0]["from"], 9);
    let unreached = serde_json::json!([{ "stack": "s", "scope": 3, "rules": ["never"] }]);
    assert_eq!(events(&line, "stages.unreached")[0]["stages"], unreached);
}

/// What a trace shows of an envelope is made once for all rules that look at it, and again when a rule changed it.
#[test]
fn each_rule_is_told_what_it_found_itself() {
    let line = Line::new(Secrets::Off);
    line.rules(&[
        (
            "s/1/a.txcl",
            "WHEN .n == 1 EXEC \"txco://noop\" EMIT .n = 2\nWHEN .n == 1 EXEC \"txco://noop\" EMIT .m = 1",
        ),
        ("s/1/b.txcl", "WHEN .n == 9\nEMIT .c = 1"),
        ("s/2/c.txcl", "WHEN .n == 9\nEMIT .d = 1"),
    ]);
    line.run(r#"{"n":1}"#);
    let found: Vec<_> = events(&line, "stage.rules")
        .iter()
        .flat_map(|scope| scope["rules"].as_array().unwrap().clone())
        .map(|rule| format!("{} {}", rule["name"], rule["tests"][0]["found"]))
        .collect();
    let told = [("a.1", 1), ("a.2", 2), ("b", 1), ("c", 2)];
    assert_eq!(found, told.map(|(name, n)| format!("\"{name}\" \"{n}\"")));
}

/// A place that a trace does not show held something all the same.
#[test]
fn what_a_rule_found_and_nobody_may_see_is_not_told_as_nothing() {
    let line = Line::new(Secrets::Off);
    line.rules(&[(
        "s/1/a.txcl",
        "WHEN @web.req.headers.Authorization.0 =~ /^Bearer/ && .pin == \"0000-secret\" && .absent == null\nWITH omit = \".pin\"",
    )]);
    let event =
        r#"{"pin":"0000-secret","_txc":{"web":{"req":{"headers":{"Authorization":["Bearer s3cret"]}}}}}"#;
    line.run(event);
    let tests = &events(&line, "stage.rules")[0]["rules"][0]["tests"];
    let found: Vec<_> =
        tests.as_array().unwrap().iter().map(|test| test["found"].as_str().unwrap()).collect();
    assert_eq!(found, ["something that is hidden", "something that is hidden", "nothing"]);
}
