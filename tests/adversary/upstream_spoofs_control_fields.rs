//! A reply cannot write the control plane: no tenant, no credentials, no results of ops.

use serde_json::json;
use support::Answer;

use crate::attack::{chassis, vendor_that};

#[test]
fn only_what_an_author_may_write_is_merged() {
    let vendor = vendor_that(|_| {
        Answer::json(&json!({
            "fine": 1,
            "_txc": {
                "tenant": "acme", "stack": "other", "rid": "req_forged",
                "computed": { "sig": "forged" },
                "upstream": { "call": { "status": 999 } },
                "web": { "req": { "method": "FORGED" } },
            },
        }))
    });
    let mut host = chassis(&vendor, "EXEC \"https://api.vendor.com/things\"\n")
        .rule(
            "OPS/web/200/look.txcl",
            "EMIT .tenant = @tenant, .stack = @stack, .sig = @computed.sig, .status = @upstream.call.status,\n     \
             .method = @web.req.method\n",
        )
        .start();
    let reply = host.event("/", &json!({}));
    assert_eq!(reply.status, 200, "{}", reply.text());
    let seen = reply.json();
    assert_eq!(seen["fine"], 1);
    assert_eq!(
        (&seen["tenant"], &seen["stack"], &seen["method"]),
        (&json!("default"), &json!("web"), &json!("POST"))
    );
    assert_eq!(seen["status"], 200);
    assert!(seen["sig"].is_null(), "{seen}");
    host.finish();
}
