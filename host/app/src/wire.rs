//! The composition root: checked files in, a ready engine out. The only file
//! that names every crate.

pub(crate) mod audit;
mod chain;
mod component;
mod ledger;
mod model;
mod places;
mod secrets;
pub(crate) mod tools;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hotcell_broker::bulkhead::Room;
use hotcell_broker::delegate::AgentProvider;
use hotcell_broker::egress::Egress;
use hotcell_broker::ledger::Ledger;
use hotcell_broker::llm::{LlmProvider, Origin};
use hotcell_broker::meter::Meter;
use hotcell_broker::policy::TENANT;
use hotcell_broker::provider::capped::{Budget, Capped};
use hotcell_broker::provider::cassette::Misses;
use hotcell_broker::provider::chain::ChainLog;
use hotcell_broker::provider::faults::{FaultLog, Faulty, Injected};
use hotcell_broker::provider::remote::install_ring;
use hotcell_broker::recall::AttemptLog;
use hotcell_broker::tool::ToolProvider;
use hotcell_broker::{Broker, Caller, Parts, Policy, Route};
use hotcell_runtime::compile::Compiler;
use hotcell_runtime::manifest::{Kind, Limits};
use hotcell_runtime::{
    AgentPlugin, Cells, ModelPlugin, Plugin, Runtime, Settings, StartError, Tape, ToolPlugin,
};
use hotcell_store::Digest;
use hotcell_store::journal::Journal;
use hotcell_workflow::engine::progress::Teller;
use hotcell_workflow::engine::{self, Durable, Engine};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::agentarch::observer::Observer;
use crate::command::{Exit, Problem, WorkflowArgs};
use crate::definition::{Definition, FilesUsed, Pinned, Under};
use crate::folders;
use crate::manifest::endpoint::choose;
use crate::manifest::host::{Model, Provider};
use crate::manifest::records::Record;
use crate::manifest::workflow::{Role, Workflow};
use crate::manifest::{Checked, Files, problem};
use crate::report::usd;
use crate::state::{State, clock};
use component::{component_of, components, load};
pub(crate) use component::{not_a_plugin, read_component};
pub(crate) use model::connect;
use model::{Connected, recorder, replay, unusable};
use places::home;
pub(crate) use places::{default_cache, default_state};

/// Reads and checks the files a workflow consists of, `--model` included.
pub(crate) fn read(args: &WorkflowArgs) -> Result<Checked, Problem> {
    read_for(args, true)
}

/// The same for a workflow that works on its own records, or on others.
pub(crate) fn read_for(args: &WorkflowArgs, own_records: bool) -> Result<Checked, Problem> {
    let files = Files {
        workflow: args.workflow.clone(),
        host: args.host.clone(),
        policy: args.policy.clone(),
        own_records,
    };
    let wrong = |exit| move |problem: problem::Problem| Problem::new(exit, problem);
    let mut checked =
        crate::manifest::check(&files).map_err(|list| Problem::new(Exit::Files, list))?;
    if let Some(model) = &args.model {
        let choice = choose(model, args.price.as_deref()).map_err(wrong(Exit::CommandLine))?;
        checked
            .host
            .set_default(choice)
            .map_err(wrong(Exit::Files))?;
    }
    if let Some(file) = &args.record {
        checked.host.record_into(file);
    }
    if let Some(file) = &args.replay {
        checked.host.replay_from(file);
    }
    Ok(checked)
}

/// Everything a run needs.
pub(crate) struct Assembly {
    pub(crate) engine: Arc<Engine>,
    pub(crate) plugins: Vec<Arc<Plugin>>,
    pub(crate) models: Vec<ModelInUse>,
    /// Components that had to be compiled.
    pub(crate) compiled: u64,
    /// Where runs are kept; none if they are not.
    pub(crate) journal: Option<Journal>,
    /// What is spent, and of what.
    pub(crate) ledger: Ledger,
    /// Keeps the sandbox alive.
    #[expect(dead_code, reason = "it lives as long as this")]
    runtime: Arc<Runtime>,
}

impl Assembly {
    /// Whether all models are simulated: nobody waits for them.
    pub(crate) fn simulated(&self) -> bool {
        all_simulated(&self.models)
    }
}

fn all_simulated(models: &[ModelInUse]) -> bool {
    let simulated = |model: &ModelInUse| model.origin == Origin::Simulated;
    !models.is_empty() && models.iter().all(simulated)
}

