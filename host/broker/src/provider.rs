//! Who answers: providers that the broker brings itself. A provider over a
//! model plugin is the runtime's, because running a component is.

pub mod calendar;
pub mod capped;
pub mod cassette;
pub mod chain;
mod estimate;
pub mod faults;
pub mod hashed;
pub mod remote;
pub mod scripted;
pub mod secret;
