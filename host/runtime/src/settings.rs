//! How wasmtime is set up. Each line says why; nothing here is left to a
//! default that we rely on.

use std::path::PathBuf;

use hotcell_broker::bulkhead::Room;
use hotcell_broker::store::guard::Guard;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OperatorCost, OptLevel,
    PoolingAllocationConfig, RegallocAlgorithm, Strategy, WasmFeatures,
};

use crate::compile::{CompileLimits, Compiler};
use crate::warm::Meters;

/// One epoch: the grain of deadlines and of cancellation, 10 ms.
pub const TICK: std::time::Duration = std::time::Duration::from_millis(10);

/// The largest component that is looked at: 64 MiB.
pub const MAX_COMPONENT_BYTES: usize = 64 * 1024 * 1024;

/// Bytes one host call may copy out of a guest: 4 MiB. A prompt is the largest
/// thing a guest hands over.
pub const HOSTCALL_BYTES: usize = 4 * 1024 * 1024;

/// Host calls of one call of a plugin: 1 000 000. They burn no fuel, and an
/// ordinary plugin makes a few.
pub(crate) const HOST_CALLS: u64 = 1_000_000;

/// Fuel after which a guest looks up, whether there was a tick or not: somewhat
/// more than a tick's worth.
pub(crate) const FUEL_YIELD: u64 = 50_000_000;

/// Resource handles one cell may hold. Ordinary plugins hold a few.
pub(crate) const HANDLES: usize = 4096;

/// Host objects behind those handles.
pub const HOST_OBJECTS: usize = 1024;

/// The stack of a guest: 512 KiB. Of its memory's own stack the guest decides.
pub const GUEST_STACK: usize = 512 * 1024;

/// Core instances, memories and tables of one cell. A Rust plugin has 1–4, 1
/// and 1–2; JavaScript and Python ones up to 15, 3 and 15.
pub(crate) const INSTANCES: usize = 64;
pub(crate) const MEMORIES: usize = 4;
pub(crate) const TABLES: usize = 60;

/// Entries of one table. Python plugins need about 13 000.
pub(crate) const TABLE_ELEMENTS: usize = 30_000;

/// What the operator decides about cells.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Steps of workflows that may be under way at once: 1 to 10 000. More wait.
    pub cells: u32,
    /// Calls that those make (of tools, models, other agents) at once, beside
    /// them: 1 to 10 000.
    pub nested_cells: u32,
    /// The room of a plugin when neither its manifest nor the operator says
    /// anything.
    pub room: Room,
    /// What all cells of one tenant may hold together, in MiB.
    pub tenant_memory_mib: u32,
    /// Guests that may compute for long at the same time: as many as there are
    /// processors.
    pub turns: usize,
    /// Memory caps above this are refused, in MiB: 1 to 4096.
    pub max_memory_mib: u32,
    /// Where compiled components are kept; none keeps none.
    pub artifacts: Option<PathBuf>,
    /// Where strangers' components are compiled.
    pub compiler: Compiler,
    /// What compiling one of them may use.
    pub compile: CompileLimits,
    /// How many are compiled at once: at least 2. Each uses all processors, so
    /// more help little; the last place is never a tenant's second.
    pub compile_places: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            cells: 512,
            nested_cells: 256,
            room: Room::default(),
            tenant_memory_mib: 4096,
            turns: std::thread::available_parallelism().map_or(1, usize::from),
            max_memory_mib: 256,
            artifacts: None,
            compiler: Compiler::InProcess,
            compile: CompileLimits::default(),
            compile_places: std::thread::available_parallelism().map_or(2, |it| it.get().max(2)),
        }
    }
}

/// What one call of a plugin may use when neither its manifest nor the operator
/// says anything.
pub(crate) const DEFAULT_FUEL: u64 = 1_000_000_000;
pub(crate) const DEFAULT_MEMORY_MIB: u32 = 64;
pub(crate) const DEFAULT_DEADLINE_MS: u64 = 30_000;

/// The engine for these settings.
pub(crate) fn engine(settings: &Settings) -> wasmtime::Result<Engine> {
    metered_engine(settings, Meters::ALL)
}

/// The same with other meters, for the benchmark alone.
pub(crate) fn metered_engine(settings: &Settings, meters: Meters) -> wasmtime::Result<Engine> {
    let mut config = config(meters);
    // Workers are told, because it changes what they compile.
    config.memory_init_cow(settings.images());
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(settings)));
    Engine::new(&config)
}

/// Up to so many cells memories begin as images. Measured with `hotcell bench
/// density`: six mappings a cell with images and four without, of the 65,530 that
/// Linux allows; and 10,000 agents begin a third sooner without.
const IMAGES: u32 = 5_000;

impl Settings {
    /// All cells that may be there at once.
    pub(crate) fn places(&self) -> u32 {
        self.cells.saturating_add(self.nested_cells).max(1)
    }

