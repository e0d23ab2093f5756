//! What an evaluation must come to, so that a pipeline can stop on it. Each gate is
//! judged for every arm, by what was measured; whether that is sure is said beside
//! it. Pure.

use clap::Args;
use hotcell_measure::Findings;
use hotcell_measure::findings::{ArmFindings, Check, Estimate, Interval};

#[derive(Args)]
pub(crate) struct Gates {
    /// Exit with 9 unless every workflow is right on this share of its trials, such as
    /// 0.8
    #[arg(long, value_name = "SHARE", value_parser = share)]
    min_success: Option<f64>,
    /// Exit with 9 if a workflow takes longer than this for one task of twenty, such
    /// as 12s or 800ms
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    max_p95: Option<f64>,
    /// Exit with 9 if a workflow costs more than so many US dollars a task
    #[arg(long, value_name = "USD", value_parser = dollars)]
    max_cost: Option<f64>,
}

fn number(text: &str) -> Option<f64> {
    let number = text.parse().ok();
    number.filter(|it: &f64| it.is_finite() && *it >= 0.0)
}

fn share(text: &str) -> Result<f64, String> {
    let share = number(text).filter(|it| *it <= 1.0);
    share.ok_or_else(|| "write a share from 0 to 1, such as 0.8".to_owned())
}

fn dollars(text: &str) -> Result<f64, String> {
    number(text).ok_or_else(|| "write US dollars, such as 0.05".to_owned())
}

