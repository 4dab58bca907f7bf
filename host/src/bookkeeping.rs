//! Once a minute the uses of secrets become rows of the audit; once an hour its end is logged.

use std::sync::Arc;
use std::time::Duration;

use chassis::{Chassis, Use};
use jiff::Timestamp;
use store::{Actors, By, Deed, Store};

const MINUTE: Duration = Duration::from_secs(60);
/// How many minutes lie between two lines with the end of the audit.
const HOUR: u32 = 60;

/// Who keeps the books of a running chassis.
pub(crate) struct Bookkeeping {
    pub(crate) store: Arc<Store>,
    pub(crate) actors: Arc<Actors>,
    pub(crate) chassis: Arc<Chassis>,
}

impl Bookkeeping {
    /// Keeps them for as long as it is polled.
    pub(crate) async fn keep(self: Arc<Self>) {
        self.say_head().await;
        for minute in 1_u32.. {
            tokio::time::sleep(MINUTE).await;
            self.clone().blocking(|books| books.write_uses(Some(Timestamp::now()))).await;
            if minute % HOUR == 0 {
                self.say_head().await;
            }
        }
    }

    /// Writes down what is left, when no more will come.
    pub(crate) fn close(&self) {
        self.write_uses(None);
        self.head_line();
    }

    async fn say_head(self: &Arc<Self>) {
        self.clone().blocking(Self::head_line).await;
    }

    /// The database blocks: on a thread that may.
    async fn blocking(self: Arc<Self>, work: impl FnOnce(&Self) + Send + 'static) {
        if tokio::task::spawn_blocking(move || work(&self)).await.is_err() {
            tracing::error!("the books were not kept: a bug in txco");
        }
    }

    /// Who keeps this line elsewhere notices when the chain is cut (`txco auth audit verify --head`).
    fn head_line(&self) {
        for (people, head) in [(None, self.store.audit_head()), (Some("people"), self.actors.audit_head())] {
            match head {
                Ok(Some(head)) => tracing::info!(chain = people, %head, "audit_head"),
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "the audit cannot be read"),
            }
        }
    }

    /// One row for each minute and kind of use (R36). What cannot be written now is written later.
    fn write_uses(&self, now: Option<Timestamp>) {
        self.chassis.settle();
        let uses = self.chassis.take_uses(now);
        if uses.is_empty() {
            return;
        }
        let rows: Vec<_> = uses.iter().map(|(one, count)| row_of(one, *count)).collect();
        if let Err(error) = self.store.note(&rows) {
            tracing::warn!(%error, rows = rows.len(), "the uses of secrets could not be written to the audit yet");
            drop(rows);
            self.chassis.give_back_uses(uses);
        }
    }
}

fn row_of(one: &Use, count: u64) -> Deed<'_> {
    let minute = Timestamp::from_second(one.minute).unwrap_or_default();
    Deed::new(By::Chassis, "use", one.tenant.as_str(), one.secret.as_str())
        .outcome(one.outcome)
        .fact("minute", minute.strftime("%Y-%m-%dT%H:%MZ").to_string())
        .fact("count", count)
        .fact("version", one.version)
        .fact("op", one.op.as_str())
        .fact("destination", one.destination.as_str())
}
