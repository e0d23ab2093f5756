//! Numbers as the text that Prometheus reads.

use std::fmt;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::sample::{Metric, Samples};

type Labels = Vec<(String, String)>;

/// The page. Metrics without a number are left out.
pub(crate) fn render(samples: &Samples) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    for metric in Metric::ALL {
        let described = metric.described();
        let of = samples.list.iter().filter(|it| it.metric == metric);
        let of: Vec<(Labels, f64)> = of
            .map(|sample| {
                let label =
                    |(name, value): &(&str, String)| (name.replace('.', "_"), value.clone());
                (sample.labels.iter().map(label).collect(), sample.value)
            })
            .collect();
        if of.is_empty() {
            continue;
        }
        if described.bounds.is_empty() {
            let family = Family::<Labels, Counter>::default();
            for (labels, value) in of {
                family.get_or_create(&labels).inc_by(value as u64);
            }
            registry.register(described.page, described.help, family);
            continue;
        }
        let bounds = described.bounds;
        let family: Family<Labels, Histogram, _> =
            Family::new_with_constructor(move || Histogram::new(bounds.iter().copied()));
        for (labels, value) in of {
            family.get_or_create(&labels).observe(value);
        }
        match described.unit {
            "s" => {
                registry.register_with_unit(described.page, described.help, Unit::Seconds, family);
            }
            _ => registry.register(described.page, described.help, family),
        }
    }
    let mut page = String::new();
    encode(&mut page, &registry)?;
    Ok(page)
}
