//! The rates and times of a fault model, and what they may not be.

use std::collections::BTreeMap;
use std::f64::consts::TAU;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::draws::Key;
use super::log::Fault;

/// The 95th percentile of the standard normal distribution.
const Z95: f64 = 1.644_853_626_951_472_2;

/// The most stages that one answer can stand for.
const MOST_STAGES: u32 = 64;

/// How often each fault happens. All rates are per call, from 0 to 1; what is
/// not given does not happen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FaultModel {
    /// A value is replaced by a plausible wrong one.
    pub hallucination: f64,
    /// A boolean, or a value for which the schema lists others, changes.
    pub flip: f64,
    /// A field or an array's element is missing.
    pub omission: f64,
    /// A tool is called that was not offered.
    pub wrong_tool: f64,
    /// The text is cut or loses its last bracket, so that it does not parse.
    pub malformed_json: f64,
    /// The provider is busy.
    pub rate_limited: f64,
    /// After how many milliseconds a busy provider wants to be asked again.
    pub retry_after_ms: u32,
    /// The provider is down.
    pub unavailable: f64,
    /// No answer comes within any deadline.
    pub timeout: f64,
    /// The answer takes `slow_tail_factor` times as long.
    pub slow_tail: f64,
    /// 1 or more.
    pub slow_tail_factor: f64,
    /// An array of more items than this, anywhere in the conversation, is more
    /// than the model takes. Not drawn.
    pub context_items: usize,
    /// How strongly the content faults of two callers correlate who ask the same
    /// question about the same task: with probability √`correlation` a call draws
    /// them by the question instead of by the call. The rates stay what they are.
    pub correlation: f64,
    /// How many stages of work an answer stands for, by the `title` of the JSON
    /// schema it was asked for: 1 to 64, and 1 for what is not named. Hallucination,
    /// flip and omission are drawn once for each of them.
    pub work: BTreeMap<String, u32>,
    /// The rates of all faults of content are multiplied by this, to at most 1.
    pub scale: f64,
    /// Half of the answers take no longer than this; 0 for no time at all.
    pub latency_p50_ms: u64,
    /// 95 of 100 answers take no longer than this.
    pub latency_p95_ms: u64,
}

impl Default for FaultModel {
    fn default() -> FaultModel {
        FaultModel {
            hallucination: 0.0,
            flip: 0.0,
            omission: 0.0,
            wrong_tool: 0.0,
            malformed_json: 0.0,
            rate_limited: 0.0,
            retry_after_ms: 1000,
            unavailable: 0.0,
            timeout: 0.0,
            slow_tail: 0.0,
            slow_tail_factor: 10.0,
            context_items: 100,
            correlation: 0.0,
            work: BTreeMap::new(),
            scale: 1.0,
            latency_p50_ms: 0,
            latency_p95_ms: 0,
        }
    }
}

/// A field of a fault model that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {problem}")]
pub struct FaultModelError {
    /// Which one.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl FaultModel {
    /// Refuses rates that are none and latencies that contradict one another,
    /// naming the field.
    pub fn check(&self) -> Result<(), FaultModelError> {
        let rates = [
            ("hallucination", self.hallucination),
            ("flip", self.flip),
            ("omission", self.omission),
            ("wrong_tool", self.wrong_tool),
            ("malformed_json", self.malformed_json),
            ("rate_limited", self.rate_limited),
            ("unavailable", self.unavailable),
            ("timeout", self.timeout),
            ("slow_tail", self.slow_tail),
            ("correlation", self.correlation),
        ];
        let wrong = |field, problem| Err(FaultModelError { field, problem });
        for (field, rate) in rates {
            if !(0.0..=1.0).contains(&rate) {
                return wrong(field, "is not a rate from 0 to 1");
            }
        }
        if !(self.slow_tail_factor >= 1.0 && self.slow_tail_factor.is_finite()) {
            return wrong("slow_tail_factor", "is not a number from 1 upwards");
        }
        if !(self.scale >= 0.0 && self.scale.is_finite()) {
            return wrong("scale", "is not a number from 0 upwards");
        }
        if !self.work.values().all(|n| (1..=MOST_STAGES).contains(n)) {
            return wrong("work", "holds a number of stages that is not 1 to 64");
        }
        if self.latency_p95_ms < self.latency_p50_ms {
            return wrong("latency_p95_ms", "is below `latency_p50_ms`");
        }
        if self.latency_p50_ms == 0 && self.latency_p95_ms > 0 {
            return wrong("latency_p50_ms", "is 0 although `latency_p95_ms` is not");
        }
        Ok(())
    }

