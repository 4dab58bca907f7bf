//! Reads a pattern as Go's `regexp` does, and writes it as the `regex` crate reads the same.

use super::sets::{Escaped, bracketed, escaped};
use super::text::{Text, itself};

/// How often something is repeated at most, also what is inside of what is repeated.
const MAX_REPEATED: u32 = 1000;

/// The pattern for the `regex` crate; why Go would not compile it, if so.
pub(super) fn translated(pattern: &str) -> Result<String, String> {
    let mut reading = Reading { text: Text::of(pattern), ..Reading::default() };
    reading.whole()?;
    Ok(reading.out)
}

/// `(?i)`, `(?m)`, `(?s)`. `U` only says what is preferred, and we only ask whether anything matches.
#[derive(Debug, Clone, Copy, Default)]
struct Flags {
    fold: bool,
    lines: bool,
    all: bool,
}

impl Flags {
    /// All of them, as they are now.
    fn written(self) -> String {
        let named = |on: bool| {
            let all = [(self.fold, 'i'), (self.lines, 'm'), (self.all, 's')];
            all.into_iter().filter(|(is, _)| *is == on).map(|(_, name)| name).collect::<String>()
        };
        let (on, off) = (named(true), named(false));
        if off.is_empty() { on } else { format!("{on}-{off}") }
    }
}

/// A group that is open: what holds behind it again.
#[derive(Debug)]
struct Outer {
    flags: Flags,
    most: u32,
}

#[derive(Debug, Default)]
struct Reading<'p> {
    text: Text<'p>,
    out: String,
    flags: Flags,
    groups: Vec<Outer>,
    /// How often what can be repeated next is repeated inside; nothing when nothing can.
    last: Option<u32>,
    /// The most of them in this group.
    most: u32,
    /// Whether the last word was a repetition.
    repeated: bool,
}