/// A model that the run may call.
pub(crate) struct ModelInUse {
    pub(crate) alias: String,
    /// What answers, in words: `sim over reference-solver, seed 42`.
    pub(crate) what: String,
    pub(crate) origin: Origin,
    /// Injected faults, for simulations.
    pub(crate) faults: Option<FaultLog>,
    /// What its calls may cost, if there is a cap.
    pub(crate) budget: Option<Budget>,
    /// What was asked that a recording does not hold, for replays.
    pub(crate) misses: Option<Misses>,
    /// How often something else than one model answered, where that may be.
    pub(crate) chain: Option<ChainLog>,
}

/// What the operator chose for this run.
#[derive(Default)]
pub(crate) struct Options {
    /// Runs at once.
    pub(crate) concurrency: usize,
    /// Where compiled components are kept.
    pub(crate) cache: PathBuf,
    /// Where runs are kept; none if they are not.
    pub(crate) keep: Option<Keep>,
    /// What a run that goes on is made of.
    pub(crate) pinned: Option<Definition>,
    /// Where to write what guests were handed.
    pub(crate) tape: Option<PathBuf>,
    /// Who is told what runs do.
    pub(crate) teller: Teller,
    /// What a benchmark does to the models.
    pub(crate) bench: Option<Bench>,
}

/// What a benchmark does to the models.
pub(crate) struct Bench {
    /// Faults that do not happen although they are drawn.
    pub(crate) spared: Vec<Injected>,
    /// Who looks at what models ask tools for.
    pub(crate) observer: Observer,
    /// What all calls together may cost.
    pub(crate) budget: Option<Budget>,
}

/// Where runs are kept.
pub(crate) struct Keep {
    pub(crate) state: State,
    pub(crate) journal: Journal,
    pub(crate) files: FilesUsed,
}

/// Builds, loads and connects everything.
pub(crate) async fn assemble(checked: &Checked, options: &Options) -> Result<Assembly, Problem> {
    let workshop = Workshop::new(options)?;
    workshop.assemble(checked, options).await
}

/// A sandbox with the plugins that were loaded into it: several workflows may be
/// assembled from one.
pub(crate) struct Workshop {
    runtime: Arc<Runtime>,
    cells: Cells,
    /// Components by source.
    built: Mutex<BTreeMap<PathBuf, PathBuf>>,
    /// By alias: workflows that are assembled together spend together.
    budgets: Mutex<BTreeMap<String, Budget>>,
    /// By component, configuration and limits.
    loaded: Mutex<BTreeMap<Kept, Loaded>>,
}

/// What makes a loaded plugin another one.
type Kept = (PathBuf, String, String);

/// A plugin, and the bytes it was loaded from.
#[derive(Clone)]
struct Loaded {
    plugin: Arc<Plugin>,
    bytes: Arc<[u8]>,
}

impl Workshop {
    pub(crate) fn new(options: &Options) -> Result<Workshop, Problem> {
        install_ring();
        let runtime = sandbox(options)?;
        let cells = runtime.cells(tape(options.tape.as_deref())?);
        Ok(Workshop {
            runtime: Arc::new(runtime),
            cells,
            built: Mutex::default(),
            budgets: Mutex::default(),
            loaded: Mutex::default(),
        })
    }

    /// Components of these sources, built where that has not been done.
    fn components(&self, sources: &[&Path]) -> Result<BTreeMap<PathBuf, PathBuf>, Problem> {
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        let new: Vec<&Path> = sources
            .iter()
            .copied()
            .filter(|source| !built.contains_key(*source))
            .collect();
        built.extend(components(&new)?);
        Ok(built.clone())
    }

    /// What these plugins are, built where that has not been done: name to digest.
    pub(crate) fn digests(
        &self,
        sources: &[(&str, PathBuf)],
    ) -> Result<BTreeMap<String, Digest>, Problem> {
        let paths: Vec<&Path> = sources.iter().map(|(_, path)| path.as_path()).collect();
        let built = self.components(&paths)?;
        let digest = |(name, path): &(&str, PathBuf)| {
            let bytes = read_component(component_of(&built, path))?;
            Ok(((*name).to_owned(), Digest::of(&bytes)))
        };
        sources.iter().map(digest).collect()
    }

