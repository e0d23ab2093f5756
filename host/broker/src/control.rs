//! What stands between a call that is granted and the call that is made: is there
//! a budget for it, is it not too often, is it written down that it happens.
//!
//! Every effect passes here, whatever it is: [`Broker::admit`] before anybody is
//! asked, [`Admitted::settle`] when what it cost is known. An admission that is
//! dropped has not been settled: what was set aside for it stays spent, because
//! nobody knows what it cost.

use std::sync::Arc;
use std::time::Duration;

use crate::audit::Noted;
pub(crate) use crate::ledger::Worth;
use crate::ledger::{self, Hold, Payer};
use crate::llm::{LlmError, Usage};
use crate::meter::Refusal;
use crate::recall::{Answer, Question};
use crate::secrets::carries;
use crate::tool::ToolError;
use crate::{Broker, Caller, Capability};

/// An effect that is about to happen.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) capability: Capability,
    pub(crate) resource: &'a str,
    /// What is asked.
    pub(crate) question: Question<'a>,
    /// Its number in the attempt.
    pub(crate) sequence: u32,
    /// The most it can cost.
    pub(crate) most: Worth,
}

impl Worth {
    /// What a call came to.
    pub(crate) fn of(usage: Usage, micros: u64) -> Worth {
        Worth {
            micros,
            tokens: usage.input_tokens.saturating_add(usage.output_tokens),
        }
    }
}

/// Why a granted call is not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Barred {
    /// It could cost more than is left.
    Budget,
    /// Too many calls; there may be room after so many milliseconds.
    Rate(Option<u32>),
    /// It could not be written down, so it does not happen.
    Unwritten(String),
    /// It carries the secret of this name.
    Secret(Arc<str>),
}

/// Why a call is not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotMade {
    /// The attempt ends while the call waits for its turn. Nobody was asked, and
    /// nothing is written down.
    Halted,
    /// It is refused.
    Barred(Barred),
}

impl From<Barred> for NotMade {
    fn from(barred: Barred) -> NotMade {
        NotMade::Barred(barred)
    }
}

/// A call that may be made.
#[must_use = "dropped without being settled, it stays charged"]
pub(crate) struct Admitted {
    hold: Option<Hold>,
    /// It is written down that it happens.
    noted: Option<Noted>,
}

impl Broker {
    /// Whether a granted call may be made now. What it could cost is set aside.
    ///
    /// That it cannot be written down is no fault of the guest's: where there is a
    /// journal the attempt ends here, and goes on when that is mended.
    pub(crate) async fn admit(
        &self,
        caller: &Caller,
        wanted: Wanted<'_>,
    ) -> Result<Admitted, NotMade> {
        match self.admit_or_say_why(caller, wanted).await {
            Err(NotMade::Barred(Barred::Unwritten(why))) if caller.log.unwritten(&why) => {
                Err(NotMade::Halted)
            }
            decided => decided,
        }
    }

    async fn admit_or_say_why(
        &self,
        caller: &Caller,
        wanted: Wanted<'_>,
    ) -> Result<Admitted, NotMade> {
        let mut admitted = Admitted {
            hold: self.reserve(caller, wanted).await?,
            noted: None,
        };
        let Some(trail) = &self.inner.audit else {
            return Ok(admitted);
        };
        match trail.allowed(caller, &wanted).await {
            Ok(noted) => admitted.noted = Some(noted),
            Err(why) => {
                admitted.forgo().await;
                return Err(Barred::Unwritten(why.to_string()).into());
            }
        }
        Ok(admitted)
    }

    /// Sets aside what a call could cost, where there is a cap.
    async fn reserve(&self, caller: &Caller, wanted: Wanted<'_>) -> Result<Option<Hold>, NotMade> {
        let Some(ledger) = &self.inner.ledger else {
            return Ok(None);
        };
        let payer = caller.payer(wanted.capability, wanted.resource);
        let reserved = tokio::select! {
            biased;
            () = caller.cancel.cancelled() => return Err(NotMade::Halted),
            reserved = tokio::time::timeout_at(caller.deadline, ledger.admit(payer, wanted.most)) => {
                reserved.map_err(|_| Barred::Rate(None))?
            }
        };
        match reserved {
            Ok(hold) => Ok(Some(hold)),
            Err(why) => Err(self.barred(caller, wanted, why).into()),
        }
    }

