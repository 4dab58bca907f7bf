//! What of a document a trace does not show: credentials of the web, and what rules asked to hide.

use model::{Object, Segment, Value};

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
pub(crate) struct Hiding(txcl::Hidden);

#[derive(Clone, Copy)]
enum How {
    Redact,
    Omit,
}

impl Hiding {
    /// Also hides what others do.
    pub(crate) fn join(&mut self, others: &Self) {
        self.add(&others.0);
    }

    /// Also hides what a rule asks to.
    pub(crate) fn add(&mut self, hidden: &txcl::Hidden) {
        for (mine, more) in [(&mut self.0.redacted, &hidden.redacted), (&mut self.0.omitted, &hidden.omitted)]
        {
            for path in more {
                if !mine.contains(path) {
                    mine.push(path.clone());
                }
            }
        }
    }

    /// The document as a trace shows it.
    pub(crate) fn shown(&self, document: &Value) -> Value {
        let mut shown = document.clone();
        if let Value::Object(members) = &mut shown
            && let Some(Value::Object(own)) = members.get_mut("_txc")
        {
            mask(own);
            if self.hides_of_the_event() {
                hide_received(own);
            }
        }
        for (paths, how) in [(&self.0.redacted, How::Redact), (&self.0.omitted, How::Omit)] {
            for path in paths {
                hide(&mut shown, path.segments(), how, "");
            }
        }
        shown
    }

    /// Whether something is hidden that the bytes of the event's body may hold too.
    fn hides_of_the_event(&self) -> bool {
        self.0.redacted.iter().chain(&self.0.omitted).any(|path| path.first() != Some("_txc"))
    }
}

/// Masks credentials in everything that is called `headers` or `cookies`.
fn mask(members: &mut Object) {
    for (name, value) in members {
        match (name.as_str(), value) {
            ("cookies", cookies) => *cookies = Value::from(MASKED),
            ("headers", Value::Object(headers)) => {
                for (name, value) in headers {
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

/// The body as it was received holds what is hidden elsewhere.
fn hide_received(own: &mut Object) {
    if let Some(Value::Object(web)) = own.get_mut("web")
        && let Some(Value::Object(request)) = web.get_mut("req")
        && let Some(body) = request.get_mut("body")
    {
        *body = Value::from(REDACTED);
    }
}

/// Hides the place at `path`; `#` is every item of an array, and below `headers` a name is found in any case.
fn hide(value: &mut Value, path: &[Segment], how: How, parent: &str) {
    let Some((first, rest)) = path.split_first() else { return };
    let wanted = first.as_str();
    match value {
        Value::Object(members) => {
            let any_case = parent == "headers";
            let is_it = |name: &&String| *name == wanted || any_case && name.eq_ignore_ascii_case(wanted);
            let Some(name) = members.keys().find(is_it).cloned() else { return };
            match (rest.is_empty(), how) {
                (true, How::Omit) => drop(members.shift_remove(&name)),
                (true, How::Redact) => drop(members.insert(name, Value::from(REDACTED))),
                (false, _) => {
                    if let Some(below) = members.get_mut(&name) {
                        hide(below, rest, how, &name);
                    }
                }
            }
        }
        Value::Array(items) => {
            let all = wanted == "#";
            // From the end: what is omitted moves only what was looked at.
            for at in (0..items.len()).rev().filter(|at| all || first.index() == Some(*at)) {
                match (rest.is_empty(), how, items.get_mut(at)) {
                    (true, How::Omit, _) => drop(items.remove(at)),
                    (true, How::Redact, Some(item)) => *item = Value::from(REDACTED),
                    (false, _, Some(item)) => hide(item, rest, how, ""),
                    (_, _, None) => {}
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Sealed(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use model::Path;

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

    #[test]
    fn credentials_of_the_web_are_masked_wherever_headers_are() {
        let document = r#"{"headers":{"Cookie":"mine"},"_txc":{"web":{"req":{"headers":{"aUTHorization":["in"],"X":["y"]},
            "cookies":{"s":"in"}},"res":{"headers":{"Set-Cookie":"in"}}},"upstream":{"r":{"headers":{"x-api-key":"in"}}}}}"#;
        let text = shown(&[], &[], document);
        assert!(!text.contains("\"in\"") && text.contains("mine") && text.contains(r#""X":["y"]"#), "{text}");
    }
}
