//! Draws that repeat: a counter-based generator that is part of every interval.
//!
//! SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
//! generators", OOPSLA 2014): draw number `n` of a stream is
//! `mix(key + n * 0x9e3779b97f4a7c15)`, where the key is the seed mixed with the
//! FNV-1a hash of the stream's name. Written out, and not taken from a crate,
//! because a crate may change its algorithm and published intervals may not.
//! Never for keys or tokens.

/// What is added for each draw: 2^64 divided by the golden ratio, odd.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// One stream of draws.
#[derive(Clone, Debug)]
pub struct Draw {
    state: u64,
}

impl Draw {
    /// The stream of this name under this seed.
    pub fn new(seed: u64, stream: &str) -> Draw {
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
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(STEP);
        mix(self.state)
    }

    /// A whole number below `end`, and 0 when `end` is 0. The high half of a
    /// 128-bit product; for the counts used here its bias is below 2^-40.
    pub fn below(&mut self, end: usize) -> usize {
        let product = u128::from(self.bits()) * (end as u128);
        (product >> 64) as usize
    }
}

fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_draws_are_those_of_the_published_generator() {
        let mut draw = Draw { state: 0 };
        assert_eq!(draw.bits(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(draw.bits(), 0x6e78_9e6a_a1b9_65f4);
        assert_eq!(draw.bits(), 0x06c4_5d18_8009_454f);
    }

    #[test]
    fn every_number_below_the_end_is_drawn_about_as_often() {
        let mut draw = Draw::new(7, "below");
        let mut seen = [0_u32; 10];
        for _ in 0..10_000 {
            seen[draw.below(10)] += 1;
        }
        assert!(seen.iter().all(|n| (850..1150).contains(n)), "{seen:?}");
        assert_eq!(draw.below(0), 0);
        assert_ne!(Draw::new(7, "a").bits(), Draw::new(7, "b").bits());
        assert_ne!(Draw::new(7, "a").bits(), Draw::new(8, "a").bits());
    }
}