    /// How often each fault is drawn for a call that stands for one stage of work, by
    /// its name in reports.
    pub fn rates(&self) -> [(Fault, f64); 9] {
        [
            (Fault::Hallucination, self.scaled(self.hallucination)),
            (Fault::Flip, self.scaled(self.flip)),
            (Fault::Omission, self.scaled(self.omission)),
            (Fault::WrongTool, self.scaled(self.wrong_tool)),
            (Fault::MalformedJson, self.scaled(self.malformed_json)),
            (Fault::RateLimited, self.rate_limited),
            (Fault::Unavailable, self.unavailable),
            (Fault::Timeout, self.timeout),
            (Fault::SlowTail, self.slow_tail),
        ]
    }

    /// The rate of a fault of content.
    pub(super) fn scaled(&self, rate: f64) -> f64 {
        (rate * self.scale).min(1.0)
    }

    /// How many stages of work an answer in this form stands for.
    pub(super) fn stages(&self, form: Option<&Value>) -> u32 {
        let title = form.and_then(|form| form.get("title")?.as_str());
        let stages = title.and_then(|title| self.work.get(title));
        stages.copied().unwrap_or(1)
    }

    /// How long a call takes, before the slow tail.
    pub(super) fn latency(&self, key: &Key) -> Duration {
        if self.latency_p50_ms == 0 {
            return Duration::ZERO;
        }
        let (p50, p95) = (self.latency_p50_ms as f64, self.latency_p95_ms as f64);
        let sigma = (p95 / p50).ln() / Z95;
        // Box and Muller's way from two even draws to a normal one. The first is
        // taken from 1, so that its logarithm exists.
        let radius = (-2.0 * (1.0 - key.unit("latency radius")).ln()).sqrt();
        let normal = radius * (TAU * key.unit("latency angle")).cos();
        Duration::from_millis((p50 * (sigma * normal).exp()).round() as u64)
    }
}

