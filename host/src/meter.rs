//! What is measured: one table of families, for Prometheus and for OpenTelemetry.

mod process;
mod prometheus;
mod protobuf;
mod otlp;
mod parent;
mod span;
mod spans;

use std::sync::Arc;
use std::time::SystemTime;

use chassis::Chassis;
use store::{Actors, Store};

pub(crate) use otlp::Exporter;
pub(crate) use spans::{RequestSpan, Spans};

/// What a family's numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// They only grow while the process lives.
    Counter,
    /// They go up and down.
    Gauge,
}

/// Numbers of one meaning.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Family {
    /// Its name, dotted.
    pub name: &'static str,
    /// Its name for Prometheus, which has a tradition of its own for processes.
    pub prometheus: &'static str,
    /// Its unit, as UCUM writes it.
    pub unit: &'static str,
    /// What it tells.
    pub help: &'static str,
    /// What its numbers are.
    pub kind: Kind,
    /// The numbers, by labels.
    pub points: Vec<Point>,
}

/// A number and what it is about.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Point {
    /// Dotted names and their values.
    pub labels: Vec<(&'static str, String)>,
    /// The number.
    pub value: f64,
}

impl Point {
    fn bare(value: f64) -> Vec<Self> {
        vec![Self { labels: Vec::new(), value }]
    }
}

/// Reads the numbers of a running chassis.
pub(crate) struct Meter {
    chassis: Arc<Chassis>,
    store: Arc<Store>,
    actors: Arc<Actors>,
    spans: Arc<Spans>,
    started: SystemTime,
}

impl Meter {
    #[must_use]
    pub(crate) fn new(chassis: Arc<Chassis>, store: Arc<Store>, actors: Arc<Actors>) -> Self {
        Self { chassis, store, actors, spans: Arc::default(), started: SystemTime::now() }
    }

    /// The numbers as Prometheus reads them.
    #[must_use]
    pub(crate) fn page(&self) -> String {
        prometheus::page(&self.read())
    }

    /// What requests did, for a collector of traces.
    pub(crate) const fn spans(&self) -> &Arc<Spans> {
        &self.spans
    }

    /// When counting began.
    pub(crate) const fn started(&self) -> SystemTime {
        self.started
    }

    /// The numbers as they are now. May read the database.
    pub(crate) fn read(&self) -> Vec<Family> {
        let counted = self.chassis.counted();
        let tenant = |slug: &model::TenantSlug| ("txco.tenant.slug", slug.to_string());
        let secrets = counted.secrets.iter().map(|((slug, name, outcome), count)| Point {
            labels: vec![
                tenant(slug),
                ("txco.secret.name", name.to_string()),
                ("outcome", (*outcome).to_owned()),
            ],
            value: *count as f64,
        });
        let requests = counted.requests.iter().map(|((slug, outcome), count)| Point {
            labels: vec![tenant(slug), ("outcome", (*outcome).to_owned())],
            value: *count as f64,
        });
        let active = self
            .chassis
            .active()
            .into_iter()
            .map(|(slug, count)| Point { labels: vec![tenant(&slug)], value: count as f64 });
        let failed = counted.failed_rules.iter().map(|((slug, code), count)| Point {
            labels: vec![tenant(slug), ("code", (*code).to_owned())],
            value: *count as f64,
        });
        // A database that cannot be read tells of itself elsewhere.
        let runs = self.store.open_runs().unwrap_or_default().into_iter().flat_map(|open| {
            [("waiting", open.waiting), ("running", open.running)].map(|(state, count)| Point {
                labels: vec![("txco.tenant.slug", open.tenant.clone()), ("state", state.to_owned())],
                value: count as f64,
            })
        });
        let mut families = vec![
            Family {
                name: "chassis.runs",
                prometheus: "chassis_runs",
                unit: "1",
                help: "Requests that wait for workers, or go on without their clients.",
                kind: Kind::Gauge,
                points: runs.collect(),
            },
            Family {
                name: "chassis.secret.materialize",
                prometheus: "chassis_secret_materialize_total",
                unit: "1",
                help: "References to secrets by rules that ran: ok, or the code of why it was not to be had.",
                kind: Kind::Counter,
                points: secrets.collect(),
            },
            Family {
                name: "chassis.requests.active",
                prometheus: "chassis_requests_active",
                unit: "1",
                help: "Requests under way now.",
                kind: Kind::Gauge,
                points: active.collect(),
            },
            Family {
                name: "chassis.requests",
                prometheus: "chassis_requests_total",
                unit: "1",
                help: "Requests by how they ended.",
                kind: Kind::Counter,
                points: requests.collect(),
            },
            Family {
                name: "chassis.rule.failed",
                prometheus: "chassis_rule_failed_total",
                unit: "1",
                help: "Rules that failed, by code.",
                kind: Kind::Counter,
                points: failed.collect(),
            },
            Family {
                name: "chassis.memory.unlocked",
                prometheus: "chassis_memory_unlocked_bytes",
                unit: "By",
                help: "Memory of ops and keys that should be locked and is not: RLIMIT_MEMLOCK is too small.",
                kind: Kind::Gauge,
                points: Point::bare(pages::unlocked_bytes() as f64),
            },
            Family {
                name: "chassis.spans.dropped",
                prometheus: "chassis_spans_dropped_total",
                unit: "1",
                help: "Spans that no collector got: too many waited, or it did not take them.",
                kind: Kind::Counter,
                points: self.spans.dropped().map(|dropped| Point::bare(dropped as f64)).unwrap_or_default(),
            },
        ];
        families.extend(self.audit());
        families.extend(process::read(self.started));
        families
    }

    /// The audit's length, and its end: who watches it notices when the chain is cut.
    fn audit(&self) -> Vec<Family> {
        let heads = [(None, self.store.audit_head()), (Some("people"), self.actors.audit_head())];
        let heads: Vec<_> =
            heads.into_iter().filter_map(|(chain, head)| Some((chain, head.ok()??))).collect();
        if heads.is_empty() {
            return Vec::new();
        }
        let labels = |chain: &Option<&str>| {
            chain.map(|chain| ("chain", chain.to_owned())).into_iter().collect::<Vec<_>>()
        };
        let rows = heads.iter().map(|(chain, head)| Point { labels: labels(chain), value: head.seq as f64 });
        let ends = heads.iter().map(|(chain, head)| {
            let mut labels = labels(chain);
            labels.push(("head", head.to_string()));
            Point { labels, value: 1.0 }
        });
        vec![
            Family {
                name: "chassis.audit.rows",
                prometheus: "chassis_audit_rows",
                unit: "1",
                help: "Rows of the audit chain.",
                kind: Kind::Gauge,
                points: rows.collect(),
            },
            Family {
                name: "chassis.audit.head",
                prometheus: "chassis_audit_head_info",
                unit: "1",
                help: "The end of the audit chain, for txco auth audit verify --head.",
                kind: Kind::Gauge,
                points: ends.collect(),
            },
        ]
    }
}
