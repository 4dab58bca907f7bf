//! `txco runs`: what waits is seen without what it holds, and ended once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{Answer, Host, Output, Request, Upstream};

use crate::TXCO;
use crate::continuations::{ask, call, done, only_job, ticket, worker};

fn txco(host: &mut Host, args: &[&str]) -> Output {
    let url = format!("http://{}", host.admin_address());
    host.txco(&[args, &["--url", &url]].concat())
}

fn listed(host: &mut Host, more: &[&str]) -> Vec<Value> {
    let out = txco(host, &[&["runs", "list", "--json"], more].concat()).succeeds();
    let body: Value = serde_json::from_str(&out).unwrap();
    body["runs"].as_array().unwrap().clone()
}

#[test]
fn what_waits_is_listed_told_and_cancelled_once() {
    let worker = worker();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let slow = Upstream::http("slow", move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        Answer::Hang
    });
    let rule = |url: &str, more: &str| format!("EXEC \"{url}\" WITH mode = \"async\"{more}\n");
    let hanging = format!(
        "WHEN .body.hang == true EXEC \"http://{}/\" WITH method = \"POST\", timeout = \"60s\"\n",
        slow.address()
    );
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/100/print.txcl", &rule("https://work.example/jobs", ", max_duration = \"1h\""))
        .rule("OPS/web/200/slow.txcl", &hanging)
        .rule(
            "OPS/web/300/again.txcl",
            &format!("WHEN .body.twice == true {}", rule("https://work.example/jobs", "")),
        )
        .upstream(&worker, "work.example:443")
        .start();
    assert_eq!(listed(&mut host, &[]), Vec::<Value>::new());
    let ticket_of = ticket(&host.event("/orders", &json!({ "note": "written-on-the-order" })));
    let (job, token) = only_job(&worker);
    let run = job["_txc"]["run_id"].as_str().unwrap().to_owned();

    let all = listed(&mut host, &["--stack", "web", "--state", "waiting"]);
    assert_eq!((all.len(), &all[0]["id"], &all[0]["workers"]), (1, &json!(run), &json!(1)), "{all:?}");
    let text = |value: &Value| value.as_str().unwrap()[..22].to_owned();
    assert_eq!(text(&all[0]["expires_at"]), text(&job["_txc"]["expires_at"]));
    assert_eq!(all[0]["waiting_since"], all[0]["since"], "it has waited from its beginning");
    for none in [["--stack", "other"], ["--state", "failed,cancelled"], ["--older", "1h"]] {
        assert_eq!(listed(&mut host, &none), Vec::<Value>::new(), "{none:?}");
    }
    assert_eq!(listed(&mut host, &["--after", &run]), Vec::<Value>::new());
    let wrong = txco(&mut host, &["runs", "list", "--state", "asleep"]).fails(1);
    assert!(wrong.contains("is no state: open, all, waiting"), "{wrong}");
    let shown = txco(&mut host, &["runs", "show", &run]).succeeds();
    for want in [
        "state:       waiting",
        "waits for 1 of 1 workers: print until",
        "waits since: 20",
        "stage:       web/100",
        "opc_",
    ] {
        assert!(shown.contains(want), "{want}: {shown}");
    }
    assert!(!shown.contains("written-on-the-order"), "{shown}");

    // It ends once, also for the next life of the chassis; whoever does not have the token learns nothing.
    txco(&mut host, &["runs", "cancel", &run]).succeeds();
    host.kill();
    host.start();
    let again = txco(&mut host, &["runs", "cancel", &run]).fails(1);
    assert!(again.contains("run_ended"), "{again}");
    let asked = ask(&mut host, &ticket_of, "&format=json");
    assert_eq!((asked.status, &asked.json()["reason"]), (410, &json!("run_cancelled")));
    let called = call(&mut host, &job, &token, &done(&json!({})));
    assert_eq!((called.status, &called.json()["error"]), (410, &json!("run_cancelled")));
    assert_eq!(call(&mut host, &job, "guess", &done(&json!({}))).status, 401);
    assert_eq!(listed(&mut host, &["--state", "cancelled"])[0]["fault"], "run_cancelled");
    let shown: Value =
        serde_json::from_str(&txco(&mut host, &["runs", "show", &run, "--json"]).succeeds()).unwrap();
    assert_eq!((&shown["workers"][0]["state"], &shown["stage"]), (&json!("cancelled"), &Value::Null));
    let rows = txco(&mut host, &["auth", "audit", "list", "--action", "run.cancel", "--json"]).succeeds();
    let rows: Value = serde_json::from_str(&rows).unwrap();
    let outcomes: Vec<_> = rows["rows"].as_array().unwrap().iter().map(|row| &row["outcome"]).collect();
    assert_eq!(outcomes, ["ok", "run_ended"]);
    txco(&mut host, &["runs", "show", "run_x"]).fails(1);

    // One that runs is stopped.
    let running = ticket(&host.event("/orders", &json!({ "hang": true })));
    let job = worker.received().pop().unwrap();
    let token = job.header("x-txco-continuation-token").unwrap().to_owned();
    let job = job.json();
    assert_eq!(call(&mut host, &job, &token, &done(&json!({}))).status, 200);
    let begun = Instant::now();
    while calls.load(Ordering::SeqCst) == 0 {
        assert!(begun.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(20));
    }
    let run = job["_txc"]["run_id"].as_str().unwrap();
    assert_eq!(listed(&mut host, &["--state", "running"])[0]["id"], run);
    txco(&mut host, &["runs", "cancel", run, "--json"]).succeeds();
    assert_eq!(ask(&mut host, &running, "&format=json").status, 410);
    assert_eq!(call(&mut host, &job, &token, &done(&json!({}))).status, 401, "its token was used");
    let stopped = |host: &mut Host| {
        let metrics = host.admin(&Request::new("GET", "/metrics")).text();
        metrics.contains("outcome=\"run_cancelled\"")
    };
    while !stopped(&mut host) {
        assert!(begun.elapsed() < Duration::from_secs(20), "it runs on");
        std::thread::sleep(Duration::from_millis(100));
    }

    // Since when one waits is told of where it waits now.
    let _twice = ticket(&host.event("/orders", &json!({ "twice": true })));
    let first = listed(&mut host, &[])[0].clone();
    let job = worker.received().pop().unwrap();
    let token = job.header("x-txco-continuation-token").unwrap().to_owned();
    std::thread::sleep(Duration::from_millis(5));
    assert_eq!(call(&mut host, &job.json(), &token, &done(&json!({}))).status, 200);
    let again = loop {
        match listed(&mut host, &["--state", "waiting"]).pop() {
            Some(one) if one["waits"] == 2 => break one,
            _ => std::thread::sleep(Duration::from_millis(20)),
        }
        assert!(begun.elapsed() < Duration::from_secs(40), "it does not wait again");
    };
    assert_eq!((&again["id"], &again["since"]), (&first["id"], &first["since"]));
    let moment = |one: &Value| one["waiting_since"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert!(moment(&again) > moment(&first), "{again}");
    host.finish();
}