/// A duration made longer, rounded to milliseconds.
pub(super) fn times(duration: Duration, factor: f64) -> Duration {
    Duration::from_millis((duration.as_millis() as f64 * factor).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_rate_that_is_none_is_refused_by_name() {
        type Set = fn(&mut FaultModel, f64);
        let set: [(&str, Set); 10] = [
            ("hallucination", |m, v| m.hallucination = v),
            ("flip", |m, v| m.flip = v),
            ("omission", |m, v| m.omission = v),
            ("wrong_tool", |m, v| m.wrong_tool = v),
            ("malformed_json", |m, v| m.malformed_json = v),
            ("rate_limited", |m, v| m.rate_limited = v),
            ("unavailable", |m, v| m.unavailable = v),
            ("timeout", |m, v| m.timeout = v),
            ("slow_tail", |m, v| m.slow_tail = v),
            ("correlation", |m, v| m.correlation = v),
        ];
        for (field, set) in set {
            for (value, good) in [
                (0.0, true),
                (0.5, true),
                (1.0, true),
                (-0.1, false),
                (1.1, false),
                (f64::NAN, false),
                (f64::INFINITY, false),
            ] {
                let mut model = FaultModel::default();
                set(&mut model, value);
                let refused = model.check().err();
                assert_eq!(refused.is_none(), good, "{field} {value}");
                assert!(refused.is_none_or(|error| error.field == field));
            }
        }
    }

    #[test]
    fn times_that_cannot_be_are_refused() {
        let model = |p50, p95, factor| FaultModel {
            latency_p50_ms: p50,
            latency_p95_ms: p95,
            slow_tail_factor: factor,
            ..FaultModel::default()
        };
        let refused = |model: FaultModel| model.check().unwrap_err().to_string();
        assert_eq!(
            refused(model(2, 1, 1.0)),
            "`latency_p95_ms` is below `latency_p50_ms`"
        );
        assert_eq!(
            refused(model(0, 1, 1.0)),
            "`latency_p50_ms` is 0 although `latency_p95_ms` is not"
        );
        for factor in [0.9, f64::NAN, f64::INFINITY] {
            let text = "`slow_tail_factor` is not a number from 1 upwards";
            assert_eq!(refused(model(1, 1, factor)), text);
        }
        assert_eq!(model(1, 1, 1.0).check(), Ok(()));
    }

    #[test]
    fn a_scale_and_stages_that_cannot_be_are_refused() {
        let scaled = |scale| FaultModel {
            scale,
            ..FaultModel::default()
        };
        for scale in [-0.1, f64::NAN, f64::INFINITY] {
            let error = scaled(scale).check().unwrap_err();
            assert_eq!(error.to_string(), "`scale` is not a number from 0 upwards");
        }
        for (scale, rate) in [(0.0, 0.0), (1.0, 0.3), (2.0, 0.6), (7.0, 1.0)] {
            assert_eq!(scaled(scale).check(), Ok(()));
            assert_eq!(scaled(scale).scaled(0.3), rate);
        }
        for (stages, good) in [(0, false), (1, true), (64, true), (65, false)] {
            let work = [("one".to_owned(), 1), ("whole".to_owned(), stages)];
            let model = FaultModel {
                work: work.into(),
                ..FaultModel::default()
            };
            let refused = model.check().err();
            assert_eq!(refused.is_none(), good, "{stages}");
            assert!(refused.is_none_or(|error| error.field == "work"));
        }
    }

    #[test]
    fn the_title_of_a_form_says_how_much_work_it_stands_for() {
        let model = FaultModel {
            work: [("whole".to_owned(), 7)].into(),
            ..FaultModel::default()
        };
        let table = [
            (None, 1),
            (Some(json!({ "title": "whole" })), 7),
            (Some(json!({ "title": "other" })), 1),
            (Some(json!({ "title": 7 })), 1),
            (Some(json!({ "properties": { "title": "whole" } })), 1),
        ];
        for (form, stages) in table {
            assert_eq!(model.stages(form.as_ref()), stages, "{form:?}");
        }
    }

    #[test]
    fn an_unknown_fault_is_not_overlooked() {
        let error = serde_json::from_str::<FaultModel>(r#"{"halucination":0.1}"#).unwrap_err();
        assert!(error.to_string().contains("unknown field `halucination`"));
        let model: FaultModel = serde_json::from_str(r#"{"hallucination":1}"#).unwrap();
        let expected = FaultModel {
            hallucination: 1.0,
            ..FaultModel::default()
        };
        assert_eq!(model, expected);
    }

    #[test]
    fn latencies_have_the_percentiles_that_were_asked_for() {
        let model = FaultModel {
            latency_p50_ms: 4000,
            latency_p95_ms: 6000,
            ..FaultModel::default()
        };
        let key = |n: u64| Key::of(|fields| fields.number(n));
        let mut all: Vec<_> = (0..10_000).map(|n| model.latency(&key(n))).collect();
        all.sort();
        for (at, ms) in [(5000, 4000.0), (9500, 6000.0)] {
            let measured = all[at].as_secs_f64() * 1000.0;
            assert!((measured / ms - 1.0).abs() < 0.02, "{measured} for {ms}");
        }
    }

    #[test]
    fn equal_percentiles_make_a_constant() {
        let model = FaultModel {
            latency_p50_ms: 70,
            latency_p95_ms: 70,
            ..FaultModel::default()
        };
        let key = Key::of(|fields| fields.number(1));
        assert_eq!(model.latency(&key), Duration::from_millis(70));
        assert_eq!(times(model.latency(&key), 2.5), Duration::from_millis(175));
    }
}
