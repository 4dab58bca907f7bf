//! A name that resolves to this machine, the metadata service or a private network is not dialled.

use serde_json::json;
use support::{Answer, Host, Upstream};

use crate::TXCO;
use crate::attack::{SEND, fault};

#[test]
fn the_address_is_checked_and_not_only_the_name() {
    let inside = Upstream::http("inside", |_| Answer::json(&json!({})));
    let here = inside.address().to_string();
    for address in [
        here.as_str(),
        "169.254.169.254:80",
        "10.0.0.1:443",
        "192.168.1.1:443",
        "[fd00:ec2::254]:80",
        "[::1]:443",
    ] {
        let args =
            ["serve", "--workspace", "workspace", "--web-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"];
        let mut host = Host::with(TXCO, &args)
            .flags(&["--trace-mode", "full", "--egress-connect-to", &format!("api.vendor.com={address}")])
            .rule("OPS/web/100/call.txcl", SEND)
            .recording(&inside)
            .start();
        host.store("VENDOR_KEY");
        let reply = host.event("/", &json!({}));
        assert_eq!(reply.status, 502, "{address}: {}", reply.text());
        assert_eq!(fault(&host), "upstream_blocked", "{address}");
        host.finish();
    }
    assert!(inside.received().is_empty());
}
