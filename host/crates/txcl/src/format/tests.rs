//! What the formatter makes of files, and that it changes no meaning.

use super::format;
use crate::compile::compile;
use crate::diagnostic::{Findings, Mode, RuleFile};
use crate::gap::Gap;
use crate::ops::AnyOps;
use crate::rule::Rule;

fn file(text: &str) -> RuleFile<'_> {
    RuleFile { path: "t.txcl", name: "t", text }
}

fn formatted(text: &str) -> String {
    format(&file(text)).unwrap_or_else(|d| panic!("{text}\n{d}"))
}

/// Everything a rule does, without where it stood in the text.
fn meaning(rules: &[Rule]) -> String {
    // Lines, and the words of a condition as they are shown to people.
    let places = regex::Regex::new(r#"line: [0-9]+|text: "(\\.|[^"\\])*" "#).unwrap();
    let all: Vec<String> = rules
        .iter()
        .map(|r| {
            let named = (&r.name, r.position, r.priority, &r.exec, &r.secrets);
            let does = (&r.condition, &r.before, &r.params, &r.choices, &r.emit, &r.after);
            places.replace_all(&format!("{named:?} {does:?}"), "").into_owned()
        })
        .collect();
    all.join("\n")
}

/// The comments of a file, sorted.
fn comments(text: &str) -> Vec<String> {
    let tokens = crate::lexer::lex(text, &mut Findings::new(file(text), Mode::Strict));
    let ends = std::iter::once(0).chain(tokens.iter().map(|token| token.span.end));
    let starts = tokens.iter().map(|token| token.span.start).chain([text.len()]);
    let gaps =
        ends.zip(starts).map(|(from, to)| Gap::read(text.get(from..to).unwrap_or_default(), from == 0));
    let all = gaps.flat_map(|gap| gap.behind.into_iter().chain(gap.above.into_iter().map(|c| c.text)));
    let mut all: Vec<String> = all.map(str::to_owned).collect();
    all.sort();
    all
}

/// The property, for one file: same meaning, same comments, and nothing left to do.
pub(crate) fn holds(text: &str) {
    let Ok(once) = format(&file(text)) else { return };
    assert_eq!(format(&file(&once)).as_deref(), Ok(once.as_str()), "not idempotent:\n{text}\n---\n{once}");
    assert_eq!(comments(text), comments(&once), "{text}\n---\n{once}");
    if let Ok(rules) = compile(&file(text), Mode::Strict, &AnyOps) {
        let again = compile(&file(&once), Mode::Strict, &AnyOps).unwrap_or_else(|d| panic!("{once}\n{d}"));
        assert_eq!(meaning(&rules), meaning(&again), "{text}\n---\n{once}");
    }
}

#[test]
fn clauses_and_items_have_lines_of_their_own() {
    assert_eq!(
        formatted(
            "when .a==1&&!( .b!=null ) exec \"txco://x\" with a=1,b .c = [ 1,\n2 , ], set .x=&concat( .a,\"b\" ) .y = .z"
        ),
        "WHEN .a == 1 && !(.b != null)\nEXEC \"txco://x\"\nWITH a = 1,\n     b.c = [1, 2]\nSET .x = &concat(.a, \"b\"),\n    .y = .z\n"
    );
    assert_eq!(formatted("SELECT .a as .b DEFAULT 1,@c"), "SELECT .a AS .b DEFAULT 1, @c\n");
    assert_eq!(formatted("\u{feff}  \n# only\n\n\n# comments"), "# only\n\n# comments\n");
    assert_eq!(formatted(""), "");
}

#[test]
fn comments_stay_where_they_belong() {
    let text = "# The file.\n\nSET .a = 1 # first\n  , # and more\n  # the second\n  .b = 2\n# What runs.\nEXEC \"txco://x\" # here\n# The end.";
    let want = "# The file.\n\nSET .a = 1,  # first\n    # and more\n    # the second\n    .b = 2\n# What runs.\nEXEC \"txco://x\"  # here\n# The end.\n";
    assert_eq!(formatted(text), want);
    holds(text);
    let inner = "SET .a = [1, # one\n2] WITH x # name\n.y = # value\n # deeper\n 1";
    assert_eq!(
        formatted(inner),
        "SET .a = [1,  # one\n        2]\nWITH x  # name\n         .y =  # value\n         # deeper\n         1\n"
    );
    holds(inner);
}

#[test]
fn long_conditions_are_broken_at_their_operators() {
    let a = "a".repeat(50);
    assert_eq!(
        formatted(&format!("WHEN .{a} == 1 && (.b == 2 || .c == 3) && .d == 4")),
        format!("WHEN .{a} == 1 && (.b == 2 || .c == 3) && .d == 4\n")
    );
    assert_eq!(
        formatted(&format!("WHEN .{a} == 1 && (.b == 2 || .{a} == 3) && .d == 4")),
        format!("WHEN .{a} == 1\n  && (.b == 2 || .{a} == 3)\n  && .d == 4\n")
    );
    assert_eq!(
        formatted(&format!("WHEN .{a} == 1 && .b == 2 || .{a} == 3, .d == 4")),
        format!("WHEN .{a} == 1\n    && .b == 2\n  || .{a} == 3, .d == 4\n")
    );
}

#[test]
fn rules_of_a_file_stand_apart() {
    assert_eq!(
        formatted("EXEC \"txco://a\"\n# Then.\nEXEC \"txco://b\" WHEN .x == 1 EXEC \"txco://c\""),
        "EXEC \"txco://a\"\n\n# Then.\nEXEC \"txco://b\"\n\nWHEN .x == 1\nEXEC \"txco://c\"\n"
    );
}

#[test]
fn texts_and_paths_stay_as_they_are() {
    for text in [
        "SET .x.\"a b\".-1 = \"two\n  lines \\n \\z\"\n",
        "WHEN @_txc.a =~ /a\\/ b/\n",
        "SET .a = b64\"x\",\n    .b = -1.50\n",
        "WHEN .a == null && .b == true\n",
    ] {
        assert_eq!(formatted(text), text);
        holds(text);
    }
}

#[test]
fn what_does_not_parse_is_not_formatted() {
    for text in ["SET .a = 010", "WHEN", "SET .a = 1;", "EXEC \"open", "SET .a = &nope()"] {
        assert!(format(&file(text)).is_err(), "{text}");
    }
    // What only shows when clauses are seen together is no matter of layout.
    assert!(format(&file("EMIT @tenant = 1")).is_ok());
}
