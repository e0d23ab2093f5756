//! Answers that were given before.
//!
//! Whose answer it is is part of its key: tenant, plugin, the policy it was given
//! under, and the alias. Another plugin, another tenant, or the same plugin after a
//! change of policy does not see it. An answer is found again by the whole request
//! or, when the operator allows that, by a question that is nearly the same inside
//! the same frame: same system messages, same tools, same form of answer.
//!
//! Nothing here fails a call: books that cannot be read hold no answers.

use serde::{Deserialize, Serialize};
use store::Digest;
use store::books::{Books, BooksError, Page};

use crate::llm::{Completion, Part, Request, Role};
use crate::recall::digest;
use crate::{Caller, hashed, store};

/// The shelf of answers: `scope/request`.
const ANSWERS: &str = "answers";

/// The shelf of what expires next: `time/scope/request`.
const EXPIRY: &str = "answers-expiry";

/// How many answers are looked at for one that is similar.
const LOOKED_AT: usize = 1_000;

/// How many answers are kept; the one that expires first makes room.
const MOST: u64 = 10_000;

/// How an alias remembers what was answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Memory {
    /// For so long, in milliseconds.
    pub ttl_ms: u64,
    /// How near a question must be for its answer to serve when no model answers:
    /// 0 to 1. None: only the same request is the same question.
    pub similar: Option<f32>,
}

/// What an answer is found by.
pub(super) struct Key {
    scope: String,
    request: String,
    /// What the user asked last: what may differ a little.
    question: String,
}

/// An answer that was given before.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    pub(super) completion: Completion,
    /// What it cost then.
    pub(super) cost_micros: u64,
    expires_unix_ms: u64,
    vector: Option<Vec<f32>>,
}

impl Key {
    /// `policy` is the digest of the policy in force.
    pub(super) fn of(caller: &Caller, policy: &str, request: &Request) -> Key {
        let (frame, question) = split(request);
        let scope = [&*caller.tenant, &*caller.plugin, policy, &*digest(&frame)];
        // JSON keeps the parts apart, whatever is in them.
        let scope = serde_json::to_string(&scope).unwrap_or_default();
        Key {
            scope: Digest::of(scope.as_bytes()).hex(),
            request: hex(&digest(request)),
            question,
        }
    }

    fn page(&self) -> String {
        format!("{}/{}", self.scope, self.request)
    }
}

/// The hexadecimal part of a digest in words, as it may stand in a key.
fn hex(digest: &str) -> String {
    digest.rsplit(':').next().unwrap_or_default().to_owned()
}

/// A request without the last thing that the user said, and that.
fn split(request: &Request) -> (Request, String) {
    let mut frame = request.clone();
    let last = frame
        .messages
        .iter_mut()
        .rev()
        .find(|m| m.role == Role::User);
    let mut question = String::new();
    for part in last.into_iter().flat_map(|message| &mut message.content) {
        if let Part::Text(text) | Part::Json(text) = part {
            question.push_str(&std::mem::take(text));
            question.push('\n');
        }
    }
    (frame, question)
}

impl Memory {
    /// The answer to this very request.
    pub(super) async fn same(&self, books: &Books, key: &Key, now_unix_ms: u64) -> Option<Kept> {
        let page = key.page();
        let found = books.write(move |books| books.read::<Kept>(ANSWERS, &page));
        let found = found.await.ok().flatten();
        found.filter(|kept| kept.expires_unix_ms > now_unix_ms)
    }

    /// The answer to the question that is nearest, if it is near enough.
    pub(super) async fn similar(&self, books: &Books, key: &Key, now_unix_ms: u64) -> Option<Kept> {
        let least = self.similar?;
        let prefix = format!("{}/", key.scope);
        let kept = books.write(move |books| books.list(ANSWERS, &prefix, None, LOOKED_AT));
        let kept: Result<_, BooksError> = kept.await;
        let asked = hashed::embed(&key.question);
        let near = |(_, text): (String, String)| {
            let kept: Kept = serde_json::from_str(&text).ok()?;
            let near = hashed::cosine(&asked, kept.vector.as_ref()?);
            (near >= least && kept.expires_unix_ms > now_unix_ms).then_some((near, kept))
        };
        let near = kept.ok()?.into_iter().filter_map(near);
        near.max_by(|(a, _), (b, _)| a.total_cmp(b))
            .map(|(_, kept)| kept)
    }

    /// Keeps an answer.
    pub(super) async fn keep(
        &self,
        books: &Books,
        key: &Key,
        now_unix_ms: u64,
        completion: &Completion,
        cost_micros: u64,
    ) {
        let kept = Kept {
            completion: completion.clone(),
            cost_micros,
            expires_unix_ms: now_unix_ms.saturating_add(self.ttl_ms),
            vector: self.similar.map(|_| hashed::embed(&key.question)),
        };
        let page = key.page();
        let written = books.write(move |books| write(books, &page, &kept, now_unix_ms));
        // An answer that cannot be kept is an answer all the same.
        drop::<Result<(), BooksError>>(written.await);
    }
}

fn write(books: &Page<'_>, page: &str, kept: &Kept, now_unix_ms: u64) -> Result<(), BooksError> {
    let mut count: u64 = books.read(EXPIRY, "count")?.unwrap_or_default();
    let due = |expires: u64, page: &str| format!("at/{expires:020}/{page}");
    if let Some(before) = books.read::<Kept>(ANSWERS, page)? {
        books.remove(EXPIRY, &due(before.expires_unix_ms, page))?;
        count = count.saturating_sub(1);
    }
    // A few at a time: each write makes room for more than itself.
    for (at, _) in books.list(EXPIRY, "at/", None, 8)? {
        let Some((expires, old)) = at.strip_prefix("at/").and_then(|it| it.split_once('/')) else {
            continue;
        };
        let over = expires.parse::<u64>().is_ok_and(|it| it <= now_unix_ms);
        if !over && count < MOST {
            break;
        }
        books.remove(ANSWERS, old)?;
        books.remove(EXPIRY, &at)?;
        count = count.saturating_sub(1);
    }
    books.write(ANSWERS, page, kept)?;
    books.put(EXPIRY, &due(kept.expires_unix_ms, page), "")?;
    books.write(EXPIRY, "count", &count.saturating_add(1))
}
