//! What happens next.
//!
//! A checked [`Plan`](plan::Plan) goes in, the pure [`machine`] decides, the
//! [`engine`] does what it says and feeds the results back. No decision in this
//! crate looks at a clock, draws a number or waits: that is what makes a run
//! repeatable.

pub mod breaker;
pub mod diagram;
pub mod engine;
pub mod graph;
pub mod machine;
pub mod patterns;
pub mod plan;
pub mod retry;
pub mod schema;
#[cfg(test)]
mod story;

pub use hotcell_runtime as runtime;
