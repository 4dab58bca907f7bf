//! What a rule says about its request is what travels; what comes back is bounded, and known to later rules.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use support::{Answer, Canary, Host, Received, Reply, Request, Upstream};

use crate::TXCO;

const CALL: &str = "EXEC \"https://api.vendor.com/v1/things?fixed=1\"\n";

fn vendor(answer: impl Fn(&Received) -> Answer + Send + Sync + 'static) -> Upstream {
    Upstream::https("vendor", &["api.vendor.com"], answer)
}

/// One request through `CALL` and what follows it.
fn once(rule: &str, request: &Request, answer: fn(&Received) -> Answer) -> (Reply, Vec<Received>) {
    let vendor = vendor(answer);
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/100/call.txcl", &format!("{CALL}{rule}\n"))
        .upstream(&vendor, "api.vendor.com:443")
        .start();
    let reply = host.web(request);
    host.finish();
    (reply, vendor.received())
}

fn fine(_: &Received) -> Answer {
    Answer::json(&json!({ "id": 7 }))
}

/// H6 of the weaknesses: headers and query parameters that are no secrets.
#[test]
fn headers_and_query_parameters_are_the_rules() {
    let rule = "WITH method = \"GET\", headers.accept = \"text/plain\", headers.x-version = 7,\n\
                query.q = @web.req.url.query.q, query.page = 2";
    let (reply, received) = once(rule, &Request::new("GET", "/?q=a%20b&q=c%26d"), fine);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(received[0].target, "/v1/things?fixed=1&q=a+b&q=c%26d&page=2");
    assert_eq!(
        (received[0].header("accept"), received[0].header("x-version")),
        (Some("text/plain"), Some("7"))
    );
    let (reply, received) = once("WITH query.q = .nothing", &Request::new("GET", "/"), fine);
    assert_eq!((reply.status, received.len()), (500, 0), "nothing is sent half-built");
}

/// H7 of the weaknesses: neither the headers nor the cookies of a client are an upstream's business.
#[test]
fn what_a_client_sent_beside_its_body_stays_here() {
    let marks = ["mark-in-a-cookie", "mark-in-authorization", "mark-in-a-header", "mark-in-the-query"];
    let request = Request::new("POST", &format!("/?q={}", marks[3]))
        .header("Cookie", &format!("session={}", marks[0]))
        .header("Authorization", &format!("Bearer {}", marks[1]))
        .header("X-Custom", marks[2])
        .json(&json!({ "amount": 5 }));
    for rule in ["", "SET .note = \"n\"", "WITH body_encoding = \"urlencoded\"", "WITH method = \"GET\""] {
        let (reply, received) = once(rule, &request, fine);
        assert_eq!(reply.status, 200, "{rule}: {}", reply.text());
        let sent = format!("{:?} {}", received[0], received[0].text());
        for mark in marks {
            assert!(!sent.contains(mark), "{rule}: {sent}");
        }
        assert!(!sent.contains("_txc"), "{rule}: {sent}");
    }
}

/// H8 of the weaknesses: later rules decide by status and headers.
#[test]
fn a_reply_goes_where_the_rule_says() {
    let answer = |_: &Received| {
        Answer::new(201, &[("Content-Type", "application/json"), ("X-Left", "9")], "{\"id\":7}")
    };
    let rule = "WITH into = \"vendor.order\"\n\
                WHEN @upstream.\"call.1\".status == 201 && @upstream.\"call.1\".headers.x-left == \"9\"\n\
                EXEC \"txco://noop\" EMIT .created = true";
    let (reply, _) = once(rule, &Request::new("GET", "/"), answer);
    assert_eq!(reply.json(), json!({ "vendor": { "order": { "id": 7 } }, "created": true }));
    let (reply, received) = once("WITH into = \"_txc.tenant\"", &Request::new("GET", "/"), answer);
    assert_eq!((reply.status, received.len()), (500, 0), "{}", reply.text());
}

/// H13 of the weaknesses.
#[test]
fn a_request_is_sent_again_under_one_key() {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let answer = |_: &Received| match COUNT.fetch_add(1, Ordering::SeqCst) {
        0 => Answer::new(503, &[], "later"),
        1 => Answer::Close,
        _ => Answer::json(&json!({ "id": 7 })),
    };
    let rule = "WITH retries = 3, idempotency_key = &uuid()\nEMIT .id_twice = .id";
    let (reply, received) = once(rule, &Request::new("POST", "/").json(&json!({ "n": 1 })), answer);
    assert_eq!((reply.status, &reply.json()["id_twice"]), (200, &json!(7)), "{}", reply.text());
    assert_eq!(received.len(), 3);
    let keys: Vec<_> = received.iter().map(|one| one.header("idempotency-key").unwrap()).collect();
    assert!(keys[0].len() == 36 && keys.iter().all(|key| key == &keys[0]), "{keys:?}");
    assert!(received.iter().all(|one| one.json() == received[0].json()));
}

