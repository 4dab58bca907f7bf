//! A rule cannot use an op's output path to write where only the chassis may.

use serde_json::json;

use crate::attack::{SIGN, chassis, vendor};

#[test]
fn the_output_of_an_op_is_kept_out_of_the_control_plane() {
    for place in
        ["_txc.tenant", "_txc.rid", "_txc.web.req.method", "_txc.upstream.call.status", "_txc", "_ts"]
    {
        let vendor = vendor();
        let rule = SIGN.replace("output_path = \"digest\"", &format!("output_path = \"{place}\""));
        let look = "EMIT .tenant = @tenant, .method = @web.req.method, .upstream = @upstream\n";
        let mut host = chassis(&vendor, &rule).rule("OPS/web/200/look.txcl", look).start();
        host.store("SIGNING_KEY");
        let reply = host.event("/", &json!("text"));
        if reply.status == 200 {
            let seen = reply.json();
            assert_eq!(
                (&seen["tenant"], &seen["method"]),
                (&json!("default"), &json!("POST")),
                "{place}: {seen}"
            );
            assert!(seen["upstream"].is_null(), "{place}: {seen}");
        } else {
            assert_eq!(reply.status, 500, "{place}: {}", reply.text());
            assert!(
                reply.text().contains("op_failed") || reply.text().contains("rule_failed"),
                "{}",
                reply.text()
            );
        }
        host.finish();
    }
}
