//! Per kind of task, per label, per tool, per seed, per call.

use std::collections::BTreeSet;

use super::super::chart::{self, kinds};
use super::super::name;
use super::super::number::{Unit, count};
use super::super::page::{Cell, Row, Section, Table};
use super::super::text;
use super::{no_epi, rows, usd_per_task};
use crate::findings::{ArmFindings, Findings, Measures, Pass};

/// More columns of tries or seeds than these are not shown.
const COLUMNS: usize = 10;

pub(super) fn sets(findings: &Findings) -> Option<Section> {
    let kinds = kinds(findings);
    if kinds.is_empty() {
        return None;
    }
    let mut section = Section::new("sets", "Per kind of task");
    section.chart(chart::sets(findings), "");
    let columns = [
        "Arm",
        "Trials",
        "Success",
        "EPI",
        "P50",
        "P95",
        "USD per task",
    ];
    let mut table = Table::new("The same measures for each kind of task alone", columns);
    for kind in &kinds {
        let row = |arm: &ArmFindings| {
            let of = arm.sets.get(*kind)?;
            let cells = vec![
                Cell::number(count(of.trials)),
                Cell::estimate(Unit::Percent, of.success.as_ref(), "no trials"),
                Cell::estimate(Unit::Steps, of.propagation.epi.as_ref(), no_epi(of)),
                Cell::estimate(Unit::Seconds, of.latency.p50_s.as_ref(), "no trials"),
                Cell::estimate(Unit::Seconds, of.latency.p95_s.as_ref(), "no trials"),
                usd_per_task(of),
            ];
            Some(Row::new(name::arm(arm), cells))
        };
        let rows = findings.pattern_results.iter().filter_map(row).collect();
        table.group(Some(name::pattern(kind)), rows);
    }
    section.table(match name::is_course(findings) {
        true => table,
        false => table.without(3),
    });
    for kind in &kinds {
        section.table(fields(findings, kind));
    }
    Some(section)
}

/// Which scored fields of a kind of task were right, and how often.
fn fields(findings: &Findings, kind: &str) -> Table {
    let of = |arm: &ArmFindings| arm.sets.get(kind).map(|of| of.fields.clone());
    let all = findings.pattern_results.iter().filter_map(of);
    let names: BTreeSet<_> = all
        .flat_map(std::collections::BTreeMap::into_keys)
        .collect();
    let row = |arm: &ArmFindings| {
        let of = arm.sets.get(kind)?;
        let cell = |field: &String| match of.fields.get(field) {
            Some(it) => Cell::number(format!("{} of {}", count(it.right), count(it.trials))),
            None => Cell::Absent("not scored"),
        };
        Some(Row::new(name::arm(arm), names.iter().map(cell).collect()))
    };
    let rows = if names.is_empty() {
        Vec::new()
    } else {
        findings.pattern_results.iter().filter_map(row).collect()
    };
    let caption = format!("{}: which scored fields were right", name::pattern(kind));
    let mut table = Table::new(caption, ["Arm"]).rows(rows);
    table
        .columns
        .extend(names.iter().map(|field| text::short(field, 60)));
    table
}

pub(super) fn labels(findings: &Findings) -> Option<Section> {
    let found = findings
        .pattern_results
        .iter()
        .find_map(|arm| arm.overall.label)?;
    let (title, no, yes) = if name::is_course(findings) {
        ("Fraud or legitimate", "legitimate", "fraud")
    } else {
        ("Yes or no", "no", "yes")
    };
    let mut section = Section::new("labels", title);
    section.say(format!(
        "Always saying “{no}” would be right in {} of these trials, with a balanced accuracy of 50 % and \
         no Matthews correlation at all. So plain accuracy says little here; silence counts as the wrong \
         answer.",
        Unit::Percent.value(found.always_no)
    ));
    let row = |arm: &ArmFindings| {
        let of = arm.overall.label?;
        let silent = format!(
            "{} / {}",
            count(of.silent_positives),
            count(of.silent_negatives)
        );
        let undefined = "undefined: one kind is missing";
        let cells = vec![
            Cell::maybe(Unit::Percent, of.balanced_accuracy, undefined),
            Cell::maybe(Unit::Coefficient, of.mcc, undefined),
            Cell::maybe(Unit::Percent, Some(of.always_no), ""),
            Cell::number(count(of.true_positives)),
            Cell::number(count(of.false_negatives)),
            Cell::number(count(of.false_positives)),
            Cell::number(count(of.true_negatives)),
            Cell::number(silent),
        ];
        Some(Row::new(name::arm(arm), cells))
    };
    let mut table = Table::new("How well yes was told from no", ["Arm"]);
    table.columns.extend([
        "Balanced accuracy".to_owned(),
        "Matthews correlation".to_owned(),
        format!("Accuracy of always “{no}”"),
        format!("{yes}, found"),
        format!("{yes}, missed"),
        format!("{no}, accused"),
        format!("{no}, let through"),
        format!("Silent ({yes} / {no})"),
    ]);
    let rows = findings.pattern_results.iter().filter_map(row).collect();
    section.table(table.rows(rows));
    Some(section)
}

