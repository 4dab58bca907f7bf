//! The way back of requests that wait: workers call, clients ask, and what is ready goes on.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use model::{Envelope, Failure, Fault, RequestId, StackName, TenantId, Value};
use serde_json::json;
use tokio::time::Instant;
use vault::{Claimed, Ending, RunView};

use crate::admission::Pass;
use crate::chassis::Chassis;
use crate::held::Held;
use crate::life::{Carried, blocking};
use crate::registry::PinnedOps;
use crate::request::{Request, Watchers};
use crate::space::Route;

/// How often the clock is looked at for workers whose time is over.
const LOOK: Duration = Duration::from_secs(1);
/// How often is looked for lives of the chassis that ended.
const RECOVER: Duration = Duration::from_secs(30);
/// How long is told of a request that was cancelled.
const TOLD: Duration = Duration::from_secs(10);
/// How long somebody who waits for an end lets pass between two looks.
const PAUSE: Duration = Duration::from_millis(250);
/// How many rows one look or sweep changes at once.
const BATCH: u32 = 500;

/// What became of a worker's call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// It is kept; others are still waited for.
    Recorded,
    /// It is kept, and the request goes on.
    Resumed,
    /// The token is not good: unknown, used, too late, or of another job.
    BadToken,
    /// It was good, until an administrator ended the request.
    Cancelled,
    /// What it says is not what a worker may say; nothing was kept.
    Malformed(String),
}

/// How a request is that waits or ran on its own.
#[derive(Debug, Clone, PartialEq)]
pub enum RunStatus {
    /// Waits for a worker.
    Waiting,
    /// Runs.
    Running,
    /// Ended well, with this envelope.
    Completed(Envelope),
    /// Ended with this fault.
    Failed(Fault),
}

impl Chassis {
    /// Takes what a worker says about its job.
    ///
    /// # Errors
    /// [`Fault::SecretStoreUnavailable`]: it cannot be kept now.
    pub async fn deliver(&self, wait: &str, token: &str, body: Vec<u8>) -> Result<Delivery, Failure> {
        let (wait, token) = (wait.to_owned(), token.to_owned());
        let kept = blocking(&self.rooms.vault, move |vault| {
            if !vault.is_waited_for(&wait, &token)? {
                let cancelled = vault.is_cancelled_wait(&wait, &token)?;
                return Ok(if cancelled { Delivery::Cancelled } else { Delivery::BadToken });
            }
            let (ending, output) = match said(&body) {
                Ok(said) => said,
                Err(why) => return Ok(Delivery::Malformed(why)),
            };
            Ok(match vault.end_wait(&wait, &token, ending, output)? {
                None => Delivery::BadToken,
                Some(false) => Delivery::Recorded,
                Some(true) => Delivery::Resumed,
            })
        });
        let kept = kept.await?;
        if kept == Delivery::Resumed {
            self.rooms.life.ready.notify_one();
        }
        Ok(kept)
    }

    /// How the request is that a client asks for, where it began; waits at most so long for its
    /// end. Nothing when there is none.
    ///
    /// # Errors
    /// [`Fault::SecretStoreUnavailable`]: it cannot be looked up now.
    pub async fn poll(
        &self,
        ticket: &str,
        tenant: &TenantId,
        stack: &StackName,
        wait: Duration,
    ) -> Result<Option<RunStatus>, Failure> {
        let until = Instant::now() + wait;
        let mut ends = self.rooms.life.ends.subscribe();
        loop {
            let (ticket, tenant, stack) = (ticket.to_owned(), tenant.clone(), stack.clone());
            let look = blocking(&self.rooms.vault, move |vault| vault.polled_run(&ticket, &tenant, &stack));
            let status = match look.await? {
                None => return Ok(None),
                Some(RunView::Waiting) => RunStatus::Waiting,
                Some(RunView::Running) => RunStatus::Running,
                Some(RunView::Failed(code)) => {
                    let fault = Fault::ALL.iter().copied().find(|fault| fault.code() == code);
                    return Ok(Some(RunStatus::Failed(fault.unwrap_or(Fault::Internal))));
                }
                Some(RunView::Completed(bytes)) => {
                    let document = serde_json::from_slice::<serde_json::Value>(&bytes).map(Value::from);
                    let envelope = document.ok().and_then(|document| Envelope::new(document).ok());
                    let damaged = || Failure::new(Fault::Internal, "a kept result is no envelope");
                    return Ok(Some(RunStatus::Completed(envelope.ok_or_else(damaged)?)));
                }
            };
            // An end of whatever request: with many, each client looks now and then.
            let told = async {
                tokio::time::sleep(PAUSE.min(wait)).await;
                ends.recv().await
            };
            let pause = tokio::time::timeout_at(until, told).await;
            if pause.is_err() || Instant::now() >= until {
                return Ok(Some(status));
            }
        }
    }