/// `12`, `12s`, `800ms` or `2m`.
fn seconds(text: &str) -> Result<f64, String> {
    let units = [("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("", 1.0)];
    let mut parsed = units.iter().filter_map(|(unit, size)| {
        let count = number(text.strip_suffix(unit)?)?;
        Some(count * size)
    });
    let first = parsed.next();
    first.ok_or_else(|| "write a time such as 12s, 800ms or 2m".to_owned())
}

/// What is measured, and what is asked of it.
struct Gate {
    name: &'static str,
    asked: f64,
    /// Whether more is better.
    least: bool,
    of: fn(&ArmFindings) -> Option<Estimate>,
    show: fn(f64) -> String,
    /// What is asked, after the arm's name.
    text: &'static str,
}

impl Gates {
    fn list(&self) -> Vec<Gate> {
        let success = self.min_success.map(|asked| Gate {
            name: "min-success",
            asked,
            least: true,
            of: success,
            show: |share| format!("{:.1} %", share * 100.0),
            text: "is right on at least",
        });
        let p95 = self.max_p95.map(|asked| Gate {
            name: "max-p95",
            asked,
            least: false,
            of: |arm| arm.overall.latency.p95_s,
            show: |seconds| format!("{seconds:.3} s"),
            text: "takes, for 19 tasks of 20, at most",
        });
        let cost = self.max_cost.map(|asked| Gate {
            name: "max-cost",
            asked,
            least: false,
            of: |arm| arm.overall.cost.per_task_usd,
            show: |usd| format!("{usd:.6} USD"),
            text: "costs a task at most",
        });
        [success, p95, cost].into_iter().flatten().collect()
    }

    /// Adds to the findings whether each gate is met by each arm.
    pub(super) fn judge(&self, findings: &mut Findings) {
        let mut checks = Vec::new();
        for gate in self.list() {
            let arms = findings.pattern_results.iter();
            checks.extend(arms.map(|arm| gate.judge(arm)));
        }
        findings.checks = checks;
    }
}

/// Success; where all draws gave the same, with Wilson's interval.
pub(super) fn success(arm: &ArmFindings) -> Option<Estimate> {
    let success = arm.overall.success?;
    Some(Estimate {
        interval: success.interval.or(arm.overall.success_wilson),
        ..success
    })
}

impl Gate {
    fn judge(&self, arm: &ArmFindings) -> Check {
        /// Less than one task of a hundred million: what a division leaves.
        const SLACK: f64 = 1e-9;
        let found = (self.of)(arm);
        let holds = found.map(|found| match self.least {
            true => found.value >= self.asked - SLACK,
            false => found.value <= self.asked + SLACK,
        });
        let straddles = |it: Interval| it.low < self.asked && self.asked < it.high;
        let interval = found.and_then(|found| found.interval);
        let note = interval.filter(|it| straddles(*it)).map(|_| {
            "the interval straddles the gate: chance alone could decide it, more tasks would tell"
                .to_owned()
        });
        Check {
            id: format!("{}:{}", arm.arm, self.name),
            acceptance: false,
            text: format!("`{}` {} {}", arm.arm, self.text, (self.show)(self.asked)),
            holds,
            measured: match found {
                None => "nothing was measured".to_owned(),
                Some(found) => self.measured(found),
            },
            note,
            execution_time_s: None,
        }
    }

    /// The number, and its interval if it has one.
    fn measured(&self, found: Estimate) -> String {
        let value = (self.show)(found.value);
        match found.interval {
            None => format!("{value}, without an interval: fewer than two tasks, or all alike"),
            Some(it) => format!(
                "{value}, 95 % interval {} to {}",
                (self.show)(it.low),
                (self.show)(it.high)
            ),
        }
    }
}

/// Whether all gates are met.
pub(super) fn met(findings: &Findings) -> bool {
    findings
        .checks
        .iter()
        .all(|check| check.holds == Some(true))
}

/// A line for each gate that is not met.
pub(super) fn unmet(findings: &Findings) -> Vec<String> {
    let unmet = findings.checks.iter().filter(|it| it.holds != Some(true));
    unmet
        .map(|it| format!("gate not met: {}; measured: {}", it.text, measured(it)))
        .collect()
}

/// What was measured, and how sure that is.
pub(super) fn measured(check: &Check) -> String {
    match &check.note {
        Some(note) => format!("{}; {note}", check.measured),
        None => check.measured.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(value: f64, low: f64, high: f64) -> Option<Estimate> {
        Some(Estimate {
            value,
            interval: Some(Interval { low, high }),
            n: 10,
        })
    }

    /// One arm: 80 % right, 12 s, 0.05 USD.
    fn findings() -> Findings {
        let mut arm = ArmFindings {
            arm: "fraud".to_owned(),
            ..ArmFindings::default()
        };
        arm.overall.success = estimate(0.8, 0.7, 0.9);
        arm.overall.latency.p95_s = estimate(12.0, 11.0, 13.0);
        arm.overall.cost.per_task_usd = estimate(0.05, 0.04, 0.06);
        Findings {
            pattern_results: vec![arm],
            ..Findings::default()
        }
    }

    fn gates(min_success: Option<f64>, max_p95: Option<f64>, max_cost: Option<f64>) -> Gates {
        Gates {
            min_success,
            max_p95,
            max_cost,
        }
    }

    #[test]
    fn a_gate_is_judged_by_the_value_and_told_with_its_doubt() {
        // What is asked, whether it is met, whether the interval straddles it.
        let table = [
            (gates(Some(0.8), None, None), true, true),
            (gates(Some(0.81), None, None), false, true),
            (gates(Some(0.79), None, None), true, true),
            (gates(Some(0.7), None, None), true, false),
            (gates(Some(0.95), None, None), false, false),
            (gates(None, Some(12.0), None), true, true),
            (gates(None, Some(11.9), None), false, true),
            (gates(None, Some(10.0), None), false, false),
            (gates(None, Some(14.0), None), true, false),
            (gates(None, None, Some(0.05)), true, true),
            (gates(None, None, Some(0.049)), false, true),
            (gates(None, None, Some(0.07)), true, false),
        ];
        for (gates, holds, straddles) in table {
            let mut findings = findings();
            gates.judge(&mut findings);
            let [check] = &findings.checks[..] else {
                panic!("{:?}", findings.checks)
            };
            assert_eq!(check.holds, Some(holds), "{check:?}");
            assert_eq!(check.note.is_some(), straddles, "{check:?}");
            assert_eq!(met(&findings), holds);
            assert_eq!(unmet(&findings).len(), usize::from(!holds));
        }
    }

    #[test]
    fn an_unmet_gate_is_told_with_arm_measure_interval_and_gate() {
        let mut findings = findings();
        gates(Some(0.85), Some(1.0), Some(0.01)).judge(&mut findings);
        let expected = [
            "gate not met: `fraud` is right on at least 85.0 %; measured: 80.0 %, 95 % interval \
             70.0 % to 90.0 %; the interval straddles the gate: chance alone could decide it, more \
             tasks would tell",
            "gate not met: `fraud` takes, for 19 tasks of 20, at most 1.000 s; measured: 12.000 s, \
             95 % interval 11.000 s to 13.000 s",
            "gate not met: `fraud` costs a task at most 0.010000 USD; measured: 0.050000 USD, 95 % \
             interval 0.040000 USD to 0.060000 USD",
        ];
        assert_eq!(unmet(&findings), expected);
    }

    #[test]
    fn nothing_measured_meets_no_gate_and_no_gate_is_always_met() {
        let nothing = || Findings {
            pattern_results: vec![ArmFindings::default()],
            ..Findings::default()
        };
        let mut asked = nothing();
        gates(Some(0.0), None, None).judge(&mut asked);
        assert!(!met(&asked));
        let mut unasked = nothing();
        gates(None, None, None).judge(&mut unasked);
        assert!(met(&unasked));
    }

    #[test]
    fn all_right_has_wilsons_interval() {
        let mut findings = findings();
        let all = &mut findings.pattern_results[0].overall;
        all.success = Some(Estimate {
            value: 1.0,
            interval: None,
            n: 10,
        });
        all.success_wilson = Some(Interval {
            low: 0.72,
            high: 1.0,
        });
        gates(Some(0.9), None, None).judge(&mut findings);
        assert_eq!(findings.checks[0].holds, Some(true));
        assert!(findings.checks[0].note.is_some());
    }

    #[test]
    fn what_a_gate_asks_is_read() {
        let times = [
            ("12s", Some(12.0)),
            ("12", Some(12.0)),
            ("800ms", Some(0.8)),
            ("2m", Some(120.0)),
            ("0.5s", Some(0.5)),
            ("-1s", None),
            ("s", None),
            ("1h", None),
            ("NaN", None),
            ("inf", None),
        ];
        for (text, expected) in times {
            let found = seconds(text).ok();
            let same = match (found, expected) {
                (Some(found), Some(expected)) => (found - expected).abs() < 1e-12,
                (found, expected) => found == expected,
            };
            assert!(same, "{text}: {found:?}");
        }
        let shares = ["0", "0.8", "1"].map(|text| share(text).is_ok());
        assert_eq!(shares, [true; 3]);
        let none = ["1.1", "80%", "-0.1", "NaN", ""].map(|text| share(text).is_ok());
        assert_eq!(none, [false; 5]);
        assert!(dollars("0.05").is_ok() && dollars("$1").is_err());
    }
}
