//! One call on its way: answered from the journal, or written to it before it is
//! made and after.

use store::crash::{self, Point};

use super::known::{Call, CallEnd};
use super::question::{Print, Question};
use super::record::{
    Answer, Ask, INTENT, Intent, Outcome, REFUSED, RESULT, Refused, Resolution, Spent, TOLD,
    Version,
};
use super::reply::Reply;
use super::{Halt, Inner, Known, State, Unrecorded};
use crate::approval::ApprovalError;
use crate::delegate::{self, DelegateError};
use crate::llm::{LlmError, Origin};
use crate::memory::MemoryError;
use crate::meter::Refusal;
use crate::policy::{Access, Denial};
use crate::tool::{EffectKind, ToolError};
use crate::{Caller, redact, store, text};

/// The attempt ends here: nobody may be asked.
pub(crate) struct Halted;

/// What becomes of something that was to be sent.
pub(crate) enum Departed {
    /// It may be sent.
    Goes,
    /// It was in doubt, and was given up.
    GivenUp,
}

/// One call. Without a journal there is nothing in it and it does nothing; an
/// agent that waits keeps no room for one.
pub(crate) struct Slip<'a>(Option<Box<Made<'a>>>);

struct Made<'a> {
    log: &'a Inner,
    caller: &'a Caller,
    call: u32,
    question: Question<'a>,
    print: Print,
    /// Set when there is an intent already, of which nobody knows what came.
    open: Option<Open>,
}

/// An intent without a result.
#[derive(Clone, Copy)]
struct Open {
    effect: EffectKind,
    decided: bool,
}

/// What the journal says of a call.
enum Said {
    Nothing,
    Refused(Refused),
    Made(u32, Outcome),
    /// It is in doubt, and was given up.
    GivenUp(u32),
    Halted,
}

