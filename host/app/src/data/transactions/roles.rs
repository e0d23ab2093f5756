//! Which payments a set has: how many of each role, and what is pinned in them.

use super::merchants::{self, Merchant};
use super::{Case, Fraud};

use Fraud::{AccountTakeover, StolenCard, Synthetic};

/// A kind of set.
pub(crate) struct Shape {
    /// Names its streams of draws.
    pub(super) name: &'static str,
    /// Least and largest amount, in cents.
    pub(super) amounts: (u64, u64),
    /// The natural logarithm of the largest amount divided by the least.
    pub(super) spread: f64,
    /// Least and largest average of a user, in cents.
    pub(super) averages: (u64, u64),
    pub(super) merchants: &'static [Merchant],
    /// Whether a near payment may miss a single threshold only.
    pub(super) narrowly: bool,
    /// How many payments there are of each role.
    pub(super) roles: &'static [(usize, Role)],
}

/// What a payment is there for.
#[derive(Clone, Copy)]
pub(super) struct Role {
    pub(super) case: Case,
    /// The fraud it is, nearly is, or is mistaken for.
    pub(super) aim: Option<Fraud>,
    pub(super) pin: Pin,
}

/// A value that is not drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pin {
    Nothing,
    /// `transaction_count_24h`.
    Count(u64),
    /// `account_age_days`.
    Age(u64),
    /// In cents.
    Amount(u64),
    /// The amount in tenths of the average, exactly.
    Tenths(u64),
    /// The second of the day.
    Second(usize),
    /// Paid in the user's own country.
    AtHome,
    /// Bought where nothing is resold.
    NotResold,
    /// All conditions of an account takeover hold as well.
    TakeoverToo,
}

const fn fraud(aim: Fraud, pin: Pin) -> Role {
    let (case, aim) = (Case::Fraud, Some(aim));
    Role { case, aim, pin }
}

const fn near(aim: Fraud, pin: Pin) -> Role {
    let (case, aim) = (Case::Near, Some(aim));
    Role { case, aim, pin }
}

const fn decoy(aim: Fraud, pin: Pin) -> Role {
    let (case, aim) = (Case::Decoy, Some(aim));
    Role { case, aim, pin }
}

const ORDINARY: Role = Role {
    case: Case::Ordinary,
    aim: None,
    pin: Pin::Nothing,
};

/// Units in cents.
const fn whole(units: u64) -> u64 {
    units * 100
}

/// The last second that is night, and the first that is not.
const NIGHT: (usize, usize) = (6 * 3_600 - 1, 6 * 3_600);

