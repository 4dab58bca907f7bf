//! The verbs of `txco op` by hand, with good input and bad: what is wrong, where, and what to do about it.
//!
//! None of these compiles a source: they call a built-in op from its file.

use serde_json::{Value, json};
use support::{Call, Host, Output, Request};

use crate::TXCO;
use crate::op_push::base64;

/// RFC 4231, test case 2: the HMAC of "what do ya want for nothing?" under "Jefe".
const MAC: &str = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
const INPUT: &str = "{\"body\":\"what do ya want for nothing?\"}";
/// HMAC-SHA256 under "Jefe" of the bytes ff 00 fe, computed with OpenSSL.
const MAC_OF_BYTES: &str = "c0f3c8bbe79caf3893226a7cfb8f7d085799f599d34ee27f78a13fe4e370fa71";

/// A folder with the op that is shown its key, and one with a handle.
fn at_rest() -> Host {
    let host = Host::at_rest(TXCO);
    host.write("sign.wasm", include_bytes!("../../builtin-ops/dist/hmac-sign.wasm"));
    host.write("handle.wasm", include_bytes!("../../builtin-ops/dist/hmac-sign.use.wasm"));
    host
}

fn run(host: &mut Host, args: &[&str]) -> Output {
    let call = ["op", "run"].iter().chain(args).fold(Call::new(&[]), |call, arg| call.arg(arg));
    host.run(&call.env("FAKE_KEY", "Jefe"))
}

#[test]
fn what_a_shown_secret_lets_out_is_said_and_can_be_allowed() {
    let mut host = at_rest();
    let args = ["sign.wasm", "--input", INPUT, "--secret-env", "key=FAKE_KEY"];
    let stderr = run(&mut host, &args).fails(1);
    assert!(stderr.contains("op_output_invalid") && stderr.contains("--allow digest"), "{stderr}");
    let said = run(&mut host, &[&args[..], &["--allow", "digest"]].concat()).succeeds();
    assert!(said.contains(MAC), "{said}");
    let stderr = run(&mut host, &[&args[..], &["--allow", "credential"]].concat()).fails(2);
    assert!(stderr.contains("expected digest or data"), "{stderr}");
    let said = run(&mut host, &[&args[..], &["--allow", "data", "--json"]].concat()).succeeds();
    let said: Value = serde_json::from_str(&said).unwrap();
    let field = json!({ "class": "digest", "value": MAC });
    assert_eq!(said, json!({ "fields": { "_txc.computed.hmac": field }, "log": [], "log_dropped": 0 }));
    // A failure is a document, too.
    let said = run(&mut host, &[&args[..], &["--json"]].concat());
    let said: Value = serde_json::from_str(&said.stdout).unwrap();
    assert!(said["error"].as_str().unwrap().contains("op_output_invalid"), "{said}");
    host.finish();
}

