//! Real requests to real servers on loopback, with bags from a real vault.

mod again;
mod upstream;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::{
    Destination, Digest, Fault, FormatTemplate, OpName, OpRef, Path, Sealed, SecretName, SecretRef, Slot,
    TenantSlug, Value,
};
use store::{By, Options, SecretAddress, Store};
use vault::{Caller, Credentials, MasterKey, SecretBag, SecretValue, Splice, Terms, Vault};

use crate::tests::upstream::{Upstream, reply};
use crate::{AddressPolicy, Client, Draft, DraftBody, Error, Reply, Settings};

const KEY: &str = "sk_live_4eC39HqLyjWDarjtT1zdp7dc";

/// A vault with secrets of the default tenant, in a folder that ends with it.
struct Safe {
    vault: Vault,
    tenant: model::TenantId,
    _folder: tempfile::TempDir,
}

impl Safe {
    fn with(secrets: &[(&str, &[u8])]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(folder.path(), "dev", Options::default()).unwrap();
        let tenant = store.tenant_by_slug(&TenantSlug::default_tenant()).unwrap().unwrap().id;
        let mut key: Vec<u8> = (1..=32).map(|n: u8| n.wrapping_mul(37)).collect();
        let (vault, _) = Vault::open(Arc::new(store), MasterKey::from_bytes(&mut key).unwrap()).unwrap();
        for (name, value) in secrets {
            let name = SecretName::parse(name).unwrap();
            let address = SecretAddress { tenant: &tenant, stack: None, name: &name };
            vault.create(&address, &Terms::of(By::Open), SecretValue::new(value.to_vec()).unwrap()).unwrap();
        }
        Self { vault, tenant, _folder: folder }
    }

    fn bag(&self, to: &str, refs: &[SecretRef]) -> SecretBag<Splice> {
        let caller = Caller { tenant: &self.tenant, stack: None };
        self.vault.pack_splice(&caller, &Destination::of(to).unwrap(), refs).unwrap()
    }

    /// A credential of a request, made by an op of a secret.
    fn credential(&self, credentials: &Credentials, bytes: &[u8]) -> Sealed {
        let caller = Caller { tenant: &self.tenant, stack: None };
        let op = OpRef { name: OpName::parse("basic-auth-encode").unwrap(), digest: Digest::of(b"op") };
        let bag = self.vault.pack_reveal(&caller, &op, &[wants("password", "KEY", None)]).unwrap();
        Sealed::credential(bag.derive(credentials, bytes).unwrap())
    }
}

fn wants(slot: &str, name: &str, format: Option<&str>) -> SecretRef {
    SecretRef {
        slot: Slot::new(Path::parse(slot).unwrap()).unwrap(),
        name: SecretName::parse(name).unwrap(),
        format: format.map(|f| FormatTemplate::parse(f).unwrap()),
    }
}

fn open() -> Settings {
    Settings { policy: AddressPolicy::Open, ..Settings::default() }
}

fn client(settings: Settings) -> Client {
    Client::new(settings).unwrap()
}

fn post(url: &str, body: &str) -> Draft {
    let body = DraftBody::Json(Value::parse(body.as_bytes()).unwrap());
    Draft::new(url, "POST").unwrap().body(body)
}

/// Sends without secrets.
async fn send(client: &Client, draft: Draft) -> Result<Reply, Error> {
    let bag = SecretBag::<Splice>::empty(draft.destination().clone());
    client.send(draft, bag, &Arc::new(Credentials::new())).await
}

/// Sends with secrets of a vault that has `KEY`.
async fn send_with(client: &Client, value: &[u8], draft: Draft, refs: &[SecretRef]) -> Result<Reply, Error> {
    let safe = Safe::with(&[("KEY", value)]);
    let bag = safe.bag(&draft.destination().to_string(), refs);
    client.send(draft, bag, &Arc::new(Credentials::new())).await
}

fn fault<T>(result: Result<T, Error>) -> Fault {
    result.err().map(|e| e.failure().fault).unwrap()
}

