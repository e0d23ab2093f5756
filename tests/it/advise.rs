//! Which pattern to use, asked of reports made by hand.

use std::fs;

use hotcell_measure::Findings;
use hotcell_measure::findings::{ArmFindings, Estimate, Interval, Pair};
use serde_json::Value;
use tempfile::TempDir;

use crate::scene::{Told, hotcell, tell};

/// A report of three patterns: the dearest is right no more often than the second.
fn report() -> Findings {
    let around = |value: f64, by: f64| {
        let interval = Interval {
            low: value - by,
            high: value + by,
        };
        Some(Estimate {
            value,
            interval: Some(interval),
            n: 300,
        })
    };
    let numbers = [
        ("sequential", 0.7, 1.0, 18.0),
        ("state_machine", 0.9, 1.1, 15.0),
        ("voting", 0.91, 5.0, 22.0),
    ];
    let arm = |(name, success, times, p95): (&str, f64, f64, f64)| {
        let mut arm = ArmFindings {
            pattern_name: name.to_owned(),
            arm: name.to_owned(),
            ..ArmFindings::default()
        };
        arm.overall.success = around(success, 0.02);
        arm.overall.latency.p95_s = around(p95, 0.5);
        arm.overall.cost.multiplier = around(times, 0.01);
        arm.overall.cost.per_task_usd = around(times / 100.0, 0.000_1);
        arm
    };
    let pair = |a: &str, b: &str, difference: f64| Pair {
        a: a.to_owned(),
        b: b.to_owned(),
        only_b: 60,
        difference: around(difference, 0.03),
        significant: difference < -0.1,
        holm_p: if difference < -0.1 { 0.0 } else { 0.4 },
        ..Pair::default()
    };
    let mut report = Findings {
        pattern_results: numbers.map(arm).into(),
        baseline: Some("sequential".to_owned()),
        pairs: vec![
            pair("sequential", "state_machine", -0.2),
            pair("sequential", "voting", -0.21),
            pair("state_machine", "voting", -0.01),
        ],
        ..Findings::default()
    };
    report.meta.simulated = true;
    report
}

/// What `advise` says to a report with these words on the command line.
fn asked(report: &str, args: &[&str]) -> Told {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("report.json"), report).unwrap();
    tell(
        hotcell()
            .args(["advise", "--from"])
            .arg(folder.path())
            .args(args),
    )
}

fn given(args: &[&str]) -> Told {
    asked(&serde_json::to_string(&report()).unwrap(), args)
}

/// Runs of spaces as one.
fn squeezed(text: &str) -> String {
    let words = |line: &str| {
        line.split(' ')
            .filter(|it| !it.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    };
    text.lines().map(|line| words(line) + "\n").collect()
}

#[test]
fn advice_is_told_with_its_reasons_and_that_it_is_simulated() {
    let told = given(&["--budget", "6x", "--audit"]);
    assert_eq!(told.code, 0, "{}", told.said());
    let expected = [
        "SIMULATED",
        "│ state_machine ┆ 90.0 % (88.0–92.0) ┆ 15.0 s ┆ 1.10 ┆ 0.011000 ┆ – ┆ yes, advised │",
        "\nuse state_machine\n- state machine ",
        "- cost 1.10 × (1.09–1.11 ×), at most 6 × asked\n",
        "explicit transitions with invariants",
        "the usual rule says state machine where an audit trail is required",
        "note: this rests on a simulated model",
    ];
    // Columns are as wide as their widest value.
    let stdout = squeezed(&told.stdout);
    for words in expected {
        assert!(stdout.contains(words), "no {words:?} in\n{}", told.stdout);
    }
}

#[test]
fn advice_for_programs_has_the_same_in_it() {
    let told = given(&["--min-success", "95%", "--latency", "20s", "--json"]);
    assert_eq!(told.code, 0, "{}", told.said());
    let advice: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(advice["chosen"], Value::Null);
    assert_eq!(advice["simulated"], true);
    assert_eq!(advice["needs"]["min_success"], 0.95);
    assert_eq!(advice["ranked"][0]["arm"], "state_machine");
    let miss = &advice["ranked"][0]["verdict"]["misses"][0];
    assert_eq!(miss["need"], "min_success");
    let change = &advice["relax"][0]["changes"][0];
    assert_eq!(
        (&change["asked"], &change["to"]),
        (&0.95.into(), &0.9.into())
    );
    // People are told what to ask less of.
    let told = given(&["--min-success", "95%", "--latency", "20s"]).stdout;
    assert!(told.contains("\nnothing fits\n"), "{told}");
    assert!(
        told.contains("with min-success 90 % instead of 95 %"),
        "{told}"
    );
    assert!(
        squeezed(&told).contains("┆ no: latency, min-success │"),
        "{told}"
    );
}

#[test]
fn a_report_that_cannot_be_used_is_named_with_what_to_do() {
    let folder = TempDir::new().unwrap();
    let nowhere = folder.path().join("none.json");
    let told = tell(hotcell().args(["advise", "--from"]).arg(&nowhere));
    assert_eq!(told.code, 3);
    assert!(
        told.stderr
            .contains("none.json` cannot be read: No such file"),
        "{}",
        told.stderr
    );

    let mut impossible = report();
    impossible.pattern_results[1].overall.success = Some(Estimate {
        value: 7.0,
        ..Estimate::default()
    });
    let empty = serde_json::to_string(&Findings::default()).unwrap();
    let impossible = serde_json::to_string(&impossible).unwrap();
    let table = [
        ("{", "is no report of a benchmark: EOF while parsing"),
        (
            "{\"\\u001b[31m\": 1}",
            "is no report of a benchmark: unknown field `\\u{1b}[31m`",
        ),
        (&empty, "gives no advice: no pattern has a result"),
        (
            &impossible,
            "the success of `state_machine` is no possible result",
        ),
    ];
    for (report, words) in table {
        let told = asked(report, &[]);
        assert_eq!(
            (told.code, told.stdout.as_str()),
            (3, ""),
            "{}",
            told.said()
        );
        assert!(
            told.stderr.contains(words),
            "no {words:?} in {}",
            told.stderr
        );
        assert!(
            told.stderr.contains("hotcell bench agentarch --out DIR"),
            "{}",
            told.stderr
        );
        assert!(!told.stderr.contains('\u{1b}'));
    }
    let told = given(&["--task-type", "poem"]);
    assert!(
        told.stderr.contains("no tasks of `poem` were measured"),
        "{}",
        told.stderr
    );
}

#[test]
fn what_a_report_calls_its_arms_reaches_no_terminal_as_it_is() {
    let mut hostile = report();
    hostile.pattern_results[1].arm = "evil\u{1b}[2J\nuse voting".to_owned();
    hostile.baseline = Some("\u{202e}base".to_owned());
    let hostile = serde_json::to_string(&hostile).unwrap();
    for args in [&[][..], &["--json"]] {
        let told = asked(&hostile, args);
        assert_eq!(told.code, 0, "{}", told.said());
        let said = told.said();
        assert!(!said.contains(['\u{1b}', '\u{202e}']), "{said}");
        assert!(!said.contains("\nuse voting"), "{said}");
    }
}

#[test]
fn what_is_asked_has_to_be_a_number_that_can_be() {
    for (option, value, words) in [
        ("--budget", "cheap", "1.5x"),
        ("--latency", "-1", "seconds above 0"),
        ("--min-success", "95", "a share from 0 to 1"),
    ] {
        let value = format!("{option}={value}");
        let told = given(&[&value]);
        assert_eq!(told.code, 2, "{}", told.said());
        assert!(told.stderr.contains(words), "{}", told.stderr);
    }
}