#[test]
fn a_body_is_taken_byte_for_byte_and_never_cut() {
    let mut host = at_rest();
    // What lies beside it in a scope is what it is tried with.
    host.write("mock-request.json", INPUT);
    host.write("mock-response.json", json!({ "_txc": { "computed": { "hmac": MAC } } }).to_string());
    let beside = ["handle.wasm", "--secret-env", "key=FAKE_KEY"];
    let matches = run(&mut host, &beside);
    assert!(matches.stderr.contains("✓ matches mock-response.json"), "{matches:?}");
    assert!(matches.succeeds().contains(MAC));
    host.write("mock-response.json", "{\"a\":1}");
    host.write("mock-secrets.json", "{\"key\":\"Jefe\"}");
    let differs = run(&mut host, &beside).fails(1);
    for said in ["mock-secrets.json is not read", "✗ differs from mock-response.json", "want: {\"a\":1}", MAC]
    {
        assert!(differs.contains(said), "{differs}");
    }
    let typed = run(&mut host, &[&beside[..], &["--input", INPUT]].concat());
    assert!(!typed.stderr.contains("mock-response"), "{typed:?}");
    typed.succeeds();
    let test = |host: &mut Host, args: &[&str]| {
        let call = ["op", "test"].iter().chain(args).fold(Call::new(&[]), |call, arg| call.arg(arg));
        host.run(&call.env("FAKE_KEY", "Jefe"))
    };
    assert!(test(&mut host, &beside).fails(1).contains("✗ differs from mock-response.json"));
    let fixtures = test(&mut host, &[".", "--input", INPUT]).fails(2);
    assert!(fixtures.contains("stands in its fixtures"), "{fixtures}");
    // A rule stands for the op beside it, and its scope has the mocks.
    host.write("OPS/app/100/hmac-sign.wasm", include_bytes!("../../builtin-ops/dist/hmac-sign.use.wasm"));
    host.write("OPS/app/100/mock-request.json", INPUT);
    host.write(
        "OPS/app/100/mock-response.json",
        json!({ "_txc": { "computed": { "hmac": MAC } } }).to_string(),
    );
    host.write("OPS/app/100/sign.txcl", "WHEN .body != null\nEXEC \"op://hmac-sign\"\n");
    for verb in ["run", "test"] {
        let rule = ["OPS/app/100/sign.txcl", "--secret-env", "key=FAKE_KEY"];
        let matches = if verb == "run" { run(&mut host, &rule) } else { test(&mut host, &rule) };
        assert!(matches.stderr.contains("✓ matches mock-response.json"), "{verb}: {matches:?}");
        matches.succeeds();
    }
    for (rule, why) in [
        ("EXEC \"op://gone\"", "op://gone does not lie beside it"),
        ("EXEC \"txco://noop\"", "does not call exactly one op://NAME"),
        ("EXEC op", "OPS/app/100/other.txcl:1:6"),
    ] {
        host.write("OPS/app/100/other.txcl", rule);
        let refused = test(&mut host, &["OPS/app/100/other.txcl"]).fails(1);
        assert!(refused.contains(why), "{refused}");
    }
    host.write("body", [0xff, 0, 0xfe]);
    let with = |body: &'static str| ["handle.wasm", "--secret-env", "key=FAKE_KEY", "--body", body];
    let said = run(&mut host, &with("body")).succeeds();
    assert!(said.contains(MAC_OF_BYTES), "{said}");
    host.write("body", vec![b'x'; (32 << 20) + 1]);
    let stderr = run(&mut host, &with("body")).fails(1);
    assert!(stderr.contains("cannot read body: it has more than 33554432 bytes"), "{stderr}");
    let stderr = run(&mut host, &with("nobody")).fails(1);
    assert!(stderr.contains("cannot read nobody: No such file"), "{stderr}");
    host.finish();
}

#[test]
fn in_a_chassis_too_a_body_need_not_be_text() {
    let rule =
        "EXEC \"txco://hmac-sign\"\nWITH secrets.key.secret = \"A_KEY\",\n     output_path = \"mac\"\n";
    let mut host = Host::serve(TXCO).rule("OPS/web/100/sign.txcl", rule).start();
    let stored = host.secrets_call(&["set", "A_KEY"]).stdin("Jefe");
    host.run(&stored).succeeds();
    let request = Request::new("POST", "/").header("content-type", "application/octet-stream");
    let reply = host.web(&request.body([0xff, 0, 0xfe]));
    assert_eq!(reply.json(), json!({ "mac": MAC_OF_BYTES }));
    host.finish();
}

#[test]
fn a_call_that_is_asked_wrongly_is_a_usage_error_that_says_how() {
    let mut host = at_rest();
    for (args, words) in [
        (&["--param", "algoritm=sha512"][..], "no parameter algoritm; it has: algorithm, encoding"),
        (&["--param", "algorithm"], "expected --param NAME=VALUE"),
        (&["--secret-fd", "key=0"], "slot key is given twice"),
        (&["--secret-env", "kee=FAKE_KEY"], "no slot kee; it has: key"),
        (&["--delivery", "both"], "expected reveal or use"),
        (&["--delivery", "reveal"], "no such build; it has: use"),
        (&["--input", "[]"], "--input: expected a JSON object"),
        (&["--input", "{x"], "--input: key must be a string"),
    ] {
        let stderr =
            run(&mut host, &[&["handle.wasm", "--secret-env", "key=FAKE_KEY"], args].concat()).fails(2);
        assert!(stderr.contains(words), "{args:?}: {stderr}");
    }
    host.write("cut.wasm", &include_bytes!("../../builtin-ops/dist/hmac-sign.wasm")[..3000]);
    host.write("text.wasm", "hello");
    host.write("large.wasm", vec![0; (20 << 20) + 1]);
    for (file, words) in [
        ("cut.wasm", "cut.wasm: no op: it is malformed: unexpected end-of-file"),
        ("text.wasm", "text.wasm: no op: it is not WebAssembly"),
        ("large.wasm", "it has 20971521 bytes, at most 20971520"),
        ("gone.wasm", "cannot read gone.wasm: No such file"),
        ("home", "holds no op.toml, so it is no op; `txco op new` makes one"),
    ] {
        for verb in ["run", "inspect", "push"] {
            let stderr = host.txco(&["op", verb, file]).fails(1);
            assert!(
                stderr.contains(words) && stderr.starts_with(&format!("op {verb}: ")),
                "{verb}: {stderr}"
            );
        }
    }
    host.finish();
}

