//! `txco op bench`: what a call costs, beside the HMAC of the same body computed without walls.
//!
//! The goals it tells about, G1 to G11, stand in `host/docs/speed.md`.

use std::hint::black_box;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use model::Path;
use sandbox::measure::{Beside, Live, Subject, Throughput, median, resident, stock};
use sandbox::{CodeCache, Layered, Limits, Op, Sandbox, Trust};
use serde_json::{Value, json};
use sha2::Sha256;
use vault::{Credentials, MasterKey};

use super::fixture::Fixture;
use super::place::{Component, Place, called, forgetful};
use super::rehearsal::{Rehearsal, Scene};
use crate::cli::output::{Complaint, Console, table};

/// Flags of `txco op bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    /// The op's folder
    #[arg(value_name = "DIR", default_value = ".")]
    path: PathBuf,
    /// The fixture in its tests/ that is called [default: the first]
    #[arg(long, value_name = "NAME")]
    fixture: Option<String>,
    /// Calls per round
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    calls: u32,
    /// Rounds; what is told is their median
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: u32,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// What is native about it: the HMAC of the body, the yardstick of every signer.
const KEY: &[u8] = b"0123456789abcdef0123456789abcdef";

/// How many instances are alive at once when their memory is measured.
const LIVE: u32 = 200;
/// How often a first call is measured.
const COLD: usize = 15;

/// Measures every build.
pub(super) fn run(flags: &Flags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let fixtures = Fixture::all(&flags.path)?;
    let names = fixtures.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ");
    let chosen = fixtures.into_iter().find(|one| flags.fixture.as_ref().is_none_or(|name| *name == one.name));
    let fixture =
        chosen.ok_or_else(|| Complaint::usage(format!("there is no such fixture; there are: {names}")))?;
    let place = Place::at(&flags.path, console)?;
    let limits = Limits::default();
    let rehearsal = Rehearsal::new(
        forgetful(&limits)?,
        fixture.secrets.clone(),
        fixture.allow.and_then(|class| place.policy(class)).as_ref(),
    )?;
    let bench = Bench { flags, rehearsal, scene: &fixture.scene, limits };
    let mut rows = vec![["BUILD", "GOAL", "WHAT", "MEASURED"].map(str::to_owned).to_vec()];
    let mut records = Vec::new();
    for component in &place.components {
        let measured = bench.measure(component)?;
        rows.extend(measured.rows(component));
        records.push(measured.record(component));
    }
    if flags.json {
        let whole = json!({ "op": place.manifest.name.as_str(), "fixture": fixture.name, "builds": records });
        return console.print(&whole.to_string());
    }
    console.note(&format!(
        "{}, fixture {}: medians of {} rounds of {} calls; native is the HMAC-SHA256 of the same body",
        place.manifest.name, fixture.name, flags.rounds, flags.calls
    ));
    console.print(&table(&rows))
}

/// One op under measurement.
struct Bench<'a> {
    flags: &'a Flags,
    rehearsal: Rehearsal,
    scene: &'a Scene,
    limits: Limits,
}

/// What was measured of one build.
struct Measured {
    called: Option<Layered>,
    beside: Beside,
    faults: Option<u64>,
    fault_calls: u32,
    /// On one thread and on two.
    own: [Throughput; 2],
    /// The same in the engine's own memory.
    stock: [Throughput; 2],
    compile: f64,
    /// Of compiling, and of code that was compiled before, to the first result.
    first: [f64; 2],
    compiled_bytes: u64,
    live: Option<u64>,
}

