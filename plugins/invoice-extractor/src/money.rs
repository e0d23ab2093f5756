//! Amounts of money as models spell them, turned into cents.
//!
//! Refuses what has two readings or none. Never guesses a currency: signs and
//! codes are taken off and forgotten.

use std::fmt;

use serde::de::{Deserializer, Error, Unexpected, Visitor};

/// The largest amount that is read: 1 000 000 000 000.00. Beyond it a floating
/// point number no longer keeps cents apart from their neighbours safely.
const MAX_CENTS: i64 = 100_000_000_000_000;

/// Cents in a spelling such as `1234.5`, `$1,234.50`, `1.234,50`, `EUR 12`,
/// `(5.00)`. A single separator with three digits behind it groups thousands:
/// money has two decimals.
pub(crate) fn cents(text: &str) -> Option<i64> {
    let (text, negative) = sign(text.trim())?;
    let text: String = text.chars().filter(|c| !is_blank(*c)).collect();
    let (whole, fraction) = split(&text)?;
    let whole: i64 = whole.parse().ok()?;
    let fraction = match *fraction.as_bytes() {
        [] => 0,
        [tenth] => i64::from(tenth - b'0') * 10,
        [tenth, cent] => i64::from(tenth - b'0') * 10 + i64::from(cent - b'0'),
        _ => return None,
    };
    let cents = whole.checked_mul(100)?.checked_add(fraction)?;
    (cents <= MAX_CENTS).then_some(if negative { -cents } else { cents })
}

/// A JSON number as cents, rounded: models compute in binary, too.
pub(crate) fn cents_of(number: f64) -> Option<i64> {
    let cents = (number * 100.0).round();
    // In range, so that the cast is exact.
    (cents.abs() <= MAX_CENTS as f64).then_some(cents as i64)
}

/// Reads an amount from a JSON number or text; null and the empty text are
/// none.
pub(crate) fn optional<'de, D: Deserializer<'de>>(json: D) -> Result<Option<f64>, D::Error> {
    json.deserialize_any(Amount)
}

/// Reads an amount that must be there.
pub(crate) fn required<'de, D: Deserializer<'de>>(json: D) -> Result<f64, D::Error> {
    optional(json)?.ok_or_else(|| D::Error::invalid_type(Unexpected::Unit, &Amount))
}

/// Takes a minus, accounting brackets, and currency signs or codes off.
fn sign(text: &str) -> Option<(&str, bool)> {
    let bracketed = text
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'));
    let text = unmarked(bracketed.unwrap_or(text));
    let minus = text.strip_prefix('-').map(unmarked);
    let negative = bracketed.is_some() != minus.is_some();
    // Two signs are a riddle, not an amount.
    (bracketed.is_none() || minus.is_none()).then_some((minus.unwrap_or(text), negative))
}

/// Without `$`, `€`, `£`, `¥` and codes such as `USD` at either end.
fn unmarked(text: &str) -> &str {
    let mark = |c: char| "$€£¥".contains(c) || c.is_ascii_alphabetic() || is_blank(c);
    text.trim_matches(mark)
}

/// Spaces of all kinds, which also group thousands, and the apostrophe, which
/// does so in Switzerland.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\'' | '’')
}

/// The digits before and after the decimal separator.
fn split(text: &str) -> Option<(String, &str)> {
    let (decimal, group) = match (text.rfind('.'), text.rfind(',')) {
        (None, None) => (None, None),
        (Some(point), Some(comma)) if point > comma => (Some(point), Some(',')),
        (Some(_), Some(comma)) => (Some(comma), Some('.')),
        (Some(at), None) => alone(text, at, '.'),
        (None, Some(at)) => alone(text, at, ','),
    };
    let (whole, fraction) = match decimal {
        Some(at) => (text.get(..at)?, text.get(at + 1..)?),
        None => (text, ""),
    };
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let whole = match group {
        Some(group) => ungrouped(whole, group)?,
        None => whole.to_owned(),
    };
    let whole = if whole.is_empty() && !fraction.is_empty() {
        "0".to_owned()
    } else {
        whole
    };
    (!whole.is_empty() && digits(&whole) && digits(fraction)).then_some((whole, fraction))
}

