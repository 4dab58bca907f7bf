//! The closed list of what can go wrong with a request, as the outside sees it.

use std::fmt;

use crate::SecretName;

/// Defines [`Fault`] as one table: variant, code (trace, log, metric), HTTP status and
/// the code the web client sees (R7), meaning.
macro_rules! faults {
    ($($variant:ident, $code:literal, $status:literal, $outside:literal, $meaning:literal;)*) => {
        /// What went wrong, without a payload: safe to print anywhere. Codes are stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Fault {
            $(#[doc = $meaning] $variant,)*
        }

        impl Fault {
            /// Every fault there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The typed code, for traces, logs and metrics.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The HTTP status the web client gets.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// The code the web client gets: it tells nothing about names or causes.
            #[must_use]
            pub const fn outside(self) -> &'static str {
                match self { $(Self::$variant => $outside,)* }
            }

            /// What it means, in one phrase for operators.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }
        }
    };
}

faults! {
    // Secrets.
    SecretStoreUnavailable, "secret_store_unavailable", 503, "secret_store_unavailable", "the secret store is off or busy";
    SecretNotFound, "secret_not_found", 500, "secret_unavailable", "no such secret in this tenant, or it is revoked";
    SecretExpired, "secret_expired", 500, "secret_unavailable", "the secret's time is over";
    SecretDenied, "secret_denied", 500, "secret_unavailable", "a policy does not allow this use of the secret";
    SecretUndecryptable, "secret_undecryptable", 500, "secret_unavailable", "the stored secret does not open under the master key";
    SecretDeclarationInvalid, "secret_declaration_invalid", 500, "secret_unavailable", "the rule's WITH secrets clause is malformed";
    SecretUnusable, "secret_unusable", 500, "secret_unavailable", "the secret's bytes cannot stand where the rule puts them";
    SecretOverCleartext, "secret_over_cleartext", 500, "secret_unavailable", "a secret would travel over plain http";
    CredentialNotInspectable, "credential_not_inspectable", 500, "rule_failed", "a rule looked into a credential";
    CredentialNotAllowedHere, "credential_not_allowed_here", 500, "rule_failed", "a credential stands where none may be sent";
    CredentialDestinationDenied, "credential_destination_denied", 500, "secret_unavailable", "a parent secret does not allow this destination";
    // Rules.
    RuleFailed, "rule_failed", 500, "rule_failed", "a SET, WITH, SELECT or EMIT could not be evaluated";
    BudgetExhausted, "budget_exhausted", 508, "budget_exhausted", "the request used up its fuel or its stage entries";
    RequestTimeout, "request_timeout", 504, "timeout", "the request ran longer than it may";
    // Ops.
    OpUnknown, "op_unknown", 500, "op_failed", "EXEC names an op this chassis does not have";
    OpUnsupported, "op_unsupported", 501, "op_unsupported", "EXEC asks for something this chassis does not do yet";
    OpInvalid, "op_invalid", 500, "op_failed", "the op's component is refused";
    OpFailed, "op_failed", 500, "op_failed", "the op reported a failure of its own";
    OpTrapped, "op_trapped", 500, "op_failed", "the op crashed";
    OpOverTime, "op_over_time", 504, "op_limit", "the op ran longer than its wall-clock limit";
    OpOverMemory, "op_over_memory", 500, "op_limit", "the op wanted more memory than its limit";
    OpOverTables, "op_over_tables", 500, "op_limit", "the op wanted larger tables than its limit";
    OpOverStack, "op_over_stack", 500, "op_limit", "the op recursed deeper than its stack limit";
    OpOverHostCalls, "op_over_host_calls", 500, "op_limit", "the op made more host calls than its limit";
    OpOverArguments, "op_over_arguments", 500, "op_limit", "the op passed more bytes to the host than its limit";
    OpOverRandom, "op_over_random", 500, "op_limit", "the op asked for more random bytes at once than its contract gives";
    OpOverHandles, "op_over_handles", 500, "op_limit", "the op held more handles than its limit";
    OpOverLog, "op_over_log", 500, "op_limit", "the op logged more than its limit";
    OpOverOutput, "op_over_output", 500, "op_limit", "the op returned more than its limit";
    OpOutputInvalid, "op_output_invalid", 500, "op_failed", "the op returned fields that cannot be merged";
    OpBusy, "op_busy", 503, "busy", "too many long-running ops of this tenant at once";
    // Upstreams.
    UpstreamUrlInvalid, "upstream_url_invalid", 500, "rule_failed", "the URL to call is not one";
    UpstreamRequestInvalid, "upstream_request_invalid", 500, "rule_failed", "the request to send is not valid HTTP";
    UpstreamBlocked, "upstream_blocked", 502, "upstream_failed", "the address policy forbids this destination";
    UpstreamUnreachable, "upstream_unreachable", 502, "upstream_failed", "no connection to the upstream";
    UpstreamTls, "upstream_tls", 502, "upstream_failed", "the upstream's TLS was refused";
    UpstreamTimeout, "upstream_timeout", 504, "upstream_timeout", "the upstream did not answer in time";
    UpstreamRedirect, "upstream_redirect", 502, "upstream_failed", "the upstream redirected; redirects are not followed";
    UpstreamStatus, "upstream_status", 502, "upstream_failed", "the upstream answered with a status that is not 2xx";
    UpstreamTooLarge, "upstream_too_large", 502, "upstream_failed", "the upstream's reply is larger than the limit";
    UpstreamEncoding, "upstream_encoding", 502, "upstream_failed", "the upstream's content encoding is not accepted";
    UpstreamCredentialAbsent, "upstream_credential_absent", 502, "upstream_failed", "the upstream's reply has no credential where the rule says";
    UpstreamBusy, "upstream_busy", 503, "busy", "too many requests of this tenant to upstreams at once";
    UpstreamProtocol, "upstream_protocol", 502, "upstream_failed", "the upstream broke off or did not speak HTTP";
    // Workers, and requests that wait for them.
    CredentialCannotWait, "credential_cannot_wait", 500, "rule_failed", "a request with a credential in its envelope cannot wait for a worker";
    ContinuationsFull, "continuations_full", 503, "busy", "too many requests of this tenant wait for workers";
    WorkerRefused, "worker_refused", 502, "upstream_failed", "the worker did not accept the job: it must answer 202";
    WorkerFailed, "worker_failed", 502, "upstream_failed", "the worker said that it failed";
    WorkerTimeout, "worker_timeout", 504, "upstream_timeout", "the worker did not call back in time";
    Interrupted, "interrupted", 503, "unavailable", "the chassis ended while the request ran, and running it again could do things twice";
    RunCancelled, "run_cancelled", 503, "run_cancelled", "an administrator ended the request while it waited or ran on its own";
    RulesGone, "rules_gone", 503, "unavailable", "the rules or ops that a waiting request began with cannot be had any more";
    // The chassis.
    OutputInvalid, "output_invalid", 500, "output_invalid", "the answer the rules shaped cannot be sent";
    Unavailable, "unavailable", 503, "unavailable", "the chassis is shutting down or has no rules";
    Internal, "internal", 500, "internal", "a bug in txco";
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A fault with what an operator needs to find it: printable, and free of values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong.
    pub fault: Fault,
    /// Where, in words: a clause, a path, a limit, a host. Never a value.
    pub detail: String,
    /// The secret concerned, by name.
    pub secret: Option<SecretName>,
}

impl Failure {
    /// A failure with a detail.
    #[must_use]
    pub fn new(fault: Fault, detail: impl Into<String>) -> Self {
        Self { fault, detail: detail.into(), secret: None }
    }

    /// The same, naming a secret.
    #[must_use]
    pub fn about(mut self, secret: SecretName) -> Self {
        self.secret = Some(secret);
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {}",
            self.fault,
            if self.detail.is_empty() { self.fault.meaning() } else { &self.detail }
        )?;
        match &self.secret {
            Some(name) => write!(f, " (secret {name})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_statuses_are_errors() {
        let mut codes: Vec<_> = Fault::ALL.iter().map(|f| f.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Fault::ALL.len());
        assert!(Fault::ALL.iter().all(|f| (500..=599).contains(&f.status())));
    }

    #[test]
    fn the_web_client_learns_nothing_about_a_secret() {
        let secret_faults = Fault::ALL.iter().filter(|f| f.code().starts_with("secret_"));
        for fault in secret_faults {
            assert!(matches!(fault.outside(), "secret_unavailable" | "secret_store_unavailable"), "{fault}");
        }
    }
}
