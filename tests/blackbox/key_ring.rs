//! The master key's life: status, rotate, rewrap, verify, backup and restore, beside a chassis that serves.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use rusqlite::Connection;
use serde_json::{Value, json};
use support::{Call, Host};

use crate::TXCO;

const KEY: &str = "chassis/data/secrets/txco-master.key";
const DATABASE: &str = "chassis/data/db/runtime-dev.db";
const RULE: &str =
    "WITH secrets.key.secret = \"SIGNING_KEY\", input_path = \"body\"\nEXEC \"txco://hmac-sign\"\n";

fn serving() -> Host {
    Host::serve(TXCO).rule("OPS/web/100/sign.txcl", RULE).start()
}

/// `txco auth secrets ARGS…` as typed in the chassis's folder.
#[track_caller]
fn keys(host: &mut Host, args: &[&str]) -> String {
    host.txco(&[&["auth", "secrets"], args].concat()).succeeds()
}

#[track_caller]
fn status(host: &mut Host) -> Value {
    serde_json::from_str(&keys(host, &["status", "--json"])).unwrap()
}

fn states(status: &Value) -> Vec<(String, u64)> {
    let keys = status["keys"].as_array().unwrap();
    keys.iter()
        .map(|key| (key["state"].as_str().unwrap().to_owned(), key["rows"].as_u64().unwrap()))
        .collect()
}

fn of(states: &[(&str, u64)]) -> Vec<(String, u64)> {
    states.iter().map(|(state, rows)| ((*state).to_owned(), *rows)).collect()
}

#[track_caller]
fn signs(host: &mut Host) {
    let reply = host.event("/", &json!("text"));
    assert_eq!(reply.status, 200, "{}", reply.text());
}

/// Weakness K1: there was no rotation; the only "rotate" made every secret unreadable.
#[test]
fn k1_the_key_is_rotated_and_the_secrets_move_while_the_chassis_serves() {
    let mut host = serving();
    host.store("SIGNING_KEY");
    signs(&mut host);
    let before = status(&mut host);
    assert_eq!((states(&before), &before["to_rewrap"]), (of(&[("active", 1)]), &json!(0)));

    let said = keys(&mut host, &["rotate"]);
    assert!(
        said.contains("seals from now on") && said.contains("next: txco auth secrets rewrap   (1 rows"),
        "{said}"
    );
    signs(&mut host);
    // The running chassis seals under the new key from its next write on.
    host.store("AFTER_THE_ROTATION");
    assert_eq!(states(&status(&mut host)), of(&[("active", 1), ("opens", 1)]));

    let said = keys(&mut host, &["rewrap"]);
    assert!(said.starts_with("1 rows moved to key "), "{said}");
    signs(&mut host);
    let after = status(&mut host);
    assert_eq!((states(&after), &after["to_rewrap"]), (of(&[("active", 2), ("opens", 0)]), &json!(0)));
    assert!(keys(&mut host, &["verify"]).starts_with("2 of 2 versions in "));
    assert!(keys(&mut host, &["rewrap"]).contains("nothing to do"));

    // Nothing needs the old key any more.
    host.stop();
    let old = after["keys"][1]["file"].as_str().unwrap();
    fs::rename(host.path(old), host.path("old.key")).unwrap();
    host.start();
    signs(&mut host);
    assert!(!host.log().contains("do not open"), "{}", host.log());
    // What ops were compiled to lay there under the old key: one line in all.
    let log = host.log();
    let told: Vec<_> =
        log.lines().filter(|line| line.contains("WARN") && line.contains("compiled")).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("removed=") && told[0].contains("another master key"), "{told:?}");
    assert!(log.lines().rfind(|line| line.contains("ops ready")).unwrap().contains("cached=0"), "{log}");
    host.finish();
}

#[test]
fn a_chassis_that_reads_a_rewrapped_row_first_reads_the_ring_again() {
    let mut host = serving();
    host.store("SIGNING_KEY");
    keys(&mut host, &["rotate"]);
    keys(&mut host, &["rewrap"]);
    signs(&mut host);
    host.wait_log("key ring read again");
    host.finish();
}

