//! What needs draws: all arms over the same tasks, measured together.
//!
//! Everything that has an interval is a column or a ratio in one table, so that
//! each draw of tasks serves all arms and all comparisons of them.

use std::collections::BTreeMap;

use super::{Tried, counts};
use crate::cost;
use crate::findings::{Estimate, Measures, Reading};
use crate::propagation::{Roots, course_code, course_lineage};
use crate::stats::bootstrap::{Asked, Column, Found, Ratio, Statistic, Table};
use crate::trial::{Benchmark, Meta, Trial};

/// What all scopes of a study have in common.
pub(super) struct Together<'a> {
    pub(super) meta: &'a Meta,
    /// Which arm cost is a multiple of.
    pub(super) baseline: Option<usize>,
    pub(super) draws: u32,
}

/// Two arms over the trials that both have.
#[derive(Clone)]
pub(super) struct Contrast<'a> {
    /// Which arms.
    pub(super) arms: (usize, usize),
    /// Their trials, two by two.
    pub(super) trials: Vec<(&'a Trial, &'a Trial)>,
}

/// What draws say of two arms.
#[derive(Clone, Copy, Default)]
pub(super) struct Contrasted {
    /// Success of the first less that of the second.
    pub(super) difference: Option<Estimate>,
    /// Cost per task of the first as a multiple of the second's, over all trials.
    pub(super) cost_ratio: Option<Estimate>,
}

/// What was measured.
pub(super) struct Measured {
    /// For each arm.
    pub(super) measures: Vec<Measures>,
    /// For each contrast.
    pub(super) contrasts: Vec<Contrasted>,
}

impl Together<'_> {
    /// Measures all arms over the tasks of one set, or all.
    pub(super) fn measure(
        &self,
        tried: &[Tried<'_>],
        set: Option<&str>,
        contrasts: &[Contrast<'_>],
    ) -> Measured {
        let within = |trial: &&Trial| set.is_none_or(|set| trial.set == set);
        let trials: Vec<Vec<&Trial>> = tried
            .iter()
            .map(|tried| tried.trials.iter().copied().filter(within).collect())
            .collect();
        let tasks = Tasks::of(trials.iter().flatten().copied());
        let mut table = Table::new(tasks.0.len());
        let rows: Vec<_> = trials.iter().map(|trials| tasks.rows(trials)).collect();
        let costs: Vec<_> = rows
            .iter()
            .map(|rows| Costs::of(rows, &mut table))
            .collect();
        let baseline = self.baseline.and_then(|at| costs.get(at)).map(|it| it.cost);
        let asked: Vec<_> = rows
            .iter()
            .zip(&costs)
            .map(|(rows, costs)| Asking::of(rows, *costs, baseline, &mut table))
            .collect();
        let contrasted: Vec<_> = contrasts
            .iter()
            .map(|contrast| contrast.ask(&costs, &tasks, &mut table))
            .collect();

        let stream = format!("bootstrap/{}", set.unwrap_or_default());
        let found = table.find(self.draws, self.meta.data_seed, &stream);
        let measures = trials.iter().zip(asked).map(|(trials, asked)| {
            let mut measures = counts::counted(trials, self.meta);
            asked.fill(&found, &mut measures);
            if self.meta.benchmark == Benchmark::Own {
                // Nobody knows what their steps should give, nor whose output they saw.
                let spread = &mut measures.propagation;
                spread.epi_course_code = None;
                spread.epi_course_lineage = None;
                spread.epi_pooled = None;
            }
            measures
        });
        let of = |(difference, cost): (Asked, Option<Asked>)| Contrasted {
            difference: found.get(difference),
            cost_ratio: cost.and_then(|cost| found.get(cost)),
        };
        Measured {
            measures: measures.collect(),
            contrasts: contrasted.into_iter().map(of).collect(),
        }
    }
}

impl Contrast<'_> {
    fn ask(&self, costs: &[Costs], tasks: &Tasks<'_>, table: &mut Table) -> (Asked, Option<Asked>) {
        let first: Vec<&Trial> = self.trials.iter().map(|(a, _)| *a).collect();
        let rows = tasks.rows(&first);
        let differences = self
            .trials
            .iter()
            .map(|(a, b)| share(a.right) - share(b.right));
        let over = rows.column(table, differences);
        let under = rows.column(table, std::iter::repeat(1.0));
        let cost = |at: usize| costs.get(at).map(|it| it.cost);
        let ratio = cost(self.arms.0).zip(cost(self.arms.1));
        let ratio = ratio.map(|(a, b)| table.ask(Statistic::Quotient(a, b)));
        (table.ratio(over, under), ratio)
    }
}

