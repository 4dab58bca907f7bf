//! What a rule had made ready, as a value that can be kept until its worker calls back.

use std::sync::Arc;

use model::{Envelope, Object, Path, Value};

use crate::rule::{Chosen, Prepared, Written};

impl Prepared {
    /// All that EMIT and the reply need of it. Headers and the places a rule wrote are for the
    /// request, which has been sent by then.
    #[must_use]
    pub fn kept(&self) -> Value {
        let under = self.whole().document().clone();
        object([("params", (*self.params).clone()), ("selected", list(&self.selected)), ("under", under)])
    }

    /// The same where the output joins another envelope later: of the input only what the rule itself wrote.
    #[must_use]
    pub fn deferred(&self) -> Value {
        let wrote = self.own.iter().filter_map(|path| {
            Some(Chosen { path: path.clone(), value: self.whole().get(path)?.clone(), line: 0 })
        });
        let wrote: Vec<_> = wrote.collect();
        object([
            ("params", (*self.params).clone()),
            ("selected", list(&self.selected)),
            ("wrote", list(&wrote)),
        ])
    }

    /// What [`Prepared::deferred`] gave, over the envelope that it joins; nothing when `kept` is no such value.
    #[must_use]
    pub fn of_deferred(kept: Value, envelope: &Envelope) -> Option<Self> {
        let mut kept = kept.into_object()?;
        let mut input = envelope.clone();
        for Chosen { path, value, .. } in unlisted(kept.remove("wrote")?)? {
            // Where the envelope has grown so that it cannot be written, it is not seen.
            let _in_the_way = input.set(&path, value);
        }
        Some(Self {
            input,
            params: Arc::new(kept.remove("params")?),
            headers: Vec::new(),
            own: Vec::new(),
            full: None,
            selected: unlisted(kept.remove("selected")?)?,
        })
    }

    /// The same again; nothing when `kept` is no such value.
    #[must_use]
    pub fn of_kept(kept: Value) -> Option<Self> {
        let mut kept = kept.into_object()?;
        Some(Self {
            input: Envelope::new(kept.remove("under")?).ok()?,
            params: Arc::new(kept.remove("params")?),
            headers: Vec::new(),
            own: Vec::new(),
            full: None,
            selected: unlisted(kept.remove("selected")?)?,
        })
    }
}

impl Written {
    /// As a value that can be kept.
    #[must_use]
    pub fn kept(&self) -> Value {
        list(&self.0)
    }

    /// The same again; nothing when `kept` is no such value.
    #[must_use]
    pub fn of_kept(kept: Value) -> Option<Self> {
        unlisted(kept).map(Self)
    }
}

fn list(all: &[Chosen]) -> Value {
    let one = |chosen: &Chosen| {
        let path = chosen.path.segments().iter().map(|segment| Value::from(segment.as_str())).collect();
        let line = Value::from(u64::try_from(chosen.line).unwrap_or(0));
        object([("path", Value::Array(path)), ("value", chosen.value.clone()), ("line", line)])
    };
    Value::Array(all.iter().map(one).collect())
}

fn unlisted(kept: Value) -> Option<Vec<Chosen>> {
    let Value::Array(items) = kept else { return None };
    let one = |item: Value| {
        let mut item = item.into_object()?;
        let Value::Array(segments) = item.remove("path")? else { return None };
        let segments: Option<Vec<_>> = segments.iter().map(|s| s.as_str().map(str::to_owned)).collect();
        let line = item.get("line")?.as_i64()?;
        Some(Chosen {
            path: Path::from_segments(segments?).ok()?,
            value: item.remove("value")?,
            line: usize::try_from(line).ok()?,
        })
    };
    items.into_iter().map(one).collect()
}

fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Object>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AnyOps, Clock, Mode, RuleFile, check};

    #[test]
    fn what_was_kept_emits_the_same() {
        let text = "SET .id = &uuid() SELECT .a AS .b, .id SET .c = .b WITH into = .id \
                    EXEC \"https://w.example/\" EMIT .emitted = .id, .big = .n";
        let file = RuleFile { path: "t.txcl", name: "t", text };
        let (rules, findings) = check(&file, Mode::Strict, &AnyOps);
        assert!(findings.is_empty(), "{findings}");
        let clock = Clock { now: "2026-11-28T00:00:00Z".parse().unwrap() };
        let envelope = Value::parse(br#"{"a":[1],"n":18446744073709551615,"body":{"z":1,"a":2}}"#).unwrap();
        let mut envelope = Envelope::new(envelope).unwrap();
        let prepared = rules[0].prepare(&envelope, &clock).unwrap();
        let text = prepared.kept().to_json();
        let again = Prepared::of_kept(Value::parse(text.as_bytes()).unwrap()).unwrap();
        let emitted = |prepared| rules[0].overlay(Value::object(), prepared, &clock).unwrap();
        assert_eq!(emitted(&prepared), emitted(&again));
        assert_eq!(prepared.params, again.params);
        assert!(emitted(&again).to_json().contains("18446744073709551615"), "numbers stay exact");

        envelope.set(&Path::parse("b").unwrap(), Value::from("x")).unwrap();
        let mut other = envelope.clone();
        let written = rules[0].after(&mut envelope, &clock).unwrap();
        Written::of_kept(written.kept()).unwrap().again(&mut other).unwrap();
        assert_eq!(envelope, other);
        assert!(Prepared::of_kept(Value::object()).is_none() && Written::of_kept(Value::Null).is_none());
    }

    #[test]
    fn what_was_deferred_emits_over_what_came_meanwhile() {
        let text = "SET .id = 7 SELECT .a AS .b, .id WITH into = .id \
                    EXEC \"https://w.example/\" EMIT .both = &concat(.n, .id), .was = .b, .seen = .later";
        let file = RuleFile { path: "t.txcl", name: "t", text };
        let (rules, findings) = check(&file, Mode::Strict, &AnyOps);
        assert!(findings.is_empty(), "{findings}");
        let clock = Clock { now: "2026-11-28T00:00:00Z".parse().unwrap() };
        let envelope = |text: &str| Envelope::new(Value::parse(text.as_bytes()).unwrap()).unwrap();
        let prepared = rules[0].prepare(&envelope(r#"{"a":1,"n":1,"secret":"x"}"#), &clock).unwrap();
        let kept = Value::parse(prepared.deferred().to_json().as_bytes()).unwrap();
        assert!(!kept.to_json().contains("secret"), "only what the rule wrote");
        let there = envelope(r#"{"n":10,"later":true}"#);
        let again = Prepared::of_deferred(kept, &there).unwrap();
        let emitted = rules[0].overlay(Value::object(), &again, &clock).unwrap();
        assert_eq!(emitted.to_json(), r#"{"b":1,"id":7,"both":"107","was":1,"seen":true}"#);
        assert_eq!(prepared.params, again.params);
        assert!(Prepared::of_deferred(Value::object(), &there).is_none());
    }
}
