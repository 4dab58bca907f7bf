//! The goals, one function for those that one measurement tells.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pages::{Reservations, Shape};
use sandbox::measure::{Live, median, resident, stock, timed};
use sandbox::{Limits, OpInput, Sandbox, Trust, builtins};
use vault::{Credentials, OpBags, Reveal, SecretBag, Use};

use crate::Row;
use crate::house::{House, How, limits, sandbox};

const ROUNDS: u32 = 60;
const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

type Measure = fn(&House) -> Vec<Row>;

/// Each measurement, and the goals it is about.
pub(crate) const ALL: &[(&[&str], Measure)] = &[
    (&["G1"], faults),
    (&["G2", "G3"], small),
    (&["G4", "G5"], large),
    (&["G6", "G7", "G8"], throughput),
    (&["G9", "G10"], cold),
    (&["G11"], live),
    (&["G12"], wipe),
    (&["G14"], overshoot),
];

fn at_most(goal: &'static str, what: String, ratio: f64, target: &'static str, most: f64) -> Row {
    Row { goal, what, measured: format!("{ratio:.2} x native"), target, met: ratio <= most }
}

fn named(how: How) -> &'static str {
    match how {
        How::Shown => "reveal and HMAC in the guest",
        How::Handle => "key and body by handle",
        How::Copied => "key by handle, body copied in",
    }
}

fn faults(house: &House) -> Vec<Row> {
    let sandbox = sandbox();
    let mut rows = Vec::new();
    for how in [How::Handle, How::Shown] {
        for size in [KIB, 16 * KIB] {
            let signer = house.signer(&sandbox, how, size);
            let faults = signer.measured(|subject| subject.faults(10_000)).unwrap();
            let what = format!("page faults of 10,000 warm calls, {}, {} KiB", named(how), size / KIB);
            // What is not of the calls, a page of the bench's own heap, is not one per call either.
            let met = faults < 10;
            rows.push(Row { goal: "G1", what, measured: faults.to_string(), target: "0 per call", met });
        }
    }
    rows
}

fn small(house: &House) -> Vec<Row> {
    let sandbox = sandbox();
    let one = |how| house.signer(&sandbox, how, KIB).measured(|subject| subject.beside(ROUNDS, 200));
    let (handle, shown) = (one(How::Handle), one(How::Shown));
    let told = |how, beside: sandbox::measure::Beside| {
        format!("{}, 1 KiB: {:.1?} against {:.2?}", named(how), beside.call, beside.native)
    };
    vec![
        at_most("G2", told(How::Handle, handle), handle.ratio, "<= 7", 7.0),
        at_most("G3", told(How::Shown, shown), shown.ratio, "<= 12", 12.0),
    ]
}

fn large(house: &House) -> Vec<Row> {
    let sandbox = sandbox();
    let one = |how, size: usize| {
        let calls = u32::try_from((4 * MIB / size).clamp(2, 60)).unwrap();
        house.signer(&sandbox, how, size).measured(|subject| subject.beside(ROUNDS, calls)).ratio
    };
    let row = |goal, how, size: usize, target, most| {
        at_most(goal, format!("{}, {} KiB", named(how), size / KIB), one(how, size), target, most)
    };
    vec![
        row("G4", How::Handle, 64 * KIB, "<= 1.4", 1.4),
        row("G4", How::Handle, MIB, "<= 1.1", 1.1),
        row("G4", How::Handle, 4 * MIB, "<= 1.05", 1.05),
        row("G5", How::Copied, 64 * KIB, "<= 2.5", 2.5),
        row("G5", How::Copied, MIB, "<= 2.5", 2.5),
    ]
}

fn throughput(house: &House) -> Vec<Row> {
    let (ours, stock) = (sandbox(), stock(limits()).unwrap());
    let many = |sandbox: &Sandbox, threads| {
        let signer = house.signer(sandbox, How::Handle, KIB);
        signer.measured(|subject| subject.throughput(threads, 9, 4_000))
    };
    let (one, two) = (many(&ours, 1), many(&ours, 2));
    let (stock_one, stock_two) = (many(&stock, 1), many(&stock, 2));
    let against = |goal, threads: usize, ours: f64, stock: f64, target, least| Row {
        goal,
        what: format!("{threads} threads: {ours:.0}/s against {stock:.0}/s with the engine's own memory"),
        measured: format!("{:.1} times", ours / stock),
        target,
        met: ours / stock >= least,
    };
    let scaling = (two.calls / one.calls) / (two.native / one.native);
    let share = two.calls / two.native;
    vec![
        against("G6", 1, one.calls, stock_one.calls, ">= 4", 4.0),
        against("G6", 2, two.calls, stock_two.calls, ">= 10", 10.0),
        Row {
            goal: "G7",
            what: format!(
                "1 to 2 threads: {:.2} times the calls, natively {:.2} times",
                two.calls / one.calls,
                two.native / one.native
            ),
            measured: format!("{scaling:.2} of native's"),
            target: ">= 0.8",
            met: scaling >= 0.8,
        },
        Row {
            goal: "G8",
            what: format!("2 threads: {:.0}/s, natively {:.0}/s", two.calls, two.native),
            measured: format!("{share:.3} of native"),
            target: ">= 0.12",
            met: share >= 0.12,
        },
    ]
}

