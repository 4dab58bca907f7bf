//! What is accepted, what is refused and with which words: the tables of the
//! specification (§8.1–§8.3) where we agree, and our own rulings where we do not.

use model::SecretName;

use super::{check, compile};
use crate::clock::Clock;
use crate::diagnostic::{Color, Diagnostics, Mode, RuleFile, Severity};
use crate::exec::Exec;
use crate::ops::AnyOps;
use crate::rule::Rule;

mod corpus;
mod files;
mod length;
mod manual;
mod ops;
mod secrets;
mod soup;
mod tables;
mod weaknesses;

fn clock() -> Clock {
    Clock { now: jiff::Timestamp::UNIX_EPOCH }
}

fn file(text: &str) -> RuleFile<'_> {
    RuleFile { path: "OPS/shop/10/sign.txcl", name: "sign", text }
}

fn accepted(text: &str) -> Vec<Rule> {
    compile(&file(text), Mode::Strict, &AnyOps).unwrap_or_else(|d| panic!("{}", d.render(Color::Plain)))
}

fn refused(text: &str) -> Diagnostics {
    match compile(&file(text), Mode::Strict, &AnyOps) {
        Ok(_) => panic!("accepted: {text}"),
        Err(findings) => findings,
    }
}

/// Refused with exactly one finding, whose message contains `words`.
fn refused_for(text: &str, words: &str) {
    let findings = refused(text);
    let messages: Vec<&str> = findings.iter().map(|d| d.message.as_str()).collect();
    assert_eq!(messages.len(), 1, "{text}: {messages:?}");
    assert!(messages[0].contains(words), "{text}: {messages:?}");
}

/// As [`refused_for`]; and `Mode::Lenient` lets it pass with a warning.
fn tolerated(text: &str, words: &str) -> Vec<Rule> {
    refused_for(text, words);
    let (rules, findings) = check(&file(text), Mode::Lenient, &AnyOps);
    assert!(!findings.has_errors(), "{text}: {findings}");
    assert_eq!(findings.iter().map(|d| d.severity).collect::<Vec<_>>(), [Severity::Warning], "{text}");
    rules
}

#[test]
fn the_accepted_forms_of_the_specification() {
    for text in [
        "WHEN *",
        "WHEN * SELECT @x AS .y",
        "SELECT @web.req.url.query.q.0 AS .q DEFAULT \"fallback\"",
        "WHEN * SELECT @a AS .x, @b AS .y DEFAULT 42 PRIORITY 2",
        "SET .a = 5.6 PRIORITY 11",
        "SET .words = [\"cruel\"]",
        "SET .nums = [1, 2, 3.5]",
        "SET .mixed = [true, \"x\", 7]",
        "SET .nested = [[1, 2], [3]]",
        "SET .trailing = [1, 2,]",
        "EMIT .words = [\"cruel\"]",
        "EXEC \"http://api/foo\" EMIT .extra = \"tag\"",
        "EMIT .a = 1, .b = \"x\", .c = [true, 2]",
        "WHEN .a !~ /thing/",
        "WHEN .a != false",
        "SELECT @x",
        "SELECT .a, .b AS .c DEFAULT 1",
        "SELECT *",
        "WHEN * SELECT * EXEC \"txco://noop\"",
        "SELECT * SET .a = 1",
        "SELECT .a SET .b = 1",
        "SET .x = &uuid()",
        "SET .x = &now(\"rfc3339\")",
        "SET .x = &concat(\"a\",\"b\",\"c\")",
        "SET .x = &json(&b64decode(\"WzFd\"))",
        "WITH ts = &now() EXEC \"txco://noop\"",
        "SELECT .src AS .id DEFAULT &uuid()",
        "SET .x = .y",
        "SET .out = @rpc.method",
        "EMIT ._txc.web.res.headers.\"content-type\".0 = \"text/plain\"",
        "WHEN .a == 1 || .b == 2 && .c == 3",
        "WHEN .a == 1, .b == 2 || .c == 3",
        "WHEN (.a == 1 || .b == 2) && .c == 3",
        "WHEN ((.a == 1))",
        "WHEN !!(.a == 1)",
        "WHEN .h > &concat(1, &concat(2, 3))",
        "SET .a = 1 .b = 2",
        "SET .a = 1 SET .b = 2",
        "SET .a = 1,",
        "WITH a = 1,",
        "WITH a = 1, EXEC \"txco://x\"",
        "WITH EXEC \"txco://x\"",
        "SET .a.-1 = 1",
        "SET .a.0.b = 1",
        "SET .x.\"a.b*c?d\\e\" = 1",
        "SET .x = @_txc.computed.sig",
        "SET .x = b64\"abc\"",
        "WHEN .a =~ \"str\"",
        "SELECT .a WITH b = 1 SET .c = 2",
        // Here in any order (D5).
        "WITH a = 1 SELECT .q",
        "EXEC \"txco://x\" PRIORITY -1 EMIT .a = 1 WITH b = 2 SET .c = 3",
        "when .a == null set .b = 1 exec \"stack/sub/10\"",
    ] {
        assert_eq!(accepted(text).len(), 1, "{text}");
    }
}

