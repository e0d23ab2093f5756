//! `hotcell:capability/context`: facts about the attempt.

use crate::bindings::capability::context::{Host, Info};
use crate::cell::State;

impl Host for State {
    async fn current(&mut self) -> wasmtime::Result<Info> {
        if let Some(info) = self.recall("context.current")? {
            return Ok(info);
        }
        let left = self.broker.left_micros(&self.caller).await;
        let caller = &self.caller;
        let info = Info {
            run_id: caller.run.clone(),
            step_id: caller.step.clone(),
            attempt: caller.attempt,
            tenant: caller.tenant.clone(),
            agent: caller.plugin.clone(),
            now_unix_ms: caller.now_unix_ms,
            deadline_unix_ms: self.deadline_unix_ms,
            budget_left_micros: left,
        };
        Ok(self.read("context.current", info))
    }

    /// Drawn from what names the attempt, so the same without a record.
    fn random(&mut self) -> wasmtime::Result<u64> {
        let number = self.random.next();
        self.hand("context.random", &number);
        Ok(number)
    }

    /// Part of the definition that a run is pinned to, so the same without a
    /// record.
    fn config(&mut self) -> wasmtime::Result<String> {
        let config = self.config.to_string();
        self.hand("context.config", &config);
        Ok(config)
    }
}
