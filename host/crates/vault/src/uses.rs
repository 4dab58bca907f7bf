//! How often each version is handed out: counted in memory, written down in batches.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use model::Id;
use store::Used;

/// The most secrets that are counted between two writes; further ones are not, rather than
/// that the counts take the memory of the requests.
const MOST: usize = 65_536;

/// What was used since it was last written down. A request adds to it and waits for no disk;
/// a crash loses it.
#[derive(Default)]
pub(crate) struct Uses(Mutex<HashMap<Id, Vec<Count>>>);

struct Count {
    version_no: u32,
    uses: u64,
    last: Timestamp,
}

impl Uses {
    /// One more use of a version, now.
    pub(crate) fn note(&self, secret: &Id, version_no: u32) {
        self.add(secret, version_no, 1, Timestamp::now());
    }

    /// What there is; it counts anew from here.
    pub(crate) fn take(&self) -> Vec<Used> {
        let taken = std::mem::take(&mut *self.lock());
        let one = |secret_id: &Id, count: &Count| Used {
            secret_id: secret_id.clone(),
            version_no: count.version_no,
            uses: count.uses,
            last: count.last,
        };
        taken.iter().flat_map(|(id, counts)| counts.iter().map(move |count| one(id, count))).collect()
    }

    /// Back with what could not be written.
    pub(crate) fn put_back(&self, all: &[Used]) {
        for one in all {
            self.add(&one.secret_id, one.version_no, one.uses, one.last);
        }
    }

    /// What was used of one secret and is not written down yet.
    pub(crate) fn of(&self, secret: &Id) -> Vec<(u32, u64, Timestamp)> {
        let held = self.lock();
        let counts = held.get(secret).map(Vec::as_slice).unwrap_or_default();
        counts.iter().map(|count| (count.version_no, count.uses, count.last)).collect()
    }

    fn add(&self, secret: &Id, version_no: u32, uses: u64, last: Timestamp) {
        let mut held = self.lock();
        // Looked up before anything is copied: this is on the way of every request.
        if !held.contains_key(secret) {
            if held.len() >= MOST {
                return;
            }
            held.insert(secret.clone(), Vec::with_capacity(1));
        }
        let Some(counts) = held.get_mut(secret) else { return };
        match counts.iter_mut().find(|count| count.version_no == version_no) {
            Some(count) => {
                count.uses = count.uses.saturating_add(uses);
                count.last = count.last.max(last);
            }
            None => counts.push(Count { version_no, uses, last }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Id, Vec<Count>>> {
        // Counts: whole at every point where a panic could be.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> Id {
        Id::from_row(format!("sec_{number}"))
    }

    #[test]
    fn uses_add_up_until_they_are_taken() {
        let uses = Uses::default();
        uses.note(&id(1), 2);
        uses.note(&id(1), 2);
        uses.note(&id(1), 3);
        assert_eq!(
            uses.of(&id(1)).iter().map(|(no, uses, _)| (*no, *uses)).collect::<Vec<_>>(),
            [(2, 2), (3, 1)]
        );
        let taken = uses.take();
        assert_eq!((taken.len(), uses.of(&id(1)).len()), (2, 0));
        uses.note(&id(1), 2);
        uses.put_back(&taken);
        assert_eq!(uses.of(&id(1))[0].1, 3);
    }

    #[test]
    fn they_are_bounded() {
        let uses = Uses::default();
        for number in 0..=MOST {
            uses.note(&id(number), 1);
        }
        assert_eq!(uses.take().len(), MOST);
    }
}
