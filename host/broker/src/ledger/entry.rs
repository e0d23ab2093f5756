//! Which accounts and buckets a call falls under, and what is written there in one
//! transaction.

use std::time::Duration;

use hotcell_store::books::{BooksError, Page};

use super::account::{Account, Funds};
use super::alert::{Alert, MARKS};
use super::bucket::{Bucket, Flow};
use super::clock::day;
use super::rules::{Allowance, Caps, Rate, Rules};
use super::{
    ACCOUNTS, BUCKETS, Barred, Busy, Empty, FACTS, HOLDS, Held, Payer, SWEEP, Standing, Worth,
    millis,
};

/// An account that a call falls under.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// Where it is in the books.
    pub(super) key: String,
    /// Its cap in the policy, without the unit: `[budget] run`.
    name: String,
    pub(super) cap: Allowance,
}

/// A bucket that a call goes through.
#[derive(Clone, Debug)]
pub(super) struct Pail {
    key: String,
    /// Its rate in the policy or the host file: `[rate] per_minute`.
    name: String,
    flow: Flow,
    /// Whether it counts tokens, or calls.
    pub(super) tokens: bool,
    wait: Duration,
}

/// Micro-dollars as the policy writes them: `0.1`.
fn dollars(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    let short = text.trim_end_matches('0');
    match short.strip_suffix('.') {
        Some(whole) => whole.to_owned(),
        None => short.to_owned(),
    }
}

impl Line {
    /// The line of the policy with this cap.
    fn with(&self, funds: Funds, cap: u64) -> String {
        let (word, number) = match funds {
            Funds::Usd => ("usd", dollars(cap)),
            Funds::Tokens => ("tokens", cap.to_string()),
        };
        match self.name.split_once(" budget ") {
            Some((table, period)) => format!("{table} budget = {{ {period}_{word} = {number} }}"),
            None => format!("{}_{word} = {number}", self.name),
        }
    }

    fn empty(&self, funds: Funds, account: &Account, most: Worth) -> Empty {
        let cap = funds.cap(self.cap).unwrap_or_default();
        let alone = funds.of(account.settled).checked_add(funds.of(most));
        Empty {
            key: self.key.clone(),
            later: alone.is_some_and(|alone| alone <= cap),
            line: self.with(funds, cap),
            raise: self.with(funds, cap.saturating_mul(2).max(1)),
        }
    }
}

/// The caps of somebody, as accounts.
pub(super) struct Owner<'a> {
    tenant: &'a str,
    /// What its accounts are called in the books.
    key: String,
    /// And in the policy, without the period.
    name: String,
    /// How the policy calls what it may spend ever.
    total: &'static str,
    pub(super) caps: Caps,
}

impl Owner<'_> {
    fn lines(&self, run: Option<&str>, now_ms: u64, lines: &mut Vec<Line>) {
        let Owner { tenant, key, .. } = self;
        let mut add = |cap: Allowance, period: &str, key: String| {
            if cap.is_some() {
                lines.push(Line {
                    key,
                    name: format!("{} {period}", self.name),
                    cap,
                });
            }
        };
        if let Some(run) = run {
            let key = format!("{tenant}/{key}/run/{run}");
            add(self.caps.run, "run", key);
        }
        let today = format!("{tenant}/{key}/day/{}", day(now_ms));
        add(self.caps.day, "day", today);
        let ever = format!("{tenant}/{key}/total");
        add(self.caps.total, self.total, ever);
    }
}

fn tenants<'a>(rules: &Rules, tenant: &'a str) -> Owner<'a> {
    Owner {
        tenant,
        key: "all".to_owned(),
        name: "[budget]".to_owned(),
        total: "tenant",
        caps: rules.tenant,
    }
}

fn models<'a>(tenant: &'a str, model: &str, caps: Caps) -> Owner<'a> {
    Owner {
        tenant,
        key: format!("model/{model}"),
        name: format!("[budget.model.{model}]"),
        total: "total",
        caps,
    }
}

fn plugins<'a>(tenant: &'a str, plugin: &str, caps: Caps) -> Owner<'a> {
    Owner {
        tenant,
        key: format!("plugin/{plugin}"),
        name: format!("[plugin.{plugin}] budget"),
        total: "total",
        caps,
    }
}

/// The accounts of a call, each once.
pub(super) fn lines(rules: &Rules, payer: Payer<'_>, now_ms: u64) -> Vec<Line> {
    let mut found = Vec::new();
    for owner in owners(rules, payer) {
        owner.lines(Some(payer.run), now_ms, &mut found);
    }
    found
}

/// Whose accounts a call falls under.
pub(super) fn owners<'a>(rules: &'a Rules, payer: Payer<'a>) -> impl Iterator<Item = Owner<'a>> {
    let tenant = payer.tenant;
    let model = payer.model.and_then(|it| rules.models.get_key_value(it));
    let model = model.map(move |(name, caps)| models(tenant, name, *caps));
    let plugins = payers(payer).filter_map(move |it| {
        let (name, caps) = rules.plugins.get_key_value(it)?;
        Some(plugins(tenant, name, *caps))
    });
    std::iter::once(tenants(rules, tenant))
        .chain(model)
        .chain(plugins)
}

