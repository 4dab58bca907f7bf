//! The mask: finds what this request spliced in the reply, in its usual encodings, and
//! takes it out before the reply is seen by anybody (R6).
//!
//! The attack is an upstream that sends the credential back (echo endpoints, error pages
//! that quote the request), after which it would be envelope, trace and log.
//!
//! One Aho-Corasick automaton has, for every value and every whole header value: the bytes
//! themselves, their hex digits, and the base64 characters that depend on nothing but them
//! at each of the three offsets and in both alphabets. It ignores the case of letters, so
//! hex matches in either case. It runs over the reply, and over the reply with JSON
//! escapes undone (twice, for JSON inside a JSON string), and with percent-encoding undone
//! (with and without `+` for a space): decoding the reply finds every spelling an encoder
//! may choose, where a list of encodings would find some. It runs over the complete reply,
//! which is capped, so there are no borders of chunks to hide behind.
//!
//! Values shorter than [`SHORT`] bytes would also be found where they are not meant: they
//! are masked only as a whole JSON string, header value or body.
//!
//! What cannot be wiped: the automaton's own tables, which the library frees as they are.
//! The host's wiping allocator covers them (R40).

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::alphabet::{self, Alphabet};
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD, PAD};
use zeroize::Zeroizing;

use crate::error::Error;

/// What stands where a value was.
pub const MASK_TEXT: &str = "[masked]";

/// Values of fewer bytes are masked only where they are the whole string.
pub const SHORT: usize = 8;

/// What one request spliced, remembered until its reply is masked.
pub(crate) struct Mask {
    needles: Vec<Zeroizing<Vec<u8>>>,
}

/// What the mask found in one reply.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) masked: u32,
    pub(crate) unmasked_short: bool,
}

/// How a match of a pattern becomes the range to mask.
#[derive(Clone, Copy)]
struct Reach {
    /// Base64 characters before and after that depend on the value in part.
    before: bool,
    after: bool,
    /// The quotes around a short value stay.
    quotes: bool,
}

impl Mask {
    pub(crate) const fn new() -> Self {
        Self { needles: Vec::new() }
    }

    /// Remembers `bytes`, a value or a whole header value.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() && !self.needles.iter().any(|n| n.as_slice() == bytes) {
            self.needles.push(Zeroizing::new(bytes.to_vec()));
        }
    }

    /// Remembers what another mask does.
    pub(crate) fn join(&mut self, other: &Self) {
        other.needles.iter().for_each(|needle| self.add(needle));
    }

    /// Remembers `bytes`, a credential: also what is inside when it is that of HTTP Basic
    /// (RFC 7617), because an upstream decodes it and may quote the password alone.
    pub(crate) fn add_credential(&mut self, bytes: &[u8]) {
        self.add(bytes);
        let token = bytes.strip_prefix(b"Basic ").unwrap_or(bytes);
        let engine = GeneralPurpose::new(&alphabet::STANDARD, PAD);
        let Ok(pair) = engine.decode(token).map(Zeroizing::new) else { return };
        if let Some(colon) = pair.iter().position(|b| *b == b':') {
            self.add(&pair);
            self.add(pair.get(colon + 1..).unwrap_or_default());
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.needles.is_empty()
    }

    /// Gets ready to look for what was added.
    pub(crate) fn search(&self) -> Result<Search<'_>, Error> {
        let mut patterns = Patterns { bytes: Vec::new(), reach: Vec::new() };
        for needle in &self.needles {
            patterns.add_all(needle);
        }
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .ascii_case_insensitive(true)
            .build(patterns.bytes.iter().map(|p| p.as_slice()))
            .map_err(|_| Error::Internal("the mask could not be built"))?;
        Ok(Search { mask: self, automaton, reach: patterns.reach })
    }
}

struct Patterns {
    bytes: Vec<Zeroizing<Vec<u8>>>,
    reach: Vec<Reach>,
}

impl Patterns {
    fn add(&mut self, bytes: Zeroizing<Vec<u8>>, reach: Reach) {
        self.bytes.push(bytes);
        self.reach.push(reach);
    }

    fn add_all(&mut self, value: &[u8]) {
        let whole = Reach { before: false, after: false, quotes: false };
        if value.len() < SHORT {
            let quoted = Zeroizing::new([b"\"", value, b"\""].concat());
            self.add(quoted, Reach { quotes: true, ..whole });
            return;
        }
        self.add(Zeroizing::new(value.to_vec()), whole);
        let mut hex = Zeroizing::new(Vec::with_capacity(value.len() * 2));
        for byte in value {
            hex.extend(
                [byte >> 4, byte & 15].map(|n| char::from_digit(n.into(), 16).map_or(b'0', |c| c as u8)),
            );
        }
        self.add(hex, whole);
        for offset in 0..3 {
            let standard = base64_core(value, offset, &alphabet::STANDARD);
            let url = base64_core(value, offset, &alphabet::URL_SAFE);
            let reach = Reach {
                before: offset != 0,
                after: !(offset + value.len()).is_multiple_of(3),
                quotes: false,
            };
            if *url != *standard {
                self.add(url, reach);
            }
            self.add(standard, reach);
        }
    }
}