    /// Carries on what is ready, for as long as it is polled: first what the last life of the
    /// chassis left behind.
    pub async fn tend(self: Arc<Self>, ops: Arc<dyn PinnedOps>, watchers: Arc<dyn Watchers>) {
        let (mut living, mut recovered) = (None, None::<Instant>);
        loop {
            if self.rooms.vault.get().is_some() {
                if living.is_none() {
                    let owner = self.rooms.life.name.clone();
                    living = blocking(&self.rooms.vault, move |vault| vault.live(&owner)).await.ok();
                }
                // Another chassis on this database may end while this one goes on.
                if recovered.is_none_or(|last| last.elapsed() >= RECOVER) && self.recover().await {
                    recovered = Some(Instant::now());
                }
                if let Err(error) = self.stop_cancelled().await {
                    tracing::warn!(%error, "requests that were cancelled cannot be looked at");
                }
                if let Err(error) = self.carry_on(&ops, &watchers).await {
                    tracing::warn!(%error, "requests that wait cannot be looked at");
                }
            }
            tokio::select! {
                () = self.rooms.life.ready.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Removes what ended longer ago than it is kept.
    ///
    /// # Errors
    /// [`Fault::SecretStoreUnavailable`].
    pub async fn sweep(&self) -> Result<usize, Failure> {
        let mut removed = 0;
        while self.rooms.vault.get().is_some() {
            let before = Timestamp::now() - self.rooms.settings.waiting.retention;
            let batch = blocking(&self.rooms.vault, move |vault| vault.purge_runs(before, BATCH)).await?;
            removed += batch;
            if batch < BATCH as usize {
                break;
            }
        }
        Ok(removed)
    }

    /// Waits until nothing runs any more that nobody waits for, and lets nothing new begin.
    pub async fn rest(&self) {
        let all = u32::try_from(self.rooms.settings.waiting.at_once).unwrap_or(u32::MAX);
        // It is closed only here.
        if let Ok(places) = self.rooms.life.places.acquire_many(all).await {
            places.forget();
        }
    }

    /// Stops what runs here and was cancelled, by whichever chassis on this database.
    async fn stop_cancelled(&self) -> Result<(), Failure> {
        if self.rooms.life.cancelled.receiver_count() == 0 {
            return Ok(());
        }
        let since = Timestamp::now() - TOLD;
        for run in blocking(&self.rooms.vault, move |vault| vault.cancelled_runs(since)).await? {
            let _none_of_ours = self.rooms.life.cancelled.send(run);
        }
        Ok(())
    }

    async fn recover(&self) -> bool {
        let owner = self.rooms.life.name.clone();
        let left =
            blocking(&self.rooms.vault, move |vault| vault.recover_runs(&owner, Fault::Interrupted.code()));
        match left.await {
            Ok(left) => {
                if left.again + left.interrupted > 0 {
                    let (again, interrupted) = (left.again, left.interrupted);
                    tracing::info!(again, interrupted, "requests that the last chassis ran on its own");
                }
                true
            }
            Err(error) => {
                tracing::warn!(%error, "what the last chassis left behind cannot be looked at");
                false
            }
        }
    }

    /// Ends waits whose time is over, and starts whatever is ready, as far as there are places:
    /// here, and of its tenant.
    async fn carry_on(
        self: &Arc<Self>,
        ops: &Arc<dyn PinnedOps>,
        watchers: &Arc<dyn Watchers>,
    ) -> Result<(), Failure> {
        let expire = |vault: &vault::Vault| vault.expire_waits(Timestamp::now(), BATCH);
        while blocking(&self.rooms.vault, expire).await? == BATCH as usize {}
        loop {
            let Ok(place) = Arc::clone(&self.rooms.life.places).try_acquire_owned() else { return Ok(()) };
            let full = self.admissions.full();
            let ready = blocking(&self.rooms.vault, move |vault| vault.ready_tenant(&full)).await?;
            let Some(tenant) = ready else { return Ok(()) };
            // The place first: while the run is being claimed, a request that comes in counts it.
            let Some(pass) = self.admissions.go_on(&tenant, std::time::Instant::now()) else { continue };
            let owner = self.rooms.life.name.clone();
            let claim = move |vault: &vault::Vault| vault.claim_run(&owner, &tenant);
            // Another chassis on this database may have been quicker.
            let Some(claimed) = blocking(&self.rooms.vault, claim).await? else { continue };
            let (chassis, ops, watchers) = (Arc::clone(self), Arc::clone(ops), Arc::clone(watchers));
            drop(tokio::spawn(async move {
                chassis.go_on(claimed, pass, ops, watchers).await;
                drop(place);
                chassis.rooms.life.ready.notify_one();
            }));
        }
    }

    async fn go_on(
        self: &Arc<Self>,
        claimed: Claimed,
        pass: Pass,
        ops: Arc<dyn PinnedOps>,
        watchers: Arc<dyn Watchers>,
    ) {
        let run = claimed.run.clone();
        let failure = match self.reopened(claimed, ops).await {
            Ok((request, held, ends)) => {
                let watch = held.mark.as_ref().and_then(|mark| watchers.again(&request, mark));
                let request = request.admitted(pass);
                let request = match watch {
                    Some(watch) => request.watched(watch),
                    None => request,
                };
                drop(self.carry(request, None, Carried::of(run), Some((held, ends))).await);
                return;
            }
            Err(failure) => failure,
        };
        tracing::warn!(%run, code = failure.fault.code(), detail = %failure.detail, "a request that waited cannot go on");
        let owner = self.rooms.life.name.clone();
        let code = failure.fault.code();
        if let Err(error) =
            blocking(&self.rooms.vault, move |vault| vault.end_run(&run, &owner, Err(code))).await
        {
            tracing::error!(%error, "the end of a request could not be kept");
        }
        let _nobody_asks = self.rooms.life.ends.send(());
    }

    /// The request that waited, under the rules that it began with.
    async fn reopened(
        self: &Arc<Self>,
        claimed: Claimed,
        ops: Arc<dyn PinnedOps>,
    ) -> Result<(Request, Held, Vec<vault::WaitEnd>), Failure> {
        let shut = |why: &dyn std::fmt::Display| {
            Failure::new(Fault::SecretUndecryptable, format!("what it held does not open: {why}"))
        };
        let (bytes, ends) = claimed.held.map_err(|why| shut(&why))?;
        let held = Held::read(&bytes).ok_or_else(|| shut(&"of another layout"))?;
        let id = RequestId::parse(&claimed.request).map_err(|error| shut(&error))?;
        let stack = StackName::parse(&claimed.stack).map_err(|error| shut(&error))?;
        let gone = |why: &str| Failure::new(Fault::RulesGone, why);
        let space = self.space();
        let (slug, served) = space.tenant(&claimed.tenant).ok_or_else(|| gone("its tenant has no rules"))?;
        let is_same = served.snapshot().digest.as_bytes() == claimed.rules.as_slice();
        let rules =
            match is_same.then(|| Arc::clone(served)).or_else(|| self.rooms.life.rules(&claimed.rules)) {
                Some(rules) => rules,
                None => {
                    let digest = claimed.rules;
                    let content = blocking(&self.rooms.vault, move |vault| vault.run_rules(&digest)).await?;
                    let content = content.ok_or_else(|| gone("they were not kept"))?;
                    let (chassis, tenant) = (Arc::clone(self), claimed.tenant.clone());
                    // Ops may have to be compiled.
                    let rebuilt = move || chassis.rebuilt(&content, &tenant, &*ops);
                    let rebuilt = tokio::task::spawn_blocking(rebuilt).await;
                    let rebuilt =
                        rebuilt.map_err(|_| Failure::new(Fault::Internal, "loading rules ended early"))?;
                    let rules = Arc::new(rebuilt.map_err(|why| gone(&why))?);
                    self.rooms.life.remember(&rules);
                    rules
                }
            };
        let route = Route { tenant: claimed.tenant, tenant_slug: slug.clone(), stack, rules };
        Ok((Request::new(id, route, held.envelope.clone()), held, ends))
    }
}

/// What a worker says, as it is kept: its output, or `{"error": …}`.
fn said(body: &[u8]) -> Result<(Ending, Vec<u8>), String> {
    let said = Value::parse(body).map_err(|error| error.to_string())?;
    let mut said = said.into_object().ok_or("it is no JSON object")?;
    let status = said.get("status").and_then(Value::as_str).unwrap_or_default();
    match status {
        "completed" => {
            let output = said.remove("output").unwrap_or_else(Value::object);
            Ok((Ending::Completed, output.to_json().into_bytes()))
        }
        "failed" | "fail" => {
            let error = said.remove("error").unwrap_or(Value::Null);
            Ok((Ending::Failed, json!({ "error": error }).to_string().into_bytes()))
        }
        _ => Err("status is not \"completed\" or \"failed\"".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_workers_may_say() {
        let kept = |text: &str| said(text.as_bytes()).map(|(e, o)| (e, String::from_utf8(o).unwrap()));
        let completed = |text: &str| Ok((Ending::Completed, text.to_owned()));
        assert_eq!(kept(r#"{"status":"completed","output":{"n":1.50}}"#), completed(r#"{"n":1.5}"#));
        assert_eq!(kept(r#"{"status":"completed"}"#), completed("{}"));
        assert_eq!(kept(r#"{"status":"completed","output":[1]}"#), completed("[1]"));
        let failed = Ok((Ending::Failed, r#"{"error":"no"}"#.to_owned()));
        assert_eq!(kept(r#"{"status":"failed","error":"no"}"#), failed);
        assert_eq!(kept(r#"{"status":"fail","error":"no"}"#), failed);
        for bad in ["", "{", "[]", "{}", r#"{"status":"done"}"#, r#"{"status":1}"#] {
            assert!(kept(bad).is_err(), "{bad}");
        }
    }
}
