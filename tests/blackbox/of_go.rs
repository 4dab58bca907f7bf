//! Who comes from the Go chassis brings its `txco.yaml`, its flags and its variables, and they mean what they meant.

use serde_json::json;
use support::{Call, Host};

use crate::TXCO;

const YAML: &str = "
operations:
  ENRICH:
    url: http://127.0.0.1:1/enrich
targets:
  production:
    chassis: http://localhost:1
    operations:
      ENRICH:
        url: https://enrich.example/v1
";
const RULE: &str = "# op://ENRICH\nEXEC \"op://ENRICH\"\nWITH method = \"PUT\"\n";

/// `txco ARGS…` in the workspace, against this chassis.
fn there(host: &mut Host, args: &[&str]) -> support::Output {
    let call = Call::new(args).env("TXCO_ADMIN_ADDR", &host.admin_address().to_string());
    host.run(&call.arg("--workspace").arg("workspace"))
}

#[test]
fn an_operation_of_the_workspace_is_called_at_its_address() {
    let mut host = Host::serve(TXCO).flags(&["--egress-policy", "open"]).start();
    host.write("workspace/txco.yaml", YAML);
    host.write("workspace/OPS/shop/100/a.txcl", RULE);
    assert_eq!(host.txco(&["lint", "workspace"]).succeeds(), "1 files, 0 errors, 0 warnings\n");
    let said = there(&mut host, &["apply"]).succeeds();
    assert!(said.contains("✓ shop v1 activated (1 files)\n"), "{said}");
    let applied = "# op://ENRICH\nEXEC \"http://127.0.0.1:1/enrich\"\nWITH method = \"PUT\"\n";
    assert_eq!(there(&mut host, &["cat", "shop/100/a.txcl"]).succeeds(), applied);
    assert_eq!(host.event("/", &json!({})).status, 502, "nobody listens at that address");
    // What was applied is what lies here, whichever way one looks.
    assert_eq!(there(&mut host, &["apply"]).succeeds(), "apply: nothing to apply (1 unchanged)\n");
    assert_eq!(there(&mut host, &["diff"]).succeeds(), "no differences\n");
    there(&mut host, &["pull"]).succeeds();
    assert_eq!(host.read("workspace/OPS/shop/100/a.txcl"), RULE);
    // The address of a target comes before that of all.
    let diff = there(&mut host, &["diff", "--target", "production"]).succeeds();
    assert!(diff.contains("+EXEC \"https://enrich.example/v1\""), "{diff}");
    // Parameters are those of a request, not of an op.
    host.write("workspace/OPS/shop/100/a.txcl", "EXEC \"op://ENRICH\" WITH metod = \"PUT\"\n");
    let said = host.txco(&["lint", "workspace"]).fails(1);
    assert!(said.contains("an http request has no parameter metod"), "{said}");
    host.finish();
}

#[test]
fn a_chassis_of_a_workspace_reads_its_operations_too() {
    let mut host =
        Host::dev(TXCO).file("workspace/txco.yaml", YAML).rule("OPS/shop/100/a.txcl", RULE).start();
    assert_eq!(host.event("/", &json!({})).status, 502, "nobody listens at that address");
    host.finish();
}

#[test]
fn switches_times_and_settings_it_does_not_have_are_taken_as_go_writes_them() {
    let flags = [
        "--web-mock-header=false",
        "-require-hostname-verification=False",
        "-op-timeout=1m30s",
        "--smtp-relay=mail.example:25",
        "-tls-cache-dir",
        "./certs",
    ];
    let mut host = Host::serve(TXCO)
        .rule("OPS/shop/10/a.txcl", "EMIT .a = 1\n")
        .flags(&flags)
        .env("TXCO_OP_TIMEOUT_MAX", "1h0m0s")
        .env("TXCO_TRACE_ASYNC", "f")
        .env("TXCO_LMTP_ADDR", ":24")
        .start();
    let log = host.log();
    for setting in ["--smtp-relay", "--tls-cache-dir", "TXCO_LMTP_ADDR"] {
        let told = format!("{setting} is a setting of the Go chassis that this one does not have: ignored");
        assert_eq!(log.matches(&told).count(), 1, "{log}");
    }
    assert_eq!(host.event("/", &json!({})).json()["a"], 1);
    let said = host.txco(&["serve", "--webaddr", ":1"]).fails(2);
    assert!(said.contains("unexpected argument '--webaddr'"), "{said}");
    host.finish();
}

