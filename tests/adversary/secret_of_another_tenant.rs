//! A rule names secrets of its own tenant only, however the name is written.

use serde_json::json;

use crate::attack::{chassis, fault, vendor};

#[test]
fn a_name_that_only_another_tenant_has_is_not_found() {
    let vendor = vendor();
    let mut host = chassis(&vendor, crate::attack::SEND).start();
    let url = format!("http://{}", host.admin_address());
    host.txco(&["auth", "tenant", "create", "acme", "--url", &url]).succeeds();
    let canary = host.canary("of acme");
    let call = host.secrets_call(&["set", "VENDOR_KEY", "--tenant", "acme"]).stdin(canary.text());
    host.run(&call).succeeds();
    let reply = host.event("/", &json!({}));
    assert_eq!(reply.status, 500, "{}", reply.text());
    assert_eq!(fault(&host), "secret_not_found");
    assert!(vendor.received().is_empty());
    host.finish();
}

#[test]
fn a_name_with_a_tenant_in_it_is_no_name() {
    for name in ["acme/VENDOR_KEY", "tnt_x|VENDOR_KEY", "../VENDOR_KEY", "VENDOR_KEY\\u0000"] {
        let rule = crate::attack::SEND.replace("\"VENDOR_KEY\"", &format!("\"{name}\""));
        let mut host = support::Host::serve(crate::TXCO).rule("OPS/web/100/a.txcl", &rule).at_rest();
        let args =
            ["serve", "--workspace", "workspace", "--web-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"];
        assert!(host.txco(&args).fails(1).contains("a.txcl:2:"), "{name}");
        host.finish();
    }
}