/// The tasks of a scope, numbered in order.
struct Tasks<'a>(BTreeMap<(&'a str, &'a str), usize>);

impl<'a> Tasks<'a> {
    fn of(trials: impl Iterator<Item = &'a Trial>) -> Tasks<'a> {
        let names = trials.map(|trial| ((trial.set.as_str(), trial.task.as_str()), 0));
        let mut tasks: BTreeMap<_, usize> = names.collect();
        for (number, slot) in tasks.values_mut().enumerate() {
            *slot = number;
        }
        Tasks(tasks)
    }

    fn rows<'r>(&self, trials: &'r [&'a Trial]) -> Rows<'r, 'a> {
        let number = |trial: &&Trial| {
            let number = self.0.get(&(trial.set.as_str(), trial.task.as_str()));
            number.copied().unwrap_or(usize::MAX)
        };
        Rows {
            trials,
            tasks: trials.iter().map(number).collect(),
            count: self.0.len(),
        }
    }
}

/// Trials with the numbers of their tasks.
struct Rows<'r, 'a> {
    trials: &'r [&'a Trial],
    tasks: Vec<usize>,
    /// How many tasks there are, over all arms.
    count: usize,
}

impl Rows<'_, '_> {
    /// A column of these values, one for each trial, added up for each task.
    fn column(&self, table: &mut Table, values: impl Iterator<Item = f64>) -> Column {
        let mut sums = vec![0.0; self.count];
        for (task, value) in self.tasks.iter().zip(values) {
            if let Some(sum) = sums.get_mut(*task) {
                *sum += value;
            }
        }
        table.column(sums)
    }

    fn column_of(&self, table: &mut Table, of: impl Fn(&Trial) -> f64) -> Column {
        self.column(table, self.trials.iter().map(|trial| of(trial)))
    }
}

fn share(so: bool) -> f64 {
    f64::from(u8::from(so))
}

/// The columns of an arm that other arms are compared with.
#[derive(Clone, Copy)]
struct Costs {
    trials: Column,
    /// Per trial.
    cost: Ratio,
}

impl Costs {
    fn of(rows: &Rows<'_, '_>, table: &mut Table) -> Costs {
        let trials = rows.column_of(table, |_| 1.0);
        let money = rows.column_of(table, |trial| cost::usd(trial.spent.cost_micros as f64));
        Costs {
            trials,
            cost: Ratio {
                over: money,
                under: trials,
            },
        }
    }
}

/// What is asked about one arm.
struct Asking {
    success: Asked,
    strict: Asked,
    similarity: Asked,
    tools: Option<(Asked, Asked)>,
    epi: Asked,
    course_code: Asked,
    course_lineage: Asked,
    pooled: Asked,
    containment: Asked,
    p50: Asked,
    p95: Asked,
    mean: Asked,
    per_task: Asked,
    per_success: Asked,
    multiplier: Option<Asked>,
    calls: Asked,
    tokens: Asked,
}

