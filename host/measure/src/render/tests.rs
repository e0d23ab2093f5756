//! What every form of a report has to have.

mod fixture;
mod hostile;

use std::collections::BTreeSet;

use fixture::{agentarch, own};
use roxmltree::{Document, Node, ParsingOptions};

use super::{SIMULATED, charts, html, json, markdown};
use crate::analyse;
use crate::findings::Findings;
use crate::trial::{Arm, Meta, Mode, Study, Trial};

const SECTIONS: [&str; 16] = [
    "What this is",
    "What came out",
    "Beside the course’s table",
    "What each buys, what it costs, how sure that is",
    "Charts",
    "Per kind of task",
    "Two by two",
    "Fraud or legitimate",
    "Tool use",
    "Several tries",
    "How far faults spread",
    "What it took",
    "What each part is worth",
    "The course’s checks",
    "How the numbers were computed",
    "Arms that failed",
];

fn parse(text: &str) -> Document<'_> {
    let options = ParsingOptions {
        allow_dtd: true,
        ..ParsingOptions::default()
    };
    Document::parse_with_options(text, options).unwrap_or_else(|error| panic!("{error}"))
}

fn words(node: Node<'_, '_>) -> String {
    let texts = node.descendants().filter(Node::is_text);
    let text: String = texts.filter_map(|node| node.text()).collect();
    text.replace('\u{a0}', " ")
}

fn named<'a, 'b>(doc: &'a Document<'b>, name: &'static str) -> Vec<Node<'a, 'b>> {
    let all = doc.descendants();
    all.filter(|node| node.tag_name().name() == name).collect()
}

fn headings(text: &str) -> Vec<String> {
    named(&parse(text), "h2").into_iter().map(words).collect()
}

/// A study of which nothing is known.
fn nothing() -> Findings {
    Findings::default()
}

fn live() -> Findings {
    let mut findings = agentarch();
    findings.meta.simulated = false;
    findings.meta.mode = Mode::Live;
    findings
}

#[test]
fn every_form_is_well_formed() {
    for findings in [agentarch(), live(), own(), nothing(), hostile::study()] {
        let page = html(&findings);
        let doc = parse(&page);
        assert!(page.starts_with("<!DOCTYPE html>\n<html lang=\"en-GB\">"));
        assert!(!named(&doc, "title").is_empty());
        let mut ids = BTreeSet::new();
        for id in doc.descendants().filter_map(|node| node.attribute("id")) {
            assert!(ids.insert(id.to_owned()), "`{id}` twice");
        }
        for node in doc.descendants() {
            let labels = node.attribute("aria-labelledby").unwrap_or_default();
            let link = node.attribute("href").unwrap_or_default();
            let all = labels.split_whitespace().chain(link.strip_prefix('#'));
            for id in all {
                assert!(ids.contains(id), "`{id}` is named and not there");
            }
        }
        for (name, svg) in charts(&findings) {
            let doc = parse(&svg);
            let root = doc.root_element();
            assert_eq!(root.tag_name().name(), "svg", "{name}");
            let first: Vec<_> = root.children().filter(Node::is_element).take(2).collect();
            assert_eq!(first[0].tag_name().name(), "title", "{name}");
            assert_eq!(first[1].tag_name().name(), "desc", "{name}");
            assert!(!words(first[1]).is_empty(), "{name}");
        }
        let again: Findings = serde_json::from_str(&json(&findings).unwrap()).unwrap();
        assert!(again.failed == findings.failed && again.checks == findings.checks);
        tables_are_straight(&markdown(&findings));
    }
}

/// Each row of a table has as many fields as its head.
fn tables_are_straight(text: &str) {
    let fields = |line: &str| line.replace("\\|", "").matches('|').count();
    let mut head = None;
    for line in text.lines() {
        match (line.starts_with('|'), head) {
            (false, _) => head = None,
            (true, None) => head = Some(fields(line)),
            (true, Some(head)) => assert_eq!(fields(line), head, "{line}"),
        }
    }
}