fn cold(house: &House) -> Vec<Row> {
    let (folder, cache) = house.cache();
    let (uncached, cached) = (sandbox(), Sandbox::new(limits(), cache).unwrap());
    let signer = house.signer(&uncached, How::Shown, KIB);
    let builtin =
        builtins().unwrap().into_iter().find(|op| op.digest == signer.op.reference().digest).unwrap();
    let first_result = |sandbox: &Sandbox| {
        let (bags, credentials) = (signer.bags(), Credentials::new());
        let start = Instant::now();
        let op = sandbox.load_builtin(&builtin).unwrap();
        assert!(op.call(signer.input(), bags, &credentials).is_ok());
        start.elapsed().as_secs_f64()
    };
    // The first fills the cache.
    first_result(&cached);
    let took = |times: u32, sandbox: &Sandbox| median((0..times).map(|_| first_result(sandbox)).collect());
    let (compiled, loaded) = (took(9, &uncached), took(40, &cached));
    let part = compiled / loaded;
    let micros = |seconds: f64| Duration::from_secs_f64(seconds);
    let mut rows = vec![Row {
        goal: "G9",
        what: format!(
            "hmac-sign from the cache to its first result: {:.0?}; compiled first: {:.1?}",
            micros(loaded),
            micros(compiled)
        ),
        measured: format!("1/{part:.0}"),
        target: "<= 1/50",
        met: part >= 50.0,
    }];
    for builtin in builtins().unwrap().iter().filter(|op| op.name == builtin.name) {
        cached.load_builtin(builtin).unwrap();
        let mut files = fs::read_dir(&folder).unwrap().map(|file| file.unwrap());
        let is_its = |name: &str| name.starts_with(&builtin.digest.to_string());
        let code = files.find(|file| file.file_name().to_str().is_some_and(is_its)).unwrap();
        let (component, code) = (builtin.wasm.len(), code.metadata().unwrap().len());
        rows.push(Row {
            goal: "G10",
            what: format!("size of {}, and compiled", builtin.file),
            measured: format!("{component} and {code} bytes"),
            target: "<= 20 and 64 KiB",
            met: component <= 20 * KIB && code <= 64 << 10,
        });
    }
    rows
}

fn live(house: &House) -> Vec<Row> {
    const INSTANCES: u32 = 1_000;
    let sandbox = sandbox();
    let row = |how| {
        let signer = house.signer(&sandbox, how, KIB);
        let before = resident().unwrap();
        let live: Vec<_> =
            (0..INSTANCES).map(|_| Live::after(&signer.op, signer.input(), signer.bags()).unwrap()).collect();
        let each = (resident().unwrap() - before) as f64 / f64::from(INSTANCES) / 1024.0;
        drop(live);
        Row {
            goal: "G11",
            what: format!("resident per live instance of 1,000, after its call, {}", named(how)),
            measured: format!("{each:.1} KiB"),
            target: "<= 24 KiB",
            met: each <= 24.0,
        }
    };
    vec![row(How::Handle), row(How::Shown)]
}

fn wipe(house: &House) -> Vec<Row> {
    let call =
        house.signer(&sandbox(), How::Handle, KIB).measured(|subject| subject.beside(ROUNDS, 200)).call;
    // Taken and put back: that is the wipe of one page of WebAssembly and a lock, twice.
    let pool = Reservations::new(4);
    let shape = Shape { reservation: 1 << 32, guard: 32 << 20, accessible: 64 << 10 };
    let memory = timed(20_000, || drop(pool.take(shape).unwrap()));
    let stack = timed(20_000, || pages::clearing_stack(600 << 10, || ()));
    let share = (memory + stack).as_secs_f64() / call.as_secs_f64();
    vec![Row {
        goal: "G12",
        what: format!("wiping, of a call of {call:.1?}: {memory:.2?} for memory, {stack:.2?} for the stack"),
        measured: format!("{:.0} %", share * 100.0),
        target: "<= 15 %",
        met: share <= 0.15,
    }]
}

fn overshoot(_: &House) -> Vec<Row> {
    let mut rows = Vec::new();
    for (busy, target, most) in [(0, "<= 2 ms", 2.0), (4, "<= 10 ms", 10.0)] {
        for millis in [5, 250] {
            let wall = Duration::from_millis(millis);
            let late = beyond(wall, busy);
            let (middle, worst) = (median(late.clone()), late.iter().copied().fold(0.0, f64::max));
            rows.push(Row {
                goal: "G14",
                what: format!("a deadline of {wall:?}, {busy} busy threads beside: worst {worst:.1} ms late"),
                measured: format!("{middle:.2} ms late"),
                target,
                met: middle <= most && worst <= 30.0,
            });
        }
    }
    rows
}

/// How many milliseconds calls without end outlive `wall`.
fn beyond(wall: Duration, busy: usize) -> Vec<f64> {
    let sandbox = Sandbox::new(Limits { wall, ..limits() }, sandbox::CodeCache::Off).unwrap();
    let spin = House::guest(&sandbox, "spin");
    assert_eq!(spin.trust(), Trust::Tenant);
    let over = Arc::new(AtomicBool::new(false));
    let others: Vec<_> = (0..busy)
        .map(|_| {
            let over = Arc::clone(&over);
            thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    std::hint::spin_loop()
                }
            })
        })
        .collect();
    let late = (0..15).map(|_| {
        let bags = OpBags { reveal: SecretBag::<Reveal>::empty(), keys: SecretBag::<Use>::empty() };
        let start = Instant::now();
        assert!(spin.call(without_end(), bags, &Credentials::new()).is_err());
        (start.elapsed().saturating_sub(wall)).as_secs_f64() * 1e3
    });
    let late = late.collect();
    over.store(true, Ordering::Relaxed);
    others.into_iter().for_each(|thread| thread.join().unwrap());
    late
}

fn without_end() -> OpInput {
    OpInput {
        request: model::RequestId::mint().unwrap(),
        stack: String::new(),
        scope: 0,
        rule: String::new(),
        now_millis: u64::MAX >> 1,
        params: Arc::new(model::Value::object()),
        envelope: Arc::new(model::Envelope::default()),
        randomness: sandbox::Randomness::System,
    }
}
