mod drawn;
mod made;
mod rules;

use super::*;
use crate::findings::Measures;
use crate::trial::{Failed, Variant};
use made::{USUAL, around, findings, usual};

fn needs() -> Needs {
    Needs::default()
}

fn times(most: f64) -> Needs {
    Needs {
        budget: Some(Budget::Times(most)),
        ..needs()
    }
}

fn within(latency_s: f64) -> Needs {
    Needs {
        latency_s: Some(latency_s),
        ..needs()
    }
}

fn right(min_success: f64) -> Needs {
    Needs {
        min_success: Some(min_success),
        ..needs()
    }
}

fn audit(needs: Needs) -> Needs {
    Needs {
        audit: true,
        ..needs
    }
}

fn ambiguous(needs: Needs) -> Needs {
    Needs {
        ambiguous: true,
        ..needs
    }
}

fn usd(most: f64) -> Needs {
    Needs {
        budget: Some(Budget::Usd(most)),
        ..needs()
    }
}

fn given(needs: &Needs) -> Advice {
    advise(&usual(), needs).unwrap()
}

#[track_caller]
fn says(told: &[String], parts: &[&str]) {
    let all = |line: &&String| parts.iter().all(|part| line.contains(part));
    assert!(
        told.iter().any(|line| all(&line)),
        "no {parts:?} in {told:#?}"
    );
}

#[test]
fn needs_lead_to_the_pattern_that_the_numbers_speak_for() {
    let both = |a: Needs, b: Needs| Needs {
        budget: a.budget.or(b.budget),
        latency_s: a.latency_s.or(b.latency_s),
        min_success: a.min_success.or(b.min_success),
        ..a
    };
    let table = [
        // Voting is right a little more often, which may be chance, and dearer.
        (needs(), Some("iterative")),
        (times(9.0), Some("iterative")),
        (times(2.0), Some("state_machine")),
        (times(1.1), Some("state_machine")),
        (times(1.05), Some("sequential")),
        (times(0.5), Some("single")),
        (times(0.3), None),
        (usd(0.012), Some("state_machine")),
        (usd(0.010), Some("sequential")),
        (within(5.0), Some("hierarchical")),
        (within(16.0), Some("state_machine")),
        (within(24.0), Some("voting")),
        (within(4.0), None),
        // Enough is enough: the cheapest that reaches it.
        (right(0.6), Some("single")),
        (right(0.85), Some("state_machine")),
        (right(0.91), Some("iterative")),
        (right(0.935), Some("voting")),
        (right(0.95), None),
        (both(right(0.75), within(5.0)), Some("hierarchical")),
        (both(right(0.85), within(5.0)), None),
        (both(times(2.0), within(5.0)), Some("hierarchical")),
        // A state machine has what an audit looks for, if it is good enough.
        (audit(needs()), Some("iterative")),
        (audit(right(0.6)), Some("state_machine")),
        (audit(times(1.0)), Some("sequential")),
        // That iterative is better for some input would be in its success.
        (ambiguous(right(0.6)), Some("single")),
        (ambiguous(needs()), Some("iterative")),
    ];
    for (needs, expected) in table {
        let advice = given(&needs);
        assert_eq!(advice.chosen.as_deref(), expected, "{needs:?}");
        assert_eq!(advice.relax.is_empty(), expected.is_some(), "{needs:?}");
        assert_eq!(advice.ranked.len(), USUAL.len());
        if let Some(chosen) = expected {
            assert_eq!(advice.ranked[0].arm, chosen);
        }
    }
}

#[test]
fn a_tie_is_told_as_one_and_the_cheaper_is_taken() {
    let advice = given(&needs());
    let parts = [
        "iterative cannot be told from voting",
        "not significant: p 0.430",
        "for 0.42 times its cost",
    ];
    says(&advice.reasons, &parts);
    let voting = advice.ranked.iter().find(|it| it.arm == "voting").unwrap();
    says(
        &voting.reasons,
        &["beside iterative: success +1.0 points", "2.38 times"],
    );
    // The other way round the difference keeps its meaning.
    let mut turned = usual();
    for pair in &mut turned.pairs {
        std::mem::swap(&mut pair.a, &mut pair.b);
        std::mem::swap(&mut pair.only_a, &mut pair.only_b);
        let difference = pair.difference.unwrap();
        pair.difference = Some(around(-difference.value, 0.015));
    }
    assert_eq!(advise(&turned, &needs()).unwrap(), advice);
    // Counts are enough to know who is right more often.
    for pair in &mut turned.pairs {
        pair.difference = None;
    }
    let counted = advise(&turned, &needs()).unwrap();
    assert_eq!(counted.chosen, advice.chosen);
    says(&counted.reasons, &["(not significant: p 0.430)"]);

    // The best itself is the cheapest.
    let near = [("voting", 0.94, 5.0, 9.0), ("iterative", 0.95, 2.1, 9.0)];
    let advice = advise(&findings(&near), &needs()).unwrap();
    assert_eq!(advice.chosen.as_deref(), Some("iterative"));
    says(
        &advice.reasons,
        &[
            "right most often",
            "voting (−1.0 points",
            "2.38 times its cost",
        ],
    );
}

