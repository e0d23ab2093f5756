//! Whether a form is complete and agrees with what was registered. Pure.

use serde::{Deserialize, Serialize};

use crate::registration::{Category, Registration, cents};

/// A purchase request as it came in. Any of the fields may be missing.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    department: Option<String>,
    cost_centre: Option<String>,
    category: Option<String>,
    amount: Option<f64>,
    pub(crate) justification: Option<String>,
}

/// What validation comes to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Validation {
    pub(crate) decision: Decision,
    reason: Reason,
    /// The fields that are.
    missing: Vec<&'static str>,
}

/// An event of the workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Decision {
    Accept,
    Reject,
}

impl Decision {
    /// As it is written.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Decision::Accept => "accept",
            Decision::Reject => "reject",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Reason {
    Complete,
    MissingField,
    AmountMismatch,
    WrongCategory,
}

impl Request {
    /// The first reason that holds.
    pub(crate) fn validate(&self, registration: &Registration) -> Validation {
        let missing = self.missing();
        let stated = registration.stated_amount.map(cents);
        let reason = if !missing.is_empty() {
            Reason::MissingField
        } else if stated.is_some_and(|stated| self.amount.map(cents) != Some(stated)) {
            Reason::AmountMismatch
        } else if self.category() != registration.category || registration.category.is_none() {
            Reason::WrongCategory
        } else {
            Reason::Complete
        };
        let decision = match reason {
            Reason::Complete => Decision::Accept,
            _ => Decision::Reject,
        };
        Validation {
            decision,
            reason,
            missing,
        }
    }

    fn missing(&self) -> Vec<&'static str> {
        let there = |text: &Option<String>| text.as_ref().is_some_and(|it| !it.trim().is_empty());
        let fields = [
            ("department", there(&self.department)),
            ("cost_centre", there(&self.cost_centre)),
            ("category", there(&self.category)),
            ("amount", self.amount.is_some_and(|amount| amount > 0.0)),
            ("justification", there(&self.justification)),
        ];
        let missing = fields.into_iter().filter(|(_, there)| !there);
        missing.map(|(field, _)| field).collect()
    }

    /// The category of the form; none when there is no such category.
    fn category(&self) -> Option<Category> {
        let word = self.category.as_ref()?.trim().to_lowercase();
        serde_json::from_value(word.into()).ok()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn form() -> Value {
        json!({
            "department": "Research", "cost_centre": "CC-310", "category": "equipment",
            "amount": 7420.5, "justification": "We need six laptops.",
        })
    }

    fn reason(form: &Value, category: Value, stated: Value) -> Value {
        let request: Request = serde_json::from_value(form.clone()).unwrap();
        let registration = json!({
            "item": "six laptops", "category": category, "stated_amount": stated, "references": [],
        });
        let validation = request.validate(&serde_json::from_value(registration).unwrap());
        let accepted = validation.decision == Decision::Accept;
        let value = serde_json::to_value(validation).unwrap();
        assert_eq!(accepted, value["reason"] == "complete");
        value["reason"].clone()
    }

    #[test]
    fn the_first_reason_that_holds_counts() {
        let without = |field: &str, value: Value| {
            let mut form = form();
            form[field] = value;
            form
        };
        let (equipment, travel) = (json!("equipment"), json!("travel"));
        for (form, category, stated, expected) in [
            (form(), &equipment, json!(null), "complete"),
            (form(), &equipment, json!(7420.5), "complete"),
            (form(), &equipment, json!(7420.51), "amount_mismatch"),
            (form(), &travel, json!(74205), "amount_mismatch"),
            (form(), &travel, json!(null), "wrong_category"),
            (form(), &json!(null), json!(null), "wrong_category"),
            (
                without("category", json!("gifts")),
                &json!(null),
                json!(null),
                "wrong_category",
            ),
            (
                without("category", json!(" Equipment ")),
                &equipment,
                json!(null),
                "complete",
            ),
            (
                without("category", json!(null)),
                &travel,
                json!(1),
                "missing_field",
            ),
            (
                without("cost_centre", json!(" ")),
                &equipment,
                json!(1),
                "missing_field",
            ),
            (
                without("department", json!(null)),
                &equipment,
                json!(null),
                "missing_field",
            ),
            (
                without("amount", json!(0)),
                &equipment,
                json!(null),
                "missing_field",
            ),
            (
                without("justification", json!("")),
                &equipment,
                json!(null),
                "missing_field",
            ),
        ] {
            assert_eq!(reason(&form, category.clone(), stated), expected, "{form}");
        }
    }
}