/// Sixty payments of up to ten thousand: 18 frauds, 12 near ones, 15 decoys.
pub(crate) const EVERYDAY: Shape = Shape {
    name: "transactions",
    amounts: (whole(20), whole(10_000)),
    spread: 6.214_608_098_422_191,
    averages: (whole(10), whole(500)),
    merchants: &merchants::EVERYDAY,
    narrowly: false,
    roles: &[
        (4, fraud(StolenCard, Pin::Nothing)),
        (1, fraud(StolenCard, Pin::Count(12))),
        (1, fraud(StolenCard, Pin::Tenths(50))),
        (2, fraud(StolenCard, Pin::TakeoverToo)),
        (2, fraud(AccountTakeover, Pin::Nothing)),
        (1, fraud(AccountTakeover, Pin::Age(365))),
        (1, fraud(AccountTakeover, Pin::Tenths(200))),
        (1, fraud(AccountTakeover, Pin::Second(NIGHT.0))),
        (3, fraud(Synthetic, Pin::Nothing)),
        (1, fraud(Synthetic, Pin::Age(59))),
        (1, fraud(Synthetic, Pin::Amount(whole(5_000)))),
        (2, near(StolenCard, Pin::Count(11))),
        (1, near(StolenCard, Pin::Tenths(45))),
        (1, near(StolenCard, Pin::Tenths(49))),
        (1, near(AccountTakeover, Pin::Age(329))),
        (1, near(AccountTakeover, Pin::Age(364))),
        (1, near(AccountTakeover, Pin::Tenths(180))),
        (1, near(AccountTakeover, Pin::Tenths(199))),
        (1, near(Synthetic, Pin::Age(60))),
        (1, near(Synthetic, Pin::Age(65))),
        (1, near(Synthetic, Pin::Amount(whole(4_500)))),
        (1, near(Synthetic, Pin::Amount(whole(5_000) - 1))),
        (1, decoy(StolenCard, Pin::Count(10))),
        (1, decoy(StolenCard, Pin::Count(3))),
        (1, decoy(StolenCard, Pin::Tenths(44))),
        (1, decoy(StolenCard, Pin::Tenths(15))),
        (1, decoy(AccountTakeover, Pin::Age(328))),
        (1, decoy(AccountTakeover, Pin::Age(200))),
        (1, decoy(AccountTakeover, Pin::Tenths(170))),
        (1, decoy(AccountTakeover, Pin::Second(NIGHT.1))),
        (1, decoy(AccountTakeover, Pin::Second(14 * 3_600))),
        (2, decoy(AccountTakeover, Pin::AtHome)),
        (1, decoy(Synthetic, Pin::Age(66))),
        (1, decoy(Synthetic, Pin::Amount(whole(4_500) - 1))),
        (2, decoy(Synthetic, Pin::NotResold)),
        (15, ORDINARY),
    ],
};

/// Forty payments of more than ten thousand: 16 frauds, 8 near ones, 10 decoys.
pub(crate) const HIGH_VALUE: Shape = Shape {
    name: "high-value",
    amounts: (whole(10_000) + 1, whole(90_000)),
    spread: 2.197_223_577_336_72,
    averages: (whole(200), whole(25_000)),
    merchants: &merchants::HIGH_VALUE,
    narrowly: false,
    roles: &[
        (3, fraud(StolenCard, Pin::Nothing)),
        (1, fraud(StolenCard, Pin::Count(12))),
        (1, fraud(StolenCard, Pin::Tenths(50))),
        (1, fraud(StolenCard, Pin::TakeoverToo)),
        (2, fraud(AccountTakeover, Pin::Nothing)),
        (1, fraud(AccountTakeover, Pin::Age(365))),
        (1, fraud(AccountTakeover, Pin::Tenths(200))),
        (1, fraud(AccountTakeover, Pin::Second(NIGHT.0))),
        (4, fraud(Synthetic, Pin::Nothing)),
        (1, fraud(Synthetic, Pin::Age(59))),
        (1, near(StolenCard, Pin::Count(11))),
        (1, near(StolenCard, Pin::Tenths(45))),
        (1, near(StolenCard, Pin::Tenths(48))),
        (1, near(AccountTakeover, Pin::Age(350))),
        (1, near(AccountTakeover, Pin::Tenths(180))),
        (1, near(AccountTakeover, Pin::Tenths(190))),
        (1, near(Synthetic, Pin::Age(60))),
        (1, near(Synthetic, Pin::Age(65))),
        (1, decoy(StolenCard, Pin::Count(10))),
        (1, decoy(StolenCard, Pin::Count(2))),
        (1, decoy(StolenCard, Pin::Tenths(44))),
        (1, decoy(AccountTakeover, Pin::Age(328))),
        (1, decoy(AccountTakeover, Pin::Tenths(175))),
        (1, decoy(AccountTakeover, Pin::Second(NIGHT.1))),
        (1, decoy(AccountTakeover, Pin::AtHome)),
        (1, decoy(Synthetic, Pin::Age(66))),
        (2, decoy(Synthetic, Pin::NotResold)),
        (6, ORDINARY),
    ],
};

