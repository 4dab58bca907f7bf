//! What operators count, through the `metrics` facade: a program that collects nothing pays next to nothing.

use metrics::counter;
use model::TenantSlug;

use crate::request::Outcome;
use crate::trace::Step;

/// Counts what a rule did: each secret it declared, and its failure.
///
/// `chassis.secret.materialize` goes up once for each reference, whatever became of it: a
/// secret that was opened is `ok`, also when what it was opened for failed later.
pub(crate) fn rule(tenant: &TenantSlug, step: &Step) {
    let failure = step.failure.as_ref().map_or("", |failure| failure.fault.code());
    for used in &step.secrets {
        let outcome = if used.version.is_some() { "ok" } else { failure };
        counter!(
            "chassis.secret.materialize",
            "txco.tenant.slug" => tenant.as_str().to_owned(),
            "txco.secret.name" => used.name.as_str().to_owned(),
            "outcome" => outcome,
        )
        .increment(1);
    }
    if step.failure.is_some() {
        counter!("chassis.rule.failed", "txco.tenant.slug" => tenant.as_str().to_owned(), "code" => failure)
            .increment(1);
    }
}

/// Counts a finished request.
pub(crate) fn request(tenant: &TenantSlug, outcome: &Outcome) {
    let ended = outcome.failure.as_ref().map_or("ok", |failure| failure.failure.fault.code());
    counter!("chassis.requests", "txco.tenant.slug" => tenant.as_str().to_owned(), "outcome" => ended)
        .increment(1);
}
