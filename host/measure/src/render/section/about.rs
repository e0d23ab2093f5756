//! What was measured, and what a reader must know before the first number.

use super::super::name;
use super::super::number::{Unit, count, counted, plain, rate};
use super::super::page::{Block, Cell, Row, Section, Span, Table};
use super::super::{SIMULATED, text};
use crate::findings::Findings;
use crate::trial::{Clock, Mode, Price};

/// How to do it with a real model.
const LIVE: &str = "hotcell bench agentarch --mode live --model openai@URL#NAME --budget-usd 3";

/// By which clock times are.
pub(in super::super) fn clock(findings: &Findings) -> &'static str {
    match findings.meta.clock {
        Clock::Virtual => "a virtual clock: nobody waited, drawn or recorded times were added up",
        Clock::Wall => "the wall’s clock",
    }
}

pub(super) fn about(findings: &Findings) -> Section {
    let mut section = Section::new("about", "What this is");
    let meta = &findings.meta;
    if meta.simulated {
        section.blocks.push(Block::Notice {
            loud: SIMULATED.to_owned(),
            rest: "Answers come from a solver into which faults are injected; times and token \
                   counts are made up as well. They show what each arm makes of the same faults, and \
                   nothing about how often any model fails."
                .to_owned(),
        });
    }
    let arms = findings.pattern_results.len() + findings.variants.len();
    let arms = counted(u64::try_from(arms).unwrap_or(u64::MAX), "arm");
    let seeds = u64::try_from(meta.seeds.len()).unwrap_or(u64::MAX);
    let tasks = counted(findings.task_count, "task");
    let under = counted(seeds, "seed");
    section.say(if name::is_course(findings) {
        format!(
            "Orchestration patterns side by side: the same agents, combined in different ways, work on the \
             same {tasks} under the same {under}. There are {arms} in all, patterns and their variants; \
             each task under each seed is one trial."
        )
    } else {
        format!(
            "{tasks} of one’s own, worked on by {arms} under {under}; each task under each seed \
             is one trial."
        )
    });
    section.table(circumstances(findings));
    match &meta.fitted {
        Some(fitted) => section.spans(vec![
            Span::Strong("One number was fitted:".to_owned()),
            Span::Plain(format!(
                "{} = {}. {}",
                fitted.name, fitted.value, fitted.how
            )),
        ]),
        None if meta.simulated => section.say("No number was fitted."),
        None => {}
    }
    section.table(rates(findings));
    section.table(prices(findings));
    if name::is_course(findings) && meta.mode != Mode::Live {
        section.say("To run it with a real model, which costs money up to the budget you give:");
        section.blocks.push(Block::Code(LIVE.to_owned()));
    }
    let notes = meta.notes.iter().filter(|note| *note != SIMULATED);
    section.list(notes.map(|note| text::line(note)));
    section
}

fn circumstances(findings: &Findings) -> Table {
    let meta = &findings.meta;
    let mode = match meta.mode {
        Mode::Sim => "sim: a solver with injected faults answers",
        Mode::Record => "record: a provider answers, and every call is written down",
        Mode::Replay => "replay: what was written down answers",
        Mode::Live => "live: a provider answers",
    };
    let some = |text: &str, why| {
        if text.is_empty() {
            Cell::Absent(why)
        } else {
            Cell::words(text::short(text, 200))
        }
    };
    let names = |list: &[String]| {
        list.iter()
            .map(|name| name::pattern(name))
            .collect::<Vec<_>>()
    };
    let seeds: Vec<_> = meta.seeds.iter().map(u64::to_string).collect();
    let timeout = meta.timeout_micros as f64 / 1e6;
    let baseline = findings
        .baseline
        .as_deref()
        .map(|base| name::of(findings, base));
    let rows = vec![
        Row::new("Mode", vec![Cell::words(mode)]),
        Row::new("Model", vec![some(&meta.model, "not named")]),
        Row::new("Tasks", vec![Cell::words(count(findings.task_count))]),
        Row::new("Chosen", vec![some(&meta.strategy, "not named")]),
        Row::new("Seeds of the trials", vec![some(&seeds.join(", "), "none")]),
        Row::new(
            "Seed of the tasks",
            vec![Cell::words(findings.seed.to_string())],
        ),
        Row::new(
            "Stages",
            vec![some(&names(&meta.stages).join(" → "), "not named")],
        ),
        Row::new("Times are by", vec![Cell::words(clock(findings))]),
        Row::new(
            "A timed-out trial counts as",
            vec![Cell::words(Unit::Seconds.value(timeout))],
        ),
        Row::new(
            "Costs are multiples of",
            vec![some(&baseline.unwrap_or_default(), "no baseline")],
        ),
        Row::new("Hotcell", vec![some(&meta.version, "not named")]),
        Row::new("When", vec![some(&findings.timestamp, "not named")]),
        Row::new(
            "All of it took",
            vec![Cell::words(format!(
                "{} on the wall’s clock",
                Unit::Seconds.value(meta.execution_time_s)
            ))],
        ),
    ];
    Table::new("Circumstances", ["What", "How"])
        .rows(rows)
        .real()
}

fn rates(findings: &Findings) -> Table {
    let rates = findings.meta.fault_rates.iter();
    let row = |(kind, share): (&String, &f64)| {
        Row::new(name::pattern(kind), vec![Cell::number(rate(*share))])
    };
    let caption = "Fault rates, the same for all patterns: chance per call, or per stage of work";
    let rows = rates.map(row).collect();
    Table::new(caption, ["Fault", "Rate"]).rows(rows).real()
}

fn prices(findings: &Findings) -> Table {
    let usd = |micros: u64| format!("{} USD", plain(micros as f64 / 1e6, 2));
    let row = |(model, price): (&String, &Price)| {
        Row::new(
            text::short(model, 80),
            vec![
                Cell::number(usd(price.input_micros_per_mtok)),
                Cell::number(usd(price.output_micros_per_mtok)),
            ],
        )
    };
    let columns = ["Model", "Read", "Written"];
    let rows = findings.meta.prices.iter().map(row).collect();
    Table::new("Prices of a million tokens", columns)
        .rows(rows)
        .real()
}
