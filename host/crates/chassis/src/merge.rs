//! How an op's output enters the envelope: one total table (D9).
//!
//! | envelope has | output has | result |
//! |---|---|---|
//! | nothing | anything | output |
//! | object | object | member by member, by this table |
//! | array | array | the envelope's items, then the output's |
//! | object, below the top level | `null` | the envelope's object |
//! | anything else | anything else | output |
//!
//! It differs from the existing chassis only where that one failed, dropped the rest of an
//! output or made `null` of an array (weaknesses H9, E5).

use model::{Object, Value};

/// Merges the members of `output` into `envelope`, in the output's order.
pub(crate) fn merge(envelope: &mut Object, output: Object) {
    for (key, new) in output {
        put(envelope, &key, new);
    }
}

fn put(envelope: &mut Object, key: &str, new: Value) {
    match (envelope.member(key), new) {
        (Value::Object(old), Value::Object(new)) => merge_nested(old, new),
        (Value::Array(old), Value::Array(new)) => old.extend(new),
        (old, new) => *old = new,
    }
}

fn merge_nested(envelope: &mut Object, output: Object) {
    for (key, new) in output {
        match (envelope.value_mut(&key), new) {
            (Some(Value::Object(_)), Value::Null) => {}
            (_, new) => put(envelope, &key, new),
        }
    }
}

/// How heavy a value is: bytes of its texts and keys, and a constant for every node.
pub(crate) fn weight(value: &Value) -> usize {
    const NODE: usize = 16;
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Sealed(_) => NODE,
        Value::String(text) => NODE + text.len(),
        Value::Array(items) => NODE + items.iter().map(weight).sum::<usize>(),
        Value::Object(object) => NODE + object.iter().map(|(k, v)| k.len() + weight(v)).sum::<usize>(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Object {
        match Value::parse(text.as_bytes()) {
            Ok(Value::Object(object)) => object,
            other => panic!("{other:?}"),
        }
    }

    /// E5 of the weaknesses.
    #[test]
    fn the_table_holds() {
        for (old, new, want) in [
            (r#"{}"#, r#"{"a":null}"#, r#"{"a":null}"#),
            (r#"{"a":1}"#, r#"{"a":null}"#, r#"{"a":null}"#),
            (r#"{"a":{"x":1}}"#, r#"{"a":null}"#, r#"{"a":null}"#),
            (r#"{"a":1}"#, r#"{"a":{"x":1},"b":2}"#, r#"{"a":{"x":1},"b":2}"#),
            (r#"{"a":{"x":1}}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
            (r#"{"a":[1]}"#, r#"{"a":[1,2]}"#, r#"{"a":[1,1,2]}"#),
            (r#"{"a":{"n":{"x":1}}}"#, r#"{"a":{"n":null}}"#, r#"{"a":{"n":{"x":1}}}"#),
            (r#"{"a":{"n":5}}"#, r#"{"a":{"n":[1]}}"#, r#"{"a":{"n":[1]}}"#),
            (r#"{"a":{"n":[1]}}"#, r#"{"a":{"n":[2]}}"#, r#"{"a":{"n":[1,2]}}"#),
            (r#"{"a":{"n":5}}"#, r#"{"a":{"n":{"x":1},"m":2}}"#, r#"{"a":{"n":{"x":1},"m":2}}"#),
            (r#"{"a":{"d":{"e":1}}}"#, r#"{"a":{"d":{"f":2}}}"#, r#"{"a":{"d":{"e":1,"f":2}}}"#),
        ] {
            let mut envelope = object(old);
            merge(&mut envelope, object(new));
            assert_eq!(Value::Object(envelope).to_json(), want, "{old} <- {new}");
        }
    }

    #[test]
    fn what_fuzzing_tried_still_holds() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../fuzz/corpus/merging");
        let inputs: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(inputs.len() >= 5, "{inputs:?}");
        for input in inputs {
            crate::merging::merging(&std::fs::read(input).unwrap());
        }
    }

    #[test]
    fn weight_counts_keys_and_texts() {
        assert!(weight(&Value::Object(object(r#"{"a":"0123456789"}"#))) >= 11);
    }
}
