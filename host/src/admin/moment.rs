//! Times and spans as people write them: `90d`, `2026-12-31`, `2026-12-31T12:00:00Z`.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

/// The longest span; a longer one is more likely a mistake.
const MOST: SignedDuration = SignedDuration::from_hours(24 * 3660);

/// A span of hours or days such as `24h` or `90d`.
///
/// # Errors
/// What was expected, for people.
pub(crate) fn span(text: &str) -> Result<SignedDuration, String> {
    let parsed = text.trim().parse::<Span>().ok();
    let length = parsed.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok());
    length
        .filter(|length| *length > SignedDuration::ZERO && *length <= MOST)
        .ok_or_else(|| format!("{text:?} is not a span such as 30m, 24h or 90d, of at most ten years"))
}

/// A moment to come: a span from `now`, a date (its beginning, UTC), or a time of RFC 3339.
///
/// # Errors
/// What was expected, for people.
pub(crate) fn moment(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let text = text.trim();
    let date = || TimeZone::UTC.to_timestamp(text.parse::<Date>().ok()?.at(0, 0, 0, 0)).ok();
    let found = text.parse::<Timestamp>().ok().or_else(date);
    let found = match found {
        Some(found) => Some(found),
        None => span(text).ok().and_then(|span| now.checked_add(span).ok()),
    };
    match found {
        Some(found) if found > now => Ok(found),
        Some(_) => Err(format!("{text:?} is past")),
        None => Err(format!("{text:?} is not a time such as 90d, 2026-12-31 or 2026-12-31T12:00:00Z")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        for (text, hours) in [("24h", 24), ("90d", 2160), ("1w", 168), ("1d12h", 36), (" 2h ", 2)] {
            assert_eq!(span(text), Ok(SignedDuration::from_hours(hours)), "{text}");
        }
        assert_eq!(span("3660d"), Ok(MOST));
        for bad in ["", "0h", "-1h", "1mo", "1y", "24", "x", "3661d", "2026-01-01"] {
            assert!(span(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn moments_are_to_come() {
        let now: Timestamp = "2026-06-01T00:00:00Z".parse().unwrap();
        for (text, then) in [
            ("2026-12-31", "2026-12-31T00:00:00Z"),
            ("2026-12-31T12:00:00+02:00", "2026-12-31T10:00:00Z"),
            ("36h", "2026-06-02T12:00:00Z"),
            ("90d", "2026-08-30T00:00:00Z"),
        ] {
            assert_eq!(moment(text, now), Ok(then.parse().unwrap()), "{text}");
        }
        for past in ["2026-06-01", "2026-06-01T00:00:00Z", "1999-01-01"] {
            assert!(moment(past, now).unwrap_err().contains("is past"), "{past}");
        }
        for bad in ["", "tomorrow", "2026-13-01"] {
            assert!(moment(bad, now).unwrap_err().contains("is not a time"), "{bad}");
        }
    }
}
