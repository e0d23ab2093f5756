//! The places at which a test ends the process, as a power cut or a kill would.
//!
//! A promise about what survives is not proven before the process has died at
//! each of its steps. In every build but the tests' the feature `switches` is
//! absent and a point is nothing.

macro_rules! points {
    ($($(#[doc = $doc:literal])+ $name:ident = $word:literal,)+) => {
        /// A step between two things that must not be mistaken for one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Point {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Point {
            /// All of them, in the order in which an effect passes them.
            pub const ALL: &[Point] = &[$(Point::$name,)+];

            /// The word by which tests name it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Point::$name => $word,)+
                }
            }
        }
    };
}

points! {
    /// An effect was asked for, and nothing says so yet.
    BeforeIntent = "before-intent",
    /// That it will be done is durable.
    AfterIntent = "after-intent",
    /// Just before the request leaves.
    BeforeSend = "before-send",
    /// The request has left.
    AfterSend = "after-send",
    /// The answer is here.
    AfterResponse = "after-response",
    /// Before the answer is appended.
    BeforeResult = "before-result",
    /// The answer is durable.
    AfterResult = "after-result",
    /// Before whoever asked hears of it.
    BeforeAck = "before-ack",
    /// Some of a batch's records are in the transaction.
    MidBatch = "mid-batch",
    /// All of them are, and it is not committed.
    BeforeCommit = "before-commit",
    /// It is committed, and nobody was answered.
    AfterCommit = "after-commit",
}

/// The process passes a point. Costs nothing without the feature `switches`.
#[cfg(not(feature = "switches"))]
#[inline(always)]
pub const fn point(_: Point) {}

/// The variable that says where a process ends, as [`set()`] would: tests only.
#[cfg(feature = "switches")]
pub const SWITCH: &str = "HOTCELL_CRASH_AT";

/// Where this process ends, and how often it passes there until then.
#[cfg(feature = "switches")]
type End = (Point, std::sync::atomic::AtomicI64);

#[cfg(feature = "switches")]
static END: std::sync::OnceLock<Option<End>> = std::sync::OnceLock::new();

/// The process passes a point, and ends if that is the one that was set.
#[cfg(feature = "switches")]
pub fn point(passed: Point) {
    use std::sync::atomic::Ordering;
    if let Some((point, left)) = END.get_or_init(named)
        && *point == passed
        && left.fetch_sub(1, Ordering::SeqCst) == 1
    {
        std::process::abort();
    }
}

/// Sets where this process ends, once: a point's name, and after a colon which
/// passing of it, if not the first. False means that it is none, or was set before.
#[cfg(feature = "switches")]
pub fn set(end: &str) -> bool {
    parse(end).is_some_and(|end| END.set(Some(end)).is_ok())
}

/// Where the environment says that this process ends. A word that is none does not
/// end it, which whoever gave it sees.
#[cfg(feature = "switches")]
fn named() -> Option<End> {
    #[expect(
        clippy::disallowed_methods,
        reason = "in tests alone, and a point has no caller that could pass it in"
    )]
    let end = std::env::var(SWITCH).ok()?;
    parse(&end)
}

#[cfg(feature = "switches")]
fn parse(end: &str) -> Option<End> {
    let (name, passing) = end.split_once(':').unwrap_or((end, "1"));
    let point = Point::ALL.iter().find(|point| point.name() == name)?;
    let passing: i64 = passing.parse().ok().filter(|passing| *passing > 0)?;
    Some((*point, passing.into()))
}
