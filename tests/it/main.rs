//! The whole host from outside: the built binary, real guests, real files.
//!
//! One binary, so that guests are built once and the tests share one folder of
//! compiled components. See `tests/README.md` for which test goes where.

mod bad_files;
mod bad_plugins;
mod example;
mod live_model;
mod sandbox;
mod scene;
mod tape;
mod targets;
