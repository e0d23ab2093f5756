//! Random numbers that repeat: the same attempt draws the same.

use std::convert::Infallible;

use hotcell_broker::Caller;
use rand_core::TryRng;

/// SplitMix64 (Steele, Lea, Flood 2014): one addition and three mixes for each
/// number. Its sequence is part of the contract with replays and will not
/// change; it is not for secrets.
#[derive(Clone, Debug)]
pub(crate) struct SplitMix(u64);

impl SplitMix {
    /// Seeded by everything that names the attempt, by FNV-1a over the parts.
    /// The run's own id is left out: the same task in another execution of the
    /// same workflow draws the same numbers.
    pub(crate) fn for_attempt(caller: &Caller) -> SplitMix {
        let attempt = caller.attempt.to_le_bytes();
        let parts = [
            caller.task.as_bytes(),
            caller.step.as_bytes(),
            caller.plugin.as_bytes(),
            &attempt,
        ];
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for part in parts {
            for byte in part.iter().chain(&[0xff]) {
                hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
            }
        }
        SplitMix(hash)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Another sequence from the same seed, which this one does not notice.
    pub(crate) fn fork(&self) -> SplitMix {
        SplitMix(SplitMix(!self.0).next())
    }
}

impl TryRng for SplitMix {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.next() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.next())
    }

    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), Infallible> {
        for chunk in to.chunks_mut(8) {
            for (byte, random) in chunk.iter_mut().zip(self.next().to_le_bytes()) {
                *byte = random;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::SplitMix;

    #[test]
    fn the_sequence_is_the_published_one() {
        // The reference implementation's first three numbers for seed 1234567.
        let mut random = SplitMix(1_234_567);
        let numbers = [random.next(), random.next(), random.next()];
        assert_eq!(
            numbers,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }
}
