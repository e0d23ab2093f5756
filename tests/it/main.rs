//! The whole host from outside: the built binary, real guests, real files.
//!
//! One binary, so that guests are built once and the tests share one folder of
//! compiled components. See `tests/README.md` for which test goes where.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says loudly that it failed"
)]

mod advise;
mod agentarch;
mod approvals;
mod audit;
mod bad_files;
mod bad_plugins;
mod bench;
mod budgets;
mod desks;
mod eval;
mod example;
mod examples;
mod files;
mod http;
mod live_model;
mod memory;
mod owners;
mod recall;
mod recordings;
mod runs;
mod sandbox;
mod scenarios;
mod scene;
mod secrets;
mod start;
mod tape;
mod targets;
mod tools;
mod worker;
