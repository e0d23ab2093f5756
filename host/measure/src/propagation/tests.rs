use serde_json::json;

use super::*;
use crate::stats::draw::Draw;

/// A chain in which each step saw the one before it. `o` is right, `F` wrong,
/// `i` right after an isolation, `g` right behind a gate.
fn chain(steps: &str) -> Vec<Step> {
    let step = |(at, kind): (usize, char)| Step {
        path: format!("{at}"),
        parents: at.checked_sub(1).into_iter().collect(),
        outcome: "ok".to_owned(),
        output: Some(json!(kind.to_string())),
        right: kind != 'F',
        isolated: kind == 'i',
        gated: kind == 'g',
        ..Step::default()
    };
    steps.chars().enumerate().map(step).collect()
}

/// Steps that all do their work without seeing one another.
fn side_by_side(steps: &str) -> Vec<Step> {
    let mut steps = chain(steps);
    for step in &mut steps {
        step.parents.clear();
    }
    steps
}

fn mean_over(traces: &[Vec<Step>], count: fn(&[Step]) -> u64) -> f64 {
    let counts: u64 = traces.iter().map(|steps| count(steps)).sum();
    counts as f64 / traces.len() as f64
}

fn pooled(traces: &[Vec<Step>]) -> Option<f64> {
    let roots = traces.iter().map(|steps| Roots::of(steps));
    roots.fold(Roots::default(), Roots::and).pooled()
}

#[test]
fn the_fixtures_of_the_courses_code_come_out() {
    let cases = [
        ("oFFF", 2),
        ("Fio", 0),
        ("Fgo", 0),
        ("FFF", 2),
        ("ooF", 0),
        ("ooo", 0),
        ("", 0),
        // A gate clears; what fails after it is a first error again.
        ("FgFF", 1),
    ];
    for (steps, expected) in cases {
        assert_eq!(course_code(&chain(steps)), expected, "{steps}");
        assert_eq!(
            course_lineage(&chain(steps)),
            expected,
            "{steps} by lineage"
        );
    }
    let two = [chain("FF"), chain("oo")];
    assert!((mean_over(&two, course_code) - 0.5).abs() < 1e-12);
    assert_eq!(pooled(&two), Some(1.0));
}

#[test]
fn an_early_failure_is_worse_than_a_late_one() {
    assert!(course_code(&chain("FFF")) > course_code(&chain("ooF")));
}

#[test]
fn pooled_is_cascaded_errors_for_each_root() {
    // Ten traces of one root each, with 40 and with 5 that follow.
    assert_eq!(pooled(&vec![chain("FFFFF"); 10]), Some(4.0));
    let some = [vec![chain("FF"); 5], vec![chain("Fo"); 5]].concat();
    assert_eq!(pooled(&some), Some(0.5));
    assert_eq!(pooled(&[chain("ooo")]), None);
}

#[test]
fn voters_that_fail_on_their_own_propagate_nothing_but_by_the_courses_code() {
    let voters = side_by_side("FFFoo");
    assert_eq!(course_code(&voters), 2);
    assert_eq!(course_lineage(&voters), 0);
    assert_eq!(
        Roots::of(&voters),
        Roots {
            roots: 3,
            cascaded: 0
        }
    );
}

fn at(step: usize) -> Vec<Fault> {
    vec![Fault {
        step,
        ..Fault::default()
    }]
}

