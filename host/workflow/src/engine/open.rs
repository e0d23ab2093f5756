//! What the machine waits for, by what it asked. The same for a run that goes on
//! and for one that is replayed.

use crate::machine::event::within;
use crate::machine::{Action, Path, What};

/// What the machine waits for, in the order in which it asked.
#[derive(Default)]
pub(super) struct Open(Vec<Action>);

/// What an event answers.
pub(super) enum Asked {
    /// The event answers nobody.
    Nothing,
    /// It answers this.
    Call(Box<Action>),
    /// It answers what was not asked.
    Missing(Path, u32),
}

impl Open {
    /// What this event answers is no longer waited for.
    pub(super) fn answered(&mut self, what: &What) -> Asked {
        let (path, attempt) = match what {
            What::Answered { path, attempt, .. } | What::Judged { path, attempt, .. } => {
                (path, *attempt)
            }
            What::Looked { path, .. } => (path, 0),
            What::Elapsed { path, timer } => (path, *timer),
            What::Started { .. } | What::TimedOut | What::Cancelled => return Asked::Nothing,
        };
        let answers = |action: &Action| match (what, action) {
            (
                What::Answered { .. },
                Action::Invoke {
                    path: at,
                    attempt: try_,
                    ..
                },
            )
            | (
                What::Judged { .. },
                Action::Judge {
                    path: at,
                    attempt: try_,
                    ..
                },
            )
            | (
                What::Elapsed { .. },
                Action::Wait {
                    path: at,
                    timer: try_,
                    ..
                },
            ) => (at, *try_) == (path, attempt),
            (What::Looked { .. }, Action::Look { path: at, .. }) => at == path,
            _ => false,
        };
        match self.0.iter().position(answers) {
            Some(at) => Asked::Call(Box::new(self.0.remove(at))),
            None => Asked::Missing(path.clone(), attempt),
        }
    }

    /// What the machine wants: one more to wait for, or some less.
    pub(super) fn add(&mut self, action: Action) {
        match action {
            Action::Stop { path } => self
                .0
                .retain(|it| !it.path().is_some_and(|at| within(at, &path))),
            action if action.path().is_some() => self.0.push(action),
            _ => {}
        }
    }

    pub(super) fn into_actions(self) -> Vec<Action> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(path: &str, timer: u32) -> Action {
        Action::Wait {
            path: path.into(),
            timer,
            ms: 1,
            backoff: true,
        }
    }

    #[test]
    fn only_what_was_asked_is_answered_and_what_is_given_up_is_gone() {
        let mut open = Open::default();
        for (path, timer) in [("a", 1), ("a/b", 1), ("ab", 1)] {
            open.add(wait(path, timer));
        }
        let elapsed = |path: &str, timer| What::Elapsed {
            path: path.into(),
            timer,
        };
        let missing = |asked| matches!(asked, Asked::Missing(..));
        assert!(missing(open.answered(&elapsed("a", 2))));
        assert!(missing(open.answered(&elapsed("c", 1))));
        assert!(matches!(open.answered(&What::Cancelled), Asked::Nothing));
        assert!(matches!(open.answered(&elapsed("ab", 1)), Asked::Call(_)));
        assert!(missing(open.answered(&elapsed("ab", 1))));
        open.add(Action::Stop { path: "a".into() });
        assert_eq!(open.into_actions(), []);
    }
}
