//! Runs and their journal: begun, gone on with, begun again where another was,
//! and given up.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::try_join_all;
use hotcell_runtime::broker::recall::{Clock, Halt};
use hotcell_runtime::broker::store::journal::{Entry, Head, Journal, RunLog};

use super::drive::{Book, Past, feed};
use super::history::{AUDIT, Batch, Begun, ENDED, EVENT, Ending, HALTED, Halted, History};
use super::report::{self, Notes};
use super::{Engine, Record};
use crate::machine::{Event, Run, Stop, What, status};

/// What is to be done.
#[derive(Clone)]
pub enum Job {
    /// Run this record.
    Run(Record),
    /// Run this record, whose run is in the journal: [`Engine::enlist`].
    Begun(Record, RunLog),
    /// Go on with a run that is in the journal. Of the record only the ids and
    /// the moment count.
    Resume(Record),
    /// Begin another run where one was.
    Fork(Fork),
}

/// Another run that begins where one was.
#[derive(Clone, Debug)]
pub struct Fork {
    /// The new run.
    pub record: Record,
    /// The run it comes from, and its last record that counts.
    pub parent: (String, u64),
    /// What happened until then: [`History::before`].
    pub events: Vec<Event>,
    /// What steps are given instead of what they would be asked, by path.
    pub instead: BTreeMap<String, String>,
}

impl Job {
    pub(super) fn record(&self) -> &Record {
        match self {
            Job::Run(record) | Job::Begun(record, _) | Job::Resume(record) => record,
            Job::Fork(fork) => &fork.record,
        }
    }
}

/// What makes runs durable.
#[derive(Clone)]
pub struct Durable {
    /// Where they are kept.
    pub journal: Journal,
    /// The clock of records.
    pub clock: Clock,
    /// What is run, in words from which the engine can be made again.
    pub definition: Arc<str>,
}

impl Durable {
    fn begun(&self, record: &Record) -> Begun {
        let (task, input) = (record.task.clone(), record.input.clone());
        Begun::new(self.definition.to_string(), task, input, record.now_unix_ms)
    }

    /// Writes down why a run cannot go on for now, if that can be written.
    pub(super) async fn halted(&self, log: &RunLog, halt: &Halt) {
        let status = report::halt_status(halt);
        let halted = Halted {
            code: halt.code().to_owned(),
            message: halt.to_string(),
        };
        let entry = Entry::new(HALTED, (self.clock)(), &halted);
        // It is in the report; the run can be resumed all the same.
        drop(log.status(status, vec![entry]).await);
    }
}

impl Engine {
    /// Begins these runs in the journal, all at once: from here on they survive
    /// their host, even those whose turn has not come. Without a journal nothing
    /// is written.
    pub async fn enlist(&self, records: Vec<Record>, batch: &str) -> Result<Vec<Job>, Halt> {
        let Some(durable) = &self.durable else {
            return Ok(records.into_iter().map(Job::Run).collect());
        };
        let batch = Batch {
            id: batch.to_owned(),
            of: records.len() as u64,
        };
        let begin = async |record: Record| {
            let mut begun = durable.begun(&record);
            begun.batch = Some(batch.clone());
            let log = durable.journal.begin(self.head(&record, None));
            let entry = begun.entry((durable.clock)());
            log.append(vec![entry]).await?;
            Ok(Job::Begun(record, log))
        };
        try_join_all(records.into_iter().map(begin)).await
    }

    /// Ends a run that is in the journal and not under way, without going on with
    /// it.
    pub async fn forsake(durable: &Durable, run: &str) -> Result<(), Halt> {
        let (_, records, log) = durable.journal.adopt(run)?;
        let now = (durable.clock)();
        let at_ms = History::of(&records)
            .ok()
            .and_then(|it| it.events.last().map(|event| event.at_ms));
        let event = Event {
            at_ms: at_ms.unwrap_or_default(),
            what: What::Cancelled,
        };
        let outcome = Err(Stop::Cancelled);
        let status = status(&outcome);
        let ending = Ending {
            status: status.to_owned(),
            outcome,
        };
        let entries = vec![
            Entry::new(EVENT, now, &event),
            Entry::new(ENDED, now, &ending),
        ];
        log.end(status, entries).await?;
        Ok(())
    }

    /// A run at its beginning, or where it was left, and where to write.
    pub(super) fn open(&self, job: Job) -> Result<(Run, Past, Option<Book<'_>>), Halt> {
        match (job, &self.durable) {
            (Job::Run(record), None) => {
                let run = Run::new(Arc::clone(&self.plan), &record.task, &record.input);
                Ok((run, Past::default(), None))
            }
            (Job::Run(record), Some(durable)) => {
                let begun = durable.begun(&record);
                let run = begun.run(&self.plan);
                let now = (durable.clock)();
                let head = self.head(&record, None);
                let book = Book {
                    durable,
                    log: durable.journal.begin(head),
                    first: vec![begun.entry(now)],
                };
                Ok((run, Past::default(), Some(book)))
            }
            (Job::Begun(record, log), Some(durable)) => {
                let run = durable.begun(&record).run(&self.plan);
                let first = Vec::new();
                let book = Book {
                    durable,
                    log,
                    first,
                };
                Ok((run, Past::default(), Some(book)))
            }
            (Job::Resume(record), Some(durable)) => {
                let (_, records, log) = durable.journal.adopt(&record.run)?;
                let history = History::of(&records).map_err(|error| Halt::Storage {
                    code: "storage.corrupt",
                    message: error.to_string(),
                })?;
                let run = history.begun.run(&self.plan);
                let past = Past {
                    events: history.events,
                    known: history.known,
                };
                let book = Book {
                    durable,
                    log,
                    first: Vec::new(),
                };
                Ok((run, past, Some(book)))
            }
            (Job::Fork(fork), Some(durable)) => {
                let mut begun = durable.begun(&fork.record);
                begun.instead = fork.instead;
                begun.inherited = fork.events.len() as u64;
                let run = begun.run(&self.plan);
                let now = (durable.clock)();
                let (mut notes, mut again) = (Notes::default(), run.clone());
                feed(&mut again, &fork.events, &mut notes);
                let mut first = vec![begun.entry(now)];
                first.extend(notes.audit.iter().map(|it| Entry::new(AUDIT, now, it)));
                first.extend(fork.events.iter().map(|it| Entry::new(EVENT, now, it)));
                let head = self.head(&fork.record, Some(fork.parent));
                let book = Book {
                    durable,
                    log: durable.journal.begin(head),
                    first,
                };
                let past = Past {
                    events: fork.events,
                    known: BTreeMap::new(),
                };
                Ok((run, past, Some(book)))
            }
            (Job::Begun(..) | Job::Resume(_) | Job::Fork(_), None) => Err(Halt::Storage {
                code: "storage.none",
                message: "there is no journal to go on from".to_owned(),
            }),
        }
    }

    fn head(&self, record: &Record, parent: Option<(String, u64)>) -> Head {
        Head {
            run: record.run.clone(),
            tenant: self.tenant.clone(),
            workflow: self.plan.name.clone(),
            task: record.task.clone(),
            created_unix_ms: record.now_unix_ms,
            parent,
        }
    }
}
