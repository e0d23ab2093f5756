//! How much could go wrong, as a number from 0 to 100. Pure: what is asked and what
//! the plugin may reach in, points out.
//!
//! The course that this follows scores requests for approval and does not print its
//! weights; these are ours, chosen so that each alone is visible and none alone
//! decides:
//!
//! | what | points | why |
//! |---|---|---|
//! | the amount | 0 to 40, ten for each power of ten from $100 on | a mistake costs its order of magnitude; past $100,000 a human reads it anyway |
//! | no amount is given | 20 | as $1,000: who leaves it out is not cheaper than who says it |
//! | it cannot be taken back | 25 | nobody can mend it, at whatever price |
//! | the data: public 0, internal 5, confidential 15, anything else 20 | 0 to 20 | a word that nobody knows is not a lower one; none is `internal` |
//! | the plugin may also use secrets or send requests | 15 | what it learns and does may leave the machine |
//! | or tools or folders | 5 | it reaches something, that the operator chose |
//!
//! All but the last two are the agent's own words. So what policy lets pass below a
//! score is as trustworthy as the agent, and nothing passes unless the operator
//! says so.

use serde::{Deserialize, Serialize};

use super::ApprovalAsk;
use crate::{Grants, text};

/// The greatest score.
pub const MOST: u32 = 100;

/// A score and what it is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Risk {
    /// 0 to [`MOST`].
    pub score: u32,
    /// Why, with the points of each.
    pub because: Vec<(String, u32)>,
}

/// The risk of what a plugin with these grants asks.
pub fn risk(ask: &ApprovalAsk, grants: Option<&Grants>) -> Risk {
    let mut because = vec![amount(ask.amount_micros)];
    if ask.irreversible {
        because.push(("it cannot be taken back".to_owned(), 25));
    }
    because.push(data(ask.classification.as_deref()));
    because.push(reach(grants));
    because.retain(|(_, points)| *points > 0);
    let sum = because.iter().map(|(_, points)| points).sum::<u32>();
    Risk {
        score: sum.min(MOST),
        because,
    }
}

fn amount(micros: Option<u64>) -> (String, u32) {
    const DOLLAR: u64 = 1_000_000;
    let Some(micros) = micros else {
        return ("no amount is given".to_owned(), 20);
    };
    let points = match micros / DOLLAR {
        0..100 => 0,
        100..1_000 => 10,
        1_000..10_000 => 20,
        10_000..100_000 => 30,
        _ => 40,
    };
    ("the amount".to_owned(), points)
}

fn data(classification: Option<&str>) -> (String, u32) {
    let word = classification.unwrap_or("internal");
    let points = match word.to_ascii_lowercase().as_str() {
        "public" => 0,
        "internal" => 5,
        "confidential" => 15,
        _ => 20,
    };
    (format!("the data is {}", text::line(word, 64)), points)
}

fn reach(grants: Option<&Grants>) -> (String, u32) {
    let Some(grants) = grants else {
        return (String::new(), 0);
    };
    if !grants.http.is_empty() {
        return ("the plugin may send requests".to_owned(), 15);
    }
    match !grants.tools.is_empty() || !grants.files.is_empty() {
        true => ("the plugin may use tools or folders".to_owned(), 5),
        false => (String::new(), 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOLLAR: u64 = 1_000_000;

    #[test]
    fn each_part_has_its_points_and_the_sum_has_an_end() {
        let mut tools = Grants::default();
        tools.tools.insert("bank.pay".to_owned());
        let ask = |amount_micros, irreversible, classification: Option<&str>| ApprovalAsk {
            action: "pay invoice".to_owned(),
            arguments: "{}".to_owned(),
            reason: String::new(),
            amount_micros,
            irreversible,
            classification: classification.map(str::to_owned),
        };
        let table = [
            (ask(Some(0), false, Some("public")), None, 0),
            (ask(Some(100 * DOLLAR - 1), false, Some("public")), None, 0),
            (ask(Some(100 * DOLLAR), false, Some("public")), None, 10),
            (ask(Some(1_000 * DOLLAR), false, Some("public")), None, 20),
            (ask(Some(u64::MAX), false, Some("public")), None, 40),
            (ask(None, false, Some("public")), None, 20),
            (ask(Some(0), true, Some("Public")), None, 25),
            (ask(Some(0), false, None), None, 5),
            (ask(Some(0), false, Some("confidential")), None, 15),
            (ask(Some(0), false, Some("\u{202e}public")), None, 20),
            (ask(Some(0), false, Some("public")), Some(&tools), 5),
            (ask(Some(u64::MAX), true, Some("secret")), Some(&tools), 90),
        ];
        for (ask, grants, score) in table {
            let risk = risk(&ask, grants);
            assert_eq!(risk.score, score, "{ask:?}");
            let sum: u32 = risk.because.iter().map(|(_, points)| points).sum();
            assert_eq!(sum, score);
        }
    }
}
