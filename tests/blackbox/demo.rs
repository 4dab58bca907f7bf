//! `txco demo` shows the main job in one command, and its exit code can be trusted.

use serde_json::Value;
use support::{Call, Host, golden};

use crate::{TXCO, golden as file};

/// The output without what differs from run to run: times, the request id, the signature, where txco lies.
fn steady(text: &str) -> String {
    let text = text.replace(TXCO, "txco");
    let mut steady = String::new();
    for line in text.lines() {
        let words: Vec<_> = line.split(' ').collect();
        let followed_by_ms =
            |at: usize| words.get(at + 1).is_some_and(|next| next.trim_end_matches(')') == "ms");
        let masked = words.iter().enumerate().map(|(at, word)| match *word {
            _ if followed_by_ms(at) => "…",
            word if word.starts_with("(req_") => "(req_…)",
            word if word.starts_with("sha256=") => "sha256=…",
            word => word,
        });
        steady.push_str(masked.collect::<Vec<_>>().join(" ").trim_end());
        steady.push('\n');
    }
    steady
}

#[test]
fn it_exits_0_and_prints_what_its_file_says() {
    let mut host = Host::at_rest(TXCO);
    let stdout = host.run(&Call::new(&["demo"]).env("NO_COLOR", "1")).succeeds();
    assert!(stdout.lines().count() <= 40, "{} lines", stdout.lines().count());
    let said = stdout.split("NEXT").next().unwrap();
    assert!(said.lines().all(|line| line.chars().count() <= 80), "{stdout}");
    assert!(!stdout.contains('\u{1b}'), "NO_COLOR");
    golden(&file("demo.txt"), &steady(&stdout));
    host.finish();
}

/// `demo` with its folder below the host's own.
fn demo(host: &mut Host, flags: &[&str]) -> support::Output {
    host.write("tmp/here", "");
    let call = flags.iter().fold(Call::new(&["demo"]), |call, flag| call.arg(flag));
    let folder = host.path("tmp");
    host.run(&call.env("TMPDIR", folder.to_str().unwrap()))
}

#[test]
fn json_lists_every_place_searched() {
    let mut host = Host::at_rest(TXCO);
    let json: Value = serde_json::from_str(&demo(&mut host, &["--json"]).succeeds()).expect("JSON");
    let searched = json["searched"].as_array().expect("searched");
    for kind in ["file", "log-stream", "admin-reply", "web-reply", "upstream-reply"] {
        assert!(searched.iter().any(|place| place["kind"] == kind), "{kind}: {searched:?}");
    }
    assert!(searched.iter().all(|place| place["sightings"] == serde_json::json!([])));
    assert_eq!(host.files("tmp"), ["tmp/here"], "nothing is left behind");
    host.finish();
}

/// A search that cannot find anything proves nothing.
#[test]
fn a_planted_secret_is_found_and_exits_3() {
    let mut host = Host::at_rest(TXCO);
    let stdout = demo(&mut host, &["--plant-canary"]);
    assert_eq!(stdout.code, Some(3), "{stdout:?}");
    assert!(stdout.stdout.contains("planted.txt"), "{stdout:?}");
    host.finish();
}

#[test]
fn keep_keeps_the_folder() {
    let mut host = Host::at_rest(TXCO);
    let json: Value = serde_json::from_str(&demo(&mut host, &["--json", "--keep"]).succeeds()).expect("JSON");
    let kept = json["kept"].as_str().expect("the folder");
    assert!(std::path::Path::new(kept).join("db/runtime-dev.db").is_file(), "{kept}");
    host.finish();
}