#[test]
fn a_secret_is_typed_unseen() {
    let mut host = at_rest();
    let call = Call::new(&["op", "run", "handle.wasm", "--input", INPUT]);
    let mut terminal = host.on_terminal(&call);
    terminal.expect("secret for slot key: ").type_in("Jefe\r");
    let output = host.end_of(terminal);
    assert!(!output.stderr.contains("Jefe"), "{}", output.stderr);
    assert!(output.succeeds().contains(MAC));
    let mut terminal = host.on_terminal(&call);
    terminal.expect("secret for slot key: ").type_in("one\rtwo\r");
    let stderr = host.end_of(terminal).fails(1);
    assert!(stderr.contains("--secret-fd key=N") && !stderr.contains("--from-file"), "{stderr}");
    host.finish();
}

#[test]
fn every_name_makes_an_op_and_json_says_what_was_made() {
    let mut host = Host::at_rest(TXCO);
    let made = host.txco(&["op", "new", "OPS/app/100/Acme_Sig", "--lang", "c", "--json"]).succeeds();
    let made: Value = serde_json::from_str(&made).unwrap();
    let rule = "OPS/app/100/Acme_Sig.txcl";
    let folder = "OPS/app/100/Acme_Sig";
    let expected = json!({ "op": "Acme_Sig", "folder": folder, "rule": rule, "secret": "ACME_SIG_KEY" });
    assert_eq!(made, expected);
    assert!(host.read("OPS/app/100/Acme_Sig/op.toml").contains("failures = [\"acme-sig-err\"]"));
    let again = host.txco(&["op", "new", folder, "--json"]);
    let again: Value = serde_json::from_str(&again.stdout).unwrap();
    assert!(again["error"].as_str().unwrap().contains("exists already"), "{again}");
    for verb in ["test", "bench"] {
        let stderr = host.txco(&["op", verb, "nowhere"]).fails(1);
        assert!(stderr.contains("nowhere: there is no such folder"), "{stderr}");
    }
    let stderr = host.txco(&["op", "bench", rule]).fails(1);
    assert!(stderr.contains("it is no folder"), "{stderr}");
    let stderr = host.txco(&["op", "bench", folder, "--fixture", "nope"]).fails(2);
    assert!(stderr.contains("no such fixture; there are: signs"), "{stderr}");
    host.finish();
}

#[test]
fn signing_in_json_says_what_to_trust_and_where_the_signatures_lie() {
    let mut host = at_rest();
    let said = host.txco(&["op", "sign", "--new-key", "key.p8", "sign.wasm", "--json"]).succeeds();
    let said: Value = serde_json::from_str(&said).unwrap();
    assert!(said["trust_key"].as_str().unwrap().starts_with("ed25519:"), "{said}");
    assert_eq!(said["signed"][0]["op"], "hmac-sign");
    assert_eq!(said["signed"][0]["signature"], "sign.wasm.sig");
    assert!(!host.read("sign.wasm.sig").is_empty());
    host.finish();
}

#[test]
fn an_op_is_pushed_only_when_it_is_there_and_json_is_one_document() {
    let mut host = Host::serve(TXCO).start();
    let url = format!("http://{}", host.admin_address());
    for (args, words) in [
        (&["show", "nope"][..], "op_not_found"),
        (&["rm", "nope", "--yes"], "op_not_found"),
        (&["list", "--tenant", "nobody"], "_not_found"),
    ] {
        let args = [&["op"], args, &["--url", &url]].concat();
        let stderr = host.txco(&args).fails(1);
        assert!(stderr.contains(words) && stderr.contains(&format!("op {}: ", args[1])), "{stderr}");
        let output = host.txco(&[&args[..], &["--json"]].concat());
        let said: Value = serde_json::from_str(&output.stdout).expect("one document");
        assert!(said["error"].is_string() && output.code == Some(1), "{said}");
    }
    let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
    bytes.extend(base64(b"x").bytes());
    host.write("odd.wasm", bytes);
    host.txco(&["op", "push", "odd.wasm", "--url", &url]).fails(1);
    let listed = host.txco(&["op", "list", "--url", &url, "--json"]).succeeds();
    assert_eq!(serde_json::from_str::<Value>(&listed).unwrap()["ops"], json!([]));
    host.finish();
}
