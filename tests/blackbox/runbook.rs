//! The operator's runbook, typed in by hand on a terminal, section by section.

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{Canary, Host, Pty};

use crate::TXCO;

/// The chassis as §1 has it: no flag says where anything lies.
fn chassis() -> Host {
    Host::serve(TXCO).start()
}

/// Types a command of the runbook as it stands there, line breaks and all, and waits until
/// standard output has `lines` lines more; gives those.
#[track_caller]
fn types(shell: &mut Pty, command: &str, lines: usize) -> Vec<String> {
    let before = shell.printed().lines().count();
    shell.type_in(command).type_in("\r");
    printed(shell, before, lines)
}

#[track_caller]
fn printed(shell: &Pty, before: usize, lines: usize) -> Vec<String> {
    let start = Instant::now();
    loop {
        let now: Vec<String> = shell.printed().lines().skip(before).map(str::to_owned).collect();
        if now.len() >= lines {
            return now;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "{now:?}\n{}", shell.screen());
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[track_caller]
fn prints(shell: &Pty, text: &str) {
    let start = Instant::now();
    while !shell.printed().contains(text) {
        assert!(start.elapsed() < Duration::from_secs(30), "{}\n{}", shell.printed(), shell.screen());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The same for a command that asks for a value on the way.
#[track_caller]
fn types_with_value(shell: &mut Pty, command: &str, prompt: &str, value: &Canary) -> String {
    let before = shell.printed().lines().count();
    let asked = shell.screen().matches(prompt).count();
    shell.type_in(command).type_in("\r");
    let start = Instant::now();
    while shell.screen().matches(prompt).count() == asked {
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "{prompt:?} is not on the screen: {}",
            shell.screen()
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    shell.type_in(value.text()).type_in("\r");
    printed(shell, before, 1).concat()
}

fn ends(mut host: Host, mut shell: Pty) {
    shell.type_in("exit\r");
    let _shown = host.end_of(shell);
    host.finish();
}

/// A value that was printed once must be nowhere else.
fn shown_once(host: &mut Host, label: &str, value: &str) {
    let canary = Canary::found(label, value.as_bytes());
    host.guard(&canary);
    host.allow(&canary, "stdout", 1);
}

#[test]
fn section_1_bootstrap_and_verify() {
    let mut host = chassis();
    let log = host.log();
    let key = "chassis/data/secrets/txco-master.key";
    for line in [
        "INFO secret store: minted new master key — BACK THIS UP; losing it makes every stored secret unrecoverable path=",
        "INFO secret store enabled path=",
    ] {
        assert!(log.contains(line), "{log}");
    }
    assert!(log.contains("txco-master.key key_version=1"), "{log}");
    assert_eq!(std::fs::metadata(host.path(key)).unwrap().permissions().mode() & 0o777, 0o600);
    let folder = std::fs::metadata(host.path("chassis/data/secrets")).unwrap();
    assert_eq!(folder.permissions().mode() & 0o777, 0o700);

    let mut shell = host.shell();
    let value = types(&mut shell, "txco auth tenant secrets generate PROBE_KEY --tenant default", 1).concat();
    assert!(
        value.len() == 43 && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'),
        "{value}"
    );
    let list = types(&mut shell, "txco auth tenant secrets list --tenant default", 2);
    assert!(list[1].starts_with("PROBE_KEY  -      v1 "), "{list:?}");
    let revoked = types(&mut shell, "txco auth tenant secrets revoke PROBE_KEY --tenant default", 1);
    assert_eq!(revoked, ["revoked PROBE_KEY from tenant \"default\" (name freed for re-creation)"]);
    shown_once(&mut host, "probe", &value);

    // Only the second line on every later boot.
    host.stop();
    let minted = |host: &Host| host.log().matches("minted new master key").count();
    host.start();
    assert_eq!((minted(&host), host.log().matches("secret store enabled").count()), (1, 2));
    ends(host, shell);
}

#[test]
fn section_1_init_refuses_what_would_lose_a_key() {
    let host = chassis();
    let mut shell = host.shell();
    let wrote = types(&mut shell, "txco auth secrets init --path data/secrets/other.key", 2);
    assert_eq!(wrote[0], "wrote master key to data/secrets/other.key (32 bytes, 0600 perms)");
    shell.type_in("txco auth secrets init --path data/secrets/other.key\r");
    shell.expect("already exists; pass --force to replace");
    shell.type_in("txco auth secrets init --path data/secrets\r");
    shell.expect("is a directory").expect("data/secrets/txco-master.key");
    shell.type_in("txco auth secrets init --path data/secrets/other.key --force\r");
    prints(&shell, "Type \"overwrite\" to confirm: ");
    shell.type_in("no\r");
    prints(&shell, "aborted.");
    ends(host, shell);
}

#[test]
fn section_1_a_bad_key_file_turns_the_store_off_and_nothing_else() {
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/100/hello.txcl", "EMIT .hello = true\n")
        .file("chassis/data/secrets/txco-master.key", [7; 31])
        .start();
    let line = host.wait_log("secret store disabled: master key load failed");
    assert!(line.contains("WARN") && line.contains(" path=") && line.contains(" err="), "{line}");
    assert_eq!(host.event("/", &json!({})).json()["hello"], json!(true));
    let said = host.secrets(&["list"]).fails(1);
    assert!(said.contains("503 Service Unavailable: secret_store_unavailable"), "{said}");
    host.finish();
}

#[test]
fn section_2_manage_secrets() {
    let mut host = chassis();
    let mut shell = host.shell();
    types(&mut shell, "txco auth tenant create acme", 4);

    let set = "txco auth tenant secrets set STRIPE_API_KEY \\\r  --tenant acme \\\r  --description \"Stripe live key, rotated 2026-05-20\"";
    let (first, second, third) = (host.canary("first"), host.canary("second"), host.canary("third"));
    let prompt = "value for STRIPE_API_KEY: ";
    let said = types_with_value(&mut shell, set, prompt, &first);
    assert_eq!(said, "created STRIPE_API_KEY (v1) in tenant \"acme\"");
    shell.expect(&format!("received {} bytes", first.text().len()));
    let again = "txco auth tenant secrets set STRIPE_API_KEY --tenant acme";
    let said = types_with_value(&mut shell, again, prompt, &second);
    assert_eq!(said, "rotated STRIPE_API_KEY → v2 in tenant \"acme\"");
    let rotate = "txco auth tenant secrets rotate STRIPE_API_KEY --tenant acme";
    let said = types_with_value(&mut shell, rotate, prompt, &third);
    assert_eq!(said, "rotated STRIPE_API_KEY → v3 in tenant \"acme\"");

    let generate = "txco auth tenant secrets generate WEBHOOK_HMAC \\\r  --tenant acme \\\r  --byte-len 32 \\\r  --description \"Stripe webhook signing\"";
    let minted = types(&mut shell, generate, 1).concat();
    let renewed =
        types(&mut shell, "txco auth tenant secrets rotate WEBHOOK_HMAC --tenant acme --generate", 1)
            .concat();
    assert!(minted.len() == 43 && renewed.len() == 43 && minted != renewed);
    shell.expect("rotated WEBHOOK_HMAC → v2 in tenant \"acme\". The value above is shown ONCE.");

    let list = types(&mut shell, "txco auth tenant secrets list --tenant acme", 3);
    assert!(list[1].starts_with("STRIPE_API_KEY  -      v3"), "{list:?}");
    assert!(list[1].ends_with("Stripe live key, rotated 2026-05-20"), "kept by set: {list:?}");
    let show = types(&mut shell, "txco auth tenant secrets show STRIPE_API_KEY --tenant acme", 9);
    assert!(show[0].ends_with("STRIPE_API_KEY") && show[2].ends_with("v3"), "{show:?}");
    let describe = "txco auth tenant secrets describe STRIPE_API_KEY \\\r  --tenant acme \\\r  --set \"Stripe live key — rotated by alice on 2026-05-20\"";
    let said = types(&mut shell, describe, 1).concat();
    assert_eq!(
        said,
        "updated STRIPE_API_KEY description: \"Stripe live key — rotated by alice on 2026-05-20\""
    );
    types(&mut shell, "txco auth tenant secrets revoke STRIPE_API_KEY --tenant acme", 1);
    let anew = host.canary("anew");
    let said = types_with_value(&mut shell, again, prompt, &anew);
    assert_eq!(said, "created STRIPE_API_KEY (v1) in tenant \"acme\"", "a fresh identity");
    shown_once(&mut host, "minted", &minted);
    shown_once(&mut host, "renewed", &renewed);
    ends(host, shell);
}

#[test]
fn section_5_the_log_reads_as_printed() {
    let mut host = chassis();
    host.store("STRIPE_API_KEY");
    let canary = host.canary("next");
    let rotate = host.secrets_call(&["rotate", "STRIPE_API_KEY"]).stdin(canary.text());
    let line = host.logs_after("action=rotate", |host| drop(host.run(&rotate).succeeds()));
    assert!(
        line.ends_with(
            "INFO secret_action actor_id=open tenant_id=tnt_default secret_name=STRIPE_API_KEY action=rotate outcome=ok"
        ),
        "{line}"
    );
    let line = host.wait_log("audit_head");
    assert!(line.contains("INFO audit_head head=1:"), "{line}");
    host.finish();
}

/// Runs the SQL of §6 as somebody with `sqlite3` would.
fn sql(host: &Host, statements: &str) {
    let database = rusqlite::Connection::open(host.path("chassis/data/db/runtime-dev.db")).unwrap();
    database.busy_timeout(Duration::from_secs(10)).unwrap();
    database.execute_batch(statements).unwrap();
}

#[test]
fn section_6_the_master_key_is_lost() {
    let key = "chassis/data/secrets/txco-master.key";
    // With the optional cleanup, with the other one, and with none.
    for cleanup in [
        "DELETE FROM tenant_secret_versions; DELETE FROM tenant_secrets;",
        "DELETE FROM tenant_secret_versions; UPDATE tenant_secrets SET revoked_at = '2026-11-28T00:00:00Z';",
        "",
    ] {
        let mut host = chassis();
        host.store("STRIPE_API_KEY");
        host.stop();
        std::fs::remove_file(host.path(key)).unwrap();
        host.start();
        assert!(host.log().contains("WARN secret store disabled"), "not minted over: {}", host.log());
        assert!(!host.path(key).exists());

        let mut shell = host.shell();
        types(&mut shell, &format!("txco auth secrets init --path {key}"), 2);
        host.stop();
        host.start();
        assert!(host.log().contains("1 of 1 secrets do not open under"), "{}", host.log());
        sql(&host, cleanup);
        let mut shell_again = host.shell();
        let newly = host.canary("newly issued");
        let set = "txco auth tenant secrets set STRIPE_API_KEY --tenant default";
        let said = types_with_value(&mut shell_again, set, "value for STRIPE_API_KEY: ", &newly);
        let expected =
            if cleanup.is_empty() { "rotated STRIPE_API_KEY → v2" } else { "created STRIPE_API_KEY (v1)" };
        assert!(said.starts_with(expected), "{cleanup}: {said}");

        // What was done by hand is told, until somebody stands for it.
        let url = format!("http://{}", host.admin_address());
        let verify = ["auth", "audit", "verify", "--json", "--url", &url];
        let output = host.txco(&verify);
        let verdict: Value = serde_json::from_str(&output.stdout).unwrap();
        assert_eq!(
            (verdict["ok"] == true, &verdict["wrong"]),
            (cleanup.is_empty(), &Value::Null),
            "{verdict}"
        );
        assert_eq!(verdict["other_keys"].as_object().unwrap().len(), 1, "the lost key's rows: {verdict}");
        host.txco(&["auth", "audit", "accept", "--url", &url]).succeeds();
        host.txco(&verify).succeeds();
        shell.type_in("exit\r");
        let _shown = host.end_of(shell);
        ends(host, shell_again);
    }
}
