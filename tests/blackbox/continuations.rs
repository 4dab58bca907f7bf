//! Requests that wait: a worker takes a job and calls back, also after the chassis was killed.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
pub(crate) use support::continuations::done;
use support::continuations::{asking, callback};
use support::{Answer, Builder, Host, Reply, Request, Upstream};

use crate::TXCO;
use crate::op_push::{AUTH, digest};

const JOB: &str = "SELECT .body.n AS .n, .body.note AS .note\n\
                   WITH mode = \"async\", secrets.headers.authorization.secret = \"KEY\",\n\
                        secrets.headers.authorization.format = \"Bearer {}\"\n\
                   EXEC \"https://work.example/jobs\"\nEMIT .asked = .n\n";

/// A worker that takes every job, and a chassis that has some for it.
pub(crate) fn worker() -> Upstream {
    Upstream::https("worker", &["work.example"], |_| Answer::new(202, &[], "{}"))
}

fn chassis(worker: &Upstream) -> Builder {
    Host::serve(TXCO).rule("OPS/web/100/job.txcl", JOB).upstream(worker, "work.example:443")
}

/// Calls back as the worker of a job would.
pub(crate) fn call(host: &mut Host, job: &Value, token: &str, said: &Value) -> Reply {
    host.web(&callback(job, token, said))
}

/// The one job that the worker has, and its token.
pub(crate) fn only_job(worker: &Upstream) -> (Value, String) {
    let job = worker.only();
    (job.json(), job.header("x-txco-continuation-token").unwrap().to_owned())
}

#[track_caller]
pub(crate) fn ticket(reply: &Reply) -> String {
    assert_eq!(reply.status, 202, "{}", reply.text());
    reply.json()["continuation"].as_str().unwrap().to_owned()
}

pub(crate) fn ask(host: &mut Host, ticket: &str, more: &str) -> Reply {
    host.web(&asking("/orders", ticket, more))
}

