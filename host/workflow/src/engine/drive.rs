//! The loop of one run: ask the machine, write down, do, tell the machine.
//!
//! That a step has ended is durable, together with what an auditor reads of it,
//! before anything that follows from it is done. So a run can be cut off anywhere:
//! fed with the events that are there, the machine asks for exactly what is missing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::FutureExt;
use futures::future::{AbortHandle, Abortable};
use futures::stream::{FuturesUnordered, StreamExt};
use hotcell_runtime::broker::delegate;
use hotcell_runtime::broker::recall::{AttemptLog, Halt, Known};
use hotcell_runtime::broker::store::journal::{Entry, RunLog};
use tokio::time::Instant;

use super::Durable;
use super::history::{AUDIT, ENDED, EVENT, Ending};
use super::open::Open;
use super::progress::Progress;
use super::report::Notes;
use super::scene::Scene;
use crate::machine::event::within;
use crate::machine::{
    self, Action, Answer, Audit, Event, Fault, Outcome, Path, Run, Stop, What, status,
};

/// The journal's side of one run.
pub(super) struct Book<'a> {
    pub(super) durable: &'a Durable,
    pub(super) log: RunLog,
    /// Written with the next event: how a new run begins.
    pub(super) first: Vec<Entry>,
}

impl Book<'_> {
    /// Writes down how a new run begins whose first event is there already.
    async fn begin(&mut self) -> Result<(), Halt> {
        let entries = std::mem::take(&mut self.first);
        if entries.is_empty() {
            return Ok(());
        }
        self.log.append(entries).await?;
        Ok(())
    }
}

/// What is there of a run before it goes on.
#[derive(Default)]
pub(super) struct Past {
    pub(super) events: Vec<Event>,
    /// What attempts did that have not ended.
    pub(super) known: BTreeMap<(String, u32), Known>,
}

/// Brings a run to where its past left it: what is still to be done, and its end
/// if it has come to one.
pub(super) fn feed(
    run: &mut Run,
    events: &[Event],
    notes: &mut Notes,
) -> (Vec<Action>, Option<Outcome>) {
    let mut open = Open::default();
    let mut outcome = None;
    for event in events {
        notes.event(&event.what);
        open.answered(&event.what);
        for action in machine::step(run, event.clone()) {
            match action {
                Action::Finish(end) => outcome = Some(end),
                Action::Audit(audit) => notes.audit.push(audit),
                action => {
                    notes.action(&action);
                    if let Some((key, plugin)) = key(&action) {
                        notes.asked.insert(key, plugin);
                    }
                    open.add(action);
                }
            }
        }
    }
    (open.into_actions(), outcome)
}

/// Under which step and attempt the journal has what this does, and who does it.
pub(super) fn key(action: &Action) -> Option<((String, u32), Arc<str>)> {
    match action {
        Action::Invoke {
            path,
            attempt,
            agent,
            ..
        } => Some(((path.to_string(), *attempt), Arc::clone(agent))),
        Action::Judge {
            path,
            attempt,
            validator,
            ..
        } => {
            let step = format!("{path}/{validator}");
            Some(((step, *attempt), Arc::clone(validator)))
        }
        _ => None,
    }
}