#[test]
fn a_page_needs_no_other() {
    let page = html(&agentarch());
    let page = page.replace("http://www.w3.org/2000/svg", "");
    for wanting in [
        "http:", "https:", "<script", "<link", "src=", "url(", "@import", "onload",
    ] {
        assert!(!page.contains(wanting), "{wanting}");
    }
}

#[test]
fn a_table_says_what_it_is_and_what_its_heads_are_of() {
    let page = html(&agentarch());
    let doc = parse(&page);
    let tables = named(&doc, "table");
    assert!(tables.len() > 15, "{}", tables.len());
    for table in tables {
        let first = table.children().find(Node::is_element).unwrap();
        assert_eq!(first.tag_name().name(), "caption");
        assert!(!words(first).is_empty());
        let columns = table
            .descendants()
            .filter(|n| n.attribute("scope") == Some("col"))
            .count();
        for row in table.descendants().filter(|n| n.tag_name().name() == "tr") {
            let over: usize = row
                .children()
                .filter(Node::is_element)
                .map(|cell| {
                    cell.attribute("colspan")
                        .map_or(1, |over| over.parse().unwrap())
                })
                .sum();
            assert_eq!(over, columns, "{}", words(first));
        }
        for head in table.descendants().filter(|n| n.tag_name().name() == "th") {
            assert!(head.attribute("scope").is_some());
        }
    }
}

#[test]
fn every_section_is_there_in_its_order() {
    let findings = agentarch();
    assert_eq!(headings(&html(&findings)), SECTIONS);
    let text = markdown(&findings);
    let found: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .collect();
    assert_eq!(found, SECTIONS);
    let names: Vec<_> = charts(&findings)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        names,
        [
            "overview.svg",
            "success.svg",
            "epi.svg",
            "latency.svg",
            "cost.svg",
            "sets.svg",
            "frontier.svg",
            "cascades.svg",
            "ablations.svg",
        ]
    );
    for name in &names {
        assert!(text.contains(&format!("]({name})")), "{name} is not shown");
    }
}

#[test]
fn own_tasks_have_gates_and_counts_of_what_was_injected() {
    let mut findings = own();
    findings.checks = vec![crate::findings::Check {
        id: "support-triage:min-success".to_owned(),
        text: "`support-triage` is right on at least 90.0 %".to_owned(),
        holds: Some(false),
        measured: "87.5 %".to_owned(),
        ..crate::findings::Check::default()
    }];
    let spread = &mut findings.pattern_results[0].overall.propagation;
    spread.faults = 7;
    spread.without_twin = 5;
    let kind = crate::findings::KindFindings {
        faults: 7,
        ..crate::findings::KindFindings::default()
    };
    spread.kinds.insert("omission".to_owned(), kind);
    let text = markdown(&findings);
    let gate = text.lines().find(|line| line.contains(":min-success"));
    assert!(gate.unwrap().contains("✗ false"), "{text}");
    assert!(text.contains("| omission | 7 |\n"), "{text}");
    assert!(!text.contains("ourse") && !text.contains("EPI"), "{text}");
}

#[test]
fn own_tasks_have_no_course() {
    let findings = own();
    let expected = [
        "What this is",
        "What came out",
        "What each buys, what it costs, how sure that is",
        "Charts",
        "Per kind of task",
        "What it took",
        "How the numbers were computed",
    ];
    let page = html(&findings);
    assert_eq!(headings(&page), expected);
    for text in [markdown(&findings), words(parse(&page).root_element())] {
        assert!(!text.contains("ourse"), "{text}");
        assert!(text.contains("support-triage"));
        assert!(text.contains("87.5 %"));
    }
    let names: Vec<_> = charts(&findings)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["overview.svg", "success.svg", "latency.svg"]);
}

