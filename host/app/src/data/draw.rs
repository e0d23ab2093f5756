//! Draws that repeat: a counter-based generator that is part of the data format.
//!
//! The generator is SplitMix64 (Steele, Lea and Flood, "Fast splittable
//! pseudorandom number generators", OOPSLA 2014): draw number `n` of a stream is
//! `mix(key + n * 0x9e3779b97f4a7c15)`. The key is the seed mixed with the FNV-1a
//! hash of the stream's name, so a new stream never moves the draws of another.
//! Written out here, and not taken from a crate, because a crate may change its
//! algorithm and these files may not. Only integer arithmetic and `+ - * /` on
//! `f64` are used: those give the same bits everywhere, `f64::exp` does not.
//! Never for keys or tokens.

/// What SplitMix64 adds for each draw: 2^64 divided by the golden ratio, odd.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// One stream of draws.
pub(crate) struct Draw {
    state: u64,
}

impl Draw {
    /// The stream of this name under this seed.
    pub(crate) fn new(seed: u64, stream: &str) -> Draw {
        let name = stream
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        Draw {
            state: mix(seed.wrapping_add(STEP)) ^ name,
        }
    }

    /// 64 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(STEP);
        mix(self.state)
    }

    /// A whole number below `end`, and 0 when `end` is 0. The high half of a
    /// 128-bit product; for the small ranges used here its bias is below 2^-50.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let product = u128::from(self.bits()) * (end as u128);
        (product >> 64) as usize
    }

    /// A number from 0 up to but not including 1, in steps of 2^-53.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A nearly normal number of mean 0 and deviation 1: the sum of twelve
    /// uniform ones less six (Irwin-Hall), so never beyond 6.
    pub(crate) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    /// One of these, or nothing of nothing.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len()))
    }

    /// The numbers below `end` in a random order (Fisher and Yates).
    pub(crate) fn shuffled(&mut self, end: usize) -> Vec<usize> {
        let mut numbers: Vec<usize> = (0..end).collect();
        for last in (1..end).rev() {
            numbers.swap(last, self.below(last + 1));
        }
        numbers
    }
}

fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// The exponential of `x`, from multiplications and additions alone: `e^(x/1024)`
/// by its series, squared ten times. Good to 12 digits for |x| up to 20.
pub(crate) fn exp(x: f64) -> f64 {
    let small = x / 1024.0;
    let series = (1..=8)
        .rev()
        .fold(1.0, |sum, n| 1.0 + sum * small / f64::from(n));
    (0..10).fold(series, |power, _| power * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_draws_are_those_of_the_published_generator() {
        let mut draw = Draw { state: 0 };
        let first = [draw.bits(), draw.bits(), draw.bits()];
        assert_eq!(
            first,
            [
                0xe220_a839_7b1d_cdaf,
                0x6e78_9e6a_a1b9_65f4,
                0x06c4_5d18_8009_454f
            ]
        );
    }

    #[test]
    fn a_stream_depends_on_its_seed_and_its_name() {
        let first = |seed, name| Draw::new(seed, name).bits();
        assert_eq!(first(1, "a"), first(1, "a"));
        assert_ne!(first(1, "a"), first(1, "b"));
        assert_ne!(first(1, "a"), first(2, "a"));
    }

    #[test]
    fn the_exponential_is_that_of_the_standard_library() {
        for x in [-12.0, -1.5, 0.0, 0.001, 1.0, 6.5, 12.0] {
            assert!((exp(x) / f64::exp(x) - 1.0).abs() < 1e-12, "{x}");
        }
    }

    #[test]
    fn every_number_below_the_end_is_drawn_and_none_beyond() {
        let mut draw = Draw::new(7, "below");
        let mut seen = [0_u32; 10];
        for _ in 0..10_000 {
            seen[draw.below(10)] += 1;
        }
        assert!(
            seen.iter().all(|count| (850..1150).contains(count)),
            "{seen:?}"
        );
        assert_eq!(draw.below(0), 0);
        let mut order = draw.shuffled(100);
        assert_ne!(order, (0..100).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn the_normal_draws_have_mean_0_and_deviation_1() {
        let mut draw = Draw::new(7, "normal");
        let draws: Vec<f64> = (0..20_000).map(|_| draw.normal()).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        assert!(mean.abs() < 0.03, "{mean}");
        assert!((variance - 1.0).abs() < 0.05, "{variance}");
    }
}
