//! What the operator allows: caps and rates, as the policy says them.

use std::collections::BTreeMap;
use std::time::Duration;

/// What may be spent. None: as much as there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowance {
    /// Micro-dollars.
    pub micros: Option<u64>,
    /// Tokens, in and out.
    pub tokens: Option<u64>,
}

impl Allowance {
    pub(super) fn is_some(self) -> bool {
        self.micros.is_some() || self.tokens.is_some()
    }
}

/// The caps of somebody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caps {
    /// In one run.
    pub run: Allowance,
    /// In one day (UTC).
    pub day: Allowance,
    /// Ever.
    pub total: Allowance,
}

impl Caps {
    pub(super) fn is_some(&self) -> bool {
        self.run.is_some() || self.day.is_some() || self.total.is_some()
    }
}

/// How often something may be asked. None: as often as one likes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    /// Calls in a minute.
    pub per_minute: Option<u64>,
    /// Calls in an hour.
    pub per_hour: Option<u64>,
    /// Calls in a day.
    pub per_day: Option<u64>,
    /// Tokens in a minute, in and out.
    pub tokens_per_minute: Option<u64>,
    /// So many of those in a minute may come at once; all of them by default.
    pub burst: Option<u64>,
    /// So many under way at once.
    pub concurrent: Option<u32>,
    /// The longest that a call waits for its turn; it is refused otherwise.
    pub wait: Duration,
}

/// All of it. By default nothing has a cap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Of a whole tenant; `total` is what it may spend ever.
    pub tenant: Caps,
    /// Of model aliases.
    pub models: BTreeMap<String, Caps>,
    /// Of plugins.
    pub plugins: BTreeMap<String, Caps>,
    /// Of a whole tenant.
    pub tenant_rate: Rate,
    /// Of model aliases, by the policy.
    pub model_rates: BTreeMap<String, Rate>,
    /// Of model aliases, by the host file: all tenants together.
    pub host_rates: BTreeMap<String, Rate>,
    /// Of plugins.
    pub plugin_rates: BTreeMap<String, Rate>,
    /// Of tools.
    pub tool_rates: BTreeMap<String, Rate>,
}
