//! The plugin kind that answers model calls: an adapter to a provider, or a
//! simulator.

use crate::llm::{Error, Request, Response};

/// Answers model calls.
pub trait Model {
    /// One model call. The host sets the price: [`Response::cost_micros`] is
    /// ignored.
    fn complete(request: Request) -> Result<Response, Error>;

    /// One vector for each text, in order. Refused unless it is implemented.
    fn embed(texts: Vec<String>) -> Result<Vec<Vec<f32>>, Error> {
        let _unread = texts;
        Err(Error::Invalid("this model makes no embeddings".to_owned()))
    }
}
