//! What must survive.
//!
//! Today that is one thing: compiled components, so that the second start
//! compiles nothing. The journal, the ledger and the registry join it here.
//! Nothing in this crate knows what a plugin, a run or a model is.

pub mod artifacts;
mod digest;
pub mod guard;

pub use digest::Digest;
