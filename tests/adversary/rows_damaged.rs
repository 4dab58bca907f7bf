//! A damaged row is a typed fault of the request that needs it, and nobody else's.

use rusqlite::Connection;
use serde_json::json;

use crate::attack::{SIGN, chassis, fault, vendor};

#[test]
fn truncated_emptied_or_changed() {
    for change in [
        "ciphertext = substr(ciphertext, 1, length(ciphertext) - 1)",
        "ciphertext = x''",
        "ciphertext = zeroblob(length(ciphertext))",
        "wrapped_dek = substr(wrapped_dek, 1, 47)",
        "wrapped_dek = zeroblob(48)",
        "nonce = x'00'",
        "dek_nonce = zeroblob(12)",
        "ciphertext = zeroblob(1000000)",
    ] {
        let vendor = vendor();
        let mut host = chassis(&vendor, &format!("WHEN @web.req.url.path == \"/sign\"\n{SIGN}")).start();
        host.store("SIGNING_KEY");
        host.stop();
        let database = Connection::open(host.path("chassis/data/db/runtime-dev.db")).unwrap();
        let sql = format!("UPDATE tenant_secret_versions SET {change}");
        // The schema may already refuse what cannot be a sealed value.
        let Ok(changed) = database.execute(&sql, []) else {
            host.finish();
            continue;
        };
        assert_eq!(changed, 1);
        drop(database);
        host.start();
        let reply = host.event("/sign", &json!("text"));
        assert_eq!(reply.status, 500, "{change}: {}", reply.text());
        assert_eq!(fault(&host), "secret_undecryptable", "{change}");
        assert_eq!(host.event("/other", &json!("text")).status, 200);
        let again = host.canary("again");
        let call = host.secrets_call(&["set", "SIGNING_KEY"]).stdin(again.text());
        host.run(&call).succeeds();
        assert_eq!(host.event("/sign", &json!("text")).status, 200, "set starts over");
        host.finish();
    }
}
