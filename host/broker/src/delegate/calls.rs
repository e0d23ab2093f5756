//! Agents that are asked on behalf of agents.

use std::sync::Arc;

use futures::future::join_all;
use serde::de::IgnoredAny;

use super::kin::One;
use super::{AgentProvider, DelegateAsk, DelegateError};
use crate::bulkhead::MAX_DEPTH;
use crate::control::Worth;
use crate::perform::Terms;
use crate::recall::Question;
use crate::store::guard::Guard;
use crate::tool::EffectKind;
use crate::{BATCH, Broker, Caller, Capability};

impl Broker {
    /// One piece of work for another agent.
    ///
    /// What that agent does is in the journal by itself, under a path of its own. So
    /// the call as a whole may be repeated after a crash: the agent is executed
    /// again, is answered what it was answered, and stops where one of its own calls
    /// must not be repeated.
    pub async fn delegate(
        &self,
        caller: &Caller,
        ask: DelegateAsk,
    ) -> Result<String, DelegateError> {
        self.delegate_as(caller, caller.log.number(), ask).await
    }

    /// Several at once, at most [`BATCH`]; results in the order of the requests. Too
    /// many are refused without a record: it follows from their number.
    pub async fn delegate_all(
        &self,
        caller: &Caller,
        asks: Vec<DelegateAsk>,
    ) -> Vec<Result<String, DelegateError>> {
        let count = asks.len();
        if count > BATCH {
            let why = format!("{count} requests at once; at most {BATCH} are done");
            return vec![Err(DelegateError::Failed(why)); count];
        }
        let asks = asks.into_iter();
        join_all(asks.map(|ask| self.delegate_as(caller, caller.log.number(), ask))).await
    }

    async fn delegate_as(
        &self,
        caller: &Caller,
        number: u32,
        ask: DelegateAsk,
    ) -> Result<String, DelegateError> {
        let work = |asking: Caller, (by, one): (Arc<dyn AgentProvider>, One)| {
            let ask = &ask;
            async move {
                let answer = by.ask(self, &asking, ask).await;
                drop(one);
                answer
            }
        };
        let terms = || {
            Ok(Terms {
                effect: EffectKind::Idempotent,
                most: Worth::default(),
                by: self.agent(caller, &ask)?,
            })
        };
        self.perform(caller, number, Question::Delegate(&ask), terms, work)
            .await
    }

    /// Who is asked, if somebody may be.
    fn agent(
        &self,
        caller: &Caller,
        ask: &DelegateAsk,
    ) -> Result<(Arc<dyn AgentProvider>, One), DelegateError> {
        self.allow(caller, Capability::Delegate, &ask.agent)
            .map_err(DelegateError::Denied)?;
        let agent = self.inner.agents.get(&ask.agent);
        let agent = agent.ok_or(DelegateError::UnknownAgent)?;
        if caller.depth >= MAX_DEPTH && Guard::Depth.on() {
            return Err(DelegateError::DepthExceeded);
        }
        if let Err(error) = serde_json::from_str::<IgnoredAny>(&ask.input) {
            let why = format!("the input is no JSON: {error}");
            return Err(DelegateError::Failed(why));
        }
        Ok((Arc::clone(agent), caller.meter.kin().enter()?))
    }
}
