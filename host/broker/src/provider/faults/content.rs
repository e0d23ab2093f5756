//! Faults of content: what an answer says.

use serde_json::Value;

use super::draws::Key;
use super::{Call, Fault, FaultModel, alter, schema};
use crate::llm::{Message, Part, Request, ResponseFormat};

/// A part of an answer that is JSON.
struct Target {
    /// Which part.
    part: usize,
    value: Value,
    schema: Option<Value>,
    /// The tool whose arguments these are.
    tool: Option<String>,
    changed: bool,
}

impl Target {
    fn choices(&self, pointer: &str) -> Option<&[Value]> {
        self.schema
            .as_ref()
            .and_then(|s| schema::choices(s, pointer))
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
    let mut targets = targets(answer, request);
    let fires = |fault: Fault, rate| key.fires(fault.name(), rate);
    let mut hallucinated = None;
    if fires(Fault::Hallucination, model.hallucination) {
        hallucinated = hallucinate(&mut targets, key, call);
    }
    if fires(Fault::Flip, model.flip) {
        flip(&mut targets, key, call, hallucinated.as_ref());
    }
    if fires(Fault::Omission, model.omission) {
        omit(&mut targets, key, call);
    }
    // What no fault has touched keeps the bytes the model wrote.
    for target in targets.into_iter().filter(|target| target.changed) {
        if let Some(text) = answer.content.get_mut(target.part).and_then(text_of) {
            *text = target.value.to_string();
        }
    }
    if fires(Fault::MalformedJson, model.malformed_json) {
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

fn targets(answer: &Message, request: &Request) -> Vec<Target> {
    let format = match &request.response_format {
        ResponseFormat::JsonSchema(schema) => serde_json::from_str(schema).ok(),
        ResponseFormat::Text | ResponseFormat::JsonObject => None,
    };
    let mut targets = Vec::new();
    for (part, content) in answer.content.iter().enumerate() {
        let (text, schema, tool) = match content {
            Part::Text(text) | Part::Json(text) => (text, format.clone(), None),
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
                changed: false,
            });
        }
    }
    targets
}

/// Places in all targets, and one of them drawn.
fn draw(
    targets: &[Target],
    key: &Key,
    name: &str,
    places: impl Fn(&Target) -> Vec<String>,
) -> Option<(usize, String)> {
    let of = |(index, target)| places(target).into_iter().map(move |p| (index, p));
    let mut all: Vec<(usize, String)> = targets.iter().enumerate().flat_map(of).collect();
    let drawn = key.below(name, all.len());
    (drawn < all.len()).then(|| all.swap_remove(drawn))
}

fn hallucinate(targets: &mut [Target], key: &Key, call: &Call<'_>) -> Option<(usize, String)> {
    let places = |target: &Target| alter::leaves(&target.value);
    let (index, pointer) = draw(targets, key, "hallucinated place", places)?;
    let target = targets.get_mut(index)?;
    let wrong = alter::wrong(
        target.value.pointer(&pointer)?,
        target.choices(&pointer),
        key,
    );
    set(target, &pointer, wrong);
    call.injected(Fault::Hallucination, target.tool.clone(), pointer.clone());
    Some((index, pointer))
}

/// Changes a boolean or a listed value. Not the one just hallucinated: changing
/// a boolean twice would make the answer right again.
fn flip(
    targets: &mut [Target],
    key: &Key,
    call: &Call<'_>,
    hallucinated: Option<&(usize, String)>,
) -> Option<()> {
    let taken = hallucinated.and_then(|(index, pointer)| {
        let target: &Target = targets.get(*index)?;
        Some((target.part, pointer.as_str()))
    });
    let places = |target: &Target| {
        let mut places = alter::leaves(&target.value);
        places.retain(|place| {
            Some((target.part, place.as_str())) != taken && flipped(target, place, key).is_some()
        });
        places
    };
    let (index, pointer) = draw(targets, key, "flipped place", places)?;
    let target = targets.get_mut(index)?;
    let value = flipped(target, &pointer, key)?;
    set(target, &pointer, value);
    call.injected(Fault::Flip, target.tool.clone(), pointer);
    Some(())
}

fn flipped(target: &Target, pointer: &str, key: &Key) -> Option<Value> {
    let value = target.value.pointer(pointer)?;
    let other = alter::other(value, target.choices(pointer), key);
    other.or_else(|| value.as_bool().map(|flag| Value::Bool(!flag)))
}

fn omit(targets: &mut [Target], key: &Key, call: &Call<'_>) -> Option<()> {
    let places = |target: &Target| alter::members(&target.value);
    let (index, pointer) = draw(targets, key, "omitted place", places)?;
    let target = targets.get_mut(index)?;
    alter::remove(&mut target.value, &pointer);
    target.changed = true;
    call.injected(Fault::Omission, target.tool.clone(), pointer);
    Some(())
}

fn set(target: &mut Target, pointer: &str, value: Value) {
    if let Some(place) = target.value.pointer_mut(pointer) {
        *place = value;
        target.changed = true;
    }
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
    *answer.content.get_mut(part).and_then(text_of)? = text;
    call.injected(Fault::MalformedJson, None, String::new());
    Some(())
}
