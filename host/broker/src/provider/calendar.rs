//! Days and dates of the Gregorian calendar, and the one date format HTTP still
//! writes. Pure; it never asks what time it is.

/// Days since 1970-01-01 of a date; none when there is no such date.
pub fn days_of(year: i64, month: u32, day: u32) -> Option<i64> {
    let exists = (1..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day);
    // The year starts in March here, so that the leap day is its last day.
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (i64::from(month) + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    exists.then_some(365 * year + leap_days + day_of_year - 719_468)
}

/// The date so many days after 1970-01-01.
pub fn date_of(days: i64) -> (i64, u32, u32) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (
        year,
        u32::try_from(month).unwrap_or(1),
        u32::try_from(day).unwrap_or(1),
    )
}

fn days_in(year: i64, month: u32) -> u32 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The moment of an HTTP date such as `Sun, 06 Nov 1994 08:49:37 GMT`, in
/// seconds since 1970-01-01 UTC. The two obsolete forms are not read.
pub(super) fn seconds_of_http_date(text: &str) -> Option<i64> {
    let (_, date) = text.trim().split_once(", ")?;
    let mut words = date.split(' ');
    let day = words.next()?.parse().ok()?;
    let month = words.next()?;
    let names = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let month = u32::try_from(names.iter().position(|name| *name == month)?).ok()? + 1;
    let year = words.next()?.parse().ok()?;
    let mut clock = words.next()?.split(':').map(str::parse::<u32>);
    let (hour, minute, second) = (
        clock.next()?.ok()?,
        clock.next()?.ok()?,
        clock.next()?.ok()?,
    );
    let whole = clock.next().is_none() && words.next() == Some("GMT") && words.next().is_none();
    let valid = whole && hour < 24 && minute < 60 && second <= 60;
    let days = days_of(year, month, day)?;
    valid.then_some(days * 86_400 + i64::from(hour * 3600 + minute * 60 + second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_days_agree_in_both_directions() {
        let table = [
            ((1970, 1, 1), 0),
            ((1969, 12, 31), -1),
            ((2000, 2, 29), 11_016),
            ((2024, 2, 29), 19_782),
            ((2024, 12, 31), 20_088),
            ((9999, 12, 31), 2_932_896),
        ];
        for (date, days) in table {
            assert_eq!(days_of(date.0, date.1, date.2), Some(days), "{date:?}");
            assert_eq!(date_of(days), date);
        }
        for days in -1000..40_000 {
            let (year, month, day) = date_of(days);
            assert_eq!(days_of(year, month, day), Some(days));
        }
    }

    #[test]
    fn a_date_that_does_not_exist_has_no_days() {
        for (year, month, day) in [
            (2023, 2, 29),
            (1900, 2, 29),
            (2024, 13, 1),
            (2024, 4, 31),
            (2024, 1, 0),
        ] {
            assert_eq!(days_of(year, month, day), None, "{year} {month} {day}");
        }
    }

    #[test]
    fn an_http_date_is_read_whole_or_not_at_all() {
        let good = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(seconds_of_http_date(good), Some(784_111_777));
        for bad in [
            "",
            "120",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 06 Nov 1994 08:49 GMT",
            "Sun, 31 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 25:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT x",
        ] {
            assert_eq!(seconds_of_http_date(bad), None, "{bad}");
        }
    }
}
