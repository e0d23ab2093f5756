//! How values are written in the files of a set: money, days, whole files.

use serde::{Serialize, Serializer};

/// Money, as a whole number of cents; in JSON a number with two decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cents(pub(crate) u64);

impl Serialize for Cents {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Division by 100 rounds to the nearest `f64`, which prints as the
        // decimal it stands for.
        serializer.serialize_f64(self.0 as f64 / 100.0)
    }
}

/// A day of 2024 by its number, from 0.
pub(crate) fn day_of_2024(mut day: usize) -> String {
    const DAYS: [usize; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 1;
    for days in DAYS {
        if day < days {
            break;
        }
        day -= days;
        month += 1;
    }
    format!("2024-{month:02}-{:02}", day + 1)
}

/// A file's text.
pub(crate) fn pretty(value: &impl Serialize) -> String {
    // The types of a set hold string keys and finite numbers only, which JSON can say.
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_of_the_year_is_a_date_of_the_leap_year_2024() {
        let table = [
            (0, "2024-01-01"),
            (58, "2024-02-28"),
            (59, "2024-02-29"),
            (60, "2024-03-01"),
        ];
        for (day, date) in table.into_iter().chain([(365, "2024-12-31")]) {
            assert_eq!(day_of_2024(day), date);
        }
    }
}
