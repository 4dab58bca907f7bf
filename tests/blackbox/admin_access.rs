//! Ways into the admin head: signatures of another client, replays, passwords, TLS, and none for strangers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use support::{Call, Host, Reply, Request};

use crate::TXCO;

const SECRETS: &str = "/v1/tenants/default/secrets";
/// Not where it listens: a signature covers what the client says, and it says this.
const AUTHORITY: &str = "localhost:8081";

/// Another RFC 9421 client, written from the text of the RFC alone: strings put together by hand.
struct Client {
    key: Ed25519KeyPair,
    key_id: String,
}

impl Client {
    /// Enrols with the secret that the chassis printed.
    fn first(host: &mut Host) -> Self {
        let line = host.wait_log("nobody is enrolled here");
        let secret = line.rsplit_once("--secret ").unwrap().1.trim().to_owned();
        Self::enrolled(host, &secret, 1)
    }

    fn enrolled(host: &mut Host, secret: &str, seed: u8) -> Self {
        let key = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let body = json!({ "public_key_b64": STANDARD.encode(key.public_key()), "label": "test" });
        let request =
            Request::new("POST", "/auth/dev/enroll").header("X-Txco-Enroll-Secret", secret).json(&body);
        let reply = host.admin(&request);
        assert_eq!(reply.status, 200, "{}", reply.text());
        Self { key, key_id: reply.json()["key_id"].as_str().unwrap().to_owned() }
    }

    fn signed(&self, method: &str, path: &str, body: &str, nonce: &str) -> Request {
        let created = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let digest = format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(body)));
        // Parameters in another order than ours, another label, one component more, and no alg.
        let params = format!(
            "(\"@authority\" \"content-digest\" \"@query\" \"@method\" \"@path\" \"content-type\");\
             keyid=\"{}\";nonce=\"{nonce}\";created={created}",
            self.key_id
        );
        let (path_only, query) = path.split_once('?').unwrap_or((path, ""));
        let base = format!(
            "\"@authority\": {AUTHORITY}\n\"content-digest\": {digest}\n\"@query\": ?{query}\n\
             \"@method\": {method}\n\"@path\": {path_only}\n\"content-type\": application/json\n\
             \"@signature-params\": {params}"
        );
        let signature = STANDARD.encode(self.key.sign(base.as_bytes()));
        Request::new(method, path)
            .header("Host", AUTHORITY)
            .header("Content-Type", "application/json")
            .header("Content-Digest", &digest)
            .header("Signature-Input", &format!("mine={params}"))
            .header("Signature", &format!("mine=:{signature}:"))
            .body(body)
    }
}

fn code(reply: &Reply) -> (u16, String) {
    (reply.status, reply.json()["error"].as_str().unwrap_or_default().to_owned())
}

