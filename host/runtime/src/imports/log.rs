//! `hotcell:capability/log`: words for the operator, bounded and escaped.

use hotcell_broker::meter::Level as Severity;

use crate::bindings::capability::log::{Host, Level};
use crate::cell::State;

impl Host for State {
    fn emit(
        &mut self,
        level: Level,
        message: String,
        fields: Vec<(String, String)>,
    ) -> wasmtime::Result<()> {
        let level = match level {
            Level::Trace => Severity::Trace,
            Level::Debug => Severity::Debug,
            Level::Info => Severity::Info,
            Level::Warn => Severity::Warn,
            Level::Error => Severity::Error,
        };
        let mut text = message;
        for (name, value) in fields {
            text.push_str(&format!(" {name}={value}"));
        }
        self.log.push(level, &text);
        Ok(())
    }

    fn progress(&mut self, done: u32, total: u32, note: String) -> wasmtime::Result<()> {
        self.log
            .push(Severity::Info, &format!("{done}/{total} {note}"));
        Ok(())
    }
}