/// The base64 characters of `value` that depend on nothing else when `offset` bytes (modulo
/// three) stand before it: those whose six bits lie inside of it.
fn base64_core(value: &[u8], offset: usize, alphabet: &Alphabet) -> Zeroizing<Vec<u8>> {
    let mut shifted = Zeroizing::new(Vec::with_capacity(offset + value.len()));
    shifted.resize(offset, 0);
    shifted.extend_from_slice(value);
    let encoded = Zeroizing::new(GeneralPurpose::new(alphabet, NO_PAD).encode(&*shifted));
    let (from, to) = ((offset * 8).div_ceil(6), (shifted.len() * 8) / 6);
    Zeroizing::new(encoded.as_bytes().get(from..to).unwrap_or_default().to_vec())
}

/// A mask ready to be applied.
pub(crate) struct Search<'a> {
    mask: &'a Mask,
    automaton: AhoCorasick,
    reach: Vec<Reach>,
}

impl Search<'_> {
    /// Masks `text` in place and reports what was found.
    pub(crate) fn apply(&self, text: &mut Zeroizing<Vec<u8>>) -> Found {
        let mut found = Found::default();
        let ranges = self.ranges(text);
        if !ranges.is_empty() {
            found.masked = u32::try_from(ranges.len()).unwrap_or(u32::MAX);
            let removed: usize = ranges.iter().map(|(from, to)| to - from).sum();
            let mut masked =
                Zeroizing::new(Vec::with_capacity(text.len() - removed + ranges.len() * MASK_TEXT.len()));
            let mut at = 0;
            for (from, to) in ranges {
                masked.extend_from_slice(text.get(at..from).unwrap_or_default());
                masked.extend_from_slice(MASK_TEXT.as_bytes());
                at = to;
            }
            masked.extend_from_slice(text.get(at..).unwrap_or_default());
            *text = masked;
        }
        found.unmasked_short = self.short().any(|needle| contains(text, needle));
        found
    }

    fn short(&self) -> impl Iterator<Item = &[u8]> {
        self.mask.needles.iter().map(|n| n.as_slice()).filter(|n| n.len() < SHORT)
    }

    /// What to mask, in order and without overlaps.
    fn ranges(&self, text: &[u8]) -> Vec<(usize, usize)> {
        if self.short().any(|needle| text.trim_ascii() == needle) {
            return vec![(0, text.len())];
        }
        let mut ranges = Vec::new();
        let plain = View { bytes: Zeroizing::new(text.to_vec()), escapes: Vec::new() };
        self.look(&plain, &mut ranges, |range| range);
        let once = plain.decoded(json_escape);
        let twice = once.as_ref().and_then(|once| once.decoded(json_escape));
        let percent = plain.decoded(percent_escape);
        let form = plain.decoded(form_escape);
        for view in [&once, &percent, &form].into_iter().flatten() {
            self.look(view, &mut ranges, |range| view.source(range));
        }
        if let (Some(once), Some(twice)) = (&once, &twice) {
            self.look(twice, &mut ranges, |range| once.source(twice.source(range)));
        }
        ranges.sort_unstable();
        merge(ranges)
    }

    fn look(
        &self,
        view: &View,
        ranges: &mut Vec<(usize, usize)>,
        source: impl Fn((usize, usize)) -> (usize, usize),
    ) {
        for hit in self.automaton.find_overlapping_iter(view.bytes.as_slice()) {
            let Some(reach) = self.reach.get(hit.pattern().as_usize()) else { continue };
            let (mut from, mut to) = (hit.start(), hit.end());
            if reach.quotes {
                (from, to) = (from + 1, to - 1);
            }
            let base64 = |at: usize| view.bytes.get(at).is_some_and(|b| is_base64(*b));
            if reach.before && from.checked_sub(1).is_some_and(base64) {
                from -= 1;
            }
            if reach.after && base64(to) {
                to += 1;
            }
            while reach.after && view.bytes.get(to) == Some(&b'=') {
                to += 1;
            }
            let (from, to) = source((from, to));
            // Matches come in the order of their ends: most of them touch the one before,
            // and joining them here keeps the list short whatever the upstream sends.
            match ranges.last_mut() {
                Some(last) if from <= last.1 && to >= last.1 && from >= last.0 => last.1 = to,
                _ => ranges.push((from, to)),
            }
        }
    }
}

