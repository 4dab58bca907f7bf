//! Whole ways of requests, `tests/vectors/txcl/ways.json`: what was predicted from the specification before it ran.
//!
//! Priorities, merging, jumps, lanes, deletion, budgets, mocks, answers and answers in pieces; each case is a stack
//! of its own, and one chassis serves them all.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use support::{Host, Request};

use crate::TXCO;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Way {
    name: String,
    /// By their paths below the stack; `STACK` is its name.
    files: BTreeMap<String, String>,
    method: Option<String>,
    path: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// The nested stack that is entered.
    lane: Option<String>,
    status: Option<u16>,
    /// Members of the answer.
    #[serde(default)]
    has: Map<String, Value>,
    /// Names that are no members of it.
    #[serde(default)]
    lacks: Vec<String>,
    /// The answer, whole.
    body: Option<String>,
    /// Headers of it; `null` for one that is not there.
    #[serde(default)]
    says: BTreeMap<String, Option<String>>,
}

/// What is other than predicted.
fn odd(host: &mut Host, way: &Way, stack: &str) -> Vec<String> {
    let method = way.method.as_deref().unwrap_or("POST");
    let enter = way.lane.as_ref().map_or_else(|| stack.to_owned(), |lane| format!("{stack}/{lane}"));
    let mut request = Request::new(method, way.path.as_deref().unwrap_or("/"));
    request = request.header("x-way", &format!("{enter}/0"));
    for (name, value) in &way.headers {
        request = request.header(name, &value.replace("STACK", stack));
    }
    let reply = host.web(&request.json(&json!({})));
    let mut odd = Vec::new();
    if reply.status != way.status.unwrap_or(200) {
        odd.push(format!("status {}", reply.status));
    }
    if let Some(body) = way.body.as_ref().filter(|body| **body != reply.text()) {
        odd.push(format!("body {:?} is not {body:?}", reply.text()));
    }
    for (name, value) in &way.says {
        if reply.header(name) != value.as_deref() {
            odd.push(format!("header {name}: {:?}", reply.header(name)));
        }
    }
    if !way.has.is_empty() || !way.lacks.is_empty() {
        let answer = reply.json();
        for (name, value) in &way.has {
            if answer.get(name) != Some(value) {
                odd.push(format!("{name} is {}", answer[name]));
            }
        }
        odd.extend(way.lacks.iter().filter(|name| answer.get(name).is_some()).map(|n| format!("has {n}")));
    }
    odd.into_iter().map(|odd| format!("{}: {odd}", way.name)).collect()
}

#[test]
fn requests_go_where_the_specification_leads_them() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/txcl/ways.json");
    let ways: Vec<Way> = serde_json::from_str(&std::fs::read_to_string(folder).unwrap()).unwrap();
    assert!(ways.len() > 60, "only {}", ways.len());
    let mut host = Host::serve(TXCO).flags(&["--stack", "main", "--web-mock-header"]);
    host = host.rule("OPS/main/0/go.txcl", "EMIT @goto = @web.req.headers.X-Way.0\n");
    for (at, way) in ways.iter().enumerate() {
        for (path, text) in &way.files {
            let stack = format!("s{at}");
            host = host.rule(&format!("OPS/{stack}/{path}"), &text.replace("STACK", &stack));
        }
    }
    let mut host = host.start();
    let mut wrong = Vec::new();
    for (at, way) in ways.iter().enumerate() {
        wrong.extend(odd(&mut host, way, &format!("s{at}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    host.finish();
}