pub(super) fn tools(findings: &Findings) -> Option<Section> {
    findings
        .pattern_results
        .iter()
        .find_map(|arm| arm.overall.tools)?;
    let mut section = Section::new("tools", "Tool use");
    section.say(
        "Strict success asks for three things at once: the right tools, the right arguments, the right \
         decision. A hallucinated tool is one that was asked for and never offered.",
    );
    let cells = |arm: &ArmFindings| {
        let all = &arm.overall;
        let strict = Cell::estimate(Unit::Percent, all.strict.as_ref(), "no trials");
        let success = Cell::estimate(Unit::Percent, all.success.as_ref(), "no trials");
        let none = "no task needs tools";
        let Some(tools) = &all.tools else {
            let gaps = std::iter::repeat_n(Cell::Absent(none), 5);
            return [strict, success].into_iter().chain(gaps).collect();
        };
        vec![
            strict,
            success,
            Cell::number(count(tools.trials)),
            Cell::estimate(Unit::Percent, tools.right.as_ref(), none),
            Cell::number(count(tools.calls)),
            Cell::number(count(tools.unknown)),
            Cell::estimate(Unit::Percent, tools.hallucination_rate.as_ref(), "no calls"),
        ]
    };
    let columns = [
        "Arm",
        "Strict success",
        "Success",
        "Trials with tools",
        "Right tools and arguments",
        "Calls",
        "Not offered",
        "Tool hallucination",
    ];
    section.table(Table::new("How tools were used", columns).rows(rows(findings, cells)));
    Some(section)
}

/// What several tries are worth, and what one seed or another changes.
pub(super) fn tries(findings: &Findings) -> Option<Section> {
    let most = findings
        .pattern_results
        .iter()
        .map(|arm| arm.overall.pass.len())
        .max()?;
    if most < 2 {
        return None;
    }
    let mut section = Section::new("tries", "Several tries");
    section.say(
        "If each task may be tried k times: the chance that at least one try is right (pass@k) shows what \
         is within reach, the chance that all are (pass^k) what can be relied on.",
    );
    let ks: BTreeSet<u64> = findings
        .pattern_results
        .iter()
        .flat_map(|arm| arm.overall.pass.iter().map(|pass| pass.k))
        .collect();
    // Of many, the powers of two say it all.
    let last = ks.last().copied();
    let shown = |k: &u64| ks.len() <= COLUMNS || k.is_power_of_two() || Some(*k) == last;
    let ks: Vec<u64> = ks.iter().copied().filter(shown).collect();
    let chance = |of: fn(&Pass) -> f64| {
        rows(findings, |arm| {
            let cell = |k: &u64| {
                let pass = arm.overall.pass.iter().find(|pass| pass.k == *k);
                Cell::maybe(Unit::Percent, pass.map(of), "too few seeds")
            };
            ks.iter().map(cell).collect()
        })
    };
    let mut table = Table::new("Success with k tries", ["Arm"]);
    table.columns.extend(ks.iter().map(|k| format!("k = {k}")));
    table.group(
        Some("At least one right (pass@k)".to_owned()),
        chance(|pass| pass.any),
    );
    table.group(
        Some("All right (pass^k)".to_owned()),
        chance(|pass| pass.all),
    );
    section.table(table);
    section.table(seeds(findings));
    Some(section)
}

