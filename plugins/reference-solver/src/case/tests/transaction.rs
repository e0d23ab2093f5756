use super::*;

fn payments() -> Vec<(Form, Value)> {
    let mut all = Vec::new();
    for (payments, gold) in [
        (
            include_str!("../../../../../examples/02-fraud/transactions.json"),
            include_str!("../../../../../examples/02-fraud/gold.json"),
        ),
        (
            include_str!("../../../../../examples/05-high-stakes/transactions.json"),
            include_str!("../../../../../examples/05-high-stakes/gold.json"),
        ),
    ] {
        let payments: Vec<Form> = serde_json::from_str(payments).unwrap();
        let gold: Value = serde_json::from_str(gold).unwrap();
        let with_gold = |payment: Form| {
            let gold = gold[payment["transaction_id"].as_str().unwrap()].clone();
            (payment, gold)
        };
        all.extend(payments.into_iter().map(with_gold));
    }
    assert_eq!(all.len(), 100);
    all
}

#[test]
fn however_a_payment_is_worked_on_the_answer_is_right() {
    for (payment, gold) in payments() {
        let (answer, _) = every_way("transaction", &payment, &no_tools);
        for name in ["fraud_label", "fraud_type", "expected_action"] {
            assert_eq!(answer[name], gold[name], "{name} of {payment:?}");
        }
    }
}

#[test]
fn a_critic_accepts_what_agrees_in_every_field() {
    let (payment, _) = payments().swap_remove(0);
    let right = solved("transaction-record-from-record", &payment);
    assert!(accepts("transaction", &payment, &right, &no_tools));
    for name in right.keys() {
        let mut wrong = right.clone();
        wrong.insert(name.clone(), "wrong".into());
        assert!(
            !accepts("transaction", &payment, &wrong, &no_tools),
            "{name}"
        );
    }
}

#[test]
fn a_mistake_stays_unless_it_does_not_matter() {
    let (payment, _) = payments().swap_remove(0);
    let right = solved("transaction-record-from-record", &payment);
    let extract = solved("transaction-extract-from-record", &payment);
    let after = |name: &str, value: Value| {
        let mut spoilt = extract.clone();
        spoilt.insert(name.to_owned(), value);
        solved("transaction-record-from-extract", &spoilt)
    };
    assert_eq!(after("transaction_id", "TXN-9".into()), right);
    let fraud = [
        ("transaction_count_24h", json!(15)),
        ("amount_in_averages", json!(9.5)),
    ];
    let mut spoilt = extract.clone();
    spoilt.extend(fraud.map(|(name, value)| (name.to_owned(), value)));
    let wrong = solved("transaction-record-from-extract", &spoilt);
    assert_eq!(wrong["fraud_type"], "stolen_card");
}
