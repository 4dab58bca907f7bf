//! The table of functions: a new one is a row here and its few lines below.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::{Sealed, Value};

use crate::clock::{Clock, Reason};
use crate::coerce;

/// The longest text a function may make.
const MAX_TEXT: usize = 32 << 20;

/// How many arguments a function takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arity {
    least: usize,
    /// `None`: any number.
    most: Option<usize>,
}

impl Arity {
    const fn exactly(n: usize) -> Self {
        Self { least: n, most: Some(n) }
    }

    pub(crate) fn allows(self, n: usize) -> bool {
        n >= self.least && self.most.is_none_or(|most| n <= most)
    }

    /// "2 arguments", "0 to 1 arguments".
    pub(crate) fn words(self) -> String {
        let plural = |n: usize| if n == 1 { "argument" } else { "arguments" };
        match self.most {
            Some(most) if most == self.least => format!("{most} {}", plural(most)),
            Some(most) => format!("{} to {most} arguments", self.least),
            None => format!("at least {} {}", self.least, plural(self.least)),
        }
    }
}

/// What a function does with a credential (R1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// It would have to look into it: the call fails before it begins.
    Refused,
    /// It passes it on, sealed.
    Passed,
}

/// What a result depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depends {
    /// Only the arguments: of literals it is computed once, at load.
    Arguments,
    /// Also the moment or chance.
    Moment,
}

/// The arguments of a call.
pub(crate) type Arguments<'a> = [Cow<'a, Value>];

/// One function.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) arity: Arity,
    pub(crate) credentials: Credentials,
    pub(crate) depends: Depends,
    run: fn(&Arguments<'_>, &Clock) -> Result<Value, Reason>,
}

/// Every function there is, in the order of the manual.
pub(crate) static FUNCTIONS: &[Function] = &[
    Function {
        name: "concat",
        arity: Arity { least: 0, most: None },
        credentials: Credentials::Passed,
        depends: Depends::Arguments,
        run: concat,
    },
    Function {
        name: "uuid",
        arity: Arity::exactly(0),
        credentials: Credentials::Refused,
        depends: Depends::Moment,
        run: uuid,
    },
    Function {
        name: "now",
        arity: Arity { least: 0, most: Some(1) },
        credentials: Credentials::Refused,
        depends: Depends::Moment,
        run: now,
    },
    Function {
        name: "json",
        arity: Arity::exactly(1),
        credentials: Credentials::Refused,
        depends: Depends::Arguments,
        run: json,
    },
    Function {
        name: "b64encode",
        arity: Arity::exactly(1),
        credentials: Credentials::Refused,
        depends: Depends::Arguments,
        run: b64encode,
    },
    Function {
        name: "b64decode",
        arity: Arity::exactly(1),
        credentials: Credentials::Refused,
        depends: Depends::Arguments,
        run: b64decode,
    },
];

/// Functions of the language that this chassis does not have yet.
pub(crate) const COMING: &[&str] = &[
    "tz",
    "urlencode",
    "urldecode",
    "to_json",
    "get",
    "set",
    "has",
    "object",
    "array",
    "len",
    "split",
    "join",
    "substr",
    "repeat",
    "pad",
    "sha256",
    "add",
    "sub",
    "mul",
    "div",
    "mod",
    "try_json",
    "try_b64decode",
    "try_urldecode",
    "try_get",
    "try_substr",
];

impl Function {
    /// The function called `name`.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        FUNCTIONS.iter().find(|f| f.name == name)
    }

    /// Calls it; the reason of a failure begins with the function's name.
    pub(crate) fn call(&self, arguments: &Arguments<'_>, clock: &Clock) -> Result<Value, Reason> {
        if self.credentials == Credentials::Refused && arguments.iter().any(|a| a.has_sealed()) {
            return Err(self.inspected());
        }
        (self.run)(arguments, clock).map_err(|reason| match reason {
            Reason::Credential(_) => self.inspected(),
            Reason::Failed(text) => Reason::Failed(format!("&{}: {text}", self.name)),
        })
    }

    fn inspected(&self) -> Reason {
        Reason::Credential(format!("&{} cannot look into a credential; only &concat takes one", self.name))
    }
}

