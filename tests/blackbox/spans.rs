//! Spans: what requests did, for a collector that the environment names.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use support::{Answer, Builder, Canary, Host, Request, Upstream};

use crate::TXCO;

const SIGN: &str =
    "EXEC \"txco://hmac-sign\"\nWITH secrets.key.secret = \"SIGNING_KEY\", input_path = \"body\"\n";
const CALL: &str = "EXEC \"https://api.vendor.com/things?q=of-the-rule\"\nWITH secrets.headers.x-api-key.secret = \"VENDOR_KEY\"\n";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn collector() -> Upstream {
    Upstream::http("collector", |_| Answer::json(&json!({})))
}

/// A chassis whose spans go to `collector`.
fn told(collector: &Upstream) -> Builder {
    Host::serve(TXCO)
        .recording(collector)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{}", collector.address()))
}

/// One span, as far as it is read here.
#[derive(Debug, Default)]
struct Span {
    trace: Vec<u8>,
    id: Vec<u8>,
    parent: Vec<u8>,
    name: String,
    kind: u64,
    /// Its attributes and its status, as far as they are text.
    text: String,
}

/// The fields of a Protobuf message: number, varint or fixed number, bytes.
fn fields(mut bytes: &[u8]) -> Vec<(u64, u64, &[u8])> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = bytes[0];
            *bytes = &bytes[1..];
            number |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                return number;
            }
        }
    }
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let (number, length) = match key & 7 {
            0 => (varint(&mut bytes), 0),
            1 => (u64::from_le_bytes(bytes[..8].try_into().unwrap()), 8),
            2 => (0, usize::try_from(varint(&mut bytes)).unwrap()),
            other => panic!("wire type {other}"),
        };
        found.push((key >> 3, number, &bytes[..length]));
        bytes = &bytes[length..];
    }
    found
}

/// All spans that the collector received.
fn received(collector: &Upstream) -> Vec<Span> {
    let requests = collector.received();
    let requests = requests.iter().filter(|request| request.target == "/v1/traces");
    let mut spans = Vec::new();
    for request in requests {
        for (_, _, resource) in fields(&request.body) {
            for (_, _, scope) in fields(resource).into_iter().filter(|(number, ..)| *number == 2) {
                for (_, _, span) in fields(scope).into_iter().filter(|(number, ..)| *number == 2) {
                    spans.push(read(span));
                }
            }
        }
    }
    spans
}

fn read(span: &[u8]) -> Span {
    let mut read = Span::default();
    for (field, number, bytes) in fields(span) {
        match field {
            1 => read.trace = bytes.to_vec(),
            2 => read.id = bytes.to_vec(),
            4 => read.parent = bytes.to_vec(),
            5 => read.name = String::from_utf8(bytes.to_vec()).unwrap(),
            6 => read.kind = number,
            9 | 15 => read.text.push_str(&String::from_utf8_lossy(bytes)),
            _ => {}
        }
    }
    read
}

#[track_caller]
fn one<'s>(spans: &'s [Span], name: &str) -> &'s Span {
    let mut all = spans.iter().filter(|span| span.name == name);
    let first = all.next().unwrap_or_else(|| panic!("{name}: {spans:#?}"));
    assert!(all.next().is_none(), "{name} twice: {spans:#?}");
    first
}

