//! Who asks, who decides, and when it is too late: the rules, over the books, so
//! that they hold between all processes of a host.

use serde::{Deserialize, Serialize};
use store::books::{Books, BooksError, Page};

use super::bound::{Bound, Invalid};
use super::risk::Risk;
use super::{ApprovalAsk, ApprovalDecision};
use crate::store;

/// What was asked, by its id.
const SHELF: &str = "approvals";

/// What waits, by who asks and then by its id.
const OPEN: &str = "approvals-open";

/// The latest moment that anybody has seen.
const CLOCK: &str = "approvals-clock";

/// A wall clock that is set back by less is one that was set right, in ms.
const SLACK_MS: u64 = 60_000;

/// What the operator says about asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// So long is a question open, and what was decided good, in seconds.
    pub expires_s: u64,
    /// So many questions of one plugin wait at once.
    pub max_pending: usize,
    /// What scores less is approved by policy.
    pub auto_below: u32,
    /// Whether who started a run may decide about it.
    pub self_approval: bool,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            expires_s: 24 * 60 * 60,
            max_pending: 20,
            auto_below: 0,
            self_approval: false,
        }
    }
}

/// A question, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// What exactly it is about.
    pub bound: Bound,
    /// In the agent's words.
    pub ask: ApprovalAsk,
    /// How much could go wrong.
    pub risk: Risk,
    /// Who started the run.
    pub started_by: String,
    /// Whether that person may decide.
    pub self_approval: bool,
    /// When it was asked, on the wall.
    pub at_unix_ms: u64,
    /// The same on the clock that is never set back.
    pub steady_ms: u64,
    /// So long it is open.
    pub open_ms: u64,
    /// What was decided.
    pub decided: Option<Decided>,
    /// Whether its time was over before.
    pub expired: bool,
    /// Whether the run has it.
    pub used: bool,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decided {
    /// Yes or no.
    pub approved: bool,
    /// Who, as the operating system knows them.
    pub by: String,
    /// Who they said they were, if they said so.
    pub claims: Option<String>,
    /// Why.
    pub comment: Option<String>,
    /// When.
    pub at_unix_ms: u64,
}

impl Decided {
    /// As the guest is told.
    fn told(&self) -> ApprovalDecision {
        let by = match &self.claims {
            Some(claims) => format!("{claims} (user {})", self.by),
            None => self.by.clone(),
        };
        ApprovalDecision {
            approved: self.approved,
            approver: by,
            comment: self.comment.clone(),
        }
    }
}

/// How a question stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nobody has decided.
    Waits,
    /// Somebody has.
    Decided(ApprovalDecision),
    /// Nobody has, and it is too late; or what was decided is too old.
    Expired,
    /// So many of this plugin's wait already that it is not asked.
    Full(usize),
    /// What is in the books is about something else.
    Invalid(Invalid),
}

/// Why a decision is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// There is no such question.
    #[error("no question has the id `{0}`")]
    Unknown(String),
    /// More than one begins so.
    #[error("several questions begin with `{0}`")]
    Ambiguous(String),
    /// It was decided.
    #[error("approval.invalid: it was decided before, by `{0}`")]
    Decided(String),
    /// Its time is over.
    #[error("approval.invalid: its time is over")]
    Expired,
    /// Another one was looked at.
    #[error("approval.invalid: its arguments are not the ones that were looked at")]
    Other,
    /// Who started the run may not decide about it.
    #[error("approval.invalid: `{0}` started the run and may not decide about it")]
    SamePerson(String),
    /// It could not be written down.
    #[error("{0}")]
    Unwritten(String),
    /// The books failed.
    #[error(transparent)]
    Books(#[from] BooksError),
}

impl Asked {
    /// Whether its time is over: on either clock, or when the wall clock is before
    /// the moment at which it was asked. A clock that somebody sets does not keep
    /// anything open.
    fn is_over(&self, now: Now) -> bool {
        let until = |from: u64| from.saturating_add(self.open_ms);
        self.expired
            || now.wall_ms >= until(self.at_unix_ms)
            || now.steady_ms >= until(self.steady_ms)
            || now.wall_ms.saturating_add(SLACK_MS) < self.at_unix_ms
    }

    /// Whether somebody may still decide.
    fn waits(&self, now: Now) -> bool {
        self.decided.is_none() && !self.is_over(now)
    }

