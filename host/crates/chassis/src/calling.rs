//! A rule's request to an upstream: its secrets, its place, and what came back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use egress::Reply;
use model::{Destination, Failure, Fault, Object, SecretRef};
use txcl::{Prepared, Rule};
use vault::{SecretBag, Splice};

use crate::callers::Call;
use crate::dispatch::{Place, versions};
use crate::grant::store_off;
use crate::outbound::{OnError, Outbound, outbound};
use crate::reply::{is_upstreams, received};
use crate::trace::Step;

impl Place<'_> {
    pub(crate) async fn http(
        &self,
        rule: &Rule,
        url: &str,
        prepared: &Prepared,
        step: &mut Step,
    ) -> Result<(Object, Option<Object>), Failure> {
        let Outbound { draft, on_error, into } = outbound(url, rule, prepared, &self.rooms.settings)?;
        let destination = draft.destination().clone();
        self.remember(step, rule.secrets(), "splice", &destination.to_string().into());
        let bag = self.bag(destination, rule.secrets(), step)?;
        if !txcl::is_idempotent(draft.method()) {
            self.carried.touch(&self.rooms.vault, &self.rooms.life).await?;
        }
        let (_place, left) = self.place_to_call(draft.time()).await?;
        let sent = self.rooms.egress.send(draft.timeout(left), bag, self.credentials).await;
        let (reply, failure) = match sent {
            Ok(reply) => {
                notes(step, &reply);
                let verdict = reply.verdict().err();
                (Some(reply), verdict)
            }
            Err(error) => (None, Some(error.failure())),
        };
        match (failure, on_error) {
            // A request that could not be made right is no upstream's error: never go on.
            (Some(failure), OnError::Halt) => Err(failure),
            (Some(failure), OnError::Continue) if !is_upstreams(failure.fault) => Err(failure),
            (failure, _) => {
                let gone_on =
                    |failure: &Failure| format!("went_on_after {}: {}", failure.fault.code(), failure.detail);
                step.notes.extend(failure.as_ref().map(gone_on));
                step.gone_on_after = failure.as_ref().map(|failure| failure.fault);
                received(reply, failure, into.as_ref())
            }
        }
    }

    /// One of the tenant's places for requests to upstreams, and what is left of `time` then.
    pub(crate) async fn place_to_call(&self, time: Duration) -> Result<(Call, Duration), Failure> {
        let began = Instant::now();
        let places = self.rooms.callers.of(&self.request.tenant);
        match tokio::time::timeout(time, Arc::clone(&places).take()).await {
            Ok(Ok(place)) => Ok((place, time.saturating_sub(began.elapsed()))),
            Ok(Err(_closed)) => Err(Failure::new(Fault::UpstreamBusy, "the chassis is shutting down")),
            Err(_elapsed) => Err(Failure::new(
                Fault::UpstreamBusy,
                format!(
                    "{} are under way (--egress-calls, or the tenant's --upstream-calls)",
                    places.limit()
                ),
            )),
        }
    }

    /// The secrets of a request, packed for where it goes.
    pub(crate) fn bag(
        &self,
        destination: Destination,
        refs: &[SecretRef],
        step: &mut Step,
    ) -> Result<SecretBag<Splice>, Failure> {
        let bag = match self.rooms.vault.get() {
            _ if refs.is_empty() => SecretBag::<Splice>::empty(destination),
            None => return Err(store_off()),
            Some(vault) => vault.pack_splice(&self.caller(), &destination, refs).map_err(|e| e.failure())?,
        };
        versions(step, &bag, "splice");
        self.rooms.counts.opened(&self.request.tenant, &self.request.tenant_slug, step);
        Ok(bag)
    }
}

pub(crate) fn notes(step: &mut Step, reply: &Reply) {
    step.notes.extend(reply.not_sent.iter().map(|path| format!("credential_not_sent {path}")));
    step.notes.extend(reply.arrived.iter().map(|(path, _)| format!("credential_arrived {path}")));
    if reply.attempts > 1 {
        step.notes.push(format!("attempts {}", reply.attempts));
    }
    if reply.masked > 0 {
        step.notes.push(format!("echo_masked {}", reply.masked));
    }
    if reply.echo_unmasked_short {
        step.notes.push("echo_unmasked_short".to_owned());
    }
}