    /// The budget of a model, if it has one.
    fn budget(&self, alias: &str, model: &Model) -> Option<Budget> {
        let cap = model.budget?;
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        let budget = budgets.entry(alias.to_owned());
        Some(budget.or_insert_with(|| Budget::new(cap)).clone())
    }

    fn load(&self, path: &Path, limits: Limits, config: &str) -> Result<Loaded, Problem> {
        let key = (path.to_owned(), config.to_owned(), format!("{limits:?}"));
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = loaded.get(&key) {
            return Ok(found.clone());
        }
        let bytes = read_component(path)?;
        let plugin = load(&self.runtime, path, &bytes, limits, config)?;
        let bytes = bytes.into();
        Ok(loaded
            .entry(key)
            .or_insert(Loaded { plugin, bytes })
            .clone())
    }

    /// Who answers for an alias.
    fn provider(
        &self,
        alias: &str,
        model: &Model,
        solver: Option<Arc<Plugin>>,
        bench: Option<&Bench>,
    ) -> Result<(Arc<dyn LlmProvider>, ModelInUse), Problem> {
        let solved_by = solver
            .as_ref()
            .map(|s| s.manifest.name.clone())
            .unwrap_or_default();
        let plugin = solver.map(|plugin| ModelPlugin::new(self.cells.clone(), plugin));
        let mut faults = None;
        let mut misses = None;
        let (provider, mut what): Connected = match (&model.provider, plugin) {
            (
                Provider::Sim {
                    seed,
                    faults: rates,
                    ..
                },
                Some(plugin),
            ) => {
                let faulty = Faulty::new(Arc::new(plugin), rates.clone(), *seed).map_err(|e| {
                    unusable(alias, &e.to_string(), "see `faults` in the host file")
                })?;
                let spared = bench
                    .into_iter()
                    .flat_map(|bench| bench.spared.iter().cloned());
                let faulty = faulty.sparing(spared);
                faults = Some(faulty.log());
                (
                    Arc::new(faulty),
                    format!("sim over {solved_by}, seed {seed}"),
                )
            }
            (Provider::Plugin { .. }, Some(plugin)) => {
                (Arc::new(plugin), format!("the plugin {solved_by}"))
            }
            (Provider::Replay { file }, _) => {
                let (replay, what) = replay(alias, file)?;
                misses = Some(replay.misses());
                (Arc::new(replay), what)
            }
            _ => connect(alias, model)?
                .ok_or_else(|| Problem::failed("a model's plugin was not loaded"))?,
        };
        let origin = provider.origin();
        let budget = self.budget(alias, model);
        let provider = match &budget {
            Some(budget) => {
                what += &format!(", at most {}", usd(budget.spending().cap));
                Arc::new(Capped::new(provider, model.price, budget.clone()))
            }
            None => provider,
        };
        let provider = match bench.and_then(|bench| bench.budget.as_ref()) {
            Some(budget) => Arc::new(Capped::new(provider, model.price, budget.clone())),
            None => provider,
        };
        // What is known already costs nothing, so recordings come before the cap. A
        // run without one of its faults is no recording of anything.
        let twin = bench.is_some_and(|bench| !bench.spared.is_empty());
        let provider = match model.record.as_ref().filter(|_| !twin) {
            Some(file) => {
                what += &format!(", recorded in {}", file.display());
                Arc::new(recorder(alias, model, file, provider)?)
            }
            None => provider,
        };
        let provider = match bench {
            Some(bench) => bench.observer.around(provider),
            None => provider,
        };
        Ok((
            provider,
            ModelInUse {
                alias: alias.to_owned(),
                what,
                origin,
                faults,
                budget,
                misses,
                chain: None,
            },
        ))
    }

