//! Which reconciliations a set has: how many hold each challenge, and how long
//! they are.

use super::super::Difficulty;
use super::Challenge;

use Challenge::{
    DateShift, Decoy, Duplicate, Namesake, None as Nothing, Outside, Rounding, Unbooked, Unpaid,
};
use Difficulty::{Easy, Hard, Medium};

/// A kind of set.
pub(crate) struct Shape {
    /// Begins the names of its streams of draws.
    pub(super) prefix: &'static str,
    /// How many reconciliations hold which challenge, and how long they are:
    /// none where that is drawn as well.
    pub(super) cases: &'static [(usize, Challenge, Option<Difficulty>)],
}

impl Difficulty {
    /// The fewest and the most transactions of the bank in a reconciliation.
    pub(super) fn transactions(self) -> (usize, usize) {
        match self {
            Easy => (1, 3),
            Medium => (3, 6),
            Hard => (5, 10),
        }
    }
}

/// Forty: 14 match perfectly, 14 need logic, 12 a person.
pub(crate) const EXAMPLE: Shape = Shape {
    prefix: "",
    cases: &[
        (8, Nothing, None),
        (6, Namesake, None),
        (5, DateShift, None),
        (5, Rounding, None),
        (4, Duplicate, None),
        (3, Unbooked, None),
        (3, Unpaid, None),
        (3, Decoy, None),
        (3, Outside, None),
    ],
};

/// One hundred, for comparing patterns: 54 match perfectly, 31 need logic, 15 a
/// person; 30 are short, 35 middling, 35 long.
pub(crate) const BENCHMARK: Shape = Shape {
    prefix: "bench ",
    cases: &[
        (10, Nothing, Some(Easy)),
        (9, Nothing, Some(Medium)),
        (9, Nothing, Some(Hard)),
        (8, Namesake, Some(Easy)),
        (9, Namesake, Some(Medium)),
        (9, Namesake, Some(Hard)),
        (3, DateShift, Some(Easy)),
        (5, DateShift, Some(Medium)),
        (4, DateShift, Some(Hard)),
        (3, Rounding, Some(Easy)),
        (3, Rounding, Some(Medium)),
        (4, Rounding, Some(Hard)),
        (2, Duplicate, Some(Easy)),
        (3, Duplicate, Some(Medium)),
        (4, Duplicate, Some(Hard)),
        (1, Unbooked, Some(Easy)),
        (2, Unbooked, Some(Medium)),
        (1, Unbooked, Some(Hard)),
        (1, Unpaid, Some(Easy)),
        (1, Unpaid, Some(Medium)),
        (2, Unpaid, Some(Hard)),
        (1, Decoy, Some(Easy)),
        (2, Decoy, Some(Medium)),
        (1, Decoy, Some(Hard)),
        (1, Outside, Some(Easy)),
        (1, Outside, Some(Medium)),
        (1, Outside, Some(Hard)),
    ],
};
