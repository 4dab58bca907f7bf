//! Sets of characters, and what a backslash makes of what follows it.

use regex::Regex;

use super::text::{Text, itself};

/// The sets in brackets of their own, `[:alpha:]`; all of them ASCII.
const POSIX: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
    "upper", "word", "xdigit",
];

/// Scripts whose names have four letters. Others of four letters are the short names of scripts,
/// which Go does not know.
const SHORT_SCRIPTS: [&str; 9] = ["ahom", "cham", "kawi", "lisu", "miao", "modi", "newa", "thai", "toto"];

/// What a backslash and what follows it stand for.
pub(super) enum Escaped {
    /// A set, as it is written for the `regex` crate.
    Set(String),
    One(char),
}

/// Reads what follows a backslash, other than the places in a text (`\A`, `\b`) and `\Q`.
pub(super) fn escaped(text: &mut Text<'_>) -> Result<Escaped, String> {
    let Some(c) = text.next() else { return Err("it ends with a backslash".to_owned()) };
    let set = match c {
        'd' => "[0-9]",
        'D' => "[^0-9]",
        's' => r"[\t\n\f\r ]",
        'S' => r"[^\t\n\f\r ]",
        'w' => "[0-9A-Za-z_]",
        'W' => "[^0-9A-Za-z_]",
        'p' | 'P' => return property(c == 'P', text).map(Escaped::Set),
        'a' => return Ok(Escaped::One('\x07')),
        'f' => return Ok(Escaped::One('\x0c')),
        'n' => return Ok(Escaped::One('\n')),
        'r' => return Ok(Escaped::One('\r')),
        't' => return Ok(Escaped::One('\t')),
        'v' => return Ok(Escaped::One('\x0b')),
        'x' => return hexadecimal(text).map(Escaped::One),
        '0'..='7' => return octal(c, text).map(Escaped::One),
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => return Ok(Escaped::One(c)),
        c => return Err(format!("\\{c} has no meaning in Go's dialect")),
    };
    Ok(Escaped::Set(set.to_owned()))
}

/// `\0`, `\12`, `\101`; `\1` alone is a backreference.
fn octal(first: char, text: &mut Text<'_>) -> Result<char, String> {
    let digit = |c: Option<char>| c.and_then(|c| c.to_digit(8));
    let mut number = digit(Some(first)).unwrap_or_default();
    if number != 0 && digit(text.peek()).is_none() {
        return Err(format!("\\{first}: backreferences are not supported"));
    }
    for _ in 0..2 {
        let Some(next) = digit(text.peek()) else { break };
        number = number * 8 + next;
        text.next();
    }
    character(number)
}

/// `\x7f`, `\x{1f600}`.
fn hexadecimal(text: &mut Text<'_>) -> Result<char, String> {
    let wrong = || r"\x has two digits, or more in braces: \x{1F600}".to_owned();
    let braces = text.take("{");
    let digits: String = if braces {
        text.until("}").ok_or_else(wrong)?.to_owned()
    } else {
        [text.next(), text.next()].into_iter().flatten().collect()
    };
    let all = digits.bytes().all(|digit| digit.is_ascii_hexdigit()) && (braces || digits.len() == 2);
    let number = u32::from_str_radix(&digits, 16).ok().filter(|_| all).ok_or_else(wrong)?;
    character(number)
}

fn character(number: u32) -> Result<char, String> {
    char::from_u32(number).ok_or_else(|| format!("no character has the number {number:x}"))
}

/// `\pL`, `\p{Greek}`, `\p{^Greek}`: a general category or a script, and nothing else that Unicode has.
fn property(negated: bool, text: &mut Text<'_>) -> Result<String, String> {
    let whole = if text.take("{") {
        text.until("}").ok_or_else(|| r"a \p{ is not closed".to_owned())?.to_owned()
    } else {
        text.next().into_iter().collect()
    };
    let name = whole.strip_prefix('^');
    let negated = negated != name.is_some();
    let name: String = name.unwrap_or(&whole).chars().filter(|c| !matches!(c, ' ' | '_' | '-')).collect();
    let name = name.to_ascii_lowercase();
    let kind = match text.names.get(&name) {
        Some(kind) => kind,
        None => {
            let kind =
                kind_of(&name).ok_or_else(|| format!("\\p{{{whole}}} is no category and no script"))?;
            text.names.insert(name.clone(), kind);
            kind
        }
    };
    Ok(format!("\\{}{{{kind}={name}}}", if negated { 'P' } else { 'p' }))
}

/// The property whose value has this name.
fn kind_of(name: &str) -> Option<&'static str> {
    let plain = name.bytes().all(|c| c.is_ascii_alphanumeric()) && !name.starts_with("is");
    let is_script = name.len() != 4 || SHORT_SCRIPTS.contains(&name);
    let kinds = [Some("gc"), is_script.then_some("sc")].into_iter().flatten();
    kinds.filter(|_| plain).find(|kind| Regex::new(&format!("\\p{{{kind}={name}}}")).is_ok())
}

/// Reads what follows `[`, up to its `]`.
pub(super) fn bracketed(text: &mut Text<'_>) -> Result<String, String> {
    let open = || "a [ is not closed".to_owned();
    let mut set = String::from(if text.take("^") { "[^" } else { "[" });
    let mut first = true;
    while first || !text.take("]") {
        first = false;
        if let Some(named) = text.rest.strip_prefix("[:")
            && let Some((name, after)) = named.split_once(":]")
        {
            if !POSIX.contains(&name.strip_prefix('^').unwrap_or(name)) {
                return Err(format!("there is no set [:{name}:]"));
            }
            set.push_str(&format!("[:{name}:]"));
            text.rest = after;
            continue;
        }
        let from = match text.next().ok_or_else(open)? {
            '\\' => match escaped(text)? {
                Escaped::Set(inner) => {
                    set.push_str(&inner);
                    continue;
                }
                Escaped::One(c) => c,
            },
            c => c,
        };
        itself(from, &mut set);
        // At the end a `-` is itself.
        if !text.rest.strip_prefix('-').is_some_and(|after| !after.is_empty() && !after.starts_with(']')) {
            continue;
        }
        text.next();
        let to = match text.next().ok_or_else(open)? {
            '\\' => match escaped(text)? {
                Escaped::Set(_) => return Err(format!("the range from {from:?} ends with a set")),
                Escaped::One(c) => c,
            },
            c => c,
        };
        if to < from {
            return Err(format!("the range from {from:?} to {to:?} is upside down"));
        }
        set.push('-');
        itself(to, &mut set);
    }
    set.push(']');
    Ok(set)
}
