//! A hard cap on what calls may cost, around any provider.
//!
//! **What is promised.** Before a call is made, the most it can cost is set aside:
//! one input token for each byte of the request's JSON, which no tokenizer over
//! bytes exceeds, and `max_tokens` output tokens, at the route's price. A request
//! that names no `max_tokens` gets [`MAX_TOKENS`], and the provider is told so. If
//! what was spent, what is set aside for others and this are more than the cap
//! together, the call is refused as `budget-exhausted` and nobody is asked; to a
//! plugin that is a refusal, which nobody repeats. When a call is over, what it was
//! billed takes the place of what was set aside. So however many calls are made at
//! once, their bills stay within the cap.
//!
//! **Where it ends.** It holds for a provider that bills what it reports and keeps
//! to `max_tokens`. One that bills more is stopped after that call, not before. A
//! provider that reports no usage is taken at the estimate.
//!
//! **Failed calls.** A refusal of the provider (busy, invalid, too long) costs
//! nothing. When a real model breaks off, is down, or nobody waits any longer,
//! nobody knows what it bills: then all that was set aside counts as spent, and is
//! shown on its own as `unclear`. Those that cost nobody anything, such as a
//! simulation, bill nothing for a failed call.
//!
//! A budget lives as long as the process; what earlier ones spent it does not know.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde::Serialize;

use crate::llm::{Answer, EmbedAsk, Embedding, LlmError, LlmProvider, Origin, Request, Usage};
use crate::{Broker, Caller, Price};

/// The most output tokens of a request that does not say: 4,096.
pub const MAX_TOKENS: u32 = 4_096;

/// What calls may cost together. Cheap to clone; all clones are the same budget,
/// whatever providers and prices they stand before.
#[derive(Clone, Debug)]
pub struct Budget {
    spending: Arc<Mutex<Spending>>,
}

/// How a budget stands, in micro-dollars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Spending {
    /// What may be spent.
    pub cap: u64,
    /// What was billed.
    pub spent: u64,
    /// What calls may have been billed of which nobody knows.
    pub unclear: u64,
    /// What is set aside for calls that are being made.
    pub reserved: u64,
    /// How many calls were refused.
    pub refused: u64,
}

impl Budget {
    /// A budget of so many micro-dollars.
    pub fn new(cap: u64) -> Budget {
        let spending = Spending {
            cap,
            spent: 0,
            unclear: 0,
            reserved: 0,
            refused: 0,
        };
        Budget {
            spending: Arc::new(Mutex::new(spending)),
        }
    }

    /// How it stands now.
    pub fn spending(&self) -> Spending {
        *self.lock()
    }

    fn reserve(&self, micros: u64, unclear: bool) -> Option<Reserved<'_>> {
        let mut spending = self.lock();
        let taken = [spending.spent, spending.unclear, spending.reserved];
        let taken = taken.into_iter().fold(micros, u64::saturating_add);
        if taken > spending.cap {
            spending.refused = spending.refused.saturating_add(1);
            return None;
        }
        spending.reserved = spending.reserved.saturating_add(micros);
        Some(Reserved {
            budget: self,
            micros,
            bill: match unclear {
                true => Bill::Unclear,
                false => Bill::Known(0),
            },
        })
    }

    /// Sums are changed in one go each, so they are whole after a panic, too.
    fn lock(&self) -> MutexGuard<'_, Spending> {
        self.spending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a call costs when it is over.
enum Bill {
    Known(u64),
    /// All that was set aside, at most.
    Unclear,
}

/// Money set aside for one call. It is settled when it is dropped, so that it is
/// also settled for calls that nobody waits for any longer.
struct Reserved<'a> {
    budget: &'a Budget,
    micros: u64,
    bill: Bill,
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        let mut spending = self.budget.lock();
        spending.reserved = spending.reserved.saturating_sub(self.micros);
        match self.bill {
            Bill::Known(micros) => spending.spent = spending.spent.saturating_add(micros),
            Bill::Unclear => spending.unclear = spending.unclear.saturating_add(self.micros),
        }
    }
}

/// A provider whose calls a [`Budget`] pays for.
pub struct Capped {
    inner: Arc<dyn LlmProvider>,
    price: Price,
    budget: Budget,
}

impl Capped {
    /// Puts a cap before a provider with the price of its route.
    pub fn new(inner: Arc<dyn LlmProvider>, price: Price, budget: Budget) -> Capped {
        Capped {
            inner,
            price,
            budget,
        }
    }
}

