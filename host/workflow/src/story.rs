//! Runs told as a story, for the tests of patterns: a plan, what everybody
//! answers, and a line for each thing that is done.

use std::sync::Arc;

use hotcell_runtime::task::{Finding, Output, Task, Verdict};

use crate::machine::{
    Action, Answer, Ask, Audit, Event, Fault, Outcome, Path, Run, Used, What, step,
};
use crate::plan::{Pattern, Plan};

/// A run that is being told.
pub(crate) struct Story {
    run: Run,
    plan: Arc<Plan>,
    /// What waits for an answer, the oldest first.
    pub(crate) open: Vec<Action>,
    /// A line for each action.
    pub(crate) lines: Vec<String>,
    pub(crate) audit: Vec<Audit>,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) events: Vec<Event>,
    pub(crate) at_ms: u64,
}

/// An output of this value.
pub(crate) fn output(value: &str) -> Output {
    Output {
        value: value.to_owned(),
        ..Output::default()
    }
}

/// A finding of this code.
pub(crate) fn finding(code: &str) -> Finding {
    Finding {
        pointer: "/x".to_owned(),
        code: code.to_owned(),
        message: "m".to_owned(),
    }
}

/// An answer of this value.
pub(crate) fn says(value: &str) -> Answer {
    Answer::Output(output(value))
}

/// No answer, for this reason.
pub(crate) fn fails(code: &'static str) -> Answer {
    Answer::Fault(Fault::new(code, "m"))
}

impl Story {
    /// Begins a run of this pattern on the record `t` with this input.
    pub(crate) fn begin(pattern: Pattern, input: &str) -> Story {
        let plan = Arc::new(Plan {
            name: "test".to_owned(),
            pattern: Arc::new(pattern),
            timeout_ms: 60_000,
        });
        let mut story = Story {
            run: Run::new(Arc::clone(&plan), "t", input),
            plan,
            open: Vec::new(),
            lines: Vec::new(),
            audit: Vec::new(),
            outcome: None,
            events: Vec::new(),
            at_ms: 0,
        };
        story.happens(What::Started { seed: 7 });
        story
    }

    /// Something happens, whether it fits or not.
    pub(crate) fn happens(&mut self, what: What) {
        let event = Event {
            at_ms: self.at_ms,
            what,
        };
        self.events.push(event.clone());
        for action in step(&mut self.run, event) {
            self.lines.push(line(&action));
            match action {
                Action::Stop { path } => self.open.retain(|action| {
                    let at = action.path().map_or("", |path| path);
                    !crate::machine::event::within(at, &path)
                }),
                Action::Audit(audit) => self.audit.push(audit),
                Action::Finish(outcome) => self.outcome = Some(outcome),
                Action::Keep { .. } => {}
                action => self.open.push(action),
            }
        }
    }

    /// Takes what waits at this path.
    fn take(&mut self, path: &str) -> Action {
        let at = self
            .open
            .iter()
            .position(|action| action.path().is_some_and(|it| **it == *path));
        match at {
            Some(at) => self.open.remove(at),
            None => panic!("nothing waits at `{path}`: {:#?}", self.lines),
        }
    }

    /// The try that waits at this path ends so.
    pub(crate) fn answer(&mut self, path: &str, answer: Answer) {
        self.answer_for(path, answer, Used::default());
    }

    /// The same, and it took this.
    pub(crate) fn answer_for(&mut self, path: &str, answer: Answer, used: Used) {
        let Action::Invoke { path, attempt, .. } = self.take(path) else {
            panic!("`{path}` waits for something else: {:#?}", self.lines);
        };
        self.happens(What::Answered {
            path,
            attempt,
            answer,
            used,
        });
    }

    /// The gate that waits at this path says this.
    pub(crate) fn judge(&mut self, path: &str, judgement: Result<Verdict, Fault>) {
        let Action::Judge {
            path,
            attempt,
            gate,
            validator,
            ..
        } = self.take(path)
        else {
            panic!("`{path}` waits for something else: {:#?}", self.lines);
        };
        self.happens(What::Judged {
            path,
            attempt,
            gate,
            validator,
            judgement,
            used: Used::default(),
        });
    }

    /// The wait at this path is over.
    pub(crate) fn elapse(&mut self, path: &str) {
        let waits =
            |action: &Action| matches!(action, Action::Wait { path: it, .. } if **it == *path);
        let at = self.open.iter().position(waits).expect("nobody waits");
        let Action::Wait {
            path, timer, ms, ..
        } = self.open.remove(at)
        else {
            return;
        };
        self.at_ms += ms;
        self.happens(What::Elapsed { path, timer });
    }

