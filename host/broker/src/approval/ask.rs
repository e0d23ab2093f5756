//! A plugin asks a human. While nobody has decided the attempt ends: it holds no
//! cell, no place in a queue and no permit, however many days it takes. When the
//! run goes on its attempt is executed again from the journal, comes to the same
//! question and finds how it stands.

use std::time::Duration;

use store::books::Books;

use super::bound::{Bound, Invalid};
use super::queue::{self, New, Standing};
use super::{ApprovalAsk, ApprovalDecision, ApprovalError, risk};
use crate::audit::Trail;
use crate::control::{Barred, NotMade, Wanted, Worth};
use crate::recall::{Question, Reply, Slip, Spent};
use crate::tool::EffectKind;
use crate::{Broker, Caller, Capability, Denial, store};

/// The most a question may hold: 1 MiB of arguments, 16 KiB of reasons, 256 bytes
/// for the classification.
const ARGUMENTS: usize = 1 << 20;
const REASON: usize = 16 << 10;
const WORD: usize = 256;

type Answer = Result<ApprovalDecision, ApprovalError>;

/// What is needed to ask.
struct Desk<'a> {
    books: &'a Books,
    trail: &'a Trail,
    bound: Bound,
}

impl Broker {
    /// Asks a human whether a plugin may do something.
    pub async fn approve(&self, caller: &Caller, ask: ApprovalAsk) -> Answer {
        let number = caller.log.number();
        let question = Question::Approval(&ask);
        let mut slip = caller.log.slip(caller, number, question);
        if let Some(known) = slip.known().await {
            return known;
        }
        let desk = self
            .allow(caller, Capability::Approval, &ask.action)
            .map_err(ApprovalError::Denied)
            .and_then(|()| self.desk(caller, number, &slip, &ask));
        let desk = match desk {
            Ok(desk) => desk,
            Err(error) => return slip.refused(Err(error)),
        };
        if let Err(barred) = self.discreet(caller, question) {
            return slip.refused(Err(barred.into()));
        }
        let Some(sequence) = caller.next() else {
            return slip.barred(Err(Barred::Budget.into()));
        };
        let before = queue::standing(desk.books, desk.bound.clone(), desk.trail.now()).await;
        let before = match before {
            Ok(Some(Standing::Waits)) => return waits(slip, &desk.bound),
            Ok(before) => before,
            Err(error) => return slip.barred(Err(Barred::Unwritten(error.to_string()).into())),
        };
        let wanted = Wanted {
            capability: Capability::Approval,
            resource: &ask.action,
            question,
            sequence,
            most: Worth::default(),
        };
        let mut admitted = match self.admit(caller, wanted).await {
            Ok(admitted) => admitted,
            Err(NotMade::Halted) => return Reply::halted(),
            Err(NotMade::Barred(barred)) => return slip.barred(Err(barred.into())),
        };
        let standing = match before {
            Some(standing) if slip.is_intended() => standing,
            _ => {
                // To ask again is to look again: the same call has the same id.
                let intended = slip.intend(sequence, EffectKind::ReadOnly, None).await;
                if intended.is_err() {
                    admitted.forgo().await;
                    return Reply::halted();
                }
                let new = New {
                    bound: desk.bound.clone(),
                    risk: risk(&ask, self.inner.policy.plugin.get(&caller.plugin)),
                    ask: ask.clone(),
                    started_by: desk.trail.facts().user.clone(),
                    rules: self.inner.approvals.clone(),
                };
                match queue::ask(desk.books, new, desk.trail.now()).await {
                    Ok(standing) => standing,
                    Err(error) => {
                        admitted.settle("failed", Worth::default()).await;
                        let error = Barred::Unwritten(error.to_string()).into();
                        return slip.answered(None, Spent::default(), Err(error)).await;
                    }
                }
            }
        };
        let answer = match standing {
            Standing::Waits => {
                admitted.settle("waiting", Worth::default()).await;
                return waits(slip, &desk.bound);
            }
            Standing::Decided(decision) => Ok(decision),
            Standing::Expired => Err(ApprovalError::Expired),
            Standing::Full(most) => Err(full(most)),
            Standing::Invalid(why) => Err(invalid(why)),
        };
        let outcome = match &answer {
            Ok(decision) if decision.approved => "approved",
            Ok(_) => "rejected",
            Err(error) => error.code(),
        };
        let open = self.open(caller, sequence, Capability::Approval, &ask.action, None);
        open.end(answer.answer().outcome(), |effect| {
            effect.took = Duration::ZERO
        });
        admitted.answered(|| answer.answer(), Duration::ZERO);
        admitted.settle(outcome, Worth::default()).await;
        slip.answered(None, Spent::default(), answer).await
    }

    fn desk(
        &self,
        caller: &Caller,
        number: u32,
        slip: &Slip<'_>,
        ask: &ApprovalAsk,
    ) -> Result<Desk<'_>, ApprovalError> {
        // An answer may come after this process: who keeps nothing cannot wait for it.
        let unavailable = || ApprovalError::Denied(Denial::Unavailable);
        let kept = slip.is_kept();
        let books = self.inner.books.as_ref().filter(|_| kept);
        let books = books.ok_or_else(unavailable)?;
        let trail = self.inner.audit.as_ref().ok_or_else(unavailable)?;
        let component = trail.facts().agents.get(&caller.plugin);
        let component = component.ok_or_else(unavailable)?;
        let sizes = [
            ("the arguments", ask.arguments.len(), ARGUMENTS),
            ("the reason", ask.reason.len(), REASON),
            (
                "the classification",
                ask.classification.as_ref().map_or(0, String::len),
                WORD,
            ),
        ];
        if let Some((what, bytes, most)) = sizes.into_iter().find(|it| it.1 > it.2) {
            return Err(not_asked(format!(
                "{what} of {bytes} bytes, at most {most} are shown"
            )));
        }
        let bound = Bound::new(caller, number, component, ask)
            .ok_or_else(|| not_asked("arguments that are no JSON, or have a key twice".into()))?;
        Ok(Desk {
            books,
            trail,
            bound,
        })
    }
}

/// The attempt ends here until somebody has decided.
fn waits(slip: Slip<'_>, bound: &Bound) -> Answer {
    slip.waits(&bound.id(), &bound.action);
    Reply::halted()
}

/// The contract has one case for all that is not asked.
fn not_asked(what: String) -> ApprovalError {
    ApprovalError::Denied(Denial::NotGranted(what))
}

fn full(most: usize) -> ApprovalError {
    not_asked(format!(
        "another question: {most} of this plugin wait already"
    ))
}

fn invalid(why: Invalid) -> ApprovalError {
    not_asked(why.to_string())
}

impl From<Barred> for ApprovalError {
    fn from(barred: Barred) -> ApprovalError {
        match barred {
            Barred::Budget => not_asked("one more effect: the budget is spent".into()),
            Barred::Rate(_) => not_asked("another question so soon".into()),
            Barred::Unwritten(why) => not_asked(why),
            Barred::Secret(name) => not_asked(crate::secrets::carries(&name)),
        }
    }
}
