//! Cells: load, check, compile, link, call. The only crate that names wasmtime.
//!
//! [`Runtime::load`] turns bytes into a [`Plugin`]; [`Cells`] calls plugins, each
//! call in a fresh cell with its own fuel, deadline and memory cap. What a guest
//! imports lands in `imports/`, which asks the broker. This crate never decides
//! whether a plugin may do something, and never knows what a workflow is.

mod bindings;
mod cell;
pub mod compile;
mod end;
mod files;
mod http;
mod imports;
mod limits;
mod load;
mod log;
pub mod manifest;
mod plugin;
mod precheck;
mod preflight;
mod providers;
mod queue;
mod random;
mod runtime;
mod settings;
mod tape;
pub mod task;
mod tenants;
mod threads;
mod turns;
mod warm;
mod wasi;
pub mod world;

pub use end::{End, Limit};
pub use hotcell_broker as broker;
pub use load::{LOAD_WITHIN, LOCAL};
pub use log::TOTAL as LOG_BYTES;
pub use plugin::{CallLimits, Inspection, LoadError, Plugin, inspect};
pub use precheck::TooMuch;
pub use preflight::Shortage;
pub use providers::{AgentPlugin, ModelPlugin, ToolPlugin};
pub use runtime::{Cells, Runtime, StartError};
pub use settings::{
    GUEST_STACK, HOST_OBJECTS, HOSTCALL_BYTES, MAX_COMPONENT_BYTES, Settings, TICK,
};
pub use tape::Tape;
pub use warm::{Meters, Rig, warm_calls};
