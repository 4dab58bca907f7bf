//! Text of a client that a rule puts into an outbound header cannot end the header.

use serde_json::json;

use crate::attack::{chassis, fault, vendor};

#[test]
fn line_breaks_are_refused_before_anything_is_sent() {
    for text in ["a\r\nX-Injected: yes", "a\nb", "a\rb", "a\u{0}b"] {
        let vendor = vendor();
        let rule = "SET @web.req.headers.x-note = .body.note\nEXEC \"https://api.vendor.com/things\"\n";
        let mut host = chassis(&vendor, rule).start();
        let reply = host.event("/", &json!({ "note": text }));
        assert_eq!(reply.status, 500, "{text:?}: {}", reply.text());
        assert_eq!(fault(&host), "rule_failed", "{text:?}");
        assert!(vendor.received().is_empty());
        host.finish();
    }
}

#[test]
fn headers_that_frame_a_message_are_not_a_rules_to_set() {
    for name in
        ["Host", "content-length", "Transfer-Encoding", "Connection", "TE", "Upgrade", "Proxy-Authorization"]
    {
        let mut host = support::Host::serve(crate::TXCO)
            .rule(
                "OPS/web/100/a.txcl",
                &format!("SET @web.req.headers.{name} = \"x\"\nEXEC \"https://a.example/\"\n"),
            )
            .at_rest();
        let args =
            ["serve", "--workspace", "workspace", "--web-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"];
        let stderr = host.txco(&args).fails(1);
        assert!(
            stderr.contains("a.txcl:1:") && stderr.to_lowercase().contains(&name.to_lowercase()),
            "{stderr}"
        );
        host.finish();
    }
}

#[test]
fn one_header_has_one_source() {
    let twice = "SET @web.req.headers.X-Api-Key = \"x\"\nWITH secrets.headers.x-api-key.secret = \"VENDOR_KEY\"\n\
                 EXEC \"https://a.example/\"\n";
    let mut host = support::Host::serve(crate::TXCO).rule("OPS/web/100/a.txcl", twice).at_rest();
    let args =
        ["serve", "--workspace", "workspace", "--web-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"];
    assert!(host.txco(&args).fails(1).contains("a.txcl:"));
    host.finish();
}
