//! What a tool's server is shown to prove who asks: a header that the host adds
//! when a request leaves, and that nobody in a sandbox ever sees.

use http::{HeaderName, HeaderValue};

use crate::egress::is_the_hosts;
use crate::provider::secret::Secret;

/// Where the secret stands in a header's value.
pub const PLACE: &str = "{{secret}}";

/// A header with a secret in it.
#[derive(Clone, Debug)]
pub struct Credential {
    name: HeaderName,
    value: HeaderValue,
    secret: Secret,
}

/// Why there is no such header. The secret is not repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCredential {
    /// No name of a header, or one that belongs to the connection.
    #[error("`{0}` is not the name of a header that can be set")]
    Name(String),
    /// The secret would not be in it, or twice.
    #[error("the value must have `{PLACE}` in it once")]
    Place,
    /// The secret cannot be sent.
    #[error("the secret holds characters that no HTTP header can, or is empty")]
    Secret,
}

impl Credential {
    /// A header of this name, whose value is `template` with the secret in it.
    pub fn new(name: &str, template: &str, secret: Secret) -> Result<Credential, BadCredential> {
        let bad = || BadCredential::Name(name.to_owned());
        let header = HeaderName::try_from(name).map_err(|_| bad())?;
        if is_the_hosts(&header) || header == http::header::CONTENT_LENGTH {
            return Err(bad());
        }
        if template.matches(PLACE).count() != 1 {
            return Err(BadCredential::Place);
        }
        let text = template.replace(PLACE, secret.reveal());
        let mut value = HeaderValue::try_from(text).map_err(|_| BadCredential::Secret)?;
        if secret.reveal().is_empty() {
            return Err(BadCredential::Secret);
        }
        value.set_sensitive(true);
        Ok(Credential {
            name: header,
            value,
            secret,
        })
    }

    /// The header's name.
    pub fn name(&self) -> &HeaderName {
        &self.name
    }

    pub(crate) fn header(&self) -> (HeaderName, HeaderValue) {
        (self.name.clone(), self.value.clone())
    }

    /// A server may say what it was told; the guest does not get to read it.
    pub(crate) fn hide(&self, text: String) -> String {
        let secret = self.secret.reveal();
        match text.contains(secret) {
            true => text.replace(secret, "[redacted]"),
            false => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_one_header_with_one_secret_and_is_not_shown() {
        let new = |name, template, secret| Credential::new(name, template, Secret::new(secret));
        let good = new("Authorization", "Bearer {{secret}}", "sk-1").unwrap();
        assert_eq!(good.header().1.to_str().unwrap(), "Bearer sk-1");
        assert!(!format!("{good:?}").contains("sk-1"));
        assert_eq!(
            good.hide("I was told sk-1.".to_owned()),
            "I was told [redacted]."
        );
        let table = [
            ("Host", "{{secret}}", "s", "is not the name"),
            ("a b", "{{secret}}", "s", "is not the name"),
            ("x-key", "none", "s", "must have"),
            ("x-key", "{{secret}}{{secret}}", "s", "must have"),
            ("x-key", "{{secret}}", "s\r\nx: y", "the secret holds"),
            ("x-key", "{{secret}}", "", "the secret holds"),
        ];
        for (name, template, secret, words) in table {
            let error = new(name, template, secret).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
