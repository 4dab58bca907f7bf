//! A request is stored, and what was written of it is undone when it was dropped meanwhile, so that nobody's stays.

use std::sync::Arc;

use model::{Failure, Fault, Id};
use vault::{First, LateVault, Run, Step, Wait};

use crate::dispatch::Place;
use crate::life::{aside, blocking, lost};
use crate::request::Ticket;

/// What is stored of a request.
pub(crate) enum Form {
    /// That its client is told to come back.
    Promised,
    /// What it needs to go on once its workers have called.
    Waits(Keeping),
    /// The parts of workers that it goes on beside.
    Defers(Vec<Wait>),
}

/// What is stored of a request that waits.
pub(crate) struct Keeping {
    /// What it needs to go on.
    pub(crate) held: Vec<u8>,
    /// Whom it waits for.
    pub(crate) waits: Vec<Wait>,
    /// Earlier ones that it waits for now.
    pub(crate) due: Vec<Id>,
    /// Earlier ones that it will wait for later.
    pub(crate) later: Vec<Id>,
}

impl Place<'_> {
    /// The request's name in the database: a new one when it has none yet.
    pub(crate) fn run_name(&self) -> Result<Id, Failure> {
        match self.carried.run() {
            Some(run) => Ok(run.clone()),
            None => Run::name().map_err(|error| error.failure()),
        }
    }

    /// Stores the request, in one transaction. Gives what its client asks with, when it was not stored
    /// before, and the waits that it was stored with.
    pub(crate) async fn keep(&self, run: &Id, form: Form) -> Result<(Option<Ticket>, Vec<Wait>), Failure> {
        let is_new = self.carried.run().is_none();
        let (run, owner, store) = (run.clone(), self.rooms.life.name.clone(), self.rooms.vault.clone());
        let (tenant, stack) = (self.request.tenant.clone(), self.request.stack.clone());
        let (request, most) = (self.request.id.clone(), self.rooms.settings.waiting.runs);
        let rules = Arc::clone(&self.request.rules);
        if matches!(form, Form::Waits(_)) {
            self.rooms.life.remember(&rules);
        }
        let kept = blocking(&self.rooms.vault, move |vault| {
            let most = (most > 0).then_some(most);
            let new = Run { id: &run, tenant: &tenant, stack: &stack, request: &request, most };
            let begin = |first| vault.begin_run(&new, &owner, first).map(|token| token.map(Some));
            let (token, waits) = match form {
                Form::Promised => (begin(First::Promised)?, Vec::new()),
                Form::Defers(waits) if is_new => (begin(First::Defers(&waits))?, waits),
                Form::Defers(waits) => (vault.defer_waits(&run, &owner, &waits)?.then_some(None), waits),
                Form::Waits(Keeping { held, waits, due, later }) => {
                    let snapshot = rules.snapshot();
                    let (rules, content) = (*snapshot.digest.as_bytes(), snapshot.content.as_str());
                    let step = Step { rules, content, held, waits: &waits, due: &due, later: &later };
                    let token = match is_new {
                        true => begin(First::Waits(step))?,
                        false => vault.suspend_run(&run, &owner, step)?.then_some(None),
                    };
                    (token, waits)
                }
            };
            let Some(token) = token else { return Ok(None) };
            let written = Written { store, run, owner, is_new, is_taken: false };
            Ok(Some((written, token.map(Ticket), waits)))
        });
        match kept.await? {
            Some((written, ticket, waits)) => {
                written.taken();
                Ok((ticket, waits))
            }
            None if is_new => {
                let most = self.rooms.settings.waiting.runs;
                Err(Failure::new(Fault::ContinuationsFull, format!("{most} wait (--continuations-max)")))
            }
            None => Err(lost()),
        }
    }
}

/// What was just written of a request. The thread that wrote it hands it over; when there is nobody any
/// more to take it, it is undone: nobody has heard of a new one, and one that was stored before ends.
struct Written {
    store: LateVault,
    run: Id,
    owner: String,
    is_new: bool,
    is_taken: bool,
}

impl Written {
    /// The request goes on, and what becomes of what was written is its affair.
    fn taken(mut self) {
        self.is_taken = true;
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        let Some(vault) = self.store.get().filter(|_| !self.is_taken).cloned() else { return };
        let (run, owner, is_new) = (self.run.clone(), std::mem::take(&mut self.owner), self.is_new);
        aside(move || {
            let undone = match is_new {
                true => vault.forget_run(&run, &owner),
                // Workers have heard of it before.
                false => vault.end_run(&run, &owner, Err(Fault::Interrupted.code())),
            };
            if let Err(error) = undone {
                tracing::error!(%run, err = %error, "a request that nobody carries on is stuck until the next start");
            }
        });
    }
}
