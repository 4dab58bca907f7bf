//! An upstream that sends a spliced secret back, in any of the promised forms, does not get it into the envelope (R6).

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::json;
use support::{Answer, Received, Upstream};

use crate::attack::{SEND, chassis, vendor_that};

fn key(request: &Received) -> String {
    request.header("x-api-key").unwrap().to_owned()
}

fn each(text: &str, form: fn(u8) -> String) -> String {
    text.bytes().map(form).collect()
}

fn forms(key: &str) -> Vec<String> {
    let mut forms = vec![
        key.to_owned(),
        format!("Bearer {key}"),
        each(key, |b| format!("{b:02x}")),
        each(key, |b| format!("{b:02X}")),
        each(key, |b| format!("%{b:02x}")),
        each(key, |b| format!("%{b:02X}")),
        each(
            key,
            |b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") },
        ),
        each(key, |b| format!("\\u{b:04x}")),
        serde_json::to_string(key).unwrap(),
    ];
    for before in ["", "a", "ab"] {
        let text = format!("{before}{key}!");
        forms.extend([STANDARD.encode(&text), STANDARD_NO_PAD.encode(&text)]);
        forms.extend([URL_SAFE.encode(&text), URL_SAFE_NO_PAD.encode(&text)]);
    }
    forms
}

/// One event through `vendor`, whose merged reply says `done`: the key is nowhere but there.
fn is_masked(vendor: &Upstream) {
    let mut host = chassis(vendor, SEND).start();
    let key = host.store("VENDOR_KEY");
    let reply = host.event("/", &json!({}));
    assert_eq!((reply.status, &reply.json()["done"]), (200, &json!(true)), "{}", reply.text());
    host.allow(&key, "upstream vendor header x-api-key", 1);
    host.finish();
}

#[test]
fn in_a_body_that_is_merged() {
    let vendor = vendor_that(|request| Answer::json(&json!({ "echo": forms(&key(request)), "done": true })));
    is_masked(&vendor);
}

#[test]
fn in_a_member_name_and_a_text_body() {
    let rule = format!("{SEND}EMIT .text = @upstream.call.body\n");
    for json_body in [true, false] {
        let vendor = vendor_that(move |request| {
            let key = key(request);
            if json_body {
                return Answer::json(&json!({ key: 1 }));
            }
            Answer::new(200, &[("Content-Type", "text/plain")], format!("you sent {key}, bye"))
        });
        let mut host = chassis(&vendor, &rule).start();
        let key = host.store("VENDOR_KEY");
        assert_eq!(host.event("/", &json!({})).status, 200);
        host.allow(&key, "upstream vendor header x-api-key", 1);
        host.finish();
    }
}

#[test]
fn in_headers_and_the_reason() {
    let rule = format!("{SEND}EMIT .headers = @upstream.call.headers, .status = @upstream.call.status\n");
    let vendor = vendor_that(|request| {
        let key = key(request);
        let reply = format!(
            "HTTP/1.1 200 {key}\r\nX-Echo: {key}\r\nSet-Cookie: a={key}\r\nContent-Length: 2\r\n\
             Content-Type: application/json\r\nConnection: close\r\n\r\n{{}}"
        );
        Answer::Bytes(reply.into_bytes())
    });
    let mut host = chassis(&vendor, &rule).start();
    let key = host.store("VENDOR_KEY");
    let reply = host.event("/", &json!({}));
    assert_eq!(reply.status, 200, "{}", reply.text());
    host.allow(&key, "upstream vendor header x-api-key", 1);
    host.finish();
}

#[test]
fn across_the_chunks_of_a_body() {
    let vendor = vendor_that(|request| {
        let body = json!({ "echo": key(request), "done": true }).to_string();
        let mut reply =
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
                .to_owned();
        for byte in body.chars() {
            reply.push_str(&format!("{:x}\r\n{byte}\r\n", byte.len_utf8()));
        }
        reply.push_str("0\r\n\r\n");
        Answer::Bytes(reply.into_bytes())
    });
    is_masked(&vendor);
}

#[test]
fn of_a_body_secret_and_of_a_derived_credential() {
    let rule = "EXEC \"txco://basic-auth-encode\"\n\
                WITH secrets.password.secret = \"PASSWORD\", user = \"me\", output_path = \"_txc.computed.basic\"\n\
                EXEC \"https://api.vendor.com/things\"\n\
                SET @web.req.headers.authorization = &concat(\"Basic \", @computed.basic)\n\
                WITH secrets.body.client_secret.secret = \"CLIENT_SECRET\"\n";
    let vendor = vendor_that(|request| {
        let body = json!({
            "authorization": request.header("authorization"),
            "basic": request.header("authorization").unwrap().strip_prefix("Basic "),
            "client": request.json()["client_secret"],
        });
        Answer::json(&body)
    });
    let mut host = chassis(&vendor, rule).start();
    let (password, client) = (host.store("PASSWORD"), host.store("CLIENT_SECRET"));
    let reply = host.event("/", &json!({}));
    assert_eq!(reply.status, 200, "{}", reply.text());
    let sent = vendor.only();
    let expected = format!("Basic {}", STANDARD.encode(format!("me:{}", password.text())));
    assert_eq!(sent.header("authorization"), Some(expected.as_str()));
    host.allow(&password, "upstream vendor header authorization", 1);
    host.allow(&client, "upstream vendor body", 1);
    host.finish();
}