    /// Notes why a call is not made, where the run's report finds it.
    fn barred(&self, caller: &Caller, wanted: Wanted<'_>, why: ledger::Barred) -> Barred {
        let (reason, allow_with, barred) = match why {
            ledger::Barred::Books(error) => return Barred::Unwritten(error.to_string()),
            ledger::Barred::Budget(empty) => (
                format!("the call could cost more than is left of `{}`", empty.line),
                Some(empty.raise),
                Barred::Budget,
            ),
            ledger::Barred::Rate(busy) => (
                format!("too many calls for `{}`", busy.line),
                None,
                Barred::Rate(busy.after_ms),
            ),
        };
        if let Barred::Rate(Some(after)) = barred {
            let (meter, after) = (&caller.meter, u64::from(after));
            meter.told_to_wait(&caller.step, caller.attempt, after);
        }
        let refusal = Refusal {
            plugin: caller.plugin.clone(),
            capability: wanted.capability,
            resource: wanted.resource.to_owned(),
            reason,
            allow_with,
        };
        self.refuse(caller, refusal);
        barred
    }

    /// Whether a call must have a bound, because it is paid from something that has.
    pub(crate) fn bounds(&self, caller: &Caller, capability: Capability, resource: &str) -> bool {
        let ledger = self.inner.ledger.as_ref();
        ledger.is_some_and(|ledger| ledger.bounds(caller.payer(capability, resource)))
    }

    /// What the caller may still spend, in micro-dollars; none when there is no cap.
    pub async fn left_micros(&self, caller: &Caller) -> Option<u64> {
        let ledger = self.inner.ledger.as_ref()?;
        // No name of a model: what one model may cost is not what is left of a run.
        let payer = caller.payer(Capability::Tools, "");
        // Books that cannot be read let nobody spend anything.
        ledger.left_micros(payer).await.unwrap_or(Some(0))
    }
}

impl Caller {
    fn payer<'a>(&'a self, capability: Capability, resource: &'a str) -> Payer<'a> {
        let named = |wanted: Capability| (capability == wanted).then_some(resource);
        Payer {
            run: &self.run,
            tenant: &self.tenant,
            plugin: &self.plugin,
            behalf: &self.behalf,
            model: named(Capability::Llm),
            tool: named(Capability::Tools),
        }
    }
}

impl Admitted {
    /// What was answered, and how long it took. Before the call is settled.
    pub(crate) fn answered(&mut self, answer: impl FnOnce() -> Answer, took: Duration) {
        if let Some(noted) = &mut self.noted {
            noted.answered(&answer(), took);
        }
    }

    /// The call has ended: `outcome` is `ok` or the error's code, `cost` what it
    /// came to. The rest of what was set aside is free again.
    ///
    /// Books that fail leave what was set aside as it is: that bars as much.
    pub(crate) async fn settle(self, outcome: &'static str, cost: Worth) {
        if let Some(noted) = self.noted {
            noted.end(outcome, cost);
        }
        if let Some(hold) = self.hold {
            hold.settle(cost).await.unwrap_or_default();
        }
    }

    /// The same for a call of which nobody knows what it cost.
    pub(crate) async fn charge(self, outcome: &'static str) {
        let most = self.hold.as_ref().map(Hold::most).unwrap_or_default();
        self.settle(outcome, most).await;
    }

    /// The call was not made after all.
    pub(crate) async fn forgo(self) {
        self.settle("not-made", Worth::default()).await;
    }
}

impl From<Barred> for LlmError {
    fn from(barred: Barred) -> LlmError {
        match barred {
            Barred::Budget => LlmError::BudgetExhausted,
            Barred::Rate(after) => LlmError::RateLimited(after),
            Barred::Unwritten(why) => LlmError::Unavailable(why),
            Barred::Secret(name) => LlmError::Invalid(carries(&name)),
        }
    }
}

impl From<Barred> for ToolError {
    fn from(barred: Barred) -> ToolError {
        match barred {
            Barred::Budget => ToolError::BudgetExhausted,
            Barred::Rate(after) => ToolError::RateLimited(after),
            Barred::Unwritten(why) => ToolError::Failed(why),
            Barred::Secret(name) => ToolError::InvalidArguments(carries(&name)),
        }
    }
}
