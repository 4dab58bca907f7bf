//! `txco op build` that is broken off: its compiler ends with it, whoever was asked to end, and nothing half is left.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use support::{Call, Host, Signal};

use crate::TXCO;

/// A compiler that starts another program and waits for it, while there is a file `slow`; else
/// it is quick, and what it makes is a component.
const CLANG: &str = r#"#!/bin/sh
[ "$1" = --version ] && { echo "clang of a test"; exit; }
if [ -e FOLDER/slow ]; then
    echo half > half.o
    sleep 3600 & echo "sleeper $!;" >&2
    wait
fi
for made; do :; done
cp FOLDER/made.wasm "$made"
"#;

fn has_ended(process: &str) -> bool {
    fs::read_to_string(format!("/proc/{process}/stat")).map_or(true, |stat| stat.contains(") Z "))
}

#[test]
fn its_compiler_ends_with_it() {
    let mut host = Host::at_rest(TXCO);
    let folder = host.path("").display().to_string();
    for (program, text) in
        [("clang", CLANG.replace("FOLDER", &folder)), ("wasm-ld", "#!/bin/sh\n".to_owned())]
    {
        host.write(&format!("bin/{program}"), text);
        let file = host.path(&format!("bin/{program}"));
        fs::set_permissions(file, Permissions::from_mode(0o755)).unwrap();
    }
    host.write("made.wasm", include_bytes!("../guests/dist/reveal.wasm"));
    host.txco(&["op", "new", "signer", "--lang", "c"]).succeeds();
    let path = format!("{folder}/bin:/usr/bin:/bin");
    let call = Call::new(&["op", "build", "signer"]).env("PATH", &path);
    host.write("slow", "");
    // By Ctrl-C, by whoever asks kindly, by the end of the terminal, and by force.
    for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::KILL] {
        let mut terminal = host.on_terminal(&call);
        terminal.expect(";\r\n");
        let screen = terminal.screen();
        let (_, sleeper) = screen.split_once("sleeper ").unwrap();
        let sleeper = sleeper.split_once(';').unwrap().0;
        assert!(!has_ended(sleeper), "{screen}");
        terminal.signal(signal);
        let ended = host.end_of(terminal);
        assert_eq!((ended.code, ended.stdout.as_str()), (None, ""), "{ended:?}");
        let start = Instant::now();
        while !has_ended(sleeper) {
            assert!(start.elapsed() < Duration::from_secs(10), "{signal:?}: its compiler goes on");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    let left = |folder: &str| fs::read_dir(host.path(folder)).into_iter().flatten().count();
    assert_eq!((left("home/.cache/txco/ops/built"), host.path("signer/signer.wasm").exists()), (0, false));
    // Nothing is in the way of the next.
    fs::remove_file(host.path("slow")).unwrap();
    let built = host.run(&call).succeeds();
    assert!(built.contains("signer/signer.wasm"), "{built}");
    let all = "op.c, op.toml, tests, .gitignore, .txco, and what was made";
    assert_eq!(fs::read_dir(host.path("signer")).unwrap().count(), 6, "{all}");
    host.finish();
}
