//! What the host keeps of a call's words: safe to show anywhere, and not much.
//! Told without the host's own text gate, so that it cannot be wrong together
//! with it.

use hotcell_broker::meter::Records;

/// One record of anything a guest said.
const RECORD: usize = 8 * 1024;

/// All that one call may say, and its last line; all of a run's calls together.
const CALL: usize = 256 * 1024 + 2 * RECORD;
const RUN: usize = 1024 * 1024 + RECORD;

/// Different refusals, with one more for each capability.
const REFUSALS: usize = 256 + 6;

/// Effects of one attempt.
const EFFECTS: usize = 4_096;

/// Whether everything that is kept of so many calls is harmless and bounded.
pub(crate) fn check(records: &Records, words: &str, calls: u32) -> Result<(), String> {
    harmless("the end", words)?;
    for line in &records.log {
        harmless("a line of the log", &line.text)?;
    }
    for (refusal, _) in records.refusals.iter() {
        harmless("a refusal", &refusal.resource)?;
        harmless("a refusal", &refusal.reason)?;
        harmless(
            "a refusal",
            refusal.allow_with.as_deref().unwrap_or_default(),
        )?;
    }
    let said: usize = records.log.iter().map(|line| line.text.len()).sum();
    let table = [
        ("bytes of log", said, RUN.min(CALL * calls as usize)),
        ("refusals", records.refusals.len(), REFUSALS),
        ("effects", records.effects.len(), EFFECTS),
    ];
    match table.iter().find(|(_, kept, most)| kept > most) {
        Some((what, kept, most)) => Err(format!("{kept} {what} are kept, at most {most} may be")),
        None => Ok(()),
    }
}

fn harmless(what: &str, text: &str) -> Result<(), String> {
    if text.len() > RECORD {
        return Err(format!("{what} has {} bytes", text.len()));
    }
    let hidden = |c: &char| {
        c.is_control()
            || matches!(u32::from(*c), 0xad | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f
                | 0xfe00..=0xfe0f | 0xfeff | 0xe0000..=0xe0fff)
    };
    match text.chars().find(hidden) {
        Some(c) => Err(format!(
            "{what} has the character U+{:04X} in it",
            u32::from(c)
        )),
        None => Ok(()),
    }
}