/// Waits until something is so.
#[track_caller]
fn until(mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it is not so");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until one request is counted with this end.
#[track_caller]
fn ended(host: &mut Host, how: &str) {
    let line = format!("chassis_requests_total{{txco_tenant_slug=\"default\",outcome=\"{how}\"}} 1\n");
    until(|| host.admin(&Request::new("GET", "/metrics")).text().contains(&line));
}

/// What the collector received as spans, as far as it is text.
fn spans(collector: &Upstream) -> String {
    let received = collector.received();
    let spans = received.iter().filter(|request| request.target == "/v1/traces");
    spans.map(|request| String::from_utf8_lossy(&request.body).into_owned()).collect()
}

#[test]
fn a_collector_gets_a_span_of_each_request_and_each_step() {
    let collector = collector();
    let vendor = Upstream::https("vendor", &["api.vendor.com"], |_| Answer::json(&json!({ "ok": true })));
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/100/sign.txcl", SIGN)
        .rule("OPS/web/200/call.txcl", CALL)
        .upstream(&vendor, "api.vendor.com:443")
        .recording(&collector)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{}", collector.address()))
        .env("OTEL_EXPORTER_OTLP_HEADERS", "api-key=of%20the%20operator")
        .env("OTEL_SERVICE_NAME", "shop")
        .start();
    host.store("SIGNING_KEY");
    let key = host.store("VENDOR_KEY");
    let header = Canary::found("in a header of a client", b"header-5sJ8bYf2GdQx6VtP1RkZ");
    host.guard(&header);
    let request = Request::new("POST", "/orders?token=of-a-client")
        .header("traceparent", PARENT)
        .header("authorization", header.text())
        .json(&json!({ "n": 1 }));
    let reply = host.web(&request);
    assert_eq!(reply.status, 200, "{}", reply.text());
    let id = reply.header("x-request-id").unwrap().to_owned();
    host.allow(&key, "upstream vendor header x-api-key", 1);
    // Nothing is added to what goes out (H7).
    assert_eq!(vendor.only().header("traceparent"), None);
    // What waits is sent when it ends.
    host.stop();
    let received = collector.received();
    let sent = received.iter().find(|request| request.target == "/v1/traces").expect("spans");
    assert_eq!((sent.method.as_str(), sent.header("content-type")), ("POST", Some("application/x-protobuf")));
    assert_eq!(sent.header("api-key"), Some("of the operator"));
    let text = spans(&collector);
    for told in [
        "shop",
        "/orders",
        "http.response.status_code",
        "txco.tenant.slug",
        &id,
        "web/100/sign",
        "txco://hmac-sign",
        "SIGNING_KEY v1",
        "web/200/call",
        "api.vendor.com",
        "VENDOR_KEY v1",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    let trace =
        [0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6, 0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36];
    let of_caller = sent.body.windows(16).filter(|bytes| *bytes == trace).count();
    assert_eq!(of_caller, 3, "the request and its two steps are of the caller's trace");
    assert!(
        !text.contains("of-the-rule") && !text.contains("of-a-client") && !text.contains("error.type"),
        "{text}"
    );
    host.finish();
}

#[test]
fn a_step_that_failed_says_with_which_code() {
    let collector = collector();
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/100/sign.txcl", SIGN)
        .recording(&collector)
        .env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &format!("http://{}/v1/traces", collector.address()))
        .start();
    assert_eq!(host.event("/", &json!({})).status, 500);
    host.stop();
    let text = spans(&collector);
    assert_eq!(text.matches("secret_not_found").count(), 2, "the request and its step: {text}");
    host.finish();
}

#[test]
fn a_step_after_whose_error_its_rule_goes_on_says_with_which_code() {
    let collector = collector();
    let vendor = Upstream::https("vendor", &["api.vendor.com"], |_| Answer::new(503, &[], "{}"));
    let mut host = told(&collector)
        .rule("OPS/web/100/a.txcl", "EXEC \"https://api.vendor.com/\"\nWITH on_error = \"continue\"\n")
        .upstream(&vendor, "api.vendor.com:443")
        .start();
    assert_eq!(host.event("/", &json!({})).status, 200);
    host.stop();
    let spans = received(&collector);
    let (step, request) = (one(&spans, "web/100/a"), one(&spans, "POST"));
    assert!(step.text.contains("error.type") && step.text.contains("upstream_status"), "{step:?}");
    assert!(!request.text.contains("error.type"), "{request:?}");
    host.finish();
}

#[test]
fn what_rules_hide_of_a_path_no_span_tells() {
    let collector = collector();
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/100/hide.txcl", "EXEC \"txco://noop\"\nWITH redact = \"@web.req.url.path\"\n")
        .recording(&collector)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{}", collector.address()))
        .start();
    assert_eq!(host.event("/reset/of-a-client", &json!({})).status, 200);
    host.stop();
    let text = spans(&collector);
    assert!(text.contains("[REDACTED]") && !text.contains("of-a-client"), "{text}");
    host.finish();
}

