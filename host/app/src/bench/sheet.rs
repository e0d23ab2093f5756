//! What every measurement says besides its figures: on which machine, with which
//! build, by which command; and how figures are taken, compared and printed.

use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

use crate::command::{Exit, Output, Problem};
use crate::screen;

/// The figures of one measurement.
pub(crate) trait Figures: Serialize {
    /// The figures for people: lines and tables, without what [`print()`] says.
    fn render(&self) -> String;
    /// What the figures should be. One that is missed is printed as missed.
    fn goals(&self) -> Vec<Goal>;
}

/// A figure with the bound it should keep.
#[derive(Serialize)]
pub(crate) struct Goal {
    what: String,
    measured: f64,
    at_most: f64,
    unit: &'static str,
    met: bool,
}

impl Goal {
    pub(crate) fn at_most(
        what: impl Into<String>,
        measured: f64,
        at_most: f64,
        unit: &'static str,
    ) -> Goal {
        Goal {
            what: what.into(),
            measured,
            at_most,
            unit,
            met: measured <= at_most,
        }
    }
}

#[derive(Serialize)]
struct Sheet<'a, F> {
    machine: String,
    build: &'static str,
    command: String,
    #[serde(flatten)]
    figures: &'a F,
    goals: Vec<Goal>,
}

/// Prints a measurement as people or as programs read it.
pub(crate) fn print<F: Figures>(figures: &F, output: Output) -> Result<Exit, Problem> {
    let sheet = Sheet {
        machine: machine(),
        build: match cfg!(debug_assertions) {
            true => "debug: use --release to quote",
            false => "release",
        },
        command: std::env::args().collect::<Vec<_>>().join(" "),
        goals: figures.goals(),
        figures,
    };
    screen::result(&match output.json {
        true => serde_json::to_string_pretty(&sheet).map_err(Problem::failed)?,
        false => render(&sheet),
    });
    Ok(Exit::Done)
}

fn render<F: Figures>(sheet: &Sheet<'_, F>) -> String {
    let mut text = format!(
        "machine   {}\nbuild     {}\ncommand   {}\n{}",
        sheet.machine,
        sheet.build,
        sheet.command,
        sheet.figures.render()
    );
    if !sheet.goals.is_empty() {
        let rows = sheet.goals.iter().map(|goal| {
            let (measured, most) = (round(goal.measured), round(goal.at_most));
            [
                goal.what.clone(),
                format!("{measured} {}", goal.unit),
                format!("{most} {}", goal.unit),
                if goal.met { "met" } else { "MISSED" }.to_owned(),
            ]
        });
        text.push_str(&table(["goal", "measured", "at most", ""], rows));
    }
    text.trim_end().to_owned()
}

/// Three digits or so.
fn round(number: f64) -> String {
    match number {
        0.0..10.0 => format!("{number:.2}"),
        10.0..100.0 => format!("{number:.1}"),
        _ => format!("{number:.0}"),
    }
}

/// A table with its first column to the left and numbers to the right.
pub(crate) fn table<const N: usize>(
    head: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(head);
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!("{table}\n")
}

/// How long something took, over and over.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct Times {
    pub(crate) p50_ns: u64,
    pub(crate) p99_ns: u64,
    pub(crate) max_ns: u64,
    /// Median against the baseline's.
    pub(crate) ratio: f64,
}

impl Times {
    /// Over so many measurements; without a baseline they are one themselves.
    pub(crate) fn new(mut times: Vec<Duration>, baseline: Option<&Times>) -> Times {
        times.sort_unstable();
        let times: Vec<_> = times.into_iter().map(nanos).collect();
        let p50_ns = percentile(&times, 50);
        let ratio = baseline.map_or(1.0, |baseline| {
            p50_ns as f64 / baseline.p50_ns.max(1) as f64
        });
        Times {
            p50_ns,
            p99_ns: percentile(&times, 99),
            max_ns: percentile(&times, 100),
            ratio,
        }
    }
}

/// The number below which so many of a hundred lie, of sorted ones; 0 of none.
pub(crate) fn percentile(sorted: &[u64], part: usize) -> u64 {
    let index = (sorted.len() * part / 100).min(sorted.len().saturating_sub(1));
    sorted.get(index).copied().unwrap_or(0)
}

pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// A time a person can compare.
pub(crate) fn time(ns: u64) -> String {
    match ns {
        0..1_000_000 => format!("{:.1} µs", ns as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} ms", ns as f64 / 1e6),
        _ => format!("{:.2} s", ns as f64 / 1e9),
    }
}

/// Bytes as mebibytes.
pub(crate) fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Bytes as people read them.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.0} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", mib(bytes)),
    }
}

/// Resident memory of this process in bytes; 0 where it cannot be read.
pub(crate) fn resident() -> u64 {
    status("VmRSS:")
}

/// The most resident memory since [`reset_peak`], in bytes.
pub(crate) fn peak_resident() -> u64 {
    status("VmHWM:")
}

/// Forgets the most that was resident, where the kernel can: see proc(5).
pub(crate) fn reset_peak() {
    drop(std::fs::write("/proc/self/clear_refs", "5"));
}

fn status(key: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or(0).saturating_mul(1024)
}

/// Processor time that this process has used, all threads, user and system.
pub(crate) fn cpu_time() -> Duration {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(used.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(used.tv_nsec).unwrap_or(0))
}

/// Memory mappings of this process; 0 where they cannot be read.
pub(crate) fn mappings() -> usize {
    std::fs::read_to_string("/proc/self/maps").map_or(0, |maps| maps.lines().count())
}

fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let model = model.map_or("unknown processor", |(_, name)| name.trim());
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{processors} × {model}, {}", std::env::consts::OS)
}
