//! Calls to language models, by alias. Which provider an alias means, and what
//! it costs, is the operator's business.
//!
//! Nothing here retries a call that failed: that is the workflow's decision.
//! The one exception is [`Request::complete_json`], which asks a second time
//! when the model answered and the answer cannot be read.

mod error;
mod json;
mod request;
mod response;

pub use error::Error;
pub use json::Json;
pub(crate) use json::{ask_again, read_if, second_answer};
pub use request::{Message, Part, Request, ResponseFormat, Role};
pub use response::{Chunk, Degradation, FinishReason, Response, Usage};

use crate::import;

/// One vector for each text, in order.
pub fn embed(model: &str, texts: &[String]) -> Result<Vec<Vec<f32>>, Error> {
    import::embed(model, texts)
}

/// Several calls at once, run side by side on the host; results in request
/// order.
pub fn complete_all(requests: &[Request]) -> Vec<Result<Response, Error>> {
    let sendable: Vec<&Request> = requests.iter().filter(|r| r.broken.is_none()).collect();
    let mut answers = import::complete_all(&sendable).into_iter();
    let mut answer = |request: &Request| match &request.broken {
        Some(text) => Err(Error::Invalid(text.clone())),
        None => answers.next().unwrap_or_else(|| {
            Err(Error::Unavailable(
                "the host gave too few answers".to_owned(),
            ))
        }),
    };
    requests.iter().map(&mut answer).collect()
}

/// A streamed answer. After [`Chunk::Done`] there is nothing more.
pub struct Stream {
    pub(crate) inner: import::Completion,
}

impl Iterator for Stream {
    type Item = Result<Chunk, Error>;

    fn next(&mut self) -> Option<Result<Chunk, Error>> {
        self.inner.next().transpose()
    }
}
