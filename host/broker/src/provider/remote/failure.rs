//! From what went wrong to what the guest is told.
//!
//! | What happened | Told as |
//! |---|---|
//! | HTTP 429 | `rate-limited`, with the time the provider asks for |
//! | HTTP 408 | `timeout` |
//! | HTTP 413, or a 4xx that says the context is too long | `context-too-long` |
//! | HTTP 401, 403 | `unavailable`: the key is the operator's, no guest can mend it |
//! | any other 4xx | `invalid`, with the provider's own words, cut and without the key |
//! | HTTP 5xx, a redirect, no connection, a broken or senseless answer | `unavailable` |
//!
//! No text comes from `genai`'s or `reqwest`'s `Display`: they print the request
//! and the address.

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;

use super::Secret;
use crate::llm::LlmError;
use crate::provider::calendar;
use crate::text;

/// `genai` did not understand what we had read, or refused to write a request.
pub(super) fn of_translation(error: &genai::Error) -> LlmError {
    match error {
        genai::Error::ChatResponseGeneration { .. } => {
            unavailable("the answer does not have the shape of a chat completion")
        }
        _ => unavailable("the request could not be sent"),
    }
}

pub(super) fn unavailable(text: &str) -> LlmError {
    LlmError::Unavailable(text.to_owned())
}

/// Nobody was reached.
pub(super) fn no_connection() -> LlmError {
    unavailable("no connection to the provider")
}

/// The connection ended before the answer did.
pub(super) fn broke_off() -> LlmError {
    unavailable("the answer broke off")
}

/// The request did not get through, or no head of an answer came back.
pub(super) fn of_sending(error: &reqwest::Error) -> LlmError {
    if error.is_connect() {
        no_connection()
    } else if error.is_timeout() {
        LlmError::Timeout
    } else {
        unavailable("the connection to the provider broke")
    }
}

/// The provider says in the middle of its answer that it fails. Its words stay out.
pub(super) fn broken_in_the_middle(error: &Value) -> LlmError {
    let kind = ["type", "code", "status"].map(|name| error.get(name).and_then(Value::as_str));
    let busy = |kind: &str| {
        let kind = kind.to_ascii_lowercase();
        kind.contains("rate_limit") || kind.contains("overloaded") || kind == "resource_exhausted"
    };
    match kind.into_iter().flatten().any(busy) {
        true => LlmError::RateLimited(None),
        false => unavailable("the provider failed in the middle of its answer"),
    }
}

/// The answer's status is none that comes with an answer.
pub(super) fn refused(
    status: StatusCode,
    body: &[u8],
    headers: &HeaderMap,
    key: Option<&Secret>,
) -> LlmError {
    let number = status.as_u16();
    match status {
        StatusCode::TOO_MANY_REQUESTS => LlmError::RateLimited(retry_after_ms(headers)),
        StatusCode::REQUEST_TIMEOUT => LlmError::Timeout,
        StatusCode::PAYLOAD_TOO_LARGE => LlmError::ContextTooLong,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => LlmError::Unavailable(format!(
            "the provider refused the host's key (HTTP {number})"
        )),
        status if status.is_client_error() => complaint(number, body, key),
        status if status.is_redirection() => LlmError::Unavailable(format!(
            "the provider redirects (HTTP {number}); redirects are not followed"
        )),
        _ => LlmError::Unavailable(format!("the provider failed (HTTP {number})")),
    }
}

/// A 4xx is about what the guest asked for, so the guest is told what the
/// provider said. It may quote the guest's own request, nobody else's.
fn complaint(status: u16, body: &[u8], key: Option<&Secret>) -> LlmError {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let error = body.get("error").unwrap_or(&body);
    let field = |name| error.get(name).and_then(Value::as_str).unwrap_or_default();
    let said = match error {
        Value::String(said) => said,
        _ => field("message"),
    };
    // OpenAI's code, llama.cpp's type, and the sentence that the others copied.
    let too_long = field("code") == "context_length_exceeded"
        || field("type") == "exceed_context_size_error"
        || said.contains("maximum context length");
    if too_long {
        return LlmError::ContextTooLong;
    }
    let said = match key {
        Some(key) => said.replace(key.reveal(), "…"),
        None => said.to_owned(),
    };
    LlmError::Invalid(match text::line(&said, 300).as_str() {
        "" => format!("the provider refused the request (HTTP {status})"),
        said => format!("the provider refused the request (HTTP {status}): {said}"),
    })
}

