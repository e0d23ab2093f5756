//! Dates as models spell them, turned into `YYYY-MM-DD`.
//!
//! A spelling with two readings, such as `03/04/2024`, is left as it is: the
//! checker will say so, and nobody guesses.

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// The date in ISO spelling, or the text as it was when it has no reading or
/// two.
pub(crate) fn normalised(text: &str) -> String {
    let text = text.trim();
    match read(text) {
        Some((year, month, day)) => format!("{year:04}-{month:02}-{day:02}"),
        None => text.to_owned(),
    }
}

type Date = (u32, u32, u32);

fn read(text: &str) -> Option<Date> {
    let date = without_time(text);
    let words: Vec<&str> = date
        .split(|c: char| c.is_whitespace() || matches!(c, '-' | '/' | '.' | ','))
        .filter(|word| !word.is_empty())
        .collect();
    match *words.as_slice() {
        [one] => compact(one),
        [a, b, c] => match (month(a), month(b)) {
            (Some(month), None) => valid(year(c)?, month, day(b)?),
            (None, Some(month)) if a.len() == 4 => valid(year(a)?, month, day(c)?),
            (None, Some(month)) => valid(year(c)?, month, day(a)?),
            (None, None) if a.len() == 4 => valid(year(a)?, number(b)?, number(c)?),
            (None, None) => day_and_month(year(c)?, number(a)?, number(b)?),
            (Some(_), Some(_)) => None,
        },
        _ => None,
    }
}

/// The part before an ISO time: `2024-03-05T00:00:00Z`.
fn without_time(text: &str) -> &str {
    match text.split_once(['T', ' ']) {
        Some((date, time)) if date.len() == 10 && time.contains(':') => date,
        _ => text,
    }
}

/// `20240305`.
fn compact(text: &str) -> Option<Date> {
    let digits = text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit());
    if !digits {
        return None;
    }
    valid(
        number(text.get(..4)?)?,
        number(text.get(4..6)?)?,
        number(text.get(6..)?)?,
    )
}

/// Two numbers of which only one can be the month, or which are the same.
fn day_and_month(year: u32, a: u32, b: u32) -> Option<Date> {
    match (valid(year, a, b), valid(year, b, a)) {
        (Some(american), Some(european)) if american != european => None,
        (american, european) => american.or(european),
    }
}

fn valid(year: u32, month: u32, day: u32) -> Option<Date> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    (1..=days).contains(&day).then_some((year, month, day))
}

/// A month's name or its first three letters or more.
fn month(word: &str) -> Option<u32> {
    let word = word.to_lowercase();
    let at = MONTHS
        .iter()
        .position(|name| word.len() >= 3 && name.starts_with(&word));
    // `Sept` is in use and starts `September`; nothing else needs a rule.
    at.and_then(|at| u32::try_from(at + 1).ok())
}

/// A day with or without its ending: `3`, `03`, `3rd`.
fn day(word: &str) -> Option<u32> {
    let word = word.to_lowercase();
    let bare = ["st", "nd", "rd", "th"]
        .iter()
        .find_map(|ending| word.strip_suffix(ending));
    number(bare.unwrap_or(&word))
}

fn year(word: &str) -> Option<u32> {
    if word.len() == 4 { number(word) } else { None }
}

fn number(word: &str) -> Option<u32> {
    let digits = !word.is_empty() && word.len() <= 4 && word.bytes().all(|b| b.is_ascii_digit());
    if digits { word.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::normalised;

    #[test]
    fn a_date_is_read_however_it_is_spelled() {
        for text in [
            "2024-03-05",
            " 2024-03-05 ",
            "2024-3-5",
            "2024/03/05",
            "2024.03.05",
            "20240305",
            "2024-03-05T00:00:00Z",
            "2024-03-05 12:30:00",
            "March 5, 2024",
            "Mar 5th, 2024",
            "5 March 2024",
            "5-Mar-2024",
            "05. MARCH 2024",
            "2024 March 5",
            "2024-Mar-05",
        ] {
            assert_eq!(normalised(text), "2024-03-05", "{text}");
        }
        assert_eq!(normalised("Sept 1, 2024"), "2024-09-01");
        assert_eq!(normalised("3rd May 2024"), "2024-05-03");
        assert_eq!(normalised("29 Feb 2024"), "2024-02-29");
    }

    #[test]
    fn of_two_readings_only_a_possible_one_counts() {
        assert_eq!(normalised("25/12/2024"), "2024-12-25");
        assert_eq!(normalised("12/25/2024"), "2024-12-25");
        assert_eq!(normalised("03/03/2024"), "2024-03-03");
    }

    #[test]
    fn a_date_with_two_readings_or_none_stays_as_it_is() {
        for text in [
            "03/04/2024",
            "3.4.2024",
            "03/04/24",
            "2024-02-30",
            "2023-02-29",
            "2024-13-01",
            "31/02/2024",
            "31/31/2024",
            "May",
            "May June 2024",
            "tomorrow",
            "5 Ma 2024",
            "2024",
            "",
            "1 2 3 4",
        ] {
            assert_eq!(normalised(text), text);
        }
    }
}
