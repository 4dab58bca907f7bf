//! The way of a request: lanes, pieces of an answer, mocks, budgets, TLS and HTTP/2 at the web head.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::json;
use support::{Answer, Host, Request, Upstream};

use crate::TXCO;

fn b64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// Sends a GET and gives the connection, its answer not read yet.
fn asked(host: &Host) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(host.web_address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    BufReader::new(stream)
}

fn lines_until_empty(reader: &mut impl BufRead) -> Vec<String> {
    reader.lines().map(Result::unwrap).take_while(|line| !line.is_empty()).collect()
}

#[test]
fn an_answer_of_several_scopes_arrives_piece_by_piece() {
    let vendor = Upstream::http("vendor", |_| {
        std::thread::sleep(Duration::from_millis(700));
        Answer::json(&json!({}))
    });
    let mut host = Host::serve(TXCO)
        .rule(
            "OPS/web/10/a.txcl",
            &format!(
                "EMIT @web.res.status = 207, @web.res.headers.x-tea = \"y\", @web.res.body = \"{}\"\n",
                b64("one,")
            ),
        )
        .rule("OPS/web/20/b.txcl", &format!("EXEC \"http://{}/\"\n", vendor.address()))
        .rule(
            "OPS/web/30/c.txcl",
            &format!("EMIT @web.res.status = 500, @web.res.body = \"{}\"\n", b64("two")),
        )
        .recording(&vendor)
        .start();
    let began = Instant::now();
    let mut reader = asked(&host);
    let head = lines_until_empty(&mut reader);
    assert!(head[0].starts_with("HTTP/1.1 207") && head.contains(&"x-tea: y".to_owned()), "{head:?}");
    assert!(head.contains(&"transfer-encoding: chunked".to_owned()), "{head:?}");
    assert!(head.iter().any(|line| line.starts_with("x-request-id: req_")), "{head:?}");
    let mut piece = [0; 9];
    reader.read_exact(&mut piece).unwrap();
    assert_eq!(&piece, b"4\r\none,\r\n");
    assert!(began.elapsed() < Duration::from_millis(600), "{:?}", began.elapsed());
    let mut rest = [0; 13];
    reader.read_exact(&mut rest).unwrap();
    assert_eq!(&rest, b"3\r\ntwo\r\n0\r\n\r\n");
    assert!(began.elapsed() >= Duration::from_millis(600));
    host.record("web reply", &[&piece[..], &rest[..]].concat());
    host.finish();
}

#[test]
fn an_answer_that_fails_on_its_way_is_broken_off() {
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/10/a.txcl", &format!("EMIT @web.res.body = \"{}\"\n", b64("one")))
        .rule("OPS/web/20/b.txcl", "EXEC \"txco://no-such-op\"\n")
        .start();
    let mut reader = asked(&host);
    assert!(lines_until_empty(&mut reader)[0].starts_with("HTTP/1.1 200"));
    let mut rest = Vec::new();
    // An end without the last chunk is how HTTP says that there should be more.
    reader.read_to_end(&mut rest).ok();
    assert_eq!(String::from_utf8_lossy(&rest), "3\r\none\r\n");
    host.wait_log("answer broken off");
    assert_eq!(host.web(&Request::new("HEAD", "/")).status, 500, "an answer at once can still say so");
    host.finish();
}

/// An upstream that never answers; the receiver is told when its connection is closed.
fn silent() -> (SocketAddr, Receiver<Instant>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (send, closed) = channel();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut buffer = [0; 4096];
        while stream.read(&mut buffer).is_ok_and(|count| count > 0) {}
        send.send(Instant::now()).ok();
    });
    (address, closed)
}

/// A client that leaves takes its request along: nobody waits for what nobody wants.
#[test]
fn a_client_that_leaves_ends_its_request_and_the_upstream_sees_it() {
    let (address, closed) = silent();
    let host = Host::serve(TXCO)
        .rule("OPS/web/10/a.txcl", &format!("EXEC \"http://{address}/\" WITH timeout = \"60s\"\n"))
        .start();
    let reader = asked(&host);
    assert!(closed.recv_timeout(Duration::from_millis(500)).is_err(), "it is being asked");
    let left = Instant::now();
    drop(reader);
    let seen = closed.recv_timeout(Duration::from_secs(10)).expect("the upstream's connection is closed");
    assert!(seen.duration_since(left) < Duration::from_secs(5));
    let timelines: Vec<String> = host
        .files("data/trace/requests")
        .into_iter()
        .filter(|file| file.ends_with("timeline.jsonl"))
        .collect();
    let deadline = Instant::now() + Duration::from_secs(5);
    while !host.read(&timelines[0]).contains("\"cancelled\"") {
        assert!(Instant::now() < deadline, "{}", host.read(&timelines[0]));
        std::thread::sleep(Duration::from_millis(20));
    }
    host.finish();
}

