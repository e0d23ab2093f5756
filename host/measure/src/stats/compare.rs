//! Whether two arms differ: paired tests, an unpaired one, and the price of many tests.

use super::special::{ln_choose, normal_two_sided, student_two_sided};
use super::{mean, stdev};
use crate::findings::{PairedT, Unpaired};

/// McNemar's test, exact and two-sided: how likely discordant pairs fall at
/// least as unevenly if each fell either way with chance one half.
///
/// The sum begins at its largest term, in logarithms, so that thousands of pairs
/// neither overflow nor vanish.
pub fn mcnemar(only_a: u64, only_b: u64) -> f64 {
    let (fewer, all) = (only_a.min(only_b), only_a.saturating_add(only_b));
    if all == 0 {
        return 1.0;
    }
    let last = libm::exp(ln_choose(all, fewer) - all as f64 * std::f64::consts::LN_2);
    // Each term is the one after it times k / (n - k + 1), which is below one.
    let (mut sum, mut term) = (0.0, 1.0);
    for k in (0..=fewer).rev() {
        sum += term;
        term *= k as f64 / (all - k + 1) as f64;
        if term < 1e-18 * sum {
            break;
        }
    }
    (2.0 * last * sum).min(1.0)
}

/// Adjusts p values for there being several of them, by Holm's method: the
/// smallest counts as many times as there are tests, the next once less, and
/// none is adjusted below a smaller one.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<(usize, f64)> = p.iter().copied().enumerate().collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut adjusted = vec![1.0; p.len()];
    let mut floor = 0.0_f64;
    for (rank, (at, p)) in order.into_iter().enumerate() {
        let factor = (adjusted.len() - rank) as f64;
        floor = floor.max((p * factor).min(1.0));
        if let Some(slot) = adjusted.get_mut(at) {
            *slot = floor;
        }
    }
    adjusted
}

/// Student's paired test over differences. None if there are fewer than two, or
/// if they do not vary: then t is not a number.
pub fn paired_t(differences: &[f64]) -> Option<PairedT> {
    let spread = stdev(differences).filter(|spread| *spread > 0.0)?;
    let n = differences.len();
    let t = mean(differences)? / (spread / (n as f64).sqrt());
    let df = n - 1;
    Some(PairedT {
        t,
        df: df as u64,
        p: student_two_sided(t, df as f64),
    })
}

/// The test of two shares with a pooled variance, as if they came from different
/// tasks. None without trials, or if all of them, or none, are right.
pub fn unpaired(a: (u64, u64), b: (u64, u64)) -> Option<Unpaired> {
    let share = |(right, trials): (u64, u64)| right as f64 / trials as f64;
    if a.1 == 0 || b.1 == 0 {
        return None;
    }
    let pooled = (a.0 + b.0) as f64 / (a.1 + b.1) as f64;
    let variance = pooled * (1.0 - pooled) * (1.0 / a.1 as f64 + 1.0 / b.1 as f64);
    if variance <= 0.0 {
        return None;
    }
    let z = (share(a) - share(b)) / variance.sqrt();
    Some(Unpaired {
        z,
        p: normal_two_sided(z),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mcnemars_test_is_the_binomial_one_counted_out() {
        for all in 0..=20_u32 {
            for a in 0..=all {
                let ways = |k: u32| -> f64 {
                    (0..k).fold(1.0, |ways, i| ways * f64::from(all - i) / f64::from(i + 1))
                };
                let fewer = a.min(all - a);
                let tail: f64 = (0..=fewer).map(ways).sum();
                let expected = (2.0 * tail / f64::powi(2.0, all as i32)).min(1.0);
                let found = mcnemar(u64::from(a), u64::from(all - a));
                assert!((found - expected).abs() < 1e-12, "{a} of {all}: {found}");
            }
        }
    }

    #[test]
    fn mcnemars_test_holds_out_with_thousands_of_pairs() {
        assert!((mcnemar(5000, 5000) - 1.0).abs() < 1e-12);
        // 2 * P(Binomial(10000, 1/2) <= 4900): the normal one with the
        // correction for steps is 0.046591.
        let some = mcnemar(4900, 5100);
        assert!((some - 0.046_59).abs() < 2e-5, "{some}");
        let none = mcnemar(100, 9900);
        assert!((0.0..1e-300).contains(&none), "{none}");
        assert!((mcnemar(0, 0) - 1.0).abs() < 1e-15);
    }

    #[test]
    fn holm_counts_the_smallest_most_often_and_keeps_their_order() {
        // Holm (1979) as in every textbook.
        let found = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (found, expected) in found.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((found - expected).abs() < 1e-12, "{found}");
        }
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
        assert!(holm(&[]).is_empty());
    }

    #[test]
    fn the_paired_test_is_students() {
        // Differences 1, 2, 3, 4, 5: t = 3 / (sqrt(2.5) / sqrt(5)), df = 4.
        let found = paired_t(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        assert!((found.t - 4.242_640_687_119_285).abs() < 1e-12);
        assert!((found.p - 0.013_236).abs() < 1e-5, "{}", found.p);
        assert_eq!(found.df, 4);
        assert_eq!(paired_t(&[1.0]), None);
        assert_eq!(paired_t(&[0.0, 0.0]), None);
    }

    #[test]
    fn neighbours_in_the_courses_table_do_not_differ_in_one_run_of_300() {
        let steps = [
            (210, 225, 1.37),
            (225, 240, 1.47),
            (240, 255, 1.61),
            (255, 270, 1.85),
        ];
        for (worse, better, z) in steps {
            let found = unpaired((better, 300), (worse, 300)).unwrap();
            assert!((found.z - z).abs() < 0.005, "{worse}: {}", found.z);
            assert!(found.p > 0.05);
        }
        assert_eq!(unpaired((300, 300), (300, 300)), None);
        assert_eq!(unpaired((0, 0), (1, 2)), None);
    }
}
