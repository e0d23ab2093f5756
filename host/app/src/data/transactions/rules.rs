//! What makes a payment a fraud, condition by condition. In whole cents, so that
//! a threshold is exact.

use super::merchants::sells_what_is_resold;
use super::{Fraud, Transaction};

/// Whether numbers are taken as they are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ease {
    /// They are.
    None,
    /// Each may miss its threshold by a tenth of it.
    Tenth,
}

/// Whether all conditions of a fraud are met.
pub(super) fn holds(fraud: Fraud, it: &Transaction, ease: Ease) -> bool {
    conditions(fraud, it, ease).into_iter().all(|met| met)
}

/// Which conditions of a fraud are met, in the order in which they are published.
pub(super) fn conditions(fraud: Fraud, it: &Transaction, ease: Ease) -> Vec<bool> {
    let behavior = &it.user_behavior;
    let (amount, age) = (it.amount.0, behavior.account_age_days);
    let average = behavior.avg_transaction_amount.0;
    let at_least = |value: u64, threshold: u64| match ease {
        Ease::None => value >= threshold,
        Ease::Tenth => value * 10 >= threshold * 9,
    };
    let below = |value: u64, threshold: u64| match ease {
        Ease::None => value < threshold,
        Ease::Tenth => value * 10 < threshold * 11,
    };
    match fraud {
        Fraud::StolenCard => vec![
            at_least(behavior.transaction_count_24h, 12),
            at_least(amount, 5 * average),
        ],
        Fraud::AccountTakeover => vec![
            at_least(age, 365),
            at_least(amount, 20 * average),
            it.second < 6 * 3_600,
            it.merchant_country != it.home_country,
        ],
        Fraud::Synthetic => vec![
            below(age, 60),
            at_least(amount, 500_000),
            sells_what_is_resold(it.merchant_category),
        ],
    }
}
