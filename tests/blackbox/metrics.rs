//! Numbers for those who watch: on `/metrics`, and sent to a collector when one is named.

use serde_json::json;
use support::{Answer, Host, Request, Upstream};

use crate::TXCO;

const RULE: &str =
    "EXEC \"https://api.vendor.com/things\"\nWITH secrets.headers.x-api-key.secret = \"VENDOR_KEY\"\n";

fn vendor() -> Upstream {
    Upstream::https("vendor", &["api.vendor.com"], |_| Answer::json(&json!({ "ok": true })))
}

#[test]
fn every_reference_is_counted_with_its_outcome() {
    let vendor = vendor();
    let mut host =
        Host::serve(TXCO).rule("OPS/web/100/call.txcl", RULE).upstream(&vendor, "api.vendor.com:443").start();
    assert_eq!(host.event("/", &json!({})).status, 500);
    let key = host.store("VENDOR_KEY");
    for _ in 0..2 {
        assert_eq!(host.event("/", &json!({})).status, 200);
    }
    host.allow(&key, "upstream vendor header x-api-key", 2);
    let reply = host.admin(&Request::new("GET", "/metrics"));
    assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let page = reply.text();
    for line in [
        "chassis_secret_materialize_total{txco_tenant_slug=\"default\",txco_secret_name=\"VENDOR_KEY\",outcome=\"ok\"} 2\n",
        "chassis_secret_materialize_total{txco_tenant_slug=\"default\",txco_secret_name=\"VENDOR_KEY\",outcome=\"secret_not_found\"} 1\n",
        "chassis_requests_total{txco_tenant_slug=\"default\",outcome=\"ok\"} 2\n",
        "chassis_rule_failed_total{txco_tenant_slug=\"default\",code=\"secret_not_found\"} 1\n",
        "# TYPE chassis_memory_unlocked_bytes gauge\n",
        "# TYPE process_cpu_seconds_total counter\n",
        "process_resident_memory_bytes ",
        "process_open_fds ",
        "process_start_time_seconds ",
    ] {
        assert!(page.contains(line), "{line}: {page}");
    }
    let elsewhere = host.admin(&Request::new("GET", "/metrics").header("host", "txco.example"));
    assert_eq!(elsewhere.status, 401);
    host.finish();
}

#[test]
fn a_collector_that_is_named_gets_them() {
    let collector = Upstream::http("collector", |_| Answer::json(&json!({})));
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/100/hello.txcl", "EMIT .hello = true\n")
        .recording(&collector)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{}", collector.address()))
        .env("OTEL_EXPORTER_OTLP_HEADERS", "api-key=of%20the%20operator")
        .env("OTEL_SERVICE_NAME", "shop")
        .start();
    assert_eq!(host.event("/", &json!({})).status, 200);
    // The last numbers are sent when it ends.
    host.stop();
    let received = collector.received();
    let last = received.last().expect("a request to the collector");
    assert_eq!((last.method.as_str(), last.target.as_str()), ("POST", "/v1/metrics"));
    assert_eq!(last.header("content-type"), Some("application/x-protobuf"));
    assert_eq!(last.header("api-key"), Some("of the operator"));
    let text = String::from_utf8_lossy(&last.body);
    for name in
        ["service.name", "shop", "chassis.memory.unlocked", "chassis.requests", "process.memory.usage"]
    {
        assert!(text.contains(name), "{name}: {text}");
    }
    host.finish();
}

#[test]
fn a_collector_that_cannot_be_is_a_warning() {
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "not a url"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:s3cret@collector.example"),
    ] {
        let mut host = Host::serve(TXCO).env(name, value).start();
        let line = host.wait_log("metrics are not exported");
        assert!(line.contains("WARN") && !line.contains("s3cret"), "{line}");
        host.finish();
    }
    let mut host = Host::serve(TXCO)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
        .env("OTEL_METRIC_EXPORT_INTERVAL", "50")
        .start();
    let line = host.wait_log("metrics could not be exported");
    assert!(line.contains("no connection to http://127.0.0.1:9"), "{line}");
    host.finish();
}
