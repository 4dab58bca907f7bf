//! The time of a signature, `20150830T123600Z`.

use alloc::string::String;

use txco_op::decimal;

/// A moment as AWS writes it.
pub(crate) struct Stamp(String);

impl Stamp {
    /// The moment so many seconds after 1970-01-01T00:00:00Z.
    pub(crate) fn of(seconds: u64) -> Self {
        let (days, second) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = date(days);
        let mut text = decimal(year);
        let mut two = |before: &str, number: u64| {
            text.push_str(before);
            text.push_str(if number < 10 { "0" } else { "" });
            text.push_str(&decimal(number));
        };
        two("", month);
        two("", day);
        two("T", second / 3600);
        two("", second / 60 % 60);
        two("", second % 60);
        text.push('Z');
        Self(text)
    }

    /// The whole of it.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// The day, `20150830`.
    pub(crate) fn date(&self) -> &str {
        self.0.split('T').next().unwrap_or_default()
    }
}

/// Year, month and day of a day since 1970, counted in years that begin in March, so that a
/// leap day is the last of its year.
fn date(days: u64) -> (u64, u64, u64) {
    // From 0000-03-01 on; 400 years are 146,097 days.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let of_month = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written() {
        for (seconds, text) in [
            (0, "19700101T000000Z"),
            (951_782_400, "20000229T000000Z"),
            (1_078_012_799, "20040228T235959Z"),
            (1_440_938_160, "20150830T123600Z"),
            (1_709_164_800, "20240229T000000Z"),
            (1_709_251_200, "20240301T000000Z"),
            (1_735_689_599, "20241231T235959Z"),
            (4_107_542_400, "21000301T000000Z"),
            (253_402_300_799, "99991231T235959Z"),
        ] {
            assert_eq!(Stamp::of(seconds).text(), text);
        }
        assert_eq!(Stamp::of(1_440_938_160).date(), "20150830");
    }
}
