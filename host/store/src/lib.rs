//! What must survive.
//!
//! Today that is two things: compiled components, so that the second start
//! compiles nothing, and the journal of what runs did. Nothing in this crate knows
//! what a plugin or a model is, or what the records of a run mean.

pub mod artifacts;
pub mod crash;
mod digest;
pub mod guard;
pub mod journal;
mod private;

pub use digest::Digest;
