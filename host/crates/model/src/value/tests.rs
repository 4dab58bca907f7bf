//! Reading, writing and printing values, and their bounds.

use super::*;

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

fn written(start: &str, at: &str, new: Value) -> String {
    let mut value = Value::parse(start.as_bytes()).unwrap();
    value.set(&path(at), new).unwrap();
    value.to_json()
}

#[test]
fn writes_make_what_is_missing() {
    assert_eq!(written("{}", "a.b", Value::from(1_i64)), r#"{"a":{"b":1}}"#);
    assert_eq!(written("{}", "a.1", Value::from("x")), r#"{"a":[null,"x"]}"#);
    assert_eq!(written(r#"{"a":[1]}"#, "a.-1", Value::from(2_i64)), r#"{"a":[1,2]}"#);
    assert_eq!(written("{}", "a.-1.b", Value::Null), r#"{"a":[{"b":null}]}"#);
    assert_eq!(written(r#"{"a":5}"#, "a.b", Value::from(true)), r#"{"a":{"b":true}}"#);
}

#[test]
fn a_failed_write_changes_nothing() {
    let mut value = Value::parse(br#"{"a":[1,2]}"#).unwrap();
    let before = value.clone();
    assert!(matches!(value.set(&path("a.x"), Value::Null), Err(PathError::NotAnIndex { .. })));
    assert!(matches!(value.set(&path("a.999999"), Value::Null), Err(PathError::Gap { .. })));
    assert!(matches!(value.set(&path("b.999999.c"), Value::Null), Err(PathError::Gap { .. })));
    assert_eq!(value, before);
}

#[test]
fn integers_stay_exact_and_order_is_kept() {
    let text = r#"{"z":9007199254740993,"a":18446744073709551615,"f":1.5}"#;
    assert_eq!(Value::parse(text.as_bytes()).unwrap().to_json(), text);
}

#[test]
fn a_sealed_value_prints_as_fixed_text() {
    let mut sealed = Sealed::credential(CredentialId::new(0));
    sealed.prepend_text("Basic ".to_owned());
    sealed.push_text("!");
    let value: Value = [("h".to_owned(), Value::Sealed(sealed))].into_iter().collect();
    assert_eq!(value.to_json(), r#"{"h":"[credential]"}"#);
    assert!(value.has_sealed());
    assert!(!Value::parse(value.to_json().as_bytes()).unwrap().has_sealed());
}

#[test]
fn nesting_is_bounded() {
    let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    assert!(Value::parse(deep(96).as_bytes()).is_ok());
    assert_eq!(Value::parse(deep(97).as_bytes()), Err(ValueError::TooDeep));
    assert!(Value::parse(deep(100_000).as_bytes()).is_err());
}

#[test]
fn remove_closes_the_gap() {
    let mut value = Value::parse(br#"{"a":[1,2,3],"b":1}"#).unwrap();
    assert_eq!(value.remove(&path("a.1")), Some(Value::from(2_i64)));
    assert_eq!(value.remove(&path("b")), Some(Value::from(1_i64)));
    assert_eq!(value.remove(&path("c.d")), None);
    assert_eq!(value.to_json(), r#"{"a":[1,3]}"#);
}

/// Each is the shortest text of its number, and a reader that rounds on the way makes another of it.
#[test]
fn a_number_goes_out_as_it_came_in() {
    for text in
        ["948.5500000000001", "0.9368454836676531", "1.7711902069235201", "2.516343570257608e-301", "0.1"]
    {
        assert_eq!(Value::parse(text.as_bytes()).unwrap().to_json(), text);
    }
}

#[test]
fn a_number_without_fraction_is_whole_however_it_is_written() {
    let whole = |text: &str| Value::parse(text.as_bytes()).unwrap().as_i64();
    for (text, is) in
        [("404", 404), ("404.0", 404), ("4.04e2", 404), ("-0.0", 0), ("9223372036854775807", i64::MAX)]
    {
        assert_eq!(whole(text), Some(is), "{text}");
    }
    for text in ["404.5", "1e300", "18446744073709551615", "\"404\"", "true", "null"] {
        assert_eq!(whole(text), None, "{text}");
    }
}
