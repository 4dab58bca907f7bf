//! JSON text becomes a value in one pass, no deeper than documents may be.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use smol_str::SmolStr;

use crate::{Object, Value, ValueError};

impl Value {
    /// Parses JSON text (RFC 8259). Of members with one name the last one counts.
    ///
    /// # Errors
    /// [`ValueError`]: not JSON, or nested too deep.
    pub fn parse(text: &[u8]) -> Result<Self, ValueError> {
        let too_deep = Cell::new(false);
        let mut json = serde_json::Deserializer::from_slice(text);
        // Its own limit is further down.
        let inside = Inside { left: Self::MAX_DEPTH, too_deep: &too_deep };
        let read = inside.deserialize(&mut json).and_then(|value| json.end().map(|()| value));
        read.map_err(|error| match too_deep.get() {
            true => ValueError::TooDeep,
            false => ValueError::NotJson { line: error.line(), column: error.column() },
        })
    }
}

/// A value inside of others, with so many levels left for its own.
#[derive(Clone, Copy)]
struct Inside<'a> {
    left: usize,
    too_deep: &'a Cell<bool>,
}

impl Inside<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        let left = self.left.checked_sub(1).ok_or_else(|| {
            self.too_deep.set(true);
            E::custom(ValueError::TooDeep)
        })?;
        Ok(Self { left, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Inside<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Inside<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, b: bool) -> Result<Value, E> {
        Ok(Value::Bool(b))
    }

    fn visit_i64<E>(self, n: i64) -> Result<Value, E> {
        Ok(Value::from(n))
    }

    fn visit_u64<E>(self, n: u64) -> Result<Value, E> {
        Ok(Value::from(n))
    }

    fn visit_f64<E>(self, n: f64) -> Result<Value, E> {
        Ok(Value::from(n))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inside = self.deeper()?;
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(inside)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inside = self.deeper()?;
        let mut object = Object::default();
        while let Some(name) = members.next_key::<SmolStr>()? {
            object.insert(name, members.next_value_seed(inside)?);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_what_serde_json_reads() {
        for text in [
            r#"{"a":[1,-1,1.5,18446744073709551615,-9223372036854775808,1e300,"x\u00e9\"",null,true,false,{}]}"#,
            r#"  [ ] "#,
            r#""a""#,
            r#"{"b":1,"a":2,"b":{"c":3}}"#,
        ] {
            let by_serde: serde_json::Value = serde_json::from_str(text).unwrap();
            assert_eq!(Value::parse(text.as_bytes()).unwrap(), Value::from(by_serde), "{text}");
        }
        assert_eq!(Value::parse(br#"{"b":1,"a":2,"b":3}"#).unwrap().to_json(), r#"{"b":3,"a":2}"#);
        for text in ["", "{", "[1,]", "1 2", "{\"a\":1,}", "nul", "1e400", "\"\u{1}\"", "{1:2}"] {
            assert!(matches!(Value::parse(text.as_bytes()), Err(ValueError::NotJson { .. })), "{text}");
        }
    }

    /// A member that `serde_json` uses to hand unparsed text around is a member like any other.
    #[test]
    fn no_name_is_special() {
        let text = r#"{"$serde_json::private::RawValue":"{}"}"#;
        assert_eq!(Value::parse(text.as_bytes()).unwrap().to_json(), text);
    }

    #[test]
    fn it_stops_where_it_is_too_deep() {
        let nested = |levels: usize| [vec![b'['; levels], vec![b']'; levels]].concat();
        assert!(Value::parse(&nested(Value::MAX_DEPTH)).is_ok());
        for levels in [Value::MAX_DEPTH + 1, 100_000] {
            assert_eq!(Value::parse(&nested(levels)), Err(ValueError::TooDeep), "{levels}");
        }
    }
}