    /// Answers all tries by path and task until the run is over; `pick` says
    /// which of those that wait is next. Gates let everything pass, nothing is
    /// found in caches, and waits are over when nothing else is left.
    pub(crate) fn play(
        &mut self,
        mut pick: impl FnMut(usize) -> usize,
        mut by: impl FnMut(&Path, u32, &Ask) -> Answer,
    ) {
        while self.outcome.is_none() {
            let asks: Vec<usize> = (0..self.open.len())
                .filter(|at| !matches!(self.open[*at], Action::Wait { .. }))
                .collect();
            let action = match asks.len() {
                0 if self.open.is_empty() => panic!("it stands still: {:#?}", self.lines),
                0 => self.open.remove(0),
                len => self.open.remove(asks[pick(len) % len]),
            };
            let used = Used::default();
            let what = match action {
                Action::Invoke {
                    path, attempt, ask, ..
                } => What::Answered {
                    answer: by(&path, attempt, &ask),
                    path,
                    attempt,
                    used,
                },
                Action::Judge {
                    path,
                    attempt,
                    gate,
                    validator,
                    ..
                } => What::Judged {
                    path,
                    attempt,
                    gate,
                    validator,
                    judgement: Ok(Verdict::Pass),
                    used,
                },
                Action::Look { path, .. } => What::Looked { path, found: None },
                Action::Wait {
                    path, timer, ms, ..
                } => {
                    self.at_ms += ms;
                    What::Elapsed { path, timer }
                }
                _ => continue,
            };
            self.happens(what);
        }
    }

    /// The last line.
    pub(crate) fn last(&self) -> &str {
        self.lines.last().map_or("", String::as_str)
    }

    /// The output, when it ended with one.
    pub(crate) fn value(&self) -> &str {
        match &self.outcome {
            Some(Ok(done)) => &done.output.value,
            other => panic!("no output: {other:?}"),
        }
    }

    /// What was to be done, once more from the events alone.
    pub(crate) fn again(&self) -> Vec<String> {
        let input = self.run.input().to_owned();
        let mut run = Run::new(Arc::clone(&self.plan), "t", &input);
        let events = self.events.iter().cloned();
        events
            .flat_map(|event| step(&mut run, event))
            .map(|action| line(&action))
            .collect()
    }
}

fn task(task: &Task) -> String {
    let codes: Vec<&str> = task.findings.iter().map(|f| f.code.as_str()).collect();
    let mut line = format!("previous={}", task.previous.as_deref().unwrap_or("-"));
    if !codes.is_empty() {
        line.push_str(&format!(" findings={}", codes.join(",")));
    }
    if task.iteration > 1 {
        line.push_str(&format!(" round={}", task.iteration));
    }
    line
}

/// An action in one line.
fn line(action: &Action) -> String {
    match action {
        Action::Invoke {
            path, attempt, ask, ..
        } => match ask {
            Ask::Run(it) => format!("invoke {path}.{attempt} {}", task(it)),
            Ask::Decide(ballots) => {
                let said: Vec<_> = ballots
                    .iter()
                    .map(|b| format!("{}:{}", b.voter, b.value))
                    .collect();
                format!("decide {path}.{attempt} {}", said.join(" "))
            }
        },
        Action::Judge {
            path,
            attempt,
            validator,
            output,
            ..
        } => format!("judge {path}.{attempt} {validator}: {}", output.value),
        Action::Look { path, .. } => format!("look {path}"),
        Action::Keep { output, ttl_s, .. } => format!("keep {} for {ttl_s} s", output.value),
        Action::Wait {
            path, timer, ms, ..
        } => format!("wait {path}.{timer} {ms} ms"),
        Action::Stop { path } => format!("stop {path}"),
        Action::Audit(Audit::Step {
            path,
            status,
            fallback,
            attempts,
            ..
        }) => {
            let fallback = fallback.as_ref().map(|it| format!(" by {it}"));
            format!(
                "audit {path}: {status}{} after {attempts}",
                fallback.unwrap_or_default()
            )
        }
        Action::Audit(Audit::Transition {
            from,
            to,
            rule,
            taken,
            ..
        }) => {
            let verb = if *taken { "goes" } else { "may not go" };
            format!(
                "audit {} {verb} to {to}: {rule}",
                from.as_deref().unwrap_or("-")
            )
        }
        Action::Finish(Ok(done)) => {
            let status = crate::machine::status(&Ok(done.clone()));
            format!("{status} {}", done.output.value)
        }
        Action::Finish(Err(stop)) => {
            let (code, message) = stop.words();
            format!("{} {code}: {message}", stop.status())
        }
    }
}