#[test]
fn what_costs_the_same_is_chosen_by_success() {
    let near = [("single", 0.8, 1.0, 9.0), ("sequential", 0.9, 1.01, 9.0)];
    let advice = advise(&findings(&near), &right(0.7)).unwrap();
    assert_eq!(advice.chosen.as_deref(), Some("sequential"));
    says(
        &advice.reasons,
        &[
            "cannot be told from a single agent by its cost",
            "+10.0 points",
        ],
    );
}

#[test]
fn a_wish_breaks_a_tie() {
    let tied = [
        ("sequential", 0.9, 1.0, 9.0),
        ("iterative", 0.9, 1.005, 9.0),
    ];
    let tied = findings(&tied);
    let plain = advise(&tied, &needs()).unwrap();
    assert_eq!(plain.chosen.as_deref(), Some("sequential"));
    let wished = advise(&tied, &ambiguous(needs())).unwrap();
    assert_eq!(wished.chosen.as_deref(), Some("iterative"));
    says(
        &wished.reasons,
        &["usual choice where input is ambiguous", "beside sequential"],
    );
    assert_eq!(wished.rules[0].agrees, Some(true));
}

#[test]
fn when_nothing_fits_the_smallest_changes_are_told() {
    let advice = given(&right(0.95));
    assert_eq!(advice.relax.len(), 1);
    assert_eq!(
        advice.relax[0].told,
        "with min-success 94 % instead of 95 % (1.0 points less), voting fits"
    );

    // Either need alone would do.
    let needs = Needs {
        latency_s: Some(5.0),
        min_success: Some(0.85),
        ..needs()
    };
    let advice = given(&needs);
    let told: Vec<_> = advice.relax.iter().map(|it| it.told.as_str()).collect();
    assert_eq!(
        told,
        [
            "with latency 15 s instead of 5 s (10.0 s more), state machine fits",
            "with min-success 80 % instead of 85 % (5.0 points less), hierarchical fits",
        ]
    );
    says(&advice.reasons, &["nothing that was measured fits"]);

    // Nothing misses one need alone.
    let needs = Needs {
        budget: Some(Budget::Times(0.2)),
        latency_s: Some(1.0),
        ..Needs::default()
    };
    let advice = given(&needs);
    assert_eq!(advice.relax.len(), 1);
    assert_eq!(
        advice.relax[0].told,
        "with budget 0.4 × instead of 0.2 × (0.20 × more) and latency 6 s instead of 1 s (5.0 s more), a single agent fits"
    );
}

#[test]
fn what_was_not_measured_fits_no_need() {
    let mut unknown = usual();
    for arm in &mut unknown.pattern_results {
        arm.overall.cost.multiplier = None;
    }
    let advice = advise(&unknown, &times(100.0)).unwrap();
    assert_eq!(advice.chosen, None);
    assert!(advice.relax.is_empty());
    says(
        &advice.reasons,
        &["nothing fits, and what is missing was not measured"],
    );
    says(&advice.ranked[0].reasons, &["cost was not measured"]);
}

#[test]
fn an_interval_on_both_sides_of_a_need_is_told() {
    says(
        &given(&right(0.895)).reasons,
        &["90.0 %", "at least 89.5 % asked", "reaches beyond"],
    );
    says(
        &given(&right(0.85)).reasons,
        &["success 90.0 % (89.0–91.0 %), at least 85 % asked"],
    );
    let missed = given(&right(0.945));
    says(
        &missed.ranked[0].reasons,
        &["0.5 points too little", "its interval reaches that"],
    );
}

#[test]
fn an_audit_is_told_what_every_run_leaves() {
    says(
        &given(&audit(needs())).reasons,
        &["hash-chained journal", "a state machine's alone"],
    );
    says(
        &given(&audit(times(2.0))).reasons,
        &[
            "hash-chained journal",
            "explicit transitions with invariants",
        ],
    );
    assert!(!given(&needs()).reasons.concat().contains("journal"));
}

