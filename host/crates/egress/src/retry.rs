//! When a request is sent again, and after how long.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};

use crate::error::Error;

/// The wait before the second attempt; it doubles from one to the next.
const FIRST: Duration = Duration::from_millis(100);
/// The longest wait that nobody asked for.
const LONGEST: Duration = Duration::from_secs(5);

/// Whether an error may be gone next time: the upstream was not there, or broke off.
pub(crate) fn passes(error: &Error) -> bool {
    matches!(error, Error::Unreachable { .. } | Error::Timeout { .. } | Error::Protocol { .. })
}

/// Whether an upstream that answers so may answer otherwise next time.
pub(crate) fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 425 | 429 | 502 | 503 | 504)
}

/// The wait before attempt `number` (from 1): what the upstream asks for, else a doubling
/// time of which half is left to chance, so that many clients do not come back at once.
pub(crate) fn pause(number: u32, headers: Option<&HeaderMap>) -> Duration {
    let asked = headers.and_then(|headers| headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok());
    if let Some(seconds) = asked {
        return Duration::from_secs(seconds);
    }
    let most = FIRST.saturating_mul(1 << number.saturating_sub(1).min(16)).min(LONGEST);
    // A fresh hasher is seeded by the operating system; nothing here is secret.
    let chance = RandomState::new().hash_one(number) % 1_000;
    let half = most / 2;
    half.saturating_add(half.saturating_mul(u32::try_from(chance).unwrap_or(0)) / 1_000)
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn the_wait_doubles_and_has_an_end() {
        for (number, most) in [(1, 100), (2, 200), (3, 400), (7, 5_000), (u32::MAX, 5_000)] {
            for _ in 0..50 {
                let wait = pause(number, None).as_millis();
                assert!((most / 2..=most).contains(&wait), "{number}: {wait}");
            }
        }
    }

    #[test]
    fn the_upstream_may_name_the_wait() {
        let headers = |text| HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]);
        assert_eq!(pause(1, Some(&headers("3"))), Duration::from_secs(3));
        assert!(pause(1, Some(&headers("tomorrow"))) <= FIRST);
        assert!(
            is_passing(StatusCode::SERVICE_UNAVAILABLE) && !is_passing(StatusCode::INTERNAL_SERVER_ERROR)
        );
    }
}
