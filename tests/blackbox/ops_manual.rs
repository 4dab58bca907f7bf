//! Every example of `host/docs/ops.md` runs as it stands there, and every built-in op has one.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use support::{Answer, Canary, Host, Request, Upstream};

use crate::TXCO;

const MANUAL: &str = include_str!("../../host/docs/ops.md");

/// The hosts that examples send to. Each answers which of the headers it got that an op makes.
const HOSTS: [&str; 2] = ["partner.example.com", "sqs.us-east-1.amazonaws.com"];
const MADE: [&str; 9] = [
    "authorization",
    "content-digest",
    "signature",
    "signature-input",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
    "x-amz-date",
    "x-amz-security-token",
];

/// One example: a rule, what is sent to it, what it answers.
struct Example {
    rule: &'static str,
    request: &'static str,
    status: u16,
    answer: Value,
}

/// The fenced blocks of a section: what stands behind the fence, and the text.
fn blocks(section: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    section.split("\n```").skip(1).step_by(2).map(|block| block.split_once('\n').unwrap())
}

/// The sections of ops, by name, with their examples.
fn sections() -> Vec<(&'static str, Vec<Example>)> {
    let sections = MANUAL.split("\n## ").skip(1).map(|section| {
        let name = section.lines().next().unwrap();
        let blocks: Vec<_> = blocks(section).collect();
        assert_eq!(blocks.len() % 3, 0, "{name}: a rule, a request and an answer");
        let examples = blocks.chunks(3).map(|three| {
            let [(txcl, rule), (http, request), (json, answer)] = *three else { unreachable!() };
            assert_eq!((txcl, http), ("txcl", "http"), "{name}");
            let status = json.strip_prefix("json").unwrap().trim();
            let status = if status.is_empty() { 200 } else { status.parse().unwrap() };
            Example { rule, request, status, answer: serde_json::from_str(answer).unwrap() }
        });
        (name, examples.collect())
    });
    sections.collect()
}

/// The request as it is written: method and target, headers, body.
fn request(text: &str) -> Request {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let (method, target) = lines.next().unwrap().split_once(' ').unwrap();
    let mut request = Request::new(method, target);
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        request = request.header(name, value);
    }
    if body.is_empty() { request } else { request.body(body) }
}

/// The value of a secret of the table; random, where it says so.
fn value(name: &str, says: &str) -> Canary {
    let random = Canary::new(name);
    let made = |text: String| Canary::found(name, text.as_bytes());
    match says {
        "a random text" => random,
        "`whsec_` and random bytes in base64" => {
            made(format!("whsec_{}", BASE64_STANDARD.encode(random.text())))
        }
        "random letters of base32" => {
            let letter = |byte| char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[usize::from(byte) % 32]);
            made(random.text().bytes().map(letter).take(32).collect())
        }
        "an Ed25519 key, PKCS #8 as PEM" => {
            // What stands before the 32 bytes of such a key, and the last 32 of the random text.
            let der = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
            let seed = &random.text().as_bytes()[random.text().len() - 32..];
            let key = BASE64_STANDARD.encode([&der[..], seed].concat());
            made(format!("-----BEGIN PRIVATE KEY-----\n{key}\n-----END PRIVATE KEY-----\n"))
        }
        "`It's a Secret to Everybody`, of GitHub's documentation" => {
            made("It's a Secret to Everybody".to_owned())
        }
        other => panic!("{name}: {other}"),
    }
}

/// The rows of the table of secrets.
fn secrets() -> Vec<(&'static str, &'static str)> {
    let (_, table) = MANUAL.split_once("The examples have these secrets:").unwrap();
    let rows = table.split("\n## ").next().unwrap().lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| row.trim_matches('|').split_once("` | ").unwrap())
        .map(|(name, says)| (name.trim().trim_start_matches('`'), says.trim()))
        .collect()
}

/// Whether `answer` has all of `pattern`, in which `"…"` is any text that is not empty.
fn matches(pattern: &Value, answer: &Value) -> bool {
    match (pattern, answer) {
        (Value::String(any), Value::String(text)) if any == "…" => !text.is_empty(),
        (Value::Object(pattern), Value::Object(answer)) => pattern
            .iter()
            .all(|(name, pattern)| answer.get(name).is_some_and(|answer| matches(pattern, answer))),
        _ => pattern == answer,
    }
}

fn run(name: &str, example: &Example) {
    let named = HOSTS.iter().filter(|host| example.rule.contains(&format!("EXEC \"https://{host}/")));
    let upstreams = named.map(|host| {
        let upstream = Upstream::https(host, &[host], |received| {
            let got = MADE.iter().filter(|name| received.headers.iter().any(|(header, _)| header == *name));
            Answer::json(&json!({ "received": got.collect::<Vec<_>>() }))
        });
        (upstream, format!("{host}:443"))
    });
    let upstreams: Vec<_> = upstreams.collect();
    let builder = Host::serve(TXCO).rule("OPS/web/100/example.txcl", example.rule);
    let builder = upstreams.iter().fold(builder, |builder, (upstream, at)| builder.upstream(upstream, at));
    let mut host = builder.start();
    let mut given = 0;
    for (secret, says) in secrets() {
        if !example.rule.contains(&format!("\"{secret}\"")) {
            continue;
        }
        let canary = value(secret, says);
        host.guard(&canary);
        if name == "basic-auth-encode" {
            host.allow(&canary, "upstream partner.example.com header authorization", 1);
        }
        let call = host.secrets_call(&["set", secret]).stdin(canary.text());
        host.run(&call).succeeds();
        given += 1;
    }
    assert!(given > 0, "{name}: an example without a secret of the table");
    let reply = host.web(&request(example.request));
    assert_eq!(reply.status, example.status, "{name}: {}\n{}", reply.text(), host.log());
    assert!(matches(&example.answer, &reply.json()), "{name}: {}", reply.text());
    host.finish();
}

#[test]
fn every_example_runs_and_answers_what_it_says() {
    let sections = sections();
    assert!(sections.len() >= 10);
    for (name, examples) in sections {
        assert!(!examples.is_empty(), "{name} has no example");
        for example in examples {
            assert!(
                example.rule.contains(&format!("EXEC \"txco://{name}\"")),
                "{name}: the rule calls another op"
            );
            run(name, &example);
        }
    }
}

/// The list of the binary itself: `txco op verify`.
#[test]
fn every_op_of_the_binary_has_a_section() {
    let mut host = Host::at_rest(TXCO);
    let listed = host.txco(&["op", "verify", "--json"]).succeeds();
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let mut ops: Vec<_> =
        listed["ops"].as_array().unwrap().iter().map(|op| op["file"].as_str().unwrap()).collect();
    ops.dedup_by_key(|file| file.split('.').next());
    let ops: Vec<_> = ops.iter().map(|file| file.split('.').next().unwrap()).collect();
    let mut sections: Vec<_> = sections().into_iter().map(|(name, _)| name).collect();
    sections.sort_unstable();
    assert_eq!(sections, ops);
    for op in ops {
        assert!(MANUAL.contains(&format!("| [`{op}`](#{op}) |")), "{op} is not in the table");
    }
    host.finish();
}
