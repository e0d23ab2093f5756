//! Judges whether a reconciliation names what is there, uses nothing twice, and
//! adds up.
//!
//! It never judges which of several candidates belong together: that is the
//! agent's work. It asks nobody.

mod check;
mod record;

use hotcell_sdk::{Failure, Finding, Subject, Validator, Verdict};
use serde_json::Value;

use record::{Claim, Record};

struct ReconciliationChecker;

impl Validator for ReconciliationChecker {
    type Input = Record;
    type Output = Value;

    fn check(subject: Subject<Record, Value>) -> Result<Verdict, Failure> {
        match serde_json::from_value::<Claim>(subject.output.value) {
            Ok(claim) => Ok(Verdict::of(check::look(&subject.task.input, &claim))),
            Err(error) => {
                let finding = Finding::new("", "bad-shape", format!("no reconciliation: {error}"));
                Ok(Verdict::Reject(vec![finding]))
            }
        }
    }
}

hotcell_sdk::export!(validator: ReconciliationChecker);

#[cfg(test)]
mod tests {
    use hotcell_sdk::testing::Host;
    use hotcell_sdk::{Answer, Task};
    use serde_json::json;

    use super::*;

    fn check(claim: Value) -> Verdict {
        let record = serde_json::from_value(json!({
            "bank_transactions": [{ "transaction_id": "B1", "date": "2024-05-10", "amount": 10 }],
            "ledger_entries": [
                { "entry_id": "L1", "posting_date": "2024-05-10", "amount": 10, "account": "1" },
            ],
        }));
        let subject = Subject::new(Task::new("REC-1", record.unwrap()), Answer::new(claim));
        Host::new()
            .run(|| ReconciliationChecker::check(subject))
            .result
            .unwrap()
    }

    #[test]
    fn a_sound_reconciliation_passes_an_unsound_one_is_repaired_and_none_is_rejected() {
        let pair = json!([{ "bank_id": "B1", "ledger_id": "L1" }]);
        let claim = |status: &str| json!({ "matches": pair, "duplicates": [], "discrepancy": 0, "status": status });
        assert_eq!(check(claim("perfect_match")), Verdict::Pass);
        assert!(matches!(
            check(claim("resolvable_with_logic")),
            Verdict::Repair(_)
        ));
        assert!(matches!(check(claim("fine")), Verdict::Reject(_)));
        assert!(matches!(check(json!("sorry")), Verdict::Reject(_)));
    }
}
