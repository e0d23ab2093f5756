//! Calls of models and tools.

use std::borrow::Cow;
use std::sync::Arc;

use futures::future::join_all;
use store::crash::{self, Point};

use crate::control::{NotMade, Wanted, Worth};
use crate::llm::{self, LlmError, Origin, Request, Response, Took};
use crate::meter::whole_micros;
use crate::perform::{Terms, ask};
use crate::provider::capped;
use crate::recall::{Question, Reply, Spent};
use crate::tool::registry::Tool;
use crate::tool::{ToolCall, ToolError, ToolOutput};
use crate::{BATCH, Broker, Caller, Capability, Route, store};

impl Route {
    /// The request with the bound on its answer that it has here. One that somebody
    /// pays for must have a bound.
    fn bounded<'r>(&self, request: &'r Request, paid: bool) -> Cow<'r, Request> {
        let bound = match (request.max_tokens, self.max_output_tokens) {
            (Some(asked), Some(most)) => Some(asked.min(most)),
            (asked, most) => asked.or(most).or(paid.then_some(capped::MAX_TOKENS)),
        };
        match bound == request.max_tokens {
            true => Cow::Borrowed(request),
            false => Cow::Owned(Request {
                max_tokens: bound,
                ..request.clone()
            }),
        }
    }

    /// The most that a request can cost which has a bound.
    fn most(&self, request: &Request) -> Worth {
        let worst = capped::worst(request);
        Worth::of(worst, self.price.of(worst))
    }
}

fn too_many(calls: usize) -> String {
    format!("{calls} calls at once; at most {BATCH} are done")
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
        if let Err(barred) = self.discreet(caller, Question::Llm(&request)) {
            return slip.refused(Err(barred.into()));
        }
        let Some(sequence) = caller.next() else {
            return slip.barred(Err(LlmError::BudgetExhausted));
        };
        let paid = self.bounds(caller, Capability::Llm, &request.model);
        let bounded = route.bounded(&request, paid);
        let most = match paid {
            true => route.most(&bounded),
            false => Worth::default(),
        };
        let wanted = Wanted {
            capability: Capability::Llm,
            resource: &request.model,
            question: Question::Llm(&request),
            sequence,
            most,
        };
        let mut admitted = match self.admit(caller, wanted).await {
            Ok(admitted) => admitted,
            Err(NotMade::Halted) => return Err(LlmError::Cancelled),
            Err(NotMade::Barred(barred)) => return slip.barred(Err(barred.into())),
        };
        let origin = route.provider.origin();
        let intended = slip.intend(sequence, origin.effect(), Some(origin)).await;
        if intended.is_err() {
            admitted.forgo().await;
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
            answer = ask(tokio::time::timeout(limit, route.provider.complete(self, &asking, &bounded))) =>
                Some(answer.unwrap_or_else(|_| llm::Answer::wall(Err(LlmError::Timeout)))),
        };
        let Some(answer) = answer else {
            effect.end("cancelled", |_| {});
            match origin {
                Origin::Live => admitted.charge("cancelled").await,
                _ => admitted.settle("cancelled", Worth::default()).await,
            }
            return Err(LlmError::Cancelled);
        };
        let unclear =
            origin == Origin::Live && answer.result.as_ref().is_err_and(capped::is_unclear);
        let llm::Answer {
            cost_micros: known_cost,
            degraded,
            ..
        } = answer;
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
        let cost_micros = known_cost.unwrap_or_else(|| route.price.of(usage));
        let outcome = result.as_ref().map_or_else(LlmError::code, |_| "ok");
        let retry_after_ms = result.as_ref().err().and_then(LlmError::retry_after_ms);
        let took = effect.end(outcome, |effect| {
            effect.retry_after_ms = retry_after_ms;
            effect.usage = usage;
            effect.usage_estimated = usage_estimated;
            effect.cost_micros = cost_micros;
            effect.degraded = degraded.filter(|_| outcome == "ok");
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
            degraded,
        });
        admitted.answered(|| result.answer(), took);
        match unclear {
            true => admitted.charge(outcome).await,
            false => {
                let cost = Worth::of(usage, cost_micros);
                admitted.settle(outcome, cost).await;
            }
        }
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
        let work = |asking: Caller, by: Arc<Tool>| {
            let call = &call;
            async move {
                let output = by.provider.call(self, &asking, call).await?;
                by.check_output(output)
            }
        };
        let terms = || self.tool(caller, &call);
        self.perform(caller, number, Question::Tools(&call), terms, work)
            .await
    }

    /// Who does what a call asks for, and what may be done after a crash, if
    /// somebody may.
    fn tool(&self, caller: &Caller, call: &ToolCall) -> Result<Terms<Arc<Tool>>, ToolError> {
        self.allow(caller, Capability::Tools, &call.name)
            .map_err(ToolError::Denied)?;
        let tool = self.inner.tools.get(&call.name);
        let tool = tool.ok_or(ToolError::Unknown)?;
        tool.check_arguments(&call.arguments)?;
        Ok(Terms {
            effect: tool.spec.effect,
            most: Worth::default(),
            by: Arc::clone(tool),
        })
    }
}
