//! The judgement, and the one thing about it that needs no knowledge of the
//! payment: it must not contradict itself.

use serde::{Deserialize, Serialize};

/// What is judged, without the words around it: equal judgements are equal values.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Judgement {
    fraud_label: bool,
    fraud_type: Option<Fraud>,
    expected_action: Action,
}

/// A judgement, what decides, and how sure the judge is.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(try_from = "Stated")]
pub(crate) struct Reasoned {
    pub(crate) judgement: Judgement,
    pub(crate) reason: String,
    pub(crate) confidence: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Fraud {
    StolenCard,
    AccountTakeover,
    #[serde(rename = "synthetic_fraud")]
    Synthetic,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    Approve,
    Review,
    Block,
}

/// A judgement as a model states it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stated {
    reason: String,
    fraud_label: bool,
    // Without this a type that was left out would count as none.
    #[serde(deserialize_with = "Option::deserialize")]
    fraud_type: Option<Fraud>,
    expected_action: Action,
    confidence: f64,
}

impl TryFrom<Stated> for Reasoned {
    type Error = &'static str;

    fn try_from(stated: Stated) -> Result<Reasoned, &'static str> {
        let Stated {
            reason,
            fraud_label,
            fraud_type,
            expected_action,
            confidence,
        } = stated;
        if fraud_type.is_some() != fraud_label {
            return Err("`fraud_type` must be null exactly when `fraud_label` is false");
        }
        if (expected_action == Action::Block) != fraud_label {
            return Err("`expected_action` must be `block` exactly when `fraud_label` is true");
        }
        if !(0.0..=1.0).contains(&confidence) {
            return Err("`confidence` must lie between 0.0 and 1.0");
        }
        let judgement = Judgement {
            fraud_label,
            fraud_type,
            expected_action,
        };
        Ok(Reasoned {
            judgement,
            reason,
            confidence,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(value: Value) -> Result<Reasoned, String> {
        serde_json::from_value(value).map_err(|e| e.to_string())
    }

    fn stated(label: bool, fraud: Option<&str>, action: &str, confidence: f64) -> Value {
        json!({
            "reason": "So it is.", "fraud_label": label, "fraud_type": fraud,
            "expected_action": action, "confidence": confidence,
        })
    }

    #[test]
    fn label_type_and_action_have_to_fit_together() {
        let a_type = "`fraud_type` must be null exactly when `fraud_label` is false";
        let an_action = "`expected_action` must be `block` exactly when `fraud_label` is true";
        let sure = "`confidence` must lie between 0.0 and 1.0";
        for (label, fraud, action, confidence, refused) in [
            (true, Some("stolen_card"), "block", 0.0, None),
            (false, None, "review", 1.0, None),
            (false, None, "approve", 0.5, None),
            (true, None, "block", 0.5, Some(a_type)),
            (false, Some("synthetic_fraud"), "approve", 0.5, Some(a_type)),
            (
                true,
                Some("account_takeover"),
                "review",
                0.5,
                Some(an_action),
            ),
            (false, None, "block", 0.5, Some(an_action)),
            (false, None, "approve", 1.1, Some(sure)),
            (false, None, "approve", -0.1, Some(sure)),
        ] {
            let read = read(stated(label, fraud, action, confidence));
            assert_eq!(read.err().as_deref(), refused, "{label} {fraud:?} {action}");
        }
    }

    #[test]
    fn nothing_may_be_left_out_and_nothing_added() {
        let whole = stated(false, None, "approve", 0.5);
        for name in whole.as_object().unwrap().keys() {
            let mut part = whole.clone();
            part.as_object_mut().unwrap().remove(name);
            let expected = format!("missing field `{name}`");
            assert_eq!(read(part), Err(expected));
        }
        let mut more = whole;
        more["comment"] = json!("fine");
        assert!(read(more).is_err());
    }
}
