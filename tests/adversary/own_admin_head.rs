//! A rule cannot make the chassis talk to its own admin head, where this machine is trusted.

use std::net::TcpListener;

use serde_json::json;
use support::Host;

use crate::TXCO;
use crate::attack::fault;

#[test]
fn even_where_everything_may_be_called() {
    for name in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433"] {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let url = format!("http://{name}:{}/v1/tenants/default/secrets/generate", free.port());
        let rule = format!("EXEC \"{url}\"\nWITH secrets.body.x.secret = \"KEY\"\n");
        let address = free.to_string();
        let args =
            ["serve", "--workspace", "workspace", "--web-addr", "127.0.0.1:0", "--admin-addr", &address];
        let mut host = Host::with(TXCO, &args)
            .flags(&["--egress-policy", "open", "--trace-mode", "full"])
            .rule("OPS/web/100/call.txcl", &rule)
            .start();
        host.store("KEY");
        let reply = host.event("/", &json!({ "name": "FORGED" }));
        assert_eq!(reply.status, 502, "{name}: {}", reply.text());
        assert_eq!(fault(&host), "upstream_blocked", "{name}");
        let list = host.secrets(&["list"]).succeeds();
        assert!(!list.contains("FORGED"), "{list}");
        host.finish();
    }
}
