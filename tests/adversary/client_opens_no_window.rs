//! A client of HTTP/2 that reads its connection, and opens no window for its answer, loses that answer and no other.

use std::time::{Duration, Instant};

use support::{Host, Http2};

use crate::TXCO;

/// Larger than the window a stream begins with (65,535).
const ANSWER: usize = 300_000;
/// The write timeout that the chassis is given.
const WITHIN: Duration = Duration::from_secs(1);

fn host() -> Host {
    let rule = format!("EMIT .a = \"{}\"\n", "x".repeat(ANSWER));
    Host::serve(TXCO).flags(&["--web-write-timeout", "1s"]).rule("OPS/web/100/a.txcl", &rule).start()
}

#[test]
fn its_answer_is_reset_within_the_time_that_was_set() {
    let host = host();
    // Nothing can be sent; a byte can, which the library takes the whole answer for; some of it can.
    for (window, comes) in [(0, 0), (1, 1), (65_535, 65_535)] {
        let mut client = Http2::connect(host.web_address(), window).unwrap();
        client.get(1, "/").unwrap();
        assert_eq!(client.end(1, |_, _| {}), (comes, true), "a window of {window}");
        // The connection is as good as before.
        client.get(3, "/").unwrap();
        client.open(3, 1 << 20).unwrap();
        let (got, reset) = client.end(3, |_, _| {});
        assert!(got > ANSWER && !reset, "{got} {reset}");
    }
    host.finish();
}

#[test]
fn who_opens_it_slowly_gets_everything() {
    let host = host();
    let mut client = Http2::connect(host.web_address(), 60_000).unwrap();
    client.get(1, "/").unwrap();
    let began = Instant::now();
    let mut taken = 0;
    let (got, reset) = client.end(1, |client, length| {
        taken += length;
        if taken >= 60_000 {
            std::thread::sleep(WITHIN * 2 / 5);
            client.open(1, u32::try_from(taken).unwrap()).unwrap();
            taken = 0;
        }
    });
    assert!(got > ANSWER && !reset, "{got} {reset}");
    assert!(began.elapsed() > WITHIN, "all of it took less than one wait");
    // An end waits for who holds a connection.
    drop(client);
    host.finish();
}
