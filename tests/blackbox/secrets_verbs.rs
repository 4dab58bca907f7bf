//! The verbs of `txco auth tenant secrets` print what their manual says, and never a value unasked.

use support::{Canary, Host};

use crate::TXCO;

/// Weakness A10: the verbs have tests, all of this file and of `values.rs`.
#[test]
fn set_creates_and_then_rotates() {
    let mut host = Host::serve(TXCO).start();
    for (label, version, expected) in [
        ("first", 1, "created STRIPE_API_KEY (v1) in tenant \"default\"\n"),
        ("second", 2, "rotated STRIPE_API_KEY → v2 in tenant \"default\"\n"),
    ] {
        let canary = host.canary(label);
        let call = host.secrets_call(&["set", "STRIPE_API_KEY"]).stdin(canary.text());
        assert_eq!(host.run(&call).succeeds(), expected, "version {version}");
    }
    host.finish();
}

#[test]
fn flags_stand_before_or_after_the_name() {
    let mut host = Host::serve(TXCO).start();
    let canary = host.canary("value");
    let call = host.secrets_call(&["set", "--description", "first", "A_KEY"]).stdin(canary.text());
    host.run(&call).succeeds();
    let call = host.secrets_call(&["set", "B_KEY", "--description", "second"]).stdin("another value");
    host.run(&call).succeeds();
    let list = host.secrets(&["list"]).succeeds();
    assert!(list.contains("first") && list.contains("second"), "{list}");
    host.finish();
}

/// Weakness S1: what is shown is what is stored and used.
#[test]
fn generate_prints_the_value_once_and_stores_it() {
    let mut host = Host::serve(TXCO).start();
    let output = host.secrets(&["generate", "WEBHOOK_HMAC", "--byte-len", "48", "--description", "signing"]);
    let told = "generated WEBHOOK_HMAC (v1) in tenant \"default\". The value above is shown ONCE — rotate to see again.\n";
    assert!(output.stderr.ends_with(told), "{output:?}");
    let value = output.succeeds();
    assert_eq!(value.trim_end().len(), 64, "48 bytes");
    let canary = Canary::found("generated", value.trim_end().as_bytes());
    host.guard(&canary);
    host.allow(&canary, "stdout", 1);
    host.secrets(&["show", "WEBHOOK_HMAC"]).succeeds();
    host.finish();
}

