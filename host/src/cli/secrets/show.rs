//! Metadata as text: the table of `list`, the lines of `show`.

use serde_json::Value;

use crate::cli::output::{cell, table};

/// The table of `list`, in the order of the reply.
pub(super) fn table_of(body: &Value, tenant: &str) -> String {
    let secrets = body.get("secrets").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if secrets.is_empty() {
        return format!("(no secrets in tenant {tenant:?})");
    }
    let header = ["NAME", "STACK", "VERSION", "CREATED_AT", "LAST_ROTATED", "DESCRIPTION"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    rows.extend(secrets.iter().map(|secret| {
        vec![
            text(secret, "name"),
            text(secret, "stack"),
            version(secret),
            text(secret, "created_at"),
            text(secret, "last_rotated_at"),
            text(secret, "description"),
        ]
    }));
    table(&rows)
}

/// The nine lines of `show`.
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
    ]
    .map(|(label, value)| format!("{label:<16}{value}"))
    .join("\n")
}

fn text(secret: &Value, member: &str) -> String {
    cell(secret.get(member).and_then(Value::as_str).unwrap_or_default())
}

fn version(secret: &Value) -> String {
    format!("v{}", secret.get("version_no").and_then(Value::as_u64).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_is_a_table() {
        let body = json!({"secrets": [
            {"name": "A", "version_no": 2, "created_at": "2026-01-01T00:00:00Z", "last_rotated_at": "2026-01-02T00:00:00Z"},
            {"name": "LONGER", "stack": "shop", "version_no": 1, "created_at": "2026-01-01T00:00:00Z", "description": "d"},
        ]});
        assert_eq!(
            table_of(&body, "t"),
            "NAME    STACK  VERSION  CREATED_AT            LAST_ROTATED          DESCRIPTION\n\
             A       -      v2       2026-01-01T00:00:00Z  2026-01-02T00:00:00Z  -\n\
             LONGER  shop   v1       2026-01-01T00:00:00Z  -                     d"
        );
        assert_eq!(table_of(&json!({"secrets": []}), "t"), "(no secrets in tenant \"t\")");
    }

    #[test]
    fn one_secret_is_nine_lines() {
        let body = json!({"secret": {"name": "A", "version_no": 1, "key_version": 1, "created_at": "t", "secret_id": "sec_1"}});
        assert_eq!(
            lines_of(&body),
            "name:           A\nstack:          -\nversion:        v1\nkey_version:    1\ndescription:    -\n\
             created_at:     t\ncreated_by:     -\nlast_rotated:   -\nsecret_id:      sec_1"
        );
    }
}
