//! Jobs that a request goes on beside: `join_at_scope` lets it wait for their workers later, or not at all.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::continuations::callback;
use support::{Answer, Builder, Host, Received, Reply, Request, Upstream, send};

use crate::TXCO;
use crate::continuations::{ask, call, done, ticket};

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A worker that at `/quick` says what its input asks it to before it has even taken the job, at `/busy`
/// takes no job, and elsewhere calls when the test does.
pub(crate) fn worker() -> Upstream {
    Upstream::http("worker", |job| {
        if job.target == "/busy" {
            return Answer::new(500, &[], "");
        }
        if job.target == "/quick" {
            let (said, token) = (job.json(), token(job));
            let url = said["_txc"]["callback_url"].as_str().unwrap();
            let at = url.split('/').nth(2).unwrap().parse().unwrap();
            let reply = send(at, &callback(&said, &token, &done(&said["input"]["say"]))).unwrap();
            assert_eq!((reply.status, &reply.json()["status"]), (200, &json!("recorded")));
        }
        Answer::new(202, &[], "{}")
    })
}

pub(crate) fn token(job: &Received) -> String {
    job.header("x-txco-continuation-token").unwrap().to_owned()
}

/// A rule whose job joins at a scope; `more` is of its WITH.
pub(crate) fn job(worker: &Upstream, path: &str, joins: u32, more: &str) -> String {
    format!(
        "SELECT .body.say AS .say\nWITH mode = \"async\", join_at_scope = {joins}{more}\nEXEC \"http://{}{path}\"\n",
        worker.address()
    )
}

/// An upstream that notes what it is sent, and answers nothing of its own.
pub(crate) fn between() -> Upstream {
    Upstream::http("between", |_| Answer::json(&json!({})))
}

pub(crate) fn to(upstream: &Upstream, select: &str) -> String {
    format!("SELECT {select}\nEXEC \"http://{}/\"\n", upstream.address())
}

#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The job that came to a path.
#[track_caller]
pub(crate) fn job_at(worker: &Upstream, path: &str) -> Received {
    until(path, || worker.received().iter().any(|job| job.target == path));
    worker.received().into_iter().find(|job| job.target == path).unwrap()
}

/// Its worker calls.
#[track_caller]
pub(crate) fn says(host: &mut Host, worker: &Upstream, path: &str, output: &Value) -> Reply {
    let job = job_at(worker, path);
    call(host, &job.json(), &token(&job), &done(output))
}

#[track_caller]
pub(crate) fn ended(host: &mut Host, ticket: &str) -> Reply {
    let mut reply = ask(host, ticket, "&format=json");
    until("the end", || {
        reply = ask(host, ticket, "&format=json");
        reply.status != 202
    });
    reply
}