#[test]
fn a_request_whose_client_left_tells_what_ended_and_what_ran() {
    let collector = collector();
    let vendor = Upstream::http("vendor", |_| Answer::Hang);
    let mut host = told(&collector)
        .rule("OPS/web/100/before.txcl", "EXEC \"txco://noop\"\n")
        .rule("OPS/web/200/beside.txcl", "EXEC \"txco://noop\"\n")
        .rule("OPS/web/200/call.txcl", &format!("EXEC \"http://{}/\"\n", vendor.address()))
        .recording(&vendor)
        .start();
    let mut client = TcpStream::connect(host.web_address()).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    until(|| !vendor.received().is_empty());
    drop(client);
    ended(&mut host, "cancelled");
    host.stop();
    let spans = received(&collector);
    assert_eq!(spans.len(), 4, "{spans:#?}");
    for name in ["GET", "web/200/call"] {
        let span = one(&spans, name);
        assert!(span.text.contains("cancelled") && span.text.contains("client left"), "{span:?}");
    }
    for name in ["web/100/before", "web/200/beside"] {
        let span = one(&spans, name);
        assert!(!span.text.contains("error.type") && span.parent == one(&spans, "GET").id, "{span:?}");
    }
    let traced = host.txco(&["trace", "last"]).succeeds();
    let call = traced.lines().find(|line| line.starts_with("web/200/call ")).expect(&traced);
    assert!(call.contains("cancelled"), "{traced}");
    host.finish();
}

/// A client that leaves in the middle of its answer has not got it, whatever its status said.
#[test]
fn an_answer_that_is_broken_off_is_told() {
    let collector = collector();
    let vendor = Upstream::http("vendor", |_| Answer::Hang);
    let first = "EMIT @web.res.body = b64\"one\"\n";
    let mut host = told(&collector)
        .rule("OPS/web/100/first.txcl", first)
        .rule("OPS/web/200/call.txcl", &format!("EXEC \"http://{}/\"\n", vendor.address()))
        .recording(&vendor)
        .start();
    let mut client = TcpStream::connect(host.web_address()).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut some = [0; 4096];
    assert!(client.read(&mut some).unwrap() > 0);
    until(|| !vendor.received().is_empty());
    drop(client);
    ended(&mut host, "cancelled");
    host.stop();
    let spans = received(&collector);
    for name in ["GET", "web/200/call"] {
        let span = one(&spans, name);
        assert!(span.text.contains("cancelled") && span.text.contains("client left"), "{span:?}");
    }
    host.finish();
}

