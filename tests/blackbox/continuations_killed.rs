//! Requests that wait, in a chassis that is killed again and again: each ends once, and nothing is done twice.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::continuations::{asking, callback, done};
use support::{Answer, Host, Received, Reply, Request, Upstream, send};

use crate::TXCO;

/// How many requests, and how often it is killed while they run; `TXCO_KILLED_RUNS` and
/// `TXCO_KILLS` say otherwise.
const RUNS: usize = 240;
const KILLS: usize = 5;
/// Clients, and workers that call back, at once.
const AT_ONCE: usize = 4;
/// Each so-many-th request is of a continuable rule.
const PROMISED: usize = 4;
/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);

fn said(name: &str, otherwise: usize) -> usize {
    std::env::var_os(name).map_or(otherwise, |text| text.to_str().unwrap().parse().unwrap())
}

/// How often something came, by the number of the request.
#[derive(Default)]
struct Times(Mutex<BTreeMap<u64, usize>>);

impl Times {
    fn count(&self, request: &Received) {
        let n = request.json()["n"].as_u64().unwrap();
        *self.0.lock().unwrap().entry(n).or_default() += 1;
    }

    fn of(&self, n: u64) -> usize {
        self.0.lock().unwrap().get(&n).copied().unwrap_or(0)
    }
}

/// A job as its worker got it, and what became of its calls.
struct Job {
    said: Value,
    token: String,
    /// Calls so far, and those that were not answered: whether they were kept nobody knows.
    calls: u64,
    lost: Vec<u64>,
    /// The call that was kept.
    kept: Option<u64>,
}

/// What the world outside of the chassis knows.
#[derive(Default)]
struct World {
    /// Where the chassis listens, while it does.
    at: RwLock<Option<SocketAddr>>,
    next: AtomicUsize,
    tickets: Mutex<BTreeMap<u64, String>>,
    jobs: Mutex<Vec<Job>>,
    /// How many jobs there were.
    handed: AtomicUsize,
    /// All calls of a job, and those of them that counted.
    spent: Mutex<Vec<(u64, Job)>>,
    over: AtomicBool,
}

impl World {
    /// What the chassis of this moment answers; none when it is killed meanwhile.
    fn ask(&self, request: &Request) -> Option<Reply> {
        let at = *self.at.read().unwrap();
        match at {
            Some(at) => send(at, request).ok(),
            None => {
                thread::sleep(Duration::from_millis(10));
                None
            }
        }
    }

    /// Sends requests until there were enough.
    fn client(&self, runs: usize) {
        loop {
            let n = self.next.fetch_add(1, Ordering::SeqCst);
            if n >= runs {
                return;
            }
            // Not while there is nobody to hear it.
            until("a chassis", || self.at.read().unwrap().is_some());
            let event = json!({ "n": n, "promised": n.is_multiple_of(PROMISED) });
            // One that is cut off has no ticket, and does not come again: it may have begun.
            let Some(reply) = self.ask(&Request::new("POST", "/orders").json(&event)) else { continue };
            assert_eq!(reply.status, 202, "{}", reply.text());
            let ticket = reply.json()["continuation"].as_str().unwrap().to_owned();
            self.tickets.lock().unwrap().insert(n as u64, ticket);
        }
    }

    /// Calls back for jobs until there are none any more. Each call says which it is.
    fn worker(&self) {
        loop {
            let job = self.jobs.lock().unwrap().pop();
            let Some(mut job) = job else {
                if self.over.load(Ordering::SeqCst) {
                    return;
                }
                thread::sleep(Duration::from_millis(5));
                continue;
            };
            let n = job.said["input"]["n"].as_u64().unwrap();
            let call = job.calls;
            job.calls += 1;
            let output = done(&json!({ "sum": 2 * n, "call": call }));
            match self.ask(&callback(&job.said, &job.token, &output)) {
                None => {
                    job.lost.push(call);
                    self.jobs.lock().unwrap().insert(0, job);
                }
                Some(reply) if reply.status == 200 => {
                    assert!(job.kept.replace(call).is_none(), "the token of {n} was good twice");
                    // Once more, for the token.
                    self.jobs.lock().unwrap().insert(0, job);
                }
                Some(reply) => {
                    assert_eq!(reply.status, 401, "{}", reply.text());
                    assert!(
                        job.kept.is_some() || !job.lost.is_empty(),
                        "the token of {n} was not good, and nothing was said with it before"
                    );
                    self.spent.lock().unwrap().push((n, job));
                }
            }
        }
    }
}

#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A number below `most`, never the same twice.
fn random(most: u64) -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    std::hash::RandomState::new().build_hasher().finish() % most
}

