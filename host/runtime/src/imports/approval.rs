//! `hotcell:capability/approval`: a human's word, through the broker.

use hotcell_broker::approval as broker;

use super::llm::denial;
use crate::bindings::capability::approval::{Decision, Error, Host, Request};
use crate::cell::State;

fn to_host(request: Request) -> broker::ApprovalAsk {
    broker::ApprovalAsk {
        action: request.action,
        arguments: request.arguments,
        reason: request.reason,
        amount_micros: request.amount_micros,
        irreversible: request.irreversible,
        classification: request.classification,
    }
}

fn to_guest(
    result: Result<broker::ApprovalDecision, broker::ApprovalError>,
) -> Result<Decision, Error> {
    use broker::ApprovalError as E;
    result
        .map(|decision| Decision {
            approved: decision.approved,
            approver: decision.approver,
            comment: decision.comment,
        })
        .map_err(|error| match error {
            E::Denied(reason) => Error::Denied(denial(reason)),
            E::Expired => Error::Expired,
            E::Cancelled => Error::Cancelled,
        })
}

impl Host for State {
    async fn ask(&mut self, request: Request) -> wasmtime::Result<Result<Decision, Error>> {
        let ask = to_host(request);
        let words = [&ask.action, &ask.arguments, &ask.reason];
        let bytes = words.into_iter().map(String::len).sum();
        let result = self
            .outside(bytes, async |broker, caller| {
                broker.approve(caller, ask).await
            })
            .await?;
        let result = to_guest(result);
        self.hand("approval.ask", &result);
        Ok(result)
    }
}
