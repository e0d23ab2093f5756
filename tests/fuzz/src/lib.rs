//! Fuzz targets of Hotcell. The files under test are taken alone, each with what
//! it names of its own crate: so neither wasmtime nor an HTTP client is built
//! again with instruments.

// What the files of the runtime call the broker is this crate.
extern crate self as hotcell_broker;

pub mod egress;
#[path = "../../../host/broker/src/files.rs"]
pub mod files;
#[path = "../../../host/runtime/src/manifest.rs"]
pub mod manifest;
#[path = "../../../host/broker/src/memory/grant.rs"]
pub mod memory;
#[path = "../../../host/broker/src/policy.rs"]
pub mod policy;
pub mod redact;
pub mod targets;
#[path = "../../../host/broker/src/text.rs"]
pub mod text;

pub use hotcell_store as store;
pub use policy::{Capability, Policy};
