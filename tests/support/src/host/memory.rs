//! What is left of a secret in the memory of a chassis.

use std::fs;
use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use super::Host;
use crate::Canary;
use crate::memory::{self, Found};

/// How long after its answer a request may still be ending.
const FORGETS_WITHIN: Duration = Duration::from_secs(1);

impl Host {
    /// Searches the memory of the running chassis, from outside, for `canary` or eight bytes of it; none where
    /// this machine forbids it, which is said loudly and fails in CI.
    ///
    /// Each search also has to find the master key, in memory that no dump holds: one that finds nothing at all
    /// does not search.
    #[must_use]
    pub fn memory(&self, canary: &Canary) -> Option<Found> {
        let pid = self.process.as_ref().expect("it runs").pid();
        let found = self.searched(memory::search(pid, &canary.in_memory()))?;
        let key = self.searched(memory::search(pid, &self.master_key().in_memory()))?;
        assert!(!key.sightings.is_empty(), "the search does not find the master key: it finds nothing");
        assert_eq!(key.dumped(), 0, "a core dump holds the master key: {:#?}", key.sightings);
        Some(found)
    }

    /// How much memory of the running chassis is resident, in bytes.
    #[must_use]
    pub fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    }

    /// The kernel's limits of the running chassis.
    #[must_use]
    pub fn limits(&self) -> String {
        let pid = self.process.as_ref().expect("it runs").pid();
        fs::read_to_string(format!("/proc/{}/limits", pid.as_raw_nonzero())).unwrap()
    }

    fn searched(&self, result: io::Result<Found>) -> Option<Found> {
        match result {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Self::say_skipped("the memory of another process is not to be read here");
                None
            }
            found => Some(found.expect("the memory of the chassis")),
        }
    }

    /// Says that something was not tested, past the test harness, which shows only what failing tests print.
    pub fn say_skipped(why: &str) {
        writeln!(io::stderr(), "SKIPPED: {why}").ok();
    }

    /// No copy of `canary` is left: not in the chassis's heap, not on a stack, nowhere.
    #[track_caller]
    pub fn forgot(&self, canary: &Canary, after: &str) {
        let start = Instant::now();
        loop {
            let Some(found) = self.memory(canary) else { return };
            assert!(found.searched > 1 << 20, "only {} bytes were searched", found.searched);
            if found.sightings.is_empty() {
                return;
            }
            // What a request leaves to its end may end a moment after its answer.
            let (count, seen) = (found.sightings.len(), &found.sightings[..found.sightings.len().min(12)]);
            assert!(
                start.elapsed() < FORGETS_WITHIN,
                "{count} copies of {} after {after}: {seen:#?}",
                canary.label()
            );
        }
    }

    fn master_key(&self) -> Canary {
        let keys: Vec<_> = self.files("").into_iter().filter(|name| name.ends_with("-master.key")).collect();
        assert_eq!(keys.len(), 1, "{keys:?}");
        Canary::found("the master key", &fs::read(self.path(&keys[0])).unwrap())
    }
}
