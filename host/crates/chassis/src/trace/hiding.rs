//! What of a document a trace does not show: credentials of the web, and what rules asked to hide.

use std::collections::{BTreeMap, BTreeSet};

use model::{Object, Path, Segment, Value};

/// Stands where WITH redact names a place.
pub(crate) const REDACTED: &str = "[REDACTED]";
/// Stands where a credential of the web was.
const MASKED: &str = "[masked]";
/// Headers whose value lets somebody in, whichever way they go.
const CREDENTIALS: [&str; 6] =
    ["Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", "X-Api-Key", "X-Auth-Token"];

/// The places that a set of rules hides, of every request that runs them (weakness T2): an envelope goes from stack
/// to stack, and what one of them hides no other shows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hiding(BTreeSet<(Path, How)>);

/// What stands there instead; where rules ask for both, omitting wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum How {
    Redact,
    Omit,
}

impl Hiding {
    /// Also hides what others do.
    pub(crate) fn join(&mut self, others: &Self) {
        self.0.extend(others.0.iter().cloned());
    }

    /// Also hides what a rule asks to.
    pub(crate) fn add(&mut self, hidden: &txcl::Hidden) {
        for (paths, how) in [(&hidden.redacted, How::Redact), (&hidden.omitted, How::Omit)] {
            self.0.extend(paths.iter().map(|path| (path.clone(), how)));
            let wholes =
                paths.iter().flat_map(wholes).filter_map(|at| Path::from_segments(at.iter().copied()).ok());
            self.0.extend(wholes.map(|path| (path, How::Redact)));
        }
    }

    /// The document as a trace shows it.
    pub(crate) fn shown(&self, document: &Value) -> Value {
        let mut shown = document.clone();
        if let Value::Object(members) = &mut shown
            && let Some(Value::Object(own)) = members.value_mut("_txc")
        {
            mask(own);
        }
        hide(&mut shown, self.0.iter().map(|(path, how)| (path.segments(), *how)).collect(), "");
        shown
    }
}

/// The texts that hold as a whole what is hidden at `path`: of the event its body as it was received, of the URL the URL
/// and the query as they came.
fn wholes(path: &Path) -> &'static [&'static [&'static str]] {
    if path.starts_with(&["_txc", "web", "req", "url"]) {
        return &[&["_txc", "web", "req", "url", "full"], &["_txc", "web", "req", "url", "query", "raw"]];
    }
    if path.first() == Some("_txc") { &[] } else { &[&["_txc", "web", "req", "body"]] }
}

/// Masks credentials in everything that is called `headers` or `cookies`.
fn mask(members: &mut Object) {
    for (name, value) in members.iter_mut() {
        match (name.as_str(), value) {
            ("cookies", cookies) => *cookies = Value::from(MASKED),
            ("headers", Value::Object(headers)) => {
                for (name, value) in headers.iter_mut() {
                    if CREDENTIALS.iter().any(|credential| credential.eq_ignore_ascii_case(name)) {
                        *value = Value::from(MASKED);
                    }
                }
            }
            (_, Value::Object(below)) => mask(below),
            (_, Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_))
            | (_, Value::Sealed(_)) => {}
        }
    }
}

/// What is hidden below a place: where, and how.
type Below<'p> = Vec<(&'p [Segment], How)>;

