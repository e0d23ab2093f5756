//! Several models behind one alias: which is asked, who is asked when that one
//! cannot answer, what is said when nobody can, and what was answered before.
//!
//! In this order: a prompt that is too long is made to fit; what was answered to
//! the same request is answered again; the first model that is meant for such a
//! request is asked, and those after it until one gives an answer of use; then an
//! answer to a question that is nearly the same, then the words that the operator
//! has written down. The guest is told when it does not get the plain answer, and
//! so is everybody who reads the results.
//!
//! For the journal all of it is one call of the alias, and it costs what all that
//! were asked cost together.

mod answers;
mod choose;
mod fit;

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use tokio::time::Instant;

pub use answers::Memory;
pub use choose::When;

use answers::Key;
use choose::{Facts, choose, goes_on, serves};

use crate::llm::{
    Answer, Completion, Degradation, FinishReason, LlmError, LlmProvider, Message, Origin, Part,
    Request, Role, Took, Usage,
};
use crate::provider::estimate;
use crate::{Broker, Caller, Price, Route};

/// What is called a model where the operator's own words answer.
const NOBODY: &str = "safe-default";

/// One model of a chain.
#[derive(Clone)]
pub struct Link {
    /// Its alias.
    pub alias: String,
    /// How it is asked.
    pub route: Route,
    /// When it is asked first.
    pub when: When,
}

/// What an alias does beside asking one model. By default nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Habits {
    /// The models stand for one another by rights: no answer of one of them is a
    /// substitute, and one that is of no use is asked for again further down.
    pub tiers: bool,
    /// At most so many tokens of prompt are sent, estimated.
    pub fit_tokens: Option<u64>,
    /// What is remembered.
    pub memory: Option<Memory>,
    /// What is said when nobody answers.
    pub safe_default: Option<String>,
}

/// How often a chain did what. Cheap to clone; all clones count together.
#[derive(Clone, Debug, Default)]
pub struct ChainLog(Arc<Mutex<ChainCounts>>);

/// How often a chain did what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ChainCounts {
    /// Calls of the alias.
    pub calls: u64,
    /// Answered as before.
    pub known: u64,
    /// What those cost when they were asked, in micro-dollars.
    pub saved_micros: u64,
    /// Answered by another model than the first.
    pub backup: u64,
    /// Answered as a similar question was.
    pub similar: u64,
    /// Answered with the operator's words.
    pub safe_default: u64,
    /// Prompts that were made to fit.
    pub shortened: u64,
    /// By so many tokens, estimated.
    pub shortened_tokens: u64,
}