#[test]
fn what_is_simulated_says_so_and_what_is_not_does_not() {
    let simulated = agentarch();
    let mut forms = vec![
        json(&simulated).unwrap(),
        markdown(&simulated),
        html(&simulated),
    ];
    for form in &forms {
        assert!(form.contains(SIMULATED));
    }
    let doc = parse(&forms[2]);
    let notes: Vec<_> = doc
        .descendants()
        .filter(|n| n.attribute("role") == Some("note"))
        .collect();
    assert_eq!(notes.len(), 1);
    assert!(words(notes[0]).starts_with(SIMULATED));
    for (name, svg) in charts(&simulated) {
        assert!(
            svg.contains(">SIMULATED: a fault model, not a language model<"),
            "{name}"
        );
    }
    let again: Findings = serde_json::from_str(&forms[0]).unwrap();
    let labels = json(&again).unwrap().matches(SIMULATED).count();
    assert_eq!(labels, 1, "the label grows");

    let live = live();
    forms = vec![json(&live).unwrap(), markdown(&live), html(&live)];
    forms.extend(charts(&live).into_iter().map(|(_, svg)| svg));
    for form in forms {
        assert!(!form.contains("SIMULATED"));
    }
}

#[test]
fn a_failing_check_is_shown_as_failing() {
    let findings = agentarch();
    let page = html(&findings);
    let doc = parse(&page);
    let expected = [
        ("1", "✗ false"),
        ("2", "✓ true"),
        ("3", "✗ false"),
        ("4", "✓ true"),
        ("5", "–nothing to decide it by"),
        ("SM4.9", "✗ false"),
    ];
    let section = doc
        .descendants()
        .find(|n| n.attribute("id") == Some("checks"))
        .unwrap();
    let rows = section.descendants().filter(|n| {
        n.tag_name().name() == "tr" && n.parent().is_some_and(|p| p.tag_name().name() == "tbody")
    });
    let found: Vec<_> = rows
        .map(|row| {
            let cells: Vec<_> = row.children().filter(Node::is_element).map(words).collect();
            (cells[0].clone(), cells[2].clone())
        })
        .collect();
    assert_eq!(
        found,
        expected.map(|(id, holds)| (id.to_owned(), holds.to_owned()))
    );
    let text = markdown(&findings);
    for (id, holds) in expected {
        let row = text
            .lines()
            .find(|line| line.starts_with(&format!("| {id} |")))
            .unwrap();
        let holds = match holds {
            "✗ false" => "| **✗ false** |",
            "✓ true" => "| ✓ true |",
            _ => "| – (nothing to decide it by) |",
        };
        assert!(row.contains(holds), "{row}");
    }
    for text in [text, words(doc.root_element())] {
        assert!(text.contains("Check 1 fails with the course’s own numbers"));
    }
}

#[test]
fn what_was_not_measured_is_a_dash_with_its_reason() {
    let text = markdown(&agentarch());
    let results = text
        .split("## ")
        .find(|part| part.starts_with("What came out"))
        .unwrap();
    let single = results
        .lines()
        .find(|line| line.starts_with("| single |"))
        .unwrap();
    assert!(single.contains("| – (no fault injected) |"), "{single}");
    assert!(text.contains("No fault was injected, so how far faults spread is not known."));

    let text = markdown(&own());
    let row = text
        .lines()
        .find(|line| line.starts_with("| support-triage |"))
        .unwrap();
    assert_eq!(
        row,
        "| support-triage | 87.5 % (75.5–99.5 %) | 0.41 s (0.36–0.46 s) \
         | 1.3 s (0.9–1.7 s) | – (no baseline) | – (nothing was billed) |"
    );
    let mut unsure = own();
    unsure.pattern_results[0]
        .overall
        .success
        .as_mut()
        .unwrap()
        .interval = None;
    let text = markdown(&unsure);
    assert!(
        text.contains("(no interval: fewer than two tasks, or all alike)"),
        "{text}"
    );

    let text = markdown(&nothing());
    assert!(text.contains("– (no arm was finished)"), "{text}");
}