/// Weakness T5: there, what waits is a folder that is not synced, and a file's presence is its state.
#[test]
fn kill_9_again_and_again_ends_each_once_and_does_nothing_twice() {
    let (runs, kills) = (said("TXCO_KILLED_RUNS", RUNS), said("TXCO_KILLS", KILLS));
    let world = std::sync::Arc::new(World::default());
    let (effects, promised) = (std::sync::Arc::new(Times::default()), std::sync::Arc::new(Times::default()));
    let worker = {
        let world = std::sync::Arc::clone(&world);
        Upstream::http("worker", move |job| {
            let token = job.header("x-txco-continuation-token").unwrap().to_owned();
            let job = Job { said: job.json(), token, calls: 0, lost: Vec::new(), kept: None };
            world.handed.fetch_add(1, Ordering::SeqCst);
            world.jobs.lock().unwrap().push(job);
            Answer::new(202, &[], "{}")
        })
    };
    let counting = |name: &str, times: &std::sync::Arc<Times>, takes: u64| {
        let times = std::sync::Arc::clone(times);
        Upstream::http(name, move |request| {
            times.count(request);
            thread::sleep(Duration::from_millis(takes));
            Answer::json(&json!({ "seen": true }))
        })
    };
    let effect = counting("effect", &effects, 15);
    let slow = counting("slow", &promised, 150);
    let http = |upstream: &Upstream| format!("http://{}/", upstream.address());
    let mut host = Host::serve(TXCO)
        .rule(
            "OPS/web/50/promised.txcl",
            &format!(
                "WHEN .body.promised == true\nSELECT .body.n AS .n\n\
                 WITH mode = \"continuable\", continue_after = \"40ms\"\nEXEC \"{}\"\n",
                http(&slow)
            ),
        )
        .rule(
            "OPS/web/100/job.txcl",
            &format!(
                "WHEN .body.promised == false\nSELECT .body.n AS .n\n\
                 WITH mode = \"async\", max_duration = \"10m\"\nEXEC \"{}\"\n",
                http(&worker)
            ),
        )
        .rule(
            "OPS/web/200/effect.txcl",
            &format!("WHEN .body.promised == false\nSELECT .body.n AS .n\nEXEC \"{}\"\n", http(&effect)),
        )
        .flags(&["--continuation-runs", "1000"])
        .start();
    let serving = |host: &Host| *world.at.write().unwrap() = Some(host.web_address());
    serving(&host);
    thread::scope(|scope| {
        // Whoever fails lets the others end, and is heard.
        let mut all: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(|| world.worker())).collect();
        let clients: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(|| world.client(runs))).collect();
        for kill in 1..=kills {
            let enough = runs * kill / (kills + 1);
            until("requests", || {
                world.next.load(Ordering::SeqCst) >= enough || clients.iter().all(|one| one.is_finished())
            });
            thread::sleep(Duration::from_millis(random(120)));
            *world.at.write().unwrap() = None;
            host.kill();
            host.start();
            serving(&host);
        }
        all.extend(clients);
        until("the end of the clients", || all[AT_ONCE..].iter().all(|one| one.is_finished()));
        until("the end of the jobs", || {
            let spent = world.spent.lock().unwrap().len();
            spent == world.handed.load(Ordering::SeqCst) || all[..AT_ONCE].iter().any(|one| one.is_finished())
        });
        world.over.store(true, Ordering::SeqCst);
    });
    let ends = ends(&mut host, &world, &effects, &promised);
    // What ended has ended.
    host.kill();
    host.start();
    serving(&host);
    for (n, end) in &ends {
        let again = ended(&world, *n);
        assert_eq!((again.status, again.json()["result"].clone()), end.clone(), "{n}");
    }
    let completed = ends.values().filter(|(status, _)| *status == 200).count();
    println!("{runs} requests, {kills} kills: {} had tickets, {completed} of them completed", ends.len());
    assert!(completed > runs / 3, "{completed} of {runs}");
    until("the end of all that runs", || {
        let page = host.admin(&Request::new("GET", "/metrics")).text();
        page.lines().filter(|line| line.contains("state=\"running\"}")).all(|line| line.ends_with("} 0"))
    });
    assert!(!host.log().contains("panic"), "{}", host.log());
    host.finish();
}

fn ended(world: &World, n: u64) -> Reply {
    let ticket = world.tickets.lock().unwrap()[&n].clone();
    let begun = Instant::now();
    loop {
        let reply = world.ask(&asking("/orders", &ticket, "&format=json")).unwrap();
        if reply.status != 202 {
            return reply;
        }
        assert!(begun.elapsed() < PATIENCE, "{n}: {}", reply.text());
    }
}

/// How each request ended whose client has a ticket.
fn ends(host: &mut Host, world: &World, effects: &Times, promised: &Times) -> BTreeMap<u64, (u16, Value)> {
    let spent: BTreeMap<u64, Job> = std::mem::take(&mut *world.spent.lock().unwrap()).into_iter().collect();
    let numbers: Vec<_> = world.tickets.lock().unwrap().keys().copied().collect();
    let mut ends = BTreeMap::new();
    for n in numbers {
        let end = ended(world, n);
        host.record("web reply", &end.raw);
        let result = end.json()["result"].clone();
        let is_promised = (n as usize).is_multiple_of(PROMISED);
        let done = if is_promised { promised.of(n) } else { effects.of(n) };
        match end.status {
            200 => {
                assert_eq!(done, 1, "{n}: completed, and its effect was there {done} times");
                if !is_promised {
                    let job = &spent[&n];
                    let call = result["call"].as_u64().unwrap();
                    assert_eq!(result["sum"], 2 * n, "{n}");
                    assert!(
                        job.kept.map_or_else(|| job.lost.contains(&call), |kept| kept == call),
                        "{n}: {call}"
                    );
                }
            }
            502 => {
                assert_eq!(end.json()["reason"], "unavailable", "{n}: {}", end.text());
                assert!(done <= 1, "{n}: its effect was there {done} times");
            }
            _ => panic!("{n}: {}", end.text()),
        }
        ends.insert(n, (end.status, result));
    }
    for (name, times) in [("effect", effects), ("promised", promised)] {
        let twice: Vec<_> =
            times.0.lock().unwrap().clone().into_iter().filter(|(_, times)| *times > 1).collect();
        assert!(twice.is_empty(), "{name} more than once: {twice:?}");
    }
    ends
}
