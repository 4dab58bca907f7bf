//! What must hold when an op's output enters the envelope. Compiled into the chassis's tests too.

use model::{Object, Value};

use crate::merge::{merge, weight};

/// Two documents with a NUL in between: nothing that the envelope had below an object is lost, what the output says
/// stands, and the same inputs give the same bytes.
pub fn merging(data: &[u8]) {
    let Some((old, new)) = std::str::from_utf8(data).ok().and_then(|text| text.split_once('\0')) else {
        return;
    };
    let (Some(old), Some(new)) = (object(old), object(new)) else { return };
    let mut merged = old.clone();
    merge(&mut merged, new.clone());
    let mut again = old.clone();
    merge(&mut again, new.clone());
    assert_eq!(Value::Object(merged.clone()).to_json(), Value::Object(again).to_json());
    assert!(old.keys().chain(new.keys()).all(|key| merged.contains_key(key)), "a member is gone");
    holds(&old, &new, &merged, Level::Top);
    let most = weight(&Value::Object(old)) + weight(&Value::Object(new));
    assert!(weight(&Value::Object(merged)) <= most, "it weighs more than its parts");
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Top,
    Below,
}

fn holds(old: &Object, new: &Object, merged: &Object, level: Level) {
    for (key, is) in merged {
        match (old.get(key), new.get(key)) {
            (Some(Value::Object(old)), Some(Value::Object(new))) => {
                let Value::Object(is) = is else { panic!("{key} is no object any more") };
                holds(old, new, is, Level::Below);
            }
            (Some(Value::Array(old)), Some(Value::Array(new))) => {
                let Value::Array(is) = is else { panic!("{key} is no array any more") };
                assert!(is.iter().eq(old.iter().chain(new)), "{key}");
            }
            (Some(old @ Value::Object(_)), Some(Value::Null)) if level == Level::Below => assert_eq!(is, old),
            (_, Some(new)) => assert_eq!(is, new),
            (Some(old), None) => assert_eq!(is, old),
            (None, None) => panic!("{key} comes from nowhere"),
        }
    }
}

fn object(text: &str) -> Option<Object> {
    Value::parse(text.as_bytes()).ok()?.into_object()
}