#[test]
fn a_nested_stack_is_a_lane_beside_its_parent() {
    let mut host = Host::serve(TXCO)
        .rule("OPS/shop/10/a.txcl", "EMIT .way.-1 = \"shop/10\"\n")
        .rule("OPS/shop/eu/10/a.txcl", "EMIT .way.-1 = \"eu/10\"\n")
        .rule("OPS/shop/eu/20/b.txcl", "EMIT .way.-1 = \"eu/20\" EXEC \"shop/us/30\"\n")
        .rule(
            "OPS/shop/30/c.txcl",
            "EMIT .way.-1 = \"shop/30\", @delete = \"secret.inner\", .secret.inner = 1, .secret.outer = 2\n",
        )
        .rule("OPS/shop/40/d.txcl", "EMIT .way.-1 = \"shop/40\", @halt = true, @goto = 10\n")
        .rule("OPS/shop/50/e.txcl", "EMIT .way.-1 = \"never\"\n")
        .flags(&["--stack", "shop/eu"])
        .start();
    let reply = host.web(&Request::new("GET", "/")).json();
    assert_eq!(reply["way"], json!(["eu/10", "eu/20", "shop/30", "shop/40"]));
    assert_eq!(reply["secret"], json!({ "outer": 2 }));
    host.finish();
}

#[test]
fn budgets_end_a_loop_with_a_typed_answer() {
    for (flags, word) in [
        (["--op-scope-ttl-max", "20"], "--op-scope-ttl-max"),
        (["--max-fuel-per-request", "500"], "--max-fuel-per-request"),
    ] {
        let mut host = Host::serve(TXCO)
            .rule("OPS/web/10/a.txcl", "EMIT @goto = 10\n")
            .flags(&flags)
            .flags(&["--op-repeat-penalty-ms", "1"])
            .start();
        let reply = host.web(&Request::new("GET", "/"));
        assert_eq!((reply.status, &reply.json()["error"]["code"]), (508, &json!("budget_exhausted")));
        let trace = host.files("data/trace").iter().map(|file| host.read(file)).collect::<String>();
        assert!(trace.contains("stage.penalty") && trace.contains("fuel_used"), "{trace}");
        let log = host.wait_log("budget_exhausted");
        assert!(log.contains(word), "{log}");
        host.finish();
    }
}

const MOCKED: &str = "EXEC \"http://127.0.0.1:9/\" WITH secrets.headers.x-key.secret = \"NOT_THERE\"\n";

#[test]
fn a_caller_may_choose_mocks_only_where_the_operator_says_so() {
    let request = || Request::new("GET", "/").header("X-Txco-Mocks", "web/*");
    for (flags, status) in
        [(&["--web-mock-header"][..], 200), (&[], 500), (&["--web-mock-header", "--mock", "deny"], 500)]
    {
        let mut host = Host::serve(TXCO)
            .rule("OPS/web/10/a.txcl", MOCKED)
            .file("workspace/OPS/web/10/mock-response.json", "{\"id\":7}")
            .flags(flags)
            .start();
        let reply = host.web(&request());
        assert_eq!(reply.status, status, "{flags:?}: {}", reply.text());
        assert_eq!(reply.json().get("id").is_some(), status == 200);
        assert_eq!(host.web(&Request::new("GET", "/")).status, 500, "nobody chose it");
        assert_eq!(host.log().contains("whoever calls can skip an op"), flags == ["--web-mock-header"]);
        host.finish();
    }
}

#[test]
fn an_authors_mock_answers_by_itself() {
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/10/a.txcl", "EXEC \"txco://mock\" EMIT .copy = .id\n")
        .file("workspace/OPS/web/10/mock-response.json", "{\"id\":7,\"_txc\":{\"rid\":\"theirs\"}}")
        .start();
    let reply = host.web(&Request::new("GET", "/"));
    assert_eq!(reply.json(), json!({ "id": 7, "copy": 7 }));
    host.finish();
}

/// A connection to the web head of somebody who trusts this certificate and no other.
fn trusting(
    host: &Host,
    certificate: &rcgen::Certificate,
) -> rustls::StreamOwned<rustls::ClientConnection, TcpStream> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let config =
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
    let session = rustls::ClientConnection::new(Arc::new(config), "shop.example".try_into().unwrap());
    let stream = TcpStream::connect(host.web_address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    rustls::StreamOwned::new(session.unwrap(), stream)
}

/// What such a connection answers, to its end.
fn answered(mut stream: rustls::StreamOwned<rustls::ClientConnection, TcpStream>) -> std::io::Result<String> {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n")?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply)?;
    Ok(String::from_utf8(reply).unwrap())
}

