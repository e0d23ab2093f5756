//! What must survive.
//!
//! Compiled components, so that the second start compiles nothing; the journal of
//! what runs did; the books, which several processes write; the audit, which is only
//! ever added to. Nothing in this crate
//! knows what a plugin or a model is, or what the records of a run mean.

pub mod artifacts;
pub mod audit;
pub mod books;
pub mod crash;
mod digest;
pub mod guard;
pub mod journal;
mod private;
pub mod scrub;

pub use digest::Digest;
