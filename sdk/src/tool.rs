//! The plugin kind that offers functions to agents and models, and the terms
//! in which tools are described, called and answered.
//!
//! A tool is a list of [`Function`]s. Arguments that do not parse never reach a
//! function: the model that wrote them is told what is wrong.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Failure;

/// Offers functions that agents and models can call.
pub trait Tool {
    /// What is offered. Asked at every call; must depend on nothing but the
    /// configuration.
    fn functions() -> Vec<Function>;
}

/// What a crash between call and result means for the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effect {
    /// Changes nothing: the host may repeat it.
    ReadOnly,
    /// May be repeated with the same call id.
    Idempotent,
    /// Must not be repeated without asking a human.
    #[default]
    UnsafeToRepeat,
}

/// What a tool offers, in the terms a model understands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolSpec {
    /// Lower-case words joined by `.`, `_` or `-`: `invoice.find`.
    pub name: String,
    /// One or two sentences for the model.
    pub description: String,
    /// JSON Schema of the arguments, as text.
    pub input_schema: String,
    /// JSON Schema of the content, as text, where the tool promises one.
    pub output_schema: Option<String>,
    /// What may be done after a crash.
    pub effect: Effect,
}

/// One call of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    /// Chosen by the caller, unique within the attempt; the idempotency key.
    pub id: String,
    /// A name from the specs.
    pub name: String,
    /// A JSON object that meets the input schema, as text. A model may have
    /// written it, so it may be neither.
    pub arguments: String,
}

/// What a tool answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolOutput {
    /// Any JSON value, as text.
    pub content: String,
    /// True when the tool understood the call and could not do it; the content
    /// then says why, in words for the model.
    pub is_error: bool,
}

impl ToolOutput {
    /// An answer.
    pub fn of(value: &impl Serialize) -> Result<ToolOutput, Failure> {
        let content = serde_json::to_string(value)
            .map_err(|e| Failure::permanent(format!("the tool's output is no JSON: {e}")))?;
        Ok(ToolOutput {
            content,
            is_error: false,
        })
    }

    /// Why the tool could not do it, in words for the model.
    pub fn error(message: impl fmt::Display) -> ToolOutput {
        ToolOutput {
            content: serde_json::Value::String(message.to_string()).to_string(),
            is_error: true,
        }
    }

    /// The content as a typed value.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_str(&self.content)
            .map_err(|e| Failure::permanent(format!("the tool answered something else: {e}")))
    }
}

/// A call whose arguments have been read.
#[derive(Clone, Debug)]
pub struct Call<A> {
    /// Unique within the attempt; the idempotency key.
    pub id: String,
    /// The arguments.
    pub arguments: A,
}

type Body = Box<dyn Fn(ToolCall) -> Result<ToolOutput, Failure>>;

/// A function that a tool offers: its description and its body.
pub struct Function {
    spec: ToolSpec,
    body: Body,
}

