//! The search: every place of a run, for every canary, in every form.

use aho_corasick::AhoCorasick;

use crate::Canary;

/// Something the run produced that somebody may read.
pub struct Place {
    /// What it is, as a test names it: `log`, `web reply`, `upstream stripe header authorization`,
    /// `file chassis/data/db/runtime-dev.db`.
    pub name: String,
    /// All of it.
    pub bytes: Vec<u8>,
}

impl Place {
    /// A place.
    pub fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), bytes: bytes.into() }
    }
}

/// A sighting that the test declared.
pub(crate) struct Allowed {
    pub(crate) label: String,
    pub(crate) place: String,
    pub(crate) times: usize,
}

/// The complaints about `places`: sightings nobody declared, and declared ones that did not happen.
pub(crate) fn complaints(places: &[Place], canaries: &[Canary], allowed: &[Allowed]) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut seen = vec![0; allowed.len()];
    for canary in canaries {
        let search = Search::new(canary);
        for place in places {
            let sightings = search.sightings(&place.bytes);
            if sightings.is_empty() {
                continue;
            }
            match allowed.iter().position(|a| a.label == canary.label() && a.place == place.name) {
                Some(index) => seen[index] += sightings.len(),
                None => {
                    complaints.push(format!("{} in {}: {}", canary.label(), place.name, sightings.join(", ")))
                }
            }
        }
    }
    for (allowed, seen) in allowed.iter().zip(seen).filter(|(allowed, seen)| allowed.times != *seen) {
        let (label, place, times) = (&allowed.label, &allowed.place, allowed.times);
        complaints.push(format!("{label} in {place}: declared {times} times, seen {seen} times"));
    }
    complaints
}

struct Search {
    needles: Vec<(&'static str, Vec<u8>)>,
    automaton: AhoCorasick,
}

impl Search {
    fn new(canary: &Canary) -> Self {
        let needles = canary.needles();
        let automaton = AhoCorasick::new(needles.iter().map(|(_, bytes)| bytes)).unwrap();
        Self { needles, automaton }
    }

    /// Where the canary stands; forms that share bytes (the two base64 alphabets) are one sighting.
    fn sightings(&self, bytes: &[u8]) -> Vec<String> {
        let mut sightings = Vec::new();
        let mut end = 0;
        for found in self.automaton.find_overlapping_iter(bytes) {
            if found.start() >= end {
                end = found.end();
                let (form, _) = self.needles[found.pattern().as_usize()];
                sightings.push(format!("{form} at byte {}", found.start()));
            }
        }
        sightings
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

    use super::*;

    fn seen(canary: &Canary, text: impl Into<Vec<u8>>) -> Vec<String> {
        complaints(&[Place::new("log", text)], std::slice::from_ref(canary), &[])
    }

    fn found(canary: &Canary, text: impl Into<Vec<u8>>, form: &str) {
        let seen = seen(canary, text);
        assert_eq!(seen.len(), 1, "{form} was not found");
        assert!(seen[0].starts_with(&format!("stripe in log: {form}")), "{seen:?}");
    }

    #[test]
    fn every_form_is_found() {
        let canary = Canary::new("stripe");
        let value = canary.text();
        let each = |form: fn(u8) -> String| value.bytes().map(form).collect::<String>();
        found(&canary, format!("before {value} after"), "raw");
        found(&canary, serde_json::json!({ "a": value }).to_string(), "raw");
        found(&canary, utf8_percent_encode(value, NON_ALPHANUMERIC).to_string(), "raw");
        found(&canary, value.chars().rev().collect::<String>(), "reversed");
        found(&canary, each(|b| format!("{b:02x}")), "hex");
        found(&canary, each(|b| format!("{b:02X}")), "HEX");
        found(&canary, each(|b| format!("%{b:02x}")), "percent");
        found(&canary, each(|b| format!("%{b:02X}")), "PERCENT");
        found(&canary, each(|b| format!("\\u{b:04x}")), "json escape");
        found(&canary, format!("{:?}", value.as_bytes()), "list of numbers");
        found(&canary, serde_json::json!(value.as_bytes()).to_string(), "short list of numbers");
        for before in ["", "a", "ab"] {
            for after in ["", "y", "yz"] {
                found(&canary, STANDARD.encode(format!("{before}{value}{after}")), "base64");
                found(&canary, URL_SAFE_NO_PAD.encode(format!("{before}{value}{after}")), "base64");
            }
        }
        // A truncated secret is a leaked one.
        found(&canary, &value[..value.len() - 12], "raw");
    }

    #[test]
    fn the_url_alphabet_is_found_where_it_differs() {
        let canary = Canary::found("stripe", &[0xff; 32]);
        found(&canary, URL_SAFE_NO_PAD.encode([0xff; 32]), "base64url");
        found(&canary, STANDARD.encode([0xff; 32]), "base64");
    }

    #[test]
    fn others_are_not_taken_for_it() {
        let canary = Canary::new("stripe");
        assert!(seen(&canary, Canary::new("stripe").text()).is_empty());
        assert!(seen(&canary, &canary.text()[..15]).is_empty());
    }

    #[test]
    fn a_declared_sighting_must_happen_exactly_as_often() {
        let canary = Canary::new("stripe");
        let judge = |times, text: String| {
            let allowed = Allowed { label: "stripe".into(), place: "log".into(), times };
            complaints(&[Place::new("log", text)], std::slice::from_ref(&canary), &[allowed])
        };
        let value = canary.text();
        assert!(judge(1, value.to_owned()).is_empty());
        assert_eq!(judge(1, format!("{value}{value}")), ["stripe in log: declared 1 times, seen 2 times"]);
        assert_eq!(judge(1, String::new()), ["stripe in log: declared 1 times, seen 0 times"]);
    }
}
