//! Calls of models and tools: judged, written down, made, written down again.
//!
//! The order is the same for both. What the journal knows is answered from it.
//! Otherwise the grant is looked up, the intent is written, somebody is asked
//! under a deadline and the run's cancellation, and the answer is written before
//! the guest has it. A call that the run's cancellation ends has no result in the
//! journal: nobody knows what came of it, and the guest does not go on.

use std::pin::pin;
use std::task::Poll;

use futures::future::join_all;
use store::crash::{self, Point};

use crate::llm::{self, LlmError, Request, Response, Took};
use crate::meter::whole_micros;
use crate::recall::{Question, Spent};
use crate::tool::{EffectKind, ToolCall, ToolError, ToolOutput, ToolProvider};
use crate::{BATCH, Broker, Caller, Capability, Route, store};

fn too_many(calls: usize) -> String {
    format!("{calls} calls at once; at most {BATCH} are done")
}

/// Waits for somebody's answer.
async fn ask<T>(asked: impl Future<Output = T>) -> T {
    crash::point(Point::BeforeSend);
    let mut asked = pin!(asked);
    // A provider sends when it is first polled.
    let first = futures::poll!(asked.as_mut());
    crash::point(Point::AfterSend);
    let answer = match first {
        Poll::Ready(answer) => answer,
        Poll::Pending => asked.await,
    };
    crash::point(Point::AfterResponse);
    answer
}

impl Broker {
    /// One model call for a plugin.
    pub async fn complete(&self, caller: &Caller, request: Request) -> Result<Response, LlmError> {
        self.complete_as(caller, caller.log.number(), request).await
    }

    /// Several model calls at once, at most [`BATCH`]; results in request order.
    /// Too many are refused without a record: it follows from their number.
    pub async fn complete_all(
        &self,
        caller: &Caller,
        requests: Vec<Request>,
    ) -> Vec<Result<Response, LlmError>> {
        if requests.len() > BATCH {
            let refuse = |_| Err(LlmError::Invalid(too_many(requests.len())));
            return requests.iter().map(refuse).collect();
        }
        let calls = requests.into_iter();
        join_all(calls.map(|request| self.complete_as(caller, caller.log.number(), request))).await
    }

    async fn complete_as(
        &self,
        caller: &Caller,
        number: u32,
        request: Request,
    ) -> Result<Response, LlmError> {
        let mut slip = caller.log.slip(caller, number, Question::Llm(&request));
        if let Some(known) = slip.known().await {
            return known;
        }
        let route = match self.route(caller, &request) {
            Ok(route) => route,
            Err(error) => return slip.refused(Err(error)),
        };
        let Some(sequence) = caller.next() else {
            return slip.refused(Err(LlmError::BudgetExhausted));
        };
        let origin = route.provider.origin();
        let intended = slip.intend(sequence, origin.effect(), Some(origin)).await;
        if intended.is_err() {
            return Err(LlmError::Cancelled);
        }
        let effect = self.open(
            caller,
            sequence,
            Capability::Llm,
            &request.model,
            Some(origin),
        );
        let limit = route
            .timeout
            .min(caller.deadline.saturating_duration_since(effect.started));
        let asking = caller.asking(sequence);
        let answer = tokio::select! {
            biased;
            () = caller.cancel.cancelled() => None,
            answer = ask(tokio::time::timeout(limit, route.provider.complete(self, &asking, &request))) =>
                Some(answer.unwrap_or_else(|_| llm::Answer::wall(Err(LlmError::Timeout)))),
        };
        let Some(answer) = answer else {
            effect.end("cancelled", |_| {});
            return Err(LlmError::Cancelled);
        };
        let used = answer.result.as_ref().ok();
        let usage = used.map(|c| c.usage).unwrap_or_default();
        let usage_estimated = used.is_some_and(|c| c.usage_estimated);
        // A simulated answer that says it took longer than the deadline is the
        // timeout it would have been; the provider bills it all the same.
        let (result, simulated) = match answer.took {
            Took::Wall => (answer.result, None),
            Took::Virtual(took) if took > route.timeout => {
                (Err(LlmError::Timeout), Some(route.timeout))
            }
            Took::Virtual(took) => (answer.result, Some(took)),
        };
        let cost_micros = route.price.of(usage);
        let outcome = result.as_ref().map_or_else(LlmError::code, |_| "ok");
        let retry_after_ms = result.as_ref().err().and_then(LlmError::retry_after_ms);
        let took = effect.end(outcome, |effect| {
            effect.retry_after_ms = retry_after_ms;
            effect.usage = usage;
            effect.usage_estimated = usage_estimated;
            effect.cost_micros = cost_micros;
            effect.simulated_time = simulated.is_some();
            effect.took = simulated.unwrap_or(effect.took);
        });
        let spent = Spent {
            usage,
            usage_estimated,
            cost_micros,
            took_micros: whole_micros(took),
            simulated_time: simulated.is_some(),
        };
        let result = result.map(|completion| Response {
            completion,
            cost_micros,
        });
        let result = slip.answered(Some(origin), spent, result).await;
        crash::point(Point::BeforeAck);
        result
    }