    /// Builds, loads and connects what one workflow needs.
    pub(crate) async fn assemble(
        &self,
        checked: &Checked,
        options: &Options,
    ) -> Result<Assembly, Problem> {
        let state = options.keep.as_ref().map(|keep| keep.state.dir());
        let policy = lend(checked, &options.cache, state)?;
        let workflow = &checked.workflow;
        let aliases = granted_aliases(checked);
        let models: BTreeMap<&String, &Model> = checked
            .host
            .models
            .iter()
            .filter(|(alias, _)| aliases.contains(*alias))
            .collect();

        let mut sources: Vec<&Path> = workflow
            .plugins
            .values()
            .map(|p| p.source.as_path())
            .collect();
        sources.extend(models.values().filter_map(|model| plugin_of(model)));
        let components = self.components(&sources)?;
        let cells = self.cells.clone();

        let mut plugins = BTreeMap::new();
        let mut pins = BTreeMap::new();
        for (name, declared) in &workflow.plugins {
            let path = component_of(&components, &declared.source);
            let config = Value::Object(declared.config.clone()).to_string();
            let Loaded { plugin, bytes } = self.load(path, declared.limits, &config)?;
            expect_name(name, &plugin.manifest.name, path)?;
            let component = checked.policy.is_for(name, Digest::of(&bytes));
            component.map_err(|problem| Problem::new(Exit::Plugin, problem))?;
            plugins.insert(name.clone(), plugin);
            if let Some(keep) = &options.keep {
                let pinned = Pinned {
                    digest: keep.state.keep(&bytes)?.hex(),
                    config,
                    limits: declared.limits,
                };
                pins.insert(name.clone(), pinned);
            }
        }
        for role in &workflow.roles {
            if let Some(plugin) = plugins.get(&role.named.name) {
                expect_role(role, plugin.manifest.kind)?;
            }
        }

        let mut solvers: BTreeMap<PathBuf, Arc<Plugin>> = BTreeMap::new();
        let mut routes = BTreeMap::new();
        let mut in_use = Vec::new();
        let plain = models.iter().filter(|(_, model)| !chain::chooses(model));
        for (alias, model) in plain {
            let solver = match plugin_of(model) {
                None => None,
                Some(source) => {
                    let path = component_of(&components, source);
                    let plugin = self.load(path, Limits::default(), "{}")?.plugin;
                    let name = plugin.manifest.name.clone();
                    expect_kind(
                        &name,
                        plugin.manifest.kind,
                        Kind::Model,
                        "a model's `plugin`",
                    )?;
                    solvers.insert(path.to_owned(), Arc::clone(&plugin));
                    Some(plugin)
                }
            };
            let (provider, info) = self.provider(alias, model, solver, options.bench.as_ref())?;
            let route = Route {
                provider,
                price: model.price,
                timeout: model.timeout,
                max_output_tokens: model.max_output_tokens,
            };
            routes.insert((*alias).clone(), route);
            in_use.push(info);
        }
        chain::put_together(&models, &mut routes, &mut in_use);

        let mut tools = tools(workflow, &plugins, &cells).await?;
        let egress = Arc::new(Egress::default());
        tools.extend(tools::connect(checked, &egress).await?);
        let books = ledger::books(state)?;
        let under = Under::of(&policy);
        let ledger = ledger::ledger(checked, &books)?;
        let about = (&*workflow.plan.name, &*policy.digest);
        let trail = state.map(|dir| audit::trail(dir, &books, about, &pins, &in_use));
        let secrets = secrets::connect(checked, &egress).await?;
        let parts = Parts {
            audit: trail.transpose()?,
            approvals: checked.host.approvals.clone(),
            policy,
            secrets,
            models: routes,
            tools,
            egress,
            books: Some(books),
            ledger: Some(ledger.clone()),
            clock: Some(clock()),
            agents: agents(&plugins, &cells),
        };
        let broker = Broker::assemble(parts).map_err(|e| {
            Problem::new(
                Exit::Plugin,
                miette::miette!(code = e.code(), help = tools::UNUSABLE, "{e}"),
            )
        })?;
        let all = plugins
            .values()
            .chain(solvers.values())
            .map(Arc::clone)
            .collect();
        let definition = match &options.pinned {
            Some(definition) => {
                definition.under.expect(&checked.policy.policy)?;
                definition.clone()
            }
            None => {
                let tools = workflow.tools.iter().map(|tool| tool.name.clone());
                let files = options.keep.as_ref().map(|keep| keep.files.clone());
                Definition::new(
                    workflow.plan.clone(),
                    pins,
                    tools.collect(),
                    files.unwrap_or_default(),
                    under,
                )
            }
        };
        let plan = definition.plan.clone();
        let tenant = definition.under.tenant().to_owned();
        let engine = Engine::new(plan, cells, broker, plugins, tenant)
            .map_err(|e| Problem::new(Exit::Plugin, miette::miette!("{e}")))?;
        let engine = match all_simulated(&in_use) {
            true => engine.simulated(),
            false => engine,
        };
        let engine = engine.telling(options.teller.clone());
        let engine = match &options.keep {
            None => engine,
            Some(keep) => engine.durable(Durable {
                journal: keep.journal.clone(),
                clock: clock(),
                definition: definition.text()?.into(),
            }),
        };
        Ok(Assembly {
            engine: Arc::new(engine),
            plugins: all,
            models: in_use,
            compiled: self.runtime.compiled(),
            journal: options.keep.as_ref().map(|keep| keep.journal.clone()),
            ledger,
            runtime: Arc::clone(&self.runtime),
        })
    }
}

