//! Requests that are sent again, replies that come compressed, and credentials that arrive.

use std::io::Write as _;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use flate2::Compression;
use flate2::write::GzEncoder;
use model::CREDENTIAL_TEXT;

use super::*;

/// Answers with each status in turn, then with 200 for ever.
async fn flaky(statuses: &'static [&'static str]) -> Upstream {
    let count = AtomicUsize::new(0);
    Upstream::http(move |_| match statuses.get(count.fetch_add(1, Ordering::SeqCst)) {
        Some(status) => reply(status, "", b"later"),
        None => ok(b"{\"done\":true}"),
    })
    .await
}

fn keyed(url: &str) -> Draft {
    post(url, "{\"n\":1}").headers(vec![("idempotency-key".to_owned(), "k-1".into())]).unwrap()
}

/// H13 of the weaknesses.
#[tokio::test]
async fn a_request_is_sent_again_with_the_same_key_and_body() {
    let upstream = flaky(&["503 Later", "429 Slow"]).await;
    let got = send(&client(open()), keyed(&upstream.url("/")).retries(3).unwrap()).await.unwrap();
    assert_eq!((got.status, got.attempts, got.body.as_slice()), (200, 3, &b"{\"done\":true}"[..]));
    let arrived = upstream.arrived();
    assert_eq!(arrived.len(), 3);
    for one in &arrived {
        assert_eq!((one.header("idempotency-key"), one.body.as_slice()), (vec!["k-1"], &b"{\"n\":1}"[..]));
    }
}

#[tokio::test]
async fn it_ends_with_the_last_answer_and_in_time() {
    let upstream = flaky(&["503 a", "503 b", "503 c"]).await;
    let got = send(&client(open()), keyed(&upstream.url("/")).retries(1).unwrap()).await.unwrap();
    assert_eq!((got.status, got.attempts, upstream.arrived().len()), (503, 2, 2));

    let patient = Upstream::http(|_| reply("503 Later", "Retry-After: 60\r\n", b"")).await;
    let began = std::time::Instant::now();
    let got = send(&client(open()), keyed(&patient.url("/")).retries(5).unwrap()).await.unwrap();
    assert_eq!((got.status, got.attempts), (503, 1), "there is no time to wait a minute");
    assert!(began.elapsed() < Duration::from_secs(3));

    // More than a clock can count to.
    let endless = Upstream::http(|_| reply("503 Later", "Retry-After: 18446744073709551615\r\n", b"")).await;
    let got = send(&client(open()), keyed(&endless.url("/")).retries(5).unwrap()).await.unwrap();
    assert_eq!((got.status, got.attempts), (503, 1));

    let refused = flaky(&["500 Bug"]).await;
    let got = send(&client(open()), keyed(&refused.url("/")).retries(5).unwrap()).await.unwrap();
    assert_eq!((got.status, got.attempts), (500, 1), "a bug is not gone a moment later");
}

#[tokio::test]
async fn an_upstream_that_breaks_off_is_asked_again() {
    let count = AtomicUsize::new(0);
    let upstream = Upstream::http(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Some(Vec::new()),
        _ => ok(b"{}"),
    })
    .await;
    let draft = Draft::new(&upstream.url("/"), "GET").unwrap();
    assert_eq!(send(&client(open()), draft.clone().retries(1).unwrap()).await.unwrap().attempts, 2);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = Draft::new(&format!("http://{free}/"), "GET").unwrap().retries(2).unwrap();
    assert_eq!(fault(send(&client(open()), nobody).await), Fault::UpstreamUnreachable);
}

#[test]
fn what_could_be_done_twice_is_not_sent_twice() {
    for method in ["POST", "PATCH", "PURGE"] {
        let draft = Draft::new("https://h/", method).unwrap().retries(1);
        assert_eq!(fault(draft), Fault::UpstreamRequestInvalid, "{method}");
    }
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"] {
        assert!(Draft::new("https://h/", method).unwrap().retries(5).is_ok(), "{method}");
    }
}

