//! A prompt that fits: of a conversation that is too long, the oldest goes first.
//!
//! Pure, and the same for the same request, so that a replay asks the same.

use crate::llm::{Message, Part, Request, Role};
use crate::provider::estimate;

/// Stands where words were left out.
const LEFT_OUT: &str = "\n[… left out to fit …]\n";

/// The request with at most so many tokens of prompt, by the estimate of four
/// characters a token, and how many tokens shorter that is.
///
/// System messages stay, and so does the last turn: from the last thing that the
/// user said to the end. Of what is between, whole turns go, the oldest first, so
/// that no answer of a tool stands without its call. When that is not enough, the
/// longest texts of users and tools lose their middle. What cannot be shortened so
/// far is as short as it can be; the model then says that it is too long.
pub(super) fn fit(request: &Request, most: u64) -> Option<(Request, u64)> {
    let before = estimate::prompt(request);
    if before <= most {
        return None;
    }
    let mut fitted = request.clone();
    drop_turns(&mut fitted, most);
    shorten(&mut fitted, most);
    let saved = before.saturating_sub(estimate::prompt(&fitted));
    (saved > 0).then_some((fitted, saved))
}

/// Drops the oldest turns until it fits or only the last is left.
fn drop_turns(request: &mut Request, most: u64) {
    while estimate::prompt(request) > most {
        let begins = |message: &Message| message.role == Role::User;
        let mut starts = request
            .messages
            .iter()
            .enumerate()
            .filter(|(_, m)| begins(m));
        let (Some((first, _)), Some((second, _))) = (starts.next(), starts.next()) else {
            return;
        };
        let mut at = 0;
        request.messages.retain(|message| {
            let goes = (first..second).contains(&at) && message.role != Role::System;
            at += 1;
            !goes
        });
    }
}

/// Takes the middle out of the longest texts until it fits.
fn shorten(request: &mut Request, most: u64) {
    let least = LEFT_OUT.chars().count() * 2;
    loop {
        let over = estimate::prompt(request).saturating_sub(most);
        let texts = request.messages.iter_mut().filter(|m| may_be_cut(m.role));
        let texts = texts.flat_map(|message| message.content.iter_mut().filter_map(words));
        let longest = texts.max_by_key(|text| text.len());
        let Some(text) = longest.filter(|text| over > 0 && text.chars().count() > least) else {
            return;
        };
        let length = text.chars().count();
        let goes = usize::try_from(over.saturating_mul(4)).unwrap_or(usize::MAX);
        let keep = length
            .saturating_sub(goes.saturating_add(LEFT_OUT.chars().count()))
            .max(least / 2);
        let head: String = text.chars().take(keep.div_ceil(2)).collect();
        let tail: String = text.chars().skip(length - keep / 2).collect();
        let shorter = format!("{head}{LEFT_OUT}{tail}");
        if shorter.len() >= text.len() {
            return;
        }
        *text = shorter;
    }
}

fn may_be_cut(role: Role) -> bool {
    matches!(role, Role::User | Role::Tool)
}

/// Words, and what tools said, may lose their middle; a JSON value that does would
/// not be one.
fn words(part: &mut Part) -> Option<&mut String> {
    match part {
        Part::Text(text) => Some(text),
        Part::Json(_) | Part::Call(_) | Part::CallResult(..) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::ResponseFormat;
    use crate::tool::ToolCall;

    fn said(role: Role, text: &str) -> Message {
        Message {
            role,
            content: vec![Part::Text(text.to_owned())],
        }
    }

    fn request(messages: Vec<Message>) -> Request {
        Request {
            model: "m".into(),
            messages,
            tools: Vec::new(),
            response_format: ResponseFormat::Text,
            max_tokens: None,
            temperature: None,
            seed: None,
            stop: Vec::new(),
        }
    }

    fn call(id: &str) -> Message {
        let call = ToolCall {
            id: id.into(),
            name: "t".into(),
            arguments: "{}".into(),
        };
        Message {
            role: Role::Assistant,
            content: vec![Part::Call(call)],
        }
    }

    fn result(id: &str) -> Message {
        Message {
            role: Role::Tool,
            content: vec![Part::CallResult(id.into(), "\"x\"".repeat(40))],
        }
    }

    #[test]
    fn what_fits_is_left_alone() {
        let short = request(vec![said(Role::User, "12345678")]);
        assert_eq!(fit(&short, 2), None);
        assert!(fit(&short, 1).is_none(), "it cannot be made shorter");
    }

    #[test]
    fn the_oldest_turns_go_as_wholes_and_the_frame_stays() {
        let long = request(vec![
            said(Role::System, "frame"),
            said(Role::User, &"a".repeat(400)),
            call("1"),
            result("1"),
            said(Role::User, "second"),
            call("2"),
            result("2"),
            said(Role::User, "last"),
        ]);
        let (fitted, saved) = fit(&long, 60).unwrap();
        let roles: Vec<Role> = fitted.messages.iter().map(|m| m.role).collect();
        assert_eq!(
            roles,
            [
                Role::System,
                Role::User,
                Role::Assistant,
                Role::Tool,
                Role::User
            ]
        );
        assert!(saved >= 100, "{saved}");
        let (fitted, _) = fit(&long, 5).unwrap();
        let texts: Vec<&Message> = fitted.messages.iter().collect();
        assert_eq!(
            texts,
            [&said(Role::System, "frame"), &said(Role::User, "last")]
        );
    }

    #[test]
    fn a_single_long_text_loses_its_middle() {
        let text = format!("BEGIN{}END", "x".repeat(4_000));
        let long = request(vec![said(Role::System, "frame"), said(Role::User, &text)]);
        let (fitted, _) = fit(&long, 100).unwrap();
        assert!(estimate::prompt(&fitted) <= 100);
        let Part::Text(text) = &fitted.messages[1].content[0] else {
            panic!("words");
        };
        assert!(text.starts_with("BEGIN") && text.ends_with("END"), "{text}");
        assert!(text.contains(LEFT_OUT));
        assert_eq!(fit(&long, 100).unwrap().0, fitted, "the same every time");
    }

    #[test]
    fn json_is_never_cut() {
        let value = format!("[{}1]", "1,".repeat(2_000));
        let long = request(vec![Message {
            role: Role::User,
            content: vec![Part::Json(value)],
        }]);
        assert_eq!(fit(&long, 10), None);
    }
}