/// Who pays: the caller, and those on whose behalf it calls, each once however often
/// it called itself.
fn payers(payer: Payer<'_>) -> impl Iterator<Item = &str> {
    let behalf = payer.behalf;
    let new = move |(index, name): &(usize, &String)| {
        name.as_str() != payer.plugin && !behalf.iter().take(*index).any(|it| it == *name)
    };
    let others = behalf.iter().enumerate().filter(new);
    std::iter::once(payer.plugin).chain(others.map(|(_, name)| name.as_str()))
}

/// How an account stands, and which line caps it.
pub(super) fn standing(line: &Line, account: &Account) -> Vec<Standing> {
    let of = |funds: Funds| {
        let cap = funds.cap(line.cap)?;
        Some(Standing {
            line: line.with(funds, cap),
            funds,
            cap,
            spent: funds.of(account.settled),
            reserved: funds.of(account.reserved),
            beyond: funds.of(account.beyond),
        })
    };
    Funds::ALL.into_iter().filter_map(of).collect()
}

/// The accounts that are not of one run.
pub(super) fn shared(rules: &Rules, tenant: &str, now_ms: u64) -> Vec<Line> {
    let mut found = Vec::new();
    tenants(rules, tenant).lines(None, now_ms, &mut found);
    for (model, caps) in &rules.models {
        models(tenant, model, *caps).lines(None, now_ms, &mut found);
    }
    for (plugin, caps) in &rules.plugins {
        plugins(tenant, plugin, *caps).lines(None, now_ms, &mut found);
    }
    found
}

const MINUTE: u64 = 60_000_000;

fn rate_pails(key: &str, name: &str, rate: &Rate, pails: &mut Vec<Pail>) {
    let windows = [
        ("per_minute", rate.per_minute, MINUTE, false),
        ("per_hour", rate.per_hour, 60 * MINUTE, false),
        ("per_day", rate.per_day, 24 * 60 * MINUTE, false),
        ("tokens_per_minute", rate.tokens_per_minute, MINUTE, true),
    ];
    for (word, uses, window, tokens) in windows {
        let Some(uses) = uses else { continue };
        let burst = match word {
            "per_minute" => rate.burst.unwrap_or(uses),
            _ => uses,
        };
        pails.push(Pail {
            key: format!("{key}/{word}"),
            name: format!("{name} {word} = {uses}"),
            flow: Flow {
                uses,
                window,
                burst,
            },
            tokens,
            wait: rate.wait,
        });
    }
}

/// The rates of a call, by what they are called in the books and in the files.
pub(super) fn rates<'a>(
    rules: &'a Rules,
    payer: Payer<'a>,
) -> impl Iterator<Item = (String, String, &'a Rate)> {
    let tenant = payer.tenant;
    let own = move |kind: &'static str, name: &'a str| (format!("{tenant}/{kind}/{name}"), name);
    let of_tenant = std::iter::once((tenant.to_owned(), "[rate]".to_owned(), &rules.tenant_rate));
    let model = payer
        .model
        .and_then(|it| rules.model_rates.get_key_value(it));
    let host = payer
        .model
        .and_then(|it| rules.host_rates.get_key_value(it));
    let tool = payer.tool.and_then(|it| rules.tool_rates.get_key_value(it));
    let model = model.map(move |(name, rate)| {
        let (key, name) = own("model", name);
        (key, format!("[rate.model.{name}]"), rate)
    });
    let tool = tool.map(move |(name, rate)| {
        let (key, name) = own("tool", name);
        (key, format!("[rate.tool.{name:?}]"), rate)
    });
    // A model is the same for all tenants.
    let host = host.map(|(name, rate)| {
        let line = format!("`rate` of [models.{name}] in the host file:");
        (format!("/host/{name}"), line, rate)
    });
    let plugins = payers(payer).filter_map(move |plugin| {
        let (name, rate) = rules.plugin_rates.get_key_value(plugin)?;
        let (key, name) = own("plugin", name);
        Some((key, format!("[plugin.{name}] rate:"), rate))
    });
    of_tenant
        .chain(model)
        .chain(host)
        .chain(tool)
        .chain(plugins)
}

/// The buckets of a call.
pub(super) fn pails(rules: &Rules, payer: Payer<'_>) -> Vec<Pail> {
    let mut found = Vec::new();
    for (key, name, rate) in rates(rules, payer) {
        rate_pails(&key, &name, rate, &mut found);
    }
    found
}

/// What is written before a call.
pub(super) struct Entry {
    /// Of the hold.
    pub(super) key: String,
    /// What the keys of all holds of this run begin with.
    pub(super) run: String,
    /// And of those of this process.
    pub(super) own: String,
    /// Whether to look for holds that others left.
    pub(super) sweep: bool,
    /// Microseconds on the steady clock.
    pub(super) now: u64,
    pub(super) lines: Vec<Line>,
    pub(super) pails: Vec<Pail>,
    pub(super) most: Worth,
}

