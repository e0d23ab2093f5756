//! Words for the operator. Always granted, bounded and escaped by the host.
//!
//! A log line is not part of the answer: no program should read it.

use std::fmt;

use crate::import;

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Every step of the way.
    Trace,
    /// For the author of the plugin.
    Debug,
    /// What happened.
    Info,
    /// Not as it should be, and handled.
    Warn,
    /// Not as it should be, and not handled.
    Error,
}

/// One line, with named values beside it.
pub fn emit(level: Level, message: impl fmt::Display, fields: &[(&str, &dyn fmt::Display)]) {
    let named = |(name, value): &(&str, &dyn fmt::Display)| ((*name).to_owned(), value.to_string());
    let fields: Vec<(String, String)> = fields.iter().map(named).collect();
    import::log(level, &message.to_string(), &fields);
}

/// Every step of the way.
pub fn trace(message: impl fmt::Display) {
    emit(Level::Trace, message, &[]);
}

/// For the author of the plugin.
pub fn debug(message: impl fmt::Display) {
    emit(Level::Debug, message, &[]);
}

/// What happened.
pub fn info(message: impl fmt::Display) {
    emit(Level::Info, message, &[]);
}

/// Not as it should be, and handled.
pub fn warn(message: impl fmt::Display) {
    emit(Level::Warn, message, &[]);
}

/// Not as it should be, and not handled.
pub fn error(message: impl fmt::Display) {
    emit(Level::Error, message, &[]);
}

/// How far the work has come: `done` of `total` parts.
pub fn progress(done: u32, total: u32, note: impl fmt::Display) {
    import::progress(done, total, &note.to_string());
}
