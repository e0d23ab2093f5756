//! Random numbers without a generator: each is a hash of what it is for.
//!
//! A key is SHA-256 over its fields, each preceded by its length (8 bytes, little
//! endian; a number is a field of 8 bytes, little endian). A draw is the first 8
//! bytes, big endian, of SHA-256 over the key and the draw's name. This is
//! written down because published results depend on it: it never changes.

use sha2::{Digest, Sha256};

use crate::Caller;
use crate::llm::{Part, Request, ResponseFormat, Role};

/// What all draws of one call hang on.
pub(super) struct Key([u8; 32]);

/// The fields of a key.
pub(super) struct Fields(Sha256);

impl Fields {
    pub(super) fn text(&mut self, text: &str) {
        self.0.update((text.len() as u64).to_le_bytes());
        self.0.update(text);
    }

    pub(super) fn number(&mut self, number: u64) {
        self.0.update(8_u64.to_le_bytes());
        self.0.update(number.to_le_bytes());
    }

    fn key(&mut self, key: &Key) {
        self.0.update((key.0.len() as u64).to_le_bytes());
        self.0.update(key.0);
    }
}

impl Key {
    pub(super) fn of(write: impl FnOnce(&mut Fields)) -> Key {
        let mut fields = Fields(Sha256::new());
        write(&mut fields);
        Key(fields.0.finalize().into())
    }

    /// One call: who asks, in which try, for which time.
    pub(super) fn of_call(seed: u64, caller: &Caller, sequence: u32) -> Key {
        Key::of(|fields| {
            fields.text("hotcell faults by call 1");
            fields.number(seed);
            fields.text(&caller.task);
            fields.text(&caller.step);
            fields.number(caller.attempt.into());
            fields.number(sequence.into());
        })
    }

    /// One question about one task, whoever asks it and how often. The model's
    /// alias and the dials (tokens, temperature, seed) are not part of it.
    pub(super) fn of_question(seed: u64, task: &str, request: &Request) -> Key {
        Key::of(|fields| {
            fields.text("hotcell faults by question 1");
            fields.number(seed);
            fields.text(task);
            if let ResponseFormat::JsonSchema(schema) = &request.response_format {
                fields.text(schema);
            }
            for message in &request.messages {
                fields.text(match message.role {
                    Role::System => "system",
                    Role::User => "user",
                    Role::Assistant => "assistant",
                    Role::Tool => "tool",
                });
                for part in &message.content {
                    match part {
                        Part::Text(text) | Part::Json(text) | Part::CallResult(_, text) => {
                            fields.text(text);
                        }
                        Part::Call(call) => {
                            fields.text(&call.name);
                            fields.text(&call.arguments);
                        }
                    }
                }
            }
        })
    }

    /// The draws of one of the stages of work that an answer stands for. Those of
    /// the first are the answer's own.
    pub(super) fn of_stage(&self, stage: u32) -> Key {
        match stage {
            0 => Key(self.0),
            _ => Key::of(|fields| {
                fields.text("hotcell faults by stage 1");
                fields.key(self);
                fields.number(stage.into());
            }),
        }
    }

    fn draw(&self, name: &str) -> u64 {
        let hash: [u8; 32] = Sha256::new()
            .chain_update(self.0)
            .chain_update(name)
            .finalize()
            .into();
        let [a, b, c, d, e, f, g, h, ..] = hash;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }

    /// Even, from 0 to just below 1.
    pub(super) fn unit(&self, name: &str) -> f64 {
        (self.draw(name) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Whether what has this rate happens. Rate 0 never does, rate 1 always.
    pub(super) fn fires(&self, name: &str, rate: f64) -> bool {
        self.unit(name) < rate
    }

    /// Even, from 0 to `end` - 1; 0 when there is nothing to choose from.
    pub(super) fn below(&self, name: &str, end: usize) -> usize {
        ((u128::from(self.draw(name)) * end as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u64) -> Key {
        Key::of(|fields| fields.number(n))
    }

    #[test]
    fn draws_are_what_they_were_on_the_first_day() {
        let key = Key::of(|fields| {
            fields.text("hotcell faults by call 1");
            fields.number(42);
            fields.text("INV-2024-007");
            fields.text("extract");
            fields.number(1);
            fields.number(0);
        });
        assert_eq!(key.draw("hallucination"), 0x6f51_b3b2_f883_55d0);
        assert_eq!(key.draw("timeout"), 0x6297_2222_8455_9075);
        assert_eq!(key.below("timeout", 10), 3);
        let stages = [0, 1, 2].map(|stage| key.of_stage(stage).draw("hallucination"));
        let first = 0x6f51_b3b2_f883_55d0;
        assert_eq!(
            stages,
            [first, 0x2d34_5d9c_7bca_e368, 0x31fc_283a_da7f_fac5]
        );
    }

    #[test]
    fn a_rate_of_0_never_fires_and_a_rate_of_1_always() {
        for n in 0..10_000 {
            assert!(!key(n).fires("flip", 0.0));
            assert!(key(n).fires("flip", 1.0));
        }
    }

    #[test]
    fn a_rate_is_how_often_it_fires() {
        for rate in [0.01, 0.1, 0.5, 0.9] {
            let fired = (0..10_000).filter(|n| key(*n).fires("flip", rate)).count() as f64;
            // Four standard deviations, for draws that never change.
            let margin = 4.0 * (10_000.0 * rate * (1.0 - rate)).sqrt();
            assert!(
                (fired - 10_000.0 * rate).abs() < margin,
                "{fired} for {rate}"
            );
        }
    }

    #[test]
    fn draws_of_different_names_have_nothing_to_do_with_each_other() {
        let both = |n: &u64| key(*n).fires("flip", 0.5) && key(*n).fires("omission", 0.5);
        let fired = (0..10_000).filter(both).count();
        assert!((2300..2700).contains(&fired), "{fired}");
    }

    #[test]
    fn every_choice_is_chosen_about_as_often() {
        let mut chosen = [0_u32; 7];
        for n in 0..7000 {
            chosen[key(n).below("leaf", 7)] += 1;
        }
        assert!(chosen.iter().all(|n| (880..1120).contains(n)), "{chosen:?}");
        assert_eq!(key(1).below("leaf", 0), 0);
        assert_eq!(key(1).below("leaf", 1), 0);
    }

    #[test]
    fn no_two_lists_of_fields_make_the_same_key() {
        let texts = |list: &[&str]| Key::of(|f| list.iter().for_each(|t| f.text(t))).0;
        assert_ne!(texts(&["ab", "c"]), texts(&["a", "bc"]));
        assert_ne!(texts(&["a"]), texts(&["a", ""]));
    }
}
