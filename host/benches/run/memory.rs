//! What a request holds while its upstream lets it wait.

use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use sandbox::measure::resident;

use crate::Row;
use crate::client::Client;
use crate::house::House;

/// As many as one tenant may have under way (`--egress-calls`).
const PARKED: usize = 250;
const BODY: usize = 16 << 10;

pub(crate) fn rows() -> Vec<Row> {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = upstream.local_addr().unwrap();
    let call = format!(
        "SELECT .body.order AS .order\nWITH method = \"POST\", timeout = \"60s\"\nEXEC \"http://{address}/\""
    );
    let house = House::new(vec![("bench/100/call.txcl".to_owned(), call)], "bench");
    let body = format!(r#"{{"order":"{}"}}"#, "x".repeat(BODY));
    let before = resident().unwrap();
    let mut clients: Vec<_> = (0..PARKED).map(|_| Client::new(house.web())).collect();
    clients.iter_mut().for_each(|client| client.send("POST", "/", body.as_bytes()));
    // Connections that nobody answers.
    let held: Vec<_> = (0..PARKED).map(|_| upstream.accept().unwrap()).collect();
    settle();
    let each = resident().unwrap().saturating_sub(before) / PARKED as u64;
    drop(held);
    clients.iter_mut().for_each(|client| assert_eq!(client.receive().0, 502));
    vec![Row {
        what: format!("resident per request of {} KiB that waits for an upstream, of {PARKED}", BODY >> 10),
        measured: format!("{} KiB, its connections and those to the upstream included", each >> 10),
        goal: None,
    }]
}

/// Waits until the process's memory stands still.
fn settle() {
    let (until, mut last) = (Instant::now() + Duration::from_secs(5), 0);
    while Instant::now() < until {
        let now = resident().unwrap();
        if now == last {
            return;
        }
        last = now;
        thread::sleep(Duration::from_millis(200));
    }
}