/// An engine that only replays: no models, no tools, no grants, no network.
pub(crate) fn assemble_offline(
    definition: &Definition,
    state: &State,
    cache: &Path,
) -> Result<(Engine, Runtime), Problem> {
    let options = Options {
        concurrency: 1,
        cache: cache.to_owned(),
        ..Options::default()
    };
    let runtime = sandbox(&options)?;
    let mut plugins = BTreeMap::new();
    for (name, pinned) in &definition.plugins {
        let path = state.component(&pinned.digest);
        let bytes = state.bytes(&pinned.digest)?;
        let plugin = load(&runtime, &path, &bytes, pinned.limits, &pinned.config)?;
        plugins.insert(name.clone(), plugin);
    }
    let broker =
        Broker::new(Policy::default(), BTreeMap::new(), Vec::new()).map_err(Problem::failed)?;
    let (plan, cells) = (definition.plan.clone(), runtime.cells(None));
    let tenant = definition.under.tenant().to_owned();
    let engine = Engine::new(plan, cells, broker, plugins, tenant)
        .map_err(|e| Problem::new(Exit::Plugin, miette::miette!("{e}")))?;
    Ok((engine, runtime))
}

fn sandbox(options: &Options) -> Result<Runtime, Problem> {
    let cells = u32::try_from(options.concurrency)
        .unwrap_or(u32::MAX)
        .clamp(1, 10_000);
    let settings = Settings {
        cells,
        nested_cells: cells.saturating_mul(2).clamp(16, 1024),
        // A batch is not shed by its own width: the operator has said how many.
        room: Room {
            concurrency: cells.max(Room::default().concurrency),
            queue: cells.max(Room::default().queue),
        },
        artifacts: Some(options.cache.join("artifacts")),
        compiler: Compiler::Child(this_program()?),
        ..Settings::default()
    };
    Runtime::new(&settings).map_err(|error| {
        let help = match &error {
            StartError::Engine(_) => "cells reserve address space: lower `--concurrency`",
            StartError::Machine(shortage) => shortage.change(),
            StartError::Variable(_) => "unset it",
            StartError::Artifacts(_) => "name another folder with `--cache`",
        };
        let why = std::error::Error::source(&error).map(|why| format!(": {why}"));
        let why = why.unwrap_or_default();
        Problem::new(Exit::Failed, miette::miette!(help = help, "{error}{why}"))
    })
}

/// The policy, with its folders where they really are. Refuses to lend what the
/// host itself lives on.
pub(crate) fn lend(
    checked: &Checked,
    cache: &Path,
    state: Option<&Path>,
) -> Result<Policy, Problem> {
    let own: Vec<&Path> = [Some(cache), state].into_iter().flatten().collect();
    folders::lend(checked, &own, home().as_deref())
        .map_err(|problems| Problem::new(Exit::Files, problems))
}

/// The aliases that some plugin of the workflow may call, and those that answer for
/// them. Others are not even connected.
pub(crate) fn granted_aliases(checked: &Checked) -> BTreeSet<&String> {
    let of_workflow = |name: &String| checked.workflow.plugins.contains_key(name);
    let grants = checked
        .policy
        .policy
        .plugin
        .iter()
        .filter(|(name, _)| of_workflow(name));
    let granted = grants.flat_map(|(_, grants)| &grants.llm).collect();
    let mut all = chain::needed(&checked.host.models, &granted);
    // What is granted and not there is told by whoever looks for it.
    all.extend(granted);
    all
}

/// Refuses a plugin of another kind than the place takes that names it.
pub(crate) fn expect_role(role: &Role, is: Kind) -> Result<(), Problem> {
    let place = format!("`{}`", role.place);
    expect_kind(&role.named.name, is, role.kind, &place)
}

/// Refuses a plugin of another kind than its place asks for.
pub(crate) fn expect_kind(name: &str, is: Kind, must: Kind, role: &str) -> Result<(), Problem> {
    if is == must {
        return Ok(());
    }
    let help = format!("name a plugin of kind `{must}` there");
    let report = miette::miette!(
        help = help,
        "`{name}` is of kind `{is}`; {role} takes `{must}`"
    );
    Err(Problem::new(Exit::Plugin, report))
}

