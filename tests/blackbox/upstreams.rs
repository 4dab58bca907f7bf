//! Whatever an upstream does becomes a typed answer: nothing hangs, blanks the envelope or leaks.

use serde_json::json;
use support::{Answer, Host, Received, Reply, Upstream};

use crate::TXCO;
use crate::continuations::ticket;
use crate::continuations_joins::{ended, job_at, says};

const RULE: &str = "EXEC \"https://api.vendor.com/things\"\n\
                    WITH secrets.headers.x-api-key.secret = \"VENDOR_KEY\", timeout = \"700ms\"";

/// One event against an upstream that answers so; the secret reaches it once.
fn call(extra: &str, answer: impl Fn(&Received) -> Answer + Send + Sync + 'static) -> Reply {
    let vendor = Upstream::https("vendor", &["api.vendor.com"], answer);
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/100/call.txcl", &format!("{RULE}{extra}\n"))
        .upstream(&vendor, "api.vendor.com:443")
        .start();
    let key = host.store("VENDOR_KEY");
    let reply = host.event("/", &json!({ "mine": 1 }));
    assert_eq!(vendor.only().header("x-api-key"), Some(key.text()));
    host.allow(&key, "upstream vendor header x-api-key", 1);
    host.finish();
    reply
}

#[track_caller]
fn failed(reply: &Reply, status: u16, code: &str) {
    assert_eq!(reply.status, status, "{}", reply.text());
    assert!(reply.text().contains(code), "{}", reply.text());
    assert!(reply.header("x-request-id").is_some());
}

/// H3 of the weaknesses.
#[test]
fn a_redirect_is_not_followed() {
    let elsewhere = Upstream::http("elsewhere", |_| Answer::json(&json!({})));
    let location = format!("http://{}/", elsewhere.address());
    for status in [301, 302, 303, 307, 308] {
        let location = location.clone();
        let reply = call("", move |_| Answer::new(status, &[("Location", &location)], ""));
        failed(&reply, 502, "upstream_failed");
    }
    assert!(elsewhere.received().is_empty());
}

/// H11: there, a job goes out without its secrets, and so does what stands beside one that is waited for.
#[test]
fn h11_whatever_a_request_waits_for_all_that_it_sends_has_its_secrets() {
    let vendor = Upstream::https("vendor", &["api.vendor.com"], |request| match request.target.as_str() {
        "/waits" | "/joins" => Answer::new(202, &[], "{}"),
        _ => Answer::json(&json!({})),
    });
    let rule = |path: &str, with: &str| {
        format!(
            "EXEC \"https://api.vendor.com/{path}\" WITH secrets.headers.x-api-key.secret = \"KEY\"{with}\n"
        )
    };
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/50/promised.txcl", &rule("promised", ", mode = \"continuable\""))
        .rule("OPS/web/100/beside.txcl", &rule("beside", ""))
        .rule("OPS/web/100/joins.txcl", &rule("joins", ", mode = \"async\", join_at_scope = 300"))
        .rule("OPS/web/100/waits.txcl", &rule("waits", ", mode = \"async\""))
        .rule("OPS/web/300/after.txcl", &rule("after", ""))
        .upstream(&vendor, "api.vendor.com:443")
        .start();
    let key = host.store("KEY");
    let ticket = ticket(&host.event("/orders", &json!({})));
    for path in ["/waits", "/joins"] {
        assert_eq!(says(&mut host, &vendor, path, &json!({})).status, 200, "{path}");
    }
    assert_eq!(ended(&mut host, &ticket).status, 200);
    for path in ["/promised", "/beside", "/joins", "/waits", "/after"] {
        assert_eq!(job_at(&vendor, path).header("x-api-key"), Some(key.text()), "{path}");
    }
    host.allow(&key, "upstream vendor header x-api-key", 5);
    host.finish();
}