pub(crate) fn runs(host: &mut Host, path: &str) -> Value {
    let reply = host.admin(&Request::new("GET", &format!("/v1/tenants/default/runs{path}")));
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

pub(crate) fn states(host: &mut Host) -> Vec<String> {
    let all = runs(host, "?state=all");
    let states = all["runs"].as_array().unwrap().iter();
    states.map(|run| run["state"].as_str().unwrap().to_owned()).collect()
}

/// A job at 100 for 300, an upstream at 200, and a rule that sees the output at 300.
pub(crate) fn shop(worker: &Upstream, path: &str, between: &Upstream) -> Builder {
    Host::serve(TXCO)
        .rule("OPS/web/100/job.txcl", &format!("{}EMIT .emitted = .between\n", job(worker, path, 300, "")))
        .rule(
            "OPS/web/200/between.txcl",
            &format!("{}EMIT .between = \"was here\", .early = .sum\n", to(between, ".sum, .n DEFAULT 1")),
        )
        .rule("OPS/web/300/after.txcl", "EMIT .seen = .sum, .later = @upstream.job.status\n")
}

#[test]
fn what_is_there_at_its_scope_joins_and_the_client_never_hears_of_it() {
    let (worker, between) = (worker(), between());
    let mut host = shop(&worker, "/quick", &between).start();
    let said = json!({ "sum": 42, "between": "the worker's", "_txc": { "tenant": "evil" } });
    let reply = host.event("/orders", &json!({ "say": said }));
    assert_eq!(reply.status, 200, "{}", reply.text());
    let answer = reply.json();
    assert_eq!((&answer["seen"], &answer["later"]), (&json!(42), &json!(200)), "{answer}");
    assert_eq!(between.only().json()["sum"], "", "before its scope nobody sees it");
    assert_eq!(answer["early"], "", "{answer}");
    assert_eq!(answer["between"], "the worker's", "it came last");
    assert_eq!(answer["emitted"], "the worker's", "over the envelope as it is then");
    assert_eq!(states(&mut host), Vec::<String>::new(), "nothing is kept of it");
    assert_eq!(says(&mut host, &worker, "/quick", &json!({ "sum": 1 })).status, 401);
    host.finish();
}

#[test]
fn what_is_not_there_at_its_scope_is_waited_for() {
    let (worker, between) = (worker(), between());
    let mut host = shop(&worker, "/later", &between).start();
    let ticket = ticket(&host.event("/orders", &json!({ "say": "x" })));
    let run = job_at(&worker, "/later").json()["_txc"]["run_id"].as_str().unwrap().to_owned();
    let shown = runs(&mut host, &format!("/{run}"));
    assert_eq!((&shown["stage"], &shown["run"]["state"]), (&json!("web/300"), &json!("waiting")), "{shown}");
    let part = &shown["workers"][0];
    assert_eq!((&part["rule"], &part["joins_at"]), (&json!("web/100/job"), &json!(300)), "{shown}");
    assert!(shown["why"].as_str().unwrap().starts_with("waits for 1 of 1 workers: web/100/job"), "{shown}");
    assert_eq!(ask(&mut host, &ticket, "").json()["status"], "waiting");
    let reply = says(&mut host, &worker, "/later", &json!({ "sum": 42 }));
    assert_eq!((reply.status, &reply.json()["status"]), (200, &json!("resumed")));
    assert_eq!(says(&mut host, &worker, "/later", &json!({ "sum": 1 })).status, 401, "once");
    let end = ended(&mut host, &ticket).json();
    let result = &end["result"];
    assert_eq!((&result["seen"], &result["emitted"]), (&json!(42), &json!("was here")), "{end}");
    assert_eq!((between.received().len(), worker.received().len()), (1, 1), "each once");
    host.finish();
}

#[test]
fn several_jobs_join_in_the_order_of_scope_and_rule_each_at_its_scope() {
    let (worker, between) = (worker(), between());
    let tail = |name: &str| format!("EMIT .names.-1 = \"{name}\"\n");
    let mut host = Host::serve(TXCO)
        .rule(
            "OPS/web/100/b.txcl",
            &format!("{}{}", job(&worker, "/b", 300, ", into = \"kept.b\""), tail("b")),
        )
        .rule("OPS/web/100/a.txcl", &format!("{}{}", job(&worker, "/a", 400, ""), tail("a")))
        .rule("OPS/web/200/c.txcl", &format!("{}{}", job(&worker, "/c", 300, ""), tail("c")))
        .rule("OPS/web/300/seen.txcl", &to(&between, ".who, .kept DEFAULT \"none\", .names"))
        .rule("OPS/web/400/last.txcl", "EMIT .last = .who\n")
        .start();
    let ticket = ticket(&host.event("/orders", &json!({})));
    // The one that is for later comes first, and does not wake the request.
    let output = |path: &str| json!({ "who": path, "all": [path] });
    for (path, want) in [("/a", "recorded"), ("/c", "recorded"), ("/b", "resumed")] {
        let reply = says(&mut host, &worker, path, &output(path));
        assert_eq!(reply.json()["status"], want, "{path}: {}", reply.text());
    }
    let end = ended(&mut host, &ticket).json();
    let result = &end["result"];
    let seen = between.only().json();
    assert_eq!((&seen["who"], &seen["kept"]["b"]["who"]), (&json!("/c"), &json!("/b")), "{seen}");
    assert_eq!((&result["last"], &result["all"]), (&json!("/a"), &json!(["/c", "/a"])), "{end}");
    assert_eq!(worker.received().len(), 3);
    host.finish();
}

/// A scope that waits for another worker, and a rule that lets its client go, on the way to where a job joins.
#[test]
fn it_waits_for_others_on_the_way_and_has_one_ticket() {
    let (worker, between) = (worker(), between());
    let other = format!("EXEC \"http://{}/other\" WITH mode = \"async\"\n", worker.address());
    let mut host = shop(&worker, "/later", &between).rule("OPS/web/150/other.txcl", &other).start();
    let ticket_of = ticket(&host.event("/orders", &json!({})));
    let run = job_at(&worker, "/later").json()["_txc"]["run_id"].clone();
    assert_eq!(job_at(&worker, "/other").json()["_txc"]["run_id"], run, "one run");
    let shown = runs(&mut host, &format!("/{}", run.as_str().unwrap()));
    assert_eq!(shown["stage"], "web/150");
    let told: Vec<_> =
        shown["workers"].as_array().unwrap().iter().map(|w| (&w["rule"], &w["state"])).collect();
    let want = [(&json!("web/100/job"), &json!("deferred")), (&json!("other"), &json!("waiting"))];
    assert_eq!(told, want, "{shown}");
    assert_eq!(says(&mut host, &worker, "/other", &json!({ "n": 2 })).json()["status"], "resumed");
    until("the upstream in between", || between.received().len() == 1);
    assert_eq!(between.only().json()["n"], 2);
    until("where it joins", || runs(&mut host, &format!("/{}", run.as_str().unwrap()))["stage"] == "web/300");
    assert_eq!(says(&mut host, &worker, "/later", &json!({ "sum": 42 })).json()["status"], "resumed");
    assert_eq!(ended(&mut host, &ticket_of).json()["result"]["seen"], 42);
    host.finish();

    let gate = Arc::new(Mutex::new(()));
    let held = Arc::clone(&gate);
    let slow = Upstream::http("slow", move |_| {
        drop(held.lock().unwrap());
        Answer::json(&json!({}))
    });
    let rule = format!(
        "EXEC \"http://{}/\" WITH mode = \"continuable\", continue_after = \"100ms\"\n",
        slow.address()
    );
    let mut host = shop(&worker, "/twice", &between).rule("OPS/web/150/slow.txcl", &rule).start();
    let stop = gate.lock().unwrap();
    let ticket_of = ticket(&host.event("/orders", &json!({})));
    assert_eq!(ask(&mut host, &ticket_of, "").json()["status"], "running");
    drop(stop);
    until("where it joins", || ask(&mut host, &ticket_of, "").json()["status"] == "waiting");
    assert_eq!(says(&mut host, &worker, "/twice", &json!({ "sum": 7 })).json()["status"], "resumed");
    assert_eq!(ended(&mut host, &ticket_of).json()["result"]["seen"], 7);
    host.finish();
}

#[test]
fn who_leaves_the_stack_takes_what_is_to_join_along() {
    for (way, mail) in [("EXEC \"mail/10\"", true), ("EMIT @halt = true", false), ("EMIT .on = 1", false)] {
        for path in ["/quick", "/later"] {
            let worker = worker();
            let mut host = Host::serve(TXCO)
                .rule("OPS/web/100/job.txcl", &job(&worker, path, 900, ""))
                .rule("OPS/web/200/way.txcl", &format!("{way}\n"))
                .rule("OPS/mail/10/in.txcl", "EMIT .in_mail = .sum\n")
                .flags(&["--stack", "web"])
                .start();
            let said = json!({ "sum": 42 });
            let reply = host.event("/orders", &json!({ "say": said }));
            let answer = if path == "/quick" {
                assert_eq!(reply.status, 200, "{way}: {}", reply.text());
                reply.json()
            } else {
                let ticket = ticket(&reply);
                assert_eq!(says(&mut host, &worker, path, &said).json()["status"], "resumed", "{way}");
                ended(&mut host, &ticket).json()["result"].clone()
            };
            assert_eq!(answer["sum"], 42, "{way} {path}: {answer}");
            let want = if mail { json!(42) } else { Value::Null };
            assert_eq!(answer["in_mail"], want, "{way} {path}: {answer}");
            host.finish();
        }
    }
}

/// What a worker says of the way counts as a reply's does, before the scope that it joins.
#[test]
fn what_joins_may_lead_the_request_elsewhere() {
    let (worker, between) = (worker(), between());
    let mut host =
        shop(&worker, "/quick", &between).rule("OPS/web/400/end.txcl", "EMIT .end = .sum\n").start();
    let answer = host.event("/orders", &json!({ "say": { "sum": 1, "_txc": { "goto": 400 } } })).json();
    assert_eq!((&answer["seen"], &answer["end"]), (&Value::Null, &json!(1)), "{answer}");
    let answer = host.event("/orders", &json!({ "say": { "sum": 2, "_txc": { "halt": true } } })).json();
    assert_eq!((&answer["end"], &answer["sum"]), (&Value::Null, &json!(2)), "{answer}");
    host.finish();
}

#[test]
fn a_worker_that_fails_is_late_or_takes_no_job_is_an_error_where_it_joins() {
    let failed = json!({ "status": "failed", "error": { "why": "no paper" } });
    for (more, status) in [("", 502), (", on_error = \"continue\"", 200)] {
        let (worker, between) = (worker(), between());
        let mut host = Host::serve(TXCO)
            .rule("OPS/web/100/job.txcl", &job(&worker, "/later", 300, more))
            .rule("OPS/web/200/between.txcl", &to(&between, ".n DEFAULT 1"))
            .rule(
                "OPS/web/300/b.txcl",
                "EMIT .code = @upstream.job.error.code, .why = @upstream.job.body.why\n",
            )
            .start();
        let ticket = ticket(&host.event("/orders", &json!({})));
        let job = job_at(&worker, "/later");
        assert_eq!(call(&mut host, &job.json(), &token(&job), &failed).status, 200);
        let end = ended(&mut host, &ticket);
        assert_eq!((end.status, between.received().len()), (status, 1), "{}", end.text());
        if status == 200 {
            let result = &end.json()["result"];
            assert_eq!((&result["code"], &result["why"]), (&json!("worker_failed"), &json!("no paper")));
        } else {
            assert!(host.txco(&["trace", "last", "--explain"]).succeeds().contains("web/100/job"));
        }
        host.finish();
    }
    // It takes no job: the client hears so at once, unless the rule says that it goes on.
    for (more, status) in [("", 502), (", on_error = \"continue\"", 200)] {
        let (worker, between) = (worker(), between());
        let mut host = Host::serve(TXCO)
            .rule("OPS/web/100/job.txcl", &job(&worker, "/busy", 300, more))
            .rule("OPS/web/200/between.txcl", &to(&between, ".n DEFAULT 1"))
            .rule("OPS/web/300/b.txcl", "EMIT .code = @upstream.job.error.code\n")
            .start();
        let reply = host.event("/orders", &json!({}));
        assert_eq!(reply.status, status, "{}", reply.text());
        assert_eq!(between.received().len(), usize::from(status == 200), "nothing is done behind it");
        if status == 200 {
            assert_eq!(reply.json()["code"], "worker_refused");
        } else {
            assert_eq!(states(&mut host), ["failed"]);
        }
        host.finish();
    }
    // It never calls.
    let worker = worker();
    let rule = job(&worker, "/later", 300, ", max_duration = \"1s\"");
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/100/job.txcl", &rule)
        .rule("OPS/web/300/b.txcl", "EMIT .b = 1\n")
        .start();
    let ticket = ticket(&host.event("/orders", &json!({})));
    let end = ended(&mut host, &ticket);
    assert_eq!((end.status, &end.json()["reason"]), (502, &json!("upstream_timeout")), "{}", end.text());
    assert_eq!(says(&mut host, &worker, "/later", &json!({})).status, 401, "too late");
    host.finish();
}

/// R1: also when its worker was quick, so that it does not depend on that.
#[test]
fn a_credential_cannot_be_where_a_job_joins() {
    let worker = worker();
    let basic = "WHEN .body.n == 1 EXEC \"txco://basic-auth-encode\" WITH secrets.password.secret = \"KEY\", user = \"u\", output_path = \"_txc.computed.basic\"\n";
    let rules = |path: &str| {
        Host::serve(TXCO)
            .rule("OPS/web/100/job.txcl", &job(&worker, path, 300, ""))
            .rule("OPS/web/200/basic.txcl", basic)
            .rule("OPS/web/300/b.txcl", "EMIT .b = 1\n")
    };
    for path in ["/quick", "/later"] {
        let mut host = rules(path).start();
        host.store("KEY");
        let told = "the job of rule job joins at scope 300, and web/200/basic may have put a credential into the envelope";
        assert!(host.log().contains(told), "{}", host.log());
        let reply = host.event("/orders", &json!({ "n": 1, "say": {} }));
        assert_eq!((reply.status, reply.text().contains("rule_failed")), (500, true), "{}", reply.text());
        let line = host.wait_log("credential_cannot_wait");
        assert!(line.contains("_txc.computed.basic"), "{line}");
        assert_eq!(says(&mut host, &worker, path, &json!({})).status, 401, "nobody waits for it");
        assert_eq!(states(&mut host), ["failed"]);
        // Where no WHEN keeps them apart it is an error.
        host.write("workspace/OPS/web/200/basic.txcl", basic.trim_start_matches("WHEN .body.n == 1 "));
        let lint = host.txco(&["lint", "workspace"]);
        let told = told.replace("may have put", "has put");
        assert!(format!("{}{}", lint.stdout, lint.stderr).contains(&told), "{}{}", lint.stdout, lint.stderr);
        lint.fails(1);
        host.finish();
    }
    // What the rule itself was given of one is refused before anything is handed out.
    let own = job(&worker, "/never", 300, "").replace("SELECT", "SELECT @computed.basic AS .mine,");
    let mut host = rules("/never")
        .rule("OPS/web/50/basic.txcl", basic)
        .rule("OPS/web/100/job.txcl", &own)
        .rule("OPS/web/120/d.txcl", "EMIT @delete = \"@computed.basic\"\n")
        .start();
    host.store("KEY");
    assert_eq!(host.event("/orders", &json!({ "n": 1, "say": {} })).status, 500);
    assert!(host.wait_log("credential_cannot_wait").contains("rule=job"), "{}", host.log());
    assert!(!worker.received().iter().any(|job| job.target == "/never"));
    host.finish();
}

/// Nothing can wait after a piece was sent, so nothing is sent while a job is to join; afterwards it is.
#[test]
fn no_piece_of_the_answer_is_sent_while_a_job_is_to_join() {
    let worker = worker();
    let page = |text: &str| format!("EMIT @web.res.body = b64\"{text}\"\n");
    for path in ["/quick", "/later"] {
        let mut host = Host::serve(TXCO)
            .rule("OPS/web/100/job.txcl", &job(&worker, path, 300, ""))
            .rule("OPS/web/200/a.txcl", &page("early"))
            .rule("OPS/web/300/b.txcl", &page("one,"))
            .rule("OPS/web/400/c.txcl", &page("two"))
            .start();
        let reply = host.event("/orders", &json!({ "say": {} }));
        if path == "/quick" {
            assert_eq!(
                (reply.status, reply.text().as_str()),
                (200, "one,two"),
                "early is held, and written over"
            );
        } else {
            let ticket = ticket(&reply);
            assert_eq!(says(&mut host, &worker, path, &json!({})).status, 200);
            drop(ended(&mut host, &ticket));
            assert_eq!(ask(&mut host, &ticket, "").text(), "two", "the whole answer is the last");
        }
        host.finish();
    }
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/50/a.txcl", &page("early"))
        .rule("OPS/web/100/job.txcl", &job(&worker, "/never", 300, ""))
        .start();
    send(host.web_address(), &Request::new("POST", "/").json(&json!({ "say": {} }))).ok();
    host.wait_log("its client cannot be told to come back");
    assert!(!worker.received().iter().any(|job| job.target == "/never"), "nothing was handed out");
    host.finish();
}
