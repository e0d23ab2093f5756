//! The decision, and the one thing about it that needs no knowledge of the
//! invoice: it must not contradict itself.

use serde::{Deserialize, Serialize};

/// What is decided about an invoice.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stated")]
pub(crate) struct Decision {
    is_valid: bool,
    reason: Reason,
    correct_vendor: Option<String>,
    approval_route: Route,
}

/// Why it is valid or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reason {
    Valid,
    DuplicateInvoice,
    MissingRequiredFields,
    OcrErrorDetected,
}

/// Who has to approve it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Route {
    Auto,
    Manager,
    Finance,
}

/// A decision as a model states it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stated {
    is_valid: bool,
    reason: Reason,
    // Without this a vendor that was left out would count as none.
    #[serde(deserialize_with = "Option::deserialize")]
    correct_vendor: Option<String>,
    approval_route: Route,
}

impl TryFrom<Stated> for Decision {
    type Error = &'static str;

    fn try_from(stated: Stated) -> Result<Decision, &'static str> {
        if stated.is_valid != (stated.reason == Reason::Valid) {
            return Err("`is_valid` must be true exactly when `reason` is `valid`");
        }
        Ok(Decision {
            is_valid: stated.is_valid,
            reason: stated.reason,
            correct_vendor: stated.correct_vendor,
            approval_route: stated.approval_route,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(is_valid: bool, reason: &str) -> Result<Decision, String> {
        let value: Value = json!({
            "is_valid": is_valid, "reason": reason, "correct_vendor": null,
            "approval_route": "finance",
        });
        serde_json::from_value(value).map_err(|e| e.to_string())
    }

    #[test]
    fn valid_means_valid_for_that_reason_and_no_other() {
        let faults = [
            "duplicate_invoice",
            "missing_required_fields",
            "ocr_error_detected",
        ];
        assert!(read(true, "valid").is_ok());
        assert!(read(false, "valid").is_err());
        for reason in faults {
            assert!(read(false, reason).is_ok(), "{reason}");
            let error = read(true, reason).unwrap_err();
            assert_eq!(
                error,
                "`is_valid` must be true exactly when `reason` is `valid`"
            );
        }
    }

    #[test]
    fn a_decision_has_these_fields_and_no_others() {
        let short = json!({ "is_valid": true, "reason": "valid", "approval_route": "auto" });
        let error = serde_json::from_value::<Decision>(short)
            .unwrap_err()
            .to_string();
        assert_eq!(error, "missing field `correct_vendor`");
        assert!(read(false, "suspicious").is_err());
        let extra = json!({
            "is_valid": true, "reason": "valid", "correct_vendor": null,
            "approval_route": "auto", "comment": "fine",
        });
        assert!(serde_json::from_value::<Decision>(extra).is_err());
    }
}