#[test]
fn a_file_without_clauses_has_no_rule() {
    for text in ["", "\n\n", "# only a comment", "\u{feff}"] {
        assert!(accepted(text).is_empty(), "{text:?}");
    }
}

#[test]
fn mistakes_are_named() {
    for (text, words) in [
        ("SET .x = [null]", "expected a literal, found `null`"),
        ("SET .x = null", "expected a value, found `null`"),
        ("SET .x = [1 2]", "expected `,` or `]`, found `2`"),
        ("WHEN .a == !", "true, false, null or a function, found `!`"),
        ("WITH 7", "expected a parameter's name, found `7`"),
        ("WITH a 7", "expected `=` after this name"),
        ("SET .a 7", "expected `=`, found `7`"),
        ("SELECT @x AS .y SET a", "expected a path such as .name or @name, found `a`"),
        ("SELECT", "expected `*` or a path"),
        ("SELECT .a, ", "expected `*` or a path"),
        ("SELECT *, .a", "SELECT * cannot be combined"),
        ("SELECT .a AS 5", "expected a path after AS"),
        ("WHEN >=", "expected a path or `(`, found `>=`"),
        ("WHEN .a == 1 &&", "expected a condition after `&&`"),
        ("WHEN .a == 1 ||", "expected a condition after `||`"),
        ("WHEN !", "expected a condition after `!`"),
        ("WHEN (.a == 1 || .b == 2", "expected `)` to close the group"),
        ("WHEN )", "expected a path or `(`, found `)`"),
        ("WHEN ()", "expected a condition inside of `()`"),
        ("WHEN .h == &concat(.y, 1)", "in WHEN the arguments of &concat must be literals"),
        ("WHEN .h == &concat(1, &concat(.y))", "in WHEN the arguments of &concat must be literals"),
        ("WHEN .h =~ &concat(\"a\",\"b\")", "expected a /regex/ or a text, found `&concat`"),
        ("WHEN .a =~ 5", "expected a /regex/ or a text, found `5`"),
        ("WHEN .a =~ true", "expected a /regex/ or a text, found `true`"),
        ("WHEN .a =~ /(/", "this regex does not compile"),
        ("WITH", "expected a parameter's name, found the end of the file"),
        ("SET", "expected a path such as .name or @name, found the end of the file"),
        ("EMIT EXEC \"txco://x\"", "expected a path such as .name or @name, found `EXEC`"),
        ("SET .x = {\"a\":1}", "expected a value, found `{`"),
        ("SET .x = [.a]", "expected a literal, found `.a`"),
        ("SET .x = [&uuid()]", "expected a literal, found `&uuid`"),
        ("SET .x = b64 \"abc\"", "expected a value, found `b64`"),
        ("SET .1 = 1", "unexpected '.'"),
        ("SET .a. = 1", "this path has an empty segment"),
        ("SET .a..b = 1", "this path has an empty segment"),
        ("SET .x = &concat(\"a\",)", "expected a value, found `)`"),
        ("SET .x = &uuid", "expected `(` after &uuid"),
        ("WHEN .a == .b", "found `.b`"),
        ("WHEN .a == /x/", "found `/`"),
        ("WHEN .a = 1", "expected a comparison, found `=`"),
        ("WHEN .a", "expected one of == != < <= > >= =~ !~"),
        ("PRIORITY", "expected a whole number after PRIORITY"),
        ("PRIORITY 1.5", "PRIORITY takes a whole number"),
        ("PRIORITY x", "expected a whole number after PRIORITY"),
        ("SET .x = 5s", "\"5s\" is not a number"),
        ("SET .x = 1e5", "\"1e5\" is not a number"),
        ("EXEC", "expected a quoted text after EXEC"),
        ("EXEC .url", "expected a quoted text after EXEC"),
        ("EXEC \" \"", "EXEC names nothing to run"),
        ("EXEC \"txco://a b\"", "invalid op name"),
        ("WITH a-b = 1", "expected `=` after this name, found `-`"),
        ("WITH default = 1", "expected a parameter's name, found `default`"),
    ] {
        refused_for(text, words);
    }
}

