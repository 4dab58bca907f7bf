//! A secret with a policy goes where the policy says and nowhere else, and every denial names its rule.

use serde_json::{Value, json};
use support::{Answer, Host, Request, Upstream};

use crate::TXCO;

const SEND: &str =
    "EXEC \"https://api.vendor.com/things\"\nWITH secrets.headers.x-api-key.secret = \"VENDOR_KEY\"\n";
const SIGN: &str = "EXEC \"txco://hmac-sign\"\n\
    WITH secrets.key.secret = \"KEY\", input_path = \"body\", output_path = \"digest\"\n";

fn vendor() -> Upstream {
    Upstream::https("vendor", &["api.vendor.com"], |_| Answer::json(&json!({ "ok": true })))
}

fn sending(vendor: &Upstream) -> Host {
    Host::serve(TXCO).rule("OPS/web/100/call.txcl", SEND).upstream(vendor, "api.vendor.com:443").start()
}

#[track_caller]
fn denied(host: &mut Host, rule: &str) {
    let line = host.logs_after("rule failed", |host| {
        let reply = host.event("/", &json!("text"));
        assert_eq!(reply.status, 500, "{}", reply.text());
        assert!(
            reply.text().contains("secret_unavailable") && !reply.text().contains("policy"),
            "{}",
            reply.text()
        );
    });
    assert!(line.contains("secret_denied") && line.contains(rule), "{line}");
}

/// Weakness S8: a secret goes to the hosts that its policy names.
#[test]
fn an_allowed_host_gets_it_and_another_does_not() {
    let vendor = vendor();
    let mut host = sending(&vendor);
    let key = host.canary("key");
    let call = host.secrets_call(&["set", "VENDOR_KEY", "--allow-host", "API.vendor.com"]).stdin(key.text());
    host.run(&call).succeeds();
    assert_eq!(host.event("/", &json!({})).status, 200);
    let told = host.secrets(&["policy", "VENDOR_KEY", "--allow-host", "*.vendor.org"]).succeeds();
    assert_eq!(
        told,
        "policy of VENDOR_KEY in tenant \"default\": splice+use+reveal; hosts *.vendor.org; \
         ops that return a digest or credential\n"
    );
    denied(&mut host, "its policy allows --allow-host *.vendor.org, not https://api.vendor.com");
    let show = host.secrets(&["show", "VENDOR_KEY"]).succeeds();
    assert!(show.contains("policy:         splice+use+reveal; hosts *.vendor.org"), "{show}");
    let told = host.secrets(&["policy", "VENDOR_KEY", "--clear"]).succeeds();
    assert!(told.ends_with(": any host\n"), "{told}");
    assert_eq!(host.event("/", &json!({})).status, 200);
    assert_eq!(vendor.received().len(), 2);
    host.allow(&key, "upstream vendor header x-api-key", 2);
    host.finish();
}

/// Weakness S9: a secret can be for use only; who writes rules cannot read it then.
#[test]
fn a_purpose_and_an_op_are_held_to() {
    let mut host = Host::serve(TXCO).rule("OPS/web/100/sign.txcl", SIGN).start();
    host.store("KEY");
    assert_eq!(host.event("/", &json!("text")).status, 200);
    host.secrets(&["policy", "KEY", "--purpose", "splice"]).succeeds();
    denied(&mut host, "its policy allows --purpose splice, not ");
    host.secrets(&["policy", "KEY", "--allow-op", "txco://basic-auth-encode"]).succeeds();
    denied(&mut host, "its policy allows --allow-op txco://basic-auth-encode, not txco://hmac-sign");
    host.secrets(&["policy", "KEY", "--allow-op", "txco://hmac-sign"]).succeeds();
    assert_eq!(host.event("/", &json!("text")).status, 200);
    for (flags, told) in [
        (&["--purpose", "show"][..], "422 Unprocessable Entity: invalid_policy"),
        (&["--allow-host", "https://a.example"], "422 Unprocessable Entity: invalid_policy"),
        (&["--allow-host", "*.com"], "422 Unprocessable Entity: invalid_policy"),
        (&["--allow-op", "txco://no-such"], "422 Unprocessable Entity: invalid_policy"),
        (&["--allow-op", "op://mine"], "422 Unprocessable Entity: invalid_policy"),
    ] {
        let words = [&["policy", "KEY"], flags].concat();
        let refused = host.secrets(&words).fails(1);
        assert!(refused.contains(told), "{flags:?}: {refused}");
    }
    assert_eq!(host.event("/", &json!("text")).status, 200, "a refused policy changes nothing");
    host.finish();
}

