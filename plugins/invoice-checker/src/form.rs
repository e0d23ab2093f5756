//! The form of single values. Pure.

/// `INV-` four digits `-` three digits.
pub(crate) fn is_invoice_id(id: &str) -> bool {
    matches(id, "INV-0000-000")
}

/// A day of the calendar as `YYYY-MM-DD`.
pub(crate) fn is_date(date: &str) -> bool {
    if !matches(date, "0000-00-00") {
        return false;
    }
    let number = |range| {
        date.get(range)
            .and_then(|part: &str| part.parse::<u32>().ok())
    };
    let (Some(year), Some(month), Some(day)) = (number(0..4), number(5..7), number(8..10)) else {
        return false;
    };
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=days).contains(&day)
}

/// Like the pattern, in which `0` stands for any digit.
fn matches(text: &str, pattern: &str) -> bool {
    text.len() == pattern.len()
        && text
            .bytes()
            .zip(pattern.bytes())
            .all(|(byte, wanted)| match wanted {
                b'0' => byte.is_ascii_digit(),
                other => byte == other,
            })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invoice_id_has_seven_digits_in_their_places() {
        assert!(is_invoice_id("INV-2024-001"));
        for id in [
            "",
            "INV-2024-01",
            "INV-2024-0001",
            "inv-2024-001",
            "INV-2024-00O",
            "INV 2024 001",
            " INV-2024-001",
            "INV-2024-١",
        ] {
            assert!(!is_invoice_id(id), "{id}");
        }
    }

    #[test]
    fn a_date_is_a_day_of_the_calendar() {
        for date in ["2024-02-29", "2000-02-29", "2024-12-31", "2024-01-01"] {
            assert!(is_date(date), "{date}");
        }
        for date in [
            "2023-02-29",
            "1900-02-29",
            "2024-02-30",
            "2024-04-31",
            "2024-13-01",
            "2024-00-10",
            "2024-01-00",
            "2024-1-1",
            "05/03/2024",
            "2024-01-01T",
            "",
            "２024-01-01",
        ] {
            assert!(!is_date(date), "{date}");
        }
    }
}