    fn open_key(&self) -> String {
        format!("{}{}", prefix(&self.bound), self.bound.id())
    }
}

/// A moment on both clocks.
#[derive(Clone, Copy, Debug)]
struct Now {
    wall_ms: u64,
    /// Never less than anybody has seen before.
    steady_ms: u64,
}

impl Now {
    fn see(page: &Page<'_>, wall_ms: u64) -> Result<Now, BooksError> {
        let seen: u64 = page.read(CLOCK, "seen")?.unwrap_or_default();
        if wall_ms > seen {
            page.write(CLOCK, "seen", &wall_ms)?;
        }
        Ok(Now {
            wall_ms,
            steady_ms: wall_ms.max(seen),
        })
    }
}

/// All questions of one plugin for one tenant. Names hold no line breaks.
fn prefix(bound: &Bound) -> String {
    format!("{}\n{}\n", bound.tenant, bound.agent)
}

/// A question that is about to be asked.
pub(super) struct New {
    pub(super) bound: Bound,
    pub(super) ask: ApprovalAsk,
    pub(super) risk: Risk,
    pub(super) started_by: String,
    pub(super) rules: Rules,
}

/// How a question stands that was asked before; none if it was not.
pub(super) async fn standing(
    books: &Books,
    bound: Bound,
    wall_ms: u64,
) -> Result<Option<Standing>, BooksError> {
    let look = move |page: &Page<'_>| {
        let now = Now::see(page, wall_ms)?;
        let asked: Option<Asked> = page.read(SHELF, &bound.id())?;
        asked
            .map(|asked| settle(page, asked, &bound, now))
            .transpose()
    };
    books.write(look).await
}

/// Asks, unless that was done before or too many wait.
pub(super) async fn ask(books: &Books, new: New, wall_ms: u64) -> Result<Standing, BooksError> {
    books
        .write(move |page| {
            let now = Now::see(page, wall_ms)?;
            let New {
                bound,
                ask,
                risk,
                started_by,
                rules,
            } = new;
            if let Some(asked) = page.read::<Asked>(SHELF, &bound.id())? {
                return settle(page, asked, &bound, now);
            }
            let auto = risk.score < rules.auto_below;
            if !auto && waiting(page, &bound, now, rules.max_pending)? >= rules.max_pending {
                return Ok(Standing::Full(rules.max_pending));
            }
            let decided = auto.then(|| Decided {
                approved: true,
                by: "policy".to_owned(),
                claims: None,
                comment: Some(format!(
                    "its risk is {}, and policy approves what is below {}",
                    risk.score, rules.auto_below
                )),
                at_unix_ms: wall_ms,
            });
            let asked = Asked {
                bound: bound.clone(),
                ask,
                risk,
                started_by,
                self_approval: rules.self_approval,
                at_unix_ms: now.wall_ms,
                steady_ms: now.steady_ms,
                open_ms: rules.expires_s.saturating_mul(1000),
                decided,
                expired: false,
                used: false,
            };
            if auto {
                return settle(page, asked, &bound, now);
            }
            page.write(SHELF, &bound.id(), &asked)?;
            page.put(OPEN, &asked.open_key(), "")?;
            Ok(Standing::Waits)
        })
        .await
}

/// How a question stands; what was decided is used up. Asked again by the same call
/// it is the same answer: a host that died in between has not told it.
fn settle(
    page: &Page<'_>,
    mut asked: Asked,
    bound: &Bound,
    now: Now,
) -> Result<Standing, BooksError> {
    if let Err(invalid) = asked.bound.covers(bound) {
        return Ok(Standing::Invalid(invalid));
    }
    let standing = match &asked.decided {
        Some(decided) if asked.used || !asked.is_over(now) => {
            let told = decided.told();
            asked.used = true;
            Standing::Decided(told)
        }
        None if !asked.is_over(now) => return Ok(Standing::Waits),
        _ => {
            asked.expired = true;
            Standing::Expired
        }
    };
    page.write(SHELF, &bound.id(), &asked)?;
    page.remove(OPEN, &asked.open_key())?;
    Ok(standing)
}

