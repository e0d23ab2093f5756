use serde_json::{Value, json};

use super::*;
use crate::findings::{CourseRow, Family, Pair, Quantity};
use crate::stats::draw::Draw;
use crate::trial::{Cascade, Fault, Label, Meta, Mode, Step, Tools, Variant};

mod small;
mod table;

/// What [`super::analyse`] does, with fewer draws: most tests look at numbers
/// that need none.
fn analyse(study: &Study) -> Result<Findings, Flaw> {
    with_draws(study, 300)
}

const PATTERNS: [&str; 6] = [
    "sequential",
    "hierarchical",
    "iterative",
    "state_machine",
    "voting",
    "single",
];

fn arm_of(id: &str, pattern: &str, main: bool) -> Arm {
    Arm {
        id: id.to_owned(),
        pattern: pattern.to_owned(),
        main,
        execution_time_s: 1.5,
        variant: Variant {
            stages: 3,
            ..Variant::default()
        },
    }
}

fn step(path: &str, parents: &[usize], right: bool) -> Step {
    Step {
        path: path.to_owned(),
        stage: path.to_owned(),
        parents: parents.to_vec(),
        outcome: "ok".to_owned(),
        right,
        tries: 1,
        ..Step::default()
    }
}

/// A study with something of everything, drawn.
fn drawn(tasks: usize, seeds: u64, ablations: usize) -> Study {
    let mut draw = Draw::new(11, "study");
    let mut arms: Vec<Arm> = PATTERNS.map(|name| arm_of(name, name, true)).to_vec();
    for nth in 0..ablations {
        arms.push(arm_of(&format!("voting-{nth}"), "voting", false));
    }
    let stages = ["ingest", "extract", "decide"];
    let mut trials = Vec::new();
    for (nth, arm) in arms.iter().enumerate() {
        for task in 0..tasks {
            let hard = task % 10;
            for seed in 0..seeds {
                let right = draw.below(20 + nth) > hard;
                let spread = draw.below(3);
                let mut steps: Vec<Step> = Vec::new();
                for (at, stage) in stages.iter().enumerate() {
                    let parents: Vec<usize> = at.checked_sub(1).into_iter().collect();
                    steps.push(step(stage, &parents, right || at > spread || at == 0));
                }
                let hit = !right || draw.below(10) == 0;
                let reached = (1..3).filter(|at| !right && *at <= spread).collect();
                let fault = Fault {
                    kind: ["hallucination", "omission"][draw.below(2)].to_owned(),
                    ..Fault::default()
                };
                trials.push(Trial {
                    arm: arm.id.clone(),
                    set: ["invoice", "transaction", "reconciliation"][task % 3].to_owned(),
                    task: format!("T-{task:04}"),
                    seed,
                    status: "completed".to_owned(),
                    answer: Some(json!({"x": right})),
                    right,
                    fields: BTreeMap::from([("x".to_owned(), right)]),
                    similarity: if right {
                        1.0
                    } else {
                        draw.below(100) as f64 / 100.0
                    },
                    label: (task % 3 == 1).then_some(Label {
                        gold: hard == 1,
                        said: Some(right == (hard == 1)),
                    }),
                    tools: (task % 3 == 0).then_some(Tools {
                        right: right && draw.below(10) > 0,
                        calls: 3,
                        unknown: u32::from(draw.below(10) == 0),
                    }),
                    steps,
                    faults: if hit { vec![fault] } else { Vec::new() },
                    cascade: hit.then_some(Cascade {
                        fault: 0,
                        propagated: reached,
                    }),
                    spent: Spent {
                        calls: 3 + nth as u64,
                        input_tokens: 900 + draw.below(200) as u64,
                        output_tokens: 100,
                        cost_micros: 1_000 * (1 + nth as u64) + draw.below(100) as u64,
                        ..Spent::default()
                    },
                    latency_micros: 5_000_000 + draw.below(10_000_000) as u64,
                    host_micros: 300 + draw.below(100) as u64,
                });
            }
        }
    }
    Study {
        meta: Meta {
            simulated: true,
            seeds: (0..seeds).collect(),
            tasks: tasks as u64,
            data_seed: 42,
            stages: stages.map(str::to_owned).to_vec(),
            timeout_micros: 60_000_000,
            timestamp: "2026-01-01T00:00:00Z".to_owned(),
            execution_time_s: 12.5,
            ..Meta::default()
        },
        arms,
        trials,
        failed: Vec::new(),
    }
}