/// 64 hosts are a policy, 65 are not.
#[test]
fn a_policy_names_so_many_hosts_and_no_more() {
    let mut host = Host::serve(TXCO).start();
    host.store("KEY");
    let hosts = |count: usize| (0..count).map(|n| format!("h{n}.example")).collect::<Vec<_>>();
    let put = |host: &mut Host, count| {
        let request = Request::new("PUT", "/v1/tenants/default/secrets/KEY/policy");
        host.admin(&request.json(&json!({ "hosts": hosts(count) })))
    };
    assert_eq!(put(&mut host, 64).status, 200);
    let refused = put(&mut host, 65);
    assert_eq!((refused.status, &refused.json()["error"]), (422, &json!("policy_too_long")));
    host.finish();
}

#[test]
fn what_basic_auth_made_goes_only_where_the_password_may() {
    let vendor = vendor();
    let encode = "EXEC \"txco://basic-auth-encode\"\n\
        WITH secrets.password.secret = \"PASSWORD\", user = \"me\", output_path = \"basic\"\n";
    let send = "EXEC \"https://api.vendor.com/things\"\nSET @web.req.headers.authorization = &concat(\"Basic \", .basic)\n";
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/50/encode.txcl", encode)
        .rule("OPS/web/100/send.txcl", send)
        .upstream(&vendor, "api.vendor.com:443")
        .start();
    let password = host.canary("password");
    let call =
        host.secrets_call(&["set", "PASSWORD", "--allow-host", "api.other.com"]).stdin(password.text());
    host.run(&call).succeeds();
    let line = host.logs_after("rule failed", |host| {
        assert_eq!(host.event("/", &json!({})).status, 500);
    });
    assert!(line.contains("credential_destination_denied") && line.contains("PASSWORD"), "{line}");
    assert!(
        line.contains("its policy allows --allow-host api.other.com, not https://api.vendor.com"),
        "{line}"
    );
    assert!(vendor.received().is_empty());
    host.secrets(&["policy", "PASSWORD", "--allow-host", "api.vendor.com"]).succeeds();
    assert_eq!(host.event("/", &json!({})).status, 200);
    assert!(vendor.only().header("authorization").unwrap().starts_with("Basic "));
    host.allow(&password, "upstream vendor header authorization", 1);
    host.finish();
}

