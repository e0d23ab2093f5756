//! What can be known of a vote without holding it.

use super::tally::Strategy;
use super::{Undecided, Voting, Weights};

/// The most voters.
pub const MOST: usize = 64;

/// Something wrong with a vote.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// Nobody to outvote, or too many.
    #[error("a vote needs 2 to {MOST} voters; there are {0}")]
    Voters(usize),
    /// A step's name is not unique.
    #[error("two steps are called `{0}`")]
    Twice(String),
    /// Out of range.
    #[error("`k` must be between 1 and the number of voters, which is {0}")]
    K(usize),
    /// Not a JSON pointer.
    #[error("`{0}` is not a JSON pointer")]
    Pointer(String),
    /// Nobody of that name votes.
    #[error("no voter is called `{0}`")]
    Voter(String),
    /// Not a weight.
    #[error("the weight of `{0}` is not a number above 0")]
    Weight(String),
    /// Not a distance.
    #[error("`z` is not a number above 0")]
    Z,
    /// What is decided could change until the last vote.
    #[error("`adaptive` cannot be with {0}: what is decided may change with each vote")]
    Adaptive(&'static str),
}

/// All that is wrong with it.
pub fn check(voting: &Voting) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    let voters = voting.voters.len();
    if !(2..=MOST).contains(&voters) {
        wrong.push(Wrong::Voters(voters));
    }
    let mut seen: Vec<&str> = Vec::new();
    let extra = |then: &'_ Undecided| match then {
        Undecided::Extra(step) => Some(step.id.clone()),
        _ => None,
    };
    let (tie, few) = (extra(&voting.on_tie), extra(&voting.on_no_quorum));
    // The same extra voter may serve both: it is asked once.
    let few = few.filter(|_| voting.on_tie != voting.on_no_quorum);
    let ids = voting.voters.iter().map(|step| &step.id);
    let more = voting.aggregate.iter().map(|step| &step.id);
    for id in ids.chain(more).chain(&tie).chain(&few) {
        match seen.contains(&id.as_str()) {
            true => wrong.push(Wrong::Twice(id.clone())),
            false => seen.push(id),
        }
    }
    if let Strategy::Quorum(k) = voting.strategy
        && !(1..=voters).contains(&k)
    {
        wrong.push(Wrong::K(voters));
    }
    let field = voting.field.iter();
    let pointers = field.chain(voting.outliers.as_ref().map(|it| &it.field));
    for pointer in pointers.filter(|it| !it.starts_with('/')) {
        wrong.push(Wrong::Pointer(pointer.clone()));
    }
    if let Weights::Voters(weights) = &voting.weights {
        for (name, weight) in weights {
            if !voting.voters.iter().any(|step| step.id == *name) {
                wrong.push(Wrong::Voter(name.clone()));
            }
            if !(weight.is_finite() && *weight > 0.0) {
                wrong.push(Wrong::Weight(name.clone()));
            }
        }
    }
    if voting
        .outliers
        .as_ref()
        .is_some_and(|it| !(it.z.is_finite() && it.z > 0.0))
    {
        wrong.push(Wrong::Z);
    }
    if voting.adaptive {
        let what = match voting.strategy {
            Strategy::Ranked => Some("`ranked`"),
            Strategy::Mean { .. } => Some("`mean`"),
            _ if voting.outliers.is_some() => Some("`outliers`"),
            _ if voting.aggregate.is_some() => Some("`aggregate`"),
            _ => None,
        };
        wrong.extend(what.map(Wrong::Adaptive));
    }
    wrong
}
