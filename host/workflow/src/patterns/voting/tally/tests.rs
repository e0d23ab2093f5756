use serde_json::json;

use super::*;

fn votes(values: &Value) -> Vec<Vote> {
    let vote = |value: &Value| Vote {
        value: value.clone(),
        weight: 1.0,
    };
    values
        .as_array()
        .expect("a list")
        .iter()
        .map(vote)
        .collect()
}

fn decided(value: Value, sure: f64) -> Verdict {
    Verdict::Decided(value, sure)
}

fn tie(values: &Value) -> Verdict {
    Verdict::Tie(values.as_array().expect("a list").clone())
}

#[test]
fn each_strategy_decides_as_it_says() {
    use Strategy::{Majority, Plurality, Quorum, Ranked, Unanimous};
    let table = [
        (
            Majority,
            json!([true, true, true, false, false]),
            decided(json!(true), 0.6),
        ),
        (
            Majority,
            json!([true, false, true]),
            decided(json!(true), 2.0 / 3.0),
        ),
        (
            Majority,
            json!([true, true, false, false]),
            tie(&json!([false, true])),
        ),
        (
            Majority,
            json!(["a", "a", "b", "c"]),
            tie(&json!(["a", "b", "c"])),
        ),
        (
            Plurality,
            json!(["a", "a", "b", "c"]),
            decided(json!("a"), 0.5),
        ),
        (
            Plurality,
            json!(["a", "a", "b", "b", "c"]),
            tie(&json!(["a", "b"])),
        ),
        (Unanimous, json!([1, 1.0, 1]), decided(json!(1), 1.0)),
        (Unanimous, json!([1, 1, 2]), tie(&json!([1, 2]))),
        (
            Quorum(4),
            json!(["a", "a", "a", "a", "b"]),
            decided(json!("a"), 0.8),
        ),
        (
            Quorum(4),
            json!(["a", "a", "a", "b", "b"]),
            tie(&json!(["a", "b"])),
        ),
        (
            Quorum(2),
            json!(["a", "a", "b", "b", "c"]),
            tie(&json!(["a", "b"])),
        ),
        // Equal as JSON, whatever the order of the keys.
        (
            Majority,
            json!([{"a": 1, "b": [2.0]}, {"b": [2], "a": 1.0}, {"a": 2}]),
            decided(json!({"a": 1, "b": [2.0]}), 2.0 / 3.0),
        ),
        // Ranked: `c` is struck, and its vote goes to `b`.
        (
            Ranked,
            json!([["a"], ["a"], ["b"], ["b"], ["c", "b"]]),
            decided(json!("b"), 0.6),
        ),
        // `a` and `b` are struck at once, and only `c` is left.
        (
            Ranked,
            json!([["a", "b"], ["b", "a"], ["c", "a"], ["c", "b"]]),
            decided(json!("c"), 0.5),
        ),
        (
            Ranked,
            json!([["a", "a", "b"], ["b"], ["b"]]),
            decided(json!("b"), 2.0 / 3.0),
        ),
        (Ranked, json!([["a"], ["b"], []]), tie(&json!(["a", "b"]))),
        (Ranked, json!([[], [], []]), Verdict::NoQuorum),
    ];
    for (strategy, values, verdict) in table {
        let told = tally(strategy, &votes(&values), 3);
        assert_eq!(told, verdict, "{strategy:?} {values}");
    }
}

#[test]
fn too_few_votes_never_decide_and_no_votes_least_of_all() {
    let all = [
        Strategy::Majority,
        Strategy::Plurality,
        Strategy::Weighted,
        Strategy::Unanimous,
        Strategy::Quorum(1),
        Strategy::Ranked,
        Strategy::Mean { at_least: None },
    ];
    for strategy in all {
        for least in 0..4 {
            assert_eq!(tally(strategy, &[], least), Verdict::NoQuorum);
        }
        let one = votes(&json!([[1]]));
        assert_eq!(tally(strategy, &one, 2), Verdict::NoQuorum, "{strategy:?}");
    }
    let table = [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (6, 4), (7, 4)];
    for (voters, valid) in table {
        assert_eq!(least(voters), valid);
    }
}