    /// Who answers a request, if somebody may.
    fn route(&self, caller: &Caller, request: &Request) -> Result<&Route, LlmError> {
        self.allow(caller, Capability::Llm, &request.model)
            .map_err(LlmError::Denied)?;
        let Some(route) = self.inner.models.get(&request.model) else {
            return Err(LlmError::Invalid(format!(
                "no model is called `{}`",
                request.model
            )));
        };
        request.check().map_err(LlmError::Invalid)?;
        Ok(route)
    }

    /// One tool call for a plugin.
    pub async fn call_tool(
        &self,
        caller: &Caller,
        call: ToolCall,
    ) -> Result<ToolOutput, ToolError> {
        self.call_as(caller, caller.log.number(), call).await
    }

    /// Several tool calls at once, at most [`BATCH`]; results in call order. Too
    /// many are refused without a record: it follows from their number.
    pub async fn call_tools(
        &self,
        caller: &Caller,
        calls: Vec<ToolCall>,
    ) -> Vec<Result<ToolOutput, ToolError>> {
        if calls.len() > BATCH {
            let refuse = |_| Err(ToolError::InvalidArguments(too_many(calls.len())));
            return calls.iter().map(refuse).collect();
        }
        let calls = calls.into_iter();
        join_all(calls.map(|call| self.call_as(caller, caller.log.number(), call))).await
    }

    async fn call_as(
        &self,
        caller: &Caller,
        number: u32,
        call: ToolCall,
    ) -> Result<ToolOutput, ToolError> {
        let mut slip = caller.log.slip(caller, number, Question::Tools(&call));
        if let Some(known) = slip.known().await {
            return known;
        }
        let (effect, provider) = match self.tool(caller, &call) {
            Ok(found) => found,
            Err(error) => return slip.refused(Err(error)),
        };
        let Some(sequence) = caller.next() else {
            return slip.refused(Err(ToolError::BudgetExhausted));
        };
        if slip.intend(sequence, effect, None).await.is_err() {
            return Err(ToolError::Cancelled);
        }
        let effect = self.open(caller, sequence, Capability::Tools, &call.name, None);
        let limit = caller.deadline.saturating_duration_since(effect.started);
        let result = tokio::select! {
            biased;
            () = caller.cancel.cancelled() => None,
            result = ask(tokio::time::timeout(limit, provider.call(self, caller, &call))) =>
                Some(result.unwrap_or(Err(ToolError::Timeout))),
        };
        let Some(result) = result else {
            effect.end("cancelled", |_| {});
            return Err(ToolError::Cancelled);
        };
        let outcome = result.as_ref().map_or_else(ToolError::code, |_| "ok");
        let took = effect.end(outcome, |_| {});
        let spent = Spent {
            took_micros: whole_micros(took),
            ..Spent::default()
        };
        let result = slip.answered(None, spent, result).await;
        crash::point(Point::BeforeAck);
        result
    }

    /// Who does what a call asks for, and what may be done after a crash, if
    /// somebody may.
    fn tool(
        &self,
        caller: &Caller,
        call: &ToolCall,
    ) -> Result<(EffectKind, &dyn ToolProvider), ToolError> {
        self.allow(caller, Capability::Tools, &call.name)
            .map_err(ToolError::Denied)?;
        let tool = self.inner.tools.get(&call.name);
        let (spec, provider) = tool.ok_or(ToolError::Unknown)?;
        Ok((spec.effect, provider.as_ref()))
    }
}
