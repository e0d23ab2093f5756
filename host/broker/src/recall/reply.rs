//! What each kind of call gives back, and how the journal has it.

use super::record::Answer;
use crate::approval::{ApprovalDecision, ApprovalError};
use crate::delegate::DelegateError;
use crate::llm::{Embedding, LlmError, Response};
use crate::memory::MemoryError;
use crate::tool::{ToolError, ToolOutput};

/// What the guest is told when somebody decided so.
const GIVEN_UP: &str =
    "the host was stopped during this call, and the operator decided that it counts as failed";

/// What the guest is told where its contract has no case of its own for it.
const LATE: &str = "there was no answer in time";

/// What a call gives back.
pub(crate) trait Reply: Sized {
    fn answer(&self) -> Answer;
    fn from_answer(answer: Answer) -> Option<Self>;
    /// What a guest gets that is about to be stopped.
    fn halted() -> Self;
    /// What it gets for a call that was given up.
    fn given_up() -> Self;
    /// What it gets when there was no answer in time.
    fn late() -> Self;
}

macro_rules! replies {
    ($($answer:ident: $ok:ty, $error:ty, $halted:expr, $given_up:expr, $late:expr;)+) => {
        $(impl Reply for Result<$ok, $error> {
            fn answer(&self) -> Answer {
                Answer::$answer(self.clone())
            }

            fn from_answer(answer: Answer) -> Option<Self> {
                match answer {
                    Answer::$answer(reply) => Some(reply),
                    _ => None,
                }
            }

            fn halted() -> Self {
                Err($halted)
            }

            fn given_up() -> Self {
                Err($given_up(GIVEN_UP.to_owned()))
            }

            fn late() -> Self {
                Err($late)
            }
        })+
    };
}

replies! {
    Llm: Response, LlmError, LlmError::Cancelled, LlmError::Unavailable, LlmError::Timeout;
    Embed: Embedding, LlmError, LlmError::Cancelled, LlmError::Unavailable, LlmError::Timeout;
    Tools: ToolOutput, ToolError, ToolError::Cancelled, ToolError::Failed, ToolError::Timeout;
    // The contract has no case for an attempt that ends; nobody reads this one.
    Memory: u64, MemoryError, MemoryError::Failed(String::new()), MemoryError::Failed,
        MemoryError::Failed(LATE.to_owned());
    Delegate: String, DelegateError, DelegateError::Cancelled, DelegateError::Failed,
        DelegateError::Failed(LATE.to_owned());
    // A question that was given up was not answered in time.
    Approval: ApprovalDecision, ApprovalError, ApprovalError::Cancelled,
        |_| ApprovalError::Expired, ApprovalError::Expired;
}
