//! Reads an invoice record and extracts its fields.
use hotcell_sdk::{Agent, Answer, Failure, Task, llm::Request, prompt::Prompt};
use serde_json::Value;
struct Extractor;
impl Agent for Extractor {
    type Input = Value;
    type Output = Value;
    fn run(task: Task<Value>) -> Result<Answer<Value>, Failure> {
        let a = Request::new("default")
            .user(Prompt::new().data("invoice record", &task.input))
            .json_object()
            .complete_json::<Value>()?;
        Ok(Answer::new(a.value))
    }
}
hotcell_sdk::export!(agent: Extractor);