/// What a request does after it waited stands below the span of its beginning, also in another
/// life of the chassis; what failed there says so.
#[test]
fn a_request_that_goes_on_is_of_the_trace_that_it_began_in() {
    let collector = collector();
    let worker = Upstream::http("worker", |request| match request.target.as_str() {
        "/fails" => Answer::new(500, &[], "{}"),
        _ => Answer::new(202, &[], "{}"),
    });
    let job = format!("WITH mode = \"async\" EXEC \"http://{}/jobs\"\n", worker.address());
    let again = format!("WITH mode = \"async\" EXEC \"http://{}/again\"\n", worker.address());
    let fails = format!("EXEC \"http://{}/fails\"\n", worker.address());
    let mut host = told(&collector)
        .rule("OPS/web/100/beside.txcl", "EXEC \"txco://noop\"\n")
        .rule("OPS/web/100/job.txcl", &job)
        .rule("OPS/web/200/between.txcl", "EXEC \"txco://noop\"\n")
        .rule("OPS/web/300/again.txcl", &again)
        .rule("OPS/web/400/last.txcl", &fails)
        .recording(&worker)
        .start();
    let request = Request::new("POST", "/orders").header("traceparent", PARENT).json(&json!({}));
    assert_eq!(host.web(&request).status, 202);
    let call = |host: &mut Host, path: &str| {
        let job = || worker.received().into_iter().find(|job| job.target == path);
        until(|| job().is_some());
        let job = job().unwrap();
        let (said, token) = (job.json(), job.header("x-txco-continuation-token").unwrap());
        let id = said["_txc"]["op_continuation_id"].as_str().unwrap();
        let done = Request::new("POST", &format!("/_txc/continuations/op/{id}/complete"))
            .header("authorization", &format!("Bearer {token}"))
            .json(&json!({ "status": "completed" }));
        assert_eq!(host.web(&done).status, 200);
    };
    host.stop();
    host.start();
    call(&mut host, "/jobs");
    call(&mut host, "/again");
    ended(&mut host, "upstream_status");
    host.stop();
    let spans = received(&collector);
    let first = one(&spans, "POST");
    assert_eq!(
        (first.kind, &first.trace[..2], first.text.contains("error.type")),
        (2, &[0x4b, 0xf9][..], false)
    );
    let resumed: Vec<_> = spans.iter().filter(|span| span.name == "continuation.resume").collect();
    assert_eq!(resumed.len(), 2, "{spans:#?}");
    for span in &resumed {
        assert_eq!((span.kind, &span.parent, &span.trace), (5, &first.id, &first.trace), "{span:?}");
        assert!(span.text.contains("txco.request_id") && span.text.contains("txco.stack"), "{span:?}");
    }
    assert!(
        !resumed[0].text.contains("error.type") && resumed[1].text.contains("upstream_status"),
        "{spans:#?}"
    );
    let below = [
        ("beside", first),
        ("job", first),
        ("between", resumed[0]),
        ("again", resumed[0]),
        ("last", resumed[1]),
    ];
    for (rule, parent) in below {
        let span = spans.iter().find(|span| span.name.ends_with(&format!("/{rule}"))).expect(rule);
        assert_eq!((&span.parent, &span.trace), (&parent.id, &first.trace), "{rule}: {spans:#?}");
        assert_eq!(span.text.contains("upstream_status"), rule == "last", "{span:?}");
    }
    assert_eq!(spans.len(), 8, "{spans:#?}");
    host.finish();
}

#[test]
fn who_wants_none_gets_none() {
    for (name, value) in [
        ("OTEL_TRACES_EXPORTER", "none"),
        ("OTEL_TRACES_SAMPLER", "always_off"),
        ("OTEL_SDK_DISABLED", "true"),
    ] {
        let collector = collector();
        let mut host = Host::serve(TXCO)
            .rule("OPS/web/100/x.txcl", "EXEC \"txco://noop\"\n")
            .recording(&collector)
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{}", collector.address()))
            .env(name, value)
            .start();
        assert!(host.event("/", &json!({})).status < 500);
        host.stop();
        assert_eq!(spans(&collector), "", "{name}");
        host.finish();
    }
}

#[test]
fn a_collector_that_does_not_answer_costs_spans_and_nothing_else() {
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/100/x.txcl", "EXEC \"txco://noop\"\n")
        .env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:9/v1/traces")
        .env("OTEL_BSP_SCHEDULE_DELAY", "50")
        .start();
    let status = host.event("/", &json!({})).status;
    let line = host.wait_log("spans could not be exported");
    assert!(status < 500 && line.contains("no connection to http://127.0.0.1:9"), "{status} {line}");
    let page = host.admin(&Request::new("GET", "/metrics")).text();
    assert!(page.contains("chassis_spans_dropped_total 2\n"), "{page}");
    host.finish();
}
