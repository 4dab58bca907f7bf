//! `txco op bench`: what a call costs, beside the HMAC of the same body computed without walls.

use std::hint::black_box;
use std::path::PathBuf;
use std::time::Instant;

use hmac::{Hmac, KeyInit, Mac};
use model::Path;
use sandbox::measure::Subject;
use sandbox::{Limits, Trust};
use serde_json::json;
use sha2::Sha256;
use vault::Credentials;

use super::fixture::Fixture;
use super::place::{Place, sandbox};
use super::rehearsal::Rehearsal;
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

/// Measures every build.
pub(super) fn run(flags: &Flags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let fixtures = Fixture::all(&flags.path)?;
    let chosen = fixtures.into_iter().find(|one| flags.fixture.as_ref().is_none_or(|name| *name == one.name));
    let fixture = chosen.ok_or_else(|| Complaint::failed("there is no such fixture"))?;
    let place = Place::at(&flags.path, console)?;
    let limits = Limits::default();
    let mut rows = vec![
        ["BUILD", "CALL", "HMAC", "RATIO", "FAULTS", "1 THREAD", "2 THREADS", "COMPILE"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let mut records = Vec::new();
    for component in &place.components {
        let rehearsal = Rehearsal::new(&limits, fixture.secrets.clone())?;
        let started = Instant::now();
        component.load(&sandbox(&limits)?, Trust::Tenant)?;
        let compile = started.elapsed();
        let op = rehearsal.op(component)?;
        // Once, so that what does not work is said and not measured.
        rehearsal.call(&op, &fixture.scene)?.map_err(|e| Complaint::failed(format!("the op fails: {e}")))?;
        let input = fixture.scene.input()?;
        let body =
            Path::parse("body").ok().and_then(|path| fixture.scene.envelope.bytes(&path)).unwrap_or_default();
        let subject = Subject {
            prepare: &|| (rehearsal.bags(&op).ok(), input.clone()),
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
        };
        let beside = subject.beside(flags.rounds, flags.calls);
        let faults = subject.faults(flags.calls.saturating_mul(10));
        let (one, two) = (subject.throughput(1, 5, flags.calls), subject.throughput(2, 5, flags.calls));
        let micros = |time: std::time::Duration| time.as_secs_f64() * 1e6;
        rows.push(vec![
            component.delivery.to_string(),
            format!("{:.1} µs", micros(beside.call)),
            format!("{:.1} µs", micros(beside.native)),
            format!("{:.1}", beside.ratio),
            faults.map_or_else(
                || "?".to_owned(),
                |count| format!("{count} in {}", flags.calls.saturating_mul(10)),
            ),
            format!("{:.0}/s", one.calls),
            format!("{:.0}/s", two.calls),
            format!("{:.0} ms", compile.as_secs_f64() * 1e3),
        ]);
        records.push(json!({
            "delivery": component.delivery.word(),
            "call_us": micros(beside.call),
            "native_us": micros(beside.native),
            "ratio": beside.ratio,
            "page_faults": faults,
            "page_fault_calls": flags.calls.saturating_mul(10),
            "calls_per_second_1": one.calls,
            "calls_per_second_2": two.calls,
            "compile_ms": compile.as_secs_f64() * 1e3,
        }));
    }
    if flags.json {
        let whole = json!({ "op": place.manifest.name.as_str(), "fixture": fixture.name, "builds": records });
        return console.print(&whole.to_string());
    }
    console.note(&format!(
        "{}, fixture {}: medians of {} rounds of {} calls; HMAC is SHA-256 over the same body, native",
        place.manifest.name, fixture.name, flags.rounds, flags.calls
    ));
    console.print(&table(&rows))
}
