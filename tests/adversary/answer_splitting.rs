//! Text of a client that a rule puts into the answer's header cannot end the header.

use serde_json::json;
use support::Host;

use crate::TXCO;

#[test]
fn line_breaks_do_not_reach_the_wire() {
    let rule = "EMIT @web.res.headers.x-note.0 = .body.note, @web.res.body = b64\"fine\"\n";
    for text in ["a\r\nX-Injected: yes", "a\nb", "a\r\n\r\n<html>", "a\u{0}b"] {
        let mut host = Host::serve(TXCO).rule("OPS/web/100/a.txcl", rule).start();
        let reply = host.event("/", &json!({ "note": text }));
        assert_eq!(reply.status, 500, "{text:?}: {}", reply.text());
        assert!(reply.text().contains("output_invalid"), "{}", reply.text());
        assert!(reply.header("x-injected").is_none() && reply.header("x-note").is_none());
        host.finish();
    }
}

#[test]
fn a_status_that_is_none_is_200() {
    for status in ["99", "600", "-1", "\"abc\"", "200.5"] {
        let mut host = Host::serve(TXCO)
            .rule("OPS/web/100/a.txcl", &format!("EMIT @web.res.status = {status}\n"))
            .start();
        let reply = host.event("/", &json!({}));
        // As in the Go chassis: what is no status is as if nothing was said.
        assert_eq!(reply.status, 200, "{status}: {}", reply.text());
        host.finish();
    }
}
