//! A card payment, by the rules that the examples publish.

use serde_json::{Map, Value, json};

use super::{Answers, Case, Form, Solved, Step, flag, given, text, whole};
use crate::fraud::hour;
use crate::invoice::cents;

pub(super) const CASE: Case = Case {
    name: "transaction",
    stage,
    plan,
    aspect,
};

const RESOLD: [&str; 3] = ["electronics", "gift_cards", "jewellery"];

/// The frauds, in the order in which they count, with their conditions.
const FRAUDS: [(&str, &[&str]); 3] = [
    ("stolen_card", &["many_transactions", "five_averages"]),
    (
        "account_takeover",
        &["established_account", "twenty_averages", "night", "abroad"],
    ),
    (
        "synthetic_fraud",
        &["new_account", "large_amount", "resold_goods"],
    ),
];

fn stage(stage: usize, from: &Form, _: &Answers) -> Solved<Step> {
    Ok(Step::Done(match stage {
        0 => ingest(from)?,
        1 => normalise(from)?,
        2 => extract(from)?,
        3 => enrich(from)?,
        4 => check(from)?,
        5 => decide(from)?,
        _ => record(from)?,
    }))
}

fn ingest(payment: &Form) -> Solved<Value> {
    let of = |names: &[&'static str], from: &Form, to: &mut Form| {
        for name in names {
            to.insert((*name).to_owned(), from.get(*name).ok_or(*name)?.clone());
        }
        Solved::Ok(())
    };
    let mut fields = Map::new();
    let own = [
        "transaction_id",
        "amount",
        "timestamp",
        "home_country",
        "merchant_country",
        "merchant_category",
    ];
    of(&own, payment, &mut fields)?;
    let user = payment.get("user_behavior").and_then(Value::as_object);
    let usual = [
        "avg_transaction_amount",
        "transaction_count_24h",
        "account_age_days",
    ];
    of(&usual, user.ok_or("user_behavior")?, &mut fields)?;
    Ok(Value::Object(fields))
}

fn normalise(payment: &Form) -> Solved<Value> {
    let money = |name| payment.get(name).and_then(cents).ok_or(name);
    Ok(json!({
        "transaction_id": text(payment, "transaction_id")?,
        "amount_cents": money("amount")?,
        "average_cents": money("avg_transaction_amount")?,
        "transaction_count_24h": whole(payment, "transaction_count_24h")?,
        "account_age_days": whole(payment, "account_age_days")?,
        // A time that is none is read as noon: a stage has to answer something.
        "hour_utc": hour(text(payment, "timestamp")?).unwrap_or(12),
        "abroad": text(payment, "merchant_country")? != text(payment, "home_country")?,
        "category": text(payment, "merchant_category")?,
    }))
}

/// How many averages the amount is, in hundredths, cut.
fn hundredths(normalised: &Form) -> Solved<i64> {
    let (amount, average) = (
        whole(normalised, "amount_cents")?,
        whole(normalised, "average_cents")?,
    );
    // An average of nothing is exceeded by everything.
    Ok(amount
        .saturating_mul(100)
        .checked_div_euclid(average)
        .unwrap_or(i64::from(u32::MAX)))
}

fn extract(normalised: &Form) -> Solved<Value> {
    Ok(json!({
        "transaction_id": text(normalised, "transaction_id")?,
        "transaction_count_24h": whole(normalised, "transaction_count_24h")?,
        "amount_in_averages": hundredths(normalised)? as f64 / 100.0,
        "amount_cents": whole(normalised, "amount_cents")?,
        "account_age_days": whole(normalised, "account_age_days")?,
        "night": whole(normalised, "hour_utc")? < 6,
        "abroad": flag(normalised, "abroad")?,
        "resold_goods": RESOLD.contains(&text(normalised, "category")?),
    }))
}

/// At least so much; near from nine tenths of it.
fn above(value: i64, threshold: i64) -> &'static str {
    match () {
        () if value >= threshold => "met",
        () if i128::from(value) * 10 >= i128::from(threshold) * 9 => "near",
        () => "missed",
    }
}

fn sign(holds: bool) -> &'static str {
    if holds { "met" } else { "missed" }
}

fn young(age: i64) -> &'static str {
    match age {
        ..60 => "met",
        60..66 => "near",
        _ => "missed",
    }
}

