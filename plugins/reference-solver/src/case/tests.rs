//! Every way of cutting the work must come to the same: stage by stage, at once,
//! and by specialists.

use std::fs;

use super::*;

mod invoice;
mod reconciliation;
mod transaction;

/// What the agents hold answers against.
#[path = "../../../case-worker/src/form.rs"]
#[expect(dead_code, reason = "of the worker's forms only the check is needed")]
mod form;

/// What a tool answers, by its name and arguments.
type Tool<'a> = &'a dyn Fn(&str, &Value) -> Value;

/// Which tools were asked what.
type Calls = Vec<(&'static str, Value)>;

fn no_tools(name: &str, _: &Value) -> Value {
    panic!("{name} is not needed")
}

/// The form, and which tools were asked before.
fn answered(title: &str, blocks: &[Form], tool: Tool<'_>) -> (Value, Calls) {
    let job = Job::titled(title).unwrap_or_else(|| panic!("{title}"));
    let mut answers = Answers::new();
    let mut calls = Calls::new();
    loop {
        match job.solve(blocks, &answers) {
            Ok(Step::Done(form)) => {
                fits(title, &form);
                return (form, calls);
            }
            Ok(Step::Ask(wishes)) => {
                for (name, arguments) in wishes {
                    let said = tool(name, &arguments);
                    let before = answers.insert(name.to_owned(), said);
                    assert_eq!(before, None, "{title} asks {name} again");
                    calls.push((name, arguments));
                }
            }
            Err(what) => panic!("{title}: {what}"),
        }
    }
}

/// An answer has to fit the form that an agent asks for under this title.
fn fits(title: &str, answer: &Value) {
    let (what, _) = title.split_once("-from-").unwrap();
    let (case, what) = what.split_once('-').unwrap();
    let forms = concat!(env!("CARGO_MANIFEST_DIR"), "/../case-worker/src/case");
    let form = match what {
        "critique" => format!("{forms}/{what}.json"),
        // They say of some lines what the stage says of all.
        "first" | "second" | "third" => format!("{forms}/{case}/check.json"),
        _ => format!("{forms}/{case}/{what}.json"),
    };
    let form = fs::read_to_string(&form).unwrap_or_else(|error| panic!("{form}: {error}"));
    let form = form::Form::read(&form).unwrap().titled(title);
    assert_eq!(form.check(answer), Ok(()), "{title}: {answer}");
}

fn object(value: Value) -> Form {
    match value {
        Value::Object(object) => object,
        other => panic!("{other}"),
    }
}

fn solved(title: &str, start: &Form) -> Form {
    object(answered(title, std::slice::from_ref(start), &no_tools).0)
}

/// The work in parts, of which these are the last stages.
fn in_parts(case: &str, record: &Form, lasts: &[&str], tool: Tool<'_>) -> (Form, Calls) {
    let mut from = "record";
    let mut now = record.clone();
    let mut all = Calls::new();
    for last in lasts {
        let (form, calls) = answered(&format!("{case}-{last}-from-{from}"), &[now], tool);
        now = object(form);
        all.extend(calls);
        from = last;
    }
    (now, all)
}

/// What specialists say, put together as `case-merger` does.
fn by_specialists(case: &str, record: &Form, tool: Tool<'_>) -> (Form, Calls) {
    fn merge(whole: &mut Form, part: Form) {
        for (name, value) in part {
            match (whole.get_mut(&name), value) {
                (Some(Value::Object(whole)), Value::Object(part)) => merge(whole, part),
                (Some(Value::Array(whole)), Value::Array(part)) => whole.extend(part),
                (Some(_), _) => {}
                (None, value) => {
                    whole.insert(name, value);
                }
            }
        }
    }
    let plan = solved(&format!("{case}-plan-from-record"), record);
    let mut whole = Map::new();
    let mut all = Calls::new();
    for (aspect, given) in plan["given"].as_object().unwrap() {
        let title = format!("{case}-{aspect}-from-normalise");
        let (part, calls) = answered(&title, &[given.as_object().unwrap().clone()], tool);
        merge(&mut whole, object(part));
        all.extend(calls);
    }
    // All parts together are what the stage would have said, in some order.
    let (checked, _) = in_parts(case, record, &["check"], tool);
    assert_eq!(sorted(&whole), sorted(&checked), "{record:?}");
    let decided = solved(&format!("{case}-decide-from-check"), &whole);
    let recorded = solved(&format!("{case}-record-from-decide"), &decided);
    (recorded, all)
}

/// A form with its lists in one order.
fn sorted(form: &Form) -> Form {
    let mut form = form.clone();
    for list in form.values_mut().filter_map(Value::as_array_mut) {
        list.sort_by_key(Value::to_string);
    }
    form
}

/// However the work is cut, it comes to this, and the same tools are asked.
fn every_way(case: &str, record: &Form, tool: Tool<'_>) -> (Value, Calls) {
    let (form, calls) = in_parts(case, record, &STAGES, tool);
    let same = |(other, mut others): (Form, Calls), way: &str| {
        assert_eq!(other, form, "{way} of {record:?}");
        // Specialists are asked in an order of their own.
        others.sort_by_key(|(name, _)| calls.iter().position(|(of, _)| of == name));
        assert_eq!(others, calls, "{way} of {record:?}");
    };
    same(in_parts(case, record, &["record"], tool), "at once");
    let thirds = ["extract", "check", "record"];
    same(in_parts(case, record, &thirds, tool), "in three parts");
    same(by_specialists(case, record, tool), "by specialists");
    (Value::Object(form), calls)
}

/// Whether a critic is content with an answer.
fn accepts(case: &str, record: &Form, answer: &Form, tool: Tool<'_>) -> bool {
    let title = format!("{case}-critique-from-record");
    let (said, _) = answered(&title, &[record.clone(), answer.clone()], tool);
    said["accept"].as_bool().unwrap()
}

#[test]
fn a_title_that_is_none_is_no_job() {
    for title in [
        "",
        "transaction",
        "transaction-check",
        "transaction-check-from-nowhere",
        "tax-check-from-record",
        "-from-",
    ] {
        assert!(Job::titled(title).is_none(), "{title}");
    }
    for case in ["transaction", "invoice", "reconciliation"] {
        let title = format!("{case}-guess-from-normalise");
        let job = Job::titled(&title).unwrap();
        assert!(job.solve(&[Map::new()], &Answers::new()).is_err());
    }
}

#[test]
fn a_number_that_is_too_large_is_a_large_number() {
    let form = object(json!({ "a": u64::MAX, "b": -1, "c": 1.5 }));
    assert_eq!(whole(&form, "a"), Ok(i64::MAX));
    assert_eq!(whole(&form, "b"), Ok(-1));
    assert_eq!(whole(&form, "c"), Err("c"));
}