#[track_caller]
fn ended(host: &mut Host, ticket: &str) -> Reply {
    let begun = Instant::now();
    loop {
        let reply = ask(host, ticket, "&format=json");
        if reply.status != 202 {
            return reply;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{}", reply.text());
    }
}

/// Weaknesses H11 and T4: the worker is sent its credential as any upstream is; its token is good
/// once; a sibling that runs beside it has its secrets too.
#[test]
fn h11_t4_a_worker_calls_back_and_the_request_goes_on() {
    let worker = worker();
    let sign = "EXEC \"txco://hmac-sign\" WITH secrets.key.secret = \"SIGN\", input_path = \"body.note\", output_path = \"digest\"\n";
    let mut host = chassis(&worker)
        .rule("OPS/web/100/sign.txcl", sign)
        .rule(
            "OPS/web/200/after.txcl",
            "WHEN .sum == 42 EMIT .later = .asked, .status = @upstream.job.status\n",
        )
        .start();
    let (key, _sign) = (host.store("KEY"), host.store("SIGN"));
    let reply = host.event("/orders", &json!({ "n": 21, "note": "written-on-the-order" }));
    let ticket = ticket(&reply);
    assert_eq!(reply.header("location").unwrap(), format!("/orders?_txc.continuation={ticket}"));
    assert_eq!(reply.header("retry-after"), Some("3"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.json()["status"], "running");

    let (job, token) = only_job(&worker);
    assert_eq!(worker.only().header("authorization").unwrap(), format!("Bearer {}", key.text()));
    assert_eq!(job["input"], json!({ "n": 21, "note": "written-on-the-order" }));
    for member in ["op_continuation_id", "callback_url", "run_id", "stack", "stage", "op", "expires_at"] {
        assert!(job["_txc"][member].is_string(), "{member}: {job}");
    }
    assert_eq!(ask(&mut host, &ticket, "").json()["status"], "waiting");

    let metrics = |host: &mut Host| host.admin(&Request::new("GET", "/metrics")).text();
    let waiting = "chassis_runs{txco_tenant_slug=\"default\",state=\"waiting\"} 1\n";
    assert!(metrics(&mut host).contains(waiting), "{}", metrics(&mut host));

    // What is wrong is refused, and changes nothing.
    assert_eq!(call(&mut host, &job, "guess", &done(&json!({}))).status, 401);
    let other = json!({ "_txc": { "callback_url": "http://x/_txc/continuations/op/opc_x/complete" } });
    assert_eq!(call(&mut host, &other, &token, &done(&json!({}))).status, 401);
    let malformed = call(&mut host, &job, &token, &json!({ "status": "done" }));
    assert_eq!(malformed.status, 400, "{}", malformed.text());
    let large = call(&mut host, &job, &token, &done(&json!({ "x": "x".repeat(1 << 20) })));
    assert_eq!(large.status, 413, "{}", large.text());

    let good = call(&mut host, &job, &token, &done(&json!({ "sum": 42, "_txc": { "tenant": "evil" } })));
    assert_eq!((good.status, good.json()["status"].as_str()), (200, Some("resumed")));
    assert_eq!(
        call(&mut host, &job, &token, &done(&json!({ "sum": 1 }))).status,
        401,
        "a token is good once"
    );
    let end = ended(&mut host, &ticket);
    let result = &end.json()["result"];
    assert_eq!((&result["sum"], &result["later"], &result["status"]), (&json!(42), &json!(21), &json!(200)));
    assert!(result["digest"].is_string(), "the sibling's: {result}");
    assert_eq!(ask(&mut host, &ticket, "").json()["sum"], 42, "the answer as it would have been");
    assert_eq!(ask(&mut host, &ticket, "").status, 200, "as often as it is asked for");
    host.allow(&key, "upstream worker header authorization", 1);
    host.finish();
}

/// Weakness T3: what waits is not in clear in the database's files, nor are tokens anywhere.
#[test]
fn t3_what_waits_is_sealed() {
    let worker = worker();
    let mut host = chassis(&worker).start();
    // Without its secret nothing is kept and nothing handed out, and it is told of which rule.
    assert_eq!(host.event("/orders", &json!({ "n": 1 })).status, 500);
    assert!(host.wait_log("code=secret_not_found").contains("rule=job"), "{}", host.log());
    assert!(host.txco(&["trace", "last"]).succeeds().contains("web/100/job"));
    let key = host.store("KEY");
    let ticket = ticket(&host.event("/orders", &json!({ "n": 1, "note": "written-on-the-order" })));
    let (job, token) = only_job(&worker);
    for file in host.files("chassis/data/db") {
        let bytes = fs::read(host.path(&file)).unwrap();
        for text in ["written-on-the-order", &ticket, &token] {
            assert!(!bytes.windows(text.len()).any(|window| window == text.as_bytes()), "{text} in {file}");
        }
    }
    assert_eq!(call(&mut host, &job, &token, &done(&json!({ "a": 1 }))).status, 200);
    assert_eq!(ended(&mut host, &ticket).json()["result"]["a"], 1);
    host.allow(&key, "upstream worker header authorization", 1);
    host.finish();
}

#[test]
fn kill_9_while_it_waits_loses_nothing() {
    let worker = worker();
    let after = Upstream::https("after", &["after.example"], |_| Answer::json(&json!({ "seen": true })));
    let mut host = chassis(&worker)
        .rule(
            "OPS/web/200/after.txcl",
            "EXEC \"https://after.example/\" WITH secrets.headers.x-key.secret = \"KEY\"\n",
        )
        .upstream(&after, "after.example:443")
        .start();
    let key = host.store("KEY");
    let ticket = ticket(&host.event("/orders", &json!({ "n": 1 })));
    let (job, token) = only_job(&worker);
    host.kill();
    host.start();
    assert_eq!(ask(&mut host, &ticket, "").json()["status"], "waiting");
    assert_eq!(call(&mut host, &job, &token, &done(&json!({ "sum": 2 }))).json()["status"], "resumed");
    let end = ended(&mut host, &ticket).json();
    assert_eq!((&end["result"]["sum"], &end["result"]["seen"]), (&json!(2), &json!(true)));
    host.kill();
    host.start();
    assert_eq!(ended(&mut host, &ticket).json()["result"]["sum"], 2, "the result is kept");
    assert_eq!(after.received().len(), 1, "and nothing was done twice");
    host.allow(&key, "upstream worker header authorization", 1);
    host.allow(&key, "upstream after header x-key", 1);
    host.finish();
}

/// What had begun to change something elsewhere is not begun again; what had not, is.
#[test]
fn kill_9_while_it_goes_on_does_nothing_twice() {
    for (method, want) in [("POST", "failed"), ("GET", "completed")] {
        let worker = worker();
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let slow = Upstream::http("slow", move |_| match counted.fetch_add(1, Ordering::SeqCst) {
            0 => Answer::Hang,
            _ => Answer::json(&json!({ "seen": true })),
        });
        let rule =
            format!("EXEC \"http://{}/\" WITH method = \"{method}\", timeout = \"60s\"\n", slow.address());
        let mut host = chassis(&worker).rule("OPS/web/200/slow.txcl", &rule).start();
        let key = host.store("KEY");
        let ticket = ticket(&host.event("/orders", &json!({ "n": 1 })));
        let (job, token) = only_job(&worker);
        assert_eq!(call(&mut host, &job, &token, &done(&json!({ "sum": 2 }))).status, 200);
        let begun = Instant::now();
        while calls.load(Ordering::SeqCst) == 0 {
            assert!(begun.elapsed() < Duration::from_secs(20));
            std::thread::sleep(Duration::from_millis(20));
        }
        host.kill();
        host.start();
        let end = ended(&mut host, &ticket);
        assert_eq!(end.json()["status"], want, "{}", end.text());
        let expected = if method == "POST" { 1 } else { 2 };
        assert_eq!(calls.load(Ordering::SeqCst), expected, "{method}");
        assert_eq!(call(&mut host, &job, &token, &done(&json!({}))).status, 401);
        host.allow(&key, "upstream worker header authorization", 1);
        host.finish();
    }
}

#[test]
fn a_worker_that_fails_is_late_or_takes_no_job_is_an_upstreams_error() {
    // It says that it failed: the request fails, or goes on when the rule says so.
    for (more, status) in [("", 502), (", on_error = \"continue\"", 200)] {
        let worker = worker();
        let rule = format!("EXEC \"https://work.example/\" WITH mode = \"async\"{more}\n");
        let mut host = Host::serve(TXCO)
            .rule("OPS/web/100/job.txcl", &rule)
            .rule(
                "OPS/web/200/b.txcl",
                "EMIT .code = @upstream.job.error.code, .why = @upstream.job.body.why\n",
            )
            .upstream(&worker, "work.example:443")
            .start();
        let ticket = ticket(&host.event("/orders", &json!({})));
        let (job, token) = only_job(&worker);
        assert_eq!(
            call(&mut host, &job, &token, &json!({ "status": "failed", "error": { "why": "no paper" } }))
                .status,
            200
        );
        let end = ended(&mut host, &ticket);
        assert_eq!(end.status, status, "{}", end.text());
        if status == 200 {
            let result = &end.json()["result"];
            assert_eq!((&result["code"], &result["why"]), (&json!("worker_failed"), &json!("no paper")));
        }
        host.finish();
    }
    // It takes no job: the client hears so at once.
    let refusing = Upstream::https("worker", &["work.example"], |_| Answer::json(&json!({ "a": 1 })));
    let rule = "EXEC \"https://work.example/\" WITH mode = \"async\", max_duration = \"1s\"\n";
    let mut host =
        Host::serve(TXCO).rule("OPS/web/100/job.txcl", rule).upstream(&refusing, "work.example:443").start();
    let reply = host.event("/orders", &json!({}));
    assert_eq!((reply.status, reply.text().contains("upstream_failed")), (502, true), "{}", reply.text());
    host.finish();
    // It never calls.
    let silent = worker();
    let mut host =
        Host::serve(TXCO).rule("OPS/web/100/job.txcl", rule).upstream(&silent, "work.example:443").start();
    let ticket = ticket(&host.event("/orders", &json!({})));
    let end = ended(&mut host, &ticket);
    assert_eq!((end.status, &end.json()["reason"]), (502, &json!("upstream_timeout")), "{}", end.text());
    let (job, token) = only_job(&silent);
    assert_eq!(call(&mut host, &job, &token, &done(&json!({}))).status, 401, "too late");
    host.finish();
}

#[test]
fn two_workers_are_waited_for_and_merge_by_name() {
    let worker = worker();
    let rule = |name: &str| format!("EXEC \"https://work.example/{name}\" WITH mode = \"async\"\n");
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/100/a.txcl", &rule("a"))
        .rule("OPS/web/100/b.txcl", &rule("b"))
        .rule("OPS/web/200/again.txcl", &rule("again"))
        .upstream(&worker, "work.example:443")
        .start();
    let ticket = ticket(&host.event("/orders", &json!({})));
    let jobs = |worker: &Upstream, path: &str| {
        let job = worker.received().into_iter().find(|job| job.target == path).unwrap();
        (job.json(), job.header("x-txco-continuation-token").unwrap().to_owned())
    };
    // The later name wins, whoever called first.
    for (path, want) in [("/b", "recorded"), ("/a", "resumed")] {
        let (job, token) = jobs(&worker, path);
        let reply = call(&mut host, &job, &token, &done(&json!({ "who": path, "all": [path] })));
        assert_eq!(reply.json()["status"], want);
    }
    // It waits a second time.
    let begun = Instant::now();
    while worker.received().len() < 3 {
        assert!(begun.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(20));
    }
    let (job, token) = jobs(&worker, "/again");
    assert_eq!(job["input"]["who"], "/b");
    assert_eq!(call(&mut host, &job, &token, &done(&json!({ "last": true }))).status, 200);
    let end = ended(&mut host, &ticket).json();
    assert_eq!(end["result"]["all"], json!(["/a", "/b"]), "{end}");
    assert_eq!(end["result"]["last"], true);
    host.finish();
}

#[test]
fn a_continuable_rule_lets_its_client_go() {
    let hold = Arc::new(Mutex::new(()));
    let held = Arc::clone(&hold);
    let slow = Upstream::http("slow", move |_| {
        drop(held.lock().unwrap());
        Answer::json(&json!({ "sum": 42 }))
    });
    let rule = format!(
        "EXEC \"http://{}/\" WITH mode = \"continuable\", continue_after = \"200ms\"\n",
        slow.address()
    );
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/100/slow.txcl", &rule)
        .rule("OPS/web/200/b.txcl", "EMIT .later = .sum, @web.res.status = 201\n")
        .start();
    let quick = host.event("/orders", &json!({}));
    assert_eq!(
        (quick.status, &quick.json()["later"]),
        (201, &json!(42)),
        "what is quick is answered at once"
    );
    let stop = hold.lock().unwrap();
    let ticket = ticket(&host.event("/orders", &json!({})));
    assert_eq!(ask(&mut host, &ticket, "").json()["status"], "running");
    let page = host.web(
        &Request::new("GET", &format!("/orders?_txc.continuation={ticket}")).header("Accept", "text/html"),
    );
    assert!(page.status == 202 && page.text().contains("http-equiv=\"refresh\""), "{}", page.text());
    drop(stop);
    assert_eq!(ended(&mut host, &ticket).json()["result"]["later"], 42);
    assert_eq!(ask(&mut host, &ticket, "").status, 201);
    // Nobody can go on with it when its life ends.
    let stop = hold.lock().unwrap();
    let ticket = self::ticket(&host.event("/orders", &json!({})));
    host.kill();
    drop(stop);
    host.start();
    let end = ended(&mut host, &ticket);
    assert_eq!((end.status, &end.json()["reason"]), (502, &json!("unavailable")), "{}", end.text());
    host.finish();
}

/// R1: a credential ends with its request, so a request that has one cannot wait.
#[test]
fn a_request_with_a_credential_cannot_wait() {
    let worker = worker();
    let basic = "WHEN .body.n == 1 EXEC \"txco://basic-auth-encode\" WITH secrets.password.secret = \"KEY\", user = \"u\", output_path = \"_txc.computed.basic\"\n";
    let mut host = chassis(&worker).rule("OPS/web/50/basic.txcl", basic).start();
    host.store("KEY");
    let reply = host.event("/orders", &json!({ "n": 1 }));
    assert_eq!((reply.status, reply.text().contains("rule_failed")), (500, true), "{}", reply.text());
    assert!(host.wait_log("credential_cannot_wait").contains("_txc.computed.basic"));
    assert!(worker.received().is_empty(), "nothing was handed out");
    // It could be known before.
    let told = "rule job waits for a worker, and web/50/basic may have put a credential into the envelope";
    assert!(host.log().contains(told), "{}", host.log());
    let lint = host.txco(&["lint", "workspace"]);
    assert!(format!("{}{}", lint.stdout, lint.stderr).contains(told), "{}{}", lint.stdout, lint.stderr);
    lint.succeeds();
    // Where no WHEN keeps them apart it is an error.
    host.write("workspace/OPS/web/50/basic.txcl", basic.trim_start_matches("WHEN .body.n == 1 "));
    let lint = host.txco(&["lint", "workspace"]);
    let told = "rule job waits for a worker, and web/50/basic has put a credential into the envelope";
    assert!(format!("{}{}", lint.stdout, lint.stderr).contains(told), "{}{}", lint.stdout, lint.stderr);
    lint.fails(1);
    host.finish();
}

/// Where a reply leads nobody knows before, so lint says nothing; the request says it plainly, and the
/// job is not handed out.
#[test]
fn a_reply_that_leads_a_credential_to_a_job_is_told_by_the_job() {
    let worker = worker();
    let steers = Upstream::http("steers", |_| Answer::json(&json!({ "_txc": { "goto": "mail/20" } })));
    let basic = "EXEC \"txco://basic-auth-encode\" WITH secrets.password.secret = \"KEY\", user = \"u\", output_path = \"_txc.computed.basic\"\n";
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/50/basic.txcl", basic)
        .rule("OPS/web/60/steer.txcl", &format!("EXEC \"http://{}/\"\n", steers.address()))
        .rule("OPS/mail/20/job.txcl", JOB)
        .flags(&["--stack", "web"])
        .upstream(&worker, "work.example:443")
        .start();
    host.store("KEY");
    host.txco(&["lint", "workspace"]).succeeds();
    let reply = host.event("/orders", &json!({ "n": 1 }));
    assert_eq!((reply.status, reply.text().contains("rule_failed")), (500, true), "{}", reply.text());
    assert!(host.wait_log("credential_cannot_wait").contains("_txc.computed.basic is a credential"));
    assert!(worker.received().is_empty(), "nothing was handed out");
    let explained = host.txco(&["trace", "last", "--explain"]).succeeds();
    assert!(explained.contains("mail/20/job") && explained.contains("credential_cannot_wait"), "{explained}");
    host.finish();
}

#[test]
fn a_result_is_for_who_has_the_ticket_and_where_it_began() {
    let worker = worker();
    let mut host = chassis(&worker).start();
    let key = host.store("KEY");
    let ticket = ticket(&host.event("/orders", &json!({ "n": 1 })));
    let (job, _) = only_job(&worker);
    for (asked, reason) in [
        ("", "empty_or_missing_rcid"),
        ("rc_x", "malformed_rcid"),
        (job["_txc"]["run_id"].as_str().unwrap(), "malformed_rcid"),
        (&format!("rc_{}", "A".repeat(43)), "unknown_or_expired"),
    ] {
        let reply = ask(&mut host, asked, "");
        assert_eq!((reply.status, reply.json()["reason"].as_str()), (404, Some(reason)), "{asked}");
    }
    assert_eq!(ask(&mut host, &ticket, "").status, 202);
    host.allow(&key, "upstream worker header authorization", 1);
    host.finish();
}

/// With the store off nothing can be sealed, so nothing waits.
#[test]
fn without_the_store_nothing_waits() {
    let worker = worker();
    let mut host = Host::serve(TXCO)
        .rule("OPS/web/100/job.txcl", "EXEC \"https://work.example/\" WITH mode = \"async\"\n")
        .upstream(&worker, "work.example:443")
        .flags(&["--secret-master-key", ""])
        .start();
    let reply = host.event("/orders", &json!({}));
    assert_eq!((reply.status, reply.text().contains("secret_store_unavailable")), (503, true));
    assert!(worker.received().is_empty());
    host.finish();
}

#[test]
fn a_tenant_may_let_only_so_many_wait() {
    let worker = worker();
    let mut host = chassis(&worker).flags(&["--continuations-max", "1"]).start();
    let key = host.store("KEY");
    let first = ticket(&host.event("/orders", &json!({ "n": 1 })));
    let second = host.event("/orders", &json!({ "n": 2 }));
    assert_eq!((second.status, second.text().contains("busy")), (503, true), "{}", second.text());
    let (job, token) = only_job(&worker);
    assert_eq!(call(&mut host, &job, &token, &done(&json!({}))).status, 200);
    assert_eq!(ended(&mut host, &first).status, 200);
    assert_eq!(host.event("/orders", &json!({ "n": 3 })).status, 202);
    host.allow(&key, "upstream worker header authorization", 2);
    host.finish();
}

/// A request goes on under the rules that it began with, also when others were loaded and the
/// chassis was started again.
#[test]
fn it_goes_on_under_the_rules_that_it_began_with() {
    let worker = worker();
    let later = "OPS/web/200/later.txcl";
    let mut host = chassis(&worker).rule(later, "EMIT .rules = \"old\"\n").start();
    let key = host.store("KEY");
    let ticket = ticket(&host.event("/orders", &json!({ "n": 1 })));
    host.kill();
    host.write(&format!("workspace/{later}"), "EMIT .rules = \"new\"\n");
    host.start();
    let (job, token) = only_job(&worker);
    assert_eq!(call(&mut host, &job, &token, &done(&json!({}))).status, 200);
    assert_eq!(ended(&mut host, &ticket).json()["result"]["rules"], "old");
    host.allow(&key, "upstream worker header authorization", 1);
    host.finish();
}

/// The same where they were applied and call an op of the tenant: its bytes are those of the version
/// that was active when the request began, wherever its name leads now.
#[test]
fn it_goes_on_with_the_ops_that_it_began_with_after_a_restart() {
    let worker = worker();
    let mut host = Host::serve(TXCO).upstream(&worker, "work.example:443").start();
    let (key, password) = (host.store("KEY"), host.store("PASSWORD"));
    let push = |host: &mut Host, component: &[u8]| {
        let build = json!([{ "delivery": "reveal", "component": STANDARD.encode(component) }]);
        let request = Request::new("PUT", "/v1/tenants/default/ops/basic-auth-encode");
        let reply = host.admin(&request.json(&json!({ "builds": build })));
        assert!(reply.status < 300, "{}", reply.text());
    };
    let apply = |host: &mut Host, text: &str| {
        host.write("applied/OPS/web/100/job.txcl", JOB);
        host.write("applied/OPS/web/200/later.txcl", text);
        let url = format!("http://{}", host.admin_address());
        host.txco(&["apply", "applied", "--url", &url]).succeeds();
    };
    push(&mut host, AUTH);
    let auth = "EXEC \"op://basic-auth-encode\"\nWITH secrets.password.secret = \"PASSWORD\", user = \"alice\"\nEMIT .rules = \"old\"\n";
    apply(&mut host, auth);
    let ticket = ticket(&host.event("/orders", &json!({ "n": 1 })));
    push(&mut host, &[AUTH, b"\0\x05\x01xyyy"].concat());
    apply(&mut host, "EMIT .rules = \"new\"\n");
    let gone = host.admin(&Request::new("DELETE", "/v1/tenants/default/ops/basic-auth-encode"));
    assert_eq!(gone.status, 204);
    host.kill();
    host.start();
    let (job, token) = only_job(&worker);
    assert_eq!(call(&mut host, &job, &token, &done(&json!({}))).status, 200);
    let ended = ended(&mut host, &ticket).json();
    assert_eq!(ended["result"]["rules"], "old", "{ended}");
    let traced = host.txco(&["trace", "last", "--json"]).succeeds();
    let called = format!("op basic-auth-encode@{}", digest(AUTH));
    assert!(traced.contains(&called), "{called}: {traced}");
    host.allow(&key, "upstream worker header authorization", 1);
    drop(password);
    host.finish();
}

/// What waits for a worker goes on only when its tenant may: its work is kept until then.
#[test]
fn what_waits_of_a_suspended_tenant_goes_on_when_it_is_resumed() {
    let worker = worker();
    let after = "EXEC \"https://work.example/after\"\nSELECT .sum AS .sum\n";
    let mut host = chassis(&worker).rule("OPS/web/200/after.txcl", after).start();
    let key = host.store("KEY");
    let ticket = ticket(&host.event("/orders", &json!({ "n": 1 })));
    let (job, token) = only_job(&worker);
    let tenant = |host: &mut Host, verb: &str| {
        let reply =
            host.admin(&Request::new("POST", &format!("/v1/tenants/default/{verb}")).json(&json!({})));
        assert_eq!(reply.status, 200, "{}", reply.text());
    };
    tenant(&mut host, "suspend");
    assert_eq!(ask(&mut host, &ticket, "").status, 403);
    assert_eq!(call(&mut host, &job, &token, &done(&json!({ "sum": 2 }))).status, 200);
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(worker.received().len(), 1, "no rule ran");
    tenant(&mut host, "resume");
    let reply = ended(&mut host, &ticket);
    assert_eq!((reply.status, worker.received().len()), (200, 2), "{}", reply.text());
    host.allow(&key, "upstream worker header authorization", 1);
    host.finish();
}
