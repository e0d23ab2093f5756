//! The capabilities as guests see them: one thin file for each WIT interface.
//! Each translates, asks the broker and translates back; none decides anything.

use crate::bindings;
use crate::cell::State;

mod approval;
mod context;
mod delegate;
pub(crate) mod llm;
mod log;
mod memory;
pub(crate) mod secrets;
pub(crate) mod tools;
mod wasi;

// Interfaces that hold types alone.
impl bindings::capability::types::Host for State {}
impl bindings::types::Host for State {}
