use super::*;

/// Both examples: what is to be judged, and the right answers.
const EXAMPLES: [(&str, &str, usize); 2] = [
    (
        include_str!("../../../../examples/02-fraud/transactions.json"),
        include_str!("../../../../examples/02-fraud/gold.json"),
        60,
    ),
    (
        include_str!("../../../../examples/05-high-stakes/transactions.json"),
        include_str!("../../../../examples/05-high-stakes/gold.json"),
        40,
    ),
];

fn payments() -> Vec<(Map<String, Value>, Value)> {
    let mut all = Vec::new();
    for (payments, gold, count) in EXAMPLES {
        let payments: Vec<Map<String, Value>> = serde_json::from_str(payments).unwrap();
        let gold: Value = serde_json::from_str(gold).unwrap();
        assert_eq!(payments.len(), count);
        all.extend(payments.into_iter().map(|payment| {
            let gold = gold[payment["transaction_id"].as_str().unwrap()].clone();
            (payment, gold)
        }));
    }
    all
}

#[test]
fn every_payment_of_the_examples_is_judged_right() {
    for (payment, gold) in payments() {
        let judged = solve(Task::Judge, &payment).unwrap();
        for name in ["fraud_label", "fraud_type", "expected_action"] {
            assert_eq!(judged[name], gold[name], "{name} of {payment:?}");
        }
    }
}

/// The planner leaves out only those who would find nothing.
#[test]
fn the_specialists_that_are_asked_find_what_the_judge_finds() {
    let mut left_out = 0;
    for (payment, gold) in payments() {
        let plan = solve(Task::Plan, &payment).unwrap();
        let planned = plan["specialists"].as_array().unwrap();
        left_out += 3 - planned.len();
        let mut scores = Vec::new();
        for (specialist, fraud) in [
            ("transaction-analyst", StolenCard),
            ("geography-analyst", AccountTakeover),
            ("merchant-analyst", Synthetic),
        ] {
            let found = solve(Task::Analyse(fraud), &payment).unwrap();
            let score = found["fraud_score"].as_f64().unwrap();
            if planned.contains(&json!(specialist)) {
                scores.push((name(fraud), score));
            } else {
                assert!(score < 0.2, "{specialist} of {payment:?}");
            }
        }
        let fraud = scores.iter().find(|(_, score)| *score > 0.8);
        assert_eq!(gold["fraud_type"], json!(fraud.map(|(name, _)| name)));
        let doubt = scores.iter().any(|(_, score)| *score > 0.4);
        assert_eq!(gold["expected_action"] != "approve", doubt, "{payment:?}");
    }
    assert!(left_out > 100, "only {left_out} left out");
}

#[test]
fn a_specialist_lists_the_conditions_that_are_met_and_needs_no_other_fields() {
    let stolen = json!({
        "amount": 50.0,
        "user_behavior": { "transaction_count_24h": 11, "avg_transaction_amount": 10.0 },
    });
    let takeover = json!({
        "amount": 180.0, "timestamp": "2024-01-01T05:59:59Z",
        "merchant_country": "FR", "home_country": "FR",
        "user_behavior": { "account_age_days": 365, "avg_transaction_amount": 10.0 },
    });
    let synthetic = json!({
        "amount": 5000, "merchant_category": "gift_cards",
        "user_behavior": { "account_age_days": 59 },
    });
    for (fraud, payment, factors, score) in [
        (StolenCard, stolen, json!(["far_above_average"]), 0.5),
        (
            AccountTakeover,
            takeover,
            json!(["established_account", "night"]),
            0.1,
        ),
        (
            Synthetic,
            synthetic,
            json!(["new_account", "large_amount", "resold_goods"]),
            0.9,
        ),
    ] {
        let found = solve(Task::Analyse(fraud), payment.as_object().unwrap()).unwrap();
        assert_eq!(found["risk_factors"], factors);
        assert_eq!(found["fraud_score"], score);
    }
}

#[test]
fn a_field_that_is_missing_or_unreadable_is_named() {
    let (payment, _) = payments().swap_remove(0);
    for (pointer, wrong, named) in [
        ("/amount", json!("12"), "amount"),
        ("/timestamp", json!("yesterday"), "timestamp"),
        (
            "/timestamp",
            json!("2024-01-01T05:59:59+02:00"),
            "timestamp",
        ),
        ("/merchant_category", json!(null), "merchant_category"),
        (
            "/user_behavior/account_age_days",
            json!(1.5),
            "account_age_days",
        ),
        ("/user_behavior", json!([]), "transaction_count_24h"),
        (
            "/user_behavior/avg_transaction_amount",
            json!(true),
            "avg_transaction_amount",
        ),
    ] {
        let mut payment = Value::Object(payment.clone());
        *payment.pointer_mut(pointer).unwrap() = wrong;
        let solved = solve(Task::Judge, payment.as_object().unwrap());
        assert_eq!(solved, Err(named), "{pointer}");
    }
}