#[test]
fn retries_end_with_the_time_of_the_rule() {
    let began = Instant::now();
    let rule = "WITH method = \"GET\", retries = 5, timeout = 600";
    let (reply, received) = once(rule, &Request::new("GET", "/"), |_| Answer::new(503, &[], ""));
    assert_eq!(reply.status, 502, "{}", reply.text());
    assert!(
        (2..6).contains(&received.len()) && began.elapsed() < Duration::from_secs(10),
        "{}",
        received.len()
    );
}

#[test]
fn what_must_not_be_sent_twice_is_refused_when_it_is_loaded() {
    let host = Host::at_rest(TXCO);
    host.write("ws/OPS/web/100/a.txcl", format!("{CALL}WITH retries = 2\n"));
    let mut host = host;
    let output = host.txco(&["lint", "ws"]);
    assert_eq!(output.code, Some(1), "{}", output.stdout);
    let said = format!("{}{}", output.stdout, output.stderr);
    assert!(said.contains("may not be sent twice") && said.contains("idempotency_key"), "{said}");
    host.finish();
}

/// A token that arrives is a secret from then on: it reaches the next upstream and nobody else.
#[test]
fn a_credential_that_arrives_is_sealed_before_it_enters_the_envelope() {
    let token = Canary::new("token");
    let text = token.text().to_owned();
    let login = Upstream::https("login", &["login.vendor.com"], move |_| {
        Answer::json(&json!({ "access_token": text, "hint": format!("it is {text}"), "expires_in": 60 }))
    });
    let vendor = vendor(fine);
    let rule = "EXEC \"https://login.vendor.com/token\"\n\
                WITH secrets.body.client_secret.secret = \"CLIENT\", credential = \"access_token\",\n\
                credential_hosts = \"api.vendor.com\"\n\
                EXEC \"https://api.vendor.com/v1/things\"\n\
                SET @web.req.headers.authorization = &concat(\"Bearer \", .access_token)\n\
                EMIT .copy = .access_token\n";
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/100/call.txcl", rule)
        .upstream(&login, "login.vendor.com:443")
        .upstream(&vendor, "api.vendor.com:443")
        .start();
    host.guard(&token);
    let client = host.store("CLIENT");
    let reply = host.event("/", &json!({}));
    assert_eq!(reply.status, 200, "{}", reply.text());
    let seen = reply.json();
    assert_eq!((&seen["access_token"], &seen["copy"]), (&json!("[credential]"), &json!("[credential]")));
    assert_eq!((&seen["hint"], &seen["expires_in"]), (&json!("it is [masked]"), &json!(60)));
    let sent = vendor.only();
    assert_eq!(sent.header("authorization"), Some(format!("Bearer {}", token.text()).as_str()));
    assert_eq!(sent.json()["access_token"], json!(null), "it is in the header and not in the body");
    host.allow(&client, "upstream login body", 1);
    host.allow(&token, "upstream vendor header authorization", 1);
    host.finish();
}