/// One kind of separator: it groups when it comes more than once or has exactly
/// three digits behind it, otherwise it is the decimal one.
fn alone(text: &str, last: usize, separator: char) -> (Option<usize>, Option<char>) {
    let repeated = text.find(separator) != Some(last);
    if repeated || text.len() - last - 1 == 3 {
        (None, Some(separator))
    } else {
        (Some(last), None)
    }
}

/// The digits without their groups. All groups but the first have three digits,
/// or two before the last one, as in India.
fn ungrouped(whole: &str, separator: char) -> Option<String> {
    let groups: Vec<&str> = whole.split(separator).collect();
    let (first, rest) = groups.split_first()?;
    let Some((last, middle)) = rest.split_last() else {
        return Some((*first).to_owned());
    };
    let fits = (1..=3).contains(&first.len())
        && last.len() == 3
        && middle.iter().all(|group| matches!(group.len(), 2 | 3));
    fits.then(|| groups.concat())
}

struct Amount;

impl Amount {
    fn of<E: Error>(self, cents: Option<i64>, seen: Unexpected<'_>) -> Result<Option<f64>, E> {
        let cents = cents.ok_or_else(|| E::invalid_value(seen, &self))?;
        Ok(Some(cents as f64 / 100.0))
    }
}

impl Visitor<'_> for Amount {
    type Value = Option<f64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an amount of money as a number with at most two decimals")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Option<f64>, E> {
        let cents = number
            .checked_mul(100)
            .filter(|cents| cents.abs() <= MAX_CENTS);
        self.of(cents, Unexpected::Signed(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Option<f64>, E> {
        let signed = i64::try_from(number);
        let signed = signed.map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))?;
        self.visit_i64(signed)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Option<f64>, E> {
        self.of(cents_of(number), Unexpected::Float(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Option<f64>, E> {
        if text.trim().is_empty() {
            return Ok(None);
        }
        self.of(cents(text), Unexpected::Str(text))
    }

    fn visit_unit<E: Error>(self) -> Result<Option<f64>, E> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_read_however_it_is_spelled() {
        for (text, expected) in [
            ("1234.5", 123_450),
            ("1234.50", 123_450),
            ("1,234.50", 123_450),
            ("$1,234.50", 123_450),
            ("$ 1,234.50", 123_450),
            ("USD 1,234.50", 123_450),
            ("1,234.50 USD", 123_450),
            ("US$1,234.50", 123_450),
            ("1.234,50", 123_450),
            ("1.234,50 €", 123_450),
            ("1 234,50", 123_450),
            ("1\u{202f}234,50", 123_450),
            ("1'234.50", 123_450),
            ("12,34", 1_234),
            ("12,3", 1_230),
            ("1,234", 123_400),
            ("1.234", 123_400),
            ("1,234,567.89", 123_456_789),
            ("1.234.567,89", 123_456_789),
            ("1,23,456.78", 12_345_678),
            ("1,234,567", 123_456_700),
            ("0.99", 99),
            (".99", 99),
            ("7", 700),
            ("-5.00", -500),
            ("-$5.00", -500),
            ("$-5.00", -500),
            ("(5.00)", -500),
            ("($5.00)", -500),
        ] {
            assert_eq!(cents(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_is_not_guessed() {
        for text in [
            "",
            "$",
            "about",
            "1.2.3",
            "12,34,5",
            "1.2345",
            "1,234.567",
            "12.34.56",
            "--5",
            "(-5)",
            "1e3",
            "1,234,56",
            ",",
            "12a34",
            "999999999999999999999",
        ] {
            assert_eq!(cents(text), None, "{text}");
        }
    }

    #[test]
    fn a_number_keeps_its_cents_and_no_more() {
        for (number, expected) in [
            (1234.5, 123_450),
            (0.29, 29),
            (1.1 + 2.2, 330),
            (19.999_999_999, 2_000),
            (-0.5, -50),
        ] {
            assert_eq!(cents_of(number), Some(expected), "{number}");
        }
        for number in [f64::NAN, f64::INFINITY, 1e18] {
            assert_eq!(cents_of(number), None, "{number}");
        }
    }
}
