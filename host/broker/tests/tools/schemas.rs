//! Schemas and names, whoever offers the tool.

use std::sync::Arc;

use async_trait::async_trait;
use hotcell_broker::tool::{EffectKind, ToolCall, ToolError, ToolOutput, ToolProvider, ToolSpec};
use hotcell_broker::{Broker, Caller, Parts};
use serde_json::json;

use crate::{call, offering};

/// Says what it is told to.
struct Parrot(Vec<ToolSpec>);

#[async_trait]
impl ToolProvider for Parrot {
    fn specs(&self) -> &[ToolSpec] {
        &self.0
    }

    async fn call(&self, _: &Broker, _: &Caller, call: &ToolCall) -> Result<ToolOutput, ToolError> {
        let arguments: serde_json::Value = call.arguments.parse().unwrap();
        Ok(ToolOutput {
            content: arguments["say"].as_str().unwrap_or_default().to_owned(),
            is_error: arguments["fail"] == true,
        })
    }
}

fn spec(name: &str, input: serde_json::Value, output: Option<serde_json::Value>) -> ToolSpec {
    ToolSpec {
        name: name.to_owned(),
        description: String::new(),
        input_schema: input.to_string(),
        output_schema: output.map(|it| it.to_string()),
        effect: EffectKind::ReadOnly,
    }
}

#[tokio::test]
async fn arguments_and_content_are_held_to_the_schemas() {
    let input = json!({"type": "object", "required": ["say"]});
    let output = json!({"type": "array", "items": {"type": "integer"}});
    let parrot = offering(Parrot(vec![spec("p.say", input, Some(output))]));
    let table = [
        (json!({"say": "[1, 2]"}), "ok"),
        (json!({"say": "[1, \"2\"]"}), "failed"),
        (json!({"say": "none"}), "failed"),
        (json!({"say": "none", "fail": true}), "ok"),
        (json!({}), "invalid-arguments"),
        (json!([]), "invalid-arguments"),
    ];
    for (arguments, expected) in table {
        let told = call(&parrot, "p.say", arguments.clone()).await;
        let code = told.as_ref().map_or_else(ToolError::code, |_| "ok");
        assert_eq!(code, expected, "{arguments} {told:?}");
    }
    let told = call(&parrot, "p.say", json!({"say": "[1, \"2\"]"})).await;
    assert!(told.unwrap_err().to_string().contains("at `/1`"));
}

#[test]
fn tools_that_cannot_be_told_apart_or_checked_are_refused() {
    let any = || json!({});
    let remote = json!({"$ref": "http://169.254.169.254/"});
    let bomb = json!({"$ref": "#"});
    let table = [
        (vec![("a.b", any()), ("a.b", any())], "tool.duplicate"),
        (
            vec![("admin.delete", any()), ("admin-delete", any())],
            "tool.look_alike",
        ),
        (
            vec![("pay.all", any()), ("pay.a1l", any())],
            "tool.look_alike",
        ),
        (vec![("a.b", remote)], "schema.remote_ref"),
        (vec![("a.b", bomb)], "schema.loop"),
        (vec![("a.b", json!([]))], "schema.invalid"),
    ];
    for (tools, expected) in table {
        let specs = tools
            .into_iter()
            .map(|(name, input)| spec(name, input, None));
        let provider: Arc<dyn ToolProvider> = Arc::new(Parrot(specs.collect()));
        let parts = Parts {
            tools: vec![provider],
            ..Parts::default()
        };
        let refused = Broker::assemble(parts).err().unwrap();
        assert_eq!(refused.code(), expected, "{refused}");
    }
}
