use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::select::Strategy;
use super::*;
use crate::data::leak::leaks;
use crate::data::{invoices, reconciliations, transactions};
use crate::score::answer::right;

/// How many tasks an answer is right in, in every field.
fn joint(suite: &Suite, answer: impl Fn(&Task) -> Value) -> usize {
    let right = |task: &&Task| {
        let right = right(task.set, &task.gold, &answer(task));
        right.into_values().all(|right| right)
    };
    suite.tasks.iter().filter(right).count()
}

fn of(suite: &Suite, set: Set) -> impl Iterator<Item = &Task> {
    suite.tasks.iter().filter(move |task| task.set == set)
}

#[test]
fn there_are_three_hundred_different_tasks_in_a_fixed_order() {
    for seed in (0..40).chain([u64::MAX]) {
        let suite = Suite::generate(seed);
        assert_eq!(suite.tasks.len(), 300);
        for set in Set::ALL {
            assert_eq!(of(&suite, set).count(), 100, "{}", set.name());
        }
        let keys: Vec<_> = suite.tasks.iter().map(|it| (it.set, &it.id)).collect();
        assert!(keys.is_sorted());
        assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), 300);
        let inputs: BTreeSet<_> = suite.tasks.iter().map(|it| it.input.to_string()).collect();
        assert_eq!(inputs.len(), 300);
        for task in &suite.tasks {
            assert_eq!(task.input[task.set.id_field()], json!(task.id));
            let fields: BTreeSet<&str> = task.gold.keys().map(String::as_str).collect();
            assert_eq!(fields, task.set.fields().iter().copied().collect());
        }
        assert_eq!(suite.ledger.vendors.len(), 30);
        let inputs = of(&suite, Set::Invoice).map(|task| &task.input);
        assert!(suite.ledger.invoices.iter().eq(inputs));
    }
    assert_eq!(Suite::generate(7), Suite::generate(7));
    assert_ne!(Suite::generate(7), Suite::generate(8));
}

#[test]
fn the_tasks_are_as_hard_as_the_table_says() {
    for seed in 0..40 {
        let suite = Suite::generate(seed);
        let mut counts: BTreeMap<_, usize> = BTreeMap::new();
        for task in &suite.tasks {
            *counts.entry((task.set, task.difficulty)).or_default() += 1;
        }
        let counts: Vec<usize> = counts.into_values().collect();
        assert_eq!(counts, [68, 22, 10, 35, 45, 20, 30, 35, 35], "seed {seed}");
        let edges = Set::ALL.map(|set| of(&suite, set).filter(|task| task.edge).count());
        assert_eq!(edges, [32, 65, 72], "seed {seed}");
    }
}

/// The solvers of the three sets, each written a second time from the published
/// rules: they see inputs and the ledger only.
#[test]
fn the_inputs_decide_all_three_hundred() {
    for seed in [0, 1, 7, 42, u64::MAX] {
        let suite = Suite::generate(seed);
        let Ledger { vendors, invoices } = &suite.ledger;
        let invoices = invoices::tests::solutions(invoices, vendors);
        let solve = |task: &Task| match task.set {
            Set::Invoice => json!(invoices[&task.id]),
            Set::Transaction => transactions::tests::solve(task.input.as_object().unwrap()),
            Set::Reconciliation => {
                reconciliations::tests::solve(&task.input, reconciliations::tests::belongs)
            }
        };
        assert_eq!(joint(&suite, solve), 300, "seed {seed}");
    }
}

#[test]
fn answering_what_is_most_common_stays_below_60_of_100() {
    for seed in 0..40 {
        let suite = Suite::generate(seed);
        let most_common = |set: Set| -> Value {
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            for task in of(&suite, set) {
                *counts.entry(json!(task.gold).to_string()).or_default() += 1;
            }
            let (gold, _) = counts.into_iter().max_by_key(|(_, count)| *count).unwrap();
            gold.parse().unwrap()
        };
        let constant = Set::ALL.map(most_common);
        let right = joint(&suite, |task| constant[task.set as usize].clone());
        assert!(right < 180, "seed {seed}: {right}");

        // The same, but what differs from record to record is copied from it: the
        // vendor as it is printed, and the lists in their order.
        let clever = |task: &Task| match task.set {
            Set::Invoice => json!({
                "is_valid": true,
                "reason": "valid",
                "correct_vendor": task.input.get("vendor"),
                "approval_route": "manager",
            }),
            Set::Transaction => constant[1].clone(),
            Set::Reconciliation => reconciliations::tests::guess(&task.input),
        };
        let right = joint(&suite, clever);
        assert!((90..180).contains(&right), "seed {seed}: {right}");
    }
}

