//! Every way of cutting the work must come to the same: stage by stage, at once,
//! and by specialists.

use super::*;

fn solved(title: &str, start: &Map<String, Value>) -> Map<String, Value> {
    let job = Job::titled(title).unwrap_or_else(|| panic!("{title}"));
    match job.solve(&[start.clone()], &Answers::new()) {
        Ok(Step::Done(Value::Object(form))) => form,
        Ok(_) => panic!("{title} is not done"),
        Err(what) => panic!("{title}: {what}"),
    }
}

fn stage_by_stage(case: &str, record: &Map<String, Value>) -> Map<String, Value> {
    let mut from = "record";
    let mut now = record.clone();
    for stage in STAGES {
        now = solved(&format!("{case}-{stage}-from-{from}"), &now);
        from = stage;
    }
    now
}

/// What specialists say, put together as `case-merger` does.
fn by_specialists(case: &str, record: &Map<String, Value>) -> Map<String, Value> {
    fn merge(whole: &mut Map<String, Value>, part: Map<String, Value>) {
        for (name, value) in part {
            match (whole.get_mut(&name), value) {
                (Some(Value::Object(whole)), Value::Object(part)) => merge(whole, part),
                (Some(Value::Array(whole)), Value::Array(part)) => whole.extend(part),
                (Some(_), _) => {}
                (None, value) => {
                    whole.insert(name, value);
                }
            }
        }
    }
    let plan = solved(&format!("{case}-plan-from-record"), record);
    let mut whole = Map::new();
    for (aspect, given) in plan["given"].as_object().unwrap() {
        let title = format!("{case}-{aspect}-from-normalise");
        merge(&mut whole, solved(&title, given.as_object().unwrap()));
    }
    let decided = solved(&format!("{case}-decide-from-check"), &whole);
    solved(&format!("{case}-record-from-decide"), &decided)
}

fn payments() -> Vec<(Map<String, Value>, Value)> {
    let mut all = Vec::new();
    for (payments, gold) in [
        (
            include_str!("../../../../examples/02-fraud/transactions.json"),
            include_str!("../../../../examples/02-fraud/gold.json"),
        ),
        (
            include_str!("../../../../examples/05-high-stakes/transactions.json"),
            include_str!("../../../../examples/05-high-stakes/gold.json"),
        ),
    ] {
        let payments: Vec<Map<String, Value>> = serde_json::from_str(payments).unwrap();
        let gold: Value = serde_json::from_str(gold).unwrap();
        let with_gold = |payment: Map<String, Value>| {
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
        let one_by_one = stage_by_stage("transaction", &payment);
        for name in ["fraud_label", "fraud_type", "expected_action"] {
            assert_eq!(one_by_one[name], gold[name], "{name} of {payment:?}");
        }
        assert_eq!(
            solved("transaction-record-from-record", &payment),
            one_by_one
        );
        assert_eq!(by_specialists("transaction", &payment), one_by_one);
    }
}

#[test]
fn a_critic_accepts_what_agrees_in_every_field() {
    let (payment, _) = payments().swap_remove(0);
    let right = stage_by_stage("transaction", &payment);
    let job = Job::titled("transaction-critique-from-record").unwrap();
    let accepts = |answer: &Map<String, Value>| {
        let blocks = [payment.clone(), answer.clone()];
        match job.solve(&blocks, &Answers::new()) {
            Ok(Step::Done(said)) => said["accept"].as_bool().unwrap(),
            _ => panic!("the critic is not done"),
        }
    };
    assert!(accepts(&right));
    for name in right.keys() {
        let mut wrong = right.clone();
        wrong.insert(name.clone(), "wrong".into());
        assert!(!accepts(&wrong), "{name}");
    }
}

#[test]
fn a_mistake_stays_unless_it_does_not_matter() {
    let (payment, _) = payments().swap_remove(0);
    let right = stage_by_stage("transaction", &payment);
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

#[test]
fn a_title_that_is_none_is_no_job() {
    for title in [
        "",
        "transaction",
        "transaction-check",
        "transaction-check-from-nowhere",
        "tax-check-from-record",
        "-from-",
    ] {
        assert!(Job::titled(title).is_none(), "{title}");
    }
    let job = Job::titled("transaction-guess-from-normalise").unwrap();
    assert!(job.solve(&[Map::new()], &Answers::new()).is_err());
}
