//! Who is running, for whom, and how much is left. Free to call and always
//! granted.
//!
//! Everything here repeats when a run is replayed: a plugin that takes its time
//! and its randomness from here alone is deterministic.

use serde::de::DeserializeOwned;

use crate::{Failure, import};

/// The attempt this cell was made for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Info {
    /// One execution of a workflow (a UUIDv7).
    pub run_id: String,
    /// The step within the run: a stable path such as `extract`.
    pub step_id: String,
    /// The try of this step, counted from 1.
    pub attempt: u32,
    /// On whose behalf the run was started.
    pub tenant: String,
    /// The name of this plugin as its manifest gives it.
    pub agent: String,
    /// A moment of the run, in milliseconds since 1970-01-01 UTC. It does not
    /// move during a call.
    pub now_unix_ms: u64,
    /// When the host will stop this call, on the same scale.
    pub deadline_unix_ms: u64,
    /// What the run may still spend, in micro-dollars; none means that no
    /// budget was set.
    pub budget_left_micros: Option<u64>,
}

/// The attempt this cell was made for.
pub fn info() -> Info {
    import::info()
}

/// The next number of a sequence seeded by the attempt: the same attempt sees
/// the same sequence. Not for keys or tokens.
pub fn random() -> u64 {
    import::random()
}

/// The plugin's configuration as the operator set it. An operator who set
/// nothing set `{}`. [`Failure::Permanent`] when it is no `T`.
pub fn config<T: DeserializeOwned>() -> Result<T, Failure> {
    serde_json::from_str(&import::config())
        .map_err(|e| Failure::permanent(format!("configuration: {e}")))
}