impl Bench<'_> {
    fn measure(&self, component: &Component) -> Result<Measured, Complaint> {
        let started = Instant::now();
        let op = self.rehearsal.op(component)?;
        let compile = started.elapsed().as_secs_f64();
        // Once, so that what does not work is said and not measured.
        let tried = self.rehearsal.call(&op, self.scene)?;
        tried.map_err(|failed| Complaint::failed(format!("the op fails: {}", failed.error)))?;
        let fault_calls = self.flags.calls.saturating_mul(10);
        let (beside, faults) = self.subject(&op, |subject| {
            (subject.beside(self.flags.rounds, self.flags.calls), subject.faults(fault_calls))
        })?;
        let stock = stock(self.limits.clone()).map_err(failed)?;
        let (first, compiled_bytes) = self.first_results(component)?;
        Ok(Measured {
            called: op.layered(),
            beside,
            faults,
            fault_calls,
            own: self.throughput(&op)?,
            stock: self.throughput(&component.load(&stock, Trust::Author)?)?,
            compile,
            first,
            compiled_bytes,
            live: self.live(&op)?,
        })
    }

    /// Hands out the op beside the native work.
    fn subject<R>(
        &self,
        op: &Op,
        measure: impl FnOnce(&Subject<'_, (Option<vault::OpBags>, sandbox::OpInput)>) -> R,
    ) -> Result<R, Complaint> {
        let input = self.scene.input()?;
        let body = Path::parse("body").ok();
        let body = body.and_then(|path| self.scene.envelope.bytes(&path)).unwrap_or_default();
        Ok(measure(&Subject {
            prepare: &|| (self.rehearsal.bags(op).ok(), input.clone()),
            call: &|(bags, input)| {
                if let Some(bags) = bags {
                    // Each with credentials of its own, as requests have.
                    drop(black_box(op.call(input, bags, &Credentials::new())));
                }
            },
            native: &|| {
                if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(KEY) {
                    mac.update(black_box(&body));
                    black_box(mac.finalize());
                }
            },
        }))
    }

    fn throughput(&self, op: &Op) -> Result<[Throughput; 2], Complaint> {
        let calls = self.flags.calls;
        self.subject(op, |subject| [1, 2].map(|threads| subject.throughput(threads, 5, calls)))
    }

    /// Seconds to the first result: compiled now, and taken from a code cache; and the size of what it holds.
    fn first_results(&self, component: &Component) -> Result<([f64; 2], u64), Complaint> {
        let folder = tempfile::tempdir().map_err(failed)?;
        let mut key = zeroize::Zeroizing::new([0_u8; 32]);
        getrandom::fill(&mut *key).map_err(failed)?;
        let key = MasterKey::from_bytes(&mut *key).and_then(|key| key.code_cache_key()).map_err(failed)?;
        let cache = CodeCache::At { folder: folder.path().to_owned(), key };
        let cached = Sandbox::new(self.limits.clone(), cache).map_err(failed)?;
        let first = |sandbox: &Sandbox| {
            let started = Instant::now();
            let op = component.load(sandbox, Trust::Author)?;
            let loaded = started.elapsed();
            let (bags, input) = (self.rehearsal.bags(&op)?, self.scene.input()?);
            let started = Instant::now();
            op.call(input, bags, &Credentials::new()).map_err(failed)?;
            Ok::<_, Complaint>((loaded + started.elapsed()).as_secs_f64())
        };
        let compiled = first(&cached)?;
        let warm = (0..COLD).map(|_| first(&cached)).collect::<Result<Vec<_>, _>>()?;
        let files = std::fs::read_dir(folder.path()).map_err(failed)?;
        let bytes = files.filter_map(|file| Some(file.ok()?.metadata().ok()?.len())).sum();
        Ok(([compiled, median(warm)], bytes))
    }

    /// Bytes in memory per instance that is alive after its call.
    fn live(&self, op: &Op) -> Result<Option<u64>, Complaint> {
        let one = || Live::after(op, self.scene.input()?, self.rehearsal.bags(op)?).map_err(failed);
        let before = resident();
        let all = (0..LIVE).map(|_| one()).collect::<Result<Vec<_>, _>>()?;
        let grown = resident().zip(before).map(|(now, before)| now.saturating_sub(before) / u64::from(LIVE));
        drop(all);
        Ok(grown)
    }
}

impl Measured {
    fn rows(&self, component: &Component) -> Vec<Vec<String>> {
        let [one, two] = self.own;
        let [stock_one, stock_two] = self.stock;
        let [compiled, cached] = self.first;
        let lines = [
            ("", "called", called(self.called)),
            (
                "G2-5",
                "a call, beside native",
                format!(
                    "{:.1?}, {:.1} times {:.1?}",
                    self.beside.call, self.beside.ratio, self.beside.native
                ),
            ),
            (
                "G1",
                "page faults of warm calls",
                self.faults.map_or_else(
                    || "not told by this system".to_owned(),
                    |faults| format!("{faults} in {}", self.fault_calls),
                ),
            ),
            ("G6", "calls on 1 thread and on 2", format!("{:.0}/s and {:.0}/s", one.calls, two.calls)),
            (
                "G6",
                "against the engine's own memory",
                format!("{:.1} and {:.1} times", one.calls / stock_one.calls, two.calls / stock_two.calls),
            ),
            ("G7", "what a second thread adds, of what it adds to native", format!("{:.2}", self.scaling())),
            ("G8", "calls on 2 threads, of native", format!("{:.3}", two.calls / two.native)),
            ("", "compiled", seconds(self.compile)),
            (
                "G9",
                "from compiled code to the first result",
                format!("{}, 1/{:.0} of compiling first", seconds(cached), compiled / cached),
            ),
            (
                "G10",
                "size, as a component and compiled",
                format!("{} and {} bytes", component.bytes.len(), self.compiled_bytes),
            ),
            (
                "G11",
                "in memory per live instance",
                self.live.map_or_else(
                    || "not told by this system".to_owned(),
                    |bytes| format!("{:.1} KiB", bytes as f64 / 1024.0),
                ),
            ),
        ];
        let build = component.delivery.to_string();
        let row = |(goal, what, measured): (&str, &str, String)| {
            vec![build.clone(), goal.to_owned(), what.to_owned(), measured]
        };
        lines.into_iter().map(row).collect()
    }

    fn record(&self, component: &Component) -> Value {
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        let [one, two] = self.own;
        let [stock_one, stock_two] = self.stock;
        let [_, cached] = self.first;
        json!({
            "delivery": component.delivery.word(),
            "direct": self.called.is_none(),
            "why_not_direct": self.called.map(|why| why.to_string()),
            "call_us": micros(self.beside.call),
            "native_us": micros(self.beside.native),
            "ratio": self.beside.ratio,
            "page_faults": self.faults,
            "page_fault_calls": self.fault_calls,
            "calls_per_second_1": one.calls,
            "calls_per_second_2": two.calls,
            "stock_calls_per_second_1": stock_one.calls,
            "stock_calls_per_second_2": stock_two.calls,
            "native_per_second_2": two.native,
            "scaling": self.scaling(),
            "compile_ms": self.compile * 1e3,
            "first_result_from_cache_us": cached * 1e6,
            "component_bytes": component.bytes.len(),
            "compiled_bytes": self.compiled_bytes,
            "resident_per_instance_bytes": self.live,
        })
    }

    fn scaling(&self) -> f64 {
        let [one, two] = self.own;
        (two.calls / one.calls) / (two.native / one.native)
    }
}

fn seconds(seconds: f64) -> String {
    format!("{:.1?}", Duration::from_secs_f64(seconds))
}

fn failed(error: impl std::fmt::Display) -> Complaint {
    Complaint::failed(error.to_string())
}
