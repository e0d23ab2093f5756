//! The types of the other capabilities.

use crate::log::Level;
use crate::wit::agent::hotcell::capability as wit;
use crate::{approval, context, delegate, memory, tools};

impl From<wit::context::Info> for context::Info {
    fn from(info: wit::context::Info) -> context::Info {
        context::Info {
            run_id: info.run_id,
            step_id: info.step_id,
            attempt: info.attempt,
            tenant: info.tenant,
            agent: info.agent,
            now_unix_ms: info.now_unix_ms,
            deadline_unix_ms: info.deadline_unix_ms,
            budget_left_micros: info.budget_left_micros,
        }
    }
}

impl From<Level> for wit::log::Level {
    fn from(level: Level) -> wit::log::Level {
        match level {
            Level::Trace => wit::log::Level::Trace,
            Level::Debug => wit::log::Level::Debug,
            Level::Info => wit::log::Level::Info,
            Level::Warn => wit::log::Level::Warn,
            Level::Error => wit::log::Level::Error,
        }
    }
}

impl From<wit::tools::Error> for tools::Error {
    fn from(error: wit::tools::Error) -> tools::Error {
        match error {
            wit::tools::Error::Denied(denial) => tools::Error::Denied(denial.into()),
            wit::tools::Error::Unknown => tools::Error::Unknown,
            wit::tools::Error::InvalidArguments(text) => tools::Error::InvalidArguments(text),
            wit::tools::Error::BudgetExhausted => tools::Error::BudgetExhausted,
            wit::tools::Error::RateLimited(ms) => tools::Error::RateLimited(ms),
            wit::tools::Error::Timeout => tools::Error::Timeout,
            wit::tools::Error::Failed(text) => tools::Error::Failed(text),
            wit::tools::Error::Cancelled => tools::Error::Cancelled,
        }
    }
}

impl From<wit::memory::Entry> for memory::Entry<String> {
    fn from(entry: wit::memory::Entry) -> memory::Entry<String> {
        memory::Entry {
            value: entry.value,
            version: entry.version,
            origin: entry.origin,
            trust: match entry.trust {
                wit::memory::Trust::Inside => memory::Trust::Inside,
                wit::memory::Trust::Untrusted => memory::Trust::Untrusted,
            },
            updated_unix_ms: entry.updated_unix_ms,
        }
    }
}

impl From<wit::memory::Error> for memory::Error {
    fn from(error: wit::memory::Error) -> memory::Error {
        match error {
            wit::memory::Error::Denied(denial) => memory::Error::Denied(denial.into()),
            wit::memory::Error::VersionConflict(now) => memory::Error::VersionConflict(now),
            wit::memory::Error::QuotaExceeded => memory::Error::QuotaExceeded,
            wit::memory::Error::Invalid(text) => memory::Error::Invalid(text),
            wit::memory::Error::Failed(text) => memory::Error::Failed(text),
        }
    }
}

impl From<delegate::Request> for wit::delegate::Request {
    fn from(request: delegate::Request) -> wit::delegate::Request {
        wit::delegate::Request {
            agent: request.agent,
            kind: request.kind,
            input: request.input,
        }
    }
}

impl From<wit::delegate::Error> for delegate::Error {
    fn from(error: wit::delegate::Error) -> delegate::Error {
        match error {
            wit::delegate::Error::Denied(denial) => delegate::Error::Denied(denial.into()),
            wit::delegate::Error::UnknownAgent => delegate::Error::UnknownAgent,
            wit::delegate::Error::DepthExceeded => delegate::Error::DepthExceeded,
            wit::delegate::Error::BudgetExhausted => delegate::Error::BudgetExhausted,
            wit::delegate::Error::Saturated => delegate::Error::Saturated,
            wit::delegate::Error::Failed(text) => delegate::Error::Failed(text),
            wit::delegate::Error::Cancelled => delegate::Error::Cancelled,
        }
    }
}

impl From<approval::Request> for wit::approval::Request {
    fn from(request: approval::Request) -> wit::approval::Request {
        wit::approval::Request {
            action: request.action,
            arguments: request.arguments,
            reason: request.reason,
            amount_micros: request.amount_micros,
            irreversible: request.irreversible,
            classification: request.classification,
        }
    }
}

impl From<wit::approval::Decision> for approval::Decision {
    fn from(decision: wit::approval::Decision) -> approval::Decision {
        approval::Decision {
            approved: decision.approved,
            approver: decision.approver,
            comment: decision.comment,
        }
    }
}

impl From<wit::approval::Error> for approval::Error {
    fn from(error: wit::approval::Error) -> approval::Error {
        match error {
            wit::approval::Error::Denied(denial) => approval::Error::Denied(denial.into()),
            wit::approval::Error::Expired => approval::Error::Expired,
            wit::approval::Error::Cancelled => approval::Error::Cancelled,
        }
    }
}
