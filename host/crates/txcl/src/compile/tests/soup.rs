//! Random soups of tokens and random envelopes: nothing panics, and what compiles
//! evaluates the same twice.

use model::{CredentialId, Envelope, Path, Sealed, Value};

use super::check;
use crate::clock::Clock;
use crate::diagnostic::{Color, Mode, RuleFile};
use crate::ops::AnyOps;

/// Marsaglia's xorshift64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.roll(of.len())]
    }
}

const TOKENS: &[&str] = &[
    "WHEN",
    "SET",
    "SELECT",
    "WITH",
    "PRIORITY",
    "EXEC",
    "EMIT",
    "AS",
    "DEFAULT",
    "null",
    "true",
    "false",
    "let",
    ".a",
    ".b.c",
    ".arr.-1",
    ".arr.0",
    "@web.res.status",
    "@web.req.headers.x",
    "@computed.sig",
    "._txc",
    ".x.\"y z\"",
    "==",
    "!=",
    "=~",
    "!~",
    "<",
    "<=",
    ">",
    ">=",
    "=",
    "!",
    "&&",
    "||",
    ",",
    "(",
    ")",
    "[",
    "]",
    "{",
    "/",
    "*",
    ";",
    "/re(x)?/",
    "\"text\"",
    "\"https://h/\"",
    "\"txco://x\"",
    "\"shop/10\"",
    "b64\"x\"",
    "\"open",
    "/open",
    "&",
    "@",
    ".",
    "&concat",
    "&uuid",
    "&now",
    "&json",
    "&b64encode",
    "&b64decode",
    "&nope",
    "1",
    "-2",
    "3.5",
    "010",
    "1-2",
    "9e9",
    "secrets.headers.x.secret",
    "secrets.body",
    "method",
    "name",
    "# c\n",
    "\n",
    "ü",
    "\u{0}",
    "\\",
    "'",
];

/// Pieces that are often whole clauses, so that many soups compile.
const CLAUSES: &[&str] = &[
    "WHEN .a == 1",
    "WHEN !(.b.c =~ /x/ || .a > \"b\")",
    "SET .a = .b",
    "SET .arr.-1 = &concat(.a, .b, 1)",
    "SET .d = &json(.a)",
    "SET .d.e.f = .arr",
    "SELECT .a AS .z DEFAULT 1, .body",
    "SELECT *",
    "WITH x = .a, y.z = [1]",
    "EXEC \"https://h/\"",
    "EXEC \"txco://x\"",
    "EMIT .n = .a, .m.0 = .n",
    "EMIT .arr.-1 = .arr",
    "PRIORITY 2",
    "SET @web.req.headers.q = .a",
    "EMIT @web.res.status = 200",
    "WITH secrets.headers.k.secret = \"K\"",
];

const DOCUMENTS: &[&str] = &[
    "{}",
    r#"{"a":1,"b":{"c":"x"},"arr":[1,[2]],"_txc":{"web":{"res":5}},"_ts":"now"}"#,
    r#"{"a":"{\"k\":[]}","b":[null],"arr":{"0":1},"body":{"k":1e300}}"#,
    r#"{"a":null,"b":-0.0,"arr":"s","x":18446744073709551615}"#,
];

fn run(text: &str, mode: Mode, dice: &mut Dice) -> usize {
    let (rules, findings) = check(&RuleFile { path: "soup.txcl", name: "soup", text }, mode, &AnyOps);
    // Drawing is dear; every tenth file is enough to find a bad span.
    if dice.roll(10) == 0 {
        assert!(findings.is_empty() || findings.render(Color::Plain).contains("-->"), "{text}");
    }
    for finding in findings.iter() {
        assert!(text.get(finding.span.clone()).is_some(), "span {:?} in {text:?}", finding.span);
    }
    crate::format::tests::holds(text);
    if findings.has_errors() {
        return 0;
    }
    let mut document = Value::parse(dice.pick(DOCUMENTS).as_bytes()).unwrap();
    if dice.roll(3) == 0 {
        let sealed = Value::Sealed(Sealed::credential(CredentialId::new(0)));
        document.set(&Path::parse(dice.pick(&["a", "b.c", "arr"])).unwrap(), sealed).unwrap_or_default();
    }
    let envelope = Envelope::new(document).unwrap();
    let clock = Clock { now: jiff::Timestamp::UNIX_EPOCH };
    for rule in &rules {
        let evaluate = || {
            let matched = rule.matches(&envelope, &clock);
            let prepared = rule.prepare(&envelope, &clock);
            let overlaid = prepared.as_ref().ok().map(|p| rule.overlay(Value::Null, p, &clock));
            let mut merged = envelope.clone();
            let after = rule.after(&mut merged, &clock);
            (matched, prepared, overlaid, after, merged)
        };
        let once = evaluate();
        // Only chance may differ between two evaluations.
        if !text.contains("&uuid") {
            assert_eq!(once, evaluate(), "{text}");
        }
    }
    rules.len()
}

#[test]
fn soups_of_tokens_never_panic() {
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let mut compiled = 0;
    for round in 0..6_000 {
        let mode = if round % 2 == 0 { Mode::Strict } else { Mode::Lenient };
        let mut text = String::new();
        for _ in 0..=dice.roll(14) {
            let piece = if dice.roll(3) == 0 { dice.pick(TOKENS) } else { dice.pick(CLAUSES) };
            text.push_str(piece);
            text.push_str(dice.pick(&[" ", " ", " ", "\n", ""]));
        }
        compiled += run(&text, mode, &mut dice);
    }
    assert!(compiled > 500, "only {compiled} rules compiled: the soup is too thick");
}

#[test]
fn soups_of_characters_never_panic() {
    let mut dice = Dice(0xD1B5_4A32_D192_ED03);
    let alphabet: Vec<char> = "WHENSETaz_09.-@&|!=~<>()[]{}*,;:/\\\"'# \n\tüß\u{feff}\u{0}".chars().collect();
    for _ in 0..6_000 {
        let text: String = (0..dice.roll(60)).map(|_| alphabet[dice.roll(alphabet.len())]).collect();
        run(&text, Mode::Lenient, &mut dice);
    }
}

#[test]
fn every_beginning_of_a_rule_is_handled() {
    let text = "WHEN .a == 1 && !(.b =~ /x\\/y/)\nSET .c = &concat(\"ü\\n\", b64\"x\", [1, 2.5])\n\
                WITH secrets.headers.\"x.y\".secret = \"K\", a.b = @c EXEC \"https://h/\" SELECT .d AS .e DEFAULT 1";
    let mut dice = Dice(1);
    for end in (0..=text.len()).filter(|end| text.is_char_boundary(*end)) {
        run(&text[..end], Mode::Strict, &mut dice);
        run(&text[..end], Mode::Lenient, &mut dice);
    }
}
