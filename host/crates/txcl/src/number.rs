//! Number literals: decimal, no leading zeros, within 64 bits.

use crate::diagnostic::{Problem, Span};

/// A number literal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    Int(i64),
    Float(f64),
}

/// A literal and what is wrong with it, if anything.
pub(crate) enum Reading {
    Sound(Number),
    /// Wrong, with the meaning the existing chassis gives it.
    Tolerable(Problem, Number),
    /// Two tokens there, nonsense here.
    Refused(Problem),
}

/// Reads the run of characters that the lexer took for a number.
pub(crate) fn read(text: &str, span: &Span) -> Reading {
    if let Some(odd) = text.chars().find(|c| c.is_ascii_alphabetic() || *c == '_') {
        let problem = Problem::at(span, format!("{text:?} is not a number"));
        return Reading::Refused(problem.hint(match odd {
            'e' | 'E' => "numbers have no exponent; write 1000 for 1e3",
            _ => "numbers are decimal and have no unit; a text stands in double quotes",
        }));
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(w, f)| (w, Some(f)));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let problem = Problem::at(span, format!("{text:?} is not a number"));
    if !all_digits(whole) || !fraction.is_none_or(all_digits) {
        let hint = "numbers look like 7, -7 or 7.5; txcl has no arithmetic operators";
        return Reading::Tolerable(problem.hint(hint), loose(text));
    }
    if whole.len() > 1 && whole.starts_with('0') {
        let decimal = whole.trim_start_matches('0');
        let hint = format!(
            "numbers have no leading zero: write {}, or the text {text:?} in quotes (the Go chassis reads octal here)",
            if decimal.is_empty() { "0" } else { decimal }
        );
        return Reading::Tolerable(problem.hint(hint), loose(text));
    }
    let range = || {
        let problem = Problem::at(span, "this number is out of range");
        Reading::Tolerable(problem.hint("whole numbers have 64 bits; write larger ones as text"), loose(text))
    };
    if fraction.is_some() {
        return match text.parse::<f64>() {
            Ok(n) if n.is_finite() => Reading::Sound(Number::Float(n)),
            _ => range(),
        };
    }
    text.parse().map_or_else(|_| range(), |n| Reading::Sound(Number::Int(n)))
}

/// What the existing chassis makes of any run of digits, dots and minus signs.
fn loose(text: &str) -> Number {
    if text.contains('.') {
        return Number::Float(text.parse().ok().filter(|n: &f64| n.is_finite()).unwrap_or(0.0));
    }
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let radix = if digits.len() > 1 && digits.starts_with('0') { 8 } else { 10 };
    let valid = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
    Number::Int(match i64::from_str_radix(text, radix) {
        Ok(n) => n,
        Err(_) if valid && negative => i64::MIN,
        Err(_) if valid => i64::MAX,
        Err(_) => 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tolerated(text: &str) -> Number {
        match read(text, &(0..0)) {
            Reading::Tolerable(_, number) => number,
            Reading::Sound(_) | Reading::Refused(_) => panic!("{text} should be tolerable"),
        }
    }

    #[test]
    fn sound_numbers() {
        for (text, number) in [
            ("0", Number::Int(0)),
            ("-0", Number::Int(0)),
            ("42", Number::Int(42)),
            ("-9223372036854775808", Number::Int(i64::MIN)),
            ("5.6", Number::Float(5.6)),
            ("0.5", Number::Float(0.5)),
            ("-1.10", Number::Float(-1.1)),
        ] {
            assert!(matches!(read(text, &(0..0)), Reading::Sound(n) if n == number), "{text}");
        }
    }

    #[test]
    fn the_reference_reads_octal_and_zero_where_we_refuse() {
        for (text, number) in [
            ("010", Number::Int(8)),
            ("089", Number::Int(0)),
            ("1-2", Number::Int(0)),
            ("--5", Number::Int(0)),
            ("1.2.3", Number::Float(0.0)),
            ("-.5", Number::Float(-0.5)),
            ("99999999999999999999", Number::Int(i64::MAX)),
            ("-99999999999999999999", Number::Int(i64::MIN)),
        ] {
            assert_eq!(tolerated(text), number, "{text}");
        }
    }

    #[test]
    fn letters_make_no_number() {
        for text in ["5s", "1e5", "0x10", "1_000"] {
            assert!(matches!(read(text, &(0..0)), Reading::Refused(_)), "{text}");
        }
    }
}