#[test]
fn one_set_is_judged_by_its_own_numbers() {
    let mut by_set = usual();
    for arm in &mut by_set.pattern_results {
        let success = if arm.arm == "single" { 0.99 } else { 0.9 };
        let mut measures = made::measures(success, 1.0, 5.0);
        measures.trials = 800;
        arm.sets.insert("invoice".to_owned(), measures);
    }
    by_set.pattern_results[5].sets.clear();
    let needs = |set: &str| Needs {
        set: Some(set.to_owned()),
        ..needs()
    };
    let advice = advise(&by_set, &needs("invoice")).unwrap();
    assert_eq!(advice.chosen.as_deref(), Some("single"));
    says(&advice.reasons, &["right more often than anything else"]);
    says(
        &advice.notes,
        &["about `invoice` alone", "intervals lie apart"],
    );
    says(&advice.notes, &["`voting` has no result"]);
    let other = &advice.ranked[1].reasons;
    says(other, &["−9.0 points; the intervals lie apart"]);

    let error = advise(&by_set, &needs("transaction")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no tasks of `transaction` were measured; there are `invoice`"
    );
    let error = advise(&usual(), &needs("invoice")).unwrap_err();
    assert!(error.to_string().ends_with("there are no sets in it"));
}

#[test]
fn variants_are_told_where_they_matter() {
    let variant = |name: &'static str, success, times, change: fn(&mut Variant)| {
        let mut arm = made::arm(&(name, success, times, 22.0));
        arm.pattern_name = "voting".to_owned();
        change(&mut arm.variant);
        arm
    };
    let mut with = usual();
    with.variants = vec![
        variant("voting-rho-0.6", 0.84, 5.0, |it| it.rho = 0.6),
        variant("voting-rho-0.3", 0.9, 5.0, |it| it.rho = 0.3),
        variant("voting-3-stages", 0.7, 5.0, |it| {
            it.rho = 0.9;
            it.stages = 3;
        }),
        variant("voting-adaptive", 0.94, 2.4, |it| it.adaptive = true),
    ];
    let advice = advise(&with, &right(0.935)).unwrap();
    assert_eq!(advice.chosen.as_deref(), Some("voting"));
    says(&advice.notes, &["correlation of 0 ", "with 0.6", "84.0 %"]);
    says(&advice.notes, &["`voting-adaptive`", "cost 2.40 ×"]);
    // Also where nothing else fits; not where it is dearer, and what it misses.
    let both = |budget, min_success| Needs {
        budget: Some(Budget::Times(budget)),
        ..right(min_success)
    };
    let advice = advise(&with, &both(3.0, 0.935)).unwrap();
    assert_eq!(advice.chosen, None);
    says(&advice.notes, &["`voting-adaptive`"]);
    for needs in [needs(), both(2.0, 0.935), times(2.0)] {
        let notes = advise(&with, &needs).unwrap().notes.concat();
        assert!(!notes.contains("voting-"), "{needs:?} {notes}");
    }
}

#[test]
fn what_more_money_buys_and_less_money_loses_is_told() {
    let advice = given(&right(0.85));
    says(
        &advice.notes,
        &[
            "what is right more often: voting, success +4.0 points",
            "4.55 times",
        ],
    );
    let advice = given(&needs());
    says(
        &advice.notes,
        &[
            "what is cheaper: state machine, success −3.0 points",
            "0.52 times",
        ],
    );
}

#[test]
fn where_it_comes_from_is_told() {
    let advice = given(&needs());
    assert!(advice.simulated);
    says(
        &advice.notes,
        &["simulated model", "hotcell eval", "--mode live"],
    );
    let mut live = usual();
    live.meta.simulated = false;
    live.failed.push(Failed {
        arm: "debate".to_owned(),
        why: "no money".to_owned(),
    });
    let advice = advise(&live, &needs()).unwrap();
    assert!(!advice.simulated);
    assert!(!advice.notes.concat().contains("simulated"));
    says(&advice.notes, &["`debate`", "no money"]);
}

#[test]
fn findings_that_nobody_can_have_made_are_refused() {
    assert_eq!(
        advise(&Findings::default(), &needs()),
        Err(AdviseError::Nothing)
    );
    let mut many = usual();
    many.variants = vec![made::arm(&USUAL[0]); 100];
    assert_eq!(
        advise(&many, &needs()),
        Err(AdviseError::TooMany { most: 100 })
    );
    type Slip = fn(&mut Measures);
    let slips: [(Slip, &str); 5] = [
        (|it| it.success = Some(around(1.2, 0.0)), "success"),
        (|it| it.success = Some(around(0.5, -0.1)), "success"),
        (
            |it| it.latency.p95_s = Some(around(-1.0, 0.0)),
            "P95 latency",
        ),
        (
            |it| it.cost.per_task_usd = Some(around(f64::NAN, 0.0)),
            "cost per task",
        ),
        (
            |it| it.cost.multiplier = Some(around(f64::INFINITY, 0.0)),
            "cost multiplier",
        ),
    ];
    for (slip, what) in slips {
        let mut wrong = usual();
        slip(&mut wrong.pattern_results[2].overall);
        let error = advise(&wrong, &needs()).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("the {what} of `hierarchical` is no possible result")
        );
    }
}
