//! Forty purchase requests whose fate follows from the form and from what the
//! justification says.
//!
//! Exact counts, not draws:
//!
//! | requests | way | end |
//! |---|---|---|
//! | 8 | fall at validation: a field missing (3), another amount in the text (3), another category (2) | rejected |
//! | 10 | manager's review; four small, three middling, three at the edges | approved |
//! | 8 | manager's review; ordered already (2), split (2), private (1), no purpose (2), too few quotes (1) | rejected |
//! | 8 | finance review; one at the edge | approved |
//! | 6 | finance review; ordered already, private, no purpose, too few quotes (2), no budget | rejected |
//!
//! Four carry a second flaw, so that the order of the rules is put to the test.
//! Justifications are made of sentences (see `sentences`); sound requests say that
//! they have not the flaws that others have, in the same words. The records never
//! say what is wrong with them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::File;
use super::draw::Draw;
use super::written::{Cents, pretty};
use sentences::Writer;

mod sentences;
#[cfg(test)]
mod tests;

const DEPARTMENTS: [&str; 6] = [
    "Research",
    "Logistics",
    "Sales",
    "Facilities",
    "Finance",
    "Customer care",
];

/// What is bought, by category.
const ITEMS: [(&str, [&str; 4]); 5] = [
    (
        "equipment",
        [
            "two height-adjustable desks",
            "a fluorescence microscope",
            "six laptops",
            "a projector for the large room",
        ],
    ),
    (
        "software",
        [
            "a licence for the drawing program",
            "a year's subscription to the map service",
            "a licence for the payroll package",
            "a subscription to the code scanner",
        ],
    ),
    (
        "training",
        [
            "places on a first-aid course",
            "a two-day negotiation workshop",
            "a seminar on export law",
            "seats at the logistics conference",
        ],
    ),
    (
        "travel",
        [
            "train tickets to the Basel fair",
            "flights to the Oslo customer",
            "hotel rooms for the audit team",
            "a hired car for the site visits",
        ],
    ),
    (
        "services",
        [
            "a translation of the handbook",
            "the repair of the loading gate",
            "advice on the tax audit",
            "the cleaning of the laboratory vents",
        ],
    ),
];

/// Above it a request goes to finance; up to it to a manager. In cents.
const FINANCE_ABOVE: u64 = 1_000_000;

/// What an agent is given.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Request {
    pub(crate) request_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) department: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cost_centre: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) category: Option<&'static str>,
    pub(crate) amount: Cents,
    pub(crate) quotes: u64,
    pub(crate) justification: String,
}

/// What decides about a request, in the order in which it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    MissingField,
    AmountMismatch,
    WrongCategory,
    AlreadyOrdered,
    SplitRequest,
    PrivateUse,
    NoPurpose,
    TooFewQuotes,
    NoBudget,
    MeetsPolicy,
}

/// The right answer: where a request ends, the states it has been in, and why.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Gold {
    pub(crate) state: &'static str,
    pub(crate) path: Vec<&'static str>,
    pub(crate) reason: Reason,
}

/// The whole set.
pub(crate) struct RequestSet {
    /// Sorted by id.
    pub(crate) requests: Vec<Request>,
    /// By id.
    pub(crate) gold: BTreeMap<String, Gold>,
}

impl RequestSet {
    /// `requests.json` and `gold.json`.
    pub(crate) fn files(&self) -> Vec<File> {
        vec![
            File {
                name: "requests.json",
                text: pretty(&self.requests),
            },
            File {
                name: "gold.json",
                text: pretty(&self.gold),
            },
        ]
    }
}

/// How much is asked for.
#[derive(Clone, Copy)]
enum Size {
    /// Below 5 000: no quotes needed.
    Small,
    /// Up to 10 000: two.
    Middle,
    /// Above: three.
    Large,
    /// Exactly this, in cents, with just the quotes it needs.
    Edge(u64),
}

/// A flaw, another one that a rule further down would find, and the size.
type Case = (Reason, Option<Reason>, Size);

const CASES: [Case; 40] = [
    (Reason::MissingField, None, Size::Small),
    (Reason::MissingField, None, Size::Middle),
    (Reason::MissingField, Some(Reason::PrivateUse), Size::Large),
    (
        Reason::AmountMismatch,
        Some(Reason::AlreadyOrdered),
        Size::Small,
    ),
    (Reason::AmountMismatch, None, Size::Middle),
    (Reason::AmountMismatch, None, Size::Large),
    (Reason::WrongCategory, None, Size::Middle),
    (Reason::WrongCategory, None, Size::Large),
    (Reason::MeetsPolicy, None, Size::Small),
    (Reason::MeetsPolicy, None, Size::Small),
    (Reason::MeetsPolicy, None, Size::Small),
    (Reason::MeetsPolicy, None, Size::Small),
    (Reason::MeetsPolicy, None, Size::Middle),
    (Reason::MeetsPolicy, None, Size::Middle),
    (Reason::MeetsPolicy, None, Size::Middle),
    (Reason::MeetsPolicy, None, Size::Edge(500_000)),
    (Reason::MeetsPolicy, None, Size::Edge(500_001)),
    (Reason::MeetsPolicy, None, Size::Edge(FINANCE_ABOVE)),
    (Reason::AlreadyOrdered, None, Size::Small),
    (
        Reason::AlreadyOrdered,
        Some(Reason::TooFewQuotes),
        Size::Middle,
    ),
    (Reason::SplitRequest, None, Size::Small),
    (Reason::SplitRequest, None, Size::Middle),
    (Reason::PrivateUse, None, Size::Small),
    (Reason::NoPurpose, None, Size::Small),
    (Reason::NoPurpose, None, Size::Middle),
    (Reason::TooFewQuotes, None, Size::Middle),
    (Reason::MeetsPolicy, None, Size::Large),
    (Reason::MeetsPolicy, None, Size::Large),
    (Reason::MeetsPolicy, None, Size::Large),
    (Reason::MeetsPolicy, None, Size::Large),
    (Reason::MeetsPolicy, None, Size::Large),
    (Reason::MeetsPolicy, None, Size::Large),
    (Reason::MeetsPolicy, None, Size::Large),
    (Reason::MeetsPolicy, None, Size::Edge(FINANCE_ABOVE + 1)),
    (Reason::AlreadyOrdered, None, Size::Large),
    (Reason::PrivateUse, Some(Reason::NoPurpose), Size::Large),
    (Reason::NoPurpose, None, Size::Large),
    (Reason::TooFewQuotes, None, Size::Large),
    (Reason::TooFewQuotes, None, Size::Large),
    (Reason::NoBudget, None, Size::Large),
];

