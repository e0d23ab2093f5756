//! Numbers as people read them: sensible digits, and always a unit.

use crate::findings::{Estimate, Interval};

/// What a number is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// A share, from 0 to 1, shown from 0 to 100 %.
    Percent,
    /// A difference of shares, shown with its sign.
    Points,
    /// Steps that are wrong because of a fault.
    Steps,
    /// Seconds.
    Seconds,
    /// Microseconds, shown as milliseconds.
    Micros,
    /// A multiple.
    Times,
    /// US dollars.
    Usd,
    /// So many per task.
    PerTask,
    /// A coefficient.
    Coefficient,
}

impl Unit {
    /// The value with its unit.
    pub(super) fn value(self, value: f64) -> String {
        format!("{}{}", self.bare(value), self.suffix(value))
    }

    /// From here to there, with the unit once.
    pub(super) fn interval(self, of: Interval) -> String {
        let (low, high) = (self.at(of.low, of.high), self.at(of.high, of.high));
        // A dash between signs would look like one more of them.
        let signed = self == Unit::Points || of.low < 0.0;
        let to = if signed { " to " } else { "–" };
        format!("{low}{to}{high}{}", self.suffix(of.high))
    }

    /// The value without its unit.
    pub(super) fn bare(self, value: f64) -> String {
        self.at(value, value)
    }

    /// The value with as many digits as a value of this size has.
    fn at(self, value: f64, size: f64) -> String {
        let (value, digits) = match self {
            Unit::Percent | Unit::Points => (value * 100.0, 1),
            Unit::Steps | Unit::Times => (value, 2),
            Unit::Seconds => (value, fine(size, 1)),
            Unit::Micros => (value / 1000.0, fine(size / 1000.0, 1)),
            Unit::Usd => (value, fine(size, 2)),
            Unit::PerTask => (value, if size.abs() < 100.0 { 2 } else { 0 }),
            Unit::Coefficient => (value, 3),
        };
        let text = plain(value, digits);
        if self == Unit::Points && value > 0.0 && !is_nothing(&text) {
            return format!("+{text}");
        }
        text
    }

    /// The unit, with the space before it.
    pub(super) fn suffix(self, value: f64) -> &'static str {
        match self {
            Unit::Percent => " %",
            Unit::Points if plain(value * 100.0, 1).trim_start_matches('−') == "1.0" => " point",
            Unit::Points => " points",
            Unit::Seconds => " s",
            Unit::Micros => " ms",
            Unit::Times => " ×",
            Unit::Usd => " USD",
            Unit::Steps | Unit::PerTask | Unit::Coefficient => "",
        }
    }

    /// The value, and its interval if it has one: `70.1 % (68.1–71.8 %)`.
    pub(super) fn estimate(self, of: &Estimate) -> String {
        match of.interval {
            Some(interval) => {
                let value = self.at(of.value, interval.high);
                let suffix = self.suffix(of.value);
                format!("{value}{suffix} ({})", self.interval(interval))
            }
            None => self.value(of.value),
        }
    }
}

/// So many digits for a value of 1 or more, and more for less.
fn fine(size: f64, least: usize) -> usize {
    let size = size.abs();
    let mut digits = least;
    let mut edge = 1.0;
    while size < edge && digits < 7 && size > 0.0 {
        digits += 1;
        edge /= 10.0;
    }
    digits
}

/// With so many digits, a proper minus, and no minus before a nought.
pub(super) fn plain(value: f64, digits: usize) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let text = format!("{:.digits$}", value.abs());
    let text = match text.split_once('.') {
        Some((whole, part)) => format!("{}.{part}", grouped(whole)),
        None => grouped(&text),
    };
    if value < 0.0 && !is_nothing(&text) {
        return format!("−{text}");
    }
    text
}

fn is_nothing(text: &str) -> bool {
    text.chars().all(|c| matches!(c, '0' | '.' | ','))
}

/// A whole number, with a comma at every thousand.
pub(super) fn count(value: u64) -> String {
    grouped(&value.to_string())
}

fn grouped(digits: &str) -> String {
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 task`, `2 tasks`.
pub(super) fn counted(value: u64, one: &str) -> String {
    let s = if value == 1 { "" } else { "s" };
    format!("{} {one}{s}", count(value))
}

/// A p, without the letter: `0.013`, `< 0.0001`.
pub(super) fn chance(p: f64) -> String {
    match p {
        p if p < 0.0001 => "< 0.0001".to_owned(),
        p if p < 0.01 => plain(p, 4),
        p => plain(p, 3),
    }
}

/// A p with the letter: `p = 0.013`, `p < 0.0001`.
pub(super) fn p(p: f64) -> String {
    let text = chance(p);
    let equals = if text.starts_with('<') { "" } else { "= " };
    format!("p {equals}{text}")
}

/// A rate as it was set, with as many digits as it has.
pub(super) fn rate(value: f64) -> String {
    let text = plain(value * 100.0, 4);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text} %")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_sensible_digits_and_its_unit() {
        let table = [
            (Unit::Percent, 0.7012, "70.1 %"),
            (Unit::Percent, 0.0, "0.0 %"),
            (Unit::Points, 0.0966, "+9.7 points"),
            (Unit::Points, -0.01, "−1.0 point"),
            (Unit::Points, -0.0001, "0.0 points"),
            (Unit::Points, 0.0001, "0.0 points"),
            (Unit::Steps, 3.2109, "3.21"),
            (Unit::Seconds, 12.34, "12.3 s"),
            (Unit::Seconds, 1.234, "1.2 s"),
            (Unit::Seconds, 0.01234, "0.012 s"),
            (Unit::Seconds, 0.0, "0.0 s"),
            (Unit::Micros, 123.0, "0.12 ms"),
            (Unit::Times, 1.3, "1.30 ×"),
            (Unit::Usd, 1234.5, "1,234.50 USD"),
            (Unit::Usd, 0.01234, "0.0123 USD"),
            (Unit::Usd, 0.0, "0.00 USD"),
            (Unit::PerTask, 1234.5, "1,234"),
            (Unit::PerTask, 7.0, "7.00"),
            (Unit::Coefficient, f64::NAN, "–"),
        ];
        for (unit, value, text) in table {
            assert_eq!(unit.value(value), text, "{unit:?} {value}");
        }
    }

    #[test]
    fn an_interval_has_its_unit_once() {
        let of = |low, high| Interval { low, high };
        assert_eq!(Unit::Percent.interval(of(0.646, 0.749)), "64.6–74.9 %");
        assert_eq!(
            Unit::Points.interval(of(-0.02, 0.03)),
            "−2.0 to +3.0 points"
        );
        assert_eq!(Unit::Points.interval(of(0.02, 0.03)), "+2.0 to +3.0 points");
        assert_eq!(Unit::Usd.interval(of(0.009, 0.0112)), "0.0090–0.0112 USD");
        let estimate = Estimate {
            value: 0.98,
            interval: Some(of(0.95, 1.01)),
            n: 9,
        };
        assert_eq!(Unit::Seconds.estimate(&estimate), "1.0 s (0.9–1.0 s)");
    }

    #[test]
    fn a_chance_is_never_nothing() {
        assert_eq!(p(0.0), "p < 0.0001");
        assert_eq!(p(0.00123), "p = 0.0012");
        assert_eq!(p(0.05), "p = 0.050");
        assert_eq!(rate(0.0125), "1.25 %");
        assert_eq!(rate(0.3), "30 %");
        assert_eq!(counted(1, "task"), "1 task");
        assert_eq!(counted(2400, "trial"), "2,400 trials");
    }
}