/// One hundred payments of up to 25000, for comparing patterns: 10 frauds, 20 near
/// ones, 35 decoys. An average may be as large as an amount, so that neither tells
/// anything by itself.
pub(crate) const BENCHMARK: Shape = Shape {
    name: "bench-transactions",
    amounts: (whole(20), whole(25_000)),
    spread: 7.130_898_830_296_347,
    averages: (whole(10), whole(5_000)),
    merchants: &merchants::EVERYDAY,
    narrowly: true,
    roles: &[
        (1, fraud(StolenCard, Pin::Nothing)),
        (1, fraud(StolenCard, Pin::Count(12))),
        (1, fraud(StolenCard, Pin::Tenths(50))),
        (1, fraud(StolenCard, Pin::TakeoverToo)),
        (1, fraud(AccountTakeover, Pin::Age(365))),
        (1, fraud(AccountTakeover, Pin::Tenths(200))),
        (1, fraud(AccountTakeover, Pin::Second(NIGHT.0))),
        (1, fraud(Synthetic, Pin::Nothing)),
        (1, fraud(Synthetic, Pin::Age(59))),
        (1, fraud(Synthetic, Pin::Amount(whole(5_000)))),
        (3, near(StolenCard, Pin::Count(11))),
        (1, near(StolenCard, Pin::Tenths(45))),
        (1, near(StolenCard, Pin::Tenths(47))),
        (1, near(StolenCard, Pin::Tenths(49))),
        (1, near(AccountTakeover, Pin::Age(329))),
        (1, near(AccountTakeover, Pin::Age(340))),
        (1, near(AccountTakeover, Pin::Age(350))),
        (1, near(AccountTakeover, Pin::Age(364))),
        (1, near(AccountTakeover, Pin::Tenths(180))),
        (1, near(AccountTakeover, Pin::Tenths(185))),
        (1, near(AccountTakeover, Pin::Tenths(192))),
        (1, near(AccountTakeover, Pin::Tenths(199))),
        (1, near(Synthetic, Pin::Age(60))),
        (1, near(Synthetic, Pin::Age(62))),
        (1, near(Synthetic, Pin::Age(65))),
        (1, near(Synthetic, Pin::Amount(whole(4_500)))),
        (1, near(Synthetic, Pin::Amount(whole(4_750)))),
        (1, near(Synthetic, Pin::Amount(whole(5_000) - 1))),
        (3, decoy(StolenCard, Pin::Count(10))),
        (1, decoy(StolenCard, Pin::Count(6))),
        (1, decoy(StolenCard, Pin::Count(3))),
        (2, decoy(StolenCard, Pin::Tenths(44))),
        (1, decoy(StolenCard, Pin::Tenths(40))),
        (1, decoy(StolenCard, Pin::Tenths(30))),
        (2, decoy(StolenCard, Pin::Tenths(15))),
        (2, decoy(AccountTakeover, Pin::Age(328))),
        (1, decoy(AccountTakeover, Pin::Age(200))),
        (1, decoy(AccountTakeover, Pin::Age(100))),
        (2, decoy(AccountTakeover, Pin::Tenths(179))),
        (1, decoy(AccountTakeover, Pin::Tenths(150))),
        (1, decoy(AccountTakeover, Pin::Tenths(120))),
        (2, decoy(AccountTakeover, Pin::Second(NIGHT.1))),
        (1, decoy(AccountTakeover, Pin::Second(10 * 3_600))),
        (1, decoy(AccountTakeover, Pin::Second(14 * 3_600))),
        (3, decoy(AccountTakeover, Pin::AtHome)),
        (2, decoy(Synthetic, Pin::Age(66))),
        (1, decoy(Synthetic, Pin::Age(200))),
        (2, decoy(Synthetic, Pin::Amount(whole(4_500) - 1))),
        (1, decoy(Synthetic, Pin::Amount(whole(2_500)))),
        (3, decoy(Synthetic, Pin::NotResold)),
        (35, ORDINARY),
    ],
};
