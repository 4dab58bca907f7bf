//! Functions of documents: parse, print, look up, build.

use std::borrow::Cow;
use std::fmt::Write as _;

use model::{Object, Path, Value};

use super::arguments::{Arguments, MAX_TEXT, fits, text, unfit, value};
use crate::budget::{Budget, gap, weight};
use crate::clock::{Clock, Reason};

pub(super) fn json(arguments: &Arguments<'_>, _: &Clock) -> Result<Value, Reason> {
    parsed(text(arguments, 0)?)
}

fn parsed(text: &str) -> Result<Value, Reason> {
    Value::parse(text.as_bytes()).map_err(|e| Reason::Failed(e.to_string()))
}

/// Compact JSON as the Go chassis prints it: members in order of their names, `<`, `>` and
/// `&` escaped. What was signed there verifies here.
pub(super) fn to_json(arguments: &Arguments<'_>, _: &Clock) -> Result<Value, Reason> {
    let mut out = String::new();
    print(value(arguments, 0), &mut out)?;
    Ok(Value::String(out))
}

fn print(value: &Value, out: &mut String) -> Result<(), Reason> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Number(n) => out.push_str(&number(n)),
        Value::String(text) => print_text(text, out),
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                print(item, out)?;
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            out.push('{');
            for (at, (name, member)) in members.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                print_text(name, out);
                out.push(':');
                print(member, out)?;
            }
            out.push('}');
        }
        Value::Sealed(_) => return Err(Reason::Credential(String::new())),
    }
    fits(out.len())
}

/// Shortest; with an exponent only below 1e-6 and from 1e21 on (ECMA-262's and Go's rule).
fn number(number: &serde_json::Number) -> String {
    let float = match number.as_f64() {
        Some(float) if number.is_f64() => float,
        _ => return number.to_string(),
    };
    let plain = float == 0.0 || (1e-6..1e21).contains(&float.abs());
    if plain { float.to_string() } else { format!("{float:e}").replace("e", "e+").replace("e+-", "e-") }
}

fn print_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                // Writing to a String cannot fail.
                let _infallible = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

pub(super) fn get(arguments: &Arguments<'_>, _: &Clock) -> Result<Value, Reason> {
    let document = document(arguments)?;
    Ok(found(&document, &path(arguments)?).cloned().unwrap_or(Value::Null))
}

pub(super) fn has(arguments: &Arguments<'_>, _: &Clock) -> Result<Value, Reason> {
    let document = document(arguments)?;
    Ok(Value::Bool(found(&document, &path(arguments)?).is_some()))
}

pub(super) fn set(arguments: &Arguments<'_>, _: &Clock) -> Result<Value, Reason> {
    let (path, new) = (path(arguments)?, value(arguments, 2));
    if path.is_empty() {
        return Err(Reason::failed("the path is empty"));
    }
    Budget::check_depth(&path, new)?;
    fits(gap(&path).saturating_add(weight(new)))?;
    let mut document = document(arguments)?.into_owned();
    document.set(&path, new.clone()).map_err(|e| Reason::Failed(e.to_string()))?;
    Ok(document)
}

/// A value, or the value that a JSON text says.
fn document<'a>(arguments: &'a Arguments<'_>) -> Result<Cow<'a, Value>, Reason> {
    let given = value(arguments, 0);
    given.as_str().map_or(Ok(Cow::Borrowed(given)), |text| parsed(text).map(Cow::Owned))
}

/// As in parameters: `a.b.0`, without a dot or `@` before it.
fn path(arguments: &Arguments<'_>) -> Result<Path, Reason> {
    Path::parse(text(arguments, 1)?).map_err(|_| Reason::failed("this is not a path such as a.b.0"))
}

/// Nothing lies at the empty path, as there.
fn found<'a>(document: &'a Value, path: &Path) -> Option<&'a Value> {
    document.get(path).filter(|_| !path.is_empty())
}

pub(super) fn object(arguments: &Arguments<'_>, _: &Clock) -> Result<Value, Reason> {
    let mut members = Object::default();
    let mut together = 0;
    for pair in arguments.chunks(2) {
        let [name, member] = pair else { return Err(Reason::failed("a name without a value")) };
        let name = name.as_str().ok_or_else(|| unfit("a text as a member's name", name))?;
        within(&mut together, member)?;
        members.insert(name.to_owned(), member.as_ref().clone());
    }
    Ok(Value::Object(members))
}

pub(super) fn array(arguments: &Arguments<'_>, _: &Clock) -> Result<Value, Reason> {
    let mut items = Vec::new();
    let mut together = 0;
    for item in arguments {
        within(&mut together, item)?;
        items.push(item.as_ref().clone());
    }
    Ok(Value::Array(items))
}

/// Copies are made of what is small enough together, and no deeper than documents are.
fn within(together: &mut usize, next: &Value) -> Result<(), Reason> {
    *together += weight(next);
    fits(*together)
        .map_err(|_| Reason::failed(format!("the result is larger than {} MiB", MAX_TEXT >> 20)))?;
    Budget::check_depth(&Path::from_segments(["x"]).unwrap_or_default(), next)
}