#[tokio::test]
async fn a_secret_is_in_every_attempt_and_in_no_reply() {
    let upstream = Upstream::http(|arrived| {
        let key = arrived.header("x-api-key")[0].to_owned();
        reply("503 Later", "", format!("you sent {key}").as_bytes())
    })
    .await;
    let refs = [wants("headers.x-api-key", "KEY", None)];
    let draft = Draft::new(&upstream.url("/"), "GET").unwrap().secrets(&refs).unwrap().retries(2).unwrap();
    let got = send_with(&client(open()), KEY.as_bytes(), draft, &refs).await.unwrap();
    assert_eq!(got.body, b"you sent [masked]");
    assert!(upstream.arrived().iter().all(|one| one.header("x-api-key") == [KEY]));
    assert_eq!(upstream.arrived().len(), 3);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// C7 of the weaknesses, for what is hidden by compression.
#[tokio::test]
async fn an_echo_in_a_compressed_reply_is_masked() {
    let upstream = Upstream::http(|arrived| {
        let body = format!("{{\"echo\":\"{}\"}}", arrived.header("x-api-key")[0]);
        reply(
            "200 OK",
            "Content-Type: application/json\r\nContent-Encoding: gzip\r\n",
            &gzip(body.as_bytes()),
        )
    })
    .await;
    let refs = [wants("headers.x-api-key", "KEY", None)];
    let draft = Draft::new(&upstream.url("/"), "GET").unwrap().secrets(&refs).unwrap();
    let got = send_with(&client(open()), KEY.as_bytes(), draft, &refs).await.unwrap();
    assert_eq!((got.body.as_slice(), got.masked), (&b"{\"echo\":\"[masked]\"}"[..], 1));
    let names: Vec<_> = got.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert!(!names.contains(&"content-encoding") && !names.contains(&"content-length"), "{names:?}");
}

/// The library undoes chunks, and leaves what else the transfer was coded with.
#[tokio::test]
async fn what_the_transfer_hides_is_refused() {
    for coding in ["gzip, chunked", "chunked\r\nTransfer-Encoding: chunked", "gzip"] {
        let upstream = Upstream::http(move |arrived| {
            let body = gzip(arrived.header("x-api-key")[0].as_bytes());
            let chunk = [format!("{:x}\r\n", body.len()).as_bytes(), &body, b"\r\n0\r\n\r\n"].concat();
            let head = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: {coding}\r\nConnection: close\r\n\r\n");
            Some([head.as_bytes(), &chunk].concat())
        })
        .await;
        let refs = [wants("headers.x-api-key", "KEY", None)];
        let draft = Draft::new(&upstream.url("/"), "GET").unwrap().secrets(&refs).unwrap();
        let got = send_with(&client(open()), KEY.as_bytes(), draft, &refs).await;
        assert_eq!(fault(got), Fault::UpstreamEncoding, "{coding}");
    }
}

#[tokio::test]
async fn a_bomb_is_cut_at_the_size_of_a_reply() {
    let bomb: &'static [u8] = gzip(&vec![b' '; 50 << 20]).leak();
    let upstream = Upstream::http(move |_| reply("200 OK", "Content-Encoding: gzip\r\n", bomb)).await;
    let client = client(Settings { max_reply_bytes: 1 << 20, ..open() });
    assert_eq!(fault(send(&client, post(&upstream.url("/"), "{}")).await), Fault::UpstreamTooLarge);
}

const TOKEN: &str = "tok_5kSbXq0cV1pWm2nR";

async fn token(status: &'static str, headers: &'static str, body: &'static str) -> (Upstream, Draft) {
    let upstream = Upstream::http(move |_| reply(status, headers, body.as_bytes())).await;
    let draft = post(&upstream.url("/"), "{}")
        .arriving(vec![Path::parse("access_token").unwrap()], Default::default());
    (upstream, draft)
}

#[tokio::test]
async fn a_credential_that_arrives_is_held_and_masked_everywhere_else() {
    let body = r#"{"access_token":"tok_5kSbXq0cV1pWm2nR","hint":"use tok_5kSbXq0cV1pWm2nR","expires_in":60}"#;
    let (_upstream, draft) = token("200 OK", "X-Token: tok_5kSbXq0cV1pWm2nR\r\n", body).await;
    let credentials = Arc::new(Credentials::new());
    let bag = SecretBag::<Splice>::empty(draft.destination().clone());
    let got = client(open()).send(draft, bag, &credentials).await.unwrap();
    let text = format!("{got:?} {}", String::from_utf8_lossy(&got.body));
    assert!(!text.contains(TOKEN), "{text}");
    assert_eq!(
        String::from_utf8_lossy(&got.body),
        format!(r#"{{"access_token":"{CREDENTIAL_TEXT}","hint":"use [masked]","expires_in":60}}"#)
    );
    let (path, sealed) = &got.arrived[0];
    assert_eq!(path.to_string(), "access_token");
    let id = sealed.credentials().next().unwrap();
    assert_eq!(credentials.with(id, <[u8]>::to_vec).unwrap(), TOKEN.as_bytes());

    // It goes out again in a header, over TLS or to loopback only.
    let next = Upstream::http(|_| ok(b"{}")).await;
    let header = vec![("authorization".to_owned(), Value::Sealed(sealed.clone()))];
    let draft = Draft::new(&next.url("/"), "GET").unwrap().headers(header.clone()).unwrap();
    let bag = SecretBag::<Splice>::empty(draft.destination().clone());
    client(open()).send(draft, bag, &credentials).await.unwrap();
    assert_eq!(next.only().header("authorization"), [TOKEN]);
    let clear = Draft::new("http://example.com/", "GET").unwrap().headers(header).unwrap();
    let bag = SecretBag::<Splice>::empty(clear.destination().clone());
    let sent = client(open()).send(clear, bag, &credentials).await;
    assert_eq!(fault(sent), Fault::SecretOverCleartext);
}

#[tokio::test]
async fn a_reply_without_its_credential_is_an_error_and_leaves_nothing() {
    for body in
        ["{}", "access_token=tok_5kSbXq0cV1pWm2nR", "{\"access_token\":{\"a\":1}}", "{\"access_token\":\"\"}"]
    {
        let (_upstream, draft) = token("200 OK", "", body).await;
        let error = send(&client(open()), draft).await.unwrap_err();
        assert_eq!(error.failure().fault, Fault::UpstreamCredentialAbsent, "{body}");
        assert!(!error.to_string().contains(TOKEN), "{error}");
    }
    let (_upstream, draft) = token("401 No", "", "{\"error\":\"invalid_client\"}").await;
    let got = send(&client(open()), draft).await.unwrap();
    assert_eq!((got.status, got.body.as_slice()), (401, &b"{\"error\":\"invalid_client\"}"[..]));
}

/// A secret that may only go to one host must not come back as a credential that may go anywhere.
#[tokio::test]
async fn an_echoed_secret_does_not_become_a_credential() {
    let upstream = Upstream::http(|arrived| {
        ok(format!("{{\"access_token\":\"{}\"}}", arrived.header("x-api-key")[0]).as_bytes())
    })
    .await;
    let safe = Safe::with(&[("KEY", KEY.as_bytes())]);
    let refs = [wants("headers.x-api-key", "KEY", None)];
    let draft = Draft::new(&upstream.url("/"), "GET").unwrap().secrets(&refs).unwrap();
    let draft = draft.arriving(vec![Path::parse("access_token").unwrap()], Default::default());
    let credentials = Arc::new(Credentials::new());
    let bag = safe.bag(&draft.destination().to_string(), &refs);
    let got = client(open()).send(draft, bag, &credentials).await.unwrap();
    let id = got.arrived[0].1.credentials().next().unwrap();
    assert_eq!(credentials.with(id, <[u8]>::to_vec).unwrap(), b"[masked]");
}

/// Rebinding: what a name answered before says nothing about what is dialled now.
#[tokio::test]
async fn every_answer_of_a_name_server_is_judged() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    fn rebinding(
        name: String,
    ) -> std::pin::Pin<Box<dyn Future<Output = std::io::Result<Vec<IpAddr>>> + Send>> {
        let first = ASKED.fetch_add(1, Ordering::SeqCst) == 0;
        // The first answer is allowed by name; nobody listens there.
        Box::pin(async move {
            assert_eq!(name, "rebind.example");
            drop(name);
            Ok(vec![if first { [127, 0, 0, 2].into() } else { [127, 0, 0, 1].into() }])
        })
    }
    let inside = Upstream::http(|_| ok(b"{}")).await;
    let settings = Settings { allow: vec!["127.0.0.2/32".parse().unwrap()], ..Settings::default() };
    let client = Client::asking(settings, rebinding).unwrap();
    let draft = || {
        Draft::new(&format!("http://rebind.example:{}/", inside.address.port()), "GET")
            .unwrap()
            .timeout(Duration::from_secs(3))
    };
    assert_eq!(fault(send(&client, draft()).await), Fault::UpstreamUnreachable);
    assert_eq!(fault(send(&client, draft()).await), Fault::UpstreamBlocked);
    ASKED.store(0, Ordering::SeqCst);
    // Also between the attempts of one request.
    assert_eq!(fault(send(&client, draft().retries(2).unwrap()).await), Fault::UpstreamBlocked);
    assert!(inside.arrived().is_empty());
}

#[tokio::test]
async fn ports_of_other_protocols_are_not_dialled() {
    for port in [22, 25, 6379] {
        let draft = post(&format!("http://example.com:{port}/"), "{}");
        let error = send(&client(Settings::default()), draft).await.unwrap_err();
        assert_eq!(error.failure().fault, Fault::UpstreamBlocked, "{port}");
    }
}

#[tokio::test]
async fn query_parameters_are_escaped() {
    let upstream = Upstream::http(|_| ok(b"{}")).await;
    let pairs = [("q", "a b&c=d"), ("ü", "#"), ("q", "2")].map(|(n, v)| (n.to_owned(), v.to_owned()));
    let draft = Draft::new(&upstream.url("/x?a=1"), "GET").unwrap().query(&pairs);
    send(&client(open()), draft).await.unwrap();
    let head = upstream.only().head;
    assert!(head.starts_with("GET /x?a=1&q=a+b%26c%3Dd&%C3%BC=%23&q=2 HTTP/1.1\r\n"), "{head}");
}
