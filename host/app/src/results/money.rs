//! How the accounts of the policy stand after a run.

use hotcell_broker::ledger::{Alert, Standing};
use serde::Serialize;

use super::Facts;

/// The accounts that are not one run's, and what was passed of any.
#[derive(Default, Serialize)]
pub(crate) struct Money {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) accounts: Vec<Standing>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) alerts: Vec<AlertResult>,
}

#[derive(Serialize)]
pub(crate) struct AlertResult {
    #[serde(flatten)]
    pub(crate) alert: Alert,
    /// Of how many accounts: a cap of the run is one for each run.
    pub(crate) accounts: u64,
}

impl Money {
    /// As it stands now. Books that cannot be read have failed the run already.
    pub(super) fn new(facts: &Facts<'_>) -> Money {
        let ledger = &facts.assembly.ledger;
        let tenant = facts.checked.policy.policy.tenant();
        let alerts = ledger.alerts().counts().into_iter();
        let alert = |(alert, accounts)| AlertResult { alert, accounts };
        Money {
            accounts: ledger.shared(tenant).unwrap_or_default(),
            alerts: alerts.map(alert).collect(),
        }
    }

    /// Whether there is nothing to tell.
    pub(crate) fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.alerts.is_empty()
    }
}