impl Scene<'_> {
    /// From where the past ends to the run's end. What can be done side by side
    /// is.
    pub(super) async fn drive(
        &self,
        run: &mut Run,
        past: &Past,
        mut book: Option<Book<'_>>,
        seed: u64,
        notes: &mut Notes,
    ) -> Result<Outcome, Halt> {
        let began = Instant::now();
        // Time in which no host was up does not count.
        let before_ms = past.events.last().map_or(0, |event| event.at_ms);
        let mut under_way = FuturesUnordered::new();
        let mut handles: BTreeMap<u64, (Path, AbortHandle)> = BTreeMap::new();
        let mut numbers = 0..;
        let (open, outcome) = feed(run, &past.events, notes);
        // What attempts that have ended did; the others tell it themselves.
        let going_on: BTreeSet<_> = open.iter().filter_map(key).map(|(key, _)| key).collect();
        notes.tell(&past.known, &going_on, self.meter);
        if let Some(outcome) = outcome {
            return Ok(outcome);
        }
        let mut next = match past.events.is_empty() {
            true => Some(What::Started { seed }),
            false => None,
        };
        // A fork's beginning comes before anything that is done in it.
        if let (Some(book), None) = (&mut book, &next) {
            book.begin().await?;
        }
        let mut actions = open;
        // What is still open from before is written down already.
        let mut again = next.is_none();
        loop {
            if let Some(what) = next.take() {
                let spent = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
                let event = Event {
                    at_ms: before_ms.saturating_add(spent),
                    what,
                };
                notes.event(&event.what);
                self.tell(&event.what);
                actions = machine::step(run, event.clone());
                self.write(&mut book, &event, &actions).await?;
            }
            for action in actions.drain(..) {
                match action {
                    Action::Finish(outcome) => return Ok(outcome),
                    Action::Audit(audit) => {
                        self.tell_audit(&audit);
                        notes.audit.push(audit);
                    }
                    Action::Keep {
                        key,
                        agent,
                        output,
                        ttl_s,
                    } => {
                        let now = self.record.now_unix_ms;
                        let until = now.saturating_add(ttl_s.saturating_mul(1_000));
                        let key = self.engine.keep_key(&key, agent.as_deref());
                        self.engine.keep(key, output, until).await;
                    }
                    Action::Stop { path } => handles.retain(|_, (at, handle)| {
                        let stays = !within(at, &path);
                        if !stays {
                            handle.abort();
                        }
                        stays
                    }),
                    action => {
                        self.tell_action(&action);
                        if !again {
                            notes.action(&action);
                        }
                        let log = self.attempt_log(&action, past, book.as_ref());
                        let (handle, registration) = AbortHandle::new_pair();
                        let number = numbers.next().unwrap_or(u64::MAX);
                        if let Some(path) = action.path() {
                            handles.insert(number, (path.clone(), handle));
                        }
                        let doing = self.perform(action, log).map(move |done| (number, done));
                        under_way.push(Abortable::new(doing, registration));
                    }
                }
            }
            again = false;
            next = loop {
                tokio::select! {
                    biased;
                    () = self.cancel.cancelled() => break Some(What::Cancelled),
                    () = tokio::time::sleep_until(self.deadline) => break Some(What::TimedOut),
                    done = under_way.next() => match done {
                        Some(Ok((number, Ok(what)))) => {
                            handles.remove(&number);
                            if let Some(what) = what {
                                break Some(what);
                            }
                        }
                        Some(Ok((_, Err(halt)))) => return Err(halt),
                        // Given up.
                        Some(Err(_)) => {}
                        None => {
                            let fault = Fault::new("host", "the run came to a standstill");
                            return Ok(Err(Stop::fault("", fault)));
                        }
                    },
                }
            };
        }
    }

    /// Writes down what happened and what an auditor reads of it, and the run's
    /// end. When a step has ended, it returns when that is durable: a checkpoint.
    /// What happens within a step goes with whatever is written next, be it an
    /// intent: should it be lost, then nothing that followed from it is there.
    async fn write(
        &self,
        book: &mut Option<Book<'_>>,
        event: &Event,
        actions: &[Action],
    ) -> Result<(), Halt> {
        let Some(book) = book else { return Ok(()) };
        let now = (book.durable.clock)();
        let mut entries = std::mem::take(&mut book.first);
        entries.push(Entry::new(EVENT, now, event));
        let (mut end, mut checkpoint) = (None, false);
        for action in actions {
            match action {
                Action::Audit(audit) => {
                    checkpoint = true;
                    entries.push(Entry::new(AUDIT, now, audit));
                }
                Action::Finish(outcome) => end = Some(outcome),
                _ => {}
            }
        }
        let written = match end {
            None if !checkpoint => {
                entries.into_iter().for_each(|entry| book.log.note(entry));
                return Ok(());
            }
            None => book.log.append(entries).await,
            Some(outcome) => {
                let status = status(outcome);
                let ending = Ending {
                    status: status.to_owned(),
                    outcome: outcome.clone(),
                };
                entries.push(Entry::new(ENDED, now, &ending));
                book.log.end(status, entries).await
            }
        };
        written?;
        Ok(())
    }

    /// The journal's side of what is to be done, with what it knows already.
    fn attempt_log(&self, action: &Action, past: &Past, book: Option<&Book<'_>>) -> AttemptLog {
        let Some(book) = book else {
            return AttemptLog::off();
        };
        let Some((key, _)) = key(action) else {
            return AttemptLog::off();
        };
        let known = past.known.get(&key).cloned().unwrap_or_default();
        let clock = Arc::clone(&book.durable.clock);
        let (step, attempt) = &key;
        let asked = |(path, of): &(String, u32)| {
            of == attempt && path != step && delegate::is_within(path, step)
        };
        let below = past.known.iter().filter(|(it, _)| asked(it));
        let below = below
            .map(|(it, known)| (it.clone(), known.clone()))
            .collect();
        AttemptLog::live_over(book.log.clone(), clock, known, below)
    }

    fn tell(&self, what: &What) {
        let (path, attempt, code) = match what {
            What::Answered {
                path,
                attempt,
                answer: Answer::Fault(fault),
                ..
            } => (path, attempt, fault.code.to_string()),
            What::Answered {
                path,
                attempt,
                answer: Answer::OffSchema(_),
                ..
            } => (path, attempt, "off-schema".to_owned()),
            _ => return,
        };
        self.engine.teller.tell(|| Progress::AttemptFailed {
            run: self.record.run.clone(),
            step: path.to_string(),
            attempt: *attempt,
            code,
        });
    }

    fn tell_action(&self, action: &Action) {
        if let Action::Invoke {
            path,
            attempt,
            agent,
            ..
        } = action
        {
            self.engine.teller.tell(|| Progress::StepStarted {
                run: self.record.run.clone(),
                step: path.to_string(),
                attempt: *attempt,
                agent: agent.to_string(),
            });
        }
    }

    fn tell_audit(&self, audit: &Audit) {
        let run = || self.record.run.clone();
        self.engine.teller.tell(|| match audit {
            Audit::Step { path, status, .. } => Progress::StepEnded {
                run: run(),
                step: path.to_string(),
                status: status.to_string(),
            },
            Audit::Transition {
                path, to, taken, ..
            } => Progress::StateEntered {
                run: run(),
                step: path.to_string(),
                state: to.to_string(),
                taken: *taken,
            },
        });
    }
}