#[test]
fn hints_say_what_to_do() {
    for (text, hint) in [
        ("EXCE \"txco://x\"", "did you mean EXEC?"),
        ("WITH a = 1 EXCE \"txco://x\"", "did you mean EXEC instead of EXCE?"),
        ("When .a == 1", "did you mean WHEN?"),
        ("SET .x = &conact(1)", "did you mean &concat?"),
        ("SET .x = &substring(1)", "there are &concat, &join"),
        ("WHEN .a = 1", "equality is =="),
        ("WHEN .a == 1 and .b == 2", "conditions are joined by && and ||"),
        ("WHEN .a == 1 & .b == 2", "conditions are joined by &&"),
        ("SET .x = TRUE", "write true"),
        ("SET .x = 'a'", "straight double quotes"),
        ("SET .x = 010", "write 10, or the text \"010\" in quotes"),
        ("SET .x = 1e5", "numbers have no exponent"),
        ("EXEC \"hello\"", "use \"txco://NAME\""),
        ("EMIT @tenant = 1", "below @ a rule may write web.res"),
    ] {
        let findings = refused(text);
        let hints: Vec<&str> = findings.iter().filter_map(|d| d.hint.as_deref()).collect();
        assert!(hints.iter().any(|h| h.contains(hint)), "{text}: {hints:?}");
    }
}

#[test]
fn what_the_reference_lets_pass_is_strictly_refused() {
    for (text, words) in [
        ("SET .x = 010", "\"010\" is not a number"),
        ("SET .x = 1-2", "\"1-2\" is not a number"),
        ("SET .x = 1.2.3", "\"1.2.3\" is not a number"),
        ("SET .x = -.5", "\"-.5\" is not a number"),
        ("SET .x = 99999999999999999999", "this number is out of range"),
        ("PRIORITY \"5\"", "PRIORITY takes a number"),
        ("SET .a = 1,,.b = 2", "two commas in a row"),
        ("SET .x = 1; EXEC \"txco://y\"", "unexpected `;`"),
        ("SELECT .x AS .y DEFAULT \"ok\" fmo", "unexpected `fmo`"),
        ("WHEN * && .a == 1", "unexpected `&&`"),
        ("WHEN .a =~ /a/i", "unexpected `i`"),
        ("SELECT .x AS .y DEFAULT \"What", "unterminated string literal"),
        ("WHEN .x =~ /^abc", "unterminated regex literal"),
        ("WHEN .x == 1 WHEN .y == 2", "a second WHEN"),
        ("PRIORITY 5 PRIORITY 6", "a second PRIORITY"),
        ("SELECT .a SELECT .b", "a second SELECT"),
        ("SET .a = 1 WHEN .x == 2", "WHEN stands behind other clauses"),
        ("WHEN EXEC \"txco://x\"", "WHEN has no condition"),
        ("WHEN .a > true", "true and false have no order"),
        ("WITH a = 1, a = 2", "the parameter a is given twice"),
        ("WITH a.b = 1, a = 2", "the parameter a.b lies inside of a"),
        ("EMIT @tenant = \"x\"", "EMIT may not write here"),
        ("SELECT .a SET @web.req.body = \"x\"", "SET after SELECT may not write here"),
        ("SET .x = &b64decode(\"?\")", "&b64decode: not base64"),
        ("SET .x = &now(\"noon\")", "&now: unknown format"),
        ("SET .x = &nope()", "unknown function &nope"),
        ("SELECT .a DEFAULT &nope()", "unknown function &nope"),
        ("WHEN .a == &nope()", "unknown function &nope"),
        ("SET .x = &uuid(1)", "&uuid takes 0 arguments, not 1"),
        ("SET .x = &now(1, 2)", "&now takes 0 to 1 arguments, not 2"),
        ("SET .x = &json()", "&json takes 1 argument, not 0"),
        ("SET .x = &object(\"a\")", "&object takes pairs of a name and a value, not 1"),
        ("EXEC \"hello-world\"", "unsupported EXEC value"),
        ("EXEC \"ftp://x/y\"", "unsupported EXEC value"),
        ("EXEC \"goto://shop/10\"", "goto:// does nothing"),
        ("EXEC \"https://u:p@h/\"", "use a secret"),
    ] {
        tolerated(text, words);
    }
    assert_eq!(tolerated("PRIORITY 5 PRIORITY 6", "second")[0].priority(), 6);
    assert_eq!(tolerated("SET .a = 1 WHEN .x == 2", "WHEN stands").len(), 1);
}