impl Asking {
    fn of(rows: &Rows<'_, '_>, costs: Costs, baseline: Option<Ratio>, table: &mut Table) -> Asking {
        let column = |table: &mut Table, of: &dyn Fn(&Trial) -> f64| rows.column_of(table, of);
        let per_trial = |table: &mut Table, of: &dyn Fn(&Trial) -> f64| {
            let over = column(table, of);
            table.ratio(over, costs.trials)
        };

        let right = column(table, &|trial| share(trial.right));
        let needs_tools = rows.trials.iter().any(|trial| trial.tools.is_some());
        let tools = needs_tools.then(|| {
            let of = |of: fn(crate::trial::Tools) -> u32| {
                move |trial: &Trial| trial.tools.map_or(0.0, |tools| f64::from(of(tools)))
            };
            let needed = column(table, &of(|_| 1));
            let used = column(table, &of(|tools| u32::from(tools.right)));
            let calls = column(table, &of(|tools| tools.calls));
            let unknown = column(table, &of(|tools| tools.unknown));
            (table.ratio(used, needed), table.ratio(unknown, calls))
        });

        let reached = |trial: &Trial| trial.cascade.as_ref().map(|it| it.propagated.len());
        let traces = column(table, &|trial| share(reached(trial).is_some()));
        let propagated = column(table, &|trial| reached(trial).unwrap_or_default() as f64);
        let contained = column(table, &|trial| share(reached(trial) == Some(0)));
        let roots = column(table, &|trial| Roots::of(&trial.steps).roots as f64);
        let cascaded = column(table, &|trial| Roots::of(&trial.steps).cascaded as f64);

        let latencies = rows.trials.iter().map(|trial| counts::seconds(trial));
        let latencies = table.series(latencies.zip(rows.tasks.iter().copied()).collect());

        Asking {
            success: table.ratio(right, costs.trials),
            strict: per_trial(table, &|trial| {
                share(trial.right && trial.tools.is_none_or(|tools| tools.right))
            }),
            similarity: per_trial(table, &counts::similarity),
            tools,
            epi: table.ratio(propagated, traces),
            course_code: per_trial(table, &|trial| course_code(&trial.steps) as f64),
            course_lineage: per_trial(table, &|trial| course_lineage(&trial.steps) as f64),
            pooled: table.ratio(cascaded, roots),
            containment: table.ratio(contained, traces),
            p50: table.ask(Statistic::Percentile(latencies, 50)),
            p95: table.ask(Statistic::Percentile(latencies, 95)),
            mean: per_trial(table, &counts::seconds),
            per_task: table.ask(Statistic::Ratio(costs.cost)),
            per_success: table.ratio(costs.cost.over, right),
            multiplier: baseline.map(|it| table.ask(Statistic::Quotient(costs.cost, it))),
            calls: per_trial(table, &|trial| trial.spent.calls as f64),
            tokens: per_trial(table, &|trial| {
                (trial.spent.input_tokens + trial.spent.output_tokens) as f64
            }),
        }
    }

    /// Puts what was found where it belongs.
    fn fill(&self, found: &Found, measures: &mut Measures) {
        let get = |asked| found.get(asked);
        measures.success = get(self.success);
        measures.strict = get(self.strict);
        measures.similarity = get(self.similarity);
        if let Some((tools, (right, unknown))) = measures.tools.as_mut().zip(self.tools) {
            tools.right = get(right);
            tools.hallucination_rate = get(unknown);
        }
        let spread = &mut measures.propagation;
        spread.epi = get(self.epi);
        spread.reading = spread.epi.map(|epi| Reading::of(epi.value));
        spread.epi_course_code = get(self.course_code);
        spread.epi_course_lineage = get(self.course_lineage);
        spread.epi_pooled = get(self.pooled);
        spread.containment = get(self.containment);
        measures.latency.p50_s = get(self.p50);
        measures.latency.p95_s = get(self.p95);
        measures.latency.mean_s = get(self.mean);
        let cost = &mut measures.cost;
        cost.per_task_usd = get(self.per_task);
        cost.per_success_usd = get(self.per_success);
        cost.multiplier = self.multiplier.and_then(get);
        cost.calls_per_task = get(self.calls);
        cost.tokens_per_task = get(self.tokens);
    }
}
