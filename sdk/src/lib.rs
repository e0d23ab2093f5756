//! placeholder
#[doc(hidden)]
#[path = "wit.rs"]
pub mod __wit;
