//! A place in a document: `a.b.0.c`, as rules and ops write it.

use std::fmt;

/// The highest number of segments a path may have; documents are no deeper (see
/// [`Value::MAX_DEPTH`](crate::Value::MAX_DEPTH)).
const MAX_SEGMENTS: usize = 64;

/// Why a text is not a path, or a write at a path cannot be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Two dots in a row, or a dot at an end.
    #[error("path {path:?} has an empty segment")]
    EmptySegment {
        /// The path as written.
        path: String,
    },
    /// More segments than documents are deep.
    #[error("path has more than {MAX_SEGMENTS} segments")]
    TooDeep,
    /// A member name where the document has an array.
    #[error("{path}: an array has no member {member:?}")]
    NotAnIndex {
        /// The path up to the array.
        path: String,
        /// The segment that is no index.
        member: String,
    },
    /// An index so far beyond the end that filling the gap would be abuse.
    #[error("{path}: index {index} lies more than {max} beyond the end of the array")]
    Gap {
        /// The path up to the array.
        path: String,
        /// The index asked for.
        index: usize,
        /// How far beyond the end is allowed.
        max: usize,
    },
}

/// One step of a [`Path`]: a member name, which is an index where the document has an array.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Segment(String);

impl Segment {
    /// The member name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The segment as an array index, when it is one (decimal, no sign, no leading zero).
    #[must_use]
    pub fn index(&self) -> Option<usize> {
        let digits = self.0.bytes().all(|b| b.is_ascii_digit());
        let canonical = self.0 == "0" || !self.0.starts_with('0');
        (digits && canonical && self.0.len() <= 9).then(|| self.0.parse().ok()).flatten()
    }

    /// Whether the segment is `-1`: append, when writing.
    #[must_use]
    pub fn is_append(&self) -> bool {
        self.0 == "-1"
    }
}

/// A parsed path; the empty path is the document itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(Vec<Segment>);

impl Path {
    /// Parses `a.b\.c.0`: segments by dots, a backslash takes the next character as it is.
    ///
    /// # Errors
    /// [`PathError::EmptySegment`] or [`PathError::TooDeep`].
    pub fn parse(text: &str) -> Result<Self, PathError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let mut segments = Vec::new();
        let mut segment = String::new();
        let mut chars = text.chars();
        loop {
            let next = chars.next();
            match next {
                Some('\\') => segment.extend(chars.next()),
                Some('.') | None => {
                    if segment.is_empty() {
                        return Err(PathError::EmptySegment { path: text.to_owned() });
                    }
                    segments.push(Segment(std::mem::take(&mut segment)));
                }
                Some(c) => segment.push(c),
            }
            if segments.len() > MAX_SEGMENTS {
                return Err(PathError::TooDeep);
            }
            if next.is_none() {
                return Ok(Self(segments));
            }
        }
    }

    /// Parses a path as rules and parameters may write it: `@a` is `_txc.a`, and so is
    /// `@_txc.a` (D4); one leading dot is allowed.
    ///
    /// # Errors
    /// As [`Path::parse`].
    pub fn parse_sugared(text: &str) -> Result<Self, PathError> {
        match text.strip_prefix('@') {
            Some(rest) => {
                let rest = rest.strip_prefix("_txc.").unwrap_or(rest);
                Self::parse(&format!("_txc.{rest}"))
            }
            None => Self::parse(text.strip_prefix('.').unwrap_or(text)),
        }
    }

    /// A path of these segments, taken literally.
    ///
    /// # Errors
    /// As [`Path::parse`].
    pub fn from_segments<S: Into<String>>(segments: impl IntoIterator<Item = S>) -> Result<Self, PathError> {
        let segments: Vec<Segment> = segments.into_iter().map(|s| Segment(s.into())).collect();
        if segments.len() > MAX_SEGMENTS {
            return Err(PathError::TooDeep);
        }
        if segments.iter().any(|s| s.0.is_empty()) {
            return Err(PathError::EmptySegment { path: Self(segments).to_string() });
        }
        Ok(Self(segments))
    }

    /// The segments, outermost first.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// The names of the segments, outermost first, for whoever must wipe them.
    pub fn into_names(self) -> impl Iterator<Item = String> {
        self.0.into_iter().map(|Segment(name)| name)
    }

    /// Whether this is the document itself.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first segment, when there is one.
    #[must_use]
    pub fn first(&self) -> Option<&str> {
        self.0.first().map(Segment::as_str)
    }

    /// The rest of this path below `prefix` (segment names), when it begins with it.
    #[must_use]
    pub fn strip_prefix(&self, prefix: &[&str]) -> Option<Self> {
        let begins = self.0.len() >= prefix.len() && self.0.iter().zip(prefix).all(|(a, b)| a.0 == **b);
        begins.then(|| Self(self.0.iter().skip(prefix.len()).cloned().collect()))
    }

    /// Whether this path begins with `prefix` (segment names).
    #[must_use]
    pub fn starts_with(&self, prefix: &[&str]) -> bool {
        self.0.len() >= prefix.len() && self.0.iter().zip(prefix).all(|(a, b)| a.0 == **b)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, segment) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(".")?;
            }
            for c in segment.0.chars() {
                if matches!(c, '.' | '\\') {
                    f.write_str("\\")?;
                }
                write!(f, "{c}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_and_print_agree() {
        for text in ["a", "a.b.0", r"a.x\.y", r"a.b\\c", "headers.x-api-key", "arr.-1"] {
            let path = Path::parse(text).unwrap();
            assert_eq!(path.to_string(), text);
        }
        assert_eq!(Path::parse(r"a.x\.y").unwrap().segments().len(), 2);
    }

    #[test]
    fn sugar_means_the_control_plane() {
        for text in ["@computed.sig", "@_txc.computed.sig", "._txc.computed.sig", "_txc.computed.sig"] {
            assert_eq!(Path::parse_sugared(text).unwrap().to_string(), "_txc.computed.sig", "{text}");
        }
    }

    #[test]
    fn empty_segments_are_refused() {
        for text in [".", "a.", "a..b", ".a"] {
            assert!(matches!(Path::parse(text), Err(PathError::EmptySegment { .. })), "{text}");
        }
        assert_eq!(Path::parse(&"a.".repeat(100)), Err(PathError::TooDeep));
    }

    #[test]
    fn indices_are_canonical() {
        let index = |s: &str| Path::parse(s).unwrap().segments()[0].index();
        assert_eq!(
            (index("0"), index("17"), index("017"), index("-1"), index("9999999999")),
            (Some(0), Some(17), None, None, None)
        );
    }
}
