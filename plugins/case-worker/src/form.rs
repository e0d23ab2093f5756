//! Forms that a model fills in: a small part of JSON Schema, held against answers
//! here, because an answer goes to the next stage as it is.
//!
//! Understood are `type` (one or a list), `enum`, `required`, `properties`,
//! `additionalProperties: false`, `items` and `minItems`; a test sees to it that no
//! form uses anything else that would have to be checked.

use std::fmt;

use hotcell_sdk::Failure;
use serde_json::{Map, Value};

/// A form.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    schema: Map<String, Value>,
    /// Whether answers are held against it.
    binding: bool,
}

impl Form {
    /// Reads one of this plugin's own forms.
    pub(crate) fn read(text: &str) -> Result<Form, Failure> {
        let form = serde_json::from_str(text);
        form.map(|schema| Form {
            schema,
            binding: true,
        })
        .map_err(|error| Failure::permanent(format!("a form is broken: {error}")))
    }

    /// The same form under this title.
    pub(crate) fn titled(mut self, title: &str) -> Form {
        self.schema.insert("title".to_owned(), title.into());
        self
    }

    /// The same form, held against answers or not.
    pub(crate) fn binding(self, binding: bool) -> Form {
        Form { binding, ..self }
    }

    /// What is wrong with an answer first, in words for the model.
    pub(crate) fn check(&self, value: &Value) -> Result<(), String> {
        match self.binding {
            true => fits(&self.schema, value, ""),
            false => Ok(()),
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match serde_json::to_string(&self.schema) {
            Ok(text) => to.write_str(&text),
            Err(_) => Err(fmt::Error),
        }
    }
}

fn fits(form: &Map<String, Value>, value: &Value, at: &str) -> Result<(), String> {
    let place = if at.is_empty() { "the answer" } else { at };
    let types: Vec<&str> = match form.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !types.is_empty() && !types.iter().any(|name| is(name, value)) {
        return Err(format!("{place} is not of type {}", types.join(" or ")));
    }
    if let Some(Value::Array(choices)) = form.get("enum")
        && !choices.contains(value)
    {
        let choices: Vec<String> = choices.iter().map(Value::to_string).collect();
        return Err(format!("{place} is none of {}", choices.join(", ")));
    }
    if let Value::Object(object) = value {
        let properties = form.get("properties").and_then(Value::as_object);
        for name in form
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let name = name.as_str().unwrap_or_default();
            if !object.contains_key(name) {
                return Err(format!("{at}/{name} is missing"));
            }
        }
        for (name, value) in object {
            match properties
                .and_then(|all| all.get(name))
                .and_then(Value::as_object)
            {
                Some(form) => fits(form, value, &format!("{at}/{name}"))?,
                None if form.get("additionalProperties") == Some(&Value::Bool(false)) => {
                    return Err(format!("{at}/{name} is not in the form"));
                }
                None => {}
            }
        }
    }
    if let Value::Array(items) = value {
        let least = form.get("minItems").and_then(Value::as_u64).unwrap_or(0);
        if (items.len() as u64) < least {
            return Err(format!("{place} has fewer than {least} items"));
        }
        if let Some(form) = form.get("items").and_then(Value::as_object) {
            for (number, item) in items.iter().enumerate() {
                fits(form, item, &format!("{at}/{number}"))?;
            }
        }
    }
    Ok(())
}

fn is(name: &str, value: &Value) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => false,
    }
}