impl<'a> Slip<'a> {
    pub(super) fn new(made: Option<(&'a Inner, &'a Caller, u32, Question<'a>)>) -> Slip<'a> {
        Slip(made.map(|(log, caller, call, question)| {
            Box::new(Made {
                log,
                caller,
                call,
                question,
                print: Print::of(question),
                open: None,
            })
        }))
    }

    /// What the guest was answered before, or is when it must not go on. None:
    /// somebody has to be asked.
    pub(crate) async fn known<R: Reply>(&mut self) -> Option<R> {
        let made = self.0.as_mut()?;
        match made.look() {
            Said::Nothing => None,
            Said::Halted => Some(R::halted()),
            Said::Refused(refused) => Some(made.refused_again(refused)),
            Said::Made(sequence, outcome) => Some(made.made_again(sequence, outcome)),
            Said::GivenUp(sequence) => {
                let outcome = made.outcome(None, Spent::default(), R::given_up().answer());
                Some(match made.write(&outcome).await {
                    Ok(()) => made.made_again(sequence, outcome),
                    Err(Halted) => R::halted(),
                })
            }
        }
    }

    /// Whether what becomes of the call is kept, so that another process can go on.
    pub(crate) fn is_kept(&self) -> bool {
        self.0.as_ref().is_some_and(|made| made.log.to.is_some())
    }

    /// Whether the journal has it that the call is made, and not what came of it.
    pub(crate) fn is_intended(&self) -> bool {
        self.0.as_ref().is_some_and(|made| made.open.is_some())
    }

    /// Somebody has to answer first: the attempt ends here.
    pub(crate) fn waits(self, id: &str, action: &str) {
        let Some(made) = self.0 else { return };
        made.log.lock().halt(Halt::Waiting {
            step: text::line(&made.caller.step, TOLD),
            attempt: made.caller.attempt,
            id: id.to_owned(),
            action: text::line(action, TOLD),
        });
    }

    /// Something is about to be sent of which no answer will be recorded; waits
    /// until that is durable. Once it is, only a person can say that it may be
    /// sent again.
    pub(crate) async fn depart(&mut self, sequence: u32) -> Result<Departed, Halted> {
        let Some(made) = self.0.as_mut() else {
            return Ok(Departed::Goes);
        };
        match made.look() {
            Said::Nothing => {
                let effect = EffectKind::UnsafeToRepeat;
                let intended = self.intend(sequence, effect, None).await;
                intended.map(|()| Departed::Goes)
            }
            Said::GivenUp(_) => Ok(Departed::GivenUp),
            Said::Refused(_) | Said::Made(..) => {
                made.diverge(&mut made.log.lock(), "a call with an answer");
                Err(Halted)
            }
            Said::Halted => Err(Halted),
        }
    }

    /// The call is not made. Nothing depends on this record being durable: the
    /// same question is refused again.
    pub(crate) fn refused<R: Reply>(self, reply: R) -> R {
        self.not_made(reply, false)
    }

    /// The same for a call that has taken the number of an effect.
    pub(crate) fn barred<R: Reply>(self, reply: R) -> R {
        self.not_made(reply, true)
    }

    fn not_made<R: Reply>(self, reply: R, numbered: bool) -> R {
        let Some(made) = self.0 else { return reply };
        if made.open.is_some_and(|it| it.effect > EffectKind::ReadOnly) {
            // It may have been made, and nobody may ask again.
            made.doubt();
            return R::halted();
        }
        let body = Refused {
            v: Version,
            step: made.caller.step.clone(),
            attempt: made.caller.attempt,
            call: made.call,
            digest: made.print.digest.clone(),
            numbered,
            told: made.question.told(),
            answer: reply.answer(),
        };
        let bytes = serde_json::to_string(&body.answer).map_or(0, |it| it.len());
        let mut state = made.log.lock();
        match state.has_room(body.told.len().saturating_add(bytes)) {
            true => made.log.write(REFUSED, &body),
            false => made
                .log
                .unrecorded(&mut state, made.caller, Unrecorded::Reads),
        }
        drop(state);
        reply
    }

    /// Somebody is about to be asked; waits until that is durable.
    pub(crate) async fn intend(
        &self,
        sequence: u32,
        effect: EffectKind,
        origin: Option<Origin>,
    ) -> Result<(), Halted> {
        let Some(made) = &self.0 else { return Ok(()) };
        let unsafe_now = |open: Open| open.effect.max(effect) == EffectKind::UnsafeToRepeat;
        if made.open.is_some_and(|it| !it.decided && unsafe_now(it)) {
            made.doubt();
            return Err(Halted);
        }
        let body = {
            let mut state = made.log.lock();
            if state.halt.is_some() {
                return Err(Halted);
            }
            made.intent(&mut state, sequence, effect, origin)
        };
        crash::point(Point::BeforeIntent);
        let written = Box::pin(made.log.append(INTENT, &body)).await;
        crash::point(Point::AfterIntent);
        written.map_err(|error| {
            made.log.lock().halt(error.into());
            Halted
        })
    }

    /// Somebody has answered; waits until that is durable. A guest does not see
    /// what the journal does not have.
    pub(crate) async fn answered<R: Reply>(
        self,
        origin: Option<Origin>,
        spent: Spent,
        reply: R,
    ) -> R {
        // Neither the guest nor the journal gets a secret that came back.
        let reply = match redact::any() {
            true => R::from_answer(redact::value(reply.answer())).unwrap_or(reply),
            false => reply,
        };
        let Some(made) = &self.0 else { return reply };
        let outcome = made.outcome(origin, spent, reply.answer());
        match made.write(&outcome).await {
            Ok(()) => reply,
            Err(Halted) => R::halted(),
        }
    }
}

impl Made<'_> {
    fn look(&mut self) -> Said {
        let mut state = self.log.lock();
        if state.halt.is_some() {
            return Said::Halted;
        }
        let live = self.log.to.is_some();
        let Some(call) = state.known.calls.remove(&self.call) else {
            if live {
                return Said::Nothing;
            }
            return self.diverge(&mut state, "nothing more");
        };
        if call.digest() != Some(&self.print.digest) {
            return self.diverge(&mut state, &call.told());
        }
        let Call {
            intent,
            end,
            resolved,
        } = call;
        match (intent, end) {
            (Some(intent), Some(CallEnd::Made(outcome))) => {
                if matches!(self.question, Question::Llm(_)) {
                    state.before = Some((self.call, self.print.clone()));
                }
                Said::Made(intent.sequence, outcome)
            }
            (_, Some(CallEnd::Refused(refused))) => Said::Refused(refused),
            (Some(intent), None) if live && resolved == Some(Resolution::Fail) => {
                Said::GivenUp(intent.sequence)
            }
            (Some(intent), None) if live => {
                self.open = Some(Open {
                    effect: intent.effect,
                    decided: resolved == Some(Resolution::Repeat),
                });
                Said::Nothing
            }
            (Some(_), None) => self.diverge(&mut state, "a call with a recorded result"),
            (None, _) => self.diverge(&mut state, "a call with a recorded intent"),
        }
    }

    fn diverge(&self, state: &mut State, expected: &str) -> Said {
        let found = self.question.told();
        state.diverge(self.caller, Some(self.call), expected, &found);
        Said::Halted
    }

    /// The refusal that the guest was given before, counted once more.
    fn refused_again<R: Reply>(&self, refused: Refused) -> R {
        let Refused {
            numbered, answer, ..
        } = refused;
        let caller = self.caller;
        if let Some(denial) = denial(&answer) {
            let access = Access {
                plugin: &caller.plugin,
                capability: self.question.capability(),
                resource: &self.question.wanted(),
            };
            caller.meter.refusal(Refusal::new(access, denial));
        }
        if let Answer::Llm(Err(LlmError::RateLimited(Some(after))))
        | Answer::Tools(Err(ToolError::RateLimited(Some(after)))) = &answer
        {
            let after = u64::from(*after);
            caller
                .meter
                .told_to_wait(&caller.step, caller.attempt, after);
        }
        if numbered || is_exhausted(&answer) {
            caller.next();
        }
        self.give(answer)
    }

    /// The answer that the guest was given before. What it cost then is in the
    /// meter as the same effect.
    fn made_again<R: Reply>(&self, sequence: u32, outcome: Outcome) -> R {
        let caller = self.caller;
        // Those to come have the numbers that they would have had.
        caller.next();
        let resource = self.question.resource();
        let effect = outcome.effect(&caller.plugin, sequence, resource);
        caller.meter.effect(effect);
        if let Question::Delegate(ask) = self.question {
            // What the agent did then, and those that it asked.
            let path = delegate::path(&caller.step, &ask.agent, sequence);
            let of_attempt = |((step, attempt), _): &(&(String, u32), &Known)| {
                *attempt == caller.attempt && delegate::is_within(step, &path)
            };
            for ((step, _), known) in self.log.below.iter().filter(of_attempt) {
                let agent = delegate::agent_and_step(step).map_or("", |(agent, _)| agent);
                known.tell(agent, &caller.meter);
            }
        }
        self.give(outcome.answer)
    }

    fn give<R: Reply>(&self, answer: Answer) -> R {
        R::from_answer(answer).unwrap_or_else(|| {
            let expected = "an answer of another capability";
            self.diverge(&mut self.log.lock(), expected);
            R::halted()
        })
    }

    fn intent(
        &self,
        state: &mut State,
        sequence: u32,
        effect: EffectKind,
        origin: Option<Origin>,
    ) -> Intent {
        let ask = match self.question {
            Question::Tools(call) => Ask::Tools(call.clone()),
            Question::Http(departure) => Ask::Http(departure.clone()),
            Question::Embed(ask) => Ask::Embed(ask.clone()),
            Question::Memory(ask) => Ask::Memory(ask.clone()),
            Question::Delegate(ask) => Ask::Delegate(ask.clone()),
            Question::Approval(ask) => Ask::Approval(ask.clone()),
            Question::Llm(request) => {
                let before = state.before.take();
                // Calls that are made at once are begun in order; a base that
                // comes later could not be read back.
                let before = before.filter(|(call, _)| *call < self.call);
                let delta = self.print.delta(request, before.as_ref());
                state.before = Some((self.call, self.print.clone()));
                Ask::Llm(delta)
            }
        };
        Intent {
            v: Version,
            step: self.caller.step.clone(),
            attempt: self.caller.attempt,
            call: self.call,
            sequence,
            effect,
            origin,
            repeats: self.open.is_some(),
            digest: self.print.digest.clone(),
            ask,
        }
    }

    fn outcome(&self, origin: Option<Origin>, spent: Spent, answer: Answer) -> Outcome {
        Outcome {
            v: Version,
            step: self.caller.step.clone(),
            attempt: self.caller.attempt,
            call: self.call,
            outcome: answer.outcome().to_owned(),
            origin,
            spent,
            answer,
        }
    }

    async fn write(&self, outcome: &Outcome) -> Result<(), Halted> {
        crash::point(Point::BeforeResult);
        let written = Box::pin(self.log.append(RESULT, outcome)).await;
        crash::point(Point::AfterResult);
        written.map_err(|error| {
            self.log.lock().halt(error.into());
            Halted
        })
    }

    fn doubt(&self) {
        self.log.lock().halt(Halt::Doubt {
            step: text::line(&self.caller.step, TOLD),
            attempt: self.caller.attempt,
            call: self.call,
            capability: self.question.capability(),
            resource: text::line(self.question.resource(), TOLD),
        });
    }
}

impl Call {
    fn digest(&self) -> Option<&String> {
        match (&self.intent, &self.end) {
            (Some(intent), _) => Some(&intent.digest),
            (None, Some(CallEnd::Refused(refused))) => Some(&refused.digest),
            (None, _) => None,
        }
    }
}

pub(super) fn denial(answer: &Answer) -> Option<&Denial> {
    match answer {
        Answer::Llm(Err(LlmError::Denied(denial)))
        | Answer::Embed(Err(LlmError::Denied(denial)))
        | Answer::Tools(Err(ToolError::Denied(denial)))
        | Answer::Memory(Err(MemoryError::Denied(denial)))
        | Answer::Delegate(Err(DelegateError::Denied(denial)))
        | Answer::Approval(Err(ApprovalError::Denied(denial))) => Some(denial),
        _ => None,
    }
}

/// Before refusals said whether they took a number, only a call beyond the last
/// that may be was refused so, and it did.
fn is_exhausted(answer: &Answer) -> bool {
    matches!(
        answer,
        Answer::Llm(Err(LlmError::BudgetExhausted))
            | Answer::Tools(Err(ToolError::BudgetExhausted))
    )
}
