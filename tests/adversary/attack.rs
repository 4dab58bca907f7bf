//! What several attacks share: a chassis that sends one secret to one vendor, and the fault a trace recorded.

use serde_json::{Value, json};
use support::{Answer, Builder, Host, Received, Upstream};

use crate::TXCO;

/// Sends `VENDOR_KEY` in a header.
pub(crate) const SEND: &str =
    "EXEC \"https://api.vendor.com/things\"\nWITH secrets.headers.x-api-key.secret = \"VENDOR_KEY\"\n";

/// Signs the body with `SIGNING_KEY`.
pub(crate) const SIGN: &str = "EXEC \"txco://hmac-sign\"\n\
    WITH secrets.key.secret = \"SIGNING_KEY\", input_path = \"body\", output_path = \"digest\"\n";

/// A vendor that answers `{"ok":true}`.
pub(crate) fn vendor() -> Upstream {
    vendor_that(|_| Answer::json(&json!({ "ok": true })))
}

/// A vendor that answers otherwise.
pub(crate) fn vendor_that(answer: impl Fn(&Received) -> Answer + Send + Sync + 'static) -> Upstream {
    Upstream::https("vendor", &["api.vendor.com"], answer)
}

/// A chassis with one rule, and the vendor behind its name.
pub(crate) fn chassis(vendor: &Upstream, rule: &str) -> Builder {
    Host::serve(TXCO).rule("OPS/web/100/call.txcl", rule).upstream(vendor, "api.vendor.com:443")
}

/// The code with which the one request that failed ended, as its trace has it.
#[track_caller]
pub(crate) fn fault(host: &Host) -> String {
    let files = host.files("data/trace/requests");
    let timelines = files.iter().filter(|file| file.ends_with("timeline.jsonl")).map(|file| host.read(file));
    let codes: Vec<String> = timelines
        .flat_map(|text| {
            text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect::<Vec<_>>()
        })
        .filter(|event| event["event"] == "request.end")
        .filter_map(|event| Some(event["error"].as_str()?.to_owned()))
        .collect();
    assert_eq!(codes.len(), 1, "{codes:?}");
    codes[0].clone()
}