fn enrich(extract: &Form) -> Solved<Value> {
    let averages = extract.get("amount_in_averages").and_then(cents);
    let averages = averages.ok_or("amount_in_averages")?;
    let age = whole(extract, "account_age_days")?;
    Ok(json!({
        "transaction_id": text(extract, "transaction_id")?,
        "conditions": {
            "many_transactions": above(whole(extract, "transaction_count_24h")?, 12),
            "five_averages": above(averages, 500),
            "twenty_averages": above(averages, 2_000),
            "established_account": above(age, 365),
            "new_account": young(age),
            "large_amount": above(whole(extract, "amount_cents")?, 500_000),
            "night": sign(flag(extract, "night")?),
            "abroad": sign(flag(extract, "abroad")?),
            "resold_goods": sign(flag(extract, "resold_goods")?),
        },
    }))
}

/// How far a fraud with these marks is from holding.
fn distance<'a>(marks: impl Iterator<Item = &'a str> + Clone) -> &'static str {
    match () {
        () if marks.clone().all(|mark| mark == "met") => "holds",
        () if marks.clone().any(|mark| mark == "missed") => "far",
        () => "near",
    }
}

fn check(enriched: &Form) -> Solved<Value> {
    let marks = enriched
        .get("conditions")
        .and_then(Value::as_object)
        .ok_or("conditions")?;
    let mut frauds = Map::new();
    for (fraud, conditions) in FRAUDS {
        let marks: Vec<&str> = conditions
            .iter()
            .map(|name| text(marks, name))
            .collect::<Result<_, _>>()?;
        frauds.insert(fraud.to_owned(), distance(marks.into_iter()).into());
    }
    Ok(json!({ "frauds": frauds }))
}

fn decide(checked: &Form) -> Solved<Value> {
    let frauds = checked
        .get("frauds")
        .and_then(Value::as_object)
        .ok_or("frauds")?;
    let first = |word: &str| {
        let is = |name: &&str| frauds.get(*name).and_then(Value::as_str) == Some(word);
        FRAUDS.iter().map(|(name, _)| *name).find(is)
    };
    let (holds, near) = (first("holds"), first("near"));
    let (action, reason) = match (holds, near) {
        (Some(fraud), _) => ("block", format!("{fraud} holds")),
        (None, Some(fraud)) => ("review", format!("{fraud} is near")),
        (None, None) => ("approve", "every fraud is far".to_owned()),
    };
    Ok(json!({
        "reason": reason,
        "fraud_label": holds.is_some(),
        "fraud_type": holds,
        "expected_action": action,
    }))
}

fn record(decided: &Form) -> Solved<Value> {
    let field = |name: &'static str| decided.get(name).ok_or(name);
    Ok(json!({
        "fraud_label": field("fraud_label")?,
        "fraud_type": field("fraud_type")?,
        "expected_action": field("expected_action")?,
    }))
}

/// What each specialist needs.
const GIVEN: [(&str, &[&str]); 3] = [
    (
        "stolen_card",
        &["amount_cents", "average_cents", "transaction_count_24h"],
    ),
    (
        "account_takeover",
        &[
            "amount_cents",
            "average_cents",
            "account_age_days",
            "hour_utc",
            "abroad",
        ],
    ),
    (
        "synthetic_fraud",
        &["amount_cents", "account_age_days", "category"],
    ),
];

fn plan(normalised: &Form) -> Solved<Value> {
    given(normalised, &GIVEN)
}

fn aspect(name: &str, given: &Form, _: &Answers) -> Option<Solved<Step>> {
    let marks = match name {
        "stolen_card" => stolen_card(given),
        "account_takeover" => account_takeover(given),
        "synthetic_fraud" => synthetic_fraud(given),
        _ => return None,
    };
    Some(marks.map(|marks| {
        let state = distance(marks.into_iter());
        Step::Done(json!({ "frauds": { name: state } }))
    }))
}

type Marks = Solved<Vec<&'static str>>;

fn stolen_card(given: &Form) -> Marks {
    let count = whole(given, "transaction_count_24h")?;
    Ok(vec![above(count, 12), above(hundredths(given)?, 500)])
}

fn account_takeover(given: &Form) -> Marks {
    Ok(vec![
        above(whole(given, "account_age_days")?, 365),
        above(hundredths(given)?, 2_000),
        sign(whole(given, "hour_utc")? < 6),
        sign(flag(given, "abroad")?),
    ])
}

fn synthetic_fraud(given: &Form) -> Marks {
    Ok(vec![
        young(whole(given, "account_age_days")?),
        above(whole(given, "amount_cents")?, 500_000),
        sign(RESOLD.contains(&text(given, "category")?)),
    ])
}
