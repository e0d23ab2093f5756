//! What a set of trials is worth: rates, intervals, comparisons, money.
//!
//! In goes a [`Study`], what was tried and what came of it; out come
//! [`Findings`], every number that a report shows. Pure: no I/O, no clock, no
//! engine. The same study gives the same findings, whatever the order of its
//! trials and whatever the machine: numbers that need more than `+ - * /` and a
//! square root come from `libm`, which computes the same everywhere.
//!
//! It refuses a study that contradicts itself. It never fills a gap: what was
//! not measured is absent, not zero, and an interval needs two tasks at least.

pub mod advise;
pub mod analyse;
pub mod cost;
mod course;
pub mod findings;
pub mod matching;
pub mod propagation;
pub mod render;
pub mod stats;
pub mod trial;

pub use analyse::{Flaw, analyse};
pub use findings::Findings;
pub use trial::Study;