/// Hides places; `#` is every item of an array, and below `headers` a name is found in any case. All places at once, so
/// that an item that is left out moves none that is still to be hidden.
fn hide(value: &mut Value, places: Below<'_>, parent: &str) {
    match value {
        Value::Object(members) => {
            let mut named: BTreeMap<String, Below<'_>> = BTreeMap::new();
            for (first, rest, how) in places.into_iter().filter_map(step) {
                let wanted = first.as_str();
                if parent == "headers" {
                    for name in members.keys().filter(|name| name.eq_ignore_ascii_case(wanted)) {
                        named.entry(name.to_string()).or_default().push((rest, how));
                    }
                } else if members.contains_key(wanted) {
                    named.entry(wanted.to_owned()).or_default().push((rest, how));
                }
            }
            for (name, places) in named {
                let Some(below) = members.value_mut(&name) else { continue };
                if hidden(below, places, &name) == Some(How::Omit) {
                    members.remove(&name);
                }
            }
        }
        Value::Array(items) => {
            let (mut all, mut some): (Below<'_>, BTreeMap<usize, Below<'_>>) = Default::default();
            for (first, rest, how) in places.into_iter().filter_map(step) {
                match first.index() {
                    Some(at) => some.entry(at).or_default().push((rest, how)),
                    None if first.as_str() == "#" => all.push((rest, how)),
                    None => {}
                }
            }
            let mut at = 0_usize..;
            items.retain_mut(|item| {
                let mut places = at.next().and_then(|at| some.remove(&at)).unwrap_or_default();
                places.extend(&all);
                hidden(item, places, "") != Some(How::Omit)
            });
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Sealed(_) => {}
    }
}

fn step((path, how): (&[Segment], How)) -> Option<(&Segment, &[Segment], How)> {
    path.split_first().map(|(first, rest)| (first, rest, how))
}

/// Hides what is named itself, or what is named below it; says how when it is itself.
fn hidden(value: &mut Value, places: Below<'_>, name: &str) -> Option<How> {
    let itself = places.iter().filter(|(path, _)| path.is_empty()).map(|(_, how)| *how).max();
    match itself {
        None => hide(value, places, name),
        Some(_) => *value = Value::from(REDACTED),
    }
    itself
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(redacted: &[&str], omitted: &[&str], document: &str) -> String {
        let paths = |texts: &[&str]| texts.iter().map(|text| Path::parse_sugared(text).unwrap()).collect();
        let mut hiding = Hiding::default();
        hiding.add(&txcl::Hidden { redacted: paths(redacted), omitted: paths(omitted) });
        hiding.shown(&Value::parse(document.as_bytes()).unwrap()).to_json()
    }

    #[test]
    fn places_are_redacted_and_omitted() {
        for (redacted, omitted, document, want) in [
            (&[".card"][..], &[][..], r#"{"card":"4111","b":1}"#, r#"{"card":"[REDACTED]","b":1}"#),
            (&[], &["card"], r#"{"card":"4111","b":1}"#, r#"{"b":1}"#),
            (&["a.b"], &["a.b"], r#"{"a":{"b":1}}"#, r#"{"a":{}}"#),
            (&["a.1"], &[], r#"{"a":[1,2,3]}"#, r#"{"a":[1,"[REDACTED]",3]}"#),
            (&["a.#.n"], &[], r#"{"a":[{"n":1},{"m":2},3]}"#, r#"{"a":[{"n":"[REDACTED]"},{"m":2},3]}"#),
            (&[], &["a.#"], r#"{"a":[1,2,3]}"#, r#"{"a":[]}"#),
            (&["a.2"], &["a.0", "a.1"], r#"{"a":[1,2,3,4]}"#, r#"{"a":["[REDACTED]",4]}"#),
            (&[], &["a.#.1", "a.0.0"], r#"{"a":[[1,2,3],[4,5]]}"#, r#"{"a":[[3],[4]]}"#),
            (
                &["headers.x"],
                &[],
                r#"{"headers":{"X":1,"x":2}}"#,
                r#"{"headers":{"X":"[REDACTED]","x":"[REDACTED]"}}"#,
            ),
            (&["nothing.here", "b.c"], &["a.9", "x"], r#"{"a":[1],"b":2}"#, r#"{"a":[1],"b":2}"#),
            (
                &["@web.req.headers.x-card"],
                &[],
                r#"{"_txc":{"web":{"req":{"headers":{"X-Card":["1"]},"body":"eA=="}}}}"#,
                r#"{"_txc":{"web":{"req":{"headers":{"X-Card":"[REDACTED]"},"body":"eA=="}}}}"#,
            ),
        ] {
            assert_eq!(shown(redacted, omitted, document), want, "{redacted:?} {omitted:?}");
        }
    }

    #[test]
    fn the_bytes_received_do_not_show_what_is_hidden_of_them() {
        let document = r#"{"card":"1","_txc":{"web":{"req":{"body":"eyJjYXJkIjoiMSJ9"}}}}"#;
        assert!(!shown(&["card"], &[], document).contains("eyJ"));
        assert!(!shown(&[], &["body.card"], document).contains("eyJ"));
        assert!(shown(&["@web.req.method"], &[], document).contains("eyJ"));
    }

    /// A member of the query stands in the whole query and in the whole URL as well.
    #[test]
    fn a_url_does_not_show_what_is_hidden_of_it() {
        let event = r#"{"_txc":{"web":{"req":{"url":{"full":"/a?key=k1","path":"/a","query":{"key":["k1"],"raw":"key=k1"}}}}}}"#;
        for places in [["_txc.web.req.url.query.key"], ["_txc.web.req.url.query"], ["_txc.web.req.url.path"]]
        {
            for text in [shown(&places, &[], event), shown(&[], &places, event)] {
                assert!(!text.contains("?key") && !text.contains("key=k1"), "{places:?}: {text}");
            }
        }
        assert!(shown(&["_txc.web.req.method"], &[], event).contains("/a?key=k1"));
    }

    #[test]
    fn credentials_of_the_web_are_masked_wherever_headers_are() {
        let document = r#"{"headers":{"Cookie":"mine"},"_txc":{"web":{"req":{"headers":{"aUTHorization":["in"],"X":["y"]},
            "cookies":{"s":"in"}},"res":{"headers":{"Set-Cookie":"in"}}},"upstream":{"r":{"headers":{"x-api-key":"in"}}}}}"#;
        let text = shown(&[], &[], document);
        assert!(!text.contains("\"in\"") && text.contains("mine") && text.contains(r#""X":["y"]"#), "{text}");
    }
}
