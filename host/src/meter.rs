//! What the chassis counted, as Prometheus reads it (text exposition format 0.0.4).

use std::sync::OnceLock;

use metrics::{Unit, describe_counter, describe_gauge, gauge};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;

static PAGE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Begins to count, once per process. A program that embeds the chassis and has a recorder
/// of its own keeps it, and finds our numbers there.
pub(crate) fn start() {
    PAGE.get_or_init(|| {
        let handle = PrometheusBuilder::new().with_recommended_naming(true).install_recorder().ok()?;
        describe();
        Some(handle)
    });
}

/// The numbers as they are now; `None` when they go to a recorder of the embedding program.
pub(crate) fn page() -> Option<String> {
    let handle = PAGE.get()?.as_ref()?;
    gauge!("chassis.memory.unlocked").set(pages::unlocked_bytes() as f64);
    Collector::default().collect();
    handle.run_upkeep();
    Some(handle.render())
}

fn describe() {
    describe_counter!("chassis.requests", "requests by how they ended");
    describe_counter!("chassis.rule.failed", "rules that failed, by fault code");
    describe_counter!(
        "chassis.secret.materialize",
        "references to secrets by rules that ran: ok, or the code of why it was not to be had"
    );
    describe_gauge!(
        "chassis.memory.unlocked",
        Unit::Bytes,
        "memory of ops and keys that should be locked and is not, because RLIMIT_MEMLOCK is too small"
    );
    Collector::default().describe();
}