/// Joins overlapping ranges of a sorted list.
fn merge(sorted: Vec<(usize, usize)>) -> Vec<(usize, usize)> {
    let mut merged: Vec<(usize, usize)> = Vec::with_capacity(sorted.len());
    for (from, to) in sorted {
        match merged.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => merged.push((from, to)),
        }
    }
    merged
}

fn contains(text: &[u8], needle: &[u8]) -> bool {
    text.windows(needle.len()).any(|w| w == needle)
}

const fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

/// A text with escapes undone, and where each of them was.
struct View {
    bytes: Zeroizing<Vec<u8>>,
    escapes: Vec<Escape>,
}

/// An escape: where it began, decoded and in the source, and how long it was in both.
#[derive(Clone, Copy)]
struct Escape {
    decoded: usize,
    source: usize,
    decoded_len: u8,
    source_len: u8,
}

/// Up to four decoded bytes, their count, and the length of the escape they came from.
type Decoded = ([u8; 4], u8, u8);

impl View {
    /// The view with the escapes that `escape` knows undone; `None` when there are none.
    fn decoded(&self, escape: fn(&[u8]) -> Option<Decoded>) -> Option<Self> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(self.bytes.len()));
        let mut escapes = Vec::new();
        let mut rest = self.bytes.as_slice();
        while let Some((first, tail)) = rest.split_first() {
            match escape(rest) {
                Some((decoded, decoded_len, source_len)) => {
                    let source = self.bytes.len() - rest.len();
                    escapes.push(Escape { decoded: bytes.len(), source, decoded_len, source_len });
                    bytes.extend(decoded.iter().take(decoded_len.into()));
                    rest = rest.get(source_len.into()..).unwrap_or_default();
                }
                None => {
                    bytes.push(*first);
                    rest = tail;
                }
            }
        }
        (!escapes.is_empty()).then_some(Self { bytes, escapes })
    }

    /// The range of the source that `range` was decoded from.
    fn source(&self, (from, to): (usize, usize)) -> (usize, usize) {
        let begin = |at: usize| match self.last_before(at) {
            None => at,
            Some(e) if at < e.decoded + usize::from(e.decoded_len) => e.source,
            Some(e) => at - e.decoded - usize::from(e.decoded_len) + e.source + usize::from(e.source_len),
        };
        let end = |at: usize| match self.last_before(at) {
            None => at + 1,
            Some(e) if at < e.decoded + usize::from(e.decoded_len) => e.source + usize::from(e.source_len),
            Some(_) => begin(at) + 1,
        };
        (begin(from), to.checked_sub(1).map_or(0, end))
    }

    fn last_before(&self, at: usize) -> Option<Escape> {
        let count = self.escapes.partition_point(|e| e.decoded <= at);
        count.checked_sub(1).and_then(|index| self.escapes.get(index)).copied()
    }
}

fn json_escape(text: &[u8]) -> Option<Decoded> {
    let single = |byte| Some(([byte, 0, 0, 0], 1, 2));
    match text {
        [b'\\', b'b', ..] => single(8),
        [b'\\', b'f', ..] => single(12),
        [b'\\', b'n', ..] => single(b'\n'),
        [b'\\', b'r', ..] => single(b'\r'),
        [b'\\', b't', ..] => single(b'\t'),
        [b'\\', quoted @ (b'"' | b'\\' | b'/'), ..] => single(*quoted),
        [b'\\', b'u', rest @ ..] => {
            let unit = utf16_unit(rest)?;
            let pair = match rest.get(4..) {
                Some([b'\\', b'u', low @ ..]) if (0xd800..0xdc00).contains(&unit) => utf16_unit(low),
                _ => None,
            };
            let (units, source_len) = match pair {
                Some(low) if (0xdc00..0xe000).contains(&low) => ([Some(unit), Some(low)], 12),
                _ => ([Some(unit), None], 6),
            };
            let decoded = char::decode_utf16(units.into_iter().flatten()).next()?.ok()?;
            let mut bytes = [0; 4];
            let decoded_len = decoded.encode_utf8(&mut bytes).len();
            Some((bytes, u8::try_from(decoded_len).ok()?, source_len))
        }
        _ => None,
    }
}

fn utf16_unit(text: &[u8]) -> Option<u16> {
    let digits = text.get(..4)?;
    digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | u16::from(nibble(*digit)?)))
}

fn percent_escape(text: &[u8]) -> Option<Decoded> {
    match text {
        [b'%', high, low, ..] => Some(([nibble(*high)? << 4 | nibble(*low)?, 0, 0, 0], 1, 3)),
        _ => None,
    }
}

fn form_escape(text: &[u8]) -> Option<Decoded> {
    match text {
        [b'+', ..] => Some(([b' ', 0, 0, 0], 1, 1)),
        _ => percent_escape(text),
    }
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|n| u8::try_from(n).ok())
}

#[cfg(test)]
mod tests;
