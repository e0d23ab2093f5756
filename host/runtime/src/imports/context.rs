//! `hotcell:capability/context`: facts about the attempt.

use crate::bindings::capability::context::{Host, Info};
use crate::cell::State;

impl Host for State {
    fn current(&mut self) -> wasmtime::Result<Info> {
        let caller = &self.caller;
        let info = Info {
            run_id: caller.run.clone(),
            step_id: caller.step.clone(),
            attempt: caller.attempt,
            tenant: caller.tenant.clone(),
            agent: caller.plugin.clone(),
            now_unix_ms: caller.now_unix_ms,
            deadline_unix_ms: self.deadline_unix_ms,
            budget_left_micros: None,
        };
        self.hand("context.current", &info);
        Ok(info)
    }

    fn random(&mut self) -> wasmtime::Result<u64> {
        let number = self.random.next();
        self.hand("context.random", &number);
        Ok(number)
    }

    fn config(&mut self) -> wasmtime::Result<String> {
        let config = self.config.to_string();
        self.hand("context.config", &config);
        Ok(config)
    }
}