/// So many questions of a plugin wait, up to `most`. Those whose time is over do not.
fn waiting(page: &Page<'_>, bound: &Bound, now: Now, most: usize) -> Result<usize, BooksError> {
    let prefix = prefix(bound);
    let mut count = 0;
    for (key, _) in page.list(OPEN, &prefix, None, most)? {
        let id = key.strip_prefix(&prefix).unwrap_or_default();
        let asked: Option<Asked> = page.read(SHELF, id)?;
        match asked {
            Some(asked) if asked.waits(now) => count += 1,
            Some(mut asked) => {
                asked.expired = asked.decided.is_none();
                page.write(SHELF, id, &asked)?;
                page.remove(OPEN, &key)?;
            }
            None => drop(page.remove(OPEN, &key)?),
        }
    }
    Ok(count)
}

/// A question as somebody looks at it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// By which it is named.
    pub id: String,
    /// The question.
    pub asked: Asked,
    /// `waits`, `approved`, `rejected` or `expired`.
    pub state: &'static str,
}

fn seen(id: String, asked: Asked, now: Now) -> Seen {
    let state = match &asked.decided {
        Some(_) if asked.is_over(now) && !asked.used => "expired",
        Some(decided) if decided.approved => "approved",
        Some(_) => "rejected",
        None if asked.is_over(now) => "expired",
        None => "waits",
    };
    Seen { id, asked, state }
}

/// The questions, in the order of their ids: those that wait, or all.
pub fn list(books: &Books, all: bool, wall_ms: u64) -> Result<Vec<Seen>, BooksError> {
    books.write_now(move |page| {
        let now = Now::see(page, wall_ms)?;
        let mut found = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let some = page.list(SHELF, "", after.as_deref(), 256)?;
            let Some((last, _)) = some.last() else { break };
            after = Some(last.clone());
            for (id, _) in some {
                if let Some(asked) = page.read::<Asked>(SHELF, &id)? {
                    let seen = seen(id, asked, now);
                    if all || seen.state == "waits" {
                        found.push(seen);
                    }
                }
            }
        }
        found.sort_by_key(|seen: &Seen| seen.asked.at_unix_ms);
        Ok(found)
    })
}

/// The question whose id begins so.
pub fn find(books: &Books, id: &str, wall_ms: u64) -> Result<Seen, NotTaken> {
    let begins = id.to_owned();
    books.write_now(move |page| {
        let now = Now::see(page, wall_ms)?;
        let (id, asked) = one(page, &begins)?;
        Ok(seen(id, asked, now))
    })
}

fn one(page: &Page<'_>, begins: &str) -> Result<(String, Asked), NotTaken> {
    let mut found = page.list(SHELF, begins, None, 2)?.into_iter();
    let unknown = || NotTaken::Unknown(begins.to_owned());
    let (id, _) = found
        .next()
        .filter(|_| !begins.is_empty())
        .ok_or_else(unknown)?;
    if found.next().is_some() && id != begins {
        return Err(NotTaken::Ambiguous(begins.to_owned()));
    }
    let asked = page.read(SHELF, &id)?.ok_or_else(unknown)?;
    Ok((id, asked))
}

/// Decides a question. `looked_at` is the digest of the arguments that were shown,
/// if the decider gives it; `write` writes down what is about to be decided, and
/// when it cannot, nothing is.
pub fn decide(
    books: &Books,
    id: &str,
    looked_at: Option<String>,
    decided: Decided,
    write: impl FnOnce(&Asked) -> Result<(), String> + Send + 'static,
) -> Result<Seen, NotTaken> {
    let begins = id.to_owned();
    books.write_now(move |page| {
        let now = Now::see(page, decided.at_unix_ms)?;
        let (id, mut asked) = one(page, &begins)?;
        if let Some(before) = &asked.decided {
            return Err(NotTaken::Decided(before.by.clone()));
        }
        if asked.is_over(now) {
            return Err(NotTaken::Expired);
        }
        if looked_at.is_some_and(|it| it != asked.bound.arguments) {
            return Err(NotTaken::Other);
        }
        // A no needs nobody else's word.
        if decided.approved && !asked.self_approval && asked.started_by == decided.by {
            return Err(NotTaken::SamePerson(decided.by));
        }
        asked.decided = Some(decided);
        write(&asked).map_err(NotTaken::Unwritten)?;
        page.write(SHELF, &id, &asked)?;
        page.remove(OPEN, &asked.open_key())?;
        Ok(seen(id, asked, now))
    })
}

#[cfg(test)]
mod tests;
