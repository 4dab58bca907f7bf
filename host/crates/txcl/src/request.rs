//! What WITH says about an http(s) request, checked when the file is loaded.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::SignedDuration;
use model::{Destination, HostRule, Path, Value};

use crate::clause::Pair;
use crate::diagnostic::{Findings, Problem};
use crate::header;

/// The parameters of a rule whose EXEC is http(s).
pub const HTTP_PARAMS: [&str; 13] = [
    "url",
    "method",
    "timeout",
    "body_encoding",
    "body_path",
    "into",
    "on_error",
    "headers",
    "query",
    "retries",
    "idempotency_key",
    "credential",
    "credential_hosts",
];

/// How often a request may be sent again, at most.
pub const MAX_RETRIES: u64 = 5;

/// The header that tells an upstream that it has seen this request before.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Values of parameters that are one of a few words.
const CHOICES: [(&str, &[&str]); 2] =
    [("on_error", &["halt", "continue"]), ("body_encoding", &["json", "urlencoded", "form", "raw"])];

/// Whether a request of this method does the same when it is sent twice (RFC 9110 §9.2.2).
#[must_use]
pub fn is_idempotent(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS" | "PUT" | "DELETE")
}

/// Files what is wrong with the parameters of a request.
pub(crate) fn check(with: &[Pair], findings: &mut Findings<'_>) {
    for pair in with {
        let literal = pair.value.literal();
        let refused = match (pair.path.first().unwrap_or_default(), below(&pair.path), literal) {
            ("headers", _, literal) => header_problem(pair, literal),
            ("query", [_name], None) => None,
            ("query", [_name], Some(value)) => query_value(value).err().map(|why| at_value(pair, why)),
            ("query", _, _) => {
                Some(at_name(pair, "a query parameter has one name").hint("write query.NAME = …"))
            }
            (_, [], None) => None,
            ("retries", [], Some(value)) => retries(value).err().map(|why| at_value(pair, why)),
            ("timeout", [], Some(value)) => duration(value).err().map(|why| at_value(pair, why)),
            ("credential", [], Some(value)) => credentials(value).err().map(|why| {
                at_value(pair, &why).hint("name members of the reply: credential = \"access_token\"")
            }),
            ("credential_hosts", [], _) if !has(with, "credential") => {
                Some(at_name(pair, "no credential arrives here").hint("add credential = \"access_token\""))
            }
            ("credential_hosts", [], Some(value)) => credential_hosts(value)
                .err()
                .map(|why| at_value(pair, &why).hint("name hosts: credential_hosts = \"api.example.com\"")),
            ("idempotency_key", [], Some(value)) => {
                header::value(value.clone()).err().map(|why| at_value(pair, why))
            }
            ("url", [], Some(Value::String(url))) => Destination::of(url.trim())
                .err()
                .map(|why| at_value(pair, &format!("url cannot be called: {why}"))),
            (name, [], Some(Value::String(said))) => not_a_word(pair, name, said),
            (
                name @ ("url" | "method" | "body_path" | "body_encoding" | "into" | "on_error"),
                [],
                Some(_),
            ) => Some(at_value(pair, &format!("{name} is a text"))),
            ("secrets" | "url" | "method" | "body_path" | "body_encoding" | "into" | "on_error", ..) => None,
            (_, [], Some(_)) => None,
            (name, _, _) => Some(at_name(pair, &format!("{name} has no parts"))),
        };
        if let Some(problem) = refused {
            findings.refuse(problem);
        }
    }
    check_retries(with, findings);
}

fn has(with: &[Pair], name: &str) -> bool {
    with.iter().any(|pair| pair.path.first() == Some(name))
}

fn below(path: &Path) -> &[model::Segment] {
    path.segments().get(1..).unwrap_or_default()
}

fn at_name(pair: &Pair, why: &str) -> Problem {
    Problem::at(&pair.span, why)
}

fn at_value(pair: &Pair, why: &str) -> Problem {
    Problem::at(&pair.value_span, why)
}

/// `headers.NAME = …`: the same names and values as SET may give.
fn header_problem(pair: &Pair, literal: Option<&Value>) -> Option<Problem> {
    let [name] = below(&pair.path) else {
        return Some(
            at_name(pair, "a header has one name")
                .hint("write headers.NAME = …; a name with dots stands in quotes: headers.\"x.y\""),
        );
    };
    match (header::canonical(name.as_str(), &pair.span), literal) {
        (Err(problem), _) => Some(problem),
        (Ok(_), Some(value)) => header::value(value.clone()).err().map(|why| at_value(pair, why)),
        (Ok(_), None) => None,
    }
}

