//! The tasks about card payments: who has to look at one, what a specialist
//! finds, and what becomes of it. By the rules that the examples publish.

use serde_json::{Map, Value, json};

use crate::invoice::{cents, field, text};

/// A task, by the title of its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// `fraud-plan`.
    Plan,
    /// `transaction-analysis`, `merchant-analysis`, `geography-analysis`.
    Analyse(Fraud),
    /// `fraud-judgement`.
    Judge,
}

/// A fraud, in the order in which they count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fraud {
    StolenCard,
    AccountTakeover,
    Synthetic,
}

use Fraud::{AccountTakeover, StolenCard, Synthetic};

const FRAUDS: [Fraud; 3] = [StolenCard, AccountTakeover, Synthetic];

/// A condition of a fraud: its name as a risk factor, whether it is met, and
/// whether it is met once its number is eased by a tenth.
type Condition = (&'static str, bool, bool);

/// How far a fraud is from holding.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Distance {
    Holds,
    Nearly,
    Far,
}

impl Task {
    /// The task with this title.
    pub(crate) fn titled(title: &str) -> Option<Task> {
        Some(match title {
            "fraud-plan" => Task::Plan,
            "transaction-analysis" => Task::Analyse(StolenCard),
            "merchant-analysis" => Task::Analyse(Synthetic),
            "geography-analysis" => Task::Analyse(AccountTakeover),
            "fraud-judgement" => Task::Judge,
            _ => return None,
        })
    }
}

/// The filled form. The error names a field that is not there, or not as it
/// should be.
pub(crate) fn solve(task: Task, payment: &Map<String, Value>) -> Result<Value, &'static str> {
    match task {
        Task::Plan => plan(payment),
        Task::Analyse(fraud) => analysis(fraud, payment),
        Task::Judge => judgement(payment),
    }
}

fn plan(payment: &Map<String, Value>) -> Result<Value, &'static str> {
    let young = count(payment, "account_age_days")? < 90;
    let abroad = word(payment, "merchant_country")? != word(payment, "home_country")?;
    let named = [
        ("transaction-analyst", true),
        ("merchant-analyst", young),
        ("geography-analyst", abroad),
    ];
    let specialists: Vec<_> = named
        .into_iter()
        .filter_map(|(name, applies)| applies.then_some(name))
        .collect();
    Ok(json!({ "specialists": specialists }))
}

fn analysis(fraud: Fraud, payment: &Map<String, Value>) -> Result<Value, &'static str> {
    let conditions = conditions(fraud, payment)?;
    let (score, confidence) = match distance(&conditions) {
        Distance::Holds => (0.9, 0.95),
        Distance::Nearly => (0.5, 0.6),
        Distance::Far => (0.1, 0.95),
    };
    let met = conditions.into_iter().filter(|(_, met, _)| *met);
    let factors: Vec<_> = met.map(|(name, ..)| name).collect();
    Ok(json!({ "risk_factors": factors, "fraud_score": score, "confidence": confidence }))
}

fn judgement(payment: &Map<String, Value>) -> Result<Value, &'static str> {
    let mut nearly = None;
    let mut holds = None;
    for fraud in FRAUDS {
        match distance(&conditions(fraud, payment)?) {
            Distance::Holds => holds = holds.or(Some(fraud)),
            Distance::Nearly => nearly = nearly.or(Some(fraud)),
            Distance::Far => {}
        }
    }
    let (reason, action, confidence) = match (holds, nearly) {
        (Some(fraud), _) => (
            format!("all conditions of {} are met", name(fraud)),
            "block",
            0.95,
        ),
        (None, Some(fraud)) => (
            format!("{} misses a threshold by no more than a tenth", name(fraud)),
            "review",
            0.6,
        ),
        (None, None) => (
            "each fraud misses a condition clearly".to_owned(),
            "approve",
            0.95,
        ),
    };
    Ok(json!({
        "reason": reason,
        "fraud_label": holds.is_some(),
        "fraud_type": holds.map(name),
        "expected_action": action,
        "confidence": confidence,
    }))
}

fn distance(conditions: &[Condition]) -> Distance {
    if conditions.iter().all(|(_, met, _)| *met) {
        Distance::Holds
    } else if conditions.iter().all(|(_, _, eased)| *eased) {
        Distance::Nearly
    } else {
        Distance::Far
    }
}

fn conditions(fraud: Fraud, payment: &Map<String, Value>) -> Result<Vec<Condition>, &'static str> {
    let above = |name, value: i64, threshold: i64| {
        let eased = i128::from(value) * 10 >= i128::from(threshold) * 9;
        (name, value >= threshold, eased)
    };
    let sign = |name, met| (name, met, met);
    let times = |name, times: i64| {
        let average =
            money(user(payment, "avg_transaction_amount")).ok_or("avg_transaction_amount")?;
        Ok(above(name, amount(payment)?, average.saturating_mul(times)))
    };
    Ok(match fraud {
        StolenCard => vec![
            above(
                "many_transactions",
                count(payment, "transaction_count_24h")?,
                12,
            ),
            times("far_above_average", 5)?,
        ],
        AccountTakeover => vec![
            above(
                "established_account",
                count(payment, "account_age_days")?,
                365,
            ),
            times("extreme_amount", 20)?,
            sign(
                "night",
                hour(word(payment, "timestamp")?).ok_or("timestamp")? < 6,
            ),
            sign(
                "foreign_country",
                word(payment, "merchant_country")? != word(payment, "home_country")?,
            ),
        ],
        Synthetic => {
            let age = count(payment, "account_age_days")?;
            let category = word(payment, "merchant_category")?;
            vec![
                ("new_account", age < 60, age < 66),
                above("large_amount", amount(payment)?, 500_000),
                sign(
                    "resold_goods",
                    ["electronics", "gift_cards", "jewellery"].contains(&category),
                ),
            ]
        }
    })
}

fn name(fraud: Fraud) -> &'static str {
    match fraud {
        StolenCard => "stolen_card",
        AccountTakeover => "account_takeover",
        Synthetic => "synthetic_fraud",
    }
}

/// The hour of an RFC 3339 timestamp in UTC.
pub(crate) fn hour(timestamp: &str) -> Option<u32> {
    let (_, time) = timestamp.split_once('T')?;
    let (hour, _) = time.strip_suffix('Z')?.split_once(':')?;
    hour.parse().ok()
}

fn amount(payment: &Map<String, Value>) -> Result<i64, &'static str> {
    money(field(payment, "amount")).ok_or("amount")
}

fn money(value: Option<&Value>) -> Option<i64> {
    value.and_then(cents)
}

fn word<'a>(payment: &'a Map<String, Value>, name: &'static str) -> Result<&'a str, &'static str> {
    text(payment, name).ok_or(name)
}

fn count(payment: &Map<String, Value>, name: &'static str) -> Result<i64, &'static str> {
    user(payment, name).and_then(Value::as_i64).ok_or(name)
}

fn user<'a>(payment: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    field(payment, "user_behavior")?.get(name)
}

#[cfg(test)]
mod tests;
