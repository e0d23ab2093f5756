//! Numbers and names as an advice tells them.

use crate::findings::{Estimate, Interval};

/// What a number is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// A share, from 0 to 1, told from 0 to 100 %.
    Share,
    /// Seconds.
    Seconds,
    /// A multiple.
    Times,
    /// US dollars.
    Usd,
}

/// More digits are never told.
const MOST_DIGITS: usize = 7;

impl Unit {
    /// A measured value with its unit.
    pub(super) fn value(self, value: f64) -> String {
        self.with(value, self.digits(value))
    }

    /// The value, and its interval if it has one: `70.1 % (68.1–71.8 %)`.
    pub(super) fn estimate(self, of: &Estimate) -> String {
        match of.interval {
            Some(Interval { low, high }) => {
                let digits = self.digits(high);
                let (low, high) = (self.bare(low, digits), self.with(high, digits));
                format!("{} ({low}–{high})", self.value(of.value))
            }
            None => self.value(of.value),
        }
    }

    /// What somebody asked for, with the digits that they gave.
    pub(super) fn asked(self, value: f64) -> String {
        let digits = (0..MOST_DIGITS).find(|digits| {
            let shown = self.scaled(value);
            (shown - round(shown, *digits)).abs() < 1e-9
        });
        self.with(value, digits.unwrap_or(MOST_DIGITS))
    }

    /// A measured value beside what was asked for, with so many digits that they
    /// do not look alike unless they are.
    pub(super) fn beside(self, value: f64, asked: f64) -> String {
        let wanted = self.asked(asked);
        let digits = (self.digits(value)..MOST_DIGITS).find(|digits| {
            let shown = self.with(value, *digits);
            shown != self.with(asked, *digits) && shown != wanted
        });
        self.with(value, digits.unwrap_or_else(|| self.digits(value)))
    }

    /// How far two values are apart, without a sign: shares in points.
    pub(super) fn gap(self, a: f64, b: f64) -> String {
        let gap = (a - b).abs();
        let digits = (self.digits(gap)..MOST_DIGITS)
            .find(|digits| round(self.scaled(gap), *digits) > 0.0)
            .unwrap_or_else(|| self.digits(gap));
        match self {
            Unit::Share => format!("{} points", self.bare(gap, digits)),
            _ => self.with(gap, digits),
        }
    }

    /// The nearest value that is easily told and at least as generous: not below
    /// the value if more is worse, not above it if less is.
    pub(super) fn generous(self, value: f64) -> f64 {
        let steps = pow10(self.digits(value)) * self.scaled(1.0);
        let nearest = (value * steps).round();
        let (away, less) = match self {
            Unit::Share => (-1.0, true),
            _ => (1.0, false),
        };
        let tried = [nearest / steps, (nearest + away) / steps];
        let is_generous = |to: &f64| if less { *to <= value } else { *to >= value };
        tried.into_iter().find(is_generous).unwrap_or(value)
    }

    fn with(self, value: f64, digits: usize) -> String {
        let unit = match self {
            Unit::Share => "%",
            Unit::Seconds => "s",
            Unit::Times => "×",
            Unit::Usd => "USD",
        };
        format!("{} {unit}", self.bare(value, digits))
    }

    fn bare(self, value: f64, digits: usize) -> String {
        format!("{:.digits$}", self.scaled(value))
    }

    fn scaled(self, value: f64) -> f64 {
        match self {
            Unit::Share => value * 100.0,
            _ => value,
        }
    }

    fn digits(self, value: f64) -> usize {
        match self {
            Unit::Share | Unit::Seconds => 1,
            Unit::Times => 2,
            Unit::Usd => {
                // Three digits that say something.
                let mut digits = 2;
                let mut edge = 1.0;
                while value.abs() < edge && value != 0.0 && digits < MOST_DIGITS {
                    digits += 1;
                    edge /= 10.0;
                }
                digits
            }
        }
    }
}

fn pow10(digits: usize) -> f64 {
    (0..digits).fold(1.0, |power, _| power * 10.0)
}

fn round(value: f64, digits: usize) -> f64 {
    (value * pow10(digits)).round() / pow10(digits)
}

/// A difference of shares with its sign and interval: `+2.1 points (0.4 to 3.8)`.
pub(super) fn points(of: &Estimate) -> String {
    let signed = |share: f64| format!("{:+.1}", share * 100.0).replace('-', "−");
    match of.interval {
        Some(Interval { low, high }) => format!(
            "{} points ({} to {})",
            signed(of.value),
            signed(low),
            signed(high)
        ),
        None => format!("{} points", signed(of.value)),
    }
}

/// A probability, as tests give them.
pub(super) fn p(value: f64) -> String {
    match value {
        value if value < 0.001 => "p below 0.001".to_owned(),
        value => format!("p {value:.3}"),
    }
}

/// What an arm is called in a sentence: its pattern's name as words, if it has no
/// other.
pub(super) fn name(arm: &str, pattern: &str) -> String {
    match arm {
        "single" if arm == pattern => "a single agent".to_owned(),
        _ if arm == pattern => pattern.replace('_', " "),
        _ => format!("`{arm}`"),
    }
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn list(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_that_matter() {
        let table = [
            (Unit::Share.value(0.7012), "70.1 %"),
            (Unit::Usd.value(0.012_345), "0.0123 USD"),
            (Unit::Usd.value(0.0), "0.00 USD"),
            (Unit::Times.value(1.1), "1.10 ×"),
            (Unit::Seconds.asked(5.0), "5 s"),
            (Unit::Share.asked(0.95), "95 %"),
            (Unit::Share.asked(0.955), "95.5 %"),
            (Unit::Usd.asked(0.05), "0.05 USD"),
            (Unit::Share.beside(0.9496, 0.95), "94.96 %"),
            (Unit::Share.beside(0.95, 0.95), "95.0 %"),
            (Unit::Seconds.beside(5.04, 5.0), "5.04 s"),
            (Unit::Share.gap(0.9496, 0.95), "0.04 points"),
            (Unit::Seconds.gap(8.2, 5.0), "3.2 s"),
            (
                points(&Estimate {
                    value: -0.021,
                    interval: Some(Interval {
                        low: -0.038,
                        high: 0.004,
                    }),
                    n: 9,
                }),
                "−2.1 points (−3.8 to +0.4)",
            ),
        ];
        for (told, expected) in table {
            assert_eq!(told, expected);
        }
    }

    #[test]
    fn a_generous_value_is_met() {
        for (unit, value) in [
            (Unit::Seconds, 8.21),
            (Unit::Seconds, 8.2),
            (Unit::Times, 1.1001),
            (Unit::Usd, 0.012_341),
        ] {
            let to = unit.generous(value);
            assert!(to >= value && to < value * 1.02, "{value} {to}");
        }
        let to = Unit::Share.generous(0.9467);
        assert!(to <= 0.9467 && to > 0.945, "{to}");
        for share in [0.0, 0.29, 0.57, 0.94, 1.0] {
            assert_eq!(Unit::Share.generous(share), share);
        }
    }
}