#[test]
fn several_mistakes_are_found_at_once() {
    let text =
        "WHEN .a = 1\nSET .b = null, .c = 010,\n  .d = &nope(1, &gone())\nEXEC 5\nEMIT .e = 1\nfoo bar";
    let places: Vec<(usize, usize)> = refused(text).iter().map(|d| (d.line, d.column)).collect();
    assert_eq!(places, [(1, 9), (2, 10), (2, 21), (3, 8), (3, 17), (4, 6), (6, 1)]);
}

#[test]
fn columns_count_characters() {
    let findings = refused("SET .ä = 1");
    assert_eq!(findings.iter().map(|d| d.column).collect::<Vec<_>>(), [5, 6]);
    let findings = refused("SET .a = \"ää\" fmo");
    assert_eq!(findings.iter().map(|d| d.column).collect::<Vec<_>>(), [15]);
}

#[test]
fn findings_are_bounded_and_an_error_is_never_lost_among_warnings() {
    let findings = refused(&"SET .a = 01 ".repeat(1_000));
    assert_eq!(findings.iter().count(), 100);
    assert!(findings.render(Color::Plain).contains("900 more findings"));
    let text = "SET .a = 01 ".repeat(1_000) + "SET .b = null";
    assert!(compile(&file(&text), Mode::Lenient, &AnyOps).is_err());
}

#[test]
fn size_and_nesting_are_bounded() {
    let nested = |open: &str, n: usize, inner: &str, close: &str| {
        format!("{}{inner}{}", open.repeat(n), close.repeat(n))
    };
    for (prefix, open, inner, close) in [
        ("WHEN ", "(", ".a == 1", ")"),
        ("WHEN ", "!", ".a == 1", ""),
        ("SET .a = ", "[", "1", "]"),
        ("SET .a = ", "&concat(", "1", ")"),
    ] {
        accepted(&format!("{prefix}{}", nested(open, 64, inner, close)));
        for n in [65, 100_000] {
            let text = format!("{prefix}{}", nested(open, n, inner, close));
            let findings = refused(&text);
            assert!(findings.iter().any(|d| d.message.contains("nested deeper than 64")), "{prefix}{open}");
        }
    }
    let comment = "#".repeat(1 << 20);
    assert!(accepted(&comment).is_empty());
    refused_for(&(comment + "#"), "at most 1 MiB");
}

#[test]
fn what_a_file_keeps_compiled_is_bounded() {
    let regexes = |n: usize| vec![".a =~ /x/"; n].join(" && ");
    accepted(&format!("WHEN {}", regexes(100)));
    refused_for(&format!("WHEN {}", regexes(101)), "a file has at most 100 regexes");
    // Calls of literals are computed at load, but not a gigabyte of them.
    let rules = accepted(&"EMIT .a = &repeat(\"x\", 1048576)\n".repeat(1_000));
    let kept = format!("{:?}", rules[0]).len();
    assert!((32 << 20..80 << 20).contains(&kept), "{kept} bytes");
}

