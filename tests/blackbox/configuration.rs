//! Every flag has a variable; the flag wins; a mistake is told without repeating the value; help is a file.

use support::{Call, Host, golden};

use crate::{TXCO, golden as file};

const SERVE: [&str; 5] = ["serve", "--web-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"];

#[test]
fn a_flag_wins_over_its_variable() {
    let host = Host::serve(TXCO).env("TXCO_ENV", "fromenv").start();
    assert!(host.path("chassis/data/db/runtime-fromenv.db").is_file());
    host.finish();
    let host = Host::serve(TXCO).env("TXCO_ENV", "fromenv").flags(&["--env", "fromflag"]).start();
    assert!(host.path("chassis/data/db/runtime-fromflag.db").is_file());
    host.finish();
}

#[test]
fn variables_reach_every_kind_of_setting() {
    let mut host = Host::with(TXCO, &["serve"])
        .env("TXCO_WEB_ADDR", "127.0.0.1:0")
        .env("TXCO_ADMIN_ADDR", "127.0.0.1:0")
        .env("TXCO_WORKSPACE", "workspace")
        .env("TXCO_DB_ROOT_DIR", "elsewhere")
        .env("TXCO_TRACE_MODE", "summary")
        .env("TXCO_TRACE_DIR", "traced")
        .rule("OPS/web/100/a.txcl", "EMIT .a = 1\n")
        .start();
    assert_eq!(host.web(&support::Request::new("GET", "/")).status, 200);
    assert!(host.path("elsewhere/runtime-dev.db").is_file());
    assert!(!host.files("traced/requests").is_empty());
    host.finish();
}

#[test]
fn a_wrong_value_is_told_by_place_and_not_repeated() {
    let mut host = Host::at_rest(TXCO);
    let call = Call::new(&SERVE).env("TXCO_OP_TIMEOUT", "s3cret");
    let stderr = host.run(&call).fails(2);
    assert!(stderr.contains("TXCO_OP_TIMEOUT") && !stderr.contains("s3cret"), "{stderr}");
    let stderr = host.run(&Call::new(&SERVE).arg("--egress-allow-cidrs").arg("s3cret")).fails(2);
    assert!(stderr.contains("--egress-allow-cidrs"), "{stderr}");
    let stderr = host.run(&Call::new(&SERVE).arg("--no-such-flag")).fails(2);
    assert!(stderr.contains("--no-such-flag"), "{stderr}");
    host.finish();
}

/// clap would print the values of variables in its help if it read them itself (R34).
#[test]
fn help_shows_no_value_of_the_environment() {
    let mut host = Host::at_rest(TXCO);
    let canary = host.canary("key");
    let call = Call::new(&["serve", "--help"]).env("TXCO_SECRET_MASTER_KEY_B64", canary.text());
    assert!(host.run(&call).succeeds().contains("TXCO_SECRET_MASTER_KEY_B64"));
    host.finish();
}

#[test]
fn help_is_what_its_file_says() {
    let mut host = Host::at_rest(TXCO);
    for (args, name) in [
        (&["--help"][..], "help.txt"),
        (&["serve", "--help"], "help-serve.txt"),
        (&["dev", "--help"], "help-dev.txt"),
        (&["demo", "--help"], "help-demo.txt"),
        (&["trace", "--help"], "help-trace.txt"),
        (&["auth", "secrets", "--help"], "help-auth-secrets.txt"),
        (&["auth", "tenant", "secrets", "--help"], "help-auth-tenant-secrets.txt"),
        (&["auth", "tenant", "secrets", "set", "--help"], "help-auth-tenant-secrets-set.txt"),
    ] {
        golden(&file(name), &host.txco(args).succeeds());
    }
    host.finish();
}

#[test]
fn the_version_is_an_object() {
    let mut host = Host::at_rest(TXCO);
    for args in ["version", "--version"] {
        let version: serde_json::Value = serde_json::from_str(&host.txco(&[args]).succeeds()).expect("JSON");
        assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    }
    host.finish();
}

#[test]
fn an_unknown_word_is_a_usage_error() {
    let mut host = Host::at_rest(TXCO);
    host.txco(&["no-such-word"]).fails(2);
    assert!(host.txco(&[]).succeeds().contains("serve"));
    host.finish();
}

#[test]
fn several_stacks_must_be_told_apart() {
    let mut host = Host::serve(TXCO)
        .rule("OPS/shop/100/a.txcl", "EMIT .stack = \"shop\"\n")
        .rule("OPS/mail/100/a.txcl", "EMIT .stack = \"mail\"\n")
        .at_rest();
    let args = [&SERVE[..], &["--workspace", "workspace"]].concat();
    let stderr = host.txco(&args).fails(1);
    assert!(stderr.contains("shop") && stderr.contains("mail") && stderr.contains("--stack"), "{stderr}");
    host.finish();

    let mut host = Host::serve(TXCO)
        .rule("OPS/shop/100/a.txcl", "EMIT .stack = \"shop\"\n")
        .rule("OPS/mail/100/a.txcl", "EMIT .stack = \"mail\"\n")
        .flags(&["--stack", "mail"])
        .start();
    assert_eq!(host.web(&support::Request::new("GET", "/")).json()["stack"], "mail");
    host.finish();
}
