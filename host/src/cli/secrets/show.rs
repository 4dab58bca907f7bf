//! Metadata as text: the table of `list`, the lines of `show`.

use serde_json::Value;

use super::terms::policy_text;
use crate::cli::output::{cell, table};

/// The table of `list`, in the order of the reply.
pub(super) fn table_of(body: &Value, tenant: &str) -> String {
    let secrets = body.get("secrets").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if secrets.is_empty() {
        return format!("(no secrets in tenant {tenant:?})");
    }
    let header = ["NAME", "STACK", "VERSION", "CREATED_AT", "LAST_ROTATED", "POLICY", "DESCRIPTION"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    rows.extend(secrets.iter().map(|secret| {
        vec![
            text(secret, "name"),
            text(secret, "stack"),
            version(secret),
            text(secret, "created_at"),
            text(secret, "last_rotated_at"),
            cell(&policy_text(secret)),
            text(secret, "description"),
        ]
    }));
    table(&rows)
}

/// The lines of `show`: nine that the Go chassis has too, and what is ours.
pub(super) fn lines_of(body: &Value) -> String {
    let nothing = Value::Null;
    let secret = body.get("secret").unwrap_or(&nothing);
    let key_version = secret.get("key_version").and_then(Value::as_u64).unwrap_or_default();
    [
        ("name:", text(secret, "name")),
        ("stack:", text(secret, "stack")),
        ("version:", version(secret)),
        ("key_version:", key_version.to_string()),
        ("description:", text(secret, "description")),
        ("created_at:", text(secret, "created_at")),
        ("created_by:", text(secret, "created_by")),
        ("last_rotated:", text(secret, "last_rotated_at")),
        ("secret_id:", text(secret, "secret_id")),
        ("policy:", cell(&policy_text(secret))),
        ("key_encoding:", text(secret, "key_encoding")),
        ("expires_at:", text(secret, "expires_at")),
        ("retiring:", retiring(secret)),
        ("versions:", number(secret, "versions").to_string()),
        ("uses:", uses(secret)),
    ]
    .map(|(label, value)| format!("{label:<16}{value}"))
    .join("\n")
}

fn text(secret: &Value, member: &str) -> String {
    cell(secret.get(member).and_then(Value::as_str).unwrap_or_default())
}

fn number(secret: &Value, member: &str) -> u64 {
    secret.get(member).and_then(Value::as_u64).unwrap_or_default()
}

fn version(secret: &Value) -> String {
    format!("v{}", number(secret, "version_no"))
}

/// The version that is still in use beside the newest.
fn retiring(secret: &Value) -> String {
    match secret.get("retiring") {
        Some(retiring) => format!("{} until {}", version(retiring), text(retiring, "until")),
        None => cell(""),
    }
}

/// How often it was used: about, for the last minute is not written down yet when it crashes.
fn uses(secret: &Value) -> String {
    match number(secret, "uses") {
        0 => cell(""),
        uses => format!("{uses}, last {}", text(secret, "last_used_at")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_is_a_table() {
        let body = json!({"secrets": [
            {"name": "A", "version_no": 2, "created_at": "2026-01-01T00:00:00Z", "last_rotated_at": "2026-01-02T00:00:00Z"},
            {"name": "LONGER", "stack": "shop", "version_no": 1, "created_at": "2026-01-01T00:00:00Z", "description": "d", "policy": {"purposes": ["use"]}},
        ]});
        assert_eq!(
            table_of(&body, "t"),
            "NAME    STACK  VERSION  CREATED_AT            LAST_ROTATED          POLICY    DESCRIPTION\n\
             A       -      v2       2026-01-01T00:00:00Z  2026-01-02T00:00:00Z  any host  -\n\
             LONGER  shop   v1       2026-01-01T00:00:00Z  -                     use       d"
        );
        assert_eq!(table_of(&json!({"secrets": []}), "t"), "(no secrets in tenant \"t\")");
    }

    #[test]
    fn one_secret_is_so_many_lines() {
        let body = json!({"secret": {"name": "A", "version_no": 1, "key_version": 1, "created_at": "t", "secret_id": "sec_1"}});
        assert_eq!(
            lines_of(&body),
            "name:           A\nstack:          -\nversion:        v1\nkey_version:    1\ndescription:    -\n\
             created_at:     t\ncreated_by:     -\nlast_rotated:   -\nsecret_id:      sec_1\n\
             policy:         any host\nkey_encoding:   -\nexpires_at:     -\nretiring:       -\nversions:       0\nuses:           -"
        );
        let body = json!({"secret": {"name": "A", "retiring": {"version_no": 2, "until": "u"}, "uses": 7, "last_used_at": "l"}});
        assert!(lines_of(&body).contains("retiring:       v2 until u\n"), "{}", lines_of(&body));
        assert!(lines_of(&body).ends_with("uses:           7, last l"), "{}", lines_of(&body));
    }
}
