//! A host belongs to whoever rules its zone, whoever bound it first.

use serde_json::{Value, json};
use support::{Host, NameServer, Request};

use crate::TXCO;
use crate::stacks::{applied, ask, says};

#[test]
fn a_host_that_another_tenant_bound_is_taken_by_a_record_of_its_zone() {
    let names = NameServer::start();
    let server = names.address().to_string();
    let mut host = Host::serve(TXCO).flags(&["--dns-server", &server]).start();
    assert_eq!(ask(&mut host, "POST", "/v1/tenants", &json!({ "slug": "acme" })).status, 201);
    applied(&mut host, "default", "shop", &says("default"));
    applied(&mut host, "acme", "site", &says("acme"));
    let url = format!("http://{}", host.admin_address());
    let verb = |host: &mut Host, verb: &[&str], tenant: &str| {
        let words = ["auth", "tenant", "hostnames", verb[0], "shop.example"];
        host.txco(&[&words[..], &verb[1..], &["--tenant", tenant, "--url", &url]].concat())
    };
    let served = |host: &mut Host| {
        host.web(&Request::new("GET", "/").header("Host", "shop.example")).json()["says"].clone()
    };

    verb(&mut host, &["add"], "default").succeeds();
    assert_eq!(served(&mut host), "default");
    let taken = verb(&mut host, &["add"], "acme").fails(1);
    assert!(taken.contains("hostname_taken") && taken.contains("verify HOST --method dns-txt"), "{taken}");
    let http = verb(&mut host, &["verify"], "acme").fails(1);
    assert!(http.contains("hostname_not_found"), "by http everybody here could answer: {http}");

    let unproven = verb(&mut host, &["verify", "--method", "dns-txt"], "acme").fails(1);
    assert!(unproven.contains("_txco-challenge.shop.example: it has no TXT record"), "{unproven}");
    let path = "/v1/tenants/acme/hostnames/shop.example/verify";
    let reply = ask(&mut host, "POST", path, &json!({ "method": "dns-txt" }));
    let detail = reply.json()["detail"].clone();
    assert_eq!((reply.status, &detail["record"]), (422, &json!("_txco-challenge.shop.example")));
    names.add("_txco-challenge.shop.example", "v=spf1 -all");
    let other = verb(&mut host, &["verify", "--method", "dns-txt"], "acme").fails(1);
    assert!(other.contains("its TXT records say something else"), "{other}");
    names.add("_txco-challenge.shop.example", detail["answer"].as_str().unwrap());
    let record = verb(&mut host, &["verify", "--method", "dns-txt"], "default").fails(1);
    assert!(record.contains("its TXT records say something else"), "it proves one tenant: {record}");
    assert_eq!(served(&mut host), "default", "nothing was taken yet");

    verb(&mut host, &["verify", "--method", "dns-txt"], "acme").succeeds();
    assert_eq!(served(&mut host), "acme");
    let list = |host: &mut Host, tenant: &str| {
        host.admin(&Request::new("GET", &format!("/v1/tenants/{tenant}/hostnames"))).json()["hostnames"]
            .clone()
    };
    assert_eq!(list(&mut host, "default"), json!([]));
    assert!(list(&mut host, "acme")[0]["verified_at"].is_string());
    let audit = host.txco(&["auth", "audit", "list", "--json", "--url", &url]).succeeds();
    let audit: Value = serde_json::from_str(&audit).unwrap();
    let rows = audit["rows"].as_array().unwrap().iter().filter(|row| row["outcome"] == "ok");
    let rows: Vec<_> = rows.map(|row| format!("{} {}", row["action"], row["detail"])).collect();
    let lost = "another tenant proved by dns-txt that it is theirs";
    assert!(rows.iter().any(|row| row.contains("hostname.release") && row.contains(lost)), "{rows:?}");
    assert!(rows.iter().any(|row| row.contains("hostname.verify") && row.contains("dns-txt")), "{rows:?}");
    host.txco(&["auth", "audit", "verify", "--url", &url]).succeeds();

    // Whom it was taken from cannot have it back by what they can do here.
    let back = verb(&mut host, &["add"], "default").fails(1);
    assert!(back.contains("hostname_taken"), "{back}");
    drop(names);
    let silent = verb(&mut host, &["verify", "--method", "dns-txt"], "default").fails(1);
    assert!(silent.contains(&format!("the name server {server} cannot be asked")), "{silent}");
    host.finish();
}

/// A host may be bound before its stack is applied; that it leads nowhere until then is said at once.
#[test]
fn a_host_that_leads_to_no_stack_is_told() {
    let names = NameServer::start();
    let server = names.address().to_string();
    let mut host = Host::serve(TXCO).flags(&["--dns-server", &server]).start();
    let url = format!("http://{}", host.admin_address());
    let verb = |host: &mut Host, words: &[&str]| {
        let output = host.txco(&[&["auth", "tenant", "hostnames"], words, &["--url", &url]].concat());
        assert_eq!(output.code, Some(0), "{output:?}");
        output
            .stderr
            .lines()
            .filter(|line| !line.starts_with('→'))
            .map(|line| format!("{line}\n"))
            .collect::<String>()
    };
    let nothing = verb(&mut host, &["add", "shop.example"]);
    let want = "⚠ shop.example leads to tenant default, which has applied nothing: 404 until it has\n";
    assert_eq!(nothing, want);
    applied(&mut host, "default", "shop", &says("shop"));
    assert_eq!(verb(&mut host, &["add", "shop.example"]), "");
    let nosuch = verb(&mut host, &["add", "shop.example", "--stack", "nosuch"]);
    let want = "⚠ shop.example leads to stack nosuch, of which tenant default has applied nothing: 404 until it has\n";
    assert_eq!(nosuch, want);
    let get = |host: &mut Host| host.web(&Request::new("GET", "/").header("Host", "shop.example"));
    assert_eq!(get(&mut host).status, 404);
    applied(&mut host, "default", "site", &says("site"));
    let which = verb(&mut host, &["add", "shop.example"]);
    assert!(which.contains("but not to one of its stacks: 404; name one (--stack)"), "{which}");

    let path = "/v1/tenants/default/hostnames/shop.example/verify";
    let method = json!({ "method": "dns-txt", "stack": "site" });
    let asked = ask(&mut host, "POST", path, &method);
    assert_eq!((asked.status, get(&mut host).status), (422, 404), "unproven, it leads where it led");
    names.add("_txco-challenge.shop.example", asked.json()["detail"]["answer"].as_str().unwrap());
    let wrong = ask(&mut host, "POST", path, &json!({ "method": "dns-txt", "stack": "a//b" }));
    assert_eq!(wrong.status, 400, "{}", wrong.text());
    let proven = verb(&mut host, &["verify", "shop.example", "--method", "dns-txt", "--stack", "site"]);
    assert_eq!((proven.as_str(), get(&mut host).json()["says"].clone()), ("", json!("site")));

    let asked = ask(&mut host, "POST", path, &method);
    names.add("_txco-challenge.shop.example", asked.json()["detail"]["answer"].as_str().unwrap());
    let nosuch = verb(&mut host, &["verify", "shop.example", "--method", "dns-txt", "--stack", "nosuch"]);
    assert!(
        nosuch.contains("leads to stack nosuch, of which tenant default has applied nothing"),
        "{nosuch}"
    );
    host.finish();
}
