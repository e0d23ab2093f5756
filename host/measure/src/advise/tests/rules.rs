use super::made::findings;
use super::{ambiguous, audit, given, needs, right, says, times, usd, within};
use crate::advise::{Advice, Budget, Needs, advise};

fn rules_of(advice: &Advice) -> Vec<String> {
    advice.rules.iter().map(|it| it.told.clone()).collect()
}

#[test]
fn a_rule_that_the_measurement_contradicts_is_told_so() {
    let table: [(Needs, &[&str]); 7] = [
        (
            right(0.955),
            &[
                "says voting where more than 95 %",
                "voting misses",
                "success 94.0 %",
                "1.5 points too little",
            ],
        ),
        (
            times(0.5),
            &[
                "says sequential or state machine",
                "sequential misses",
                "cost 1.00 ×",
            ],
        ),
        (
            within(4.0),
            &["says hierarchical", "misses", "P95 4.5 s", "0.5 s too much"],
        ),
        (
            audit(needs()),
            &[
                "says state machine",
                "iterative is right more often than state machine",
                "significant",
            ],
        ),
        (
            ambiguous(right(0.6)),
            &[
                "says iterative",
                "iterative is right more often, but a single agent reaches the 60 %",
                "0.19 times",
                "not measured apart",
            ],
        ),
        (
            Needs {
                rules: true,
                ..needs()
            },
            &[
                "says state machine where deterministic rules",
                "iterative is right more often",
            ],
        ),
        (
            Needs {
                budget: Some(Budget::Usd(0.004)),
                ..needs()
            },
            &["where the budget is below 1.5 ×", "misses"],
        ),
    ];
    for (needs, parts) in table {
        let advice = given(&needs);
        says(&rules_of(&advice), parts);
        assert_eq!(advice.rules.len(), 1);
        assert_eq!(advice.rules[0].agrees, Some(false), "{needs:?}");
    }
    // Voting reaches it, and so does what costs less.
    let numbers = [("voting", 0.97, 5.0, 9.0), ("iterative", 0.96, 2.0, 9.0)];
    let advice = advise(&findings(&numbers), &right(0.955)).unwrap();
    assert_eq!(advice.chosen.as_deref(), Some("iterative"));
    let parts = [
        "iterative is right as often as voting",
        "not significant",
        "for 0.40 times its cost",
    ];
    says(&rules_of(&advice), &parts);
}

#[test]
fn rules_speak_only_to_what_is_asked_and_may_agree() {
    let table: [(Needs, usize); 6] = [
        (needs(), 0),
        (within(5.0), 0),
        (times(1.5), 0),
        (right(0.95), 0),
        (within(4.9), 1),
        (usd(0.014), 1),
    ];
    for (needs, rules) in table {
        let advice = given(&needs);
        assert_eq!(advice.rules.len(), rules, "{needs:?}");
        let agree = advice.rules.iter().all(|it| it.agrees == Some(true));
        assert!(agree, "{:?}", advice.rules);
    }
    let only = findings(&[("sequential", 0.9, 1.0, 3.0)]);
    let advice = advise(&only, &within(4.0)).unwrap();
    assert_eq!(advice.rules[0].agrees, None);
    says(
        &rules_of(&advice),
        &["hierarchical", "was not measured here"],
    );
}