#[test]
fn weights_count_where_they_are_asked_for() {
    let vote = |value: Value, weight| Vote { value, weight };
    // Two unsure ones against one that is sure.
    let some = [
        vote(json!(false), 0.3),
        vote(json!(false), 0.2),
        vote(json!(true), 0.9),
    ];
    assert_eq!(
        tally(Strategy::Majority, &some, 2),
        decided(json!(false), 2.0 / 3.0)
    );
    let Verdict::Decided(value, sure) = tally(Strategy::Weighted, &some, 2) else {
        panic!("undecided");
    };
    assert_eq!(value, json!(true));
    assert!((sure - 0.9 / 1.4).abs() < 1e-9, "{sure}");
    let none = [vote(json!(1), 0.0), vote(json!(1), 0.0)];
    assert_eq!(tally(Strategy::Weighted, &none, 2), tie(&json!([1])));
    // The course's weighted average: Σ score·confidence / Σ confidence, and the
    // mean confidence.
    let scores = [
        vote(json!(0.9), 0.8),
        vote(json!(0.4), 0.5),
        vote(json!(0.1), 0.2),
    ];
    let (mean, sure) = mean(&scores).expect("numbers");
    assert!((mean - 0.94 / 1.5).abs() < 1e-9 && (sure - 0.5).abs() < 1e-9);
    assert_eq!(super::mean(&none[..0]), None);
    assert_eq!(super::mean(&none), None);
}

#[test]
fn outliers_lie_more_than_z_deviations_from_the_mean() {
    let table: [(&[f64], f64, &[usize]); 6] = [
        (&[0.9, 0.91, 0.92, 0.9, 0.1], 1.5, &[4]),
        (&[0.9, 0.91, 0.92, 0.9, 0.1], 2.0, &[]),
        (&[0.5, 0.5, 0.5, 0.5], 1.5, &[]),
        (&[0.0, 1.0], 0.1, &[]),
        (&[], 1.5, &[]),
        // Of three the farthest lies less than 1.155 deviations out.
        (&[0.0, 0.0, 1.0], 1.5, &[]),
    ];
    for (scores, z, out) in table {
        assert_eq!(outliers(scores, z), out, "{scores:?}");
    }
}

/// All ways to vote for so many who are still to come: for one of these or not at
/// all.
fn endings(values: &[Value], weights: &[f64]) -> Vec<Vec<Vote>> {
    let Some((first, rest)) = weights.split_first() else {
        return vec![Vec::new()];
    };
    let mut all = Vec::new();
    for ending in endings(values, rest) {
        all.push(ending.clone());
        for value in values {
            for weight in [0.0, first / 2.0, *first] {
                let mut ending = ending.clone();
                ending.push(Vote {
                    value: value.clone(),
                    weight,
                });
                all.push(ending);
            }
        }
    }
    all
}

#[test]
fn what_is_settled_is_overturned_by_nothing_that_may_come() {
    let values = ["a", "b", "c", "new"].map(|it| json!(it));
    let strategies = [
        Strategy::Majority,
        Strategy::Plurality,
        Strategy::Weighted,
        Strategy::Unanimous,
        Strategy::Quorum(2),
        Strategy::Quorum(3),
    ];
    let mut stopped = 0;
    let mut seed = 1_u64;
    let mut roll = |n: u64| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % n
    };
    for _ in 0..3_000 {
        let strategy = strategies[usize::try_from(roll(6)).expect("small")];
        let voters = 3 + usize::try_from(roll(4)).expect("small");
        let asked = voters - usize::try_from(roll(3)).expect("small");
        let so_far: Vec<Vote> = (0..asked)
            .map(|_| Vote {
                value: values[usize::try_from(roll(3)).expect("small")].clone(),
                weight: roll(5) as f64 / 4.0,
            })
            .collect();
        let to_come = vec![1.0; voters - asked];
        let Verdict::Decided(value, _) = tally(strategy, &so_far, least(voters)) else {
            continue;
        };
        let stays = |ending: &Vec<Vote>| {
            let mut all = so_far.clone();
            all.extend(ending.iter().cloned());
            matches!(tally(strategy, &all, least(voters)), Verdict::Decided(it, _) if it == value)
        };
        let safe = endings(&values, &to_come).iter().all(stays);
        let stops = settled(strategy, &so_far, &to_come, least(voters));
        // Never too early, and as soon as it can be.
        assert_eq!(stops, safe, "{strategy:?} {so_far:?} of {voters}");
        stopped += usize::from(stops && !to_come.is_empty());
    }
    assert!(stopped > 100, "{stopped}");
}