#[test]
fn sighup_reads_the_ring_again() {
    let mut host = serving();
    host.store("SIGNING_KEY");
    keys(&mut host, &["rotate"]);
    let line = host.logs_after("secret store: all 1 secrets open", |host| {
        host.signal(rustix::process::Signal::HUP);
    });
    assert!(line.contains("under the 2 keys of the ring"), "{line}");
    host.finish();
}

#[test]
fn keys_lie_where_they_should_and_are_private() {
    let mut host = serving();
    keys(&mut host, &["rotate"]);
    let files = host.files(&format!("{KEY}.d"));
    let keys: Vec<_> = files.iter().filter(|file| file.ends_with(".key")).collect();
    assert_eq!(keys.len(), 2, "{files:?}");
    let active = fs::read(host.path(KEY)).unwrap();
    assert!(keys.iter().any(|key| fs::read(host.path(key)).unwrap() == active));
    for file in keys.into_iter().chain([&KEY.to_owned()]) {
        assert_eq!(host.path(file).metadata().unwrap().permissions().mode() & 0o7777, 0o600, "{file}");
    }
    assert_eq!(host.path(&format!("{KEY}.d")).metadata().unwrap().permissions().mode() & 0o777, 0o700);
    host.finish();
}

#[test]
fn verify_reports_the_first_row_that_does_not_open() {
    let mut host = serving();
    host.store("SIGNING_KEY");
    host.store("DAMAGED");
    let flip = "UPDATE tenant_secret_versions SET ciphertext = zeroblob(40) WHERE secret_id =
                (SELECT secret_id FROM tenant_secrets WHERE name = 'DAMAGED')";
    Connection::open(host.path(DATABASE)).unwrap().execute(flip, []).unwrap();
    let output = host.txco(&["auth", "secrets", "verify"]);
    assert!(output.stdout.starts_with("1 of 2 versions in "), "{output:?}");
    let stderr = output.fails(1);
    assert_eq!(
        stderr,
        "auth secrets verify: 1 row does not open: DAMAGED v1 of tenant \"default\": it does not authenticate \
         under the master key; set the secret again, or restore the database from a backup\n"
    );
    host.finish();
}

