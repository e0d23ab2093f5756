//! One effect, from the question to the answer, whatever the capability is.
//!
//! What the journal knows is answered from it. Otherwise the grant is looked up,
//! the effect gets its number, a budget is asked, the intent is written, it is done
//! under the caller's deadline and the run's cancellation, and the answer is
//! written before the guest has it. A call that the run's cancellation ends has no
//! result in the journal: nobody knows what came of it, and the guest does not go
//! on.

use std::pin::pin;
use std::task::Poll;

use store::crash::{self, Point};

use crate::control::{Barred, NotMade, Wanted, Worth};
use crate::meter::whole_micros;
use crate::recall::{Question, Reply, Spent};
use crate::tool::EffectKind;
use crate::{Broker, Caller, store};

/// What is known of an effect before it is done, and what it is done with.
pub(crate) struct Terms<P> {
    /// What a crash between question and answer means.
    pub(crate) effect: EffectKind,
    /// The most it can cost by itself.
    pub(crate) most: Worth,
    /// Who does it.
    pub(crate) by: P,
}

/// Waits for somebody's answer.
pub(crate) async fn ask<T>(asked: impl Future<Output = T>) -> T {
    crash::point(Point::BeforeSend);
    let mut asked = pin!(asked);
    // A provider sends when it is first polled.
    let first = futures::poll!(asked.as_mut());
    crash::point(Point::AfterSend);
    let answer = match first {
        Poll::Ready(answer) => answer,
        Poll::Pending => asked.await,
    };
    crash::point(Point::AfterResponse);
    answer
}

impl Broker {
    /// One effect that is no model call: those also know usage and prices.
    /// `number` is the call's, `terms` looks up the grant and who does it, `work`
    /// does it.
    pub(crate) async fn perform<T, E, P, F>(
        &self,
        caller: &Caller,
        number: u32,
        question: Question<'_>,
        terms: impl FnOnce() -> Result<Terms<P>, E>,
        work: impl FnOnce(Caller, P) -> F,
    ) -> Result<T, E>
    where
        Result<T, E>: Reply,
        E: From<Barred>,
        F: Future<Output = Result<T, E>>,
    {
        let mut slip = caller.log.slip(caller, number, question);
        if let Some(known) = slip.known().await {
            return known;
        }
        let Terms { effect, most, by } = match terms() {
            Ok(terms) => terms,
            Err(error) => return slip.refused(Err(error)),
        };
        if let Err(barred) = self.discreet(caller, question) {
            return slip.refused(Err(barred.into()));
        }
        let Some(sequence) = caller.next() else {
            return slip.barred(Err(Barred::Budget.into()));
        };
        let (capability, resource) = (question.capability(), question.resource());
        let wanted = Wanted {
            capability,
            resource,
            question,
            sequence,
            most,
        };
        let mut admitted = match self.admit(caller, wanted).await {
            Ok(admitted) => admitted,
            Err(NotMade::Halted) => return Reply::halted(),
            Err(NotMade::Barred(barred)) => return slip.barred(Err(barred.into())),
        };
        if slip.intend(sequence, effect, None).await.is_err() {
            admitted.forgo().await;
            return Reply::halted();
        }
        let open = self.open(caller, sequence, capability, resource, None);
        let limit = caller.deadline.saturating_duration_since(open.started);
        let asking = caller.asking(sequence);
        let result = tokio::select! {
            biased;
            () = caller.cancel.cancelled() => None,
            result = ask(tokio::time::timeout(limit, work(asking, by))) =>
                Some(result.unwrap_or_else(|_| Reply::late())),
        };
        let Some(result) = result else {
            open.end("cancelled", |_| {});
            return Reply::halted();
        };
        if matches!(question, Question::Delegate(_)) && caller.log.halted().is_some() {
            // The agent that was asked cannot go on, and neither can who asked it.
            open.end("cancelled", |_| {});
            return Reply::halted();
        }
        let outcome = result.answer().outcome();
        let took = open.end(outcome, |_| {});
        admitted.answered(|| result.answer(), took);
        admitted.settle(outcome, Worth::default()).await;
        let spent = Spent {
            took_micros: whole_micros(took),
            ..Spent::default()
        };
        let result = slip.answered(None, spent, result).await;
        crash::point(Point::BeforeAck);
        result
    }
}
