//! A text that is never shown, such as an API key.
//!
//! It has no `Display`, no `Serialize` and a `Debug` that says nothing, so that
//! it cannot reach a log, an error or a report by accident.

use std::fmt;

/// A text that is never shown.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Takes a text out of sight.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text itself, for the one place that has to send it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn a_secret_is_not_shown() {
        let secret = Secret::new("sk-very-secret");
        assert_eq!(
            format!("{secret:?} {:#?}", Some(&secret))
                .matches("very")
                .count(),
            0
        );
        assert_eq!(secret.reveal(), "sk-very-secret");
    }
}
