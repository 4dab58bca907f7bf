//! An operator's own key vouches for ops: `--only-signed` runs no others.

use support::{Call, Host, Output};

use crate::TXCO;
use crate::op_push::AUTH;

fn push(host: &mut Host) -> Output {
    let url = format!("http://{}", host.admin_address());
    host.run(&Call::new(&["op", "push", "auth.wasm", "--url", &url]))
}

fn at_rest() -> Host {
    let host = Host::at_rest(TXCO);
    host.write("auth.wasm", AUTH);
    host
}

#[test]
fn a_signed_op_runs_where_only_signed_ones_do() {
    let mut keys = at_rest();
    let trusted = keys.txco(&["op", "sign", "--new-key", "signing.p8", "auth.wasm"]).succeeds();
    let trusted = trusted.lines().next().unwrap().to_owned();
    assert!(trusted.starts_with("ed25519:"), "{trusted}");
    let signature = keys.read("auth.wasm.sig");
    let again = keys.txco(&["op", "sign", "--key", "signing.p8", "auth.wasm"]).succeeds();
    assert!(again.starts_with("signed basic-auth-encode: auth.wasm.sig"), "{again}");
    assert_eq!(keys.read("auth.wasm.sig"), signature, "Ed25519 signs the same each time");
    let inspected = keys.txco(&["op", "inspect", "auth.wasm"]).succeeds();
    assert!(inspected.contains(&format!("signed by: {trusted}")), "{inspected}");
    keys.txco(&["op", "sign", "--new-key", "signing.p8"]).fails(1);
    std::fs::set_permissions(keys.path("signing.p8"), std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .unwrap();
    let stderr = keys.txco(&["op", "sign", "--key", "signing.p8", "auth.wasm"]).fails(1);
    assert!(stderr.contains("chmod 600"), "{stderr}");
    keys.finish();

    let mut host = Host::serve(TXCO)
        .flags(&["--only-signed", "--op-trust-key", &trusted])
        .file("auth.wasm", AUTH)
        .start();
    let stderr = push(&mut host).fails(1);
    assert!(stderr.contains("it is not signed") && stderr.contains("txco op sign"), "{stderr}");
    host.write("auth.wasm.sig", &signature);
    push(&mut host).succeeds();
    host.write("auth.wasm.sig", signature.replace("ed25519:", "ed25519:A"));
    push(&mut host).fails(1);
    host.finish();
}

#[test]
fn another_key_is_not_trusted() {
    let mut host = Host::with(
        TXCO,
        &["serve", "--web-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0", "--only-signed"],
    )
    .file("auth.wasm", AUTH)
    .start();
    host.txco(&["op", "sign", "--new-key", "signing.p8", "auth.wasm"]).succeeds();
    let stderr = push(&mut host).fails(1);
    assert!(stderr.contains("which no --op-trust-key names"), "{stderr}");
    host.finish();
}

#[test]
fn the_built_in_ops_are_what_their_lock_says() {
    let mut host = Host::at_rest(TXCO);
    let said = host.txco(&["op", "verify"]).succeeds();
    assert!(said.lines().count() >= 2 && said.lines().all(|line| line.ends_with("  as locked")), "{said}");
    let stderr = host.txco(&["op", "verify", "--rebuild"]).fails(1);
    assert!(stderr.contains("is no checkout of txco"), "{stderr}");
    host.finish();
}
