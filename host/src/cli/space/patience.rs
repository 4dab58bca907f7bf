//! How often a command that changes a chassis tries again, and when it gives up.

use std::time::{Duration, Instant};

use crate::cli::client::{How, Lost, Refusal};
use crate::cli::output::{Complaint, Console};
use crate::config::Setting;

/// The longest wait that a chassis may ask for.
const LONGEST: Duration = Duration::from_secs(60);

/// How often `apply` tries again, as that of the Go chassis does: it runs while nobody looks, and outlasts a restart.
pub(super) const APPLY: u32 = 10;
/// How often the others do, which somebody typed.
pub(super) const TYPED: u32 = 3;

/// The flags about it.
#[derive(Debug, Clone, clap::Args)]
pub(in crate::cli) struct PatienceFlags {
    /// How often a step is tried again when the chassis is not there (connection refused or broken off) or is busy
    /// (429, 503) [default: 10 of apply, 3 otherwise]
    #[arg(long, value_name = "COUNT")]
    retries: Option<u32>,
    /// How long it is tried again in all, such as 30s or 5m
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = <Duration as Setting>::parse)]
    timeout: Duration,
}

/// How long a command tries again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    retries: u32,
    until: Option<Instant>,
}

/// Whether what was asked may be asked twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Twice {
    /// Twice is as good as once.
    Same,
    /// Only when it is known that it was not done.
    Other,
}

impl Patience {
    /// For a command that only looks: once.
    pub(super) const NONE: Self = Self { retries: 0, until: None };

    /// As the flags say, or else `usual` times.
    pub(super) fn of(flags: &PatienceFlags, usual: u32) -> Self {
        Self { retries: flags.retries.unwrap_or(usual), until: Instant::now().checked_add(flags.timeout) }
    }

    /// Asks until there is an answer, or it makes no sense any more.
    pub(super) fn ask<T>(
        self,
        twice: Twice,
        console: &mut Console<'_>,
        mut once: impl FnMut() -> Result<Result<T, Refusal>, Lost>,
    ) -> Result<Result<T, Refusal>, Complaint> {
        let mut tried = 0;
        loop {
            let answer = once();
            let (why, asked) = match &answer {
                Ok(Ok(_)) => return answer.map_err(|lost| lost.complaint),
                Ok(Err(refusal)) if matches!(refusal.status, 429 | 503) => {
                    (refusal.text.clone(), refusal.retry_after)
                }
                Err(lost) if lost.how == How::Unsent || lost.how == How::Unknown && twice == Twice::Same => {
                    (lost.complaint.message.clone(), None)
                }
                Ok(Err(_)) | Err(_) => return answer.map_err(|lost| lost.complaint),
            };
            // 1, 2, 4, 8, 8 … seconds.
            let wait = asked.unwrap_or_else(|| Duration::from_secs(1 << tried.min(3)));
            let too_late = self.until.is_some_and(|until| Instant::now() + wait > until);
            if tried >= self.retries || too_late || wait > LONGEST {
                return answer.map_err(|lost| lost.complaint);
            }
            tried += 1;
            let (of, seconds) = (self.retries, wait.as_secs());
            console.note(&format!("{why}; trying again in {seconds} s ({tried} of {of})"));
            std::thread::sleep(wait);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::Played;

    fn patience(retries: u32) -> Patience {
        Patience { retries, until: None }
    }

    fn lost(how: How) -> Lost {
        Lost { complaint: Complaint::failed("gone"), how }
    }

    fn busy(status: u16, seconds: u64) -> Refusal {
        Refusal {
            status,
            retry_after: Some(Duration::from_secs(seconds)),
            code: String::new(),
            detail: serde_json::Value::Null,
            text: "busy".to_owned(),
        }
    }

    /// How often something is asked, and what is said.
    fn asked(
        retries: u32,
        twice: Twice,
        answer: impl Fn() -> Result<Result<(), Refusal>, Lost>,
    ) -> (u32, String) {
        let mut played = Played::default();
        let mut count = 0;
        let end = patience(retries).ask(twice, &mut played.console(), || {
            count += 1;
            answer()
        });
        drop(end);
        (count, played.err())
    }

    #[test]
    fn what_may_pass_is_tried_again_and_nothing_else() {
        let said = "busy; trying again in 0 s (1 of 2)\nbusy; trying again in 0 s (2 of 2)\n".to_owned();
        assert_eq!(asked(2, Twice::Other, || Ok(Err(busy(503, 0)))), (3, said.clone()));
        assert_eq!(asked(2, Twice::Other, || Ok(Err(busy(429, 0)))), (3, said));
        for (answer, retries) in [(409, 2), (500, 2), (503, 0)] {
            let once = asked(retries, Twice::Same, || Ok(Err(busy(answer, 0))));
            assert_eq!(once, (1, String::new()), "{answer}");
        }
        assert_eq!(asked(2, Twice::Same, || Ok(Ok(()))).0, 1);
    }

    #[test]
    fn a_chassis_that_asks_for_hours_is_not_waited_for() {
        assert_eq!(asked(2, Twice::Same, || Ok(Err(busy(503, 3600)))), (1, String::new()));
    }

    #[test]
    fn what_may_have_been_done_is_asked_again_only_when_twice_is_the_same() {
        assert_eq!(asked(1, Twice::Other, || Err(lost(How::Unknown))).0, 1);
        assert_eq!(asked(1, Twice::Same, || Err(lost(How::ForGood))).0, 1);
        let said = "gone; trying again in 1 s (1 of 1)\n".to_owned();
        assert_eq!(asked(1, Twice::Same, || Err(lost(How::Unknown))), (2, said.clone()));
        assert_eq!(asked(1, Twice::Other, || Err(lost(How::Unsent))), (2, said));
    }
}