    /// Whether a memory begins as an image that is mapped and copied when written
    /// to. A guest with megabytes of data (an interpreter) starts sooner and holds
    /// less so; one with kilobytes gains nothing.
    pub(crate) fn images(&self) -> bool {
        self.places() <= IMAGES
    }
}

/// An engine that compiles and runs nothing: it reserves no address space, and
/// what it compiles is what [`engine`] loads.
pub(crate) fn compiling_engine(images: bool) -> wasmtime::Result<Engine> {
    let mut config = config(Meters::ALL);
    config.memory_init_cow(images);
    Engine::new(&config)
}

pub(crate) fn config(meters: Meters) -> Config {
    let mut config = Config::new();

    // Cranelift with its backtracking allocator is the only pair that wasmtime
    // gives security advisories for. Name both; never take what is fastest.
    config.strategy(Strategy::Cranelift);
    config.cranelift_regalloc_algorithm(RegallocAlgorithm::Backtracking);
    config.cranelift_opt_level(OptLevel::Speed);

    // Both meters: fuel is a deterministic budget, epochs are the wall clock.
    config.consume_fuel(meters.fuel);
    config.epoch_interruption(meters.epoch);
    // Growing memory is work for the host: by default it costs no fuel at all.
    let mut cost = OperatorCost::default();
    cost.variable.memory_grow_per_page = 64;
    config.operator_cost(cost);

    // Replay needs the same bits from the same inputs.
    config.cranelift_nan_canonicalization(meters.one_nan);
    config.relaxed_simd_deterministic(true);

    config.wasm_features(WasmFeatures::all().difference(features()), false);
    config.wasm_features(features(), true);
    config.shared_memory(false);
    config.gc_support(false);
    config.concurrency_support(false);

    // A guest's stack is 512 KiB of a 2 MiB fibre: the rest is for host
    // functions, which abort the process when they overflow.
    config.max_wasm_stack(match Guard::Stack.on() {
        true => GUEST_STACK,
        false => 1536 * 1024,
    });
    config.async_stack_size(2 * 1024 * 1024);

    // Names in a trap come from the guest; 20 frames are enough to see where.
    // Guest DWARF is never parsed.
    config.wasm_backtrace_max_frames(std::num::NonZeroUsize::new(20));
    config.wasm_backtrace_details(wasmtime::WasmBacktraceDetails::Disable);

    config
}

/// Every proposal that our guests do not need is attack surface. Multi-memory
/// stays on: without it wasmtime aborts on ordinary JavaScript components.
pub(crate) fn features() -> WasmFeatures {
    let needed = WasmFeatures::WASM2
        .union(WasmFeatures::EXTENDED_CONST)
        .union(WasmFeatures::MULTI_MEMORY)
        .union(WasmFeatures::COMPONENT_MODEL)
        .difference(WasmFeatures::GC_TYPES);
    match Guard::Features.on() {
        true => needed,
        false => needed
            .union(WasmFeatures::MEMORY64)
            .union(WasmFeatures::TAIL_CALL)
            .union(WasmFeatures::RELAXED_SIMD)
            .union(WasmFeatures::WIDE_ARITHMETIC)
            .union(WasmFeatures::CUSTOM_PAGE_SIZES),
    }
}

/// The names of features, for the operator: `memory64`, `tail-call`.
pub(crate) fn feature_names(features: WasmFeatures) -> String {
    let name = |(name, _): (&str, WasmFeatures)| name.to_lowercase().replace('_', "-");
    features
        .iter_names()
        .map(name)
        .collect::<Vec<_>>()
        .join(", ")
}

fn pool(settings: &Settings) -> PoolingAllocationConfig {
    let cells = settings.places();
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(cells);
    pool.total_stacks(cells);
    // Most cells have one or two of each; a few have more. What a single cell
    // may have is bounded below. What nobody uses is address space alone: half as
    // many memories and tables made no difference to what 10 000 waiting agents
    // hold (`hotcell bench density`).
    pool.total_core_instances(cells.saturating_mul(6));
    pool.total_memories(cells.saturating_mul(2));
    pool.total_tables(cells.saturating_mul(4));
    pool.max_core_instances_per_component(INSTANCES as u32);
    pool.max_memories_per_component(MEMORIES as u32);
    pool.max_tables_per_component(TABLES as u32);
    pool.max_memories_per_module(MEMORIES as u32);
    pool.max_tables_per_module(TABLES as u32);
    pool.table_elements(TABLE_ELEMENTS);
    // A million globals cost host memory that no limiter sees; these two do.
    pool.max_core_instance_size(1 << 20);
    pool.max_component_instance_size(1 << 20);
    pool.max_memory_size((settings.max_memory_mib as usize) << 20);
    // Keep what an ordinary call dirtied and let the kernel say which pages
    // those were: cheaper than giving everything back and faulting it in again.
    pool.pagemap_scan(Enabled::Auto);
    pool.linear_memory_keep_resident(64 * 1024);
    pool.table_keep_resident(16 * 1024);
    pool.async_stack_keep_resident(16 * 1024);
    pool
}