impl Reading<'_> {
    fn whole(&mut self) -> Result<(), String> {
        while let Some(c) = self.text.next() {
            let repeated = std::mem::take(&mut self.repeated);
            match c {
                '(' => self.open()?,
                ')' => self.close()?,
                '|' => {
                    self.out.push('|');
                    self.last = None;
                }
                '^' | '$' | '.' => self.put(c.encode_utf8(&mut [0; 4])),
                '[' => {
                    let set = bracketed(&mut self.text)?;
                    self.put(&set);
                }
                '*' | '+' | '?' => self.repeat(&c.to_string(), 1, repeated)?,
                '{' => match count(self.text.rest) {
                    Some((inside, after)) => {
                        self.text.rest = after;
                        let (written, times) = times(inside)?;
                        self.repeat(&written, times, repeated)?;
                    }
                    None => self.literal('{'),
                },
                '\\' => self.escape()?,
                c => self.literal(c),
            }
        }
        if self.groups.is_empty() { Ok(()) } else { Err("unclosed group".to_owned()) }
    }

    /// Something that can be repeated.
    fn put(&mut self, written: &str) {
        self.out.push_str(written);
        self.last = Some(1);
    }

    fn literal(&mut self, c: char) {
        itself(c, &mut self.out);
        self.last = Some(1);
    }

    fn escape(&mut self) -> Result<(), String> {
        let word = match self.text.peek() {
            Some('A') => r"\A",
            Some('z') => r"\z",
            Some('b') => r"(?-u:\b)",
            Some('B') => r"(?-u:\B)",
            Some('Q') => {
                self.text.next();
                let text = self.text.until(r"\E");
                let text = text.unwrap_or_else(|| std::mem::take(&mut self.text.rest));
                text.chars().for_each(|c| self.literal(c));
                return Ok(());
            }
            _ => {
                match escaped(&mut self.text)? {
                    Escaped::Set(set) => self.put(&set),
                    Escaped::One(c) => self.literal(c),
                }
                return Ok(());
            }
        };
        self.text.next();
        self.put(word);
        Ok(())
    }

    /// `times` is how often at most, or at least where there is no most.
    fn repeat(&mut self, written: &str, times: u32, repeated: bool) -> Result<(), String> {
        // Whether few or many are preferred makes no difference.
        self.text.take("?");
        if repeated {
            return Err(format!("{written} repeats a repetition; put that in (?:…)"));
        }
        let Some(last) = self.last else { return Err(format!("there is nothing that {written} repeats")) };
        let last = last.saturating_mul(times.max(1));
        if times >= 2 && last > MAX_REPEATED {
            return Err(format!("{written} repeats something more than {MAX_REPEATED} times"));
        }
        self.out.push_str(written);
        (self.last, self.most, self.repeated) = (Some(last), self.most.max(last), true);
        Ok(())
    }

    /// Behind `(`.
    fn open(&mut self) -> Result<(), String> {
        let outer = self.flags;
        if self.text.take("?") {
            if ["=", "!", "<=", "<!"].iter().any(|look| self.text.rest.starts_with(look)) {
                return Err("look-around, including look-ahead and look-behind, is not supported".to_owned());
            }
            if self.text.take("P<") || self.text.take("<") {
                let name = self.text.until(">").unwrap_or_default();
                if name.is_empty() || !name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_') {
                    return Err("the name of a group is letters, digits and _".to_owned());
                }
            } else if !self.flags()? {
                // They hold to the end of the group that they are in.
                self.out.push_str(&format!("(?{})", self.flags.written()));
                return Ok(());
            }
        }
        self.out.push_str(&format!("(?{}:", self.flags.written()));
        self.groups.push(Outer { flags: outer, most: self.most });
        (self.last, self.most) = (None, 0);
        Ok(())
    }

    /// Reads flags; tells whether a group begins behind them.
    fn flags(&mut self) -> Result<bool, String> {
        let (mut on, mut named) = (true, false);
        loop {
            match self.text.next() {
                Some('i') => self.flags.fold = on,
                Some('m') => self.flags.lines = on,
                Some('s') => self.flags.all = on,
                Some('U') => {}
                Some('-') if on => {
                    (on, named) = (false, false);
                    continue;
                }
                Some(end @ (':' | ')')) if on || named => return Ok(end == ':'),
                _ => {
                    let why = "(? begins a group, (?:…) or (?P<name>…), or the flags i, m, s and U";
                    return Err(why.to_owned());
                }
            }
            named = true;
        }
    }

    fn close(&mut self) -> Result<(), String> {
        let Some(outer) = self.groups.pop() else { return Err("a ) closes nothing".to_owned()) };
        self.out.push(')');
        let inside = self.most.max(1);
        (self.flags, self.most, self.last) = (outer.flags, outer.most.max(inside), Some(inside));
        Ok(())
    }
}

/// What stands in the braces that begin here, when it is a count: `2`, `2,`, `2,3`. Anything else
/// is itself, as in a search for JSON.
fn count(text: &str) -> Option<(&str, &str)> {
    let (inside, after) = text.split_once('}')?;
    let number = |text: &str| {
        text.bytes().all(|c| c.is_ascii_digit())
            && !text.is_empty()
            && (text == "0" || !text.starts_with('0'))
    };
    let is_count = match inside.split_once(',') {
        Some((least, most)) => number(least) && (most.is_empty() || number(most)),
        None => number(inside),
    };
    is_count.then_some((inside, after))
}

/// A count as it is written, and how often that is at most.
fn times(inside: &str) -> Result<(String, u32), String> {
    let wrong = |why: &str| format!("{{{inside}}} {why}");
    let number = |text: &str| {
        let number = text.parse::<u32>().ok().filter(|number| *number <= MAX_REPEATED);
        number.ok_or_else(|| wrong(&format!("repeats something more than {MAX_REPEATED} times")))
    };
    let (least, most) = inside.split_once(',').unwrap_or((inside, inside));
    let least = number(least)?;
    let most = if most.is_empty() { None } else { Some(number(most)?) };
    if most.is_some_and(|most| most < least) {
        return Err(wrong("is upside down"));
    }
    Ok((format!("{{{inside}}}"), most.unwrap_or(least)))
}
