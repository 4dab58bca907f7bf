//! Spans: what requests did, for a collector that the environment names.

use serde_json::json;
use support::{Answer, Canary, Host, Request, Upstream};

use crate::TXCO;

const SIGN: &str =
    "EXEC \"txco://hmac-sign\"\nWITH secrets.key.secret = \"SIGNING_KEY\", input_path = \"body\"\n";
const CALL: &str = "EXEC \"https://api.vendor.com/things?q=of-the-rule\"\nWITH secrets.headers.x-api-key.secret = \"VENDOR_KEY\"\n";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn collector() -> Upstream {
    Upstream::http("collector", |_| Answer::json(&json!({})))
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
fn a_request_whose_client_left_tells_the_steps_that_had_ended() {
    let collector = collector();
    let vendor = Upstream::http("vendor", |_| Answer::Hang);
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/100/before.txcl", "EXEC \"txco://noop\"\n")
        .rule("OPS/web/200/call.txcl", &format!("EXEC \"http://{}/\"\n", vendor.address()))
        .recording(&vendor)
        .recording(&collector)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{}", collector.address()))
        .start();
    let mut client = std::net::TcpStream::connect(host.web_address()).unwrap();
    std::io::Write::write_all(&mut client, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    while vendor.received().is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    drop(client);
    let cancelled = "chassis_requests_total{txco_tenant_slug=\"default\",outcome=\"cancelled\"} 1\n";
    while !host.admin(&Request::new("GET", "/metrics")).text().contains(cancelled) {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    host.stop();
    let text = spans(&collector);
    assert!(text.contains("cancelled") && text.contains("web/100/before"), "{text}");
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
