//! What a justification says, as a model reads it, and whether it really stands
//! there.

use serde::{Deserialize, Serialize};

/// What is registered about a request.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Registration {
    #[serde(deserialize_with = "Option::deserialize")]
    item: Option<String>,
    #[serde(deserialize_with = "Option::deserialize")]
    pub(crate) category: Option<Category>,
    #[serde(deserialize_with = "Option::deserialize")]
    pub(crate) stated_amount: Option<f64>,
    references: Vec<String>,
}

/// What kinds of things are bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Category {
    Equipment,
    Software,
    Training,
    Travel,
    Services,
}

impl Registration {
    /// What is registered and does not stand in the text, as a sentence for the
    /// model.
    pub(crate) fn made_up(&self, justification: &str) -> Option<String> {
        let text = justification.to_lowercase();
        let item = self
            .item
            .iter()
            .filter(|it| !text.contains(&it.to_lowercase()));
        let references = self
            .references
            .iter()
            .filter(|it| !justification.contains(it.as_str()));
        let amount = self
            .stated_amount
            .filter(|it| !names(justification, cents(*it)));
        let amount = amount.map(|it| it.to_string());
        let made_up: Vec<String> = item
            .chain(references)
            .chain(&amount)
            .map(|it| format!("`{it}`"))
            .collect();
        let some = !made_up.is_empty();
        some.then(|| format!("{} does not stand in the justification", made_up.join(", ")))
    }
}

/// Whether one of the numbers in a text is this amount.
fn names(text: &str, amount: i64) -> bool {
    text.split(|c: char| !c.is_ascii_digit() && c != ',' && c != '.')
        .filter_map(|word| {
            word.trim_end_matches(['.', ','])
                .replace(',', "")
                .parse::<f64>()
                .ok()
        })
        .any(|number| cents(number) == amount)
}

/// Rounded; what no float keeps exactly is moved to the end of what it does.
pub(crate) fn cents(amount: f64) -> i64 {
    (amount * 100.0).round().clamp(-9e15, 9e15) as i64
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const TEXT: &str =
        "We need six laptops. It comes to 7,420.50 EUR. It closes incident INC-3307.";

    fn registration(item: Value, amount: Value, reference: &str) -> Registration {
        let value = json!({
            "item": item, "category": "equipment", "stated_amount": amount,
            "references": [reference],
        });
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_is_registered_must_stand_in_the_text() {
        let table = [
            (json!("Six laptops"), json!(7420.5), "INC-3307", None),
            (json!(null), json!(null), "INC-3307", None),
            (
                json!("seven laptops"),
                json!(7420.5),
                "INC-3307",
                Some("`seven laptops`"),
            ),
            (
                json!("six laptops"),
                json!(7420.51),
                "INC-3307",
                Some("`7420.51`"),
            ),
            (
                json!("six laptops"),
                json!(742.05),
                "INC-3308",
                Some("`INC-3308`, `742.05`"),
            ),
        ];
        for (item, amount, reference, expected) in table {
            let found = registration(item, amount, reference).made_up(TEXT);
            let expected = expected.map(|it| format!("{it} does not stand in the justification"));
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_registration_has_all_its_fields() {
        let whole = serde_json::to_value(registration(json!(null), json!(1), "x")).unwrap();
        for field in ["item", "category", "stated_amount", "references"] {
            let mut short = whole.clone();
            short.as_object_mut().unwrap().remove(field);
            assert!(
                serde_json::from_value::<Registration>(short).is_err(),
                "{field}"
            );
        }
    }
}
