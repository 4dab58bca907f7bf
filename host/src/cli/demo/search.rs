//! The leak search: every place of a run, every spelling of every stored cleartext.

use std::fs;
use std::io;
use std::path::Path;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::GeneralPurpose;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use serde::Serialize;

/// What a place of the run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    /// A file below the run's folder.
    File,
    /// What the chassis printed on one of its streams.
    LogStream,
    /// A reply of the admin head.
    AdminReply,
    /// A reply of the web head, with its headers.
    WebReply,
    /// A reply of the upstream.
    UpstreamReply,
}

/// A cleartext that was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Sighting {
    /// The secret's name.
    pub(super) secret: String,
    /// How it was spelled: `raw`, `hex`, `base64` …
    pub(super) spelling: &'static str,
}

/// One searched place.
#[derive(Debug, Serialize)]
pub(super) struct Place {
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) bytes: usize,
    pub(super) sightings: Vec<Sighting>,
}

/// Searches places for the cleartexts it was made of.
pub(super) struct Search {
    automaton: AhoCorasick,
    spellings: Vec<Sighting>,
    places: Vec<Place>,
}

impl Search {
    /// Prepares to look for every `(name, cleartext)` in every spelling.
    pub(super) fn new<'a>(secrets: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> io::Result<Self> {
        let mut needles = Vec::new();
        let mut spellings = Vec::new();
        for (name, cleartext) in secrets {
            for (spelling, bytes) in spelled(cleartext) {
                needles.push(bytes);
                spellings.push(Sighting { secret: name.to_owned(), spelling });
            }
        }
        let automaton = AhoCorasick::new(&needles).map_err(io::Error::other)?;
        Ok(Self { automaton, spellings, places: Vec::new() })
    }

    /// How many spellings are looked for.
    pub(super) fn spellings(&self) -> usize {
        self.spellings.len()
    }

    /// Searches one place.
    pub(super) fn place(&mut self, kind: Kind, name: impl Into<String>, bytes: &[u8]) {
        let mut sightings: Vec<Sighting> = self
            .automaton
            .find_overlapping_iter(bytes)
            .filter_map(|found| self.spellings.get(found.pattern().as_usize()).cloned())
            .collect();
        sightings.sort();
        sightings.dedup();
        self.places.push(Place { kind, name: name.into(), bytes: bytes.len(), sightings });
    }

    /// Searches every file below `folder`; `kind` says what the file of that name (below
    /// `folder`, with `/`) is.
    pub(super) fn folder(&mut self, folder: &Path, kind: impl Fn(&str) -> Kind) -> io::Result<()> {
        let mut pending = vec![folder.to_owned()];
        let mut files = Vec::new();
        while let Some(next) = pending.pop() {
            for entry in fs::read_dir(&next)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    pending.push(entry.path());
                } else {
                    files.push(entry.path());
                }
            }
        }
        files.sort();
        for path in files {
            let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
            self.place(kind(&name), name, &fs::read(&path)?);
        }
        Ok(())
    }

    /// What was searched, and what was found there.
    pub(super) fn into_places(self) -> Vec<Place> {
        self.places
    }
}

/// Every spelling of `cleartext` that is looked for, each once.
fn spelled(cleartext: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let hex = |upper: bool| -> Vec<u8> {
        cleartext
            .iter()
            .flat_map(|b| if upper { format!("{b:02X}") } else { format!("{b:02x}") }.into_bytes())
            .collect()
    };
    let mut all = vec![
        ("raw", cleartext.to_vec()),
        ("hex", hex(false)),
        ("hex", hex(true)),
        ("percent", percent(cleartext, false)),
        ("percent", percent(cleartext, true)),
        ("json", json(cleartext, false)),
        ("json", json(cleartext, true)),
    ];
    for before in 0..3 {
        all.push(("base64", base64_inside(cleartext, before, &BASE64_STANDARD_NO_PAD)));
        all.push(("base64", base64_inside(cleartext, before, &BASE64_URL_SAFE_NO_PAD)));
    }
    let mut once: Vec<(&'static str, Vec<u8>)> = Vec::new();
    for (spelling, bytes) in all {
        if !bytes.is_empty() && once.iter().all(|(_, known)| *known != bytes) {
            once.push((spelling, bytes));
        }
    }
    once
}

/// Everything but the unreserved characters of RFC 3986 escaped.
fn percent(cleartext: &[u8], lower: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for byte in cleartext {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            out.push(*byte);
        } else if lower {
            out.extend(format!("%{byte:02x}").into_bytes());
        } else {
            out.extend(format!("%{byte:02X}").into_bytes());
        }
    }
    out
}

