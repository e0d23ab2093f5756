//! Write Hotcell plugins in Rust.
//!
//! A plugin is a WebAssembly component that does one thing: an [`Agent`] works
//! on a task, a [`Validator`] judges an answer, a [`Tool`] offers functions, an
//! [`Aggregator`] makes one decision out of many votes, a [`Model`] answers
//! model calls. Implement the trait, name the type in [`export!`], and put a
//! `hotcell.toml` beside `Cargo.toml`.
//!
//! This crate is the whole of what a plugin sees. It opens no file and no
//! socket, knows no clock and no environment: models, tools, memory and the
//! rest are asked of the host ([`llm`], [`tools`], [`memory`], …), which may
//! refuse. What a plugin does not call does not become an import of its
//! component, and what is no import needs no grant.
//!
//! # An agent
//!
//! ```
//! use hotcell_sdk::llm::Request;
//! use hotcell_sdk::prompt::Prompt;
//! use hotcell_sdk::{Agent, Answer, Failure, Task};
//! use serde::{Deserialize, Serialize};
//! use serde_json::json;
//!
//! #[derive(Deserialize)]
//! struct Mail {
//!     letter: String,
//! }
//!
//! #[derive(Debug, PartialEq, Deserialize, Serialize)]
//! struct Summary {
//!     summary: String,
//! }
//!
//! struct Summariser;
//!
//! impl Agent for Summariser {
//!     type Input = Mail;
//!     type Output = Summary;
//!
//!     fn run(task: Task<Mail>) -> Result<Answer<Summary>, Failure> {
//!         let answer = Request::new("default")
//!             .system("Sum the letter up in one sentence.")
//!             .user(Prompt::new().data("letter", &task.input.letter))
//!             .json_schema(json!({
//!                 "title": "summary",
//!                 "type": "object",
//!                 "properties": { "summary": { "type": "string" } },
//!                 "required": ["summary"],
//!                 "additionalProperties": false,
//!             }))
//!             .complete_json::<Summary>()?;
//!         Ok(Answer::new(answer.value))
//!     }
//! }
//!
//! // Beside `Cargo.toml` the manifest is `hotcell.toml` and need not be named.
//! hotcell_sdk::export!(agent: Summariser, manifest: "examples/summariser.toml");
//!
//! // Native tests run on a scripted host.
//! # fn main() {
//! let task = Task::new("mail-1", Mail { letter: "Dear all, …".into() });
//! let ran = hotcell_sdk::testing::Host::new()
//!     .answer_json(&json!({ "summary": "They greet." }))
//!     .run(|| Summariser::run(task));
//! assert_eq!(ran.result.map(|answer| answer.value.summary), Ok("They greet.".into()));
//! # }
//! ```
//!
//! Its manifest:
//!
//! ```toml
#![doc = include_str!("../examples/summariser.toml")]
//! ```
//!
//! # Building
//!
//! The crate is a `cdylib`. The target `wasm32-unknown-unknown` has no WASI, and
//! the linker that comes with Rust makes a component:
//!
//! ```console
//! rustup target add wasm32-unknown-unknown
//! export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-component-ld
//! cargo build --release --target wasm32-unknown-unknown
//! ```
//!
//! # What a plugin may assume
//!
//! A fresh instance for every call, one thread, and the same answers from every
//! import when a run is replayed. A panic ends the call and is logged; going
//! over a limit ends it silently.

mod agent;
mod aggregator;
mod convert;
mod failure;
mod import;
mod model;
mod tool;
mod tool_loop;
mod validator;

pub mod approval;
pub mod context;
pub mod delegate;
pub mod llm;
pub mod log;
pub mod memory;
pub mod prompt;
pub mod secrets;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
pub mod tools;

#[doc(hidden)]
pub mod export;
#[doc(hidden)]
pub mod wit;

pub use agent::{Agent, Answer, Subtask, Task};
pub use aggregator::{Aggregator, Ballot, Decision};
pub use failure::{Denial, Failure};
pub use model::Model;
pub use tool::{Call, Effect, Function, Tool, ToolCall, ToolOutput, ToolSpec, dispatch};
pub use tool_loop::{Called, DEFAULT_ROUNDS, MAX_CALLS_PER_ROUND, Outcome, ToolLoop};
pub use validator::{Finding, Subject, Validator, Verdict};

/// Makes a type the plugin of its crate and embeds the manifest.
///
/// The first word is the kind: `agent`, `validator`, `tool`, `aggregator` or
/// `model`. The manifest is the file `hotcell.toml` beside `Cargo.toml`, or the
/// one that `manifest:` names relative to it. A crate exports one plugin.
///
/// Natively nothing is exported: the type and the manifest are only checked to
/// be there, so that `cargo test` and `cargo clippy` see what the build will.
#[macro_export]
macro_rules! export {
    (agent: $plugin:ty $(, manifest: $path:literal)? $(,)?) => {
        $crate::__export!(agent, AgentExport, Agent, $plugin $(, $path)?);
    };
    (validator: $plugin:ty $(, manifest: $path:literal)? $(,)?) => {
        $crate::__export!(validator, ValidatorExport, Validator, $plugin $(, $path)?);
    };
    (tool: $plugin:ty $(, manifest: $path:literal)? $(,)?) => {
        $crate::__export!(tool, ToolExport, Tool, $plugin $(, $path)?);
    };
    (aggregator: $plugin:ty $(, manifest: $path:literal)? $(,)?) => {
        $crate::__export!(aggregator, AggregatorExport, Aggregator, $plugin $(, $path)?);
    };
    (model: $plugin:ty $(, manifest: $path:literal)? $(,)?) => {
        $crate::__export!(model, ModelExport, Model, $plugin $(, $path)?);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($world:ident, $adapter:ident, $kind:ident, $plugin:ty) => {
        $crate::__export!($world, $adapter, $kind, $plugin, "hotcell.toml");
    };
    ($world:ident, $adapter:ident, $kind:ident, $plugin:ty, $path:literal) => {
        #[allow(unsafe_code, reason = "exports and link sections are declared unsafe")]
        const _: () = {
            const fn is_plugin<T: $crate::$kind>() {}
            is_plugin::<$plugin>();

            const MANIFEST: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $path));
            assert!(!MANIFEST.is_empty(), "the manifest is empty");

            #[cfg(target_family = "wasm")]
            type Export = $crate::export::$adapter<$plugin>;
            #[cfg(target_family = "wasm")]
    $crate::wit::$world::export!(Export with_types_in $crate::wit::$world);

            #[cfg(target_family = "wasm")]
            #[used]
            #[unsafe(link_section = "hotcell:manifest")]
            static SECTION: [u8; MANIFEST.len()] =
                *include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $path));
        };
    };
}
