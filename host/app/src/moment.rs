//! Moments as people write and read them: days and times of UTC.

use hotcell_broker::provider::calendar::{date_of, days_of};

const DAY_MS: u64 = 86_400_000;

/// A moment to the second, such as `2026-03-01 09:30:00`.
pub(crate) fn shown(unix_ms: u64) -> String {
    let days = i64::try_from(unix_ms / DAY_MS).unwrap_or(i64::MAX);
    // The journal's numbers may be anybody's; dates end with the year 9999.
    let (year, month, day) = date_of(days.min(2_932_896));
    let second = unix_ms % DAY_MS / 1_000;
    let (hour, minute) = (second / 3_600, second / 60 % 60);
    format!(
        "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{:02}",
        second % 60
    )
}

/// The same as RFC 3339 writes it: `2026-03-01T09:30:00Z`.
pub(crate) fn rfc3339(unix_ms: u64) -> String {
    format!("{}Z", shown(unix_ms).replace(' ', "T"))
}

/// The beginning of a day such as `2026-03-01`, or so many days ago: `30d`.
pub(crate) fn parse(text: &str, now_unix_ms: u64) -> Option<u64> {
    if let Some(days) = text.strip_suffix('d') {
        let days: u64 = days.parse().ok()?;
        return now_unix_ms.checked_sub(days.checked_mul(DAY_MS)?);
    }
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let days = days_of(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)?;
    let whole = parts.next().is_none();
    let days = u64::try_from(days).ok().filter(|_| whole)?;
    days.checked_mul(DAY_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_they_are_shown() {
        let table = [
            ("1970-01-01", 0),
            ("2000-02-29", 951_782_400_000),
            ("2026-03-01", 1_772_323_200_000),
        ];
        for (text, ms) in table {
            assert_eq!(parse(text, 0), Some(ms), "{text}");
            assert_eq!(shown(ms), format!("{text} 00:00:00"));
        }
        assert_eq!(shown(1_772_323_200_000 + 34_567_890), "2026-03-01 09:36:07");
        assert_eq!(shown(u64::MAX), "9999-12-31 14:25:51");
        assert_eq!(parse("2d", 3 * DAY_MS), Some(DAY_MS));
        let wrong = [
            "",
            "d",
            "-1d",
            "4d",
            "2026-02-30",
            "2026-03",
            "2026-03-01-1",
            "1969-12-31",
        ];
        for text in wrong {
            assert_eq!(parse(text, 3 * DAY_MS), None, "{text}");
        }
    }
}
