//! `kill -9`, and a cut of the power, at every change of a file that `auth secrets rotate` and `rewrap` make.

use support::faults::{Fault, From};
use support::{Call, Host};

use crate::TXCO;

/// Does a command with a fault at its first change, its second … until it comes through;
/// tells how often it died. After each death every value opens.
fn until_it_comes_through(host: &mut Host, command: &[&str], fault: fn(u32) -> Fault) -> u32 {
    for n in 1..400 {
        let mut call = Call::new(command);
        for (name, value) in fault(n).environment(From::Start) {
            call = call.env(name, &value);
        }
        let died = host.run(&call);
        let verified = host.txco(&["auth", "secrets", "verify"]).succeeds();
        assert!(verified.starts_with("3 of 3 versions in "), "{command:?} at {n}: {verified}");
        if died.code == Some(0) {
            let _through = died.succeeds();
            return n - 1;
        }
        assert_eq!(died.code, None, "{command:?} at {n} ended by itself: {died:?}");
    }
    panic!("{command:?} never came through");
}

/// Issue 4: rotate-key and rewrap can be killed anywhere. Weakness K2 is closed here too: no
/// moment of a rotation is without a key that a row needs.
#[test]
fn k2_the_keys_can_be_rotated_and_rows_moved_however_often_it_is_killed() {
    let mut host = Host::serve(TXCO).start();
    for name in ["A_KEY", "B_KEY", "C_KEY"] {
        host.store(name);
    }
    host.stop();
    let mut deaths = 0;
    for fault in [Fault::Kill, Fault::Cut] {
        for command in [["auth", "secrets", "rotate"], ["auth", "secrets", "rewrap"]] {
            let died = until_it_comes_through(&mut host, &command, fault);
            assert!(died > 5, "{command:?} made only {died} changes");
            deaths += died;
        }
    }
    assert!(deaths > 60, "killed only {deaths} times");
    // What the dead left are copies of keys: the next rotation that lives removes them.
    host.txco(&["auth", "secrets", "rotate"]).succeeds();
    host.txco(&["auth", "secrets", "rewrap"]).succeeds();
    for folder in ["chassis/data/secrets", "chassis/data/secrets/txco-master.key.d"] {
        let left = host.files(folder).into_iter().filter(|name| name.contains(".txco-key-"));
        assert_eq!(left.collect::<Vec<_>>(), Vec::<String>::new());
    }
    let status = host.txco(&["auth", "secrets", "status", "--json"]).succeeds();
    assert!(status.contains("\"to_rewrap\":0") && status.contains("\"missing\":[]"), "{status}");
    host.start();
    let url = format!("http://{}", host.admin_address());
    let verified = host.txco(&["auth", "audit", "verify", "--url", &url]).succeeds();
    let whole = "chain:  whole\nseals:  all this chassis's\nstate:  explained\n";
    assert!(verified.contains(whole), "{verified}");
    host.finish();
}

/// R36: what is done to the keys on this machine is in the audit.
#[test]
fn what_is_done_to_the_keys_has_its_rows() {
    let mut host = Host::serve(TXCO).start();
    host.store("A_KEY");
    let mut keys = |args: &[&str]| host.txco(&[&["auth", "secrets"], args].concat()).succeeds();
    keys(&["rotate"]);
    keys(&["rewrap"]);
    let recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    keys(&["backup", "--to", "ring.age", "--recipient", recipient]);
    keys(&["restore", "--retired"]);
    let url = format!("http://{}", host.admin_address());
    let list = host.txco(&["auth", "audit", "list", "--action", "keys", "--url", &url]).succeeds();
    let rows: Vec<Vec<&str>> = list.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    let told: Vec<_> = rows.iter().filter(|row| row.len() > 6).map(|row| (row[2], row[4], row[6])).collect();
    let expected = [
        ("chassis", "keys.known", "ok"),
        ("local", "keys.rotate", "ok"),
        ("local", "keys.rewrap", "ok"),
        ("local", "keys.backup", "ok"),
        ("local", "keys.restore", "ok"),
    ];
    assert_eq!(told, expected, "{list}");
    host.txco(&["auth", "audit", "verify", "--url", &url]).succeeds();
    host.finish();
}
