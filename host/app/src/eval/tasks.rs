//! The tasks: one JSON object a line, the input and what is right. Pure but for
//! reading the file.
//!
//! The file is anybody's. It is bounded before it is read, and whatever is wrong
//! with it is told by line, as much of it at once as a person reads.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use hotcell_broker::text;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::manifest::problem::{Problem, Problems};

/// The largest file: 64 MiB.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// The longest line: 1 MiB.
const MAX_LINE: usize = 1024 * 1024;

/// The most tasks.
const MAX_TASKS: usize = 100_000;

/// The longest name of a task or a set, in bytes.
const MAX_NAME: usize = 200;

/// So many problems are told at once.
const TOLD: usize = 10;

/// The longest text of the file in a message.
const SHOWN: usize = 160;

const SHAPE: &str = "each line is one task: `{\"id\": \"…\", \"input\": {…}, \"gold\": {…}, \"set\": \"…\"}`, \
     `id` and `set` if you like";

/// The set of tasks that name none.
pub(super) const SET: &str = "tasks";

/// One task.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Task {
    /// Where it stands, from 1.
    pub(super) line: usize,
    /// Its name, unlike any other's.
    pub(super) id: String,
    /// What kind of task it is.
    pub(super) set: String,
    /// What a workflow is given. An object.
    pub(super) input: Value,
    /// What is right.
    pub(super) gold: Map<String, Value>,
}

/// A line as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(default)]
    id: Option<Value>,
    input: Value,
    gold: Value,
    #[serde(default)]
    set: Option<Value>,
}

/// What is wrong with a file of tasks, by line.
pub(super) struct Wrong {
    file: String,
    list: Vec<(usize, String)>,
    more: usize,
}

impl Wrong {
    pub(super) fn new(file: &Path) -> Wrong {
        Wrong {
            file: file.display().to_string(),
            list: Vec::new(),
            more: 0,
        }
    }

    /// Notes what is wrong with a line.
    pub(super) fn line(&mut self, line: usize, what: impl Into<String>) {
        match self.list.len() < TOLD {
            true => self.list.push((line, what.into())),
            false => self.more += 1,
        }
    }

    /// Everything that was noted, if anything was.
    pub(super) fn end(self, help: &str) -> Result<(), Problems> {
        if self.list.is_empty() {
            return Ok(());
        }
        let mut problems = Problems::default();
        for (line, what) in self.list {
            let message = format!("`{}`, line {line}: {what}", self.file);
            problems.push(Problem::new(message).help(help));
        }
        if self.more > 0 {
            let message = format!("`{}`: {} more lines are wrong", self.file, self.more);
            problems.push(Problem::new(message));
        }
        Err(problems)
    }
}

/// Reads the bytes of a file of tasks, never more than it may have.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    let shown = path.display();
    let mut bytes = Vec::new();
    let limit = MAX_BYTES as u64 + 1;
    let read = File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes));
    match read {
        Err(error) => {
            let problem = Problem::new(format!("cannot read `{shown}`: {error}"));
            Err(problem.help("name a readable file of tasks"))
        }
        Ok(_) if bytes.len() > MAX_BYTES => {
            let problem = Problem::new(format!("`{shown}` has more than {MAX_BYTES} bytes"));
            Err(problem.help("part it into several files"))
        }
        Ok(_) => Ok(bytes),
    }
}

/// The tasks of a file's bytes, in its order; the first so many if that is asked.
pub(super) fn tasks(
    path: &Path,
    bytes: &[u8],
    limit: Option<usize>,
) -> Result<Vec<Task>, Problems> {
    let mut wrong = Wrong::new(path);
    let mut tasks = Vec::new();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        if tasks.len() >= MAX_TASKS.min(limit.unwrap_or(MAX_TASKS)) {
            if limit.is_none_or(|limit| limit > MAX_TASKS) {
                wrong.line(number, format!("there are more than {MAX_TASKS} tasks"));
            }
            break;
        }
        match task(number, line) {
            Err(what) => wrong.line(number, what),
            Ok(task) => match seen.insert(task.id.clone(), number) {
                None => tasks.push(task),
                Some(first) => {
                    let id = text::line(&task.id, SHOWN);
                    wrong.line(number, format!("line {first} has the same id, `{id}`"));
                }
            },
        }
    }
    wrong.end(SHAPE)?;
    if tasks.is_empty() {
        let problem = Problem::new(format!("`{}` holds no tasks", path.display()));
        return Err(problem.help(SHAPE).into());
    }
    Ok(tasks)
}

fn task(number: usize, line: &[u8]) -> Result<Task, String> {
    if line.len() > MAX_LINE {
        return Err(format!("it has {} bytes, and at most 1 MiB", line.len()));
    }
    // Read as a struct, a list would do as well.
    if line.first() != Some(&b'{') {
        return Err("it is not an object".to_owned());
    }
    let line: Line = serde_json::from_slice(line).map_err(|error| {
        // It has read a single line, and says so.
        let why = error.to_string();
        let why = why.split(" at line ").next().unwrap_or_default();
        format!(
            "{}, in column {}",
            text::line(why, SHOWN),
            error.column().max(1)
        )
    })?;
    let gold = match line.gold {
        Value::Object(gold) if gold.is_empty() => {
            return Err("its `gold` is empty, so that nothing can be compared".to_owned());
        }
        Value::Object(gold) => gold,
        other => return Err(format!("its `gold` is {}, not an object", kind(&other))),
    };
    if !line.input.is_object() {
        let kind = kind(&line.input);
        return Err(format!("its `input` is {kind}, not an object"));
    }
    Ok(Task {
        line: number,
        id: name("id", line.id)?.unwrap_or_else(|| number.to_string()),
        set: name("set", line.set)?.unwrap_or_else(|| SET.to_owned()),
        input: line.input,
        gold,
    })
}

fn name(what: &str, value: Option<Value>) -> Result<Option<String>, String> {
    match value {
        None => Ok(None),
        Some(Value::String(name)) if name.trim().is_empty() => {
            Err(format!("its `{what}` is empty"))
        }
        Some(Value::String(name)) if name.len() > MAX_NAME => Err(format!(
            "its `{what}` has {} bytes, and at most {MAX_NAME}",
            name.len()
        )),
        Some(Value::String(name)) => Ok(Some(name)),
        Some(Value::Number(name)) => Ok(Some(name.to_string())),
        Some(other) => Err(format!(
            "its `{what}` is {}, not text or a number",
            kind(&other)
        )),
    }
}

/// What a value is, in a sentence.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
