//! A body secret on a request without a body is refused, not sent without its credential.

use serde_json::json;

use crate::attack::{chassis, vendor};

const RULE: &str =
    "EXEC \"https://api.vendor.com/things\"\nWITH secrets.body.token.secret = \"TOKEN\", method = METHOD\n";

#[test]
fn a_method_in_the_rule_is_an_error_of_the_rule() {
    for method in ["GET", "HEAD", "DELETE"] {
        let rule = RULE.replace("METHOD", &format!("\"{method}\""));
        let mut host = support::Host::serve(crate::TXCO).rule("OPS/web/100/call.txcl", &rule).at_rest();
        let args =
            ["serve", "--workspace", "workspace", "--web-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"];
        let stderr = host.txco(&args).fails(1);
        assert!(stderr.contains("call.txcl:2:") && stderr.contains(method), "{stderr}");
        host.finish();
    }
}

#[test]
fn a_method_of_the_event_is_a_fault_of_the_request() {
    let vendor = vendor();
    let mut host = chassis(&vendor, &RULE.replace("METHOD", ".body.method")).start();
    let token = host.store("TOKEN");
    for method in ["GET", "DELETE"] {
        let reply = host.event("/", &json!({ "method": method }));
        assert_eq!(reply.status, 500, "{method}: {}", reply.text());
        assert!(vendor.received().is_empty(), "{method}");
    }
    assert_eq!(host.event("/", &json!({ "method": "PUT" })).status, 200);
    host.allow(&token, "upstream vendor body", 1);
    host.finish();
}
