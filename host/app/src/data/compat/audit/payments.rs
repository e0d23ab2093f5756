//! Card payments: whether anything that can be seen tells a fraud.

use serde::Serialize;

use super::super::Labelled;
use super::super::record::Payment;
use super::{Grouped, Share};
use crate::data::suite::Set;

/// What was found in the payments.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct PaymentAudit {
    /// Right answers of whoever always says that a payment is legitimate.
    pub(crate) always_legitimate: Share,
    /// How well each visible figure alone tells frauds.
    pub(crate) features: Vec<Feature>,
    /// Frauds that no threshold on a single figure tells.
    pub(crate) hidden: Share,
}

/// A visible figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Feature {
    pub(crate) name: &'static str,
    /// How often a fraud has more of it than a legitimate payment: 0.5 tells
    /// nothing. None without both kinds.
    pub(crate) auc: Option<f64>,
}

type Figure = fn(&Payment) -> Option<f64>;

const FIGURES: [(&str, Figure); 6] = [
    ("amount", |it| Some(it.amount as f64)),
    ("avg_transaction_amount", |it| Some(it.average as f64)),
    ("amount by the average", |it| {
        (it.average > 0).then(|| it.amount as f64 / it.average as f64)
    }),
    ("transaction_count_24h", |it| Some(it.count)),
    ("account_age_days", |it| Some(it.age)),
    ("hour", |it| it.hour),
];

const HIDDEN: &str = "a fraud with no figure outside of what legitimate payments have";

impl PaymentAudit {
    pub(super) fn new(payments: &[Labelled<Payment>], undecidable: &mut Grouped) -> PaymentAudit {
        let of = |fraud: bool, figure: Figure| -> Vec<f64> {
            let payments = payments.iter().map(|it| &it.record);
            let kind = payments.filter(|it| it.is_fraud == fraud);
            kind.filter_map(figure).collect()
        };
        let mut ranges = Vec::new();
        let mut features = Vec::new();
        for (name, figure) in FIGURES {
            let (frauds, others) = (of(true, figure), of(false, figure));
            let least = others.iter().copied().fold(f64::INFINITY, f64::min);
            let most = others.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            ranges.push((figure, least..=most));
            features.push(Feature {
                name,
                auc: auc(&frauds, &others),
            });
        }
        let is_hidden = |it: &Payment| {
            let mut figures = ranges.iter();
            figures.all(|(figure, range)| figure(it).is_none_or(|it| range.contains(&it)))
        };
        let frauds = || payments.iter().filter(|it| it.record.is_fraud);
        for fraud in frauds().filter(|it| is_hidden(&it.record)) {
            undecidable.add(Set::Transaction, HIDDEN, &fraud.id);
        }
        PaymentAudit {
            always_legitimate: Share::of(payments, |it| !it.record.is_fraud),
            features,
            hidden: Share::of(frauds(), |it| is_hidden(&it.record)),
        }
    }

    pub(super) fn rows(&self) -> Vec<(String, String)> {
        let shares = [
            ("right by always saying legitimate", self.always_legitimate),
            ("frauds that no single figure tells", self.hidden),
        ];
        let shares = shares.map(|(check, share)| (check.to_owned(), share.to_string()));
        let features = self.features.iter().map(|Feature { name, auc }| {
            let auc = auc.map_or("unknown".to_owned(), |auc| format!("AUC {auc:.2}"));
            (format!("a fraud by {name}"), auc)
        });
        shares.into_iter().chain(features).collect()
    }
}

/// The share of pairs of a fraud and another payment in which the fraud has more;
/// a draw counts half (Mann and Whitney).
fn auc(frauds: &[f64], others: &[f64]) -> Option<f64> {
    let pairs = (frauds.len() * others.len()) as f64;
    let more = |fraud: &f64| -> f64 {
        let half = |other: &f64| match fraud.total_cmp(other) {
            std::cmp::Ordering::Greater => 1.0,
            std::cmp::Ordering::Equal => 0.5,
            std::cmp::Ordering::Less => 0.0,
        };
        others.iter().map(half).sum()
    };
    (pairs > 0.0).then(|| frauds.iter().map(more).sum::<f64>() / pairs)
}