fn not_a_word(pair: &Pair, name: &str, said: &str) -> Option<Problem> {
    let (name, words) = CHOICES.iter().find(|(choice, _)| *choice == name)?;
    (!words.contains(&said)).then(|| {
        at_value(pair, &format!("{name} is not one of its words"))
            .hint(format!("there are \"{}\"", words.join("\", \"")))
    })
}

/// A request that changes something is sent twice only when the upstream can tell.
fn check_retries(with: &[Pair], findings: &mut Findings<'_>) {
    let param =
        |name: &str| with.iter().find(|pair| pair.path.first() == Some(name) && below(&pair.path).is_empty());
    let Some(asked) = param("retries") else { return };
    if matches!(asked.value.literal(), Some(value) if retries(value) == Ok(0)) {
        return;
    }
    let method = match param("method").map(|pair| pair.value.literal()) {
        None => "POST".to_owned(),
        Some(Some(Value::String(method))) => method.trim().to_ascii_uppercase(),
        // Known only when the rule runs; it is checked then.
        Some(_) => return,
    };
    if !is_idempotent(&method) && param("idempotency_key").is_none() {
        let problem = Problem::at(&asked.span, format!("a {method} request may not be sent twice"));
        findings.refuse(
            problem.hint(
                "add idempotency_key = &uuid(), which the upstream must understand, or leave retries out",
            ),
        );
    }
}

/// The number of retries that a value says.
///
/// # Errors
/// What it should be.
pub fn retries(value: &Value) -> Result<u32, &'static str> {
    let number = value.as_i64().and_then(|n| u64::try_from(n).ok());
    number
        .filter(|n| *n <= MAX_RETRIES)
        .and_then(|n| u32::try_from(n).ok())
        .ok_or("retries is a whole number from 0 to 5")
}

/// The time that a value says: a number is milliseconds, a text a duration such as `250ms`
/// or `1m30s`.
///
/// # Errors
/// What it should be.
pub fn duration(value: &Value) -> Result<Duration, &'static str> {
    let time = match value {
        Value::Number(_) => {
            value.as_i64().and_then(|millis| u64::try_from(millis).ok()).map(Duration::from_millis)
        }
        Value::String(text) => text.parse::<SignedDuration>().ok().and_then(|d| Duration::try_from(d).ok()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) | Value::Sealed(_) => None,
    };
    time.filter(|time| !time.is_zero())
        .ok_or("timeout is a number of milliseconds or a duration such as \"2s\", and more than nothing")
}

/// The members of a reply that a value names: a text, or an array of texts.
///
/// # Errors
/// What it should be.
pub fn credentials(value: &Value) -> Result<Vec<Path>, String> {
    let one = std::slice::from_ref(value);
    let all = if let Value::Array(items) = value { items.as_slice() } else { one };
    let wrong = || "credential is the path of a member of the reply, or an array of paths".to_owned();
    let paths = all.iter().map(|item| {
        let path = Path::parse(item.as_str().ok_or_else(wrong)?).map_err(|e| e.to_string())?;
        if path.is_empty() { Err(wrong()) } else { Ok(path) }
    });
    paths.collect()
}

/// The hosts that a value names: a text, or an array of texts, each as after `--allow-host`.
///
/// # Errors
/// What it should be.
pub fn credential_hosts(value: &Value) -> Result<BTreeSet<HostRule>, String> {
    let one = std::slice::from_ref(value);
    let all = if let Value::Array(items) = value { items.as_slice() } else { one };
    let wrong = || "credential_hosts is a host, or an array of hosts".to_owned();
    all.iter().map(|item| HostRule::parse(item.as_str().ok_or_else(wrong)?)).collect()
}

/// The texts of one query parameter: an array gives it several times.
///
/// # Errors
/// Why it has none.
pub fn query_value(value: &Value) -> Result<Vec<String>, &'static str> {
    match value {
        Value::String(text) => Ok(vec![text.clone()]),
        Value::Number(number) => Ok(vec![number.to_string()]),
        Value::Bool(truth) => Ok(vec![truth.to_string()]),
        Value::Array(items) if !items.iter().any(|item| matches!(item, Value::Array(_))) => {
            let all = items.iter().map(query_value).collect::<Result<Vec<_>, _>>()?;
            Ok(all.into_iter().flatten().collect())
        }
        // Sending without it would be a half-built request (D3).
        Value::Null => Err("there is no value to send"),
        Value::Array(_) | Value::Object(_) => Err("a query parameter is a text, or an array of texts"),
        Value::Sealed(_) => Err("a credential cannot stand in a URL"),
    }
}

#[cfg(test)]
mod tests;