fn json_of(findings: &Findings) -> String {
    serde_json::to_string(findings).unwrap()
}

#[test]
fn the_order_of_trials_does_not_matter() {
    let study = drawn(12, 3, 2);
    let mut mixed = study.clone();
    let mut draw = Draw::new(5, "order");
    for last in (1..mixed.trials.len()).rev() {
        mixed.trials.swap(last, draw.below(last + 1));
    }
    assert_ne!(mixed.trials, study.trials);
    let (one, other) = (analyse(&study).unwrap(), analyse(&mixed).unwrap());
    assert_eq!(json_of(&one), json_of(&other));
}

#[test]
fn a_similarity_that_lost_its_last_digit_in_a_file_is_the_same() {
    let study = drawn(9, 2, 0);
    let mut read = study.clone();
    let mut nudged = 0;
    for trial in &mut read.trials {
        if !trial.right {
            nudged += 1;
            trial.similarity = f64::from_bits(trial.similarity.to_bits() ^ 1);
        }
    }
    assert!(nudged > 10);
    assert_eq!(
        json_of(&analyse(&study).unwrap()),
        json_of(&analyse(&read).unwrap())
    );
}

/// What a reader would strip who knows the report alone.
fn strip(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|key, _| key != "timestamp" && !key.starts_with("execution_time"));
            map.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

#[test]
fn equal_studies_differ_in_their_times_alone() {
    let study = drawn(9, 2, 1);
    let mut later = study.clone();
    later.meta.timestamp = "2026-02-02T00:00:00Z".to_owned();
    later.meta.execution_time_s = 99.0;
    for arm in &mut later.arms {
        arm.execution_time_s = 7.0;
    }
    for trial in &mut later.trials {
        trial.host_micros *= 3;
    }
    let (one, other) = (analyse(&study).unwrap(), analyse(&later).unwrap());
    assert_ne!(json_of(&one), json_of(&other));
    assert_eq!(json_of(&one.comparable()), json_of(&other.comparable()));
    let stripped = |findings| {
        let mut value = serde_json::to_value(findings).unwrap();
        strip(&mut value);
        value
    };
    assert_eq!(stripped(&one), stripped(&other));
    // And not in nothing: one right answer more is another study.
    let wrong = later.trials.iter_mut().find(|trial| !trial.right);
    wrong.unwrap().right = true;
    let third = analyse(&later).unwrap();
    assert_ne!(json_of(&one.comparable()), json_of(&third.comparable()));
}

#[test]
fn the_report_has_what_the_courses_result_file_has_and_comes_back_as_it_was() {
    let findings = super::analyse(&drawn(9, 2, 1)).unwrap();
    assert_eq!(findings.method.resamples, 10_000);
    let text = json_of(&findings);
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["task_count"], 9);
    assert_eq!(value["seed"], 42);
    assert_eq!(value["timestamp"], "2026-01-01T00:00:00Z");
    let results = value["pattern_results"].as_array().unwrap();
    let names: Vec<_> = results
        .iter()
        .map(|it| it["pattern_name"].clone())
        .collect();
    assert_eq!(names, PATTERNS);
    for result in results {
        assert_eq!(result["task_count"], 9);
        assert_eq!(result["execution_time"], 1.5);
        for metric in [
            "task_success_rate",
            "error_propagation_index",
            "latency_p50",
            "latency_p95",
            "total_cost",
        ] {
            assert!(result["metrics"][metric].is_number(), "{metric}");
        }
    }
    assert_eq!(serde_json::from_str::<Findings>(&text).unwrap(), findings);
}

/// Every `{value, interval, n}` in a report.
fn estimates(value: &Value, found: &mut Vec<Value>) {
    match value {
        Value::Object(map) if map.contains_key("interval") && map.contains_key("value") => {
            found.push(value.clone());
        }
        Value::Object(map) => map.values().for_each(|it| estimates(it, found)),
        Value::Array(items) => items.iter().for_each(|it| estimates(it, found)),
        _ => {}
    }
}

