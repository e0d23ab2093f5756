//! What must be true after every case, whatever it was: the process stands, and
//! nothing is left behind.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

static PANICS: AtomicU64 = AtomicU64::new(0);

/// Counts panics of any thread of this process, besides printing them.
pub(crate) fn count_panics() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, Ordering::SeqCst);
        print(info);
    }));
}

/// What this process holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    panics: u64,
    /// Resident bytes.
    resident: u64,
    mappings: usize,
    descriptors: usize,
    threads: usize,
    /// Calls that have a cell.
    cells: usize,
}

/// Resident memory may rise by a twentieth, or by this where that is more:
/// allocators and page caches keep some.
const SLACK: u64 = 16 << 20;

/// Mappings that come and go with heaps of threads and with pool slots used for
/// the first time.
const MAPPINGS: usize = 96;

/// How long the process has to come to rest.
const REST: Duration = Duration::from_secs(3);

impl Held {
    /// Now.
    pub(crate) fn now(cells: usize) -> Held {
        let count = |path: &str| std::fs::read_dir(path).unwrap().count();
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        Held {
            panics: PANICS.load(Ordering::SeqCst),
            resident: resident(),
            mappings: maps.lines().count(),
            descriptors: count("/proc/self/fd"),
            threads: count("/proc/self/task"),
            cells,
        }
    }

    /// What is held that was not before.
    pub(crate) fn left(self, before: Held) -> Option<String> {
        let slack = SLACK.max(before.resident / 20);
        let table = [
            ("panics", self.panics, before.panics),
            ("resident bytes", self.resident, before.resident + slack),
            (
                "mappings",
                self.mappings as u64,
                (before.mappings + MAPPINGS) as u64,
            ),
            (
                "descriptors",
                self.descriptors as u64,
                before.descriptors as u64,
            ),
            ("threads", self.threads as u64, before.threads as u64),
            ("cells", self.cells as u64, before.cells as u64),
        ];
        let found = table.iter().find(|(_, now, most)| now > most);
        found.map(|(what, now, most)| format!("{now} {what} are left, at most {most} may be"))
    }

    /// Waits until nothing is left, and says what is if something stays.
    pub(crate) fn rest(self, cells: impl Fn() -> usize) -> Result<(), String> {
        let started = Instant::now();
        loop {
            match Held::now(cells()).left(self) {
                None => return Ok(()),
                Some(left) if started.elapsed() > REST => return Err(left),
                Some(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }
}

/// Watches for the most memory that the process holds.
pub(crate) struct Peak {
    before: u64,
}

impl Peak {
    /// Forgets what was before. One attack at a time: the kernel keeps one mark
    /// for the process.
    pub(crate) fn from_now() -> Peak {
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        Peak { before: resident() }
    }

    /// How much it rose, if that was more than this.
    pub(crate) fn within(self, allowance: u64) -> Result<(), String> {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let mark = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let mark = mark.and_then(|rest| rest.trim().strip_suffix(" kB"));
        let risen = (mark.unwrap().parse::<u64>().unwrap() << 10).saturating_sub(self.before);
        match risen > allowance {
            true => Err(format!(
                "resident memory rose by {} MiB, at most {} may be",
                risen >> 20,
                allowance >> 20
            )),
            false => Ok(()),
        }
    }
}

/// Resident bytes of this process.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages = statm.split(' ').nth(1).unwrap();
    pages.parse::<u64>().unwrap() * 4096
}