impl ChainLog {
    /// How it stands now.
    pub fn counts(&self) -> ChainCounts {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, what: impl FnOnce(&mut ChainCounts)) {
        what(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Several models behind one alias.
pub struct Chain {
    links: Vec<Link>,
    habits: Habits,
    log: ChainLog,
}

impl Chain {
    /// A chain of these, in the order in which they are asked.
    pub fn new(links: Vec<Link>, habits: Habits) -> Chain {
        Chain {
            links,
            habits,
            log: ChainLog::default(),
        }
    }

    /// How often it does what.
    pub fn log(&self) -> ChainLog {
        self.log.clone()
    }

    /// The route of the alias: as long as all its models may take together and, for
    /// what is set aside, as dear as all of them.
    pub fn route(self) -> Route {
        let all = self.links.iter().map(|link| &link.route);
        let timeout = all.clone().map(|route| route.timeout).sum();
        let price = all.fold(Price::default(), |sum, route| sum.plus(route.price));
        // The tightest, since one request goes to all of them.
        let bounds = self.links.iter().map(|link| link.route.max_output_tokens);
        let max_output_tokens = bounds.flatten().min();
        Route {
            provider: Arc::new(self),
            price,
            timeout,
            max_output_tokens,
        }
    }

    async fn facts(&self, broker: &Broker, caller: &Caller, request: &Request) -> Facts {
        Facts {
            prompt_tokens: estimate::prompt(request),
            tools: !request.tools.is_empty(),
            budget_micros: broker.left_micros(caller).await,
        }
    }

    /// Asks one model, within its own time.
    async fn ask(link: &Link, broker: &Broker, caller: &Caller, request: &Request) -> Answer {
        let Route {
            provider, timeout, ..
        } = &link.route;
        let limit = (*timeout).min(caller.deadline.saturating_duration_since(Instant::now()));
        let asked = provider.complete(broker, caller, request);
        let answer = tokio::time::timeout(limit, asked).await;
        let answer = answer.unwrap_or_else(|_| Answer::wall(Err(LlmError::Timeout)));
        match answer.took {
            // A simulated answer that says it took longer is the timeout it would
            // have been.
            Took::Virtual(took) if took > *timeout => {
                Answer::new(Err(LlmError::Timeout), Took::Virtual(*timeout))
            }
            _ => answer,
        }
    }

    /// Asks one model after the other until one gives an answer of use.
    async fn ask_all(
        &self,
        broker: &Broker,
        caller: &Caller,
        request: &Request,
    ) -> (Result<Completion, LlmError>, Bill, bool) {
        let whens: Vec<When> = self.links.iter().map(|link| link.when).collect();
        let first = choose(&whens, self.facts(broker, caller, request).await);
        let mut bill = Bill::default();
        let mut last = Err(LlmError::Unavailable("no model is behind it".to_owned()));
        let mut backup = false;
        for (n, link) in self.links.iter().enumerate().skip(first) {
            let answer = Chain::ask(link, broker, caller, request).await;
            bill.add(&answer, link.route.price);
            backup = n > first && !self.habits.tiers;
            match answer.result {
                Ok(completion) => {
                    let useful = serves(request, completion.finish, &completion.message.content);
                    last = Ok(completion);
                    if useful || !self.habits.tiers {
                        break;
                    }
                }
                Err(error) => {
                    let ends = !goes_on(&error);
                    // An answer that is of little use is of more than none.
                    if last.is_err() {
                        last = Err(error);
                    }
                    if ends {
                        break;
                    }
                }
            }
        }
        (last, bill, backup)
    }
}

/// What all that were asked come to.
#[derive(Default)]
struct Bill {
    micros: u64,
    usage: Usage,
    /// Of those whose time is simulated.
    simulated: Duration,
    wall: bool,
}

impl Bill {
    fn add(&mut self, answer: &Answer, price: Price) {
        let usage = answer.result.as_ref().map(|it| it.usage);
        let usage = usage.unwrap_or_default();
        self.usage += usage;
        let cost = answer.cost_micros.unwrap_or_else(|| price.of(usage));
        self.micros = self.micros.saturating_add(cost);
        match answer.took {
            Took::Wall => self.wall = true,
            Took::Virtual(took) => self.simulated = self.simulated.saturating_add(took),
        }
    }

    fn took(&self) -> Took {
        match self.wall {
            true => Took::Wall,
            false => Took::Virtual(self.simulated),
        }
    }
}

/// The operator's own words.
fn words(text: &str) -> Completion {
    Completion {
        message: Message {
            role: Role::Assistant,
            content: vec![Part::Text(text.to_owned())],
        },
        finish: FinishReason::Stop,
        usage: Usage::default(),
        usage_estimated: false,
        model: NOBODY.to_owned(),
    }
}

#[async_trait]
impl LlmProvider for Chain {
    /// A real model if one is among them: then nobody knows after a crash whether it
    /// was paid.
    fn origin(&self) -> Origin {
        let origins = self.links.iter().map(|link| link.route.provider.origin());
        let rank = |origin: &Origin| match origin {
            Origin::Live => 4,
            Origin::Recorded => 3,
            Origin::Simulated => 2,
            Origin::Plugin => 1,
            Origin::Scripted => 0,
        };
        origins.max_by_key(rank).unwrap_or(Origin::Scripted)
    }

    async fn complete(&self, broker: &Broker, caller: &Caller, request: &Request) -> Answer {
        self.log.count(|counts| counts.calls += 1);
        let most = self.habits.fit_tokens;
        let fitted = most.and_then(|most| fit::fit(request, most));
        let request = match fitted {
            None => Cow::Borrowed(request),
            Some((fitted, saved)) => {
                self.log.count(|counts| {
                    counts.shortened += 1;
                    counts.shortened_tokens = counts.shortened_tokens.saturating_add(saved);
                });
                Cow::Owned(fitted)
            }
        };
        let memory = self.habits.memory.as_ref().zip(broker.books());
        let memory = memory.map(|(memory, books)| {
            let key = Key::of(caller, &broker.inner.policy.digest, &request);
            (memory, books, key)
        });
        let now = caller.now_unix_ms;
        if let Some((memory, books, key)) = &memory
            && let Some(kept) = memory.same(books, key, now).await
        {
            self.log.count(|counts| {
                counts.known += 1;
                counts.saved_micros = counts.saved_micros.saturating_add(kept.cost_micros);
            });
            return given(kept.completion, None);
        }
        let (result, bill, backup) = self.ask_all(broker, caller, &request).await;
        // All that was asked counts, not only what was of use.
        let counted = |completion| Completion {
            usage: bill.usage,
            ..completion
        };
        let mut answer = Answer::new(result.map(counted), bill.took());
        answer.cost_micros = Some(bill.micros);
        match &answer.result {
            Ok(completion) => {
                if backup {
                    self.log.count(|counts| counts.backup += 1);
                    answer.degraded = Some(Degradation::BackupModel);
                } else if let Some((memory, books, key)) = &memory {
                    memory.keep(books, key, now, completion, bill.micros).await;
                }
                answer
            }
            Err(error) if !goes_on(error) => answer,
            Err(_) => {
                let similar = match &memory {
                    Some((memory, books, key)) => memory.similar(books, key, now).await,
                    None => None,
                };
                let instead = match (similar, &self.habits.safe_default) {
                    (Some(kept), _) => {
                        self.log.count(|counts| counts.similar += 1);
                        Some(given(kept.completion, Some(Degradation::CachedSimilar)))
                    }
                    (None, Some(text)) => {
                        self.log.count(|counts| counts.safe_default += 1);
                        Some(given(words(text), Some(Degradation::SafeDefault)))
                    }
                    (None, None) => None,
                };
                instead.map_or(answer, |instead| Answer {
                    took: bill.took(),
                    cost_micros: Some(bill.micros),
                    ..instead
                })
            }
        }
    }
}

/// An answer for which nobody was asked: no tokens, no time.
fn given(completion: Completion, degraded: Option<Degradation>) -> Answer {
    Answer {
        result: Ok(Completion {
            usage: Usage::default(),
            ..completion
        }),
        took: Took::Virtual(Duration::ZERO),
        cost_micros: Some(0),
        degraded,
    }
}
