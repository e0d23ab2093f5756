//! A message of the host's own, to the one origin that the operator wrote down for
//! it. The address may be private: who writes the host file knows the network.

use std::time::Duration;

use super::origin::Origin;
use super::{Egress, HttpError, IpNet, client_builder};

/// The longest answer that is read: 64 KiB.
const ANSWER: usize = 64 * 1024;

/// A message.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// To whom.
    pub origin: Origin,
    /// What comes after the origin, from its slash on.
    pub path: String,
    /// What the body is.
    pub content_type: String,
    /// What is said.
    pub body: Vec<u8>,
    /// From the look-up of the name to the last byte of the answer.
    pub within: Duration,
}

impl Egress {
    /// Sends a message by `POST`. No redirect is followed, no proxy asked. The
    /// status and the body of the answer.
    pub async fn deliver(&self, delivery: Delivery) -> Result<(u16, Vec<u8>), HttpError> {
        let Delivery {
            origin,
            path,
            content_type,
            body,
            within,
        } = delivery;
        let client = client_builder(origin.tls(), self.resolver.clone()).build();
        let request = client
            .map_err(|_| HttpError::Client)?
            .post(format!("{origin}{path}"))
            .header("content-type", content_type)
            .body(body);
        let everywhere: Vec<IpNet> = ["0.0.0.0/0", "::/0"]
            .iter()
            .filter_map(|net| net.parse().ok())
            .collect();
        let sent = async {
            let mut response = request
                .send()
                .await
                .map_err(|error| match error.is_connect() {
                    true => HttpError::Connect,
                    false => HttpError::Broken,
                })?;
            let mut body = Vec::new();
            while let Some(piece) = response.chunk().await.map_err(|_| HttpError::Broken)? {
                if piece.len() > ANSWER.saturating_sub(body.len()) {
                    return Err(HttpError::ResponseBody);
                }
                body.extend_from_slice(&piece);
            }
            Ok((response.status().as_u16(), body))
        };
        let named = self.named(&origin, &everywhere, sent);
        let sent = tokio::time::timeout(within, named).await;
        sent.map_err(|_| HttpError::Timeout)??
    }
}