/// How long the provider wants to be left alone. A date is compared with the
/// answer's own `Date`, so that it does not matter what our clock says.
fn retry_after_ms(headers: &HeaderMap) -> Option<u32> {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(ms) = header("retry-after-ms").and_then(|text| text.trim().parse::<f64>().ok()) {
        return whole_ms(ms);
    }
    let after = header("retry-after")?.trim();
    if let Ok(seconds) = after.parse::<f64>() {
        return whole_ms(seconds * 1000.0);
    }
    let until = calendar::seconds_of_http_date(after)?;
    let now = calendar::seconds_of_http_date(header("date")?)?;
    u32::try_from((until - now).max(0).checked_mul(1000)?).ok()
}

fn whole_ms(ms: f64) -> Option<u32> {
    let fits = ms.is_finite() && (0.0..=f64::from(u32::MAX)).contains(&ms);
    fits.then(|| ms.ceil() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pairs = &'static [(&'static str, &'static str)];

    fn headers(pairs: Pairs) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (
                reqwest::header::HeaderName::from_static(name),
                reqwest::header::HeaderValue::from_static(value),
            )
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn a_provider_can_say_in_four_ways_when_to_come_back() {
        const DATE: (&str, &str) = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        const LATER: (&str, &str) = ("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT");
        const EARLIER: (&str, &str) = ("retry-after", "Sun, 06 Nov 1994 08:49:00 GMT");
        let table: [(Pairs, Option<u32>); 11] = [
            (&[], None),
            (&[("retry-after", "2")], Some(2000)),
            (&[("retry-after", "0.25")], Some(250)),
            (&[("retry-after", "soon")], None),
            (&[("retry-after", "-1")], None),
            (&[("retry-after", "99999999999")], None),
            (
                &[("retry-after", "2"), ("retry-after-ms", "1500")],
                Some(1500),
            ),
            (&[("retry-after-ms", "0.5")], Some(1)),
            (&[DATE, LATER], Some(30_000)),
            (&[LATER], None),
            (&[DATE, EARLIER], Some(0)),
        ];
        for (pairs, ms) in table {
            assert_eq!(retry_after_ms(&headers(pairs)), ms, "{pairs:?}");
        }
    }

    #[test]
    fn every_status_has_one_meaning() {
        let unavailable = |text: &str| LlmError::Unavailable(text.to_owned());
        let invalid = |text: &str| LlmError::Invalid(text.to_owned());
        let code = r#"{"error":{"message":"x","code":"context_length_exceeded"}}"#;
        let kind = r#"{"error":{"message":"x","type":"exceed_context_size_error"}}"#;
        let words = r#"{"message":"This model's maximum context length is 4096 tokens"}"#;
        let table = [
            (408, "", LlmError::Timeout),
            (413, "", LlmError::ContextTooLong),
            (400, code, LlmError::ContextTooLong),
            (400, kind, LlmError::ContextTooLong),
            (400, words, LlmError::ContextTooLong),
            (429, code, LlmError::RateLimited(None)),
            (
                401,
                code,
                unavailable("the provider refused the host's key (HTTP 401)"),
            ),
            (
                403,
                "",
                unavailable("the provider refused the host's key (HTTP 403)"),
            ),
            (
                302,
                "",
                unavailable("the provider redirects (HTTP 302); redirects are not followed"),
            ),
            (500, code, unavailable("the provider failed (HTTP 500)")),
            (503, "", unavailable("the provider failed (HTTP 503)")),
            (
                404,
                "<html>",
                invalid("the provider refused the request (HTTP 404)"),
            ),
            (
                400,
                r#"{"error":{"message":"`temperature` is\ntoo high, sk-1"}}"#,
                invalid(
                    "the provider refused the request (HTTP 400): `temperature` is\\ntoo high, …",
                ),
            ),
            (
                422,
                r#"{"error":"no such model"}"#,
                invalid("the provider refused the request (HTTP 422): no such model"),
            ),
        ];
        let key = Secret::new("sk-1");
        for (status, body, expected) in table {
            let status = StatusCode::from_u16(status).unwrap();
            let told = refused(status, body.as_bytes(), &HeaderMap::new(), Some(&key));
            assert_eq!(told, expected, "{status} {body}");
        }
    }

    #[test]
    fn a_long_complaint_is_cut() {
        let body = format!(r#"{{"error":{{"message":"{}"}}}}"#, "x".repeat(1000));
        let LlmError::Invalid(text) = complaint(400, body.as_bytes(), None) else {
            panic!("not invalid");
        };
        assert!(text.ends_with("x⟦740 bytes more⟧"), "{text}");
    }
}