#[test]
fn several_rules_in_one_file() {
    let names = |text: &str| accepted(text).iter().map(|r| r.name().to_owned()).collect::<Vec<_>>();
    assert_eq!(names("EXEC \"txco://a\""), ["sign"]);
    assert_eq!(names("EXEC \"txco://a\" EXEC \"txco://b\""), ["sign.1", "sign.2"]);
    // Clauses in between belong to the earlier rule; WHEN begins the next one.
    let rules = accepted(
        "WHEN .a == 1 EXEC \"txco://a\" SET .x = 1 PRIORITY 3\nWHEN .b == 1\n  SET .y = 1\nEXEC \"txco://b\"",
    );
    assert_eq!(rules.iter().map(|r| (r.position(), r.priority())).collect::<Vec<_>>(), [(0, 3), (1, 0)]);
    assert_eq!(rules[0].text(), "WHEN .a == 1 EXEC \"txco://a\" SET .x = 1 PRIORITY 3");
    assert_eq!(rules[1].text(), "WHEN .b == 1\n  SET .y = 1\nEXEC \"txco://b\"");
    refused_for("WHEN .a == 1 WHEN .b == 2 EXEC \"txco://a\" EXEC \"txco://b\"", "a second WHEN");
    // A broken EXEC still divides the file: no misleading finding about WHEN.
    refused_for("EXEC \"txco://a\" WHEN .b == 1 EXEC 5", "expected a quoted text after EXEC");
}

#[test]
fn exec_operands() {
    let exec = |text: &str| accepted(&format!("EXEC \"{text}\"")).remove(0).exec().cloned().unwrap();
    let other = |scheme: &str, text: &str| Exec::Other { scheme: scheme.to_owned(), text: text.to_owned() };
    assert_eq!(exec("txco://noop"), Exec::Noop);
    let Exec::Builtin { name, rest } = exec("txco://copy/a/b") else { panic!() };
    assert_eq!((name.as_str(), rest.as_str()), ("copy", "a/b"));
    let Exec::Op { name, text } = exec("op://my-signer") else { panic!() };
    assert_eq!((name.as_str(), text.as_str()), ("my-signer", "op://my-signer"));
    refused_for("EXEC \"op://a/b\"", "invalid op name \"a/b\"");
    assert_eq!(exec("HTTPS://h/x"), Exec::Http("HTTPS://h/x".to_owned()));
    assert_eq!(exec("shop/eu/10"), Exec::Stage("shop/eu/10".to_owned()));
    for (scheme, text) in [
        ("compute", "compute://sha256/00"),
        ("ai", "ai://chat"),
        ("mcp+https", "mcp+https://h/p#tool"),
        ("txco", "txco://mock/a"),
    ] {
        assert_eq!(exec(text), other(scheme, text));
    }
    assert!(accepted("SET .a = 1").remove(0).exec().is_none());
}

#[test]
fn an_op_that_this_chassis_does_not_have_is_told_and_taken_in_both_modes() {
    for (scheme, text) in
        [("ai", "ai://chat"), ("compute", "compute://sha256/00"), ("mcp+https", "MCP+https://h/p")]
    {
        for mode in [Mode::Strict, Mode::Lenient] {
            let text = format!("EXEC \"{text}\"");
            let (rules, found) = check(&RuleFile { path: "t.txcl", name: "t", text: &text }, mode, &AnyOps);
            assert!(rules.len() == 1 && !found.has_errors());
            assert!(
                found.to_string().contains(&format!("warning: this chassis has no {scheme}:// ops")),
                "{found}"
            );
        }
    }
}

#[test]
fn rendering_is_stable_plain_and_coloured() {
    let findings = refused("WHEN .a == 1\nSET .b = null\n");
    let plain = "\
error: expected a value, found `null`
 --> OPS/shop/10/sign.txcl:2:10
  |
2 | SET .b = null
  |          ^^^^
  |
  = help: null can only be compared with, in WHEN

";
    assert_eq!(findings.render(Color::Plain), plain);
    let coloured = findings.render(Color::Coloured);
    assert!(coloured.contains("\u{1b}[") && coloured.contains("expected a value"));
    assert_eq!(
        findings.to_string(),
        "OPS/shop/10/sign.txcl:2:10: error: expected a value, found `null` (null can only be compared with, in WHEN)"
    );
    let json = findings.to_json();
    assert_eq!(json[0]["line"], 2);
    assert_eq!(json[0]["column"], 10);
    assert_eq!(json[0]["start"], 22);
    assert_eq!(json[0]["severity"], "error");
}

fn secret_names(rule: &Rule) -> Vec<&str> {
    rule.secrets().iter().map(|s| SecretName::as_str(&s.name)).collect()
}
