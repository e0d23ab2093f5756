//! From numbers to places.

/// A stretch of numbers, drawn on a stretch of paper.
#[derive(Clone, Debug)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    /// Where its lines are, ascending.
    pub(super) ticks: Vec<f64>,
}

impl Scale {
    /// Over all the values, with about so many lines at round numbers.
    pub(super) fn over(values: &[f64], bounds: Bounds, want: f64) -> Scale {
        let finite = || values.iter().copied().filter(|value| value.is_finite());
        let mut low = finite().fold(f64::INFINITY, f64::min);
        let mut high = finite().fold(f64::NEG_INFINITY, f64::max);
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        if bounds.zero {
            (low, high) = (low.min(0.0), high.max(0.0));
        }
        if high - low < 1e-9 {
            // All alike: room on both sides.
            let room = if high.abs() < 1e-9 {
                1.0
            } else {
                high.abs() * 0.2
            };
            (low, high) = (if bounds.zero { low } else { low - room }, high + room);
        }
        let step = round_step((high - low) / want);
        let low = (low / step + 1e-6).floor() * step;
        let high = (high / step - 1e-6).ceil() * step;
        let low = bounds.least.map_or(low, |least| low.max(least));
        let high = bounds.most.map_or(high, |most| high.min(most));
        let mut ticks = Vec::new();
        let first = (low / step - 1e-6).ceil();
        for nth in 0_u8..40 {
            let tick = (first + f64::from(nth)) * step;
            if tick > high + step * 1e-6 {
                break;
            }
            ticks.push(tick);
        }
        Scale {
            low,
            high,
            from: 0.0,
            to: 1.0,
            ticks,
        }
    }

    /// On this stretch of paper.
    pub(super) fn on(mut self, from: f64, to: f64) -> Scale {
        (self.from, self.to) = (from, to);
        self
    }

    /// Where a number is; one that is outside is at the edge.
    pub(super) fn place(&self, value: f64) -> f64 {
        let share = (value - self.low) / (self.high - self.low);
        self.from + share.clamp(0.0, 1.0) * (self.to - self.from)
    }
}

/// What a scale may and must hold.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bounds {
    /// Nothing below is possible.
    pub(super) least: Option<f64>,
    /// Nothing above is possible.
    pub(super) most: Option<f64>,
    /// Whether it has to hold the zero.
    pub(super) zero: bool,
}

/// The next number of 1, 2 and 5 and their tenfolds.
fn round_step(rough: f64) -> f64 {
    let mut step = 1.0;
    for _ in 0..30 {
        if step <= rough {
            break;
        }
        step /= 10.0;
    }
    for _ in 0..30 {
        if step * 10.0 > rough {
            break;
        }
        step *= 10.0;
    }
    let found = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .find(|by| step * by >= rough * 0.999);
    step * found.unwrap_or(10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_at_round_numbers_and_hold_everything() {
        let free = Bounds::default();
        let share = Bounds {
            least: Some(0.0),
            most: Some(1.0),
            zero: false,
        };
        let zero = Bounds {
            zero: true,
            ..Bounds::default()
        };
        let table: [(&[f64], Bounds, &[f64]); 6] = [
            (&[0.61, 0.93], share, &[0.6, 0.7, 0.8, 0.9, 1.0]),
            (&[0.3, 3.2], zero, &[0.0, 1.0, 2.0, 3.0, 4.0]),
            (&[7.0, 29.0], zero, &[0.0, 10.0, 20.0, 30.0]),
            (&[1.0, 1.0], share, &[0.8, 0.9, 1.0]),
            (&[], free, &[0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
            (&[0.0, 0.0], zero, &[0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        ];
        for (values, bounds, ticks) in table {
            let scale = Scale::over(values, bounds, 5.0).on(0.0, 100.0);
            let near = |a: &[f64], b: &[f64]| {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9)
            };
            assert!(near(&scale.ticks, ticks), "{values:?}: {:?}", scale.ticks);
            for value in values {
                let place = scale.place(*value);
                assert!((0.0..=100.0).contains(&place), "{values:?}");
            }
        }
    }
}
