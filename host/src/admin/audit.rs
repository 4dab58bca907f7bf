//! The log line that every administrative action leaves, also a denied or failed one.

use super::error::AdminError;

/// What was asked, as far as it is known when it ends.
#[derive(Debug, Clone)]
pub(crate) struct Deed<'a> {
    /// Who asked.
    pub actor: &'a str,
    /// The tenant's identifier; `-` when it never came to that.
    pub tenant: &'a str,
    /// The name of the secret or op; `-` when the request has none, or none that may be logged.
    pub subject: &'a str,
    /// The verb.
    pub action: &'static str,
}

/// Writes the line. The order of the fields is the runbook's; `secret_action` is what
/// operators grep for.
pub(crate) fn record<T>(deed: &Deed<'_>, result: &Result<T, AdminError>) {
    let outcome = result.as_ref().map_or_else(AdminError::outcome, |_| "ok");
    tracing::info!(
        actor_id = deed.actor,
        tenant_id = deed.tenant,
        secret_name = deed.subject,
        action = deed.action,
        outcome,
        "secret_action"
    );
}

/// The same for an op; with the digests that were pushed, so that the log tells which bytes
/// came from whom.
pub(crate) fn record_op<T>(deed: &Deed<'_>, digests: &str, result: &Result<T, AdminError>) {
    let outcome = result.as_ref().map_or_else(AdminError::outcome, |_| "ok");
    tracing::info!(
        actor_id = deed.actor,
        tenant_id = deed.tenant,
        op_name = deed.subject,
        action = deed.action,
        digests,
        outcome,
        "op_action"
    );
}