impl Entry {
    /// Writes all of it, or says why not. How long to wait for one's turn.
    pub(super) fn write(&mut self, page: &Page<'_>) -> Result<Duration, Barred> {
        if self.sweep {
            sweep(page, &self.run, &self.own)?;
        }
        let now = tick(page, self.now)?;
        let mut turn = Duration::ZERO;
        for pail in &self.pails {
            let mut bucket: Bucket = page.read(BUCKETS, &pail.key)?.unwrap_or_default();
            let uses = pail.uses(self.most);
            let wait = bucket.pour(pail.flow, uses, now);
            match wait.filter(|wait| *wait <= pail.wait) {
                Some(wait) => turn = turn.max(wait),
                None => return Err(Barred::Rate(pail.busy(wait))),
            }
            page.write(BUCKETS, &pail.key, &bucket)?;
        }
        for line in &self.lines {
            let mut account: Account = page.read(ACCOUNTS, &line.key)?.unwrap_or_default();
            account
                .reserve(self.most, line.cap)
                .map_err(|funds| Barred::Budget(line.empty(funds, &account, self.most)))?;
            page.write(ACCOUNTS, &line.key, &account)?;
        }
        // Without one there is nothing to settle.
        if !self.lines.is_empty() || self.pails.iter().any(|pail| pail.tokens) {
            let held = Held {
                accounts: self.lines.iter().map(|line| line.key.clone()).collect(),
                worth: self.most,
            };
            page.write(HOLDS, &self.key, &held)?;
        }
        Ok(turn)
    }
}

impl Pail {
    fn uses(&self, worth: Worth) -> u64 {
        match self.tokens {
            true => worth.tokens,
            false => 1,
        }
    }

    fn busy(&self, wait: Option<Duration>) -> Busy {
        Busy {
            line: self.name.clone(),
            after_ms: wait.map(|wait| millis(wait.saturating_sub(self.wait))),
        }
    }
}

/// Writes down where the steady clock is, and gives back where it is: another process
/// may be ahead.
fn tick(page: &Page<'_>, now: u64) -> Result<u64, BooksError> {
    let last: u64 = page.read(FACTS, "clock")?.unwrap_or_default();
    let ms = now / 1_000;
    // Not for every call: a second more or less is nobody's day.
    if ms >= last.saturating_add(1_000) {
        page.write(FACTS, "clock", &ms)?;
    }
    Ok(now.max(last.saturating_mul(1_000)))
}

/// Charges what processes that are gone have left of a run. A run has one owner at a
/// time, so nobody else works on it.
fn sweep(page: &Page<'_>, run: &str, own: &str) -> Result<(), BooksError> {
    let mut after: Option<String> = None;
    loop {
        let found = page.list(HOLDS, run, after.as_deref(), SWEEP)?;
        let Some((last, _)) = found.last() else {
            return Ok(());
        };
        after = Some(last.clone());
        for (key, _) in found.iter().filter(|(key, _)| !key.starts_with(own)) {
            let Some(held) = page.read::<Held>(HOLDS, key)? else {
                continue;
            };
            for account in &held.accounts {
                change(page, account, |account| {
                    account.settle(held.worth, held.worth);
                })?;
            }
            page.remove(HOLDS, key)?;
        }
    }
}

fn change<T>(
    page: &Page<'_>,
    key: &str,
    how: impl FnOnce(&mut Account) -> T,
) -> Result<T, BooksError> {
    let mut account: Account = page.read(ACCOUNTS, key)?.unwrap_or_default();
    let result = how(&mut account);
    page.write(ACCOUNTS, key, &account)?;
    Ok(result)
}

/// What is written after a call. A hold that is not there any more was charged by
/// somebody who took the run over; it is not charged twice.
pub(super) fn settle(
    page: &Page<'_>,
    key: &str,
    lines: &[Line],
    pails: &[Pail],
    most: Worth,
    cost: Worth,
    now: u64,
) -> Result<Vec<Alert>, BooksError> {
    let mut alerts = Vec::new();
    if !page.remove(HOLDS, key)? {
        return Ok(alerts);
    }
    for line in lines {
        let passed = change(page, &line.key, |account| {
            account.settle(most, cost);
            account.passed(line.cap, &MARKS)
        })?;
        alerts.extend(passed.into_iter().map(|(funds, cap, percent)| Alert {
            line: line.with(funds, cap),
            percent,
        }));
    }
    let unused = most.tokens.saturating_sub(cost.tokens);
    for pail in pails.iter().filter(|pail| pail.tokens && unused > 0) {
        let mut bucket: Bucket = page.read(BUCKETS, &pail.key)?.unwrap_or_default();
        bucket.refund(pail.flow, unused, now);
        page.write(BUCKETS, &pail.key, &bucket)?;
    }
    Ok(alerts)
}