#[test]
fn what_lies_beside_rules_and_is_none_is_told() {
    let mut host = Host::serve(TXCO).start();
    host.write("workspace/OPS/shop/100/a.txcl", "EMIT .a = 1\n");
    host.write("workspace/OPS/shop/FILES/index.html", "<h1>hello</h1>");
    let applied = there(&mut host, &["apply"]);
    assert!(
        applied.stderr.contains("OPS/shop/FILES stays here: this txco has rules only\n"),
        "{}",
        applied.stderr
    );
    assert!(applied.succeeds().contains("✓ shop v1 activated (1 files)\n"));
    for own in ["boot", "boot/x", "_sys/y"] {
        let said = host.txco(&["init", own, "elsewhere"]).fails(2);
        assert!(said.contains("are the chassis's own"), "{own}: {said}");
    }
    host.finish();
}

/// Issue 5 §2: every flag that the Go chassis's commands have is taken, by ours or with exactly one warning.
#[test]
fn every_flag_of_its_commands_is_taken() {
    let mut host = Host::at_rest(TXCO);
    let (mut ours, mut ignored) = (0, 0);
    for line in include_str!("../vectors/cli/flags-of-go.txt").lines().filter(|line| !line.starts_with('#')) {
        let (command, flags) = line.split_once('|').unwrap();
        for flag in flags.split_whitespace() {
            // What is wrong for certain ends the command before it does anything.
            let words: Vec<_> = command.split_whitespace().chain([flag, "--no-such-flag"]).collect();
            let said = host.txco(&words);
            assert_eq!(said.code, Some(2), "{words:?}: {said:?}");
            let name = flag.split('=').next().unwrap();
            let told = said.stderr.matches("of the Go chassis that this one does not have: ignored").count();
            assert!(told <= 1 && said.stderr.contains("'--no-such-flag'"), "{words:?}: {}", said.stderr);
            assert!(!said.stderr.contains(&format!("'{name}'")), "{words:?}: {}", said.stderr);
            if told == 1 {
                ignored += 1;
            } else {
                ours += 1;
            }
        }
    }
    assert!(ours > 150 && ignored > 20, "{ours} flags are ours, and {ignored} are ignored");
    let said = host.txco(&["apply", "nowhere", "--user", "me", "--pass=s3cret", "--no-such-flag"]).stderr;
    assert!(said.contains(
        "--pass is a flag of the Go chassis that this one does not have: ignored; TXCO_ADMIN_USER"
    ));
    assert!(!said.contains("s3cret"), "{said}");
    // What would do harm when it is ignored stays an error.
    for harmful in
        [&["activate", "shop", "--dry-run"][..], &["dev", "--no-chassis"], &["op", "run", "--secret=K=V"]]
    {
        let said = host.txco(harmful).fails(2);
        assert!(said.contains("unexpected argument '--"), "{harmful:?}: {said}");
    }
    host.finish();
}

#[test]
fn stacks_that_a_glob_names_are_skipped() {
    let mut host = Host::serve(TXCO).start();
    for stack in ["shop", "shop-eu", "mail"] {
        host.write(&format!("workspace/OPS/{stack}/100/a.txcl"), "EMIT .a = 1\n");
    }
    let said = there(&mut host, &["apply", "--skip", "shop*", "--skip=x?"]).succeeds();
    assert!(said.contains("✓ mail v1 activated") && !said.contains("shop"), "{said}");
    host.finish();
}
