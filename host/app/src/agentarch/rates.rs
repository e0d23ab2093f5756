//! How often the simulated model errs, how long it takes and what it costs.
//!
//! The rates are assumptions, published with every report. One number is fitted:
//! [`SCALE`], by which the rates of faults of content are multiplied, so that the
//! sequence of seven stages comes to about 70 %, where the course has it. Nothing
//! else is tuned to the course's table.

use std::collections::BTreeMap;

use hotcell_measure::trial::Price;
use serde_json::{Map, Value};

use super::args::Endpoint;
use super::files::Unit;

/// The one fitted number.
pub(super) const SCALE: f64 = 2.25;

/// How it was found.
pub(super) const FITTED: &str = "Raised from 1 in steps of a quarter until the sequence of seven \
                                 stages came to 70 % or less over 300 tasks and 8 seeds: 84.1, \
                                 80.4, 77.2, 74.9, 71.4, 69.4 %. The other arms had no say.";

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
}

/// Where a unit's answers come from.
#[derive(Clone, Copy)]
pub(super) enum Answers<'a> {
    /// The solver as it is: it never errs, and takes no time.
    Right,
    /// The solver, late and wrong at these rates.
    Simulated(&'a Rates),
    /// A real model; its calls are recorded in a file, if one is named.
    Real(&'a Endpoint, Option<&'a str>),
    /// A recording of this model.
    Recorded(&'a Endpoint, &'a str),
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
        }
    }

    /// How often each fault really happens: those of content are scaled.
    pub(super) fn effective(&self) -> BTreeMap<String, f64> {
        let of = |(name, rate): (&&str, &f64)| {
            let rate = match CONTENT.contains(name) {
                // Rounded: what is shown is not the product's last bit.
                true => ((rate * self.scale).min(1.0) * 1e9).round() / 1e9,
                false => *rate,
            };
            ((*name).to_owned(), rate)
        };
        self.faults.iter().map(of).collect()
    }
}

/// Faults of what an answer says: the first three are drawn for each stage of work that
/// the answer stands for, everything else once for each call.
const CONTENT: [&str; 5] = [
    "hallucination",
    "flip",
    "omission",
    "malformed_json",
    "wrong_tool",
];

/// How long a call of a real model may take: the course's task timeout.
const REAL_TIMEOUT_MS: u64 = 60_000;

/// The host file of a unit. `work` says for how many stages of work each form stands.
pub(super) fn host(unit: &Unit<'_>, answers: Answers<'_>, work: &Map<String, Value>) -> String {
    let mut lines = vec![
        "# Made by `hotcell bench agentarch`.".to_owned(),
        "[models.default]".to_owned(),
    ];
    let solver = format!(
        "plugin = {}",
        text(&format!("{}/reference-solver", unit.plugins))
    );
    match answers {
        Answers::Right => {
            lines.extend(["provider = \"plugin\"".to_owned(), solver]);
            lines.push(price(Price::default()));
        }
        Answers::Simulated(rates) => {
            lines.extend(["provider = \"sim\"".to_owned(), solver]);
            lines.push(format!("seed = {}", unit.fault_seed));
            lines.push(format!("timeout_ms = {CALL_TIMEOUT_MS}"));
            lines.push(price(rates.price));
            lines.push("\n[models.default.faults]".to_owned());
            let rate = |(name, rate): (&&str, &f64)| format!("{name} = {rate:?}");
            lines.extend(rates.faults.iter().map(rate));
            lines.push(format!("scale = {:?}", rates.scale));
            lines.push(format!("correlation = {:?}", unit.arm.variant.rho));
            lines.push("slow_tail_factor = 4.0".to_owned());
            lines.push(format!("latency_p50_ms = {P50_MS}"));
            lines.push(format!("latency_p95_ms = {P95_MS}"));
            lines.push("\n# For how many stages of work the answer to a form stands.".to_owned());
            lines.push("[models.default.faults.work]".to_owned());
            lines.extend(
                work.iter()
                    .map(|(title, stages)| format!("{} = {stages}", text(title))),
            );
        }
        Answers::Real(endpoint, record) => {
            lines.push(format!("provider = {}", text(endpoint.protocol)));
            lines.push(format!("base_url = {}", text(&endpoint.base_url)));
            lines.push(format!("model = {}", text(&endpoint.name)));
            if let Some(variable) = &endpoint.key {
                lines.push(format!("api_key = {{ env = {} }}", text(variable)));
            }
            lines.push(format!("timeout_ms = {REAL_TIMEOUT_MS}"));
            lines.push(price(endpoint.price));
            lines.extend(record.map(|file| format!("record = {}", text(file))));
        }
        Answers::Recorded(endpoint, file) => {
            lines.push("provider = \"replay\"".to_owned());
            lines.push(format!("file = {}", text(file)));
            lines.push(price(endpoint.price));
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

fn price(price: Price) -> String {
    let Price {
        input_micros_per_mtok: input,
        output_micros_per_mtok: output,
    } = price;
    format!("price = {{ input_micros_per_mtok = {input}, output_micros_per_mtok = {output} }}")
}

/// A TOML string: JSON's are TOML's.
fn text(text: &str) -> String {
    Value::from(text).to_string()
}
