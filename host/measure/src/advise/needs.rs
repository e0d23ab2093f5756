//! What is asked of a pattern, and whether what was measured meets it.

use serde::Serialize;

use super::words::Unit;
use crate::findings::{Estimate, Measures};

/// What is asked. Budget, latency and success must be met; the rest are wishes.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Needs {
    /// What a task may cost on average.
    pub budget: Option<Budget>,
    /// What 19 of 20 tasks may take at most (P95). Seconds.
    pub latency_s: Option<f64>,
    /// The least share of right answers, from 0 to 1.
    pub min_success: Option<f64>,
    /// Whether it has to be shown afterwards what was decided, when and why.
    pub audit: bool,
    /// Whether the input is ambiguous.
    pub ambiguous: bool,
    /// Whether there are rules that decide the task.
    pub rules: bool,
    /// Only tasks of this set; all of them without.
    pub set: Option<String>,
}

/// What a task may cost on average. A task is paid for once, right or wrong.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Budget {
    /// As a multiple of the baseline's cost.
    Times(f64),
    /// US dollars.
    Usd(f64),
}

/// What must be met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// The cost of a task.
    Budget,
    /// The 95th percentile of the time a task takes.
    Latency,
    /// The share of right answers.
    MinSuccess,
}

impl Need {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Need::Budget => "budget",
            Need::Latency => "latency",
            Need::MinSuccess => "min-success",
        }
    }
}

/// One need, and what was measured of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judged {
    pub(super) need: Need,
    pub(super) unit: Unit,
    pub(super) asked: f64,
    pub(super) measured: Option<Estimate>,
}

/// Every need that must be met, with what was measured of it.
pub(super) fn judge(needs: &Needs, measures: &Measures) -> Vec<Judged> {
    let cost = &measures.cost;
    let budget = needs.budget.map(|budget| {
        let (unit, asked, measured) = match budget {
            Budget::Times(asked) => (Unit::Times, asked, cost.multiplier),
            Budget::Usd(asked) => (Unit::Usd, asked, cost.per_task_usd),
        };
        Judged {
            need: Need::Budget,
            unit,
            asked,
            measured,
        }
    });
    let latency = needs.latency_s.map(|asked| Judged {
        need: Need::Latency,
        unit: Unit::Seconds,
        asked,
        measured: measures.latency.p95_s,
    });
    let success = needs.min_success.map(|asked| Judged {
        need: Need::MinSuccess,
        unit: Unit::Share,
        asked,
        measured: measures.success,
    });
    [budget, latency, success].into_iter().flatten().collect()
}

impl Judged {
    /// Whether what was measured meets it. What was not measured does not.
    pub(super) fn is_met(&self) -> bool {
        self.measured.is_some_and(|it| self.allows(it.value))
    }

    /// Whether a value would meet it; one that is no number does not.
    fn allows(&self, value: f64) -> bool {
        match self.need {
            Need::Budget | Need::Latency => value <= self.asked,
            Need::MinSuccess => value >= self.asked,
        }
    }

    /// Whether the interval has values that meet it and values that do not.
    fn is_close(&self) -> bool {
        let interval = self.measured.and_then(|it| it.interval);
        interval.is_some_and(|it| self.allows(it.low) != self.allows(it.high))
    }

    /// What was measured beside what is asked, as a sentence's part.
    pub(super) fn told(&self) -> String {
        let what = match self.need {
            Need::Budget => "cost",
            Need::Latency => "P95",
            Need::MinSuccess => "success",
        };
        let asked = self.unit.asked(self.asked);
        let bound = match self.need {
            Need::MinSuccess => "at least",
            _ => "at most",
        };
        let Some(measured) = self.measured else {
            return format!("{what} was not measured; {bound} {asked} asked");
        };
        if self.is_met() {
            let close = if self.is_close() {
                "; its interval reaches beyond that"
            } else {
                ""
            };
            let measured = self.unit.estimate(&measured);
            return format!("{what} {measured}, {bound} {asked} asked{close}");
        }
        let close = if self.is_close() {
            "; its interval reaches that"
        } else {
            ""
        };
        let gap = self.unit.gap(measured.value, self.asked);
        let by = match self.need {
            Need::MinSuccess => format!("{gap} too little"),
            _ => format!("{gap} too much"),
        };
        let value = self.unit.beside(measured.value, self.asked);
        format!("{what} {value}, {bound} {asked} asked: {by}{close}")
    }
}