#[test]
fn a_step_counts_if_it_is_wrong_and_other_than_the_twins_and_a_descendant() {
    let twin = chain("oooo");
    assert_eq!(cascade(&chain("oFFF"), &twin, &[]), None);
    let of =
        |steps: &[Step], twin: &[Step], hit| cascade(steps, twin, &at(hit)).unwrap().propagated;
    assert_eq!(of(&chain("oFFF"), &twin, 1), [2, 3]);
    // Mended on the way, and wrong again at the end.
    assert_eq!(of(&chain("FoFo"), &twin, 0), [2]);
    // Wrong in the twin as well, by a fault of its own.
    assert_eq!(of(&chain("FFoo"), &chain("oFoo"), 0), [0_usize; 0]);
    // Other than in the twin, and right.
    let mut other = chain("Fooo");
    other[2].output = Some(json!("another right one"));
    assert_eq!(of(&other, &twin, 0), [0_usize; 0]);
    // The same output, and not given on: an outcome is part of what a step is.
    let mut refused = chain("FFoo");
    refused[1].output = twin[1].output.clone();
    refused[1].outcome = "gate.refused".to_owned();
    assert_eq!(of(&refused, &twin, 0), [1]);
    // A step that is done twice is compared with the twin's, time by time.
    let again = |steps: &str| {
        let mut steps = chain(steps);
        for step in &mut steps {
            step.path = "again".to_owned();
        }
        steps
    };
    assert_eq!(of(&again("FFoF"), &again("FoFF"), 0), [1]);
    // The twin never came to that step.
    assert_eq!(of(&chain("FFFF"), &chain("oo"), 0), [1, 2, 3]);
    // No descendant.
    assert_eq!(
        of(&side_by_side("FFFF"), &side_by_side("oooo"), 0),
        [0_usize; 0]
    );
    // Earlier steps are no descendants either.
    assert_eq!(of(&chain("FFoF"), &twin, 2), [3]);
}

#[test]
fn indices_that_lead_nowhere_do_no_harm() {
    let mut steps = chain("FFF");
    steps[1].parents = vec![1, 2, 99];
    assert_eq!(cascade(&steps, &[], &at(99)).unwrap().propagated, [1, 2]);
    assert_eq!(
        cascade(&steps, &[], &at(0)).unwrap().propagated,
        [0_usize; 0]
    );
    assert_eq!(cascade(&[], &[], &at(0)).unwrap().propagated, [0_usize; 0]);
}

/// Whether there is a way from one step to another, tried out one by one.
fn leads(steps: &[Step], from: usize, to: usize) -> bool {
    let parents = &steps[to].parents;
    parents
        .iter()
        .any(|parent| *parent == from || leads(steps, from, *parent))
}

#[test]
fn the_cascade_is_that_of_trying_out_every_way() {
    let mut draw = Draw::new(42, "traces");
    let (mut propagated, mut shielded) = (0, 0);
    for round in 0..3_000 {
        let length = 1 + draw.below(8);
        let mut trace = |twin: Option<&[Step]>| -> Vec<Step> {
            let mut steps = Vec::new();
            for at in 0..length {
                let parents = (0..at).filter(|_| draw.below(3) == 0).collect();
                let value = draw.below(3);
                let mut step = Step {
                    path: format!("{}", draw.below(length + 1) * 100 + at),
                    parents,
                    outcome: ["ok", "failed"][draw.below(8) / 7].to_owned(),
                    output: Some(json!(value)),
                    right: value == 0,
                    ..Step::default()
                };
                // Most steps of the trial are where the twin's are.
                if let Some(twin) = twin
                    && draw.below(5) > 0
                {
                    step.path.clone_from(&twin[at].path);
                }
                steps.push(step);
            }
            steps
        };
        let twin = trace(None);
        let steps = trace(Some(&twin));
        let hit = draw.below(length);

        let expected: Vec<usize> = (0..length)
            .filter(|at| *at != hit && !steps[*at].right && leads(&steps, hit, *at))
            .filter(|at| {
                let step = &steps[*at];
                !twin.iter().any(|other| {
                    (&other.path, &other.outcome, &other.output)
                        == (&step.path, &step.outcome, &step.output)
                })
            })
            .collect();
        let found = cascade(&steps, &twin, &at(hit)).unwrap().propagated;
        assert_eq!(
            found, expected,
            "round {round}: {hit} in {steps:?} and {twin:?}"
        );
        propagated += found.len();
        shielded += steps.iter().filter(|step| !step.right).count() - found.len();
    }
    // The traces are such that both happen often.
    assert!(
        propagated > 1_000 && shielded > 1_000,
        "{propagated}, {shielded}"
    );
}

#[test]
fn an_index_reads_as_the_course_says() {
    let cases = [
        (0.0, Reading::Excellent),
        (0.49, Reading::Excellent),
        (0.5, Reading::Good),
        (1.49, Reading::Good),
        (1.5, Reading::Moderate),
        (3.0, Reading::Moderate),
        (3.01, Reading::Poor),
    ];
    for (epi, expected) in cases {
        assert_eq!(Reading::of(epi), expected, "{epi}");
    }
}
