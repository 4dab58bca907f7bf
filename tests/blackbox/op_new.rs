//! From an empty folder to a running signer of one's own: `op new`, `op test`, `dev`.
//!
//! These build for WebAssembly. Where no compiler can (a machine with plain Rust only), they say so and stop
//! there; `.ci/run` installs one first and fails when they stopped.
#![expect(clippy::disallowed_methods, reason = "a compiler needs this machine's own variables")]

use std::time::Duration;

use serde_json::{Value, json};
use support::{Call, Host};

use crate::TXCO;

/// A first build makes the core library too.
const PATIENCE: Duration = Duration::from_secs(900);
/// RFC 4231, test case 2: under the key of the new op's own fixture.
const MAC: &str = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";

/// What a compiler needs of this machine, and a place where what is built is kept.
fn compiler() -> Vec<(&'static str, String)> {
    let own = |name: &'static str| Some((name, std::env::var(name).ok()?));
    let cargo_home = std::env::var("HOME").map(|home| format!("{home}/.cargo")).unwrap_or_default();
    let mut all: Vec<_> = [
        "PATH",
        "RUSTUP_HOME",
        "HTTPS_PROXY",
        "https_proxy",
        "SSL_CERT_FILE",
        "NODE_EXTRA_CA_CERTS",
        "PIP_CERT",
    ]
    .into_iter()
    .filter_map(own)
    .collect();
    all.push(("CARGO_HOME", std::env::var("CARGO_HOME").unwrap_or(cargo_home)));
    all.push(("TXCO_OP_CACHE", format!("{}/ops", env!("CARGO_TARGET_TMPDIR"))));
    all
}

pub(crate) fn building(args: &[&str]) -> Call {
    compiler().iter().fold(Call::new(args).patience(PATIENCE), |call, (name, value)| call.env(name, value))
}

/// Whether this machine can build; says so when it cannot.
fn can_build(host: &mut Host) -> bool {
    host.txco(&["op", "new", "probe"]).succeeds();
    let built = host.run(&building(&["op", "build", "probe"]));
    if built.code != Some(0) && built.stderr.contains("no compiler here makes WebAssembly") {
        Host::say_skipped(&built.stderr);
        return false;
    }
    built.succeeds();
    true
}

#[test]
fn from_an_empty_folder_to_a_signature() {
    let mut builder =
        Host::with(TXCO, &["dev", "workspace", "--web-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"]);
    for (name, value) in compiler() {
        builder = builder.env(name, &value);
    }
    let mut host = builder.at_rest();
    if !can_build(&mut host) {
        return host.finish();
    }
    let made = host.txco(&["op", "new", "workspace/OPS/app/100/my-signer"]).succeeds();
    assert_eq!(made, "made workspace/OPS/app/100/my-signer\nmade workspace/OPS/app/100/my-signer.txcl\n");
    let tested = host.run(&building(&["op", "test", "workspace/OPS/app/100/my-signer"])).succeeds();
    assert_eq!(tested, "ok      signs (use)\n");

    host.start();
    let canary = host.canary("key");
    let call = host.secrets_call(&["set", "MY_SIGNER_KEY"]).stdin(canary.text());
    host.run(&call).succeeds();
    let reply = host.event("/", &json!({ "order": 7 }));
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.json()["signature"], mac(canary.text(), "{\"order\":7}"));

    // An edit is built and taken, a mistake is shown where it is and changes nothing.
    let source = "workspace/OPS/app/100/my-signer/src/lib.rs";
    let good = host.read(source);
    let told =
        host.logs_after("my-signer/src/lib.rs:", |host| host.write(source, good.replace("hex(", "hexx(")));
    assert!(told.contains("-->"), "{told}");
    host.wait_log("the last good ones stay");
    assert_eq!(host.event("/", &json!({})).status, 200);
    host.logs_after("rules reloaded", |host| {
        host.write(source, good.replace("Ok(Signed {", "let _ = 1;\n    Ok(Signed {"));
    });
    assert_eq!(host.event("/", &json!({})).status, 200);
    host.finish();
}

#[test]
fn apply_builds_the_ops_beside_its_rules_and_pushes_them_first() {
    let mut host = Host::serve(TXCO).start();
    if !can_build(&mut host) {
        return host.finish();
    }
    host.txco(&["op", "new", "workspace/OPS/app/100/my-signer"]).succeeds();
    let canary = host.canary("key");
    let call = host.secrets_call(&["set", "MY_SIGNER_KEY"]).stdin(canary.text());
    host.run(&call).succeeds();
    let apply = |host: &mut Host, flags: &[&str]| {
        let call =
            building(&["apply", "workspace"]).env("TXCO_ADMIN_ADDR", &host.admin_address().to_string());
        host.run(&flags.iter().fold(call, |call, flag| call.arg(flag)))
    };
    let dry = apply(&mut host, &["--dry-run"]);
    assert!(dry.stderr.contains("op://my-signer would be pushed"), "{}", dry.stderr);
    assert!(dry.succeeds().contains("· app would be activated"));
    let applied = apply(&mut host, &[]);
    assert!(applied.stderr.contains("op://my-signer pushed"), "{}", applied.stderr);
    let said = applied.succeeds();
    assert!(said.contains("✓ app v1 activated") && said.contains("op://my-signer pinned to "), "{said}");
    let reply = host.event("/", &json!({ "order": 7 }));
    assert_eq!(reply.json()["signature"], mac(canary.text(), "{\"order\":7}"), "{}", reply.text());
    assert_eq!(apply(&mut host, &[]).succeeds(), "apply: nothing to apply (1 unchanged)\n");

    host.finish();
}