fn seeds(findings: &Findings) -> Table {
    let all: BTreeSet<u64> = findings
        .pattern_results
        .iter()
        .flat_map(|arm| arm.seeds.iter().map(|seed| seed.seed))
        .collect();
    let some: Vec<u64> = all.iter().copied().take(COLUMNS).collect();
    let rows = rows(findings, |arm| {
        let cell = |seed: &u64| {
            let found = arm.seeds.iter().find(|it| it.seed == *seed);
            Cell::maybe(Unit::Percent, found.map(|it| it.success), "no trials")
        };
        let deviation = arm.success_stdev_over_seeds.map(|it| it * 100.0);
        let deviation = match deviation {
            Some(it) => Cell::number(format!("{} points", super::super::number::plain(it, 2))),
            None => Cell::Absent("one seed"),
        };
        some.iter().map(cell).chain([deviation]).collect()
    });
    let caption = if all.len() > some.len() {
        format!(
            "Success under each seed alone; the first {COLUMNS} of {}",
            all.len()
        )
    } else {
        "Success under each seed alone".to_owned()
    };
    let mut table = Table::new(caption, ["Arm"]).rows(rows);
    table
        .columns
        .extend(some.iter().map(|seed| format!("Seed {seed}")));
    table.columns.push("Standard deviation".to_owned());
    table
}

/// What trials took: calls, tokens, money, time of the host.
pub(super) fn spent(findings: &Findings) -> Option<Section> {
    if findings.pattern_results.is_empty() {
        return None;
    }
    let mut section = Section::new("spent", "What it took");
    let cells = |arm: &ArmFindings| {
        let cost = &arm.overall.cost;
        let each = |value| Cell::number(Unit::PerTask.bare(value));
        let calls = cost.calls_per_task.as_ref();
        vec![
            Cell::maybe(Unit::PerTask, calls.map(|it| it.value), "no trials"),
            each(cost.failed_calls_per_task),
            each(cost.retries_per_task),
            each(cost.repairs_per_task),
            each(cost.tool_calls_per_task),
            each(cost.cells_per_task),
            each(cost.input_tokens_per_task),
            each(cost.output_tokens_per_task),
            usd_per_task(&arm.overall),
        ]
    };
    let columns = [
        "Arm",
        "Model calls",
        "of those failed",
        "Retries",
        "Repairs",
        "Tool calls",
        "Cells",
        "Tokens read",
        "Tokens written",
        "Cost",
    ];
    section.table(
        Table::new("Per task: each task worked on once", columns).rows(rows(findings, cells)),
    );
    let ended: BTreeSet<&String> = findings
        .pattern_results
        .iter()
        .flat_map(|arm| arm.overall.statuses.keys())
        .collect();
    if !ended.is_empty() {
        let rows = rows(findings, |arm| {
            let often = |status: &&String| arm.overall.statuses.get(*status).copied();
            let cell = |status| Cell::number(count(often(status).unwrap_or_default()));
            let timed_out = Cell::number(count(arm.overall.latency.timed_out));
            ended.iter().map(cell).chain([timed_out]).collect()
        });
        let mut table = Table::new("How runs ended: trials", ["Arm"]).rows(rows);
        table
            .columns
            .extend(ended.iter().map(|status| text::short(status, 40)));
        table.columns.push("took the timeout or longer".to_owned());
        section.table(table);
    }
    let host = |arm: &ArmFindings| {
        let host = arm.overall.latency.execution_time_host;
        let some = |micros: f64| {
            if is_timed(&arm.overall) {
                Cell::number(Unit::Micros.value(micros))
            } else {
                Cell::Absent("not measured")
            }
        };
        vec![
            some(host.p50_micros),
            some(host.p95_micros),
            some(host.mean_micros),
            Cell::number(Unit::Seconds.value(arm.execution_time)),
        ]
    };
    let columns = ["Arm", "P50", "P95", "Mean", "All its trials"];
    let caption = "What the host itself took, on the wall’s clock; arms run side by side";
    let rows = rows(findings, host);
    section.table(Table::new(caption, columns).rows(rows).real());
    Some(section)
}

fn is_timed(of: &Measures) -> bool {
    of.latency.execution_time_host.p95_micros > 0.0
}
