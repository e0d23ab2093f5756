//! Names the endpoint accepts. It wants `[A-Za-z0-9_-]{1,64}`, and a tool here
//! may be called `invoice.find`.

use std::collections::BTreeMap;

use crate::llm::Request;

const LONGEST: usize = 64;

/// The names of one request's tools, ours and the endpoint's.
pub(super) struct WireNames {
    theirs: BTreeMap<String, String>,
    ours: BTreeMap<String, String>,
}

impl WireNames {
    /// The names for a request's tools. Two tools never share one: the later
    /// gets a number.
    pub(super) fn of(request: &Request) -> WireNames {
        let mut names = WireNames {
            theirs: BTreeMap::new(),
            ours: BTreeMap::new(),
        };
        for tool in &request.tools {
            if names.theirs.contains_key(&tool.name) {
                continue;
            }
            let plain = plain(&tool.name);
            let mut wire = plain.clone();
            let mut number = 2_u32;
            while names.ours.contains_key(&wire) {
                let suffix = format!("_{number}");
                wire = plain
                    .chars()
                    .take(LONGEST - suffix.len())
                    .chain(suffix.chars())
                    .collect();
                number += 1;
            }
            names.theirs.insert(tool.name.clone(), wire.clone());
            names.ours.insert(wire, tool.name.clone());
        }
        names
    }

    /// What the endpoint is told. A tool that is no longer offered still stands
    /// in the conversation, so it gets a name as well.
    pub(super) fn theirs(&self, name: &str) -> String {
        let known = self.theirs.get(name).cloned();
        known.unwrap_or_else(|| plain(name))
    }

    /// What the guest is told. A name the model made up stays as it is.
    pub(super) fn ours(&self, name: String) -> String {
        self.ours.get(&name).cloned().unwrap_or(name)
    }
}

/// The text with `_` for what the endpoint does not accept.
pub(super) fn plain(text: &str) -> String {
    let accepted = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let plain: String = text
        .chars()
        .take(LONGEST)
        .map(|c| if accepted(c) { c } else { '_' })
        .collect();
    if plain.is_empty() {
        "_".to_owned()
    } else {
        plain
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::ResponseFormat;
    use crate::tool::{EffectKind, ToolSpec};

    fn names(tools: &[&str]) -> WireNames {
        let spec = |name: &&str| ToolSpec {
            name: (*name).to_owned(),
            description: String::new(),
            input_schema: "{}".into(),
            output_schema: None,
            effect: EffectKind::ReadOnly,
        };
        WireNames::of(&Request {
            model: "m".into(),
            messages: Vec::new(),
            tools: tools.iter().map(spec).collect(),
            response_format: ResponseFormat::Text,
            max_tokens: None,
            temperature: None,
            seed: None,
            stop: Vec::new(),
        })
    }

    #[test]
    fn every_tool_gets_a_name_of_its_own_and_is_found_again_by_it() {
        let long = "x".repeat(70);
        let longer = "x".repeat(71);
        let tools = ["a.b", "a_b", "a b", "a-b", "", &long, &longer];
        let names = names(&tools);
        let wire: Vec<String> = tools.iter().map(|tool| names.theirs(tool)).collect();
        assert_eq!(wire[..5], ["a_b", "a_b_2", "a_b_3", "a-b", "_"]);
        assert_eq!(wire[5], "x".repeat(64));
        assert_eq!(wire[6], format!("{}_2", "x".repeat(62)));
        for (tool, wire) in tools.iter().zip(wire) {
            assert_eq!(names.ours(wire), *tool);
        }
    }

    #[test]
    fn a_name_that_nobody_offered_is_passed_on() {
        let names = names(&["a.b"]);
        assert_eq!(names.ours("made_up".into()), "made_up");
        assert_eq!(names.theirs("gone.tool"), "gone_tool");
    }
}
