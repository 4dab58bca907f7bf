//! What patterns match, as Go's `regexp` has it; where the `regex` crate alone would differ, the row says how.

use super::compile;

/// A pattern, texts in which it is found, and texts in which it is not.
type Row<'a> = (&'a str, &'a [&'a str], &'a [&'a str]);

fn table(rows: &[Row<'_>]) {
    for (pattern, found, missed) in rows {
        let regex = compile(pattern).unwrap_or_else(|why| panic!("{pattern}: {why}"));
        for text in *found {
            assert!(regex.is_match(text), "{pattern} is not found in {text:?}");
        }
        for text in *missed {
            assert!(!regex.is_match(text), "{pattern} is found in {text:?}");
        }
    }
}

#[test]
fn classes_are_ascii() {
    table(&[
        // Unicode's there.
        (r"^\d+$", &["2026"], &["٢٠٢٦"]),
        (r"^\w+$", &["a_1"], &["straße"]),
        (r"^\W$", &["ß"], &["a"]),
        (r"^\s$", &["\t", "\n", "\x0c", "\r", " "], &["\u{a0}", "\x0b", "\u{85}"]),
        (r"^\S$", &["\u{a0}", "\x0b"], &[" "]),
        (r"^[\w-]+$", &["a-b"], &["ä"]),
        (r"^[^\w]$", &["ä"], &["a"]),
        (r"^[\D]$", &["x", "٢"], &["1"]),
        (r"\bab\b", &["x ab y", "ßabß"], &["xab", "ab_"]),
        (r"a\Bb", &["ab"], &[]),
        (r"^\B$", &[""], &[]),
        (r"^[[:word:]]+$", &["a_1"], &["ß"]),
        (r"^[[:^alpha:]]$", &["1", "ß"], &["a"]),
        (r"^[[:space:]]$", &["\x0b", " "], &["\u{a0}"]),
        (r"^\\d$", &[r"\d"], &["5"]),
        // With (?i) two letters beyond ASCII are theirs, as there.
        (r"(?i)^\w$", &["k", "\u{212a}", "\u{17f}"], &["ß"]),
        (r"(?i)^\W$", &["ß"], &["\u{212a}", "k"]),
        (r"(?i)^[[:lower:]]$", &["A"], &["1"]),
    ]);
}

#[test]
fn brackets_hold_characters() {
    table(&[
        // A set in a set there.
        ("^[[]$", &["["], &[]),
        ("^[a[b]$", &["[", "a"], &["]"]),
        ("^[]a]+$", &["]a"], &[]),
        ("^[^]]$", &["a"], &["]"]),
        ("^[a]]$", &["a]"], &["]"]),
        // Operators on sets there.
        ("^[a&&b]+$", &["&b", "a"], &["c"]),
        ("^[~~]$", &["~"], &["a"]),
        ("^[a~~b]$", &["~", "a", "b"], &[]),
        ("^[%--]$", &["%", "&", "'", "(", ")", "*", "+", ",", "-"], &["$", "."]),
        ("^[--a]$", &["-", "A", "Z", "^", "a"], &["b", "+"]),
        ("^[---]$", &["-"], &["a"]),
        ("^[a-]$", &["a", "-"], &["b"]),
        ("^[-a]$", &["a", "-"], &["b"]),
        ("^[a-c-e]$", &["b", "-", "e"], &["d"]),
        (r"^[\d-z]$", &["5", "-", "z"], &["a"]),
        (r"^[+\-*/]$", &["-", "*"], &[","]),
        ("^[[:digit:]x]+[[:alpha:]]$", &["1xa"], &["1x1"]),
        ("^[[:digit:]]$", &["7"], &["a", ":"]),
        // No name: characters.
        ("^[[:a]$", &["[", ":", "a"], &["b"]),
        ("^[:a:]$", &[":", "a"], &["b"]),
        (r"^[\]]$", &["]"], &[]),
        (r"^[\[\]\\^$.|?*+(){}#&~ -]+$", &[r"[]\^$.|?*+(){}#&~ -"], &["a"]),
        (r"^[\<\>]$", &["<", ">"], &[]),
        (r"^[\60-\71]$", &["5"], &["a"]),
        (r"^[\x41-\x{43}\n]$", &["B", "\n"], &["D"]),
        (r"^[^a]$", &["\n", "b"], &["a"]),
        (r"^[^\x00-\x{10FFFF}]?$", &[""], &["a"]),
        ("^[ä-ü]$", &["ö"], &["o"]),
    ]);
}

#[test]
fn braces_count_or_are_themselves() {
    table(&[
        (r#"^{"a":"#, &[r#"{"a":1}"#], &[]),
        ("^a{2}b{1,}c{1,2}$", &["aabc"], &["abc"]),
        ("^a{,2}$", &["a{,2}"], &["aa"]),
        // Two there.
        ("^a{02}$", &["a{02}"], &["aa"]),
        ("^a{1,02}$", &["a{1,02}"], &["aa"]),
        ("^a{ 2}$", &["a{ 2}"], &["aa"]),
        ("^a{2, 3}$", &["a{2, 3}"], &["aa"]),
        ("^a{2,3,4}x{}{$", &["a{2,3,4}x{}{"], &[]),
        ("^a{0}b{0,1}$", &["", "b"], &["a"]),
        ("^x{1000}$", &[&"x".repeat(1000)], &["x"]),
        ("^(?:(?:x{10}){10}){10}$", &[&"x".repeat(1000)], &["x"]),
        ("^.{1,1000}$", &["a"], &[""]),
        (r"^[\s\S]{0,1000}$", &["\n"], &[]),
        ("^a+?b*?c??d{1,2}?$", &["abcd"], &["bcd"]),
        ("^]}$", &["]}"], &[]),
    ]);
}

#[test]
fn escapes() {
    table(&[
        // Beginning and end of a word there.
        (r"^\<b\>$", &["<b>"], &["b"]),
        (r"\b{start}", &["a{start}"], &["a"]),
        (r"^\101\12\0$", &["A\n\0"], &[]),
        (r"^\1018$", &["A8"], &[]),
        (r"^\377$", &["ÿ"], &[]),
        (r"^\x41\x{1F600}\x{00000041}$", &["A😀A"], &[]),
        (r"^\_\a\f\v\t\r\-\@\ \#\/\%$", &["_\x07\x0c\x0b\t\r-@ #/%"], &[]),
        (r"\Aa\z", &["a"], &["a\n", "ba"]),
        (r"^a$", &["a"], &["a\n", "\na"]),
        (r"^\Qa.b{2}\E+$", &["a.b{2}}"], &["axb{2}"]),
        (r"\Qto the end.", &["to the end."], &["to the end!"]),
        (r"^a\Q\E+$", &["aa"], &[""]),
        (r"^\Q\n\E$", &[r"\n"], &["\n"]),
        (r"^\pL\p{N}\PN\p{^L}\P{^L}$", &["a1a1a"], &[]),
        (r"^\p{Greek}\p{Lu}\p{Nd}\p{Old_Italic}?$", &["αA1"], &["aA1"]),
        (r"^[\p{Han}\pN]+$", &["漢字1"], &["a"]),
        (r"(?i)^\p{Lu}$", &["a", "A"], &["1"]),
    ]);
}

#[test]
fn groups_and_flags() {
    table(&[
        ("ba.", &["foo baß"], &["ba\n"]),
        ("(?i)ABC", &["xabcx"], &[]),
        ("a(?i)b|c", &["aB", "C"], &["AB"]),
        ("^(?i:a)b$", &["Ab"], &["aB"]),
        ("^(a(?i)b)c$", &["aBc"], &["aBC"]),
        ("(?i)a(?-i)b", &["Ab"], &["AB"]),
        ("(?s)a.b", &["a\nb"], &[]),
        ("(?m)^b$", &["a\nb\nc"], &["ab"]),
        ("(?ms)^b.c", &["a\nb\nc"], &[]),
        ("(?sm-s)a.b", &["axb"], &["a\nb"]),
        ("(?U)a+", &["a"], &[]),
        ("(?ii)a", &["A"], &[]),
        ("(?)a", &["a"], &["A"]),
        ("(?P<n>a)(?<n2>b)(?P<1x>c)(?P<n>d)", &["abcd"], &[]),
        ("^(|a)(b||c)()$", &["", "ab", "c"], &["aa"]),
        ("(?i)straße", &["STRAßE", "STRAẞE"], &["strasse"]),
        ("(?i)^[k]$", &["\u{212a}"], &[]),
        ("^*ab", &["xab"], &[]),
        // Blanks and # are themselves.
        ("a b#c", &["a b#c"], &["ab"]),
    ]);
}

/// Some of it means something to the `regex` crate, or to Perl; to Go nothing, so that there it never matches.
#[test]
fn what_go_does_not_compile_is_refused() {
    for (pattern, why) in [
        ("(", "unclosed group"),
        ("a)", "closes nothing"),
        ("[a", "is not closed"),
        ("[]", "is not closed"),
        ("[a-", "is not closed"),
        ("[b-a]", "upside down"),
        (r"[A-\d]", "ends with a set"),
        (r"[a-\pL]", "ends with a set"),
        ("[a--]", "upside down"),
        ("[[:foo:]]", "no set [:foo:]"),
        ("[[:alpha:", "is not closed"),
        (r"[\b]", r"\b has no meaning"),
        (r"[\Qa\E]", r"\Q has no meaning"),
        (r"\Z", r"\Z has no meaning"),
        (r"\C", r"\C has no meaning"),
        (r"\e", r"\e has no meaning"),
        (r"\u0041", r"\u has no meaning"),
        (r"\é", r"\é has no meaning"),
        (r"\x4", r"\x has two digits"),
        (r"\x{}", r"\x has two digits"),
        (r"\x{+41}", r"\x has two digits"),
        (r"\x{110000}", "no character has the number"),
        (r"\x{D800}", "no character has the number"),
        (r"(a)\1", "backreferences are not supported"),
        (r"\18", "backreferences are not supported"),
        ("a\\", "ends with a backslash"),
        (r"\p{Alphabetic}", "no category and no script"),
        (r"\p{Emoji}", "no category and no script"),
        (r"\p{sc=Greek}", "no category and no script"),
        (r"\p{IsGreek}", "no category and no script"),
        (r"\p{Latn}", "no category and no script"),
        (r"\pX", "no category and no script"),
        (r"\p{Greek", "is not closed"),
        ("(?x)a b", "(? begins"),
        ("(?u)a", "(? begins"),
        (r"(?-u)\w", "(? begins"),
        ("(?R)a", "(? begins"),
        ("(?i-)a", "(? begins"),
        ("(?#comment)", "(? begins"),
        ("(?=a)", "look-around"),
        ("(?!a)", "look-around"),
        ("(?>a)", "(? begins"),
        ("(?<=a)b", "look-around"),
        ("(?<!a)b", "look-around"),
        ("(?P<a.b>c)", "the name of a group"),
        ("(?P<>c)", "the name of a group"),
        ("(?P=n)", "(? begins"),
        ("*", "nothing that * repeats"),
        ("a|+", "nothing that + repeats"),
        ("(?:{2})", "nothing that {2} repeats"),
        (r"\Q\E*", "nothing that * repeats"),
        ("a**", "repeats a repetition"),
        ("a++", "repeats a repetition"),
        ("a??b?*", "repeats a repetition"),
        ("a{2}{3}", "repeats a repetition"),
        ("a{1001}", "more than 1000 times"),
        ("a{1,1001}", "more than 1000 times"),
        ("a{99999999999}", "more than 1000 times"),
        ("a{3,2}", "upside down"),
        ("(?:a{100}){11}", "more than 1000 times"),
        ("(?:(?:a{2}b|c){2}){500}", "more than 1000 times"),
    ] {
        let reason = compile(pattern).map(|_| ()).expect_err(pattern);
        assert!(reason.contains(why) && !reason.contains('\n'), "{pattern}: {reason}");
    }
}

#[test]
fn what_is_too_large_says_so() {
    for pattern in [r"(?:\pL{30}){30}".to_owned(), "(".repeat(1000) + &")".repeat(1000)] {
        let reason = compile(&pattern).unwrap_err();
        assert!(!reason.is_empty() && !reason.contains('\n'), "{reason}");
    }
}

#[test]
fn many_names_are_looked_up_once() {
    let many = r"\p{Greek}".repeat(20_000);
    let began = std::time::Instant::now();
    let _too_large = compile(&many);
    assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
}