impl Function {
    /// A function. `input_schema` is a JSON Schema as text or as a
    /// [`serde_json::Value`]; what meets it should parse into `A`.
    ///
    /// A body that returns [`Failure::InvalidInput`] answers the model with
    /// that text, so that it can call again with better arguments. Every other
    /// failure ends the call.
    ///
    /// ```
    /// use hotcell_sdk::{Call, Effect, Failure, Function};
    /// use serde_json::json;
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Half {
    ///     of: i64,
    /// }
    ///
    /// fn half(call: Call<Half>) -> Result<i64, Failure> {
    ///     match call.arguments.of {
    ///         odd if odd % 2 != 0 => Err(Failure::invalid_input("`of` is odd")),
    ///         even => Ok(even / 2),
    ///     }
    /// }
    ///
    /// let schema = json!({
    ///     "type": "object",
    ///     "properties": { "of": { "type": "integer" } },
    ///     "required": ["of"],
    /// });
    /// let function = Function::new("half", "Halves an even number.", schema, half)
    ///     .effect(Effect::ReadOnly);
    /// assert_eq!(function.spec().name, "half");
    /// ```
    pub fn new<A, R, F>(
        name: impl Into<String>,
        description: impl Into<String>,
        input_schema: impl fmt::Display,
        body: F,
    ) -> Function
    where
        A: DeserializeOwned,
        R: Serialize,
        F: Fn(Call<A>) -> Result<R, Failure> + 'static,
    {
        Function {
            spec: ToolSpec {
                name: name.into(),
                description: description.into(),
                input_schema: input_schema.to_string(),
                output_schema: None,
                effect: Effect::default(),
            },
            body: Box::new(move |call| answer(call, &body)),
        }
    }

    /// What the content will look like: a JSON Schema.
    pub fn output_schema(mut self, schema: impl fmt::Display) -> Function {
        self.spec.output_schema = Some(schema.to_string());
        self
    }

    /// What may be done after a crash. [`Effect::UnsafeToRepeat`] unless it is
    /// said.
    pub fn effect(mut self, effect: Effect) -> Function {
        self.spec.effect = effect;
        self
    }

    /// How the function is described.
    pub fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    pub(crate) fn call(&self, call: ToolCall) -> Result<ToolOutput, Failure> {
        (self.body)(call)
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Function").field(&self.spec).finish()
    }
}

fn answer<A: DeserializeOwned, R: Serialize>(
    call: ToolCall,
    body: &dyn Fn(Call<A>) -> Result<R, Failure>,
) -> Result<ToolOutput, Failure> {
    let arguments = match serde_json::from_str(&call.arguments) {
        Ok(arguments) => arguments,
        Err(e) => return Ok(ToolOutput::error(format!("bad arguments: {e}"))),
    };
    match body(Call {
        id: call.id,
        arguments,
    }) {
        Ok(value) => ToolOutput::of(&value),
        Err(Failure::InvalidInput(text)) => Ok(ToolOutput::error(text)),
        Err(failure) => Err(failure),
    }
}

/// Calls one of a tool's functions, as the host does. For tests; an agent calls
/// other plugins' tools through [`crate::tools`].
pub fn dispatch<T: Tool>(call: ToolCall) -> Result<ToolOutput, Failure> {
    match T::functions()
        .into_iter()
        .find(|f| f.spec.name == call.name)
    {
        Some(function) => function.call(call),
        None => Ok(ToolOutput::error(format!(
            "no function is called `{}`",
            call.name
        ))),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Deserialize)]
    struct Name {
        name: String,
    }

    struct Greeter;

    impl Tool for Greeter {
        fn functions() -> Vec<Function> {
            vec![Function::new(
                "greet",
                "Greets.",
                json!({"type": "object"}),
                |call: Call<Name>| match call.arguments.name.as_str() {
                    "" => Err(Failure::invalid_input("`name` is empty")),
                    "Mallory" => Err(Failure::refused("not her")),
                    name => Ok(json!({ "greeting": format!("hello {name}"), "id": call.id })),
                },
            )]
        }
    }

    fn call(name: &str, arguments: &str) -> Result<ToolOutput, Failure> {
        dispatch::<Greeter>(ToolCall {
            id: "1".into(),
            name: name.into(),
            arguments: arguments.into(),
        })
    }

    #[test]
    fn a_function_gets_typed_arguments_and_answers_json() {
        let output = call("greet", r#"{"name":"Ada"}"#).unwrap();
        assert_eq!(output.content, r#"{"greeting":"hello Ada","id":"1"}"#);
        assert!(!output.is_error);
    }

    #[test]
    fn what_the_model_can_mend_is_told_to_the_model() {
        for (name, arguments, told) in [
            ("greet", "{}", "\"bad arguments: missing field `name`"),
            ("greet", "{", "\"bad arguments: EOF"),
            ("greet", r#"{"name":""}"#, "\"`name` is empty\""),
            ("wave", "{}", "\"no function is called `wave`\""),
        ] {
            let output = call(name, arguments).unwrap();
            assert!(output.is_error, "{name} {arguments}");
            assert!(output.content.starts_with(told), "{}", output.content);
        }
    }

    #[test]
    fn what_the_model_cannot_mend_ends_the_call() {
        let refused = call("greet", r#"{"name":"Mallory"}"#);
        assert_eq!(refused, Err(Failure::refused("not her")));
    }

    #[test]
    fn a_function_is_unsafe_to_repeat_unless_it_says_otherwise() {
        assert_eq!(
            Greeter::functions()[0].spec().effect,
            Effect::UnsafeToRepeat
        );
    }
}
