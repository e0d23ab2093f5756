//! Faults of content: what an answer says.

use std::collections::BTreeSet;

use serde_json::Value;

use super::draws::Key;
use super::{Call, Fault, FaultModel, alter, schema};
use crate::llm::{Message, Part, Request, ResponseFormat};

/// A part of an answer that is JSON. What was drawn is collected and put into
/// the text at the end, so that a fault that is spared changes no other draw and
/// all places are those of the answer as it came.
struct Target {
    /// Which part.
    part: usize,
    value: Value,
    schema: Option<Value>,
    /// The tool whose arguments these are.
    tool: Option<String>,
    /// Places with a value that was drawn to be wrong, spared ones included.
    /// None is drawn twice: changing a boolean twice would make it right again.
    hit: BTreeSet<String>,
    /// Places that were drawn to be missing, spared ones included.
    gone: BTreeSet<String>,
    /// What becomes of it.
    wrong: Vec<(String, Value)>,
    missing: BTreeSet<String>,
}

impl Target {
    fn choices(&self, pointer: &str) -> Option<&[Value]> {
        self.schema
            .as_ref()
            .and_then(|s| schema::choices(s, pointer))
    }

    /// The text with what became of it; none when nothing did.
    fn spoilt(mut self) -> Option<String> {
        if self.wrong.is_empty() && self.missing.is_empty() {
            return None;
        }
        // From the end, so that taking one out moves none of the others.
        let members = alter::members(&self.value).into_iter().rev();
        for (pointer, wrong) in self.wrong {
            if let Some(place) = self.value.pointer_mut(&pointer) {
                *place = wrong;
            }
        }
        for pointer in members.filter(|pointer| self.missing.contains(pointer)) {
            alter::remove(&mut self.value, &pointer);
        }
        Some(self.value.to_string())
    }
}

/// Draws the faults of content and applies those that fire, one after another.
pub(super) fn spoil(
    answer: &mut Message,
    request: &Request,
    model: &FaultModel,
    key: &Key,
    call: &Call<'_>,
) {
    let form = match &request.response_format {
        ResponseFormat::JsonSchema(schema) => serde_json::from_str(schema).ok(),
        ResponseFormat::Text | ResponseFormat::JsonObject => None,
    };
    let stages = model.stages(form.as_ref());
    let mut targets = targets(answer, request, form.as_ref());
    for (stage, key) in (0..stages).map(|stage| (stage, key.of_stage(stage))) {
        let mut draw = Draw {
            targets: &mut targets,
            key,
            stage,
            call,
        };
        let fires = |key: &Key, fault: Fault, rate| key.fires(fault.name(), model.scaled(rate));
        if fires(&draw.key, Fault::Hallucination, model.hallucination) {
            draw.hallucinate();
        }
        if fires(&draw.key, Fault::Flip, model.flip) {
            draw.flip();
        }
        if fires(&draw.key, Fault::Omission, model.omission) {
            draw.omit();
        }
    }
    // What no fault has touched keeps the bytes the model wrote.
    for target in targets {
        let part = answer.content.get_mut(target.part).and_then(text_of);
        if let (Some(text), Some(spoilt)) = (part, target.spoilt()) {
            *text = spoilt;
        }
    }
    if key.fires(Fault::WrongTool.name(), model.scaled(model.wrong_tool)) {
        mistake(answer, request, key, call);
    }
    if key.fires(
        Fault::MalformedJson.name(),
        model.scaled(model.malformed_json),
    ) {
        malform(answer, key, call);
    }
}

fn text_of(part: &mut Part) -> Option<&mut String> {
    match part {
        Part::Text(text) | Part::Json(text) => Some(text),
        Part::Call(call) => Some(&mut call.arguments),
        Part::CallResult(..) => None,
    }
}

fn targets(answer: &Message, request: &Request, form: Option<&Value>) -> Vec<Target> {
    let mut targets = Vec::new();
    for (part, content) in answer.content.iter().enumerate() {
        let (text, schema, tool) = match content {
            Part::Text(text) | Part::Json(text) => (text, form.cloned(), None),
            Part::Call(call) => {
                let tool = request.tools.iter().find(|tool| tool.name == call.name);
                let schema = tool.and_then(|tool| serde_json::from_str(&tool.input_schema).ok());
                (&call.arguments, schema, Some(call.name.clone()))
            }
            Part::CallResult(..) => continue,
        };
        if let Ok(value) = serde_json::from_str(text) {
            targets.push(Target {
                part,
                value,
                schema,
                tool,
                hit: BTreeSet::new(),
                gone: BTreeSet::new(),
                wrong: Vec::new(),
                missing: BTreeSet::new(),
            });
        }
    }
    targets
}

/// The draws of one stage.
struct Draw<'a> {
    targets: &'a mut [Target],
    key: Key,
    stage: u32,
    call: &'a Call<'a>,
}