fn is(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[test]
fn another_client_signs_and_is_understood() {
    let mut host = Host::serve(TXCO).start();
    let client = Client::first(&mut host);
    let canary = host.canary("signed");
    let body = json!({ "name": "K", "value": canary.text() }).to_string();
    assert_eq!(host.admin(&client.signed("POST", SECRETS, &body, "n1")).status, 201);
    let list = host.admin(&client.signed("GET", &format!("{SECRETS}?stack=a%2Fb&x"), "", "n2"));
    assert_eq!(list.json()["secrets"][0]["name"], "K");
    let mut other = client.signed("POST", SECRETS, &body, "n3");
    other.body = json!({ "name": "L", "value": "another" }).to_string().into();
    assert_eq!(code(&host.admin(&other)), is(401, "invalid_content_digest"));
    let mut other = client.signed("GET", SECRETS, "", "n4");
    other.target = "/v1/tenants/_sys/secrets".to_owned();
    assert_eq!(code(&host.admin(&other)), is(401, "invalid_signature"));
    host.finish();
}

/// Weakness A3: a captured request is refused, also by the next life of the chassis.
#[test]
fn a3_a_captured_request_is_refused_also_after_a_restart() {
    let mut host = Host::serve(TXCO).start();
    let client = Client::first(&mut host);
    let captured =
        client.signed("POST", SECRETS, &json!({ "name": "K", "value": "just a value" }).to_string(), "once");
    assert_eq!(host.admin(&captured).status, 201);
    assert_eq!(code(&host.admin(&captured)), is(401, "nonce_replay"));
    host.kill();
    host.start();
    assert_eq!(code(&host.admin(&captured)), is(401, "nonce_replay"), "after kill -9");
    host.stop();
    host.start();
    assert_eq!(code(&host.admin(&captured)), is(401, "nonce_replay"), "after a restart");
    // Whoever knows the name of a key burns nothing of it.
    let mut forged = client.signed("GET", SECRETS, "", "mine");
    for (name, value) in &mut forged.headers {
        if name == "Signature" {
            *value = format!("mine=:{}:", STANDARD.encode([0; 64]));
        }
    }
    assert_eq!(code(&host.admin(&forged)), is(401, "invalid_signature"));
    assert_eq!(host.admin(&client.signed("GET", SECRETS, "", "mine")).status, 200);
    host.finish();
}

fn basic(user: &str, password: &str) -> Request {
    let value = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
    Request::new("GET", "/auth/whoami").header("Authorization", &value)
}

/// Weakness A1: no credentials are no credentials.
#[test]
fn a1_a_password_counts_only_when_there_is_one() {
    let mut host = Host::serve(TXCO).flags(&["--auth-mode", "basic"]).start();
    for (user, password) in [("", ""), ("admin", ""), ("admin", "admin")] {
        assert_eq!(code(&host.admin(&basic(user, password))), is(401, "invalid_signature"));
    }
    host.finish();
    let mut host =
        Host::serve(TXCO).env("TXCO_ADMIN_USER", "ada").env("TXCO_ADMIN_PASS", "pass:word").start();
    assert_eq!(host.admin(&basic("ada", "pass:word")).json()["source"], "basic");
    for (user, password) in [("", ""), ("ada", ""), ("ada", "pass"), ("eve", "pass:word")] {
        assert_eq!(code(&host.admin(&basic(user, password))), is(401, "invalid_signature"));
    }
    let bare = host.admin(&Request::new("GET", "/auth/whoami"));
    assert_eq!(code(&bare), is(401, "missing_signature_headers"), "with a password nothing is open");
    let url = format!("http://{}", host.admin_address());
    let call = Call::new(&["auth", "whoami", "--url", &url, "--json"]);
    let call = call.env("TXCO_ADMIN_USER", "ada").env("TXCO_ADMIN_PASS", "pass:word");
    let who: Value = serde_json::from_str(&host.run(&call).succeeds()).unwrap();
    assert_eq!(who["source"], "basic");
    host.finish();
    let mut host = Host::at_rest(TXCO);
    let half = ["serve", "--admin-user", "ada", "--web-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"];
    assert!(host.txco(&half).fails(1).contains("count only together"));
    host.finish();
}

/// Weakness A2 and R32: nobody is let in from elsewhere who cannot be told apart.
#[test]
fn a2_an_exposed_admin_head_needs_a_way_to_tell_people_apart() {
    let mut host = Host::at_rest(TXCO);
    let exposed = |more: &[&'static str]| {
        let mut args = vec!["serve", "--web-addr", "127.0.0.1:0", "--admin-addr", "0.0.0.0:0"];
        args.extend(more);
        args
    };
    let refused = host.txco(&exposed(&[])).fails(1);
    assert!(refused.contains("--auth-mode signed"), "{refused}");
    let refused = host.txco(&exposed(&["--auth-mode", "basic"])).fails(1);
    assert!(refused.contains("--admin-user"), "{refused}");
    host.finish();
    let mut host = Host::with(TXCO, &exposed(&["--auth-mode", "signed"])).start();
    let local = Request::new("GET", "/v1/tenants").header("Host", "localhost");
    assert_eq!(code(&host.admin(&local)), is(401, "missing_signature_headers"), "open access never begins");
    let client = Client::first(&mut host);
    assert_eq!(host.admin(&client.signed("GET", "/v1/tenants", "", "a")).status, 200);
    host.finish();
}

#[test]
fn the_doors_that_make_identities_are_throttled_together() {
    let mut host = Host::serve(TXCO).start();
    let try_one =
        |path: &str| Request::new("POST", path).json(&json!({ "token": "x", "public_key_b64": "" }));
    for at in 0..10 {
        let path = if at % 2 == 0 { "/auth/dev/enroll" } else { "/auth/invitations/consume" };
        let reply = host.admin(&try_one(path));
        assert_ne!(reply.status, 429, "{at}: {}", reply.text());
    }
    let reply = host.admin(&try_one("/auth/dev/enroll"));
    assert_eq!(code(&reply), is(429, "throttled"));
    let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=61).contains(&wait), "{wait}");
    assert_eq!(reply.json()["detail"]["retry_after_seconds"], wait);
    host.finish();
}

