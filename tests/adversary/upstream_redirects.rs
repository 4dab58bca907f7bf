//! A redirect cannot carry a header or body with secrets to another host.

use serde_json::json;
use support::{Answer, Upstream};

use crate::attack::{chassis, fault, vendor_that};

const RULE: &str = "EXEC \"https://api.vendor.com/things\"\n\
    WITH secrets.headers.x-api-key.secret = \"VENDOR_KEY\", secrets.body.token.secret = \"TOKEN\"\n";

#[test]
fn nothing_reaches_the_other_host() {
    let other = Upstream::http("other", |_| Answer::json(&json!({})));
    for status in [301, 302, 303, 307, 308] {
        let location = format!("http://{}/collect", other.address());
        let vendor = vendor_that(move |_| Answer::new(status, &[("Location", &location)], ""));
        let mut host = chassis(&vendor, RULE).recording(&other).start();
        let (key, token) = (host.store("VENDOR_KEY"), host.store("TOKEN"));
        let reply = host.event("/", &json!({}));
        assert_eq!(reply.status, 502, "{status}: {}", reply.text());
        assert_eq!(fault(&host), "upstream_redirect", "{status}");
        assert_eq!(vendor.received().len(), 1, "and not the same host again");
        host.allow(&key, "upstream vendor header x-api-key", 1);
        host.allow(&token, "upstream vendor body", 1);
        host.finish();
    }
    assert!(other.received().is_empty());
}
