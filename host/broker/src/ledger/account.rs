//! One account: what is spent and what is set aside. Pure: numbers in, numbers out.

use serde::{Deserialize, Serialize};

use super::Worth;
use super::rules::Allowance;

/// An account as it stands in the books. Its cap is the policy's, not its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Set aside for calls that are being made.
    pub reserved: Worth,
    /// Spent.
    pub settled: Worth,
    /// Of what was spent, what calls cost beyond what was set aside for them: their
    /// provider did not keep to what it was told.
    #[serde(default)]
    pub beyond: Worth,
    /// What has been said of it.
    #[serde(default)]
    told: [Told; 2],
}

/// Which marks were passed under which cap. A new cap is told of anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    cap: u64,
    percent: u64,
}

/// Which of the two an account counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Funds {
    /// Micro-dollars.
    Usd,
    /// Tokens.
    Tokens,
}

impl Funds {
    /// Both.
    pub const ALL: [Funds; 2] = [Funds::Usd, Funds::Tokens];

    /// Its part of something.
    pub fn of(self, worth: Worth) -> u64 {
        match self {
            Funds::Usd => worth.micros,
            Funds::Tokens => worth.tokens,
        }
    }

    /// Its part of a cap.
    pub fn cap(self, cap: Allowance) -> Option<u64> {
        match self {
            Funds::Usd => cap.micros,
            Funds::Tokens => cap.tokens,
        }
    }
}

impl Account {
    /// What is spent or set aside.
    pub fn taken(&self) -> Worth {
        self.settled.saturating_add(self.reserved)
    }

    /// Micro-dollars that are left of a cap.
    pub fn left(&self, cap: u64) -> u64 {
        cap.saturating_sub(self.taken().micros)
    }

    /// Sets something aside, or says which part there is not enough of. Sums that no
    /// number holds are beyond every cap.
    pub fn reserve(&mut self, most: Worth, cap: Allowance) -> Result<(), Funds> {
        for funds in Funds::ALL {
            let Some(cap) = funds.cap(cap) else { continue };
            let parts = [funds.of(self.settled), funds.of(self.reserved)];
            let all = parts.into_iter().try_fold(funds.of(most), u64::checked_add);
            if all.is_none_or(|all| all > cap) {
                return Err(funds);
            }
        }
        // A part without a cap is counted as well, as far as a number goes.
        self.reserved = self.reserved.saturating_add(most);
        Ok(())
    }

    /// What was set aside is not any more; this was spent instead.
    pub fn settle(&mut self, held: Worth, cost: Worth) {
        self.reserved = self.reserved.saturating_sub(held);
        self.settled = self.settled.saturating_add(cost);
        self.beyond = self.beyond.saturating_add(cost.saturating_sub(held));
    }

    /// The highest of these marks, in per cent, that what is spent has passed and
    /// nobody was told of.
    pub fn passed(&mut self, cap: Allowance, marks: &[u64]) -> Vec<(Funds, u64, u64)> {
        let mut passed = Vec::new();
        for (funds, told) in Funds::ALL.into_iter().zip(&mut self.told) {
            let Some(cap) = funds.cap(cap).filter(|cap| *cap > 0) else {
                continue;
            };
            if told.cap != cap {
                *told = Told { cap, percent: 0 };
            }
            let spent = u128::from(funds.of(self.settled));
            let reached =
                |mark: &&u64| spent.saturating_mul(100) >= u128::from(cap) * u128::from(**mark);
            let highest = marks.iter().filter(reached).max().copied().unwrap_or(0);
            if highest > told.percent {
                told.percent = highest;
                passed.push((funds, cap, highest));
            }
        }
        passed
    }
}