#[test]
fn a_given_secret_enrols_ordinary_actors_at_any_time() {
    let mut host = Host::serve(TXCO).env("TXCO_AUTH_DEV_ENROLL_SECRET", "open sesame").start();
    let first = Client::enrolled(&mut host, "open sesame", 1);
    let second = Client::enrolled(&mut host, "open sesame", 2);
    for (client, nonce) in [(&first, "a"), (&second, "b")] {
        let who = host.admin(&client.signed("GET", "/auth/whoami", "", nonce)).json();
        assert_eq!(
            (who.get("super_admin"), &who["memberships"][0]["capabilities"]),
            (None, &json!(["admin:all"]))
        );
    }
    let body = json!({ "slug": "acme" }).to_string();
    let denied = host.admin(&second.signed("POST", "/v1/tenants", &body, "c"));
    assert_eq!(code(&denied), is(403, "capability_denied"), "all of a tenant is not all");
    let again = json!({ "public_key_b64": STANDARD.encode(first.key.public_key()) });
    let taken =
        Request::new("POST", "/auth/dev/enroll").header("X-Txco-Enroll-Secret", "open sesame").json(&again);
    let taken = host.admin(&taken);
    assert_eq!(code(&taken), is(409, "key_already_enrolled"));
    assert_eq!(taken.json()["detail"]["key_id"], first.key_id.as_str());
    host.finish();
}

#[test]
fn the_admin_head_speaks_tls() {
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let mut host = Host::serve(TXCO)
        .file("admin.pem", certified.cert.pem())
        .file("admin-key.pem", certified.signing_key.serialize_pem())
        .flags(&["--admin-tls-cert", "admin.pem", "--admin-tls-key", "admin-key.pem"])
        .start();
    let url = format!("https://localhost:{}", host.admin_address().port());
    let line = host.wait_log("nobody is enrolled here");
    assert!(line.contains("--url https://"), "{line}");
    let ca = host.path("admin.pem");
    let call =
        |args: &[&str]| Call::new(args).arg("--url").arg(&url).env("SSL_CERT_FILE", ca.to_str().unwrap());
    let secret = line.rsplit_once("--secret ").unwrap().1.trim().to_owned();
    host.run(&call(&["auth", "bootstrap-local", "--secret", &secret])).succeeds();
    assert!(host.run(&call(&["auth", "whoami"])).succeeds().contains("source: signed"));
    let blind = host.run(&Call::new(&["auth", "whoami", "--url", &url])).fails(1);
    assert!(blind.contains("can't connect"), "{blind}");

    // SIGHUP: the next connection has the certificate that the files hold now.
    let renewed = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    host.write("admin.pem", "no certificate");
    host.logs_after("the certificate cannot be read; the old one stays in use", |host| {
        host.signal(rustix::process::Signal::HUP);
    });
    host.write("old.pem", certified.cert.pem());
    let old = host.path("old.pem");
    let by = |ca: &std::path::Path| {
        Call::new(&["auth", "whoami", "--url", &url]).env("SSL_CERT_FILE", ca.to_str().unwrap())
    };
    host.run(&by(&old)).succeeds();
    host.write("admin.pem", renewed.cert.pem());
    host.write("admin-key.pem", renewed.signing_key.serialize_pem());
    host.logs_after("certificate read again", |host| host.signal(rustix::process::Signal::HUP));
    host.run(&by(&ca)).succeeds();
    host.run(&by(&old)).fails(1);
    host.finish();
    let mut host = Host::at_rest(TXCO);
    let half = ["serve", "--admin-tls-cert", "x", "--web-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"];
    assert!(host.txco(&half).fails(1).contains("go together"));
    host.finish();
}

#[test]
fn an_actor_database_of_the_go_chassis_is_taken_over() {
    let mut host = Host::serve(TXCO).at_rest();
    let folder = host.path("chassis/data/db");
    std::fs::create_dir_all(&folder).unwrap();
    let go = rusqlite::Connection::open(folder.join("auth-dev.db")).unwrap();
    go.execute_batch(include_str!("../vectors/store/go-auth.sql")).unwrap();
    drop(go);
    host.start();
    let seed: Vec<u8> = (0..32).collect();
    let alice =
        Client { key: Ed25519KeyPair::from_seed_unchecked(&seed).unwrap(), key_id: "key_test".to_owned() };
    let who = host.admin(&alice.signed("GET", "/auth/whoami", "", "a")).json();
    assert_eq!((&who["actor_id"], &who["super_admin"]), (&json!("actor_alice"), &json!(true)));
    assert_eq!(host.admin(&alice.signed("GET", SECRETS, "", "b")).status, 200);
    assert_eq!(code(&host.admin(&Request::new("GET", SECRETS))), is(401, "missing_signature_headers"));
    host.wait_log("actor database of another chassis: copied");
    host.finish();
}