/// The set of a seed.
pub(crate) fn generate(seed: u64) -> RequestSet {
    let mut set = RequestSet {
        requests: Vec::new(),
        gold: BTreeMap::new(),
    };
    let order = Draw::new(seed, "cases").shuffled(CASES.len());
    for (number, case) in order.into_iter().enumerate() {
        let Some(case) = CASES.get(case) else {
            continue;
        };
        // A stream of its own: what one request draws never moves another.
        let mut draw = Draw::new(seed, &format!("request {number}"));
        let request = request(&mut draw, number + 1, case);
        let gold = gold(case.0, request.amount.0);
        set.gold.insert(request.request_id.clone(), gold);
        set.requests.push(request);
    }
    set
}

fn request(draw: &mut Draw, number: usize, (flaw, also, size): &Case) -> Request {
    let has = |reason: Reason| *flaw == reason || *also == Some(reason);
    let (amount, needed) = match size {
        Size::Small => (within(draw, 15_000, 480_000), 0),
        Size::Middle => (within(draw, 520_000, 990_000), 2),
        Size::Large => (within(draw, 1_020_000, 6_000_000), 3),
        Size::Edge(amount @ ..=500_000) => (*amount, 0),
        Size::Edge(amount @ ..=FINANCE_ABOVE) => (*amount, 2),
        Size::Edge(amount) => (*amount, 3),
    };
    let kind = draw.below(ITEMS.len());
    let (category, items) = ITEMS.get(kind).copied().unwrap_or_default();
    let item = draw.pick(&items).copied().unwrap_or_default();
    let mut writer = Writer::new(draw, item);

    let stated = match has(Reason::AmountMismatch) {
        true => writer.another(amount),
        false => amount,
    };
    if has(Reason::AmountMismatch) || writer.often() {
        writer.price(stated);
    }
    // Who may do with fewer quotes says why; nobody else does.
    let mut quotes = needed + writer.some(2);
    let mut incident = writer.some(4) == 0;
    if has(Reason::TooFewQuotes) {
        quotes = writer.some(needed);
        incident = false;
        writer.other_suppliers();
    } else if matches!(size, Size::Edge(_)) {
        quotes = needed;
        incident = false;
    } else if *flaw == Reason::MeetsPolicy && needed > 0 {
        match writer.some(3) {
            0 => {}
            1 => {
                quotes = writer.some(2);
                writer.sole_supplier();
            }
            _ => {
                quotes = writer.some(2);
                incident = true;
            }
        }
    }
    match has(Reason::NoPurpose) {
        true => writer.no_purpose(),
        false => writer.purpose(incident),
    }
    let finance = amount > FINANCE_ABOVE;
    if !has(Reason::NoBudget) && (finance || !writer.often()) {
        writer.budget();
    }
    for reason in [
        Reason::AlreadyOrdered,
        Reason::SplitRequest,
        Reason::PrivateUse,
    ] {
        match has(reason) {
            true => writer.flaw(reason),
            false if !writer.often() => writer.denial(reason),
            false => {}
        }
    }
    if has(Reason::PrivateUse) || has(Reason::NoBudget) {
        writer.plea();
    }
    let justification = writer.finish();

    let wrong = ITEMS.get((kind + 1 + draw.below(ITEMS.len() - 1)) % ITEMS.len());
    let category = match has(Reason::WrongCategory) {
        true => wrong.map(|(category, _)| *category),
        false => Some(category),
    };
    let mut request = Request {
        request_id: format!("REQ-2024-{number:03}"),
        department: draw.pick(&DEPARTMENTS).copied(),
        cost_centre: Some(format!("CC-{}", 100 + 10 * draw.below(50))),
        category,
        amount: Cents(amount),
        quotes,
        justification,
    };
    if has(Reason::MissingField) {
        match draw.below(3) {
            0 => request.department = None,
            1 => request.cost_centre = None,
            _ => request.category = None,
        }
    }
    request
}

fn within(draw: &mut Draw, from: u64, to: u64) -> u64 {
    from + draw.below((to - from) as usize) as u64
}

fn gold(reason: Reason, amount: u64) -> Gold {
    let review = match amount > FINANCE_ABOVE {
        true => "FINANCE_REVIEW",
        false => "MANAGER_REVIEW",
    };
    let (state, reviewed) = match reason {
        Reason::MissingField | Reason::AmountMismatch | Reason::WrongCategory => {
            ("REJECTED", false)
        }
        Reason::MeetsPolicy => ("APPROVED", true),
        _ => ("REJECTED", true),
    };
    let mut path = vec!["SUBMIT", "VALIDATE"];
    path.extend(reviewed.then_some(review));
    path.push(state);
    Gold {
        state,
        path,
        reason,
    }
}