#[test]
fn the_main_table_has_its_numbers_and_marks() {
    let text = markdown(&agentarch());
    let row = |name: &str| {
        let start = format!("| {name} | ");
        text.lines().find(|line| line.starts_with(&start)).unwrap()
    };
    assert_eq!(
        row("state machine"),
        "| state machine | 88.3 % (86.4–90.2 %) ✓ | 0.48 (0.37–0.59) ✗ | 12.8 s (12.5–13.1 s) ✗ \
         | 20.7 s (19.8–21.6 s) ✗ | 1.09 × (1.07–1.11 ×) ✓ | 0.0109 USD (0.0106–0.0112 USD) |"
    );
    assert!(text.contains(
        "| sequential | 70.2 % | 68.2–72.2 % | 70.0 % (65.0–75.0 %) | 59.5–80.5 % | yes |"
    ));
}

#[test]
fn a_paragraph_tells_what_an_arm_is_worth_from_its_own_side() {
    let text = markdown(&agentarch());
    let of = |name: &str| {
        let start = format!("**{name}:** ");
        text.lines().find(|line| line.starts_with(&start)).unwrap()
    };
    let better = of("voting");
    for part in [
        "83.6 % of 2,400 trials came out right (95 % interval 81.7–85.5 %).",
        "Against sequential: +13.4 points (+11.3 to +15.5 points; p &lt; 0.0001",
        "more than chance would explain at the 5 % level.",
        "It costs 5.02 × (5.00–5.04 ×) what sequential does, 0.0530 USD",
        "no longer than 15.6 s (sequential: 12.1 s)",
        "0.21 (0.10–0.32) other steps wrong, “excellent”",
        "85.8 % (83.8–87.8 %) of first faults stayed where they were.",
    ] {
        assert!(better.contains(part), "{part}: {better}");
    }
    assert!(of("single").contains("−9.1 points (−11.2 to −7.0 points;"));
    assert!(
        of("iterative")
            .contains("p = 0.249 after Holm over all pairs of patterns), which may be chance")
    );
    assert!(!of("sequential").contains("Against"));
}

#[test]
fn the_same_findings_give_the_same_bytes() {
    for findings in [agentarch(), own(), nothing()] {
        let read = findings.clone();
        assert_eq!(html(&findings), html(&read));
        assert_eq!(markdown(&findings), markdown(&read));
        for ((_, svg), (_, again)) in charts(&findings).iter().zip(charts(&read)) {
            assert_eq!(*svg, again);
            let doc = parse(svg);
            for node in doc.descendants().filter(Node::is_element) {
                for name in [
                    "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "d", "width", "height",
                ] {
                    let value = node.attribute(name).unwrap_or_default();
                    let noisy = value.split(['M', 'L', 'Z', ' ']).any(|number| {
                        number
                            .split_once('.')
                            .is_some_and(|(_, part)| part.len() > 1)
                    });
                    assert!(!noisy && !value.contains("NaN"), "{value}");
                }
            }
        }
    }
}

#[test]
fn what_analysis_finds_can_be_drawn() {
    let trial = |arm: &str, task: u64, right: bool| Trial {
        arm: arm.to_owned(),
        set: "invoice".to_owned(),
        task: format!("T-{task}"),
        seed: 1,
        status: "completed".to_owned(),
        right,
        fields: [("reason".to_owned(), right)].into(),
        latency_micros: 1_000_000 * (task + 1),
        ..Trial::default()
    };
    let arm = |id: &str, main| Arm {
        id: id.to_owned(),
        pattern: "sequential".to_owned(),
        main,
        ..Arm::default()
    };
    let arms = vec![arm("sequential", true), arm("sequential-bare", false)];
    let tasks = |arm: &Arm| {
        (0..8)
            .map(|task| trial(&arm.id, task, task % 2 == 0))
            .collect::<Vec<_>>()
    };
    let trials = arms.iter().flat_map(tasks).collect();
    let study = Study {
        meta: Meta {
            seeds: vec![1],
            tasks: 8,
            timeout_micros: 60_000_000,
            ..Meta::default()
        },
        arms,
        trials,
        failed: Vec::new(),
    };
    let findings = analyse(&study).unwrap();
    let text = markdown(&findings);
    assert!(text.contains("| sequential | 50.0 % ("), "{text}");
    parse(&html(&findings));
    assert!(charts(&findings).len() > 2);
}