#[test]
fn a_built_op_tells_what_it_is_and_names_no_machine() {
    let mut host = Host::at_rest(TXCO);
    if !can_build(&mut host) {
        return host.finish();
    }
    let built = host.run(&building(&["op", "build", "probe", "--json"])).succeeds();
    let built: Value = serde_json::from_str(&built).unwrap();
    assert_eq!(built["builds"][0]["file"], "probe/probe.wasm");
    let size = built["builds"][0]["size"].as_u64().unwrap();
    assert!(size < 20 << 10, "{size} bytes");
    let bytes = std::fs::read(host.path("probe/probe.wasm")).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    for machine in [env!("CARGO_TARGET_TMPDIR"), "/home/", "/root/", "/rustc/"] {
        assert!(!text.contains(machine), "{machine}");
    }
    let shown = host.txco(&["op", "inspect", "probe/probe.wasm"]).succeeds();
    for word in [
        "op:        probe",
        "slots:     key",
        "@computed.signature (digest)",
        "build:     use",
        "limits:    33554432 bytes of memory, 1000 table elements, 250ms",
        "txco:op/keys@1.0.0",
    ] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
    assert!(!shown.contains("txco:op/secrets"), "{shown}");

    // Called by hand: its secret from a variable or a descriptor, never from the command line.
    let run = |args: &[&str]| {
        let call = ["op", "run", "probe/probe.wasm", "--input"]
            .iter()
            .chain(args)
            .fold(Call::new(&[]), |c, a| c.arg(a));
        call.env("FAKE_KEY", "Jefe")
    };
    let input = "{\"body\":\"what do ya want for nothing?\"}";
    let said = host.run(&run(&[input, "--secret-env", "key=FAKE_KEY"])).succeeds();
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["_txc.computed.signature"], json!({ "class": "digest", "value": MAC }));
    let said = host.run(&run(&[input, "--secret-fd", "key=0"]).stdin("Jefe\n")).succeeds();
    assert!(said.contains(MAC), "{said}");
    let stderr = host.run(&run(&[input])).fails(1);
    assert!(stderr.contains("slot key needs a secret"), "{stderr}");
    let stderr = host.run(&run(&[input, "--secret-env", "kee=FAKE_KEY"])).fails(2);
    assert!(stderr.contains("has no slot kee"), "{stderr}");
    let stderr = host.run(&run(&["{}", "--secret-env", "key=FAKE_KEY"])).fails(1);
    assert!(stderr.contains("op_failed") && stderr.contains("nothing to sign"), "{stderr}");

    // A fixture that does not hold is shown with what came out.
    host.write("probe/tests/signs.toml", "[secrets]\nkey = \"Jefe\"\n[input]\nbody = \"x\"\n[[expect]]\npath = \"@computed.signature\"\nvalue = \"00\"\n");
    let failed = host.run(&building(&["op", "test", "probe"]));
    assert!(
        failed.stdout.contains("FAILED  signs (use)") && failed.stdout.contains("[[expect]]"),
        "{failed:?}"
    );
    assert!(failed.fails(1).contains("1 fixture failed"));
    host.write("probe/tests/signs.toml", "fault = \"op_failed\"\n[secrets]\nkey = \"Jefe\"\n");
    host.run(&building(&["op", "test", "probe"])).succeeds();

    let bench = building(&["op", "bench", "probe", "--calls", "5", "--rounds", "2", "--json"]);
    host.write(
        "probe/tests/signs.toml",
        "[secrets]\nkey = \"Jefe\"\n[input]\nbody = \"x\"\n[[expect]]\npath = \"@a\"\nvalue = 1\n",
    );
    let bench: Value = serde_json::from_str(&host.run(&bench).succeeds()).unwrap();
    assert!(bench["builds"][0]["call_us"].as_f64().unwrap() > 0.0, "{bench}");
    host.finish();
}

#[test]
fn without_a_compiler_it_is_said_what_to_install() {
    let mut host = Host::at_rest(TXCO);
    host.txco(&["op", "new", "probe"]).succeeds();
    let call = Call::new(&["op", "build", "probe"]).env("TXCO_OPS_CARGO", "/nowhere/cargo");
    let stderr = host.run(&call).fails(1);
    for line in [
        "rustup target add wasm32-unknown-unknown",
        "apt-get install rustc-web cargo-web rust-web-src lld",
        "/nowhere/cargo: there is no rustc beside it that runs",
    ] {
        assert!(stderr.contains(line), "{line}: {stderr}");
    }
    host.finish();
}

/// Its size is looked at where it is built.
#[test]
fn a_new_signer_has_fewer_than_twenty_lines() {
    let mut host = Host::at_rest(TXCO);
    host.txco(&["op", "new", "probe"]).succeeds();
    let source = host.read("probe/src/lib.rs");
    let lines = source.lines().filter(|line| !line.trim().is_empty() && !line.trim().starts_with("//"));
    let lines: Vec<_> = lines.collect();
    assert!(lines.iter().any(|line| line.contains("key.hmac(")), "{source}");
    assert!(lines.len() < 20, "{} lines", lines.len());
    host.finish();
}

#[test]
fn a_new_op_is_not_made_over_another() {
    let mut host = Host::at_rest(TXCO);
    host.txco(&["op", "new", "probe"]).succeeds();
    assert!(host.txco(&["op", "new", "probe"]).fails(1).contains("exists already"));
    assert!(host.txco(&["op", "new", "a b"]).fails(2).contains("invalid op name"));
    assert!(host.txco(&["op", "new", "x", "--lang", "cobol"]).fails(2).contains("rust, js, c or python"));
    assert!(host.txco(&["op", "build", "home"]).fails(1).contains("no op.toml"));
    host.finish();
}

pub(crate) fn mac(key: &str, text: &str) -> String {
    use hmac::{Hmac, KeyInit, Mac};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}
