//! Rules shape the answer: status, headers, body, and what of the envelope is shown.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::json;
use support::{Host, Request};

use crate::TXCO;

#[test]
fn without_a_body_the_envelope_is_the_answer_without_its_private_part() {
    let mut host = Host::serve(TXCO).rule("OPS/web/100/a.txcl", "EMIT .a = 1, ._b = 2\n").start();
    let reply = host.event("/", &json!({ "in": true }));
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
    assert_eq!(reply.json(), json!({ "body": { "in": true }, "a": 1 }));
    host.finish();
}

#[test]
fn status_headers_and_body_are_the_rules() {
    let rule = "EMIT @web.res.status = 418, @web.res.headers.content-type.0 = \"text/plain\",\n     \
                @web.res.headers.x-tea.0 = \"yes\", @web.res.body = b64\"short and stout\"\n";
    let mut host = Host::serve(TXCO).rule("OPS/web/100/a.txcl", rule).start();
    let reply = host.web(&Request::new("GET", "/"));
    assert_eq!((reply.status, reply.text().as_str()), (418, "short and stout"));
    assert_eq!((reply.header("content-type"), reply.header("x-tea")), (Some("text/plain"), Some("yes")));
    host.finish();
}

#[test]
fn rules_of_a_scope_merge_in_the_order_of_their_names() {
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/100/b.txcl", "EMIT .last = \"b\", .list = [2]\n")
        .rule("OPS/web/100/a.txcl", "EMIT .last = \"a\", .list = [1]\n")
        .rule("OPS/web/20/first.txcl", "EMIT .last = \"first\"\n")
        .start();
    for _ in 0..20 {
        let reply = host.web(&Request::new("GET", "/")).json();
        assert_eq!(reply, json!({ "last": "b", "list": [1, 2] }));
    }
    host.finish();
}

/// T1 of the weaknesses.
#[test]
fn a_request_id_is_ours() {
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/100/a.txcl", "EMIT .theirs = @web.req.headers.X-Request-Id.0\n")
        .start();
    let reply = host.web(&Request::new("GET", "/").header("X-Request-ID", "../../etc/passwd"));
    let id = reply.header("x-request-id").unwrap();
    assert!(id.starts_with("req_") && id.len() == 26, "{id}");
    assert_eq!(reply.json()["theirs"], "../../etc/passwd");
    let traced: Vec<_> = host.files("").into_iter().filter(|file| file.ends_with("in.json")).collect();
    let ours = format!("data/trace/requests/{id}/");
    assert!(traced.len() > 1 && traced.iter().all(|file| file.starts_with(&ours)), "{traced:?}");
    host.finish();
}

#[test]
fn an_unknown_op_is_told() {
    let mut host = Host::serve(TXCO).rule("OPS/web/100/a.txcl", "EXEC \"txco://no-such-op\"\n").start();
    let reply = host.web(&Request::new("GET", "/"));
    assert_eq!(reply.status, 500, "{}", reply.text());
    assert!(reply.text().contains("op_failed"), "{}", reply.text());
    host.finish();
}

#[test]
fn what_is_not_built_yet_says_so() {
    for exec in ["ai://chat", "mcp+https://example.com/#tool", "compute://sha256/00"] {
        let mut host = Host::serve(TXCO).rule("OPS/web/100/a.txcl", &format!("EXEC \"{exec}\"\n")).start();
        let reply = host.web(&Request::new("GET", "/"));
        assert_eq!(reply.status, 501, "{exec}: {}", reply.text());
        assert!(reply.text().contains("op_unsupported"), "{}", reply.text());
        host.finish();
    }
}

#[test]
fn a_large_body_is_refused() {
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/100/a.txcl", "EMIT .a = 1\n")
        .flags(&["--web-max-body-bytes", "1000"])
        .start();
    assert_eq!(host.web(&Request::new("POST", "/").body(vec![b'x'; 1000])).status, 200);
    assert_eq!(host.web(&Request::new("POST", "/").body(vec![b'x'; 1001])).status, 413);
    host.finish();
}

#[test]
fn a_head_request_has_no_body() {
    let mut host = Host::serve(TXCO).rule("OPS/web/100/a.txcl", "EMIT .a = 1\n").start();
    let reply = host.web(&Request::new("HEAD", "/"));
    assert_eq!((reply.status, reply.body.len()), (200, 0));
    host.finish();
}

/// Two places to look for a host are two tenants, where somebody on the way looks at the other one.
#[test]
fn a_request_names_one_host() {
    let host = Host::serve(TXCO).rule("OPS/web/100/a.txcl", "EMIT .host = @web.req.host\n").start();
    let web = host.web_address();
    let status = |head: &str| {
        let mut stream = TcpStream::connect(web).unwrap();
        write!(stream, "{head}Connection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    for (head, served) in [
        ("GET / HTTP/1.1\r\nHost: a.example\r\n", true),
        ("GET / HTTP/1.0\r\n", true),
        ("GET http://u@A.example/ HTTP/1.1\r\nHost: a.example\r\n", true),
        ("GET / HTTP/1.1\r\n", false),
        ("GET / HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\n", false),
        ("GET / HTTP/1.0\r\nHost: a.example\r\nHost: a.example\r\n", false),
        ("GET http://a.example/ HTTP/1.1\r\nHost: b.example\r\n", false),
        ("GET http://a.example/ HTTP/1.1\r\n", false),
        ("GET / HTTP/1.1\r\nHost: [::1]:80\r\n", true),
        ("GET / HTTP/1.1\r\nHost: u@a.example\r\n", false),
        ("GET / HTTP/1.1\r\nHost: a.example/b\r\n", false),
        ("GET / HTTP/1.1\r\nHost: a.example, b.example\r\n", false),
    ] {
        let answer = status(head);
        let wanted = if served { "200 OK" } else { "400 Bad Request" };
        assert!(answer.contains(wanted) && answer.contains("host_invalid") != served, "{head}{answer}");
    }
    host.finish();
}

/// Rules would see what was packed, and somebody on the way may find another end of it.
#[test]
fn a_body_in_another_transfer_coding_is_refused_and_nothing_behind_it_is_heard() {
    let mut host = Host::serve(TXCO).rule("OPS/web/100/a.txcl", "EMIT .seen = .body\n").start();
    let web = host.web_address();
    for (coding, wanted) in
        [("chunked", "200"), ("gzip, chunked", "501"), ("chunked, chunked", "501"), ("identity", "400")]
    {
        let mut stream = TcpStream::connect(web).unwrap();
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: {coding}\r\n");
        let last = if wanted == "200" { "Connection: close\r\n" } else { "" };
        let behind = "GET /behind HTTP/1.1\r\nHost: a\r\n\r\n";
        write!(stream, "{head}{last}\r\n2\r\n{{}}\r\n0\r\n\r\n{behind}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        host.record("answer", answer.as_bytes());
        assert!(answer.starts_with(&format!("HTTP/1.1 {wanted} ")), "{coding}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{coding}: {answer}");
    }
    host.finish();
}

/// A 2xx to CONNECT means that a tunnel begins: whoever looks for open proxies would note one here.
#[test]
fn nobody_gets_a_tunnel() {
    let mut host = Host::serve(TXCO).rule("OPS/web/100/a.txcl", "EMIT .a = 1\n").start();
    let mut stream = TcpStream::connect(host.web_address()).unwrap();
    stream
        .write_all(b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    host.record("answer", answer.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 501 ") && answer.contains("\"method_unsupported\""), "{answer}");
    host.finish();
}