impl Draw<'_> {
    /// Places in all targets, and one of them drawn. The stages after the first
    /// are those of the form: asking for a tool is one piece of work, whatever
    /// the answer will stand for in the end.
    fn place(
        &self,
        name: &str,
        places: impl Fn(&Target) -> Vec<String>,
    ) -> Option<(usize, String)> {
        let of = |(index, target)| places(target).into_iter().map(move |p| (index, p));
        let targets = self.targets.iter().enumerate();
        let targets = targets.filter(|(_, target)| self.stage == 0 || target.tool.is_none());
        let mut all: Vec<(usize, String)> = targets.flat_map(of).collect();
        let drawn = self.key.below(name, all.len());
        (drawn < all.len()).then(|| all.swap_remove(drawn))
    }

    fn hallucinate(&mut self) -> Option<()> {
        let places = |target: &Target| {
            let mut places = alter::leaves(&target.value);
            places.retain(|place| !target.hit.contains(place));
            places
        };
        let (index, pointer) = self.place("hallucinated place", places)?;
        let target = self.targets.get(index)?;
        let value = target.value.pointer(&pointer)?;
        let wrong = alter::wrong(value, target.choices(&pointer), &self.key);
        self.set(Fault::Hallucination, index, pointer, wrong)
    }

    /// Changes a boolean or a listed value.
    fn flip(&mut self) -> Option<()> {
        let places = |target: &Target| {
            let mut places = alter::leaves(&target.value);
            places.retain(|place| {
                !target.hit.contains(place) && flipped(target, place, &self.key).is_some()
            });
            places
        };
        let (index, pointer) = self.place("flipped place", places)?;
        let other = flipped(self.targets.get(index)?, &pointer, &self.key)?;
        self.set(Fault::Flip, index, pointer, other)
    }

    fn set(&mut self, fault: Fault, index: usize, pointer: String, value: Value) -> Option<()> {
        let target = self.targets.get_mut(index)?;
        target.hit.insert(pointer.clone());
        let tool = target.tool.clone();
        if self.call.inject(fault, self.stage, tool, pointer.clone()) {
            target.wrong.push((pointer, value));
        }
        Some(())
    }

    fn omit(&mut self) -> Option<()> {
        let places = |target: &Target| {
            let mut places = alter::members(&target.value);
            places.retain(|place| !target.gone.iter().any(|gone| within(place, gone)));
            places
        };
        let (index, pointer) = self.place("omitted place", places)?;
        let target = self.targets.get_mut(index)?;
        target.gone.insert(pointer.clone());
        let (fault, tool) = (Fault::Omission, target.tool.clone());
        if self.call.inject(fault, self.stage, tool, pointer.clone()) {
            target.missing.insert(pointer);
        }
        Some(())
    }
}

fn flipped(target: &Target, pointer: &str, key: &Key) -> Option<Value> {
    let value = target.value.pointer(pointer)?;
    let other = alter::other(value, target.choices(pointer), key);
    other.or_else(|| value.as_bool().map(|flag| Value::Bool(!flag)))
}

/// Whether a place is this one or inside of it.
fn within(place: &str, outer: &str) -> bool {
    let rest = place.strip_prefix(outer);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Replaces the name of one tool that the answer calls.
fn mistake(answer: &mut Message, request: &Request, key: &Key, call: &Call<'_>) -> Option<()> {
    let mistaken = |name: &str| {
        let mut names = alter::like(name);
        names.retain(|name| !call.offers(request, name));
        let drawn = key.below("wrong tool", names.len());
        (drawn < names.len()).then(|| names.swap_remove(drawn))
    };
    let parts = answer.content.iter_mut();
    let mut calls: Vec<(&mut String, String)> = parts
        .filter_map(|part| match part {
            Part::Call(tool) => mistaken(&tool.name).map(|wrong| (&mut tool.name, wrong)),
            Part::Text(_) | Part::Json(_) | Part::CallResult(..) => None,
        })
        .collect();
    let drawn = key.below("mistaken call", calls.len());
    let (name, wrong) = (drawn < calls.len()).then(|| calls.swap_remove(drawn))?;
    if call.inject(Fault::WrongTool, 0, Some(name.clone()), String::new()) {
        *name = wrong;
    }
    Some(())
}

/// Breaks one text. Arguments of tool calls are spared: a real endpoint's client
/// reads them, so an answer with broken ones never gets this far.
fn malform(answer: &mut Message, key: &Key, call: &Call<'_>) -> Option<()> {
    let breakable = |part: &mut Part| match part {
        Part::Text(text) | Part::Json(text) => {
            let json = serde_json::from_str::<Value>(text).is_ok();
            alter::broken(text, key).filter(|_| json)
        }
        Part::Call(_) | Part::CallResult(..) => None,
    };
    let parts = answer.content.iter_mut();
    let mut broken: Vec<(usize, String)> = parts
        .enumerate()
        .filter_map(|(part, content)| Some((part, breakable(content)?)))
        .collect();
    let drawn = key.below("broken part", broken.len());
    let (part, text) = (drawn < broken.len()).then(|| broken.swap_remove(drawn))?;
    if call.inject(Fault::MalformedJson, 0, None, String::new()) {
        *answer.content.get_mut(part).and_then(text_of)? = text;
    }
    Some(())
}