/// Every key that agents get to see, by set.
const VISIBLE: [&str; 3] = [
    "amount date description invoice_id line_items quantity status unit_price vendor",
    "account_age_days amount avg_transaction_amount home_country merchant merchant_category \
     merchant_country timestamp transaction_count_24h transaction_id user_behavior user_id",
    "account amount bank_transactions counterparty date description entry_id ledger_entries \
     posting_date reconciliation_id text transaction_id",
];

fn walk(value: &Value, keys: &mut BTreeSet<String>, texts: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, keys, texts)),
        Value::Object(fields) => {
            for (key, value) in fields {
                keys.insert(key.clone());
                walk(value, keys, texts);
            }
        }
        Value::String(text) => {
            texts.insert(text.to_lowercase());
        }
        _ => {}
    }
}

#[test]
fn no_input_has_a_label_or_a_word_of_one() {
    let words = [
        "ambiguous",
        "decoy",
        "duplicate",
        "dup",
        "easy",
        "edge",
        "fraud",
        "hard",
        "manual",
        "matched",
        "missing",
        "near",
        "ocr",
        "perfect",
        "resolvable",
        "stolen",
        "synthetic",
        "takeover",
        "unmatch",
        "valid",
    ];
    for seed in 0..40 {
        let suite = Suite::generate(seed);
        let ledger = json!(suite.ledger);
        assert_eq!(leaks(&ledger), [""; 0], "seed {seed}");
        let mut keys: [BTreeSet<String>; 3] = Default::default();
        for task in &suite.tasks {
            assert_eq!(leaks(&task.input), [""; 0], "seed {seed}");
            let mut texts = BTreeSet::new();
            walk(&task.input, &mut keys[task.set as usize], &mut texts);
            for text in texts {
                let mut said = text.split(|c: char| !c.is_alphanumeric());
                assert_eq!(said.find(|word| words.contains(word)), None, "{text}");
            }
        }
        for (set, keys) in Set::ALL.into_iter().zip(keys) {
            for field in set.fields() {
                assert!(!keys.contains(*field), "{field}");
            }
            let visible: Vec<String> = keys.into_iter().collect();
            assert_eq!(visible.join(" "), VISIBLE[set as usize]);
        }
    }
}

/// How often a task of the group stands behind one that is not in it: 0.5 when its
/// place says nothing.
fn behind(suite: &Suite, set: Set, is: impl Fn(&Task) -> Option<bool>) -> f64 {
    let (mut behind, mut pairs, mut others) = (0, 0, 0);
    for task in of(suite, set) {
        match is(task) {
            Some(true) => behind += others,
            Some(false) => others += 1,
            None => {}
        }
    }
    for task in of(suite, set) {
        pairs += if is(task) == Some(true) { others } else { 0 };
    }
    f64::from(behind) / f64::from(pairs)
}

#[test]
fn ids_count_up_and_places_say_nothing_of_answers() {
    const SEEDS: u64 = 120;
    type Is = fn(&Task) -> Option<bool>;
    // A copy has a higher id than its original because that is the rule by which the
    // original is told; apart from these nothing follows from a place.
    let groups: [(&str, Set, Is); 8] = [
        ("ocr", Set::Invoice, |it| {
            match it.gold["reason"].as_str()? {
                "duplicate_invoice" => None,
                reason => Some(reason == "ocr_error_detected"),
            }
        }),
        ("missing", Set::Invoice, |it| {
            match it.gold["reason"].as_str()? {
                "duplicate_invoice" => None,
                reason => Some(reason == "missing_required_fields"),
            }
        }),
        ("auto", Set::Invoice, |it| {
            Some(it.gold["approval_route"] == "auto")
        }),
        ("fraud", Set::Transaction, |it| {
            Some(it.gold["fraud_label"] == true)
        }),
        ("review", Set::Transaction, |it| {
            Some(it.gold["expected_action"] == "review")
        }),
        ("perfect", Set::Reconciliation, |it| {
            Some(it.gold["status"] == "perfect_match")
        }),
        ("manual", Set::Reconciliation, |it| {
            Some(it.gold["status"] == "manual_review_required")
        }),
        ("hard", Set::Reconciliation, |it| {
            Some(it.difficulty == Difficulty::Hard)
        }),
    ];
    let suites: Vec<Suite> = (0..SEEDS).map(Suite::generate).collect();
    for (name, set, is) in groups {
        let sum: f64 = suites.iter().map(|suite| behind(suite, set, is)).sum();
        let mean = sum / SEEDS as f64;
        assert!((mean - 0.5).abs() < 0.04, "{name}: {mean}");
    }
    for suite in &suites {
        for set in Set::ALL {
            let number = |task: &Task| task.id[task.id.len() - 3..].parse::<usize>().unwrap();
            let first = usize::from(set == Set::Reconciliation);
            assert!(
                of(suite, set)
                    .map(number)
                    .eq((0..100).map(|it| (it + first) % 1000))
            );
        }
    }
}