#[async_trait]
impl LlmProvider for Capped {
    fn origin(&self) -> Origin {
        self.inner.origin()
    }

    async fn complete(&self, broker: &Broker, caller: &Caller, request: &Request) -> Answer {
        let request = &*bounded(request, MAX_TOKENS);
        let real = self.inner.origin() == Origin::Live;
        let Some(mut reserved) = self.budget.reserve(self.price.of(worst(request)), real) else {
            return Answer::wall(Err(LlmError::BudgetExhausted));
        };
        let answer = self.inner.complete(broker, caller, request).await;
        match &answer.result {
            Ok(completion) => reserved.bill = Bill::Known(self.price.of(completion.usage)),
            Err(error) if is_unclear(error) => {}
            Err(_) => reserved.bill = Bill::Known(0),
        }
        answer
    }

    async fn embed(
        &self,
        broker: &Broker,
        caller: &Caller,
        asked: &EmbedAsk,
    ) -> Result<Embedding, LlmError> {
        let real = self.inner.origin() == Origin::Live;
        let Some(mut reserved) = self.budget.reserve(self.price.of(asked.worst()), real) else {
            return Err(LlmError::BudgetExhausted);
        };
        let made = self.inner.embed(broker, caller, asked).await;
        match &made {
            Ok(made) => reserved.bill = Bill::Known(self.price.of(made.usage)),
            Err(error) if is_unclear(error) => {}
            Err(_) => reserved.bill = Bill::Known(0),
        }
        made
    }
}

/// Whether nobody knows what a real model bills for a call that ended so.
pub(crate) fn is_unclear(error: &LlmError) -> bool {
    matches!(
        error,
        LlmError::Unavailable(_) | LlmError::Timeout | LlmError::Cancelled
    )
}

/// The request with a bound: its own, or this one.
pub(crate) fn bounded(request: &Request, most: u32) -> Cow<'_, Request> {
    match request.max_tokens {
        Some(_) => Cow::Borrowed(request),
        None => Cow::Owned(Request {
            max_tokens: Some(most),
            ..request.clone()
        }),
    }
}

/// The most tokens that a call can take. The JSON of a request cannot fail: it
/// holds no maps with odd keys. If it did, the call would be beyond all budgets.
pub(crate) fn worst(request: &Request) -> Usage {
    let bytes = serde_json::to_vec(request).map_or(u64::MAX, |json| json.len() as u64);
    Usage {
        input_tokens: bytes,
        output_tokens: request.max_tokens.unwrap_or(MAX_TOKENS).into(),
        ..Usage::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn threads_that_reserve_and_settle_at_once_never_pass_the_cap() {
        const CAP: u64 = 10_000;
        let budget = Budget::new(CAP);
        let under_way = AtomicU64::new(0);
        let billed = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for thread in 0..8_u64 {
                let (budget, under_way, billed) = (&budget, &under_way, &billed);
                scope.spawn(move || {
                    for call in 0..2_000 {
                        let most = 1 + (thread * 31 + call * 7) % 97;
                        let Some(mut reserved) = budget.reserve(most, false) else {
                            continue;
                        };
                        let before = billed.load(Ordering::SeqCst);
                        let all = under_way.fetch_add(most, Ordering::SeqCst) + most;
                        assert!(before + all <= CAP, "{before} billed, {all} under way");
                        let bill = most / 8;
                        billed.fetch_add(bill, Ordering::SeqCst);
                        under_way.fetch_sub(most, Ordering::SeqCst);
                        reserved.bill = Bill::Known(bill);
                    }
                });
            }
        });
        let spending = budget.spending();
        assert_eq!(spending.spent, billed.into_inner());
        assert_eq!((spending.reserved, spending.unclear), (0, 0));
        assert!(spending.spent <= CAP);
        assert!(
            spending.spent > CAP - 97 && spending.refused > 0,
            "{spending:?}"
        );
    }

    #[test]
    fn sums_that_no_number_holds_are_beyond_the_cap() {
        let budget = Budget::new(u64::MAX - 1);
        assert!(budget.reserve(u64::MAX, false).is_none());
        let first = budget.reserve(u64::MAX - 1, false);
        assert!(first.is_some() && budget.reserve(2, false).is_none());
        drop(first);
        let mut over = budget.reserve(5, false).unwrap();
        over.bill = Bill::Known(u64::MAX);
        drop(over);
        assert_eq!(budget.spending().spent, u64::MAX);
        assert!(budget.reserve(0, false).is_none());
    }
}
