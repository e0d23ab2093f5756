//! The list of guards, and the test switch that turns one of them off.
//!
//! A guard that nobody can turn red is not proven. Each place that enforces
//! something asks [`Guard::on`] first; the hostile corpus runs its cases again
//! with one guard off and expects them to fail. In every build but the corpus's
//! the feature `switches` is absent and the question is the constant `true`.

macro_rules! guards {
    ($($(#[doc = $doc:literal])+ $name:ident = $word:literal,)+) => {
        /// Something the host enforces against a hostile guest.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Guard {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Guard {
            /// All of them.
            pub const ALL: &[Guard] = &[$(Guard::$name,)+];

            /// The word by which the corpus names it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Guard::$name => $word,)+
                }
            }
        }
    };
}

guards! {
    /// A call has so much fuel.
    Fuel = "fuel",
    /// A call that traps is charged all of its fuel.
    FuelAfterTrap = "fuel-after-trap",
    /// A call that nobody waits for any more is charged all the same.
    GivenUp = "given-up",
    /// A call has so much time.
    Deadline = "deadline",
    /// A busy guest is interrupted at every tick.
    Epoch = "epoch",
    /// Memories and tables of a cell count against one cap.
    MemoryCap = "memory-cap",
    /// One host call carries so many bytes.
    HostcallBytes = "hostcall-bytes",
    /// A plugin has so many calls under way.
    Concurrency = "concurrency",
    /// A queue has an end.
    Queue = "queue",
    /// Places go to the tenant that holds the fewest.
    Fairness = "fairness",
    /// Calls of calls go so deep.
    Depth = "depth",
    /// Busy guests take turns, by tenant.
    Turns = "turns",
    /// All cells of a tenant count against one cap.
    TenantMemory = "tenant-memory",
    /// What the host keeps for a cell counts against the cell's cap.
    HostBytes = "host-bytes",
    /// A call makes so many host calls.
    HostCalls = "host-calls",
    /// A call causes so many effects.
    Effects = "effects",
    /// A cell holds so many host objects.
    HostObjects = "host-objects",
    /// What guests say is escaped.
    TextGate = "text-gate",
    /// A call says so many bytes.
    LogBytes = "log-bytes",
    /// All calls of a run say so many bytes together.
    LogRate = "log-rate",
    /// So many refusals are told apart.
    RefusalBound = "refusal-bound",
    /// The words of a trap are cut.
    TrapText = "trap-text",
    /// Clocks tick in milliseconds.
    ClockGrain = "clock-grain",
    /// One call for random bytes gives so many.
    RandomBytes = "random-bytes",
    /// A cell holds so many handles of resources.
    Handles = "handles",
    /// Numbers of an answer are within the contract's ranges.
    Numbers = "numbers",
    /// A guest has so much stack.
    Stack = "stack",
    /// Compiled code is taken from nobody.
    Precompiled = "precompiled",
    /// What would take too much to compile is refused by counting.
    Precheck = "precheck",
    /// Instances are counted as often as they come to be.
    ExpandedInstances = "expanded-instances",
    /// A component keeps to its world.
    World = "world",
    /// Proposals that guests do not need are off.
    Features = "features",
    /// A compiler has so much processor time.
    CompileCpu = "compile-cpu",
    /// A compiler has so much address space.
    CompileMemory = "compile-memory",
    /// A compiler is killed after so much time.
    CompileWall = "compile-wall",
    /// A compiler makes so much code.
    CompileOutput = "compile-output",
    /// So many of one tenant wait for a compiler.
    CompileQueue = "compile-queue",
    /// Places at the compiler are shared fairly between tenants.
    CompileFair = "compile-fair",
    /// The same bytes are compiled once.
    CompileOnce = "compile-once",
    /// An artefact is used only under this host's seal.
    ArtifactSeal = "artifact-seal",
    /// A request goes to granted origins, with granted methods.
    EgressAllow = "egress-allow",
    /// A request reaches public addresses and those that were named.
    EgressAddress = "egress-address",
    /// What was judged is what is dialled: a name is looked up once.
    EgressPin = "egress-pin",
    /// Redirects are the guest's to follow.
    EgressRedirect = "egress-redirect",
    /// A request has so much time, from the look-up to the last byte.
    EgressDeadline = "egress-deadline",
    /// A body has so many bytes.
    EgressBody = "egress-body",
    /// A head has so many fields and bytes.
    EgressFields = "egress-fields",
    /// Fields that belong to the connection are the host's.
    EgressHeaders = "egress-headers",
    /// So many requests of an agent and of a tenant are under way at once.
    EgressConnections = "egress-connections",
    /// A cell sees the folders that its plugin was lent.
    FilesScope = "files-scope",
    /// What is lent for reading is not written.
    FilesAccess = "files-access",
    /// No links are made.
    FilesLinks = "files-links",
    /// One call writes so many bytes.
    FilesQuota = "files-quota",
    /// One call creates so many files.
    FilesCount = "files-count",
    /// A cell holds so many files open.
    FilesHandles = "files-handles",
    /// A path is so long and leads so deep.
    FilesDepth = "files-depth",
    /// A folder that holds pipes, sockets or devices is not lent.
    FilesSpecial = "files-special",
    /// Folders that the host needs, or that another may write, are not lent.
    FilesOverlap = "files-overlap",
}

impl Guard {
    /// Whether it is to be enforced. Costs nothing without the feature
    /// `switches`.
    #[cfg(not(feature = "switches"))]
    #[inline(always)]
    pub const fn on(self) -> bool {
        true
    }

    /// Whether it is to be enforced: not if [`SWITCH`] names it.
    #[cfg(feature = "switches")]
    pub fn on(self) -> bool {
        off() != Some(self.name())
    }
}

impl Guard {
    /// What is enforced: this limit, or without the guard that one.
    pub fn limit<T>(self, limit: T, without: T) -> T {
        if self.on() { limit } else { without }
    }
}

/// The variable that names the guard to be left out, in builds with the feature
/// `switches`: tests only.
#[cfg(feature = "switches")]
pub const SWITCH: &str = "HOTCELL_GUARD_OFF";

/// The guard that is left out.
#[cfg(feature = "switches")]
fn off() -> Option<&'static str> {
    use std::sync::LazyLock;
    #[expect(
        clippy::disallowed_methods,
        reason = "in tests alone, and a guard has no caller that could pass it in"
    )]
    static OFF: LazyLock<Option<String>> = LazyLock::new(|| std::env::var(SWITCH).ok());
    OFF.as_deref()
}

/// The same for a process that this one starts with an empty environment.
#[cfg(feature = "switches")]
pub fn switch() -> Option<(&'static str, &'static str)> {
    off().map(|word| (SWITCH, word))
}

/// Without the feature `switches` there is nothing to hand on.
#[cfg(not(feature = "switches"))]
pub const fn switch() -> Option<(&'static str, &'static str)> {
    None
}