fn ok(body: &[u8]) -> Option<Vec<u8>> {
    reply("200 OK", "Content-Type: application/json\r\n", body)
}

#[tokio::test]
async fn a_plain_request_has_our_headers_and_the_rules() {
    let upstream = Upstream::http(|_| ok(b"{\"a\":1}")).await;
    let headers =
        vec![("X-Version".to_owned(), Value::from(7_i64)), ("User-Agent".to_owned(), "mine".into())];
    let draft = post(&upstream.url("/v1?q=1"), r#"{"b":"ü"}"#).headers(headers).unwrap();
    let got = send(&client(open()), draft).await.unwrap();
    assert_eq!((got.status, got.body.as_slice(), got.masked), (200, &b"{\"a\":1}"[..], 0));
    assert!(got.verdict().is_ok());
    let arrived = upstream.only();
    assert!(arrived.head.starts_with("POST /v1?q=1 HTTP/1.1\r\n"), "{}", arrived.head);
    assert_eq!(arrived.header("accept-encoding"), ["gzip"]);
    assert_eq!(arrived.header("content-type"), ["application/json"]);
    assert_eq!(arrived.header("user-agent"), ["mine"]);
    assert_eq!(arrived.header("x-version"), ["7"]);
    assert_eq!(arrived.header("host"), [upstream.address.to_string()]);
    assert_eq!(arrived.body, r#"{"b":"ü"}"#.as_bytes());
}

#[tokio::test]
async fn a_request_without_a_body_has_no_content_type() {
    let upstream = Upstream::http(|_| ok(b"{}")).await;
    let settings = Settings { agent: "txco/9.9".to_owned(), ..open() };
    send(&client(settings), Draft::new(&upstream.url("/"), "GET").unwrap()).await.unwrap();
    let arrived = upstream.only();
    assert!(arrived.header("content-type").is_empty());
    assert_eq!(arrived.header("user-agent"), ["txco/9.9"]);
    let get = Draft::new("http://127.0.0.1/", "GET").unwrap().body(DraftBody::Json(Value::object()));
    assert_eq!(fault(send(&client(open()), get).await), Fault::UpstreamRequestInvalid);
}

#[tokio::test]
async fn secrets_go_into_headers_and_body_fields() {
    let upstream = Upstream::http(|_| ok(b"{}")).await;
    let refs = [
        wants("headers.authorization", "KEY", Some("Bearer {}")),
        wants("headers.x-api-key", "KEY", None),
        wants("body.auth.client_secret", "KEY", None),
        wants("body.list.0.k", "KEY", Some("<{}>")),
    ];
    let draft = post(&upstream.url("/"), r#"{"auth":{"id":1,"client_secret":"x"}}"#).secrets(&refs).unwrap();
    assert!(!draft.to_string().contains("sk_live"));
    send_with(&client(open()), KEY.as_bytes(), draft, &refs).await.unwrap();
    let arrived = upstream.only();
    assert_eq!(arrived.header("authorization"), [format!("Bearer {KEY}")]);
    assert_eq!(arrived.header("x-api-key"), [KEY]);
    let expected = format!(r#"{{"auth":{{"id":1,"client_secret":"{KEY}"}},"list":[{{"k":"<{KEY}>"}}]}}"#);
    assert_eq!(String::from_utf8(arrived.body).unwrap(), expected);
}

/// Weakness H14: there, the path of a body secret has a syntax that its author may not know of. What a
/// secret is in a body is a string, whatever its bytes say; one that cannot be is refused.
#[tokio::test]
async fn a_body_secret_is_a_string_and_stays_one() {
    let upstream = Upstream::http(|_| ok(b"{}")).await;
    let refs = [wants("body.k", "KEY", None)];
    let url = upstream.url("/");
    for value in [&b"a\",\"admin\":true,\"\n\\ \xc3\xbc"[..], b"true", b"{\"admin\":true}", b"-1"] {
        send_with(&client(open()), value, Draft::new(&url, "POST").unwrap(), &refs).await.unwrap();
        let body = Value::parse(&upstream.arrived().pop().unwrap().body).unwrap();
        assert_eq!(body.as_object().unwrap().len(), 1);
        assert_eq!(body.as_object().unwrap().get("k").unwrap().as_str().unwrap().as_bytes(), value);
    }
    let form = DraftBody::Form(Value::parse(br#"{"b":[1]}"#).unwrap());
    let draft = Draft::new(&url, "PUT").unwrap().body(form);
    send_with(&client(open()), b"a&b=c", draft, &refs).await.unwrap();
    let second = upstream.arrived().pop().unwrap();
    assert_eq!(second.header("content-type"), ["application/x-www-form-urlencoded"]);
    assert_eq!(second.body, b"b[0]=1&k=a%26b%3Dc");
}

#[tokio::test]
async fn bytes_that_cannot_stand_there_are_refused_without_sending() {
    let upstream = Upstream::http(|_| ok(b"{}")).await;
    let to = upstream.url("/");
    for value in [&b"a\r\nX-Admin: 1"[..], b"line\n", b"nul\0"] {
        let sent =
            send_with(&client(open()), value, post(&to, "{}"), &[wants("headers.x-key", "KEY", None)]).await;
        let failure = sent.unwrap_err().failure();
        assert_eq!(failure.fault, Fault::SecretUnusable);
        assert_eq!(failure.secret.unwrap().as_str(), "KEY");
        assert!(failure.detail.contains("x-key") && !failure.detail.contains("Admin"), "{}", failure.detail);
    }
    let sent =
        send_with(&client(open()), b"\xff\xfe", post(&to, "{}"), &[wants("body.k", "KEY", None)]).await;
    assert_eq!(fault(sent), Fault::SecretUnusable);
    let twice = [wants("headers.x-key", "KEY", None), wants("headers.X-Key", "KEY", None)];
    let sent = send_with(&client(open()), b"value", post(&to, "{}"), &twice).await;
    assert_eq!(fault(sent), Fault::UpstreamRequestInvalid);
    let sent = send_with(&client(open()), b"value", post(&to, "[1]"), &[wants("body.k", "KEY", None)]).await;
    assert_eq!(fault(sent), Fault::SecretDeclarationInvalid);
    assert!(upstream.arrived().is_empty());
}

#[tokio::test]
async fn credentials_go_where_the_rule_put_them_and_nowhere_else() {
    let upstream = Upstream::http(|_| ok(b"{}")).await;
    let safe = Safe::with(&[("KEY", KEY.as_bytes())]);
    let credentials = Arc::new(Credentials::new());
    let mut basic = safe.credential(&credentials, STANDARD.encode(format!("me:{KEY}")).as_bytes());
    basic.prepend_text("Basic ".to_owned());
    let sealed = Value::Sealed(basic);
    let body = [("mine".to_owned(), sealed.clone()), ("theirs".to_owned(), sealed.clone())];
    let draft = Draft::new(&upstream.url("/"), "POST")
        .unwrap()
        .headers(vec![("Authorization".to_owned(), sealed)])
        .unwrap()
        .body(DraftBody::Json(body.into_iter().collect()))
        .own(vec![Path::parse("mine").unwrap()]);
    let bag = SecretBag::<Splice>::empty(draft.destination().clone());
    let got = client(open()).send(draft.clone(), bag, &credentials).await.unwrap();
    assert_eq!(got.not_sent, [Path::parse("theirs").unwrap()]);
    let arrived = upstream.only();
    let expected = format!("Basic {}", STANDARD.encode(format!("me:{KEY}")));
    assert_eq!(arrived.header("authorization"), [expected.as_str()]);
    assert_eq!(String::from_utf8(arrived.body).unwrap(), format!(r#"{{"mine":"{expected}"}}"#));
    // Of another request the number means nothing.
    assert_eq!(fault(send(&client(open()), draft).await), Fault::Internal);
}

#[tokio::test]
async fn the_bag_names_the_destination() {
    let upstream = Upstream::http(|_| ok(b"{}")).await;
    let safe = Safe::with(&[("KEY", KEY.as_bytes())]);
    let refs = [wants("headers.x-key", "KEY", None)];
    let bag = safe.bag("https://api.example/", &refs);
    let sent = client(open()).send(post(&upstream.url("/"), "{}"), bag, &Arc::new(Credentials::new())).await;
    assert_eq!(fault(sent), Fault::SecretDenied);
    let draft = post(&upstream.url("/"), "{}").secrets(&refs).unwrap();
    assert_eq!(fault(send(&client(open()), draft).await), Fault::SecretDeclarationInvalid);
    assert!(upstream.arrived().is_empty());
}

#[tokio::test]
async fn secrets_over_http_only_to_loopback_in_dev() {
    let upstream = Upstream::http(|_| ok(b"{}")).await;
    let refs = [wants("headers.x-key", "KEY", None)];
    let private = Settings { allow: vec!["127.0.0.0/8".parse().unwrap()], ..Settings::default() };
    let to = upstream.url("/");
    let sent = send_with(&client(private), KEY.as_bytes(), post(&to, "{}"), &refs).await;
    let failure = sent.unwrap_err().failure();
    assert_eq!((failure.fault, failure.secret.unwrap().as_str()), (Fault::SecretOverCleartext, "KEY"));
    // Judged by the name, not by where the operator lets it connect.
    let settings = Settings { connect_to: vec![("api.example".to_owned(), upstream.address)], ..open() };
    let sent = send_with(&client(settings), KEY.as_bytes(), post("http://api.example/", "{}"), &refs).await;
    assert_eq!(fault(sent), Fault::SecretOverCleartext);
    assert!(upstream.arrived().is_empty());
    let named = format!("http://localhost:{}/", upstream.address.port());
    assert!(send_with(&client(open()), KEY.as_bytes(), post(&named, "{}"), &refs).await.is_ok());
}

#[tokio::test]
async fn an_echo_is_masked_in_every_place() {
    let upstream = Upstream::http(|arrived| {
        let auth = arrived.header("authorization")[0].to_owned();
        let key = auth.strip_prefix("Bearer ").unwrap();
        let hex: String = key.bytes().map(|b| format!("{b:02x}")).collect();
        let percent: String = key.bytes().map(|b| format!("%{b:02X}")).collect();
        let json = serde_json::json!({
            "raw": auth, "hex": hex, "percent": percent,
            "base64": STANDARD.encode(format!("me:{key}")),
            "sent": String::from_utf8_lossy(&arrived.body),
        });
        reply(
            "418 Nope",
            &format!("X-Echo: {auth}\r\nSet-Cookie: a={key}; Path=/\r\n"),
            json.to_string().as_bytes(),
        )
    })
    .await;
    let refs = [wants("headers.authorization", "KEY", Some("Bearer {}")), wants("body.k", "KEY", None)];
    let got =
        send_with(&client(open()), KEY.as_bytes(), post(&upstream.url("/"), "{}"), &refs).await.unwrap();
    assert_eq!(got.masked, 7);
    assert!(!got.echo_unmasked_short);
    let body = String::from_utf8(got.body.clone()).unwrap();
    let expected = r#""raw":"[masked]","hex":"[masked]","percent":"[masked]","#;
    assert!(body.contains(expected), "{body}");
    assert!(body.contains(r#""sent":"{\"k\":\"[masked]\"}""#), "{body}");
    let header = |name| got.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
    assert_eq!(header("x-echo"), Some("[masked]"));
    assert_eq!(header("set-cookie"), Some("a=[masked]; Path=/"));
    let verdict = got.verdict().unwrap_err();
    assert_eq!((verdict.fault, verdict.detail.as_str()), (Fault::UpstreamStatus, "status 418 I'm a teapot"));
}

#[tokio::test]
async fn an_echo_of_a_credential_is_masked() {
    let upstream = Upstream::http(|arrived| {
        let sent = arrived.header("authorization")[0];
        let pair = STANDARD.decode(sent.strip_prefix("Basic ").unwrap()).unwrap();
        let password = pair.splitn(2, |b| *b == b':').last().unwrap();
        // Large enough for the mask to go to another thread.
        ok(&[sent.as_bytes(), b"|", &pair, b"|", password, &[b'.'; 100_000]].concat())
    })
    .await;
    let safe = Safe::with(&[("KEY", KEY.as_bytes())]);
    let credentials = Arc::new(Credentials::new());
    let mut basic = safe.credential(&credentials, STANDARD.encode(format!("me:{KEY}")).as_bytes());
    basic.prepend_text("Basic ".to_owned());
    let headers = vec![("Authorization".to_owned(), Value::Sealed(basic))];
    let draft = post(&upstream.url("/"), "{}").headers(headers).unwrap();
    let bag = SecretBag::<Splice>::empty(draft.destination().clone());
    let got = client(open()).send(draft, bag, &credentials).await.unwrap();
    assert!(got.body.starts_with(b"[masked]|[masked]|[masked]...."));
    assert_eq!(got.masked, 3);
}

#[tokio::test]
async fn a_redirect_is_a_reply_and_not_followed() {
    let upstream = Upstream::http(|arrived| {
        let status = if arrived.head.starts_with("POST /307") { "307 T" } else { "302 Found" };
        reply(status, "Location: https://evil.example/steal?token=1\r\n", b"")
    })
    .await;
    for path in ["/302", "/307"] {
        let refs = [wants("headers.x-api-key", "KEY", None)];
        let got =
            send_with(&client(open()), KEY.as_bytes(), post(&upstream.url(path), "{}"), &refs).await.unwrap();
        let verdict = got.verdict().unwrap_err();
        assert_eq!(verdict.fault, Fault::UpstreamRedirect);
        assert!(verdict.detail.contains("evil.example") && !verdict.detail.contains("token"), "{verdict}");
    }
    assert_eq!(upstream.arrived().len(), 2);
}

#[tokio::test]
async fn html_passes_as_bytes() {
    let upstream = Upstream::http(|_| reply("200 OK", "Content-Type: text/html\r\n", b"<h1>\xff</h1>")).await;
    let got = send(&client(open()), post(&upstream.url("/"), "{}")).await.unwrap();
    assert_eq!(got.body, b"<h1>\xff</h1>");
}

#[tokio::test]
async fn replies_are_bounded() {
    let upstream = Upstream::http(|arrived| match arrived.head.split(' ').nth(1).unwrap() {
        "/at" => ok(&[b'x'; 1000]),
        "/over" => ok(&[b'x'; 1001]),
        // No length: ends with the connection.
        "/stream" => Some([&b"HTTP/1.1 200 OK\r\n\r\n"[..], &[b'x'; 5000]].concat()),
        "/header" => reply("200 OK", &format!("X: {}\r\n", "y".repeat(70_000)), b""),
        "/huge-header" => reply("200 OK", &format!("X: {}\r\n", "y".repeat(900_000)), b""),
        _ => reply("200 OK", &format!("X: {}\r\n", "y".repeat(60_000)), b""),
    })
    .await;
    let client = client(Settings { max_reply_bytes: 1000, ..open() });
    for path in ["/at", "/header-at"] {
        assert!(send(&client, post(&upstream.url(path), "{}")).await.is_ok(), "{path}");
    }
    for path in ["/over", "/stream", "/header", "/huge-header"] {
        let sent = send(&client, post(&upstream.url(path), "{}")).await;
        assert_eq!(fault(sent), Fault::UpstreamTooLarge, "{path}");
    }
}

#[tokio::test]
async fn encoded_replies_are_refused() {
    let upstream = Upstream::http(|arrived| match arrived.head.split(' ').nth(1).unwrap() {
        "/identity" => reply("200 OK", "Content-Encoding: Identity\r\n", b"{}"),
        "/two" => reply("200 OK", "Content-Encoding: identity\r\nContent-Encoding: br\r\n", b"{}"),
        _ => reply("200 OK", "Content-Encoding: gzip\r\n", b"\x1f\x8b"),
    })
    .await;
    assert!(send(&client(open()), post(&upstream.url("/identity"), "{}")).await.is_ok());
    for path in ["/gzip", "/two"] {
        let sent = send(&client(open()), post(&upstream.url(path), "{}")).await;
        assert_eq!(fault(sent), Fault::UpstreamEncoding, "{path}");
    }
}

#[tokio::test]
async fn a_silent_upstream_ends_in_time() {
    let hang = Upstream::http(|_| None).await;
    // Begins a body and stops.
    let stall = Upstream::http(|arrived| {
        (arrived.body == b"{}").then(|| b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx".to_vec())
    })
    .await;
    let started = std::time::Instant::now();
    let draft = post(&hang.url("/?q=private"), "{}").timeout(Duration::from_millis(200));
    let error = send(&client(open()), draft).await.unwrap_err();
    assert_eq!(error.failure().fault, Fault::UpstreamTimeout);
    assert!(!error.to_string().contains("private"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(3));
    assert_eq!(fault(send(&client(open()), post(&stall.url("/"), "{}")).await), Fault::UpstreamProtocol);
}

#[tokio::test]
async fn what_is_not_there_or_not_http_is_told_apart() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = send(&client(open()), post(&format!("http://{free}/p?q=private"), "{}")).await.unwrap_err();
    assert_eq!(error.failure().fault, Fault::UpstreamUnreachable);
    assert!(error.to_string().ends_with("connection refused"), "{error}");
    assert!(!format!("{error:?}").contains("private"));
    let sent = send(&client(open()), post("http://no-such-host.invalid/", "{}")).await;
    assert_eq!(fault(sent), Fault::UpstreamUnreachable);
    let smtp = Upstream::http(|_| Some(b"220 mail.example ESMTP\r\n".to_vec())).await;
    assert_eq!(fault(send(&client(open()), post(&smtp.url("/"), "{}")).await), Fault::UpstreamProtocol);
}

#[tokio::test]
async fn private_addresses_are_blocked_in_every_spelling() {
    let upstream = Upstream::http(|_| ok(b"{}")).await;
    let port = upstream.address.port();
    let private = client(Settings::default());
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "017700000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "0.0.0.0",
        "0",
        "[::]",
        "10.1.2.3",
        "169.254.169.254",
        "0xa9fea9fe",
        "[fd00:ec2::254]",
        "[64:ff9b::127.0.0.1]",
        "１２７.0.0.1",
        "127。0。0。1",
        "localhost",
        "LOCALHOST.",
        "a.localhost",
    ] {
        let sent = send(&private, post(&format!("http://{host}:{port}/"), "{}")).await;
        let fault = fault(sent);
        // A system without an entry for a name below localhost has no address for it at all.
        let unknown = host == "a.localhost" && fault == Fault::UpstreamUnreachable;
        assert!(fault == Fault::UpstreamBlocked || unknown, "{host}: {fault}");
    }
    assert!(upstream.arrived().is_empty());
    let allowing = Settings { allow: vec!["127.0.0.0/8".parse().unwrap()], ..Settings::default() };
    assert!(send(&client(allowing), post(&upstream.url("/"), "{}")).await.is_ok());
}

#[tokio::test]
async fn connect_to_changes_resolution_and_not_policy() {
    let upstream = Upstream::https("api.example", |_| ok(b"{}")).await;
    let settings = Settings {
        connect_to: vec![("API.example.".to_owned(), upstream.address)],
        extra_ca: vec![upstream.ca.clone()],
        ..Settings::default()
    };
    let refs = [wants("headers.authorization", "KEY", Some("Bearer {}"))];
    let to = "https://api.example/v1";
    let sent = send_with(&client(settings.clone()), KEY.as_bytes(), post(to, "{}"), &refs).await;
    assert_eq!(fault(sent), Fault::UpstreamBlocked);
    let allow = vec!["127.0.0.0/8".parse().unwrap()];
    let settings = Settings { allow, ..settings };
    send_with(&client(settings.clone()), KEY.as_bytes(), post(to, "{}"), &refs).await.unwrap();
    let arrived = upstream.only();
    assert_eq!(arrived.header("host"), ["api.example"]);
    assert_eq!(arrived.header("authorization"), [format!("Bearer {KEY}")]);
    // A port in the URL does not redirect the connection, and the upstream sees it.
    send(&client(settings.clone()), post("https://api.example:8443/v1", "{}")).await.unwrap();
    assert_eq!(upstream.arrived()[1].header("host"), ["api.example:8443"]);
    for bad in ["10.0.0.1", "[::1]", "a b", ""] {
        let settings = Settings { connect_to: vec![(bad.to_owned(), upstream.address)], ..settings.clone() };
        assert!(matches!(Client::new(settings), Err(Error::Settings(_))), "{bad}");
    }
}

#[tokio::test]
async fn only_trusted_certificates_for_the_right_name() {
    let upstream = Upstream::https("api.example", |_| ok(b"{}")).await;
    let names = ["api.example", "other.example"];
    let settings =
        Settings { connect_to: names.map(|n| (n.to_owned(), upstream.address)).to_vec(), ..open() };
    let untrusting = client(settings.clone());
    let trusting = client(Settings { extra_ca: vec![upstream.ca.clone()], ..settings });
    assert_eq!(fault(send(&untrusting, post("https://api.example/", "{}")).await), Fault::UpstreamTls);
    assert_eq!(fault(send(&trusting, post("https://other.example/", "{}")).await), Fault::UpstreamTls);
    assert!(upstream.arrived().is_empty());
    assert!(send(&trusting, post("https://api.example/", "{}")).await.is_ok());
}

#[tokio::test]
async fn our_own_admin_head_is_not_an_upstream() {
    let admin = Upstream::http(|_| ok(b"{}")).await;
    let port = admin.address.port();
    let settings = Settings {
        own_admin: Some(admin.address),
        connect_to: vec![("api.example".to_owned(), admin.address)],
        allow: vec!["127.0.0.0/8".parse().unwrap()],
        ..open()
    };
    let client = client(settings);
    let hosts = ["127.0.0.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]", "2130706433"];
    let urls = hosts.map(|h| format!("http://{h}:{port}/v1/tenants"));
    for url in urls.iter().map(String::as_str).chain(["http://api.example/", "http://api.example:9/"]) {
        assert_eq!(fault(send(&client, post(url, "{}")).await), Fault::UpstreamBlocked, "{url}");
    }
    assert!(admin.arrived().is_empty());
    let other = Upstream::http(|_| ok(b"{}")).await;
    let named = format!("http://localhost:{}/", other.address.port());
    assert!(send(&client, post(&named, "{}")).await.is_ok());
}

/// The environment cannot be changed in a test of many threads, so the test starts itself.
#[test]
fn the_proxy_of_the_environment_is_not_asked() {
    const MARK: &str = "TXCO_EGRESS_TEST_PROXIED";
    if std::env::var_os(MARK).is_none() {
        let proxy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        proxy.set_nonblocking(true).unwrap();
        let address = format!("http://{}", proxy.local_addr().unwrap());
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "tests::the_proxy_of_the_environment_is_not_asked"]).env(MARK, "1");
        for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
            child.env(name, &address);
        }
        let ran = child.env_remove("NO_PROXY").env_remove("no_proxy").output().unwrap();
        let told = String::from_utf8_lossy(&ran.stdout).into_owned();
        assert!(ran.status.success() && told.contains("1 passed"), "{told}");
        assert!(proxy.accept().is_err(), "the proxy was asked");
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let upstream = Upstream::http(|_| ok(b"{}")).await;
        assert!(send(&client(open()), post(&upstream.url("/"), "{}")).await.is_ok());
        assert_eq!(upstream.arrived().len(), 1);
    });
}
