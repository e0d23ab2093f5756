//! Typed answers: reading JSON out of what a model wrote, and asking once more
//! when that fails.

use serde::de::DeserializeOwned;

use super::{Error, FinishReason, Message, Part, Request, Response};

/// A typed answer and how it came about.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Json<T> {
    /// The value.
    pub value: T,
    /// The answer it was read from.
    pub response: Response,
    /// True when the first answer could not be read.
    pub asked_again: bool,
}

pub(super) fn complete<T: DeserializeOwned>(
    request: &Request,
    check: impl Fn(&T) -> Result<(), String>,
) -> Result<Json<T>, Error> {
    let response = request.complete()?;
    match read_if(&response, &check) {
        Ok(value) => Ok(Json {
            value,
            response,
            asked_again: false,
        }),
        Err(problem) => {
            let response = ask_again(request, &response, &problem)?.complete()?;
            let value = second_answer(&response, check)?;
            Ok(Json {
                value,
                response,
                asked_again: true,
            })
        }
    }
}

impl Response {
    /// The answer's text as a typed value. The error is a sentence for the
    /// model.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, String> {
        read(self)
    }
}

/// What can be read and passes the check.
pub(crate) fn read_if<T: DeserializeOwned>(
    response: &Response,
    check: impl Fn(&T) -> Result<(), String>,
) -> Result<T, String> {
    let value = read(response)?;
    check(&value)?;
    Ok(value)
}

fn read<T: DeserializeOwned>(response: &Response) -> Result<T, String> {
    let text = response.text();
    let text = unfenced(&text);
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    serde_json::from_str(text).map_err(|e| match response.finish {
        FinishReason::Length => format!("it was cut off at the token limit ({e})"),
        _ => e.to_string(),
    })
}

/// The conversation so far, the answer and what is wrong about it. Refuses
/// where asking again is no use: the provider's filter would cut in again.
pub(crate) fn ask_again(
    request: &Request,
    response: &Response,
    problem: &str,
) -> Result<Request, Error> {
    if response.finish == FinishReason::ContentFilter {
        return Err(Error::Invalid(
            "the provider's filter cut the answer".to_owned(),
        ));
    }
    // A tool call without its result would make the conversation invalid.
    let words = |part: &&Part| !matches!(part, Part::Call(_));
    let content: Vec<Part> = response
        .message
        .content
        .iter()
        .filter(words)
        .cloned()
        .collect();
    let mut again = request.clone();
    if !content.is_empty() {
        again = again.message(Message {
            role: response.message.role,
            content,
        });
    }
    Ok(again.user(format!(
        "Your answer cannot be used: {problem}. Answer again with the JSON value alone, \
         without words before or after it."
    )))
}

pub(crate) fn second_answer<T: DeserializeOwned>(
    response: &Response,
    check: impl Fn(&T) -> Result<(), String>,
) -> Result<T, Error> {
    read_if(response, check).map_err(|problem| {
        Error::Unavailable(format!(
            "two answers of the model cannot be read: {problem}"
        ))
    })
}

/// The text between one pair of Markdown fences, if the whole text is one
/// fenced block.
fn unfenced(text: &str) -> &str {
    let text = text.trim();
    let block = text
        .strip_prefix("```")
        .and_then(|rest| rest.strip_suffix("```"));
    match block.and_then(|block| block.split_once('\n')) {
        Some((language, body)) if !language.contains(['{', '[', '"']) => body.trim(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::llm::Role;
    use crate::testing::Host;

    fn request() -> Request {
        Request::new("default")
            .user("How many?")
            .json_schema(json!({"type": "integer"}))
    }

    #[test]
    fn a_fence_around_the_whole_answer_is_taken_off() {
        for text in [
            "{\"a\":1}",
            " {\"a\":1}\n",
            "```json\n{\"a\":1}\n```",
            "```\n{\"a\":1}```",
        ] {
            let response = Response::of_text("m", text);
            assert_eq!(response.json::<Value>(), Ok(json!({"a": 1})), "{text}");
        }
        for text in ["", "sure: {\"a\":1}", "```{\"a\":1}\n```", "```"] {
            let response = Response::of_text("m", text);
            assert!(response.json::<Value>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_good_answer_is_asked_for_once() {
        let ran = Host::new()
            .answer_text("7")
            .run(|| request().complete_json::<u32>());
        let json = ran.result.unwrap();
        assert_eq!((json.value, json.asked_again), (7, false));
        assert_eq!(ran.requests.len(), 1);
    }

    #[test]
    fn a_bad_answer_goes_back_once_with_what_is_wrong() {
        let host = Host::new().answer_text("seven").answer_text("7");
        let ran = host.run(|| request().complete_json::<u32>());
        let json = ran.result.unwrap();
        assert_eq!((json.value, json.asked_again), (7, true));
        let [first, second] = &ran.requests[..] else {
            panic!("{:?}", ran.requests)
        };
        assert_eq!(second.messages[0], first.messages[0]);
        assert_eq!(second.messages[1].role, Role::Assistant);
        assert_eq!(second.messages[1].content, [Part::Text("seven".into())]);
        let Part::Text(complaint) = &second.messages[2].content[0] else {
            panic!("no text")
        };
        assert!(complaint.starts_with("Your answer cannot be used: expected value at line 1"));
        assert_eq!(second.response_format, first.response_format);
    }

    #[test]
    fn two_bad_answers_are_an_error_and_not_a_third_question() {
        let host = Host::new()
            .answer_text("six")
            .answer_text("seven")
            .answer_text("8");
        let ran = host.run(|| request().complete_json::<u32>());
        assert!(
            matches!(ran.result, Err(Error::Unavailable(_))),
            "{:?}",
            ran.result
        );
        assert_eq!(ran.requests.len(), 2);
    }

    #[test]
    fn an_answer_that_does_not_pass_goes_back_like_one_that_cannot_be_read() {
        let even = |n: &u32| match n % 2 {
            0 => Ok(()),
            _ => Err(format!("{n} is odd")),
        };
        let host = Host::new().answer_text("7").answer_text("8");
        let ran = host.run(|| request().complete_json_if(even));
        let json = ran.result.unwrap();
        assert_eq!((json.value, json.asked_again), (8, true));
        let Part::Text(complaint) = &ran.requests[1].messages[2].content[0] else {
            panic!("no text")
        };
        let expected = "Your answer cannot be used: 7 is odd.";
        assert!(complaint.starts_with(expected), "{complaint}");

        let host = Host::new().answer_text("7").answer_text("9");
        let ran = host.run(|| request().complete_json_if(even));
        assert!(matches!(ran.result, Err(Error::Unavailable(_))));
    }

    #[test]
    fn a_filtered_answer_is_not_asked_for_again() {
        let mut filtered = Response::of_text("m", "");
        filtered.finish = FinishReason::ContentFilter;
        let ran = Host::new()
            .answer(Ok(filtered))
            .run(|| request().complete_json::<u32>());
        assert!(
            matches!(ran.result, Err(Error::Invalid(_))),
            "{:?}",
            ran.result
        );
        assert_eq!(ran.requests.len(), 1);
    }

    #[test]
    fn a_refused_call_is_not_asked_for_again() {
        let host = Host::new().answer(Err(Error::Timeout)).answer_text("7");
        let ran = host.run(|| request().complete_json::<u32>());
        assert_eq!(ran.result, Err(Error::Timeout));
        assert_eq!(ran.requests.len(), 1);
    }
}
