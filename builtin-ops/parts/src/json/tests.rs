//! What is read is what another reader of JSON reads, and nothing else is.

use super::*;

fn same(text: &str) {
    let theirs = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text);
    match (Object::read(text), theirs) {
        (Some(ours), Ok(theirs)) => {
            let ours =
                ours.members().map(|(name, raw)| (name.to_owned(), serde_json::from_str(raw).unwrap()));
            assert_eq!(ours.collect::<serde_json::Map<_, _>>(), theirs, "{text}");
        }
        (None, Err(_)) => {}
        (ours, theirs) => panic!("{text}: {} and {theirs:?}", ours.is_some()),
    }
}

#[test]
fn objects_are_read_as_others_read_them() {
    let objects = [
        "{}",
        " {\t}\r\n",
        r#"{"a":1}"#,
        r#"{ "a" : [ 1 , -2.5e+7, 0, 0.1, 1E3 ] , "b\u00e9\ud83d\ude00" : {"c":[[],{}]}, "z":null}"#,
        r#"{"t":true,"f":false,"s":"q\"\\\/\b\f\n\r\t","é":"ü"}"#,
    ];
    objects.iter().for_each(|text| {
        assert!(Object::read(text).is_some(), "{text}");
        same(text);
    });
    let whole = objects[3];
    for (at, _) in whole.char_indices() {
        same(&whole[..at]);
        same(&format!("{}{}", &whole[..at], &whole[at..].chars().skip(1).collect::<String>()));
        for other in ["}", ",", "0", "\"", "\\", "e", "-"] {
            same(&format!("{}{other}{}", &whole[..at], &whole[at..]));
        }
    }
}

#[test]
fn what_is_not_an_object_is_none() {
    for text in [
        "",
        "[]",
        "1",
        "{",
        "{}}",
        "{} x",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        r#"{,"a":1}"#,
        r#"{"a":01}"#,
        r#"{"a":.5}"#,
        r#"{"a":1.}"#,
        r#"{"a":1e}"#,
        r#"{"a":+1}"#,
        r#"{"a":tru}"#,
        r#"{"a":"\x"}"#,
        r#"{"\ud800":1}"#,
        "{\"a\":\"\n\"}",
        "{'a':1}",
        "\u{feff}{}",
    ] {
        assert!(Object::read(text).is_none(), "{text}");
    }
}

/// An escaped name is the same name.
#[test]
fn a_name_is_given_once() {
    assert!(Object::read(r#"{"a":1,"a":2}"#).is_none());
    assert!(Object::read(r#"{"a":1,"\u0061":2}"#).is_none());
}

#[test]
fn nesting_has_an_end() {
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(Object::read(&nested(DEPTH - 1)).is_some());
    assert!(Object::read(&nested(DEPTH)).is_none());
}

#[test]
fn values_are_read() {
    assert_eq!(text(r#""a\u00e9""#).as_deref(), Some("aé"));
    assert_eq!(text("1"), None);
    assert_eq!(texts(r#""a""#), Some(vec!["a".to_owned()]));
    assert_eq!(texts(r#"[ "a" , "b" ]"#), Some(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(texts("[]"), Some(vec![]));
    for other in ["1", "[1]", r#"["a",["b"]]"#, "null", "{}"] {
        assert_eq!(texts(other), None, "{other}");
    }
    for (raw, value) in [
        ("0", Some(0)),
        ("1300819380", Some(1_300_819_380)),
        ("1300819380.9", Some(1_300_819_380)),
        ("-5", Some(0)),
        ("1e9", None),
        ("\"1\"", None),
        ("true", None),
        ("99999999999999999999", None),
    ] {
        assert_eq!(seconds(raw), value, "{raw}");
    }
}

#[test]
fn what_is_written_is_read_again() {
    let all: String = (0..0x300).filter_map(char::from_u32).chain(['\u{1f600}']).collect();
    assert_eq!(serde_json::from_str::<String>(&quoted(&all)).unwrap(), all);
    let object = object([("a\"", quoted("b")), ("c", "1".to_owned())]);
    assert_eq!(object, r#"{"a\"":"b","c":1}"#);
}
