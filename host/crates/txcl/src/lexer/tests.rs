//! What the lexer makes of texts, by the table of the specification (§8.5) and beyond.

use super::lex;
use crate::diagnostic::{Findings, Mode, RuleFile};
use crate::token::{Kind, Symbol};

fn kinds(text: &str) -> (Vec<Kind>, Vec<String>) {
    let file = RuleFile { path: "t.txcl", name: "t", text };
    let mut findings = Findings::new(file, Mode::Strict);
    let mut kinds: Vec<Kind> = lex(text, &mut findings).into_iter().map(|t| t.kind).collect();
    assert_eq!(kinds.pop(), Some(Kind::End));
    (kinds, findings.finish().iter().map(|d| d.message.clone()).collect())
}

fn sound(text: &str) -> Vec<Kind> {
    let (kinds, problems) = kinds(text);
    assert!(problems.is_empty(), "{text}: {problems:?}");
    kinds
}

fn path(text: &str) -> String {
    match sound(text).as_slice() {
        [Kind::Path(path)] => path.to_string(),
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn numbers_are_runs() {
    assert_eq!(sound("-1 -1.1 1-2 5s"), vec![Kind::Number; 4]);
}

#[test]
fn a_regex_only_stands_behind_a_match() {
    let regex = |text: &str| Kind::Regex(text.to_owned());
    let symbol = Kind::Symbol;
    assert_eq!(
        sound(r"=~ /^th\/ing/ !~ /aa(b)/ /"),
        [
            symbol(Symbol::Match),
            regex("^th/ing"),
            symbol(Symbol::NoMatch),
            regex("aa(b)"),
            symbol(Symbol::Unused('/'))
        ]
    );
    assert_eq!(sound(r"=~ /\\/"), [symbol(Symbol::Match), regex(r"\\")]);
    assert_eq!(kinds("=~ /abc").1, ["unterminated regex literal"]);
}

#[test]
fn sugar_needs_a_letter() {
    for text in ["@", "@.foo", "@1", "@@foo"] {
        let (kinds, problems) = kinds(text);
        assert_eq!(kinds.first(), Some(&Kind::Illegal), "{text}");
        assert!(!problems.is_empty(), "{text}");
    }
}

#[test]
fn paths() {
    assert_eq!(path(".a.b.0"), "a.b.0");
    assert_eq!(path("@web.res.status"), "_txc.web.res.status");
    assert_eq!(path("@_txc.computed.sig"), "_txc.computed.sig");
    assert_eq!(path("._txc.computed.sig"), "_txc.computed.sig");
    assert_eq!(path(".a-b.-1"), "a-b.-1");
    assert_eq!(path(".a.\"first name\".b"), "a.first name.b");
    assert_eq!(path(".x.\"a.b*c?d\\e\""), r"x.a\.b*c?d\\e");
    for bad in [".a.", ".a..b", ".1", ".\"a b\"", ".a.\"\"", ".a.\"open", "."] {
        assert_eq!(kinds(bad).1.len(), 1, "{bad}");
    }
    assert_eq!(kinds(&format!(".{}", vec!["a"; 100].join("."))).1, ["this path has too many segments"]);
}

#[test]
fn texts() {
    let text = |t: &str| Kind::Text(t.to_owned());
    assert_eq!(sound(r#""a \" \\ \n\r\t""#), [text("a \" \\ \n\r\t")]);
    assert_eq!(sound(r#""unknown \z escape""#), [text(r"unknown \z escape")]);
    assert_eq!(sound("\"two\nlines, ünïcode\""), [text("two\nlines, ünïcode")]);
    assert_eq!(kinds("\"open").1, ["unterminated string literal"]);
    assert_eq!(kinds("\"open \\").1, ["unterminated string literal"]);
}

#[test]
fn base64_needs_the_very_word() {
    assert_eq!(sound("b64\"abc\""), [Kind::Text("YWJj".to_owned())]);
    for text in ["xb64\"s\"", "b64x\"s\"", "b64 \"s\""] {
        assert_eq!(sound(text), [Kind::Word, Kind::Text("s".to_owned())], "{text}");
    }
}

#[test]
fn blanks_and_comments() {
    assert_eq!(sound("\u{feff}# a comment – with dashes\r\n\t WHEN # another\n").len(), 1);
    assert_eq!(kinds("\u{a0}").1.len(), 1);
    assert_eq!(kinds("when When WHEN").0.iter().filter(|k| matches!(k, Kind::Keyword(_))).count(), 2);
}