/// Weaknesses K2 and K4: a lost key is neither minted over nor the end.
#[test]
fn k4_a_backup_brings_a_lost_key_back() {
    let mut host = serving();
    host.store("SIGNING_KEY");
    keys(&mut host, &["rotate"]);
    let identity = age::x25519::Identity::generate();
    host.write("identity.txt", age::secrecy::ExposeSecret::expose_secret(&identity.to_string()));
    let recipient = identity.to_public().to_string();
    let said = keys(&mut host, &["backup", "--to", "ring.age", "--recipient", &recipient]);
    assert!(said.starts_with("wrote ring.age with keys "), "{said}");
    assert_eq!(host.path("ring.age").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let again = host.txco(&["auth", "secrets", "backup", "--to", "ring.age", "--recipient", &recipient]);
    assert!(again.fails(1).contains("is there already"));

    host.stop();
    let lost = host.files("chassis/data/secrets");
    for file in &lost {
        fs::remove_file(host.path(file)).unwrap();
    }
    host.start();
    host.wait_log("WARN secret store disabled: master key load failed");
    assert_eq!(host.event("/", &json!("text")).status, 503);
    host.stop();
    let missing = host.txco(&["auth", "secrets", "restore", "--from", "ring.age"]);
    assert!(missing.fails(1).contains("give the identity with --identity FILE"));
    let said = keys(&mut host, &["restore", "--from", "ring.age", "--identity", "identity.txt"]);
    assert!(said.contains("is the active one"), "{said}");
    host.start();
    signs(&mut host);
    assert!(keys(&mut host, &["verify"]).starts_with("1 of 1 "));
    host.finish();
}

#[test]
fn a_backup_by_passphrase_is_typed_twice_and_opens_by_it() {
    let mut host = Host::serve(TXCO).start();
    host.store("ANY");
    let call = Call::new(&["auth", "secrets", "backup", "--to", "ring.age"]);
    let mut terminal = host.on_terminal(&call);
    terminal.expect("passphrase for the backup: ").type_in("correct horse\r");
    terminal.expect("the same again: ").type_in("correct horse\r");
    host.end_of(terminal).succeeds();

    host.stop();
    let key = fs::read(host.path(KEY)).unwrap();
    fs::remove_file(host.path(KEY)).unwrap();
    let call = Call::new(&["auth", "secrets", "restore", "--from", "ring.age"]);
    let mut terminal = host.on_terminal(&call);
    terminal.expect("passphrase of ring.age: ").type_in("correct house\r");
    let refused = host.end_of(terminal);
    assert!(refused.stderr.contains("does not open with that passphrase"), "{}", refused.stderr);
    refused.fails(1);
    assert!(!host.path(KEY).exists());
    let mut terminal = host.on_terminal(&call);
    terminal.expect("passphrase of ring.age: ").type_in("correct horse\r");
    host.end_of(terminal).succeeds();
    assert_eq!(fs::read(host.path(KEY)).unwrap(), key);

    // A ring that lay sealed is restored sealed by who says so; the backup does not know.
    for name in ["chassis/data/secrets/txco-master.key", "chassis/data/secrets/txco-master.key.d"] {
        fs::rename(host.path(name), host.path(&format!("{name}.old"))).unwrap();
    }
    let mut terminal = host.on_terminal(&call.clone().arg("--sealed"));
    terminal.expect("passphrase for the master key: ").type_in("battery staple\r");
    terminal.expect("the same again: ").type_in("battery staple\r");
    terminal.expect("passphrase of ring.age: ").type_in("correct horse\r");
    host.end_of(terminal).succeeds();
    assert!(fs::read(host.path(KEY)).unwrap().starts_with(b"txco-sealed-key/1"));
    let again = host.run(&call.arg("--sealed"));
    assert!(again.stderr.contains("is sealed by a passphrase"), "{}", again.stderr);
    let mut terminal = host.on_terminal(&Call::new(&["auth", "secrets", "verify"]));
    terminal.expect("passphrase of ./chassis").type_in("battery staple\r");
    let said = host.end_of(terminal).succeeds();
    assert!(said.contains("1 of 1 versions"), "{said}");
    // What this test moved away is the key as it was, in the clear.
    fs::remove_file(host.path("chassis/data/secrets/txco-master.key.old")).unwrap();
    fs::remove_dir_all(host.path("chassis/data/secrets/txco-master.key.d.old")).unwrap();
    host.finish();
}

#[test]
fn two_different_passphrases_and_a_short_one_write_nothing() {
    let mut host = Host::serve(TXCO).start();
    for (first, second, said) in
        [("correct horse", Some("correct house"), "not the same"), ("short", None, "at least 8 characters")]
    {
        let call = Call::new(&["auth", "secrets", "backup", "--to", "ring.age"]);
        let mut terminal = host.on_terminal(&call);
        terminal.expect("passphrase for the backup: ").type_in(first).type_in("\r");
        if let Some(second) = second {
            terminal.expect("the same again: ").type_in(second).type_in("\r");
        }
        let output = host.end_of(terminal);
        assert!(output.stderr.contains(said), "{}", output.stderr);
        output.fails(1);
        assert!(!host.path("ring.age").exists());
    }
    host.finish();
}

/// Weakness K2: `init --force` removed the old key before it had a new one.
#[test]
fn k2_a_key_that_was_replaced_comes_back() {
    let mut host = serving();
    host.store("SIGNING_KEY");
    host.stop();
    let call =
        Call::new(&["auth", "secrets", "init", "--path", KEY, "--force", "--json"]).stdin("overwrite\n");
    let said: Value = serde_json::from_str(&host.run(&call).succeeds()).unwrap();
    assert!(said["old_key"].as_str().unwrap().contains("retired-"), "{said}");
    let now = status(&mut host);
    assert_eq!(states(&now), of(&[("active", 0), ("retired", 1)]));
    // What is set aside and still needed belongs into a backup, and no rewrap opens it.
    assert_eq!((&now["to_rewrap"], now["backup_must_hold"].as_array().unwrap().len()), (&json!(0), 2));
    let said = keys(&mut host, &["status"]);
    assert!(said.contains("`txco auth secrets restore --retired` takes them back"), "{said}");
    assert!(!said.contains("rewrap"), "{said}");
    let verify = host.txco(&["auth", "secrets", "verify"]).fails(1);
    assert!(verify.contains("or `--retired` when it was set aside here"), "{verify}");
    host.start();
    host.wait_log("1 of 1 secrets do not open");
    assert_eq!(host.event("/", &json!("text")).status, 500);

    // Beside the running chassis: the next request that needs the key has it.
    let said = keys(&mut host, &["restore", "--retired"]);
    assert!(said.starts_with("restored into the ring: "), "{said}");
    std::thread::sleep(std::time::Duration::from_millis(1100));
    signs(&mut host);
    assert_eq!(states(&status(&mut host)), of(&[("active", 0), ("opens", 1)]));
    keys(&mut host, &["rewrap"]);
    assert_eq!(states(&status(&mut host)), of(&[("active", 1), ("opens", 0)]));
    host.finish();
}

#[test]
fn status_is_a_table_and_says_what_a_backup_must_hold() {
    let mut host = serving();
    host.store("SIGNING_KEY");
    keys(&mut host, &["rotate"]);
    let said = keys(&mut host, &["status"]);
    let lines: Vec<_> = said.lines().collect();
    assert!(lines[0].ends_with(KEY) && lines[1].ends_with(DATABASE), "{said}");
    let header: Vec<_> = lines[3].split_whitespace().collect();
    assert_eq!(header, ["KEY", "STATE", "ROWS", "SECRETS", "FILE"]);
    let old: Vec<_> = lines[5].split_whitespace().collect();
    assert_eq!(old[1..4], ["opens", "1", "1"]);
    let backup = lines.last().unwrap();
    assert!(backup.starts_with("a backup must hold: ") && backup.contains(old[0]), "{said}");
    host.finish();
}

#[test]
fn commands_without_keys_or_database_say_so_and_make_neither() {
    let mut host = Host::at_rest(TXCO);
    let stderr = host.txco(&["auth", "secrets", "status"]).fails(1);
    assert!(stderr.starts_with("auth secrets status: secrets: master key file does not exist: "), "{stderr}");
    host.txco(&["auth", "secrets", "init", "--path", KEY]).succeeds();
    assert!(keys(&mut host, &["status"]).contains("(not there yet)"));
    let stderr = host.txco(&["auth", "secrets", "verify"]).fails(1);
    assert!(stderr.contains("there is no database ./chassis/data/db/runtime-dev.db; say where"), "{stderr}");
    assert!(!host.path("chassis/data/db").exists());
    let stderr = host.txco(&["auth", "secrets", "restore"]).fails(2);
    assert!(stderr.contains("--from"), "{stderr}");
    host.finish();
}

#[test]
fn a_rewrap_on_a_terminal_shows_how_far_it_is() {
    let mut host = serving();
    for n in 0..30 {
        host.store(&format!("KEY_{n}"));
    }
    keys(&mut host, &["rotate"]);
    let call = Call::new(&["auth", "secrets", "rewrap", "--batch", "2", "--rate", "40"]);
    let mut terminal = host.on_terminal(&call);
    terminal.expect("of 30 rows");
    assert!(host.end_of(terminal).succeeds().starts_with("30 rows moved to key "));
    host.finish();
}

#[test]
fn dev_finds_the_keys_of_a_workspace() {
    let mut host = Host::dev(TXCO).rule("OPS/web/100/sign.txcl", RULE).start();
    let said = keys(&mut host, &["status", "--dev=workspace"]);
    assert!(said.contains(".txco/dev/secrets/txco-dev-master.key"), "{said}");
    assert!(said.contains(".txco/dev/db/runtime-dev.db"), "{said}");
    host.finish();
}

/// Weakness A11: documents drift from the program. Every command of the operator's page is one.
#[test]
fn a11_the_commands_of_the_operators_page_exist() {
    let page = include_str!("../../host/docs/keys.md");
    let mut host = Host::at_rest(TXCO);
    let mut seen = 0;
    for line in page.lines().filter(|line| line.starts_with("txco ")) {
        let words = line.split('#').next().unwrap().split(" < ").next().unwrap().split_whitespace().skip(1);
        let mut args: Vec<&str> = words.take_while(|word| !word.contains('<')).collect();
        args.push("--help");
        host.txco(&args).succeeds();
        seen += 1;
    }
    assert!(seen >= 10, "{seen} commands");
    host.finish();
}
