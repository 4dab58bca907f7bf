//! Regular expressions, compiled once at load, meaning what they mean to the Go chassis.

use std::iter::Peekable;
use std::str::Chars;

use regex::{Regex, RegexBuilder};

/// What a compiled pattern may take in memory.
const MAX_COMPILED: usize = 1 << 20;

/// Compiles a pattern in RE2's dialect.
///
/// The two engines differ in one thing that matters: RE2's `\d \s \w \b` are ASCII, while
/// those of the `regex` crate match any script's. A rule that checks `^\d+$` means 0 to 9.
pub(crate) fn compile(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(&ascii_classes(pattern)).size_limit(MAX_COMPILED).build().map_err(|e| {
        if let regex::Error::CompiledTooBig(limit) = e {
            return format!("it compiles to more than {limit} bytes");
        }
        // The last line of a syntax error is its reason; those before draw the pattern.
        let text = e.to_string();
        let last = text.lines().last().unwrap_or_default();
        last.strip_prefix("error: ").unwrap_or(last).to_owned()
    })
}

/// Spells out the classes, and takes from the `regex` crate what RE2 does not have inside
/// of brackets: nested sets and the operators `&&` and `~~`.
fn ascii_classes(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars().peekable();
    let mut class = Class::Outside;
    while let Some(c) = chars.next() {
        let inside = class != Class::Outside;
        match (c, chars.peek().copied()) {
            ('\\', Some('Q')) if !inside => quoted(&mut chars, &mut out),
            ('\\', Some('p' | 'P' | 'x')) => named(&mut chars, &mut out),
            ('\\', Some('0'..='7')) => octal(&mut chars, &mut out),
            ('\\', _) => escape(chars.next(), inside, &mut out),
            // What repeats nothing is a brace, as in a search for JSON.
            ('{', _) if !inside && !is_count(chars.clone()) => out.push_str(r"\{"),
            ('[', Some(':')) if inside => out.push('['),
            (':', Some(']')) if inside => {
                out.extend([':', ']']);
                chars.next();
            }
            ('[' | '&' | '~', _) if inside => out.extend(['\\', c]),
            (c, _) => out.push(c),
        }
        class = match (class, c) {
            (Class::Outside, '[') | (Class::First, '^') => Class::First,
            (Class::Outside, _) | (Class::Later, ']') => Class::Outside,
            (Class::First | Class::Later, _) => Class::Later,
        };
    }
    out
}

/// Where in a bracketed class the pattern is; a `]` at its beginning is a character.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Outside,
    First,
    Later,
}

/// Whether `2}`, `2,}` or `2,3}` follows.
fn is_count(after: impl Iterator<Item = char>) -> bool {
    let count: String = after.take_while(|c| c.is_ascii_digit() || *c == ',' || *c == '}').collect();
    let Some((inside, _)) = count.split_once('}') else { return false };
    let (least, most) = inside.split_once(',').unwrap_or((inside, ""));
    !least.is_empty() && !least.contains(',') && !most.contains(',')
}

/// `\Q…\E`: everything in between is itself.
fn quoted(chars: &mut Peekable<Chars<'_>>, out: &mut String) {
    chars.next();
    let mut text = String::new();
    for c in chars {
        text.push(c);
        if text.ends_with("\\E") {
            text.truncate(text.len() - 2);
            break;
        }
    }
    out.push_str(&regex::escape(&text));
}

/// `\pL`, `\p{Greek}`, `\x7f`, `\x{7f}`: the brace after these is theirs.
fn named(chars: &mut Peekable<Chars<'_>>, out: &mut String) {
    out.push('\\');
    out.extend(chars.next());
    if chars.peek() == Some(&'{') {
        for c in chars {
            out.push(c);
            if c == '}' {
                break;
            }
        }
    }
}

/// `\0`, `\12`, `\101`: a character by its number in octal; `\1` alone stays what it is, a
/// backreference, which neither engine has.
fn octal(chars: &mut Peekable<Chars<'_>>, out: &mut String) {
    let digits: String = chars.clone().take(3).take_while(|c| c.is_digit(8)).collect();
    let whole = if digits.len() > 1 || digits == "0" { digits.as_str() } else { "" };
    match u32::from_str_radix(whole, 8) {
        Ok(number) => {
            out.push_str(&format!("\\x{{{number:x}}}"));
            chars.by_ref().take(digits.len()).for_each(drop);
        }
        Err(_) => out.push('\\'),
    }
}

