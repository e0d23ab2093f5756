//! Vectors of texts: asked for like a model call, and paid for like one.

use store::crash::{self, Point};

use crate::control::{NotMade, Wanted, Worth};
use crate::llm::{EmbedAsk, Embedding, LlmError, Origin, Usage};
use crate::meter::whole_micros;
use crate::perform::ask;
use crate::provider::capped;
use crate::recall::{Question, Reply, Spent};
use crate::{Broker, Caller, Capability, Route, store};

/// The most texts of one call: 256.
pub const TEXTS: usize = 256;

/// The most bytes of one call's texts together: 1 MiB.
pub const TEXT_BYTES: usize = 1 << 20;

/// The most numbers of one call's vectors together, 4 MiB of them.
const NUMBERS: usize = 1 << 20;

impl EmbedAsk {
    /// Refuses what is more than a call may ask for.
    pub fn check(&self) -> Result<(), String> {
        let bytes: usize = self.texts.iter().map(String::len).sum();
        match self.texts.len() {
            0 => Err("`texts` is empty".to_owned()),
            many if many > TEXTS => Err(format!("`texts` has {many} texts; at most {TEXTS}")),
            _ if bytes > TEXT_BYTES => Err(format!(
                "`texts` has {bytes} bytes; at most {TEXT_BYTES} at once"
            )),
            _ => Ok(()),
        }
    }

    /// What it takes when nobody says: a token for each four characters.
    pub fn estimate(&self) -> Usage {
        let characters: usize = self.texts.iter().map(|text| text.chars().count()).sum();
        Usage {
            input_tokens: (characters as u64).div_ceil(4),
            ..Usage::default()
        }
    }

    /// The most tokens that it can take: one for each byte, and one for each text.
    pub(crate) fn worst(&self) -> Usage {
        let bytes: usize = self.texts.iter().map(String::len).sum();
        Usage {
            input_tokens: bytes.saturating_add(self.texts.len()) as u64,
            ..Usage::default()
        }
    }
}

impl Embedding {
    /// Whether it is a vector of numbers for each text, all of one length.
    fn fits(&self, texts: usize) -> bool {
        let length = self.vectors.first().map_or(0, Vec::len);
        let whole = |vector: &Vec<f32>| {
            vector.len() == length && vector.iter().all(|number| number.is_finite())
        };
        let numbers = length.saturating_mul(texts);
        self.vectors.len() == texts
            && (1..=NUMBERS).contains(&numbers)
            && self.vectors.iter().all(whole)
    }
}

impl Broker {
    /// A vector for each text, for a plugin.
    pub async fn embed(&self, caller: &Caller, asked: EmbedAsk) -> Result<Embedding, LlmError> {
        let question = Question::Embed(&asked);
        let mut slip = caller.log.slip(caller, caller.log.number(), question);
        if let Some(known) = slip.known().await {
            return known;
        }
        let route = match self.vectors_of(caller, &asked) {
            Ok(route) => route,
            Err(error) => return slip.refused(Err(error)),
        };
        if let Err(barred) = self.discreet(caller, question) {
            return slip.refused(Err(barred.into()));
        }
        let Some(sequence) = caller.next() else {
            return slip.barred(Err(LlmError::BudgetExhausted));
        };
        let worst = asked.worst();
        let most = match self.bounds(caller, Capability::Llm, &asked.model) {
            true => Worth::of(worst, route.price.of(worst)),
            false => Worth::default(),
        };
        let wanted = Wanted {
            capability: Capability::Llm,
            resource: &asked.model,
            question,
            sequence,
            most,
        };
        let mut admitted = match self.admit(caller, wanted).await {
            Ok(admitted) => admitted,
            Err(NotMade::Halted) => return Err(LlmError::Cancelled),
            Err(NotMade::Barred(barred)) => return slip.barred(Err(barred.into())),
        };
        let origin = route.provider.origin();
        let intended = slip.intend(sequence, origin.effect(), Some(origin)).await;
        if intended.is_err() {
            admitted.forgo().await;
            return Err(LlmError::Cancelled);
        }
        let (llm, model) = (Capability::Llm, &asked.model);
        let effect = self.open(caller, sequence, llm, model, Some(origin));
        let left = caller.deadline.saturating_duration_since(effect.started);
        let asking = caller.asking(sequence);
        let made = route.provider.embed(self, &asking, &asked);
        let made = tokio::time::timeout(route.timeout.min(left), made);
        let answer = tokio::select! {
            biased;
            () = caller.cancel.cancelled() => None,
            answer = ask(made) => Some(answer.unwrap_or(Err(LlmError::Timeout))),
        };
        let Some(answer) = answer else {
            effect.end("cancelled", |_| {});
            match origin {
                Origin::Live => admitted.charge("cancelled").await,
                _ => admitted.settle("cancelled", Worth::default()).await,
            }
            return Err(LlmError::Cancelled);
        };
        let unclear = origin == Origin::Live && answer.as_ref().is_err_and(capped::is_unclear);
        let usage = answer.as_ref().map_or(Usage::default(), |made| made.usage);
        let cost_micros = route.price.of(usage);
        let result = match answer {
            Ok(made) if made.fits(asked.texts.len()) => Ok(Embedding {
                cost_micros,
                ..made
            }),
            Ok(_) => Err(LlmError::Unavailable(
                "the vectors are not one for each text, all of one length".to_owned(),
            )),
            Err(error) => Err(error),
        };
        let outcome = result.as_ref().map_or_else(LlmError::code, |_| "ok");
        let retry_after_ms = result.as_ref().err().and_then(LlmError::retry_after_ms);
        let took = effect.end(outcome, |effect| {
            effect.retry_after_ms = retry_after_ms;
            effect.usage = usage;
            effect.usage_estimated = unclear;
            effect.cost_micros = cost_micros;
        });
        let spent = Spent {
            usage,
            usage_estimated: unclear,
            cost_micros,
            took_micros: whole_micros(took),
            simulated_time: false,
        };
        admitted.answered(|| result.answer(), took);
        match unclear {
            true => admitted.charge(outcome).await,
            false => {
                admitted
                    .settle(outcome, Worth::of(usage, cost_micros))
                    .await
            }
        }
        let result = slip.answered(Some(origin), spent, result).await;
        crash::point(Point::BeforeAck);
        result
    }

    /// Who makes vectors for a question, if somebody may.
    fn vectors_of(&self, caller: &Caller, asked: &EmbedAsk) -> Result<&Route, LlmError> {
        self.allow(caller, Capability::Llm, &asked.model)
            .map_err(LlmError::Denied)?;
        let route = self.inner.models.get(&asked.model);
        let unknown = || LlmError::Invalid(format!("no model is called `{}`", asked.model));
        let route = route.ok_or_else(unknown)?;
        asked.check().map_err(LlmError::Invalid)?;
        Ok(route)
    }
}
