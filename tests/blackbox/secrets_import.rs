//! `secrets import --env-file`: all of a dotenv file or nothing of it, each value counted, none shown.

use serde_json::Value;
use support::{Canary, Host};

use crate::TXCO;

#[test]
fn a_file_is_stored_whole_and_counted() {
    let mut host = Host::serve(TXCO).start();
    host.store("OLD");
    let (one, two) = (host.canary("one"), host.canary("two"));
    let escaped = two.text().replace('\\', "\\\\").replace('"', "\\\"");
    let file = format!(
        "# vendors\nOLD={}\nexport PEM=\"-----BEGIN-----\\n{escaped}\\n-----END-----\"\nSPACES=' edge '\n",
        one.text(),
    );
    let call = host.secrets_call(&["import", "--env-file", "-"]).stdin(file);
    let output = host.run(&call);
    let told = "imported 3 values into tenant \"default\": 2 created, 1 rotated\n";
    assert!(output.stderr.ends_with(told), "{output:?}");
    let (first, pem) = (one.text().len(), two.text().len() + 30);
    assert_eq!(
        output.succeeds(),
        format!(
            "rotated OLD (v2), {first} bytes\ncreated PEM (v1), {pem} bytes\ncreated SPACES (v1), 6 bytes\n"
        )
    );
    let log = host.log();
    for name in ["OLD", "PEM", "SPACES"] {
        let line = format!("secret_name={name} action=import outcome=ok");
        assert_eq!(log.matches(&line).count(), 1, "{log}");
    }
    host.finish();
}

#[test]
fn a_wrong_line_stores_nothing_and_is_told_by_its_number() {
    let mut host = Host::serve(TXCO).start();
    let canary = host.canary("value");
    // The file itself is a place where the value stands, twice; it is searched twice.
    host.allow(&canary, "file vendor.env", 4);
    host.write("vendor.env", format!("GOOD={}\nnot an assignment {}\n", canary.text(), canary.text()));
    let call = host.secrets_call(&["import", "--env-file", "vendor.env"]);
    let stderr = host.run(&call).fails(1);
    assert!(
        stderr.ends_with("auth tenant secrets import: vendor.env, line 2: expected NAME=value\n"),
        "{stderr}"
    );
    assert_eq!(host.secrets(&["list"]).succeeds(), "(no secrets in tenant \"default\")\n");
    host.secrets(&["import"]).fails(2);
    host.finish();
}

#[test]
fn over_the_quota_nothing_is_stored_and_the_remedy_is_told() {
    let mut host = Host::serve(TXCO).flags(&["--secrets-max", "2"]).start();
    let values: Vec<Canary> = (0..3).map(|n| host.canary(&format!("{n}"))).collect();
    let file = |count: usize| -> String {
        values.iter().take(count).enumerate().map(|(n, value)| format!("K{n}={}\n", value.text())).collect()
    };
    let call = host.secrets_call(&["import", "--env-file", "-"]).stdin(file(3));
    let stderr = host.run(&call).fails(1);
    assert!(stderr.contains("422 Unprocessable Entity: quota_reached"), "{stderr}");
    assert!(stderr.contains("there may be 2 secrets in a tenant, and this would be more"), "{stderr}");
    assert!(stderr.contains("revoke secrets that nobody uses, or raise --secrets-max"), "{stderr}");
    assert_eq!(host.secrets(&["list"]).succeeds(), "(no secrets in tenant \"default\")\n");

    let call = host.secrets_call(&["import", "--env-file", "-", "--json"]).stdin(file(2));
    let reply: Value = serde_json::from_str(&host.run(&call).succeeds()).unwrap();
    assert_eq!((reply["created"].as_u64(), reply["rotated"].as_u64()), (Some(2), Some(0)));
    assert_eq!(reply["secrets"][1]["name"], "K1");
    let call = host.secrets_call(&["set", "K3"]).stdin(values[2].text());
    assert!(host.run(&call).fails(1).contains("quota_reached"));
    host.finish();
}

#[test]
fn as_many_as_may_be_in_one_step_and_one_more() {
    let mut host = Host::serve(TXCO).start();
    let file = |count: usize| (0..count).map(|n| format!("K{n}=value\n")).collect::<String>();
    let call = host.secrets_call(&["import", "--env-file", "-", "--json"]).stdin(file(1001));
    let said = host.run(&call);
    assert_eq!(said.code, Some(1));
    assert!(said.stdout.contains("has 1001 values; at most 1000 are stored in one step"), "{said:?}");
    let call = host.secrets_call(&["import", "--env-file", "-", "--json"]).stdin(file(1000));
    assert!(host.run(&call).succeeds().contains("\"created\":1000"));
    host.finish();
}

#[test]
fn it_goes_to_no_other_machine_unasked() {
    let mut host = Host::at_rest(TXCO);
    let call = support::Call::new(&["auth", "tenant", "secrets", "import", "--env-file", "-", "--url"])
        .arg("https://chassis.example:8081")
        .stdin("K=value\n");
    let stderr = host.run(&call).fails(1);
    assert!(stderr.contains("refusing to modify non-local chassis https://chassis.example:8081"), "{stderr}");
    host.finish();
}

/// `--secrets-require-policy` holds for imports too: they say none, so only what has a policy
/// already can be imported.
#[test]
fn a_chassis_that_wants_policies_imports_none_without() {
    let mut host = Host::serve(TXCO).flags(&["--secrets-require-policy"]).start();
    let call = host.secrets_call(&["import", "--env-file", "-"]).stdin("K=value\n");
    let stderr = host.run(&call).fails(1);
    assert!(stderr.contains("422 Unprocessable Entity: policy_required"), "{stderr}");
    let call = host.secrets_call(&["set", "K", "--allow-host", "api.example"]).stdin("value");
    host.run(&call).succeeds();
    let call = host.secrets_call(&["import", "--env-file", "-"]).stdin("K=another value\n");
    assert!(host.run(&call).succeeds().contains("K"), "it keeps its policy");
    host.finish();
}
