//! How a call ends: one word for each way, and whose fault it is.

use hotcell_broker::recall::Halt;
use serde::Serialize;

use crate::task::Failure;

/// A limit that a call ran into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// More instructions than it had fuel for.
    Fuel,
    /// More than its memory cap, and it could not go on without: memories, tables
    /// and what the host keeps for it.
    Memory,
    /// More than all cells of its tenant may hold.
    TenantMemory,
    /// Recursion deeper than its stack.
    Stack,
    /// More bytes in one host call than one may carry.
    HostcallBytes,
    /// More handles or host objects than one cell may hold.
    Handles,
    /// More instances, memories or tables than one cell may have.
    Instances,
    /// More host calls than one call of a plugin may make.
    HostCalls,
    /// More effects than one call of a plugin may cause.
    Effects,
    /// Inside of more calls of plugins than there may be.
    Depth,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq)]
pub enum End<T> {
    /// The guest answered.
    Done(T),
    /// The guest said why it cannot.
    Failed(Failure),
    /// The host stopped it at a limit.
    Limit(Limit),
    /// The guest broke its own rules: unreachable code, bad memory access, an
    /// invalid value. The text has been through the text gate.
    Trap(String),
    /// It was not begun: its plugin's queue is full, or the host is. Later it
    /// may be.
    Saturated,
    /// Its time was up.
    Deadline,
    /// The run was cancelled.
    Cancelled,
    /// Not the guest's fault: the host could not give it a cell. The text has
    /// been through the text gate.
    Host(String),
    /// Nobody's fault: the journal and the attempt do not go together, or there
    /// is no journal to go on with.
    Halted(Halt),
}

impl<T> End<T> {
    /// A stable word for tables and JSON.
    pub fn code(&self) -> &'static str {
        match self {
            End::Done(_) => "ok",
            End::Failed(Failure::InvalidInput(_)) => "invalid-input",
            End::Failed(Failure::Transient(_)) => "transient",
            End::Failed(Failure::Permanent(_)) => "permanent",
            End::Failed(Failure::Refused(_)) => "refused",
            End::Limit(Limit::Fuel) => "limit.fuel",
            End::Limit(Limit::Memory) => "limit.memory",
            End::Limit(Limit::Stack) => "limit.stack",
            End::Limit(Limit::HostcallBytes) => "limit.hostcall-bytes",
            End::Limit(Limit::Handles) => "limit.handles",
            End::Limit(Limit::TenantMemory) => "limit.tenant-memory",
            End::Limit(Limit::Instances) => "limit.instances",
            End::Limit(Limit::HostCalls) => "limit.host-calls",
            End::Limit(Limit::Effects) => "limit.effects",
            End::Limit(Limit::Depth) => "limit.depth",
            End::Saturated => "saturated",
            End::Trap(_) => "trap",
            End::Deadline => "deadline",
            End::Cancelled => "cancelled",
            End::Host(_) => "host",
            End::Halted(halt) => halt.code(),
        }
    }

    /// The words that came with it: the guest's about its failure, those of a
    /// trap, or ours. They have been through the text gate.
    pub fn words(&self) -> Option<&str> {
        match self {
            End::Failed(
                Failure::InvalidInput(text)
                | Failure::Transient(text)
                | Failure::Permanent(text)
                | Failure::Refused(text),
            )
            | End::Trap(text)
            | End::Host(text) => Some(text),
            End::Halted(Halt::Storage { message, .. }) => Some(message),
            End::Halted(Halt::Doubt { .. } | Halt::Waiting { .. } | Halt::Diverged { .. })
            | End::Done(_)
            | End::Limit(_)
            | End::Saturated
            | End::Deadline
            | End::Cancelled => None,
        }
    }

    /// Another answer in the same end.
    pub(crate) fn map<U>(self, f: impl FnOnce(T) -> End<U>) -> End<U> {
        match self {
            End::Done(value) => f(value),
            End::Failed(failure) => End::Failed(failure),
            End::Limit(limit) => End::Limit(limit),
            End::Trap(text) => End::Trap(text),
            End::Saturated => End::Saturated,
            End::Deadline => End::Deadline,
            End::Cancelled => End::Cancelled,
            End::Host(text) => End::Host(text),
            End::Halted(halt) => End::Halted(halt),
        }
    }
}
