//! Solves the tasks of the examples by rule, from what the request shows and nothing
//! else. It stands in for a language model where none is at hand, and its
//! answers are the right ones.
//!
//! It refuses every other task: a stand-in that made something up would be
//! worse than none.

mod approval;
mod case;
mod conversation;
mod decision;
mod extraction;
mod fraud;
mod invoice;
mod reconcile;

use hotcell_sdk::llm::{Error, Part, Request, Response, ResponseFormat, Usage};
use hotcell_sdk::{Model, ToolCall};
use serde_json::{Map, Value};

use decision::Step;

const NAME: &str = "reference-solver";

struct ReferenceSolver;

impl Model for ReferenceSolver {
    fn complete(request: Request) -> Result<Response, Error> {
        let response = match title(&request).as_deref() {
            Some("invoice-extraction") => {
                let (record, blocks) = record_in(&request, "invoice_id")?;
                Response::of_json(NAME, &extraction::solve(&record, &blocks))?
            }
            Some("invoice-decision") => decide(&request)?,
            Some("reconciliation-matches") => reconcile(&request)?,
            Some("request-registration") => {
                let (request, _) = record_in(&request, "justification")?;
                Response::of_json(NAME, &approval::register(&request))?
            }
            Some("purchase-review") => review(&request)?,
            title => {
                let job = title.and_then(case::Job::titled);
                match (job, title.and_then(fraud::Task::titled)) {
                    (Some(job), _) => work_on_case(&request, &job)?,
                    (None, Some(task)) => look_at_payment(&request, task)?,
                    (None, None) => return Err(unknown(title)),
                }
            }
        };
        let usage = Usage {
            input_tokens: tokens(request_texts(&request)),
            output_tokens: tokens(response.message.content.iter().flat_map(part_texts)),
            ..Usage::default()
        };
        Ok(response.usage(usage))
    }
}

hotcell_sdk::export!(model: ReferenceSolver);

/// The title of the schema the answer shall meet.
fn title(request: &Request) -> Option<String> {
    let ResponseFormat::JsonSchema(schema) = &request.response_format else {
        return None;
    };
    let schema: Value = schema.parse().ok()?;
    Some(schema.get("title")?.as_str()?.to_owned())
}

/// The record that the request shows, by the field that every one of its kind
/// has, and what is shown beside it.
fn record_in(request: &Request, id: &str) -> Result<(Map<String, Value>, Vec<Value>), Error> {
    conversation::record(request, id).ok_or_else(|| {
        Error::Invalid(format!(
            "no user message shows a JSON object with the field `{id}`"
        ))
    })
}

fn unknown(title: Option<&str>) -> Error {
    let found = title.map_or("none".to_owned(), |title| format!("`{title}`"));
    Error::Invalid(format!(
        "the response schema's title must be that of a task of the examples; it is {found}"
    ))
}

fn look_at_payment(request: &Request, task: fraud::Task) -> Result<Response, Error> {
    let (payment, _) = record_in(request, "transaction_id")?;
    let form = fraud::solve(task, &payment)
        .map_err(|field| Error::Invalid(format!("the payment has no usable `{field}`")))?;
    Response::of_json(NAME, &form)
}

fn work_on_case(request: &Request, job: &case::Job<'_>) -> Result<Response, Error> {
    let blocks = conversation::objects(request);
    let answers = conversation::tool_answers(request);
    let step = job.solve(&blocks, &answers);
    match step.map_err(|what| Error::Invalid(format!("the case has no usable `{what}`")))? {
        case::Step::Done(form) => Response::of_json(NAME, &form),
        case::Step::Ask(wishes) => ask(request, wishes),
    }
}

fn reconcile(request: &Request) -> Result<Response, Error> {
    let (record, blocks) = record_in(request, "reconciliation_id")?;
    let form = reconcile::solve(&record, &blocks)
        .map_err(|what| Error::Invalid(format!("no user message shows {what}")))?;
    Response::of_json(NAME, &form)
}

fn review(request: &Request) -> Result<Response, Error> {
    let (record, blocks) = record_in(request, "request_id")?;
    let form = approval::review(&record, &blocks)
        .map_err(|what| Error::Invalid(format!("no user message shows {what}")))?;
    Response::of_json(NAME, &form)
}

fn decide(request: &Request) -> Result<Response, Error> {
    let (extraction, _) = record_in(request, "invoice_id")?;
    let answers = conversation::tool_answers(request);
    let step = decision::solve(&extraction, &answers)
        .map_err(|tool| Error::Invalid(format!("the answer of `{tool}` is no use")))?;
    match step {
        Step::Decide(decision) => Response::of_json(NAME, &decision),
        Step::Ask(wishes) => ask(request, wishes),
    }
}

/// Asks tools, by name and arguments.
fn ask(request: &Request, wishes: Vec<(&'static str, Value)>) -> Result<Response, Error> {
    let mut calls = Vec::new();
    for (name, arguments) in wishes {
        if request.tools.iter().all(|tool| tool.name != name) {
            return Err(Error::Invalid(format!("the task needs the tool `{name}`")));
        }
        let id = format!("{NAME}-{}", calls.len() + 1);
        calls.push(ToolCall {
            id,
            name: name.to_owned(),
            arguments: arguments.to_string(),
        });
    }
    Ok(Response::of_calls(NAME, calls))
}

/// One token for four characters, rounded up.
fn tokens<'a>(texts: impl Iterator<Item = &'a str>) -> u64 {
    let characters: usize = texts.map(|text| text.chars().count()).sum();
    u64::try_from(characters.div_ceil(4)).unwrap_or(u64::MAX)
}

