//! Requests through three scopes, beside a bare axum handler.

use std::net::SocketAddr;
use std::time::Duration;

use sandbox::measure::median;

use crate::Row;
use crate::client::{Client, load};
use crate::house::House;
use crate::native::Native;

const CLIENTS: usize = 8;
const REQUESTS: usize = 150;
const ROUNDS: usize = 15;

const ANSWER: (&str, &str) =
    ("bench/300/answer.txcl", "EMIT @web.res.status = 200, @web.res.body = b64\"ok\\n\"");

pub(crate) fn rows() -> Vec<Row> {
    let native = Native::new();
    let plain = [("bench/100/a.txcl", "EMIT .a = 1"), ("bench/200/b.txcl", "EMIT .b = .a"), ANSWER];
    let sign = |secret: &str| {
        format!(
            "WITH secrets.key.secret = \"{secret}\", output_path = \"_txc.computed.mac\"\nEXEC \"txco://hmac-sign\""
        )
    };
    let (shown, handle) = (sign("KEY"), sign("HANDLE"));
    let signing = |sign| {
        [
            ("bench/100/a.txcl", "EMIT .a = 1"),
            ("bench/200/sign.txcl", sign),
            (
                "bench/300/answer.txcl",
                "EMIT @web.res.status = 200, @web.res.body = &b64encode(@computed.mac)",
            ),
        ]
    };
    let upstream = native.upstream();
    let call = format!("SELECT .body.order AS .order\nWITH method = \"POST\"\nEXEC \"http://{upstream}/\"");
    let calling = [("bench/100/a.txcl", "EMIT .a = 1"), ("bench/200/call.txcl", &*call), ANSWER];
    let goal = Some((">= 0.4", 0.4));
    [
        beside("three scopes, no op", &plain, native.plain(), Some((">= 0.5", 0.5))),
        beside("three scopes, one hmac-sign, by handle", &signing(&handle), native.signing(), goal),
        beside("three scopes, one hmac-sign that is shown its key", &signing(&shown), native.signing(), goal),
        beside("three scopes, one request to loopback", &calling, native.calling(upstream), None),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn beside(
    what: &str,
    rules: &[(&str, &str)],
    native: SocketAddr,
    goal: Option<(&'static str, f64)>,
) -> Vec<Row> {
    let rules = rules.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    let house = House::new(rules, "bench");
    let body = format!(r#"{{"order":{{"id":7,"note":"{}"}}}}"#, "x".repeat(900));
    let answer = |server| Client::new(server).ask("POST", "/", body.as_bytes());
    let ((status, expected), by_hand) = (answer(house.web()), answer(native));
    assert_eq!((status, &expected), (200, &by_hand.1), "{what}: {}", String::from_utf8_lossy(&expected));
    let round = |_| {
        let one = |server| load(server, CLIENTS, REQUESTS, body.as_bytes(), &expected);
        let (native, ours) = (one(native), one(house.web()));
        (ours.rate / native.rate, ours)
    };
    // The first warms up.
    let rounds: Vec<_> = (0..=ROUNDS).map(round).skip(1).collect();
    let ratio = median(rounds.iter().map(|(ratio, _)| *ratio).collect());
    let rate = median(rounds.iter().map(|(_, seen)| seen.rate).collect());
    let spread =
        |seen: &crate::client::Seen| seen.percentile(99).as_secs_f64() / seen.percentile(50).as_secs_f64();
    let tail = median(rounds.iter().map(|(_, seen)| spread(seen)).collect());
    let middle = median(rounds.iter().map(|(_, seen)| seen.percentile(50).as_secs_f64()).collect());
    vec![
        Row {
            what: format!("{what}: {rate:.0} requests/s of {CLIENTS} clients, beside a bare handler"),
            measured: format!("{ratio:.2} of its throughput"),
            goal: goal.map(|(text, least)| (text, ratio >= least)),
        },
        Row {
            what: format!("{what}: p99 beside the median of {:.0?}", Duration::from_secs_f64(middle)),
            measured: format!("{tail:.1} times"),
            goal: Some(("< 5", tail < 5.0)),
        },
    ]
}
