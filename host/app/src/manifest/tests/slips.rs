//! One slip at a time in otherwise good files, and every word that is said about
//! it.
//!
//! The cases are in the text files beside this one: `-` what is replaced, once,
//! `+` by what (`\\n` is a new line), and below them what is told, in the form
//! `FILE:LINE:COLUMN MESSAGE (LABELS) HELP`.

use super::{Folder, HOST, POLICY, WORKFLOW};

/// Runs every case of a text and compares what is told, case by case.
pub(super) fn tell(cases: &str, good: &str, folder: impl Fn(&str) -> Folder) {
    let mut told = String::new();
    for case in cases.split("\n\n") {
        let line = |start: char| {
            let line = case
                .lines()
                .find_map(|line| line.strip_prefix(start))
                .unwrap();
            line.strip_prefix(' ')
                .unwrap_or_default()
                .replace("\\n", "\n")
        };
        let (from, to) = (line('-'), line('+'));
        assert!(good.contains(&from), "{from}");
        let folder = folder(&good.replacen(&from, &to, 1));
        let head: Vec<&str> = case.lines().take(2).collect();
        told += &format!("{}\n", head.join("\n"));
        for line in folder.lines(&folder.check().map(|_| ()).expect_err(&to)) {
            told += &format!("{line}\n");
        }
        told += "\n";
    }
    let told = told.trim_end();
    let differs = told
        .lines()
        .zip(cases.trim_end().lines())
        .find(|(told, case)| told != case);
    assert!(
        told == cases.trim_end(),
        "{differs:?} differ; all that is told:\n{told}\n"
    );
}

#[test]
fn a_slip_in_the_workflow_is_told_at_its_place() {
    tell(include_str!("workflow.txt"), WORKFLOW, |text| {
        Folder::new(text, HOST, POLICY)
    });
}

#[test]
fn a_slip_in_the_host_file_is_told_at_its_place() {
    tell(include_str!("host.txt"), HOST, |text| {
        Folder::new(WORKFLOW, text, POLICY)
    });
}

#[test]
fn a_slip_in_the_policy_is_told_at_its_place() {
    tell(include_str!("policy.txt"), POLICY, |text| {
        Folder::new(WORKFLOW, HOST, text)
    });
}

#[test]
fn a_small_file_of_aliases_that_would_grow_huge_is_refused() {
    let mut text = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (name, before) in ["b", "c", "d", "e", "f", "g"]
        .iter()
        .zip(["a", "b", "c", "d", "e", "f"])
    {
        let items = [format!("*{before}").as_str(); 10].join(", ");
        text += &format!("{name}: &{name} [{items}]\n");
    }
    let folder = Folder::new(&text, HOST, POLICY);
    let expected = "workflow.yaml:4:36 `workflow.yaml` is not valid YAML (YAML document too large or \
                    too complex: limits breached: Nodes { nodes: 10001 })";
    assert_eq!(folder.lines(&folder.check().unwrap_err()), [expected]);
}

#[test]
fn nothing_at_all_is_not_a_workflow() {
    let table = [
        ("", "1:1", "nothing"),
        ("# nothing\n", "2:1", "nothing"),
        ("just text\n", "1:1", "text"),
        ("- a\n", "1:1", "a list"),
    ];
    for (text, place, what) in table {
        let folder = Folder::new(text, HOST, POLICY);
        let expected = format!(
            "workflow.yaml:{place} a workflow must be a table (this is {what}) write its keys and \
             values, such as `workflow: …`"
        );
        assert_eq!(
            folder.lines(&folder.check().unwrap_err()),
            [expected],
            "{text:?}"
        );
    }
}
