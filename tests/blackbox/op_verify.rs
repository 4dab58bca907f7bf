//! `txco op verify --rebuild`: what the built-in ops are not is said by name.
//!
//! That they are what their sources make is a step of CI of its own (`.ci/run`): compiling everything twice is once too often.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;
use support::Host;

use crate::TXCO;
use crate::op_new::building;

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
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