/// H14: there, what a secret says becomes a part of the document, and names have a syntax of their own.
#[test]
fn h14_a_body_secret_is_a_string_at_the_very_name_that_the_rule_writes() {
    let vendor = Upstream::https("vendor", &["api.vendor.com"], |_| Answer::json(&json!({})));
    let names = r##""a.b" "a:b" "#" "*" "?" "@this" "a|b" "lines.#.x" "of.0" of."0" of.deeper.still lines.-1 lines.0.k old"##;
    let given: Vec<_> = names.split(' ').map(|name| format!("secrets.body.{name}.secret = \"T\"")).collect();
    let rule = |more: &str| format!("{RULE},\n body_path = \"body\", {}{more}\n", given.join(",\n "));
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/100/json.txcl", &format!("WHEN .body.form == null\n{}", rule("")))
        .rule(
            "OPS/web/200/form.txcl",
            &format!("WHEN .body.form == 1\n{}", rule(", body_encoding = \"form\"")),
        )
        .upstream(&vendor, "api.vendor.com:443")
        .start();
    let key = host.store("VENDOR_KEY");
    let values = [
        "12345678901234567890",
        "-1.5e3",
        "true",
        "null",
        "{\"admin\":true}",
        "[1,2,3]",
        "\"quoted\"",
        "\\u0041\\",
        "</script>&=+%41",
        "Grüße, 世界",
        " ",
    ];
    for value in values {
        host.run(&host.secrets_call(&["set", "T"]).stdin(value)).succeeds();
        let event = json!({ "lines": [{ "x": 1 }], "of": { "z": 1, "0": 2 }, "old": { "gone": 1 } });
        assert_eq!(host.event("/", &event).status, 200, "{value}");
        let sent = vendor.received().pop().unwrap().json();
        let wanted = json!({
            "a.b": value, "a:b": value, "#": value, "*": value, "?": value, "@this": value, "a|b": value,
            "lines.#.x": value, "of.0": value, "old": value,
            "of": { "z": 1, "0": value, "deeper": { "still": value } }, "lines": [{ "x": 1, "k": value }, value],
        });
        assert_eq!(sent, wanted, "{value}");
        let event = json!({ "form": 1, "lines": [{}], "of": {} });
        assert_eq!(host.event("/", &event).status, 200, "{value}");
        let sent = String::from_utf8(vendor.received().pop().unwrap().body).unwrap();
        assert_eq!(sent.split('&').count(), 1 + given.len(), "{value}: {sent}");
    }
    host.allow(&key, "upstream vendor header x-api-key", 2 * values.len());
    host.finish();
}