fn escape(escaped: Option<char>, inside: bool, out: &mut String) {
    match escaped {
        Some('d') => out.push_str("[0-9]"),
        Some('D') => out.push_str("[^0-9]"),
        Some('s') => out.push_str(r"[\t\n\f\r ]"),
        Some('S') => out.push_str(r"[^\t\n\f\r ]"),
        Some('w') => out.push_str("[0-9A-Za-z_]"),
        Some('W') => out.push_str("[^0-9A-Za-z_]"),
        Some('b') if !inside => out.push_str(r"(?-u:\b)"),
        Some('B') if !inside => out.push_str(r"(?-u:\B)"),
        // In the `regex` crate these are the beginning and the end of a word.
        Some(angle @ ('<' | '>')) => out.push(angle),
        Some(other) => out.extend(['\\', other]),
        None => out.push('\\'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        compile(pattern).unwrap().is_match(text)
    }

    #[test]
    fn classes_are_ascii_as_in_re2() {
        assert!(matches(r"^\d+$", "2026"));
        assert!(!matches(r"^\d+$", "٢٠٢٦"));
        assert!(!matches(r"^\w+$", "straße"));
        assert!(matches(r"^\W$", "ß"));
        assert!(matches(r"^[\w-]+$", "a-b"));
        assert!(!matches(r"^[\w-]+$", "ä"));
        assert!(matches(r"^[\D]$", "x"));
        assert!(matches(r"\bab\b", "x ab y"));
        assert!(matches(r"ß\bab", "ßab"));
        assert!(matches(r"a\Bb", "ab"));
        assert!(!matches(r"^\s$", "\u{a0}"));
        assert!(matches(r"^\\d$", r"\d"));
    }

    #[test]
    fn brackets_hold_characters_as_in_re2() {
        assert!(matches("^[[]$", "["));
        assert!(matches("^[]a]+$", "]a"));
        assert!(matches("^[^]]$", "a"));
        assert!(matches("^[a&&b]+$", "&b"));
        assert!(matches("^[~~]$", "~"));
        assert!(matches("^[[:digit:]x]+[[:alpha:]]$", "1xa"));
        assert!(!matches("^[[:digit:]]$", "a"));
        assert!(matches(r"^[\]]$", "]"));
    }

    #[test]
    fn braces_count_or_are_themselves_as_in_re2() {
        assert!(matches(r#"^{"a":"#, r#"{"a":1}"#));
        assert!(matches("^a{2}b{1,}c{1,2}$", "aabc"));
        assert!(matches("^a{,2}$", "a{,2}"));
        assert!(matches("^a{2,3,4}x{}{$", "a{2,3,4}x{}{"));
        assert!(matches(r"^\p{Greek}\x{41}\x42\pL[{]$", "αABc{"));
        assert!(matches(r"^\Qa.b{2}\E+$", "a.b{2}}"));
        assert!(!matches(r"^\Qa.b\E$", "axb"));
        assert!(matches(r"\Qto the end.", "to the end."));
    }

    #[test]
    fn the_search_is_unanchored_and_unicode_elsewhere() {
        assert!(matches("ba.", "foo baß"));
        assert!(matches(r"^\p{L}+$", "straße"));
        assert!(matches("(?i)ABC", "xabcx"));
    }

    #[test]
    fn escapes_mean_what_they_mean_in_re2() {
        assert!(matches(r"^\<b\>$", "<b>"));
        assert!(!matches(r"\<b\>", "b"));
        assert!(matches(r"^[\<\>]$", ">"));
        assert!(matches(r"^\101\12\0$", "A\n\0"));
        assert!(matches(r"^[\60-\71]$", "5"));
        assert!(matches(r"^\1018$", "A8"));
        assert!(compile(r"(a)\1").unwrap_err().contains("backreferences"));
        assert!(compile(r"\18").is_err());
        assert!(matches(r"^\_\a\f\v\-\@$", "_\x07\x0c\x0b-@"));
    }

    #[test]
    fn what_cannot_be_compiled_says_why_in_one_line() {
        for bad in ["(", "[a", r"\Z", "(?<=a)b", "a{1000}{1000}{1000}", "*"] {
            let reason = compile(bad).unwrap_err();
            assert!(!reason.is_empty() && !reason.contains('\n'), "{bad}: {reason}");
        }
    }
}
