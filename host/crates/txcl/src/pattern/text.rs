//! A pattern that is read from left to right.

use std::collections::BTreeMap;

/// What is left of a pattern, and the names of sets that were met in it.
#[derive(Debug, Default)]
pub(super) struct Text<'p> {
    pub(super) rest: &'p str,
    /// Unicode's names, normalized, and the property that has each.
    pub(super) names: BTreeMap<String, &'static str>,
}

impl<'p> Text<'p> {
    pub(super) fn of(pattern: &'p str) -> Self {
        Self { rest: pattern, names: BTreeMap::new() }
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let next = chars.next();
        self.rest = chars.as_str();
        next
    }

    /// Skips `what`, when it is next.
    pub(super) fn take(&mut self, what: &str) -> bool {
        let after = self.rest.strip_prefix(what);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    /// Everything up to `end`, and skips that.
    pub(super) fn until(&mut self, end: &str) -> Option<&'p str> {
        let (before, after) = self.rest.split_once(end)?;
        self.rest = after;
        Some(before)
    }
}

/// Writes a character so that it is itself, also inside of brackets.
pub(super) fn itself(c: char, out: &mut String) {
    if r"\.+*?()|[]{}^$#&-~".contains(c) {
        out.push('\\');
    }
    out.push(c);
}