#[test]
fn the_web_head_speaks_tls() {
    let made = || rcgen::generate_simple_self_signed(vec!["shop.example".to_owned()]).unwrap();
    let (first, second) = (made(), made());
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/10/a.txcl", "EMIT .a = 1\n")
        .file("web.pem", first.cert.pem())
        .file("web.key", first.signing_key.serialize_pem())
        .flags(&["--web-tls-cert", "web.pem", "--web-tls-key", "web.key"])
        .start();
    let reply = answered(trusting(&host, &first.cert)).unwrap();
    assert!(reply.starts_with("HTTP/1.1 200") && reply.ends_with("{\"a\":1}"), "{reply}");
    // Who speaks plain text there is not understood.
    let mut plain = TcpStream::connect(host.web_address()).unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    plain.read_to_end(&mut answer).ok();
    assert!(!answer.starts_with(b"HTTP/"), "{answer:?}");

    let mut open = trusting(&host, &first.cert);
    open.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    // Files that make no certificate, and one that is not of the key beside it.
    for broken in ["no certificate".to_owned(), second.cert.pem()] {
        host.write("web.pem", broken);
        let line = host.logs_after("the certificate cannot be read; the old one stays in use", |host| {
            host.signal(support::Signal::HUP);
        });
        assert!(line.contains("WARN") && line.contains("head=web") && line.contains("web.pem"), "{line}");
        assert!(answered(trusting(&host, &first.cert)).unwrap().starts_with("HTTP/1.1 200"));
    }
    host.write("web.key", second.signing_key.serialize_pem());
    host.logs_after("certificate read again", |host| host.signal(support::Signal::HUP));
    assert!(answered(trusting(&host, &second.cert)).unwrap().starts_with("HTTP/1.1 200"));
    let refused = answered(trusting(&host, &first.cert)).unwrap_err();
    assert!(refused.to_string().contains("invalid peer certificate"), "{refused}");
    // What was open stays so.
    open.write_all(b"Host: shop.example\r\nConnection: close\r\n\r\n").unwrap();
    let mut reply = String::new();
    open.read_to_string(&mut reply).unwrap();
    assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
    host.finish();
    let mut half = Host::at_rest(TXCO);
    let output = half.txco(&["serve", "--web-tls-cert", "web.pem"]);
    assert!(output.code != Some(0) && output.stderr.contains("go together"), "{}", output.stderr);
    half.finish();
}

/// RFC 9113, by hand: preface, settings, one GET whose header is HPACK without any index.
#[test]
fn the_web_head_speaks_http_2() {
    fn literal(name: &str, value: &str) -> Vec<u8> {
        let short = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
        [vec![0], short(name), short(value)].concat()
    }
    fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
    }
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/10/a.txcl", "EMIT .proto = @web.req.proto, .host = @web.req.host\n")
        .start();
    let header = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "shop.example")];
    let header: Vec<u8> = header.iter().flat_map(|(name, value)| literal(name, value)).collect();
    let mut stream = TcpStream::connect(host.web_address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
    stream.write_all(&frame(4, 0, 0, &[])).unwrap();
    stream.write_all(&frame(1, 5, 1, &header)).unwrap();
    let body = loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        stream.read_exact(&mut payload).unwrap();
        match (head[3], head[8]) {
            (0, 1) => break payload,
            (3 | 7, _) => panic!("refused: {payload:?}"),
            _ => {}
        }
    };
    assert_eq!(String::from_utf8(body).unwrap(), "{\"proto\":\"HTTP/2.0\",\"host\":\"shop.example\"}");
    host.record("web reply", b"see above");
    // Or the chassis would wait for it at its end.
    drop(stream);
    host.finish();
}

#[test]
fn headers_have_a_limit() {
    let mut host = Host::serve(TXCO).rule("OPS/web/10/a.txcl", "EMIT .a = 1\n").start();
    let with = |bytes: usize| Request::new("GET", "/").header("X-Large", &"x".repeat(bytes));
    assert_eq!(host.web(&with(200 << 10)).status, 200);
    for bytes in [257 << 10, 380 << 10, 2 << 20] {
        // Who sends very much is not listened to until the end: then the answer may be lost.
        let status = support::send(host.web_address(), &with(bytes)).map(|reply| reply.status);
        assert!(matches!(status, Ok(431) | Err(_)), "{bytes}: {status:?}");
        assert!(bytes > 300 << 10 || status.is_ok(), "{bytes}: {status:?}");
    }
    // `Host` and `Connection` are two more.
    for (more, status) in [(98, "HTTP/1.1 200 "), (99, "HTTP/1.1 431 ")] {
        let mut stream = TcpStream::connect(host.web_address()).unwrap();
        let many: String = (0..more).map(|n| format!("X-{n}: 1\r\n")).collect();
        write!(stream, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{many}\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(status), "{more}: {answer}");
    }
    assert_eq!(host.web(&Request::new("GET", "/healthz")).text(), "ok\n");
    host.finish();
}
