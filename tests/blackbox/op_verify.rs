//! `txco op verify --rebuild`: the built-in ops are what their sources make, and what they are not is said by name.
//!
//! The one test that compiles says SKIPPED and stops where no compiler can, or another one than the lock file's would.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use support::Host;

use crate::TXCO;
use crate::op_new::building;

/// It makes the core library and all ops twice, on one core where others are busy.
const PATIENCE: Duration = Duration::from_secs(2400);

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn their_sources_make_the_same_bytes() {
    let mut host = Host::at_rest(TXCO);
    let call = building(&["op", "verify", "--rebuild", "--source"]).arg(&root().display().to_string());
    let output = host.run(&call.env("RUSTUP_HOME", &rustup_home()).patience(PATIENCE));
    let skip = ["no cargo with the source of the core library", "only that one makes the same bytes"];
    if skip.iter().any(|words| output.stderr.contains(words)) {
        Host::say_skipped(&output.stderr);
        return host.finish();
    }
    let said = output.succeeds();
    assert!(said.lines().count() >= 14, "{said}");
    assert!(said.lines().all(|line| line.ends_with("  as locked, and as its source makes it")), "{said}");
    host.finish();
}

/// Where rustup has its compilers, of which one makes the tool that makes components.
#[expect(clippy::disallowed_methods, reason = "a compiler needs this machine's own variables")]
fn rustup_home() -> String {
    let own = std::env::var("HOME").map(|home| format!("{home}/.rustup")).unwrap_or_default();
    std::env::var("RUSTUP_HOME").unwrap_or(own)
}

/// A checkout whose script does this with the folder that it is told; `$dist` has what is committed.
fn checkout(host: &Host, does: &str) {
    let dist = root().join("builtin-ops/dist");
    host.write("checkout/builtin-ops/dist/lock.toml", fs::read(dist.join("lock.toml")).unwrap());
    let script = format!("#!/bin/sh\nset -e\ndist='{}'\ncp \"$dist\"/* \"$2\"\n{does}\n", dist.display());
    host.write("checkout/builtin-ops/build", script);
    let path = host.path("checkout/builtin-ops/build");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn what_differs_is_told_by_name() {
    let mut host = Host::at_rest(TXCO);
    let args =
        |more: &[&'static str]| [&["op", "verify", "--rebuild", "--source", "checkout"], more].concat();

    checkout(&host, "");
    let said = host.run(&building(&args(&[]))).succeeds();
    assert!(said.contains("totp.use.wasm  sha256:") && !said.contains("NOT"), "{said}");

    checkout(&host, "printf x >>\"$2/totp.use.wasm\"");
    let output = host.run(&building(&args(&[])));
    let lines: Vec<_> =
        output.stdout.lines().filter(|line| line.contains("NOT what its source made here")).collect();
    assert!(lines.len() == 1 && lines[0].starts_with("totp.use.wasm  "), "{}", output.stdout);
    assert!(output.fails(1).contains("totp.use.wasm: the source makes other bytes"));
    let output = host.run(&building(&args(&["--json"])));
    let records: Value = serde_json::from_str(&output.stdout).unwrap();
    let differing = records["ops"].as_array().unwrap().iter().filter(|one| one["same"] == false);
    assert_eq!(differing.map(|one| one["file"].clone()).collect::<Vec<_>>(), ["totp.use.wasm"]);
    assert_eq!(output.code, Some(1));

    // With another compiler that is no finding, and no confirmation either.
    checkout(&host, "printf x >>\"$2/totp.use.wasm\"; echo 'compiler = \"rustc 9\"' >\"$2/lock.toml\"");
    let stderr = host.run(&building(&args(&[]))).fails(1);
    assert!(stderr.contains("built here with rustc 9;"), "{stderr}");
    assert!(stderr.contains("totp.use.wasm cannot be confirmed with this compiler"), "{stderr}");

    checkout(&host, "rm \"$2/totp.use.wasm\"");
    assert!(host.run(&building(&args(&[]))).fails(1).contains("the source makes no totp.use.wasm"));
    checkout(&host, "echo 'it is broken' >&2; exit 3");
    assert!(host.run(&building(&args(&[]))).fails(1).contains("it is broken"));
    host.finish();
}
