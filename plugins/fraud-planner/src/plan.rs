//! Who looks at a payment, and what they get to see of it.

use hotcell_sdk::Subtask;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Who looks at a payment.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stated")]
pub(crate) struct Plan {
    specialists: Vec<Specialist>,
}

/// Somebody who knows one fraud.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Specialist {
    #[serde(rename = "transaction-analyst")]
    Transaction,
    #[serde(rename = "merchant-analyst")]
    Merchant,
    #[serde(rename = "geography-analyst")]
    Geography,
}

/// A plan as a model states it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stated {
    specialists: Vec<Specialist>,
}

impl TryFrom<Stated> for Plan {
    type Error = &'static str;

    fn try_from(stated: Stated) -> Result<Plan, &'static str> {
        let mut specialists = Vec::new();
        for specialist in stated.specialists {
            if specialists.contains(&specialist) {
                return Err("a specialist is named twice");
            }
            specialists.push(specialist);
        }
        if !specialists.contains(&Specialist::Transaction) {
            return Err("`transaction-analyst` is missing: it looks at every payment");
        }
        Ok(Plan { specialists })
    }
}

impl Plan {
    /// The work of each specialist: the fields of its trade, and no others.
    pub(crate) fn subtasks(&self, payment: &Map<String, Value>) -> Vec<Subtask> {
        let subtask = |specialist: &Specialist| {
            let name = specialist.name();
            Subtask::new(name, name, excerpt(payment, specialist.fields()))
        };
        self.specialists.iter().map(subtask).collect()
    }
}

impl Specialist {
    /// The name, as the workflow gives it to the specialist's step.
    fn name(self) -> &'static str {
        match self {
            Specialist::Transaction => "transaction-analyst",
            Specialist::Merchant => "merchant-analyst",
            Specialist::Geography => "geography-analyst",
        }
    }

    /// What it needs of a payment, and of what is known of the user.
    fn fields(self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            Specialist::Transaction => (
                &["amount"],
                &["transaction_count_24h", "avg_transaction_amount"],
            ),
            Specialist::Merchant => (
                &["merchant", "merchant_category", "amount"],
                &["account_age_days"],
            ),
            Specialist::Geography => (
                &["home_country", "merchant_country", "amount", "timestamp"],
                &["avg_transaction_amount", "account_age_days"],
            ),
        }
    }
}

/// These fields of the payment and of its `user_behavior`, as far as they are
/// there.
fn excerpt(payment: &Map<String, Value>, (own, of_user): (&[&str], &[&str])) -> Value {
    let pick = |from: &Map<String, Value>, names: &[&str]| -> Map<String, Value> {
        let found = names.iter().filter_map(|name| from.get_key_value(*name));
        found.map(|(name, it)| (name.clone(), it.clone())).collect()
    };
    let mut excerpt = pick(payment, &["transaction_id"]);
    excerpt.extend(pick(payment, own));
    if let Some(user) = payment.get("user_behavior").and_then(Value::as_object) {
        let user = pick(user, of_user);
        excerpt.insert("user_behavior".to_owned(), Value::Object(user));
    }
    Value::Object(excerpt)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(specialists: &Value) -> Result<Plan, String> {
        serde_json::from_value(json!({ "specialists": specialists })).map_err(|e| e.to_string())
    }

    #[test]
    fn a_plan_names_the_first_specialist_and_nobody_twice() {
        let twice = "a specialist is named twice";
        let missing = "`transaction-analyst` is missing: it looks at every payment";
        for (specialists, refused) in [
            (json!(["transaction-analyst"]), None),
            (json!(["geography-analyst", "transaction-analyst"]), None),
            (json!([]), Some(missing)),
            (json!(["merchant-analyst"]), Some(missing)),
            (
                json!([
                    "transaction-analyst",
                    "merchant-analyst",
                    "merchant-analyst"
                ]),
                Some(twice),
            ),
        ] {
            let plan = read(&specialists);
            assert_eq!(plan.err().as_deref(), refused, "{specialists}");
        }
        assert!(read(&json!(["transaction-analyst", "astrologer"])).is_err());
    }

    /// What the plan hands out is what the specialists' manifests ask for: the
    /// required fields and no others.
    #[test]
    fn every_specialist_gets_the_fields_that_its_manifest_requires() {
        let payment = json!({
            "transaction_id": "TXN-1", "user_id": "user_4711", "home_country": "GB",
            "merchant": "Acme", "merchant_category": "books", "merchant_country": "FR",
            "amount": 1.5, "timestamp": "2024-01-01T00:00:00Z", "iban": "secret",
            "user_behavior": {
                "transaction_count_24h": 1, "avg_transaction_amount": 2.5,
                "account_age_days": 3, "phone": "secret",
            },
        });
        let manifests = [
            (
                "transaction-analyst",
                include_str!("../../transaction-analyst/hotcell.toml"),
            ),
            (
                "merchant-analyst",
                include_str!("../../merchant-analyst/hotcell.toml"),
            ),
            (
                "geography-analyst",
                include_str!("../../geography-analyst/hotcell.toml"),
            ),
        ];
        let all = json!(manifests.map(|(name, _)| name));
        let subtasks = read(&all).unwrap().subtasks(payment.as_object().unwrap());
        assert_eq!(subtasks.len(), 3);
        for (subtask, (name, manifest)) in subtasks.iter().zip(manifests) {
            assert_eq!((&*subtask.id, &*subtask.specialist), (name, name));
            let manifest: toml::Table = manifest.parse().unwrap();
            let schema: Value = manifest["input_schema"].as_str().unwrap().parse().unwrap();
            let sorted = |mut names: Vec<String>| {
                names.sort();
                names
            };
            for pointer in ["", "/properties/user_behavior"] {
                let required = schema.pointer(&format!("{pointer}/required")).unwrap();
                let required: Vec<String> = serde_json::from_value(required.clone()).unwrap();
                let given = subtask.input.pointer(&pointer.replace("/properties", ""));
                let given = given.unwrap().as_object().unwrap().keys();
                assert_eq!(
                    sorted(given.cloned().collect()),
                    sorted(required),
                    "{name} {pointer}"
                );
            }
        }
    }
}