/// It goes where the rule that asked for it says, and no farther than the secret that it was asked for with.
#[test]
fn a_credential_that_arrives_goes_where_it_may() {
    let both = "--allow-host login.vendor.com --allow-host api.vendor.com";
    for (policy, hosts, goes) in [
        ("", "", true),
        ("", ", credential_hosts = \"*.vendor.com\"", true),
        ("", ", credential_hosts = [\"api.vendor.com:8443\", \"vendor.com\"]", false),
        ("--allow-host login.vendor.com", ", credential_hosts = \"api.vendor.com\"", false),
        (both, ", credential_hosts = \"api.vendor.com\"", true),
        ("--allow-host login.vendor.com", "", false),
        (both, "", true),
    ] {
        let login = Upstream::https("login", &["login.vendor.com"], |_| {
            Answer::json(&json!({ "t": "tok-4711-0815" }))
        });
        let vendor = vendor(fine);
        let rule = format!(
            "EXEC \"https://login.vendor.com/token\"\n\
             WITH secrets.headers.x-client.secret = \"CLIENT\", credential = \"t\"{hosts}\n\
             EXEC \"https://login.vendor.com/refresh\"\n\
             SET @web.req.headers.authorization = .t WITH into = \"again\"\n\
             EXEC \"https://api.vendor.com/v1/things\"\n\
             SET @web.req.headers.authorization = .t\n"
        );
        let mut host = Host::serve(TXCO)
            .rule("OPS/web/100/call.txcl", &rule)
            .upstream(&login, "login.vendor.com:443")
            .upstream(&vendor, "api.vendor.com:443")
            .start();
        let client = host.store("CLIENT");
        if !policy.is_empty() {
            let args: Vec<_> = ["policy", "CLIENT"].into_iter().chain(policy.split(' ')).collect();
            host.secrets(&args).succeeds();
        }
        let reply = host.event("/", &json!({}));
        assert_eq!(
            (reply.status, vendor.received().len()),
            if goes { (200, 1) } else { (500, 0) },
            "{policy}{hosts}"
        );
        assert_eq!(login.received().len(), 2, "back to its sender it always goes");
        if !goes {
            host.wait_log("credential_destination_denied");
        }
        host.allow(&client, "upstream login header x-client", 1);
        host.finish();
    }
}

#[test]
fn a_rule_that_looks_into_an_arrived_credential_fails() {
    let login =
        Upstream::https("login", &["api.vendor.com"], |_| Answer::json(&json!({ "t": "tok-4711-0815" })));
    let rule = format!("{CALL}WITH credential = \"t\"\nEXEC \"txco://noop\" EMIT .n = &len(.t)\n");
    let mut host =
        Host::serve(TXCO).rule("OPS/web/100/call.txcl", &rule).upstream(&login, "api.vendor.com:443").start();
    let reply = host.event("/", &json!({}));
    assert_eq!(reply.status, 500, "{}", reply.text());
    assert!(!host.log().contains("tok-4711") && !reply.text().contains("tok-4711"));
    host.finish();
}

#[test]
fn a_token_reply_without_a_token_halts() {
    for body in ["{}", "t=tok-4711-0815"] {
        let vendor = vendor(move |_| Answer::new(200, &[("Content-Type", "application/json")], body));
        let rule = format!("{CALL}WITH credential = \"t\"\n");
        let mut host = Host::serve(TXCO)
            .rule("OPS/web/100/call.txcl", &rule)
            .upstream(&vendor, "api.vendor.com:443")
            .start();
        let reply = host.event("/", &json!({}));
        assert_eq!(reply.status, 502, "{}", reply.text());
        host.wait_log("upstream_credential_absent");
        host.finish();
    }
}

/// H13 of the weaknesses: one tenant does not open connections without end.
#[test]
fn requests_under_way_are_counted() {
    static NOW: Mutex<(usize, usize)> = Mutex::new((0, 0));
    let vendor = vendor(|_| {
        {
            let mut now = NOW.lock().unwrap();
            now.0 += 1;
            now.1 = now.1.max(now.0);
        }
        std::thread::sleep(Duration::from_millis(150));
        NOW.lock().unwrap().0 -= 1;
        Answer::json(&json!({}))
    });
    let host = Host::serve(TXCO)
        .rule("OPS/web/100/call.txcl", CALL)
        .upstream(&vendor, "api.vendor.com:443")
        .flags(&["--egress-calls", "2"])
        .start();
    let to = host.web_address();
    let threads: Vec<_> = (0..8)
        .map(|_| std::thread::spawn(move || support::send(to, &Request::new("GET", "/")).unwrap().status))
        .collect();
    assert!(threads.into_iter().all(|thread| thread.join().unwrap() == 200));
    assert_eq!((NOW.lock().unwrap().1, vendor.received().len()), (2, 8));
    host.finish();
    let hang = Upstream::https("hang", &["api.vendor.com"], |_| Answer::Hang);
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/100/call.txcl", &format!("{CALL}WITH timeout = 500\n"))
        .upstream(&hang, "api.vendor.com:443")
        .flags(&["--egress-calls", "1"])
        .start();
    let to = host.web_address();
    let first = std::thread::spawn(move || support::send(to, &Request::new("GET", "/")).unwrap().status);
    std::thread::sleep(Duration::from_millis(200));
    let second = host.web(&Request::new("GET", "/")).status;
    assert_eq!(first.join().unwrap(), 504);
    assert!(matches!(second, 503 | 504), "{second}");
    host.finish();
}
