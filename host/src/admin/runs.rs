//! Requests that wait: listed, told where they stand, and ended.

use chassis::Stands;
use jiff::Timestamp;
use model::StackName;
use store::{Cancelled, RunRecord, Standing, Store, Tenant, WaitRecord, Which};
use vault::Vault;

use super::actor::{Actor, Need};
use super::error::AdminError;
use super::moment;

/// How many are listed when nobody says how many.
const USUAL: u32 = 100;
/// How many may be listed at once.
const MOST: u32 = 1000;

/// The requests of one tenant that wait, handled by one actor.
pub(crate) struct Runs<'a> {
    pub(super) store: &'a Store,
    pub(super) vault: Option<&'a Vault>,
    pub(super) tenant: &'a Tenant,
    pub(super) actor: &'a Actor,
}

/// Which are wanted, as it was written.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Asking<'a> {
    /// A state, `open` or `all`; several are separated by commas.
    pub state: Option<&'a str>,
    /// The stack that they entered.
    pub stack: Option<&'a str>,
    /// How old they are at least.
    pub older: Option<&'a str>,
    /// Behind which one.
    pub after: Option<&'a str>,
    /// At most how many.
    pub limit: Option<u32>,
}

/// A run, as far as it may be seen.
pub(crate) struct Shown {
    pub record: RunRecord,
    pub waits: Vec<WaitRecord>,
    /// Where it waits; nothing when it does not, or what it holds does not open.
    pub stands: Option<Stands>,
    /// What it holds does not open.
    pub shut: bool,
}

impl Runs<'_> {
    /// Whether `actor` may, before what they say is looked at.
    ///
    /// # Errors
    /// [`AdminError::CapabilityDenied`].
    pub(crate) fn may(&self, need: Need<'_>) -> Result<(), AdminError> {
        self.actor.may(&self.tenant.id, need)
    }

    /// Those that are wanted, oldest first, and whether there are more.
    ///
    /// # Errors
    /// [`AdminError`]: a filter, or of the database.
    pub(crate) fn list(&self, asking: &Asking<'_>) -> Result<(Vec<RunRecord>, bool), AdminError> {
        self.may(Need::RUNS_READ)?;
        let standing = standing(asking.state.unwrap_or("open"))?;
        let stack = asking.stack.map(StackName::parse).transpose();
        let stack = stack.map_err(|e| AdminError::InvalidStack(e.rule.to_owned()))?;
        let before = asking.older.map(|text| {
            let span = moment::span(text).map_err(AdminError::InvalidFilter)?;
            Timestamp::now().checked_sub(span).map_err(|_| AdminError::Internal)
        });
        let limit = asking.limit.unwrap_or(USUAL);
        if !(1..=MOST).contains(&limit) {
            return Err(AdminError::InvalidFilter(format!("limit is a number from 1 to {MOST}")));
        }
        let (stack, after) = (stack.as_ref(), asking.after);
        let which = Which {
            standing: &standing,
            stack,
            before: before.transpose()?,
            after,
            most: limit.saturating_add(1),
        };
        let mut runs = self.store.runs(&self.tenant.id, &which)?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = runs.len() > limit;
        runs.truncate(limit);
        Ok((runs, more))
    }

    /// One of them, and where it waits.
    ///
    /// # Errors
    /// [`AdminError::RunNotFound`], or of the database.
    pub(crate) fn show(&self, name: &str) -> Result<Shown, AdminError> {
        self.may(Need::RUNS_READ)?;
        let whole = self.store.whole_run(&self.tenant.id, name)?.ok_or(AdminError::RunNotFound)?;
        let opened = whole.held.map(|(row, held)| self.vault.and_then(|vault| vault.held(&row, held).ok()));
        let shut = matches!(opened, Some(None));
        let stands = opened.flatten().and_then(|held| Stands::of(&held));
        Ok(Shown { record: whole.record, waits: whole.waits, stands, shut })
    }

    /// Ends one that has not ended.
    ///
    /// # Errors
    /// [`AdminError`]: `run_not_found`, `run_ended`, or of the database.
    pub(crate) fn cancel(&self, name: &str) -> Result<(), AdminError> {
        self.may(Need::RUNS_CANCEL)?;
        match self.store.cancel_run(&self.tenant.id, name, self.actor.by())? {
            Cancelled::Now => Ok(()),
            Cancelled::TooLate => Err(AdminError::RunEnded),
            Cancelled::Unknown => Err(AdminError::RunNotFound),
        }
    }
}

fn standing(text: &str) -> Result<Vec<Standing>, AdminError> {
    use Standing::{Ready, Running, Waiting};
    let mut all = Vec::new();
    for word in text.split(',').map(str::trim) {
        match word {
            "open" => all.extend([Waiting, Ready, Running]),
            "all" => all.extend(Standing::ALL),
            word => all.push(Standing::ALL.into_iter().find(|one| one.word() == word).ok_or_else(|| {
                let words = Standing::ALL.map(Standing::word).join(", ");
                AdminError::InvalidFilter(format!("{word:?} is no state: open, all, {words}"))
            })?),
        }
    }
    Ok(all)
}