/// Refuses a plugin whose manifest gives another name than the workflow.
pub(crate) fn expect_name(name: &str, own: &str, path: &Path) -> Result<(), Problem> {
    if own == name {
        return Ok(());
    }
    let report = miette::miette!(
        help = "grants are by name, so the workflow must use the name in the plugin's manifest",
        "`{}` calls itself `{own}`, the workflow calls it `{name}`",
        path.display(),
    );
    Err(Problem::new(Exit::Plugin, report))
}

/// The model plugin behind an alias, where there is one.
pub(crate) fn plugin_of(model: &Model) -> Option<&Path> {
    match &model.provider {
        Provider::Sim { plugin, .. } | Provider::Plugin { plugin } => Some(plugin),
        Provider::Remote { .. }
        | Provider::Scripted { .. }
        | Provider::Replay { .. }
        | Provider::Hashed
        | Provider::Select => None,
    }
}

/// The agents of a workflow, for those that may ask them.
fn agents(plugins: &BTreeMap<String, Arc<Plugin>>, cells: &Cells) -> Vec<Arc<dyn AgentProvider>> {
    let agents = plugins
        .values()
        .filter(|it| it.manifest.kind == Kind::Agent);
    agents
        .map(|plugin| Arc::new(AgentPlugin::new(cells.clone(), Arc::clone(plugin))) as _)
        .collect()
}

/// Asks each tool plugin what it offers.
async fn tools(
    workflow: &Workflow,
    plugins: &BTreeMap<String, Arc<Plugin>>,
    cells: &Cells,
) -> Result<Vec<Arc<dyn ToolProvider>>, Problem> {
    // Asking for specs is no work for anybody: no grants, no models, no tools.
    let broker =
        Broker::new(Policy::default(), BTreeMap::new(), Vec::new()).map_err(Problem::failed)?;
    let mut tools: Vec<Arc<dyn ToolProvider>> = Vec::new();
    for tool in &workflow.tools {
        let Some(plugin) = plugins.get(&tool.name) else {
            continue;
        };
        let caller = start_caller(&tool.name);
        let tool_plugin = ToolPlugin::start(cells.clone(), Arc::clone(plugin), &broker, caller)
            .await
            .map_err(|why| {
                let report = miette::miette!("the tool `{}` cannot start: {why}", tool.name);
                Problem::new(Exit::Plugin, report)
            })?;
        tools.push(Arc::new(tool_plugin));
    }
    Ok(tools)
}

fn start_caller(plugin: &str) -> Caller {
    Caller {
        run: String::new(),
        tenant: TENANT.to_owned(),
        task: String::new(),
        step: "start".to_owned(),
        attempt: 1,
        plugin: plugin.to_owned(),
        now_unix_ms: now_unix_ms(),
        deadline: tokio::time::Instant::now() + Duration::from_secs(30),
        meter: Arc::new(Meter::default()),
        cancel: CancellationToken::new(),
        sequence: Arc::new(AtomicU32::new(0)),
        depth: 0,
        behalf: Arc::default(),
        parent: None,
        log: AttemptLog::off(),
    }
}

fn tape(path: Option<&Path>) -> Result<Option<Tape>, Problem> {
    let Some(path) = path else { return Ok(None) };
    let file = std::fs::File::create(path)
        .map_err(|e| Problem::failed(format!("cannot write `{}`: {e}", path.display())))?;
    Ok(Some(Tape::new(Box::new(file))))
}

/// An id for a run or for many that are started together.
pub(crate) fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// A record as the engine takes it: with a run id and a moment.
pub(crate) fn start_record(record: &Record) -> engine::Record {
    engine::Record {
        run: new_id(),
        task: record.id.clone(),
        input: record.value.to_string(),
        now_unix_ms: now_unix_ms(),
    }
}

/// This program, to be started again as a compile worker or to measure.
pub(crate) fn this_program() -> Result<PathBuf, Problem> {
    std::env::current_exe()
        .map_err(|e| Problem::failed(format!("this program cannot find itself: {e}")))
}

/// The one reading of the wall clock.
#[expect(clippy::disallowed_methods, reason = "time enters the program here")]
pub(crate) fn now_unix_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
