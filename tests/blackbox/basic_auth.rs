//! `txco://basic-auth-encode` makes a credential that reaches the header it is meant for and nothing else.

use serde_json::json;
use support::{Answer, Builder, Canary, Host, Upstream};

use crate::TXCO;

const ENCODE: &str = "EXEC \"txco://basic-auth-encode\"\n\
                      WITH secrets.password.secret = \"PASSWORD\",\n user = \"Aladdin\",\n \
                      output_path = \"_txc.computed.basic\"\n";
const SEND: &str = "SET @web.req.headers.authorization = &concat(\"Basic \", @computed.basic)\n\
                    WITH method = \"POST\"\nEXEC \"https://api.partner.com/login\"\n";

fn partner() -> Upstream {
    Upstream::https("partner", &["api.partner.com"], |_| Answer::json(&json!({ "ok": true })))
}

fn chassis(partner: &Upstream) -> Builder {
    Host::serve(TXCO)
        .rule("OPS/web/100/encode.txcl", ENCODE)
        .rule("OPS/web/200/send.txcl", SEND)
        .upstream(partner, "api.partner.com:443")
}

#[test]
fn rfc_7617_reaches_the_header() {
    let partner = partner();
    let mut host = chassis(&partner).start();
    let call = host.secrets_call(&["set", "PASSWORD"]).stdin("open sesame");
    host.run(&call).succeeds();
    let reply = host.event("/", &json!({}));
    assert_eq!(reply.status, 200, "{}", reply.text());
    let sent = partner.only();
    assert_eq!(sent.header("authorization"), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
    assert!(!sent.text().contains("QWxhZGRpbj"), "{}", sent.text());
    host.finish();
}

/// Weakness C6: what basic-auth-encode makes is in no envelope, trace or answer.
#[test]
fn whoever_looks_at_it_sees_a_fixed_text() {
    let partner = partner();
    let mut host = chassis(&partner)
        .rule(
            "OPS/web/300/look.txcl",
            "EMIT .seen = @computed.basic, .twice = &concat(\"x\", @computed.basic)\n",
        )
        .start();
    let password = host.store("PASSWORD");
    let reply = host.event("/", &json!({})).json();
    assert_eq!((&reply["seen"], &reply["twice"]), (&json!("[credential]"), &json!("[credential]")));
    let traces: String = host.files("data/trace").iter().map(|file| host.read(file)).collect();
    assert!(traces.contains("[credential]"), "the trace shows that there was one");
    host.allow(&password, "upstream partner header authorization", 1);
    host.finish();
}

#[test]
fn a_rule_that_looks_into_it_fails_loudly() {
    let partner = partner();
    let mut host =
        chassis(&partner).rule("OPS/web/150/peek.txcl", "EMIT .peek = &b64decode(@computed.basic)\n").start();
    host.store("PASSWORD");
    let reply = host.event("/", &json!({}));
    assert_eq!(reply.status, 500, "{}", reply.text());
    assert!(reply.text().contains("rule_failed"), "{}", reply.text());
    assert!(partner.received().is_empty(), "nothing is sent half-built");
    host.finish();
}

#[test]
fn the_text_of_a_credential_is_only_text() {
    let partner = partner();
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/100/encode.txcl", ENCODE)
        .rule(
            "OPS/web/200/send.txcl",
            "SET @web.req.headers.authorization = .body.replay\nWITH method = \"POST\"\n\
             EXEC \"https://api.partner.com/login\"\n",
        )
        .upstream(&partner, "api.partner.com:443")
        .start();
    let _password: Canary = host.store("PASSWORD");
    assert_eq!(host.event("/", &json!({ "replay": "[credential]" })).status, 200);
    assert_eq!(partner.only().header("authorization"), Some("[credential]"));
    host.finish();
}