#[test]
fn explain_answers_before_anything_runs() {
    let mut host = Host::serve(TXCO).start();
    let key = host.canary("key");
    let call = host.secrets_call(&["set", "KEY", "--allow-host", "api.vendor.com"]).stdin(key.text());
    host.run(&call).succeeds();
    let told = host.secrets(&["explain", "KEY", "--for", "https://api.vendor.com/v1/things"]).succeeds();
    assert_eq!(
        told,
        "secret:         KEY v1, tenant-wide\nfor:            https://api.vendor.com/v1/things\n\
         allowed:        it may be sent there (its policy allows it)\n"
    );
    let output = host.secrets(&["explain", "KEY", "--for", "https://evil.example/"]);
    assert_eq!(output.code, Some(1));
    assert!(
        output.stdout.contains(
            "denied:         its policy allows --allow-host api.vendor.com, not https://evil.example"
        ),
        "{output:?}"
    );
    let told = host.secrets(&["explain", "KEY", "--for", "txco://hmac-sign"]).succeeds();
    assert!(told.contains("allowed:        hmac-sign@"), "{told}");
    // A host without its scheme is no answer's yes.
    for operand in ["api.vendor.com", "evil.example", "KEY"] {
        let stderr = host.secrets(&["explain", "KEY", "--for", operand]).fails(2);
        assert!(stderr.contains("expected a URL such as https://api.example.com/"), "{stderr}");
    }
    let clear = host.secrets(&["explain", "KEY", "--for", "http://api.vendor.com:443/"]);
    assert_eq!(clear.code, Some(1));
    assert!(clear.stdout.contains("over plain http; use https"), "{clear:?}");
    let output = host.secrets(&["explain", "NONE", "--for", "txco://hmac-sign", "--json"]);
    assert_eq!(output.code, Some(1));
    let answer: Value = serde_json::from_str(output.stdout.lines().next().unwrap()).unwrap();
    assert_eq!(answer["answers"][0]["code"], "secret_not_found");
    let show = host.secrets(&["show", "KEY"]).succeeds();
    assert!(show.contains("uses:           -"), "asking is no use: {show}");
    host.finish();
}

#[test]
fn a_list_says_which_secrets_any_host_may_get() {
    let mut host = Host::serve(TXCO).start();
    host.store("FREE");
    let key = host.canary("key");
    let call = host.secrets_call(&["set", "BOUND", "--use-only"]).stdin(key.text());
    host.run(&call).succeeds();
    let list = host.secrets(&["list"]).succeeds();
    let line = |name: &str| list.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert!(line("FREE").contains("any host") && line("BOUND").contains(" use "), "{list}");
    host.finish();
}

#[test]
fn a_chassis_can_demand_policies() {
    let mut host = Host::serve(TXCO).flags(&["--secrets-require-policy"]).start();
    let key = host.canary("key");
    let call = host.secrets_call(&["set", "KEY"]).stdin(key.text());
    let refused = host.run(&call).fails(1);
    assert!(refused.contains("422 Unprocessable Entity: policy_required"), "{refused}");
    let refused = host.secrets(&["generate", "KEY"]).fails(1);
    assert!(refused.contains("policy_required"), "{refused}");
    let call = host.secrets_call(&["set", "KEY", "--allow-host", "a.example"]).stdin(key.text());
    host.run(&call).succeeds();
    let refused = host.secrets(&["policy", "KEY", "--clear"]).fails(1);
    assert!(refused.contains("policy_required"), "{refused}");
    host.finish();
}

/// D2: RFC 4231, case 2, with the key written in hex.
#[test]
fn a_key_is_read_as_its_encoding_says() {
    let mut host = Host::serve(TXCO).rule("OPS/web/100/sign.txcl", SIGN).start();
    let call = host.secrets_call(&["set", "KEY", "--key-encoding", "hex"]).stdin("4a656665\n");
    host.run(&call).succeeds();
    let sign = |host: &mut Host| {
        let request = Request::new("POST", "/").header("Content-Type", "text/plain");
        host.web(&request.body("what do ya want for nothing?")).json()["digest"].clone()
    };
    let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    assert_eq!(sign(&mut host), expected);
    let call = host.secrets_call(&["rotate", "KEY"]).stdin("not hex at all");
    let refused = host.run(&call).fails(1);
    assert!(refused.contains("422 Unprocessable Entity: value_not_encoded"), "{refused}");
    assert!(!refused.contains("not hex at all"), "{refused}");
    let call = host.secrets_call(&["rotate", "KEY", "--key-encoding", "whsec"]).stdin("whsec_SmVmZQ==\n");
    host.run(&call).succeeds();
    assert_eq!(sign(&mut host), expected);
    let show = host.secrets(&["show", "KEY"]).succeeds();
    assert!(show.contains("key_encoding:   whsec"), "{show}");
    host.finish();
}