#[test]
fn one_task_gives_no_interval_however_many_seeds_it_has() {
    let of = |tasks| {
        let mut found = Vec::new();
        let findings = analyse(&drawn(tasks, 8, 1)).unwrap();
        estimates(&serde_json::to_value(findings).unwrap(), &mut found);
        found
    };
    let one = of(1);
    assert!(one.len() > 100, "{}", one.len());
    assert!(one.iter().all(|it| it["interval"].is_null()));

    let many = of(30);
    let with: Vec<_> = many.iter().filter(|it| !it["interval"].is_null()).collect();
    assert!(with.len() > 300, "{}", with.len());
    for it in with {
        let end = |name: &str| it["interval"][name].as_f64().unwrap();
        let value = it["value"].as_f64().unwrap();
        assert!(end("low") < end("high"), "{it}");
        // Not a law of the percentile bootstrap, but so with these.
        assert!(end("low") <= value && value <= end("high"), "{it}");
        assert!(it["n"].as_u64().unwrap() >= 2, "{it}");
    }
}

#[test]
fn a_failed_arm_says_why_and_counts_for_nothing() {
    let mut study = drawn(9, 2, 0);
    study.failed.push(Failed {
        arm: "iterative".to_owned(),
        why: "the model went away".to_owned(),
    });
    study.arms.push(arm_of("idle", "idle", true));
    let findings = analyse(&study).unwrap();
    let names: Vec<_> = findings.pattern_results.iter().map(|it| &it.arm).collect();
    assert_eq!(
        names,
        [
            "sequential",
            "hierarchical",
            "state_machine",
            "voting",
            "single"
        ]
    );
    let failed: Vec<_> = findings
        .failed
        .iter()
        .map(|it| (&*it.arm, &*it.why))
        .collect();
    let expected = [
        ("iterative", "the model went away"),
        ("idle", "it has no trials"),
    ];
    assert_eq!(failed, expected);
    let row = findings
        .course
        .iter()
        .find(|row| row.pattern == "iterative");
    assert_eq!(row.unwrap().inside, None);
    assert_eq!(findings.pairs.len(), 10);
}

#[test]
fn a_study_that_contradicts_itself_is_refused() {
    type Break = fn(&mut Study);
    let cases: [(Break, &str); 11] = [
        (
            |it| it.arms.push(it.arms[0].clone()),
            "there are two arms `sequential`",
        ),
        (
            |it| it.meta.baseline = Some("x".to_owned()),
            "the baseline `x` is none of the arms",
        ),
        (
            |it| it.arms[1].variant.rho = f64::NAN,
            "the correlation of the arm `hierarchical` is not a finite number",
        ),
        (
            |it| it.trials[0].arm = "x".to_owned(),
            "a trial of the task `T-0000` is of the arm `x`, which does not exist",
        ),
        (
            |it| it.trials.push(it.trials[0].clone()),
            "the task `T-0000` of the set `invoice` is there twice under seed `0` of the arm `sequential`",
        ),
        (
            |it| it.trials[0].similarity = f64::NAN,
            "its similarity is `NaN`",
        ),
        (
            |it| it.trials[0].similarity = 1.01,
            "its similarity is `1.01`",
        ),
        (
            |it| it.trials[0].steps[1].parents = vec![1],
            "step `1` saw step `1`, which is not before it",
        ),
        (
            |it| {
                it.trials[0].faults = vec![Fault {
                    step: 3,
                    ..Fault::default()
                }]
            },
            "a fault hit step `3`, and there are `3`",
        ),
        (
            |it| {
                it.trials[0].cascade = Some(Cascade {
                    fault: 7,
                    propagated: vec![],
                })
            },
            "its cascade is of fault `7`, and there are `",
        ),
        (
            |it| {
                it.trials[0].faults = vec![Fault::default()];
                it.trials[0].cascade = Some(Cascade {
                    fault: 0,
                    propagated: vec![2, 1],
                });
            },
            "its cascade names step `1`, which is twice or not in order or none of `3`",
        ),
    ];
    for (break_it, expected) in cases {
        let mut study = drawn(2, 1, 0);
        break_it(&mut study);
        let told = analyse(&study).unwrap_err().to_string();
        assert!(told.contains(expected), "{told}");
    }
}
