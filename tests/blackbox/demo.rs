//! `txco demo` shows the main job in one command, and its exit code can be trusted.

use serde_json::Value;
use support::{Call, Host, golden};

use crate::{TXCO, golden as file};

/// What differs from run to run: ids, times, ports, folders, digests.
fn steady(text: &str) -> String {
    let mut steady = String::new();
    for line in text.lines() {
        let words: Vec<_> = line.split(' ').map(|word| if varies(word) { "…" } else { word }).collect();
        steady.push_str(words.join(" ").trim_end());
        steady.push('\n');
    }
    steady
}

fn varies(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    word.contains("req_")
        || word.contains("/tmp")
        || word.contains("127.0.0.1:")
        || digits * 3 > word.len()
        || word.len() > 40
}

#[test]
fn it_exits_0_and_prints_what_its_file_says() {
    let mut host = Host::at_rest(TXCO);
    let stdout = host.run(&Call::new(&["demo"]).env("NO_COLOR", "1")).succeeds();
    assert!(stdout.lines().count() <= 40, "{} lines", stdout.lines().count());
    assert!(stdout.lines().all(|line| line.chars().count() <= 80), "{stdout}");
    assert!(!stdout.contains('\u{1b}'), "NO_COLOR");
    assert!(stdout.contains("0 of "), "{stdout}");
    golden(&file("demo.txt"), &steady(&stdout));
    host.finish();
}

#[test]
fn json_lists_every_place_searched() {
    let mut host = Host::at_rest(TXCO);
    let json: Value = serde_json::from_str(&host.txco(&["demo", "--json"]).succeeds()).expect("JSON");
    let searched = json["searched"].as_array().expect("searched");
    assert!(searched.len() > 10, "{searched:?}");
    host.finish();
}

#[test]
fn keep_keeps_the_folder_and_nothing_in_it_is_a_secret() {
    let mut host = Host::at_rest(TXCO);
    let json: Value =
        serde_json::from_str(&host.txco(&["demo", "--json", "--keep"]).succeeds()).expect("JSON");
    let folder = json.to_string();
    assert!(folder.contains("folder") || folder.contains("directory") || folder.contains("kept"), "{json}");
    host.finish();
}
