//! Dictionaries of structured fields (RFC 8941), read as strictly as they are written.

use alloc::string::String;
use alloc::vec::Vec;

/// A value without parameters.
pub(crate) enum Item {
    Text(String),
    /// Whole seconds, and whatever else is a number without a sign and a point.
    Number(u64),
    Bytes(Vec<u8>),
    /// A token, a truth value, any other number: nothing that a signature has.
    Other,
}

/// Names and values behind a value, in their order; none is there twice.
pub(crate) type Parameters<'a> = Vec<(&'a str, Item)>;

/// A list in parentheses with what stands behind it.
pub(crate) struct List<'a> {
    pub(crate) items: Vec<(Item, Parameters<'a>)>,
    pub(crate) parameters: Parameters<'a>,
    /// As the sender writes it without superfluous blanks.
    pub(crate) text: String,
}

/// Reads from the beginning of what is left.
pub(crate) struct Reader<'a> {
    rest: &'a str,
}

/// The members of a dictionary; `None` when it is none, when a name is there twice, and when a
/// member has no value.
pub(crate) fn dictionary<'a, T>(
    text: &'a str,
    member: impl Fn(&mut Reader<'a>) -> Option<T>,
) -> Option<Vec<(&'a str, T)>> {
    let mut reader = Reader { rest: text.trim_matches(' ') };
    let mut members: Vec<(&str, T)> = Vec::new();
    loop {
        let name = reader.key()?;
        reader.take('=')?;
        let value = member(&mut reader)?;
        if members.iter().any(|(known, _)| *known == name) {
            return None;
        }
        members.push((name, value));
        reader.rest = reader.rest.trim_start_matches([' ', '\t']);
        if reader.rest.is_empty() {
            return Some(members);
        }
        reader.take(',')?;
        reader.rest = reader.rest.trim_start_matches([' ', '\t']);
    }
}

impl<'a> Reader<'a> {
    /// `(item;parameters item …);parameters`.
    pub(crate) fn list(&mut self) -> Option<List<'a>> {
        self.take('(')?;
        let (mut items, mut text) = (Vec::new(), String::from("("));
        self.blanks();
        while self.take(')').is_none() {
            if !items.is_empty() {
                text.push(' ');
            }
            let item = self.item(&mut text)?;
            items.push((item, self.parameters(&mut text)?));
            // Items are told apart by blanks.
            if self.blanks() == 0 && !self.rest.starts_with(')') {
                return None;
            }
        }
        text.push(')');
        let parameters = self.parameters(&mut text)?;
        Some(List { items, parameters, text })
    }

    /// One value, and what stands behind it.
    pub(crate) fn value(&mut self) -> Option<Item> {
        let mut text = String::new();
        let item = self.item(&mut text)?;
        self.parameters(&mut text)?;
        Some(item)
    }

    fn parameters(&mut self, text: &mut String) -> Option<Parameters<'a>> {
        let mut parameters: Parameters<'a> = Vec::new();
        while self.take(';').is_some() {
            self.blanks();
            let name = self.key()?;
            text.push(';');
            text.push_str(name);
            let value = if self.take('=').is_some() {
                text.push('=');
                self.item(text)?
            } else {
                Item::Other
            };
            if parameters.iter().any(|(known, _)| *known == name) {
                return None;
            }
            parameters.push((name, value));
        }
        Some(parameters)
    }

    fn item(&mut self, text: &mut String) -> Option<Item> {
        let before = self.rest;
        let item = match before.bytes().next()? {
            b'"' => Item::Text(self.string()?),
            b':' => {
                self.take(':')?;
                let inside = self.until(|byte| byte == b':');
                self.take(':')?;
                Item::Bytes(txco_op::from_base64(inside)?)
            }
            b'?' => {
                self.take('?')?;
                self.take('0').or_else(|| self.take('1'))?;
                Item::Other
            }
            b'0'..=b'9' | b'-' => {
                let number = self.until(|byte| !(byte.is_ascii_digit() || b".-".contains(&byte)));
                // RFC 8941, section 3.3.1: at most 15 digits.
                let whole = number.len() <= 15 && number.bytes().all(|byte| byte.is_ascii_digit());
                number.parse().ok().filter(|_| whole).map_or(Item::Other, Item::Number)
            }
            first if first.is_ascii_alphabetic() || first == b'*' => {
                self.until(|byte| !(byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&byte)));
                Item::Other
            }
            _ => return None,
        };
        text.push_str(before.strip_suffix(self.rest)?);
        Some(item)
    }

    /// A text between quotes.
    fn string(&mut self) -> Option<String> {
        self.take('"')?;
        let mut string = String::new();
        let mut rest = self.rest.chars();
        loop {
            match rest.next()? {
                '"' => break,
                '\\' => string.push(rest.next().filter(|next| matches!(next, '"' | '\\'))?),
                plain @ ' '..='~' => string.push(plain),
                _ => return None,
            }
        }
        self.rest = rest.as_str();
        Some(string)
    }

    fn key(&mut self) -> Option<&'a str> {
        let key = self
            .until(|byte| !(byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.*".contains(&byte)));
        parts::http_signature::structured::is_key(key).then_some(key)
    }

    fn take(&mut self, character: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(character)?;
        Some(())
    }

    fn blanks(&mut self) -> usize {
        let before = self.rest.len();
        self.rest = self.rest.trim_start_matches(' ');
        before - self.rest.len()
    }

    fn until(&mut self, ends: impl Fn(u8) -> bool) -> &'a str {
        let end = self.rest.bytes().position(ends).unwrap_or(self.rest.len());
        let (inside, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        inside
    }
}
