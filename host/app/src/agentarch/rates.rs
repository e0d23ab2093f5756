//! How often the simulated model errs, how long it takes and what it costs.
//!
//! The rates are assumptions, published with every report. One number is fitted:
//! [`SCALE`], by which the rates of faults of content are multiplied, so that the
//! sequence of seven stages comes to about 70 %, where the course has it. Nothing
//! else is tuned to the course's table.

use std::collections::BTreeMap;

use hotcell_measure::trial::Price;
use serde_json::{Map, Value};

use super::files::Unit;

/// The one fitted number, and how it was found: see `Rates`.
pub(super) const SCALE: f64 = 1.0;

/// What one trial may take, in microseconds, on the simulated clock: the course's
/// task timeout of 60 seconds.
pub(super) const TIMEOUT_MICROS: u64 = 60_000_000;

/// How long one call may take: the course's agent timeout of 10 seconds.
const CALL_TIMEOUT_MS: u64 = 10_000;

/// Half of the calls take no longer than a seventh of the 12 seconds that the
/// course has for a sequence, and 95 of 100 no longer than 4 seconds.
const P50_MS: u64 = 1_700;
const P95_MS: u64 = 4_000;

/// What the simulator does wrong, and how often.
#[derive(Clone, Debug)]
pub(super) struct Rates {
    pub(super) faults: BTreeMap<&'static str, f64>,
    pub(super) scale: f64,
    pub(super) price: Price,
    pub(super) has_latency: bool,
}

impl Rates {
    /// The published rates, for each stage of work or each call.
    pub(super) fn published(price: Price, scale: f64) -> Rates {
        let faults = [
            ("hallucination", 0.03),
            ("flip", 0.01),
            ("omission", 0.01),
            ("malformed_json", 0.01),
            ("wrong_tool", 0.01),
            ("rate_limited", 0.01),
            ("unavailable", 0.005),
            ("timeout", 0.002),
            ("slow_tail", 0.02),
        ];
        Rates {
            faults: BTreeMap::from(faults),
            scale,
            price,
            has_latency: true,
        }
    }

    /// A model that never errs, and takes no time.
    pub(super) fn none() -> Rates {
        Rates {
            faults: BTreeMap::new(),
            scale: 1.0,
            price: Price::default(),
            has_latency: false,
        }
    }

    /// The host file of this unit.
    pub(super) fn host(&self, unit: &Unit<'_>, work: &Map<String, Value>) -> String {
        let mut lines = vec![
            "# Made by `hotcell bench agentarch`: a simulated model.".to_owned(),
            "[models.default]".to_owned(),
            "provider = \"sim\"".to_owned(),
            format!(
                "plugin = {}",
                text(&format!("{}/reference-solver", unit.plugins))
            ),
            format!("seed = {}", unit.fault_seed),
            format!("timeout_ms = {CALL_TIMEOUT_MS}"),
            format!(
                "price = {{ input_micros_per_mtok = {}, output_micros_per_mtok = {} }}",
                self.price.input_micros_per_mtok, self.price.output_micros_per_mtok
            ),
            String::new(),
            "[models.default.faults]".to_owned(),
        ];
        lines.extend(
            self.faults
                .iter()
                .map(|(name, rate)| format!("{name} = {rate:?}")),
        );
        lines.push(format!("scale = {:?}", self.scale));
        lines.push(format!("correlation = {:?}", unit.arm.variant.rho));
        if self.has_latency {
            lines.push("slow_tail_factor = 4.0".to_owned());
            lines.push(format!("latency_p50_ms = {P50_MS}"));
            lines.push(format!("latency_p95_ms = {P95_MS}"));
        }
        lines.push(String::new());
        lines.push("# How many stages of work the answer to a form stands for.".to_owned());
        lines.push("[models.default.faults.work]".to_owned());
        lines.extend(
            work.iter()
                .map(|(title, stages)| format!("{} = {stages}", text(title))),
        );
        lines.push(String::new());
        lines.join("\n")
    }
}

/// A TOML string: JSON's are TOML's.
fn text(text: &str) -> String {
    Value::from(text).to_string()
}