/// Where a transaction or an entry stands that is left over, in its list.
#[test]
fn what_is_left_over_stands_anywhere_in_its_list() {
    for (list, id, ours) in [
        ("bank_transactions", "transaction_id", "bank_id"),
        ("ledger_entries", "entry_id", "ledger_id"),
    ] {
        let (mut sum, mut count) = (0.0, 0.0);
        for seed in 0..120 {
            let suite = Suite::generate(seed);
            for task in of(&suite, Set::Reconciliation) {
                // The second of two equal entries is the copy, by the rule.
                if task.gold["status"] != "manual_review_required" {
                    continue;
                }
                let matched: Vec<&Value> = task.gold["matches"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|pair| &pair[ours])
                    .collect();
                let items = task.input[list].as_array().unwrap();
                for (at, item) in items.iter().enumerate().filter(|_| items.len() > 1) {
                    if !matched.contains(&&item[id]) {
                        sum += at as f64 / (items.len() - 1) as f64;
                        count += 1.0;
                    }
                }
            }
        }
        let mean: f64 = sum / count;
        assert!((mean - 0.5).abs() < 0.04, "{list}: {mean} of {count}");
    }
}

#[test]
fn a_selection_has_exactly_as_many_as_wanted_and_none_twice() {
    let suite = Suite::generate(42);
    let strategies = [
        Strategy::Random,
        Strategy::DifficultyStratified,
        Strategy::EdgeCaseFocused,
    ];
    for strategy in strategies {
        for count in [0, 1, 2, 3, 7, 10, 99, 100, 150, 200, 250, 299, 300] {
            let chosen = suite.select(count, strategy, 1);
            assert_eq!(chosen.len(), count, "{}", strategy.name());
            assert!(chosen.is_sorted_by(|a, b| (a.set, &a.id) < (b.set, &b.id)));
            assert_eq!(chosen, suite.select(count, strategy, 1));
        }
        assert_eq!(suite.select(301, strategy, 1).len(), 300);
        assert_ne!(suite.select(30, strategy, 1), suite.select(30, strategy, 2));
        let sets: BTreeSet<Set> = suite
            .select(60, strategy, 1)
            .iter()
            .map(|t| t.set)
            .collect();
        assert_eq!(sets.len(), 3, "{}", strategy.name());
    }
}

#[test]
fn a_selection_has_the_shares_it_is_named_for() {
    let suite = Suite::generate(42);
    // Wanted; easy, medium, hard; edge cases. 103 are 20.6, 51.5, 30.9 and 72.1,
    // 30.9. Of 250 there are not as many of a kind as wanted.
    let table = [
        (100, [20, 50, 30], 70),
        (10, [2, 5, 3], 7),
        (1, [0, 1, 0], 1),
        (103, [21, 51, 31], 72),
        (200, [40, 100, 60], 140),
        (250, [83, 102, 65], 169),
    ];
    for (count, levels, edges) in table {
        let chosen = suite.select(count, Strategy::DifficultyStratified, 9);
        let found = [Difficulty::Easy, Difficulty::Medium, Difficulty::Hard]
            .map(|level| chosen.iter().filter(|it| it.difficulty == level).count());
        assert_eq!(found, levels, "{count}");
        let chosen = suite.select(count, Strategy::EdgeCaseFocused, 9);
        let found = chosen.iter().filter(|task| task.edge).count();
        assert_eq!(found, edges, "{count}");
    }
}

#[test]
fn a_random_selection_takes_any_task_as_often_as_any_other() {
    let suite = Suite::generate(42);
    let mut taken: BTreeMap<(Set, &str), usize> = BTreeMap::new();
    for seed in 0..600 {
        for task in suite.select(100, Strategy::Random, seed) {
            *taken.entry((task.set, &task.id)).or_default() += 1;
        }
    }
    assert_eq!(taken.len(), 300);
    // 200 of 600 expected; five deviations of a binomial are 58.
    assert!(
        taken.values().all(|it| (142..=258).contains(it)),
        "{taken:?}"
    );
}
