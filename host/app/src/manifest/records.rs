//! The records a workflow works on.
//!
//! A file that is no list of records is an error; a record that cannot be named
//! is not: it is set aside with the reason, and the rest runs.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use hotcell_broker::text;
use serde_json::Value;

use super::problem::{Problem, Source};

/// The longest id that is shown.
const SHOWN: usize = 160;

/// The records of one file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Records {
    /// Those that can be worked on, in the order of the file.
    pub(crate) good: Vec<Record>,
    /// Those that cannot.
    pub(crate) bad: Vec<BadRecord>,
}

/// One record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    /// Its place in the file, from 0.
    pub(crate) index: usize,
    /// What the id field says; a number as its digits.
    pub(crate) id: String,
    /// The whole object.
    pub(crate) value: Value,
}

/// A record that cannot be worked on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadRecord {
    /// Its place in the file, from 0.
    pub(crate) index: usize,
    /// What is wrong with it.
    pub(crate) why: String,
}

/// Reads a file of records named by this field.
pub(crate) fn load_records(path: &Path, id_field: &str) -> Result<Records, Problem> {
    let name = path.display().to_string();
    let read = fs::read_to_string(path).map_err(|error| {
        Problem::new(format!("cannot read `{name}`: {error}"))
            .help("name a readable JSON file as `input.file`")
    })?;
    records(&Source::new(&name, read), id_field)
}

/// The records of a text.
fn records(source: &Source, id_field: &str) -> Result<Records, Problem> {
    let json = source.text();
    let value: Value = serde_json::from_str(json).map_err(|error| {
        let offset = offset(json, error.line(), error.column());
        // The parser's message ends with the position, which the label shows.
        let message = error.to_string();
        let message = message
            .split(" at line ")
            .next()
            .unwrap_or_default()
            .to_owned();
        Problem::new(format!("`{}` is not valid JSON", source.name()))
            .at(&source.spot(offset..offset), message)
            .help("the file must hold one JSON array of objects")
    })?;
    let expected = format!("it must be a JSON array of objects, each with `{id_field}`");
    let items = match value {
        Value::Array(items) if items.is_empty() => {
            let problem = Problem::new(format!("`{}` holds no records", source.name()));
            return Err(problem.help(expected));
        }
        Value::Array(items) => items,
        other => {
            let message = format!("`{}` holds {}, not a list", source.name(), kind(&other));
            return Err(Problem::new(message).help(expected));
        }
    };
    let mut records = Records::default();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (index, value) in items.into_iter().enumerate() {
        let id = id(&value, id_field).and_then(|id| match seen.get(&id) {
            Some(first) => {
                let id = text::line(&id, SHOWN);
                Err(format!("record {first} has the same `{id_field}`, `{id}`"))
            }
            None => Ok(id),
        });
        match id {
            Ok(id) => {
                seen.insert(id.clone(), index);
                records.good.push(Record { index, id, value });
            }
            Err(why) => records.bad.push(BadRecord { index, why }),
        }
    }
    Ok(records)
}

fn id(value: &Value, id_field: &str) -> Result<String, String> {
    let Value::Object(fields) = value else {
        return Err(format!("it is {}, not an object", kind(value)));
    };
    match fields.get(id_field) {
        None => Err(format!("it has no `{id_field}`")),
        Some(Value::String(id)) if id.trim().is_empty() => {
            Err(format!("its `{id_field}` is empty"))
        }
        Some(Value::String(id)) => Ok(id.clone()),
        Some(Value::Number(id)) => Ok(id.to_string()),
        Some(other) => Err(format!(
            "its `{id_field}` is {}, not text or a number",
            kind(other)
        )),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The byte at a line and column, both from 1.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let before = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len);
    (before.sum::<usize>() + column.saturating_sub(1)).min(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Records, Problem> {
        records(&Source::new("records.json", text.to_owned()), "id")
    }

    #[test]
    fn a_bad_record_is_set_aside_and_the_rest_runs() {
        let text = r#"[
            {"id": "a", "n": 1}, 7, {"n": 2}, {"id": 12}, {"id": " "}, {"id": null}, {"id": "a"},
            [], {"id": "b"}, {"id": "12"}, {"id": {}}
        ]"#;
        let records = read(text).unwrap();
        let good: Vec<_> = records
            .good
            .iter()
            .map(|it| (it.index, it.id.as_str()))
            .collect();
        assert_eq!(good, [(0, "a"), (3, "12"), (8, "b")]);
        assert_eq!(records.good[0].value["n"], 1);
        let bad: Vec<_> = records
            .bad
            .iter()
            .map(|it| (it.index, it.why.as_str()))
            .collect();
        let expected = [
            (1, "it is a number, not an object"),
            (2, "it has no `id`"),
            (4, "its `id` is empty"),
            (5, "its `id` is null, not text or a number"),
            (6, "record 0 has the same `id`, `a`"),
            (7, "it is a list, not an object"),
            (9, "record 3 has the same `id`, `12`"),
            (10, "its `id` is an object, not text or a number"),
        ];
        assert_eq!(bad, expected);
    }

    #[test]
    fn only_bad_records_are_still_records() {
        let records = read("[1, 2]").unwrap();
        assert_eq!((records.good.len(), records.bad.len()), (0, 2));
    }

    #[test]
    fn a_file_of_something_else_is_an_error_that_says_what_it_holds() {
        let table = [
            ("{}", "`records.json` holds an object, not a list"),
            ("\"x\"", "`records.json` holds text, not a list"),
            ("[]", "`records.json` holds no records"),
            ("[{\"id\": 1},]", "`records.json` is not valid JSON"),
            ("", "`records.json` is not valid JSON"),
        ];
        for (text, message) in table {
            assert_eq!(read(text).unwrap_err().to_string(), message, "{text}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_an_error_that_names_it() {
        let error = load_records(Path::new("/nowhere/records.json"), "id").unwrap_err();
        let message = error.to_string();
        assert!(
            message.starts_with("cannot read `/nowhere/records.json`: "),
            "{message}"
        );
    }

    #[test]
    fn a_line_and_column_are_an_offset_that_never_leaves_the_text() {
        let text = "ab\ncd\n";
        let table = [
            ((1, 1), 0),
            ((1, 2), 1),
            ((2, 1), 3),
            ((2, 2), 4),
            ((9, 9), 6),
            ((0, 0), 0),
        ];
        for ((line, column), expected) in table {
            assert_eq!(offset(text, line, column), expected, "{line}:{column}");
        }
    }
}
