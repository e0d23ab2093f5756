//! `hotcell:capability/delegate`: other agents, through the broker.

use hotcell_broker::delegate as broker;

use super::llm::denial;
use crate::bindings::capability::delegate::{Error, Host, Request};
use crate::cell::State;

fn ask_to_host(request: Request) -> broker::DelegateAsk {
    broker::DelegateAsk {
        agent: request.agent,
        kind: request.kind,
        input: request.input,
    }
}

fn result_to_guest(result: Result<String, broker::DelegateError>) -> Result<String, Error> {
    use broker::DelegateError as E;
    result.map_err(|error| match error {
        E::Denied(reason) => Error::Denied(denial(reason)),
        E::UnknownAgent => Error::UnknownAgent,
        E::DepthExceeded => Error::DepthExceeded,
        E::BudgetExhausted => Error::BudgetExhausted,
        E::Saturated => Error::Saturated,
        E::Failed(text) => Error::Failed(text),
        E::Cancelled => Error::Cancelled,
    })
}

impl Host for State {
    async fn ask(&mut self, request: Request) -> wasmtime::Result<Result<String, Error>> {
        let ask = ask_to_host(request);
        let result = self
            .outside(ask.bytes(), async |broker, caller| {
                broker.delegate(caller, ask).await
            })
            .await?;
        let result = result_to_guest(result);
        self.hand("delegate.ask", &result);
        Ok(result)
    }

    async fn ask_all(
        &mut self,
        requests: Vec<Request>,
    ) -> wasmtime::Result<Vec<Result<String, Error>>> {
        let asks: Vec<_> = requests.into_iter().map(ask_to_host).collect();
        let bytes = asks.iter().map(broker::DelegateAsk::bytes).sum();
        let results = self
            .outside(bytes, async |broker, caller| {
                broker.delegate_all(caller, asks).await
            })
            .await?;
        let results: Vec<_> = results.into_iter().map(result_to_guest).collect();
        self.hand("delegate.ask-all", &results);
        Ok(results)
    }
}