/// The inside of a JSON string; `html` also escapes what HTML-safe encoders do.
fn json(cleartext: &[u8], html: bool) -> Vec<u8> {
    let text = serde_json::to_string(&String::from_utf8_lossy(cleartext)).unwrap_or_default();
    let inside = text.trim_matches('"');
    if html {
        inside.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026").into_bytes()
    } else {
        inside.as_bytes().to_vec()
    }
}

/// The base64 characters that `cleartext` alone decides when `before` bytes (mod 3) stand
/// in front of it and anything behind it.
fn base64_inside(cleartext: &[u8], before: usize, engine: &GeneralPurpose) -> Vec<u8> {
    let mut padded = vec![0_u8; before];
    padded.extend_from_slice(cleartext);
    let encoded = engine.encode(&padded).into_bytes();
    let first = (before * 8).div_ceil(6);
    let end = padded.len() * 8 / 6;
    encoded.get(first..end).unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests {
    use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};

    use super::*;

    const CLEARTEXT: &[u8] = b"s\"k+/<y>&~ \xc3\xbc-5f0c";

    fn found(place: &[u8]) -> Vec<&'static str> {
        let mut search = Search::new([("KEY", CLEARTEXT)]).unwrap();
        search.place(Kind::File, "x", place);
        search.into_places().remove(0).sightings.into_iter().map(|s| s.spelling).collect()
    }

    fn around(middle: &[u8]) -> Vec<u8> {
        [b"before ", middle, b" after"].concat()
    }

    #[test]
    fn every_spelling_is_found() {
        assert_eq!(found(&around(CLEARTEXT)), ["raw"]);
        let hex: String = CLEARTEXT.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(found(&around(hex.as_bytes())), ["hex"]);
        assert_eq!(found(&around(hex.to_uppercase().as_bytes())), ["hex"]);
        let escaped = serde_json::to_string(std::str::from_utf8(CLEARTEXT).unwrap()).unwrap();
        assert_eq!(found(&around(escaped.as_bytes())), ["json"]);
        assert_eq!(
            found(&around(
                escaped.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026").as_bytes()
            )),
            ["json"]
        );
        assert_eq!(found(b"x=s%22k%2B%2F%3Cy%3E%26~%20%C3%BC-5f0c"), ["percent"]);
    }

    #[test]
    fn base64_is_found_wherever_it_begins() {
        for before in 0..7_usize {
            for after in 0..4_usize {
                let around = [vec![b'u'; before], CLEARTEXT.to_vec(), vec![b':'; after]].concat();
                assert_eq!(found(BASE64_STANDARD.encode(&around).as_bytes()), ["base64"], "{before} {after}");
                assert_eq!(found(BASE64_URL_SAFE.encode(&around).as_bytes()), ["base64"], "{before} {after}");
            }
        }
    }

    #[test]
    fn nothing_is_found_where_nothing_is() {
        assert!(found(b"").is_empty());
        assert!(found(&CLEARTEXT[1..]).is_empty());
    }

    #[test]
    fn every_file_of_a_folder_is_a_place() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("deep")).unwrap();
        fs::write(folder.path().join("a.log"), b"nothing").unwrap();
        fs::write(folder.path().join("deep/b"), CLEARTEXT).unwrap();
        let mut search = Search::new([("KEY", CLEARTEXT)]).unwrap();
        search
            .folder(folder.path(), |name| if name.ends_with(".log") { Kind::LogStream } else { Kind::File })
            .unwrap();
        let places = search.into_places();
        let seen: Vec<_> = places.iter().map(|p| (p.kind, p.name.as_str(), p.sightings.len())).collect();
        assert_eq!(seen, [(Kind::LogStream, "a.log", 0), (Kind::File, "deep/b", 1)]);
    }
}