fn text<'a>(arguments: &'a Arguments<'_>, at: usize) -> Result<&'a str, Reason> {
    let argument = arguments.get(at).map(Cow::as_ref);
    argument.and_then(Value::as_str).ok_or_else(|| {
        let kind = match argument {
            Some(Value::Bool(_)) => "true or false",
            Some(Value::Number(_)) => "a number",
            Some(Value::Array(_)) => "an array",
            Some(Value::Object(_)) => "an object",
            Some(Value::Null | Value::String(_) | Value::Sealed(_)) | None => "null or nothing",
        };
        Reason::Failed(format!("expected a text, got {kind}"))
    })
}

fn concat(arguments: &Arguments<'_>, _: &Clock) -> Result<Value, Reason> {
    let mut before = String::new();
    let mut sealed: Option<Sealed> = None;
    let mut length = 0_usize;
    for argument in arguments {
        let text = match (&mut sealed, argument.as_ref()) {
            (None, Value::Sealed(first)) => {
                let mut first = first.clone();
                first.prepend_text(std::mem::take(&mut before));
                sealed = Some(first);
                continue;
            }
            (Some(sealed), Value::Sealed(next)) => {
                sealed.push_sealed(next);
                continue;
            }
            // The caller names the function; what matters here is the kind of the failure.
            (_, other) => coerce::text(other).map_err(|_| Reason::Credential(String::new()))?,
        };
        length = length.saturating_add(text.len());
        if length > MAX_TEXT {
            return Err(Reason::failed(format!("the result is longer than {} MiB", MAX_TEXT >> 20)));
        }
        match &mut sealed {
            Some(sealed) => sealed.push_text(&text),
            None => before.push_str(&text),
        }
    }
    Ok(sealed.map_or(Value::String(before), Value::Sealed))
}

/// UUID version 7 (RFC 9562 §5.7): the request's time, and 74 random bits.
fn uuid(_: &Arguments<'_>, clock: &Clock) -> Result<Value, Reason> {
    let mut random = [0_u8; 10];
    getrandom::fill(&mut random).map_err(|_| Reason::failed("the system has no randomness to give"))?;
    let millis = u64::try_from(clock.now.as_millisecond()).unwrap_or(0);
    Ok(Value::String(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid().to_string()))
}

fn now(arguments: &Arguments<'_>, clock: &Clock) -> Result<Value, Reason> {
    let now = clock.now;
    let format = if arguments.is_empty() { "" } else { text(arguments, 0)? };
    Ok(match format {
        "" | "unix" => Value::from(now.as_second()),
        "millis" => Value::from(now.as_millisecond()),
        // 64 bits of nanoseconds end in the year 2262.
        "nanos" => Value::from(i64::try_from(now.as_nanosecond()).unwrap_or(i64::MAX)),
        "rfc3339" | "iso8601" => Value::String(now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        _ => {
            return Err(Reason::failed(
                "unknown format; there are \"unix\", \"millis\", \"nanos\", \"rfc3339\" and \"iso8601\"",
            ));
        }
    })
}

fn json(arguments: &Arguments<'_>, _: &Clock) -> Result<Value, Reason> {
    Value::parse(text(arguments, 0)?.as_bytes()).map_err(|e| Reason::Failed(e.to_string()))
}

fn b64encode(arguments: &Arguments<'_>, _: &Clock) -> Result<Value, Reason> {
    let text = text(arguments, 0)?;
    if text.len() > MAX_TEXT / 4 * 3 {
        return Err(Reason::failed(format!("the result is longer than {} MiB", MAX_TEXT >> 20)));
    }
    Ok(Value::String(STANDARD.encode(text)))
}

fn b64decode(arguments: &Arguments<'_>, _: &Clock) -> Result<Value, Reason> {
    let bytes = STANDARD
        .decode(text(arguments, 0)?)
        .map_err(|_| Reason::failed("not base64 (standard alphabet, padded)"))?;
    let text =
        String::from_utf8(bytes).map_err(|_| Reason::failed("the decoded bytes are not UTF-8 text"))?;
    Ok(Value::String(text))
}

#[cfg(test)]
mod tests;