#[test]
fn generate_refuses_lengths_that_are_none() {
    let mut host = Host::serve(TXCO).start();
    for length in ["4097", "-1", "x"] {
        let output = host.secrets(&["generate", "A_KEY", "--byte-len", length]);
        assert!(matches!(output.code, Some(1 | 2)), "{output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
    }
    host.finish();
}

#[test]
fn rotate_takes_a_value_or_mints_one() {
    let mut host = Host::serve(TXCO).start();
    host.store("A_KEY");
    let canary = host.canary("second");
    let call = host.secrets_call(&["rotate", "A_KEY"]).stdin(canary.text());
    assert_eq!(host.run(&call).succeeds(), "rotated A_KEY → v2 in tenant \"default\"\n");

    let output = host.secrets(&["rotate", "A_KEY", "--generate"]);
    assert!(
        output.stderr.ends_with("rotated A_KEY → v3 in tenant \"default\". The value above is shown ONCE.\n"),
        "{output:?}"
    );
    let value = output.succeeds();
    assert_eq!(value.trim_end().len(), 43);
    let canary = Canary::found("generated", value.trim_end().as_bytes());
    host.guard(&canary);
    host.allow(&canary, "stdout", 1);
    host.finish();
}

#[test]
fn rotate_of_nothing_fails() {
    let mut host = Host::serve(TXCO).start();
    let call = host.secrets_call(&["rotate", "NO_SUCH"]).stdin("some value");
    let stderr = host.run(&call).fails(1);
    assert!(stderr.contains("auth tenant secrets rotate: 404 Not Found: secret_not_found"), "{stderr}");
    host.finish();
}

#[test]
fn list_is_a_table_and_show_its_lines() {
    let mut host = Host::serve(TXCO).start();
    assert_eq!(host.secrets(&["list"]).succeeds(), "(no secrets in tenant \"default\")\n");
    host.store("B_KEY");
    host.store("A_KEY");
    let list = host.secrets(&["list"]).succeeds();
    let lines: Vec<_> = list.lines().collect();
    let columns: Vec<_> = lines[0].split_whitespace().collect();
    assert_eq!(columns, ["NAME", "STACK", "VERSION", "CREATED_AT", "LAST_ROTATED", "POLICY", "DESCRIPTION"]);
    assert!(lines[1].starts_with("A_KEY  -      v1       2"), "{list}");
    assert!(lines[2].starts_with("B_KEY  -      v1       2") && lines.len() == 3, "{list}");

    let show = host.secrets(&["show", "A_KEY"]).succeeds();
    let labels: Vec<_> = show.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    let expected = [
        "name:",
        "stack:",
        "version:",
        "key_version:",
        "description:",
        "created_at:",
        "created_by:",
        "last_rotated:",
        "secret_id:",
        "policy:",
        "key_encoding:",
        "expires_at:",
        "retiring:",
        "versions:",
        "uses:",
    ];
    assert_eq!(labels, expected);
    assert!(show.starts_with("name:           A_KEY\nstack:          -\nversion:        v1\n"), "{show}");
    host.finish();
}

#[test]
fn describe_changes_the_description_and_not_the_version() {
    let mut host = Host::serve(TXCO).start();
    host.store("A_KEY");
    let text = "Stripe live key — rotated by alice";
    let described = host.secrets(&["describe", "A_KEY", "--set", text]).succeeds();
    assert_eq!(described, format!("updated A_KEY description: \"{text}\"\n"));
    let show = host.secrets(&["show", "A_KEY"]).succeeds();
    assert!(show.contains(text) && show.contains("version:        v1\n"), "{show}");
    host.secrets(&["describe", "A_KEY", "--set="]).succeeds();
    assert!(host.secrets(&["show", "A_KEY"]).succeeds().contains("description:    -\n"));
    host.secrets(&["describe", "A_KEY"]).fails(2);
    host.finish();
}

#[test]
fn revoke_frees_the_name() {
    let mut host = Host::serve(TXCO).start();
    host.store("A_KEY");
    let revoked = host.secrets(&["revoke", "A_KEY"]).succeeds();
    assert_eq!(revoked, "revoked A_KEY from tenant \"default\" (name freed for re-creation)\n");
    let stderr = host.secrets(&["show", "A_KEY"]).fails(1);
    assert!(stderr.contains("404 Not Found: secret_not_found"), "{stderr}");
    let canary = host.canary("again");
    let call = host.secrets_call(&["set", "A_KEY"]).stdin(canary.text());
    assert_eq!(host.run(&call).succeeds(), "created A_KEY (v1) in tenant \"default\"\n");
    host.finish();
}

#[test]
fn a_stack_has_secrets_of_its_own() {
    let mut host = Host::serve(TXCO).start();
    host.store("A_KEY");
    let canary = host.canary("of the stack");
    let call = host.secrets_call(&["set", "A_KEY", "--stack", "shop/eu"]).stdin(canary.text());
    assert_eq!(host.run(&call).succeeds(), "created A_KEY (v1) in tenant \"default\"\n");
    let show = host.secrets(&["show", "A_KEY", "--stack", "shop/eu"]).succeeds();
    assert!(show.contains("stack:          shop/eu\n"), "{show}");
    assert_eq!(host.secrets(&["list"]).succeeds().lines().count(), 3);
    host.finish();
}

#[test]
fn an_empty_value_is_none() {
    let mut host = Host::serve(TXCO).start();
    for input in ["", "\n"] {
        let call = host.secrets_call(&["set", "A_KEY"]).stdin(input);
        let stderr = host.run(&call).fails(1);
        assert!(stderr.contains("empty secret on stdin"), "{stderr}");
    }
    assert_eq!(host.secrets(&["list"]).succeeds(), "(no secrets in tenant \"default\")\n");
    host.finish();
}

#[test]
fn wrong_names_and_verbs_are_told() {
    let mut host = Host::serve(TXCO).start();
    let call = host.secrets_call(&["set", "not a name"]).stdin("some value");
    let stderr = host.run(&call).fails(1);
    assert!(stderr.contains("auth tenant secrets set: invalid secret name \"not a name\""), "{stderr}");
    let stderr = host.txco(&["auth", "tenant", "secrets", "set"]).fails(2);
    assert!(stderr.contains("auth tenant secrets set: NAME is required"), "{stderr}");
    let stderr = host.txco(&["auth", "tenant", "secrets", "reveal", "A_KEY"]).fails(2);
    assert!(stderr.contains("auth tenant secrets: unknown subcommand \"reveal\""), "{stderr}");
    let stderr = host.secrets(&["list", "--tenant", "nobody"]).fails(1);
    assert!(stderr.contains("404 Not Found: tenant_not_found"), "{stderr}");
    host.finish();
}

#[test]
fn no_chassis_is_told_with_its_address() {
    let mut host = Host::at_rest(TXCO);
    let stderr = host.txco(&["auth", "tenant", "secrets", "list", "--url", "http://127.0.0.1:9"]).fails(1);
    assert!(
        stderr.contains(
            "can't connect to chassis at http://127.0.0.1:9: connection refused — is the chassis running?"
        ),
        "{stderr}"
    );
    host.finish();
}

#[test]
fn a_value_never_goes_over_plain_http_to_another_machine() {
    let mut host = Host::at_rest(TXCO);
    let canary = host.canary("value");
    let call = support::Call::new(&["auth", "tenant", "secrets", "set", "A_KEY", "--yes"])
        .arg("--url")
        .arg("http://chassis.example:8081")
        .stdin(canary.text());
    let stderr = host.run(&call).fails(1);
    assert!(stderr.contains("http"), "{stderr}");
    assert!(!stderr.contains("can't connect"), "it did not even try: {stderr}");
    host.finish();
}