#[test]
fn an_echoed_credential_is_masked() {
    let reply = call("", |request| {
        let key = request.header("x-api-key").unwrap();
        let body = json!({ "you_sent": key, "joined": format!("<{key}>"), "hex": hex(key) });
        Answer::new(200, &[("Content-Type", "application/json"), ("X-Echo", key)], body.to_string())
    });
    assert_eq!(reply.status, 200, "{}", reply.text());
    let seen = reply.json();
    assert!(seen["you_sent"].is_string() && seen["joined"].as_str().unwrap().starts_with('<'), "{seen}");
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn an_echo_in_an_error_page_is_masked_too() {
    let echo = |request: &Received| {
        let body = format!("<h1>403</h1> your key {}", request.header("x-api-key").unwrap());
        Answer::new(403, &[("Content-Type", "text/html")], body)
    };
    failed(&call("", echo), 502, "upstream_failed");
    let reply = call(", on_error = \"continue\"", echo);
    assert_eq!(reply.status, 200, "{}", reply.text());
}

#[test]
fn silence_ends_at_the_timeout() {
    let start = std::time::Instant::now();
    failed(&call("", |_| Answer::Hang), 504, "upstream_timeout");
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

/// A reply that comes, but too slowly, is a timeout too: each byte must not start the clock anew.
#[test]
fn dripping_does_not_hold_the_request_open() {
    let start = std::time::Instant::now();
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n".to_vec();
    let all = [head, vec![b'x'; 1000]].concat();
    failed(
        &call("", move |_| Answer::Drip(all.clone(), std::time::Duration::from_millis(20))),
        504,
        "upstream_timeout",
    );
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

/// H9 of the weaknesses.
#[test]
fn html_does_not_blank_the_envelope() {
    let reply = call("\nEMIT .went_on = true", |_| {
        Answer::new(200, &[("Content-Type", "text/html")], "<!doctype html><p>hello")
    });
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.json()["body"], json!({ "mine": 1 }));
}

#[test]
fn json_that_is_no_object_does_not_blank_the_envelope() {
    for body in ["null", "[1,2]", "\"text\"", "7"] {
        let reply = call("", move |_| Answer::new(200, &[("Content-Type", "application/json")], body));
        assert_eq!((reply.status, &reply.json()["body"]), (200, &json!({ "mine": 1 })), "{body}");
    }
}

/// H8 of the weaknesses.
#[test]
fn an_error_status_halts_and_can_be_allowed() {
    for status in [400, 401, 404, 429, 500, 503] {
        let reply = call("", move |_| {
            Answer::new(status, &[("Content-Type", "application/json")], "{\"merged\":true}")
        });
        failed(&reply, 502, "upstream_failed");
        assert!(!reply.text().contains("merged"), "an error is not data");
    }
    let reply = call(", on_error = \"continue\"", |_| Answer::new(500, &[], "broken"));
    assert_eq!((reply.status, &reply.json()["body"]), (200, &json!({ "mine": 1 })));
}

/// H10 of the weaknesses: there half a reply is taken for the whole.
#[test]
fn an_upstream_that_breaks_off() {
    failed(&call("", |_| Answer::Close), 502, "upstream_failed");
    failed(&call("", |_| Answer::Bytes(b"not http at all\r\n\r\n".to_vec())), 502, "upstream_failed");
    let short = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"half\":";
    failed(&call("", |_| Answer::Bytes(short.to_vec())), 502, "upstream_failed");
}

/// H10 of the weaknesses.
#[test]
fn an_endless_reply_is_cut() {
    let reply = call("", |_| Answer::new(200, &[("Content-Type", "application/json")], vec![b' '; 5 << 20]));
    failed(&reply, 502, "upstream_failed");
}

#[test]
fn a_coding_that_the_mask_cannot_read_is_refused() {
    for coding in ["br", "deflate", "gzip, gzip"] {
        let reply = call("", move |request| {
            assert_eq!(request.header("accept-encoding"), Some("gzip"));
            Answer::new(200, &[("Content-Encoding", coding), ("Content-Type", "application/json")], "{}")
        });
        failed(&reply, 502, "upstream_failed");
    }
    let reply = call("", |_| Answer::new(200, &[("Content-Encoding", "gzip")], [0x1f, 0x8b]));
    failed(&reply, 502, "upstream_failed");
}

#[test]
fn rules_see_status_and_headers() {
    let reply = call("\nEMIT .status = @upstream.call.status", |_| {
        Answer::new(201, &[("Content-Type", "application/json")], "{\"id\":7}")
    });
    assert_eq!((reply.status, &reply.json()["id"]), (200, &json!(7)), "{}", reply.text());
}

#[test]
fn nobody_there_is_told_within_the_answer() {
    let mut host = Host::serve(TXCO).rule("OPS/web/100/call.txcl", "EXEC \"http://127.0.0.1:9/\"\n").start();
    failed(&host.event("/", &json!({})), 502, "upstream_failed");
    host.finish();
}

#[test]
fn a_certificate_of_somebody_else_is_refused_before_anything_is_sent() {
    let imposter = Upstream::https("imposter", &["other.example"], |_| Answer::json(&json!({})));
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/100/call.txcl", &format!("{RULE}\n"))
        .upstream(&imposter, "api.vendor.com:443")
        .start();
    host.store("VENDOR_KEY");
    failed(&host.event("/", &json!({})), 502, "upstream_failed");
    assert!(imposter.received().is_empty());
    host.finish();
}

/// H13 of the weaknesses.
#[test]
fn a_secret_does_not_travel_over_plain_http_to_another_host() {
    let vendor = Upstream::http("vendor", |_| Answer::json(&json!({})));
    let rule = RULE.replace("https://", "http://");
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/100/call.txcl", &format!("{rule}\n"))
        .upstream(&vendor, "api.vendor.com:80")
        .start();
    host.store("VENDOR_KEY");
    failed(&host.event("/", &json!({})), 500, "secret_unavailable");
    assert!(vendor.received().is_empty());
    host.finish();
}

/// H15 of the weaknesses.
#[test]
fn the_private_policy_blocks_this_machine() {
    let inside = Upstream::http("inside", |_| Answer::json(&json!({})));
    let rule = |host: &str| format!("EXEC \"http://{host}:{}/\"\n", inside.address().port());
    for name in ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "[::1]", "0.0.0.0"] {
        let args =
            ["serve", "--workspace", "workspace", "--web-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"];
        let mut host =
            Host::with(TXCO, &args).rule("OPS/web/100/call.txcl", &rule(name)).recording(&inside).start();
        let reply = host.event("/", &json!({}));
        assert_eq!(reply.status, 502, "{name}: {}", reply.text());
        assert!(host.wait_log("code=").contains("code=upstream_blocked"), "{name}: {}", host.log());
        host.finish();
    }
    assert!(inside.received().is_empty());
}
