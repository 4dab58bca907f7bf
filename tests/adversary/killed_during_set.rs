//! `kill -9` in the middle of storing leaves the old state or the new one, and no cleartext in any file.

use std::thread;
use std::time::Duration;

use serde_json::json;
use support::{Request, send};

use crate::attack::{SIGN, chassis, vendor};

#[test]
fn at_many_moments() {
    let vendor = vendor();
    let mut host = chassis(&vendor, SIGN).start();
    host.store("SIGNING_KEY");
    for round in 0..8 {
        let canary = host.canary(&format!("round {round}"));
        let address = host.admin_address();
        let request = Request::new("POST", "/v1/tenants/default/secrets/SIGNING_KEY/rotate")
            .json(&json!({ "value": canary.text() }));
        let storing = thread::spawn(move || send(address, &request).map(|reply| reply.status));
        thread::sleep(Duration::from_micros(300 * round));
        host.kill();
        let acknowledged = matches!(storing.join().unwrap(), Ok(200));
        let before = host.files("chassis/data/db").len();
        assert!(before > 0);
        host.start();
        assert_eq!(host.event("/", &json!("text")).status, 200, "round {round}, acknowledged {acknowledged}");
    }
    host.finish();
}
