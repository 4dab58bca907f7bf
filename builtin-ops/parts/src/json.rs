//! JSON text (RFC 8259), read and written as far as tokens and headers need it.

use alloc::string::String;
use alloc::vec::Vec;

/// How deep arrays and objects nest at most: deeper than any token, and safe for the stack.
const DEPTH: usize = 32;

/// The members of an object, their values as they are written.
pub struct Object<'a>(Vec<(String, &'a str)>);

impl<'a> Object<'a> {
    /// Reads a text that is exactly one object. `None` when it is not, when it nests too deep,
    /// and when a name is given twice: two readers would see two different objects.
    #[must_use]
    pub fn read(text: &'a str) -> Option<Self> {
        let mut reader = Reader { text, at: 0 };
        let mut members: Vec<(String, &'a str)> = Vec::new();
        reader.blank();
        reader.take(b'{')?;
        reader.list(DEPTH, b'}', |reader, depth| {
            let (name, value) = reader.member(depth)?;
            if members.iter().any(|(known, _)| *known == name) {
                return None;
            }
            members.push((name, value));
            Some(())
        })?;
        reader.blank();
        reader.peek().is_none().then_some(Self(members))
    }

    /// The members in their order: names, and values as JSON text.
    pub fn members(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }

    /// The JSON text of a member.
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<&'a str> {
        self.members().find(|(known, _)| *known == name).map(|(_, value)| value)
    }
}

/// The characters of a JSON string.
#[must_use]
pub fn text(raw: &str) -> Option<String> {
    unescaped(raw.strip_prefix('"')?.strip_suffix('"')?)
}

/// A JSON string, or an array of nothing but strings.
#[must_use]
pub fn texts(raw: &str) -> Option<Vec<String>> {
    if raw.starts_with('"') {
        return text(raw).map(|one| [one].into());
    }
    let mut reader = Reader { text: raw, at: 0 };
    let mut texts = Vec::new();
    reader.take(b'[')?;
    reader.list(1, b']', |reader, _| {
        texts.push(unescaped(reader.string()?)?);
        Some(())
    })?;
    reader.peek().is_none().then_some(texts)
}

/// Whole seconds since 1970 of a NumericDate (RFC 7519 §2); what is before it is 0.
#[must_use]
pub fn seconds(raw: &str) -> Option<u64> {
    let whole = raw.split_once('.').map_or(raw, |(whole, _)| whole);
    match whole.strip_prefix('-') {
        _ if raw.contains(['e', 'E']) => None,
        Some(before) => before.parse::<u64>().ok().map(|_| 0),
        None => whole.parse().ok(),
    }
}

/// The JSON string of these characters.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\0'..='\x1f' => {
                quoted.push_str("\\u00");
                quoted.push_str(&txco_op::hex(&[character as u8]));
            }
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

/// The object of members in this order, their values written already.
#[must_use]
pub fn object<'a>(members: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let mut text = String::from("{");
    for (name, value) in members {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&quoted(name));
        text.push(':');
        text.push_str(&value);
    }
    text.push('}');
    text
}

/// Reads what stands at a place of a text.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn skip(&mut self, skipped: impl Fn(u8) -> bool) -> usize {
        let from = self.at;
        while self.peek().is_some_and(&skipped) {
            self.at += 1;
        }
        self.at - from
    }

    fn blank(&mut self) {
        self.skip(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    }

    /// What stands between an opening that was taken and `end`, item by item.
    fn list(
        &mut self,
        depth: usize,
        end: u8,
        mut item: impl FnMut(&mut Self, usize) -> Option<()>,
    ) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        self.blank();
        if self.take(end).is_some() {
            return Some(());
        }
        loop {
            item(self, depth)?;
            self.blank();
            if self.take(end).is_some() {
                return Some(());
            }
            self.take(b',')?;
            self.blank();
        }
    }

    /// A name and its value.
    fn member(&mut self, depth: usize) -> Option<(String, &'a str)> {
        let name = unescaped(self.string()?)?;
        self.blank();
        self.take(b':')?;
        self.blank();
        Some((name, self.value(depth)?))
    }

    fn value(&mut self, depth: usize) -> Option<&'a str> {
        let from = self.at;
        match self.peek()? {
            b'"' => {
                unescaped(self.string()?)?;
            }
            b'{' => {
                self.at += 1;
                self.list(depth, b'}', |reader, depth| reader.member(depth).map(|_| ()))?;
            }
            b'[' => {
                self.at += 1;
                self.list(depth, b']', |reader, depth| reader.value(depth).map(|_| ()))?;
            }
            b't' => self.word("true")?,
            b'f' => self.word("false")?,
            b'n' => self.word("null")?,
            _ => self.number()?,
        }
        self.text.get(from..self.at)
    }

    fn word(&mut self, word: &str) -> Option<()> {
        word.bytes().try_for_each(|byte| self.take(byte))
    }

    fn number(&mut self) -> Option<()> {
        self.take(b'-');
        if self.take(b'0').is_none() && self.digits() == 0 {
            return None;
        }
        if self.take(b'.').is_some() && self.digits() == 0 {
            return None;
        }
        if self.take(b'e').or_else(|| self.take(b'E')).is_some() {
            self.take(b'+').or_else(|| self.take(b'-'));
            if self.digits() == 0 {
                return None;
            }
        }
        Some(())
    }

    fn digits(&mut self) -> usize {
        self.skip(|byte| byte.is_ascii_digit())
    }

    /// What stands between two quotes, escapes as they are; whether they are right shows when
    /// it is unescaped.
    fn string(&mut self) -> Option<&'a str> {
        self.take(b'"')?;
        let from = self.at;
        loop {
            match self.peek()? {
                b'"' => {
                    let inside = self.text.get(from..self.at);
                    self.at += 1;
                    return inside;
                }
                b'\\' => self.at += 2,
                0..=0x1f => return None,
                _ => self.at += 1,
            }
        }
    }
}

/// The characters behind escapes.
fn unescaped(inside: &str) -> Option<String> {
    let mut text = String::with_capacity(inside.len());
    let mut rest = inside.chars();
    while let Some(character) = rest.next() {
        if character != '\\' {
            text.push(character);
            continue;
        }
        text.push(match rest.next()? {
            same @ ('"' | '\\' | '/') => same,
            'b' => '\x08',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let first = unit(&mut rest)?;
                if (0xd800..0xdc00).contains(&first) {
                    // The second half of a pair must follow.
                    (rest.next()? == '\\' && rest.next()? == 'u').then_some(())?;
                    let second = unit(&mut rest)?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
                    char::from_u32(0x10000 + ((first - 0xd800) << 10) + second)?
                } else {
                    char::from_u32(first)?
                }
            }
            _ => return None,
        });
    }
    Some(text)
}

/// Four hexadecimal digits.
fn unit(rest: &mut core::str::Chars<'_>) -> Option<u32> {
    (0..4).try_fold(0, |sum, _| Some(sum << 4 | rest.next()?.to_digit(16)?))
}

#[cfg(test)]
mod tests;
