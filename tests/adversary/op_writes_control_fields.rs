//! A rule cannot use an op's output path to write where only the chassis may.

use serde_json::json;

use crate::attack::{SIGN, chassis, fault, vendor};

#[test]
fn the_output_of_an_op_is_kept_out_of_the_control_plane() {
    for place in ["_txc.tenant", "_txc.rid", "_txc.web.req.method", "_txc.upstream.call.status", "_txc"] {
        let vendor = vendor();
        let rule = SIGN.replace("output_path = \"digest\"", &format!("output_path = \"{place}\""));
        let mut host = chassis(&vendor, &rule).start();
        host.store("SIGNING_KEY");
        let reply = host.event("/", &json!("text"));
        assert_eq!(reply.status, 500, "{place}: {}", reply.text());
        assert_eq!(fault(&host), "op_output_invalid", "{place}");
        host.finish();
    }
}