/// All text a model would have to read: messages, tools, schema.
fn request_texts(request: &Request) -> impl Iterator<Item = &str> {
    let messages = request.messages.iter().flat_map(|message| &message.content);
    let tools = request
        .tools
        .iter()
        .flat_map(|tool| [&tool.name, &tool.description, &tool.input_schema]);
    let schema = match &request.response_format {
        ResponseFormat::JsonSchema(schema) => Some(schema.as_str()),
        ResponseFormat::Text | ResponseFormat::JsonObject => None,
    };
    messages
        .flat_map(part_texts)
        .chain(tools.map(String::as_str))
        .chain(schema)
}

fn part_texts(part: &Part) -> impl Iterator<Item = &str> {
    let (one, other) = match part {
        Part::Text(text) | Part::Json(text) => (text.as_str(), ""),
        Part::Call(call) => (call.name.as_str(), call.arguments.as_str()),
        Part::CallResult { content, .. } => (content.as_str(), ""),
    };
    [one, other].into_iter()
}

#[cfg(test)]
mod tests {
    use hotcell_sdk::llm::{FinishReason, Message, Role};
    use hotcell_sdk::prompt::Prompt;
    use hotcell_sdk::{Effect, ToolSpec};
    use serde_json::json;

    use super::*;

    fn invoice() -> Value {
        json!({
            "invoice_id": "INV-2024-002", "vendor": "Acme", "amount": 700.0,
            "date": "2024-03-05", "status": "paid",
            "line_items": [{ "description": "Ink", "quantity": 7, "unit_price": 100.0 }],
        })
    }

    fn request(title: &str) -> Request {
        Request::new("default")
            .system("Rules.")
            .user(Prompt::new().data("invoice", &invoice()))
            .json_schema(json!({ "title": title }))
    }

    fn tool(name: &str) -> ToolSpec {
        ToolSpec {
            name: name.into(),
            description: "Finds.".into(),
            input_schema: "{}".into(),
            output_schema: None,
            effect: Effect::ReadOnly,
        }
    }

    #[test]
    fn an_extraction_is_the_record_with_doubts() {
        let response = ReferenceSolver::complete(request("invoice-extraction")).unwrap();
        let mut expected = invoice();
        expected["doubts"] = json!([]);
        assert_eq!(response.json::<Value>(), Ok(expected));
        assert_eq!(response.finish, FinishReason::Stop);
        assert_eq!(response.model, "reference-solver");
    }

    #[test]
    fn a_decision_takes_a_round_of_tools() {
        let request =
            request("invoice-decision").tools([tool("vendor.find"), tool("invoice.find")]);
        let response = ReferenceSolver::complete(request.clone()).unwrap();
        assert_eq!(response.finish, FinishReason::ToolCalls);
        let calls = response.calls();
        let names: Vec<_> = calls.iter().map(|call| &*call.name).collect();
        assert_eq!(names, ["vendor.find", "invoice.find"]);
        assert_ne!(calls[0].id, calls[1].id);

        let contents = [
            json!({ "known": true, "name": "Acme", "nearest": [] }),
            json!({ "invoices": ["INV-2024-001", "INV-2024-002"] }),
        ];
        let results = calls
            .iter()
            .zip(contents)
            .map(|(call, content)| Part::CallResult {
                id: call.id.clone(),
                content: content.to_string(),
            });
        let results = Message {
            role: Role::Tool,
            content: results.collect(),
        };
        let request = request
            .message(response.message)
            .message(results)
            .user("Answer now.");
        let response = ReferenceSolver::complete(request).unwrap();
        let expected = json!({
            "is_valid": false, "reason": "duplicate_invoice", "correct_vendor": "Acme",
            "approval_route": "manager",
        });
        assert_eq!(response.json::<Value>(), Ok(expected));
    }

    #[test]
    fn what_it_cannot_solve_it_refuses_and_says_why() {
        let titled = |title: &str| json!({ "title": title });
        for (request, why) in [
            (
                request("poem"),
                "the response schema's title must be that of a task of the examples; it is `poem`",
            ),
            (
                Request::new("m").user("Hi."),
                "the response schema's title must be that of a task of the examples; it is none",
            ),
            (
                Request::new("m")
                    .user("Hi.")
                    .json_schema(titled("invoice-extraction")),
                "no user message shows a JSON object with the field `invoice_id`",
            ),
            (
                request("fraud-plan"),
                "no user message shows a JSON object with the field `transaction_id`",
            ),
            (
                Request::new("m")
                    .user(Prompt::new().json(&json!({ "transaction_id": "TXN-1" })))
                    .json_schema(titled("transaction-analysis")),
                "the payment has no usable `transaction_count_24h`",
            ),
            (
                request("invoice-decision"),
                "the task needs the tool `vendor.find`",
            ),
        ] {
            assert_eq!(
                ReferenceSolver::complete(request),
                Err(Error::Invalid(why.into()))
            );
        }
    }

    #[test]
    fn four_characters_are_one_token_and_a_rest_is_one_more() {
        let count = |texts: &[&str]| tokens(texts.iter().copied());
        assert_eq!(count(&[]), 0);
        assert_eq!(count(&["abcd"]), 1);
        assert_eq!(count(&["abc", "de"]), 2);
        assert_eq!(count(&["äöüß"]), 1);
        let request = Request::new("m")
            .system("12345678")
            .json_schema("1234")
            .tools([tool("a.b")]);
        // 8 + 4 for the messages and the schema; 3 + 6 + 2 for the tool.
        assert_eq!(tokens(request_texts(&request)), 6);
    }
}
