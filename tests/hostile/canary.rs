//! Twelve secrets, planted where a guest has no business and looked for in
//! everything that comes out: words, answers, records, log lines, what guests
//! were handed and what the model was asked.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::{Arc, Mutex};

/// All begin with this, so one search finds them all.
const NEEDLE: &str = "hotcell-canary-";

/// Variables of the environment that hold one each.
const VARIABLES: [&str; 4] = [
    "AWS_SECRET_ACCESS_KEY",
    "GITHUB_TOKEN",
    "HOTCELL_CANARY",
    "OPENAI_API_KEY",
];

/// The other places.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    Argument,
    WorkingFolder,
    StateFolder,
    ProviderKey,
    NeighbourConfig,
    NeighbourInput,
    NeighbourPrevious,
    PolicyOfAnother,
}

/// The canary of a place.
pub(crate) fn at(place: Place) -> String {
    format!("{NEEDLE}{:02}", VARIABLES.len() + place as usize)
}

/// Starts this program again with canaries in its environment, its arguments
/// and its folder. In the program so started: gives the arguments without them.
pub(crate) fn plant() -> Vec<String> {
    let argument = at(Place::Argument);
    let mut arguments: Vec<String> = std::env::args().collect();
    if arguments.last() == Some(&argument) {
        arguments.pop();
        return arguments;
    }
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("hostile");
    let work = folder.join("work");
    std::fs::create_dir_all(&work).unwrap();
    std::fs::write(work.join(".env"), at(Place::WorkingFolder)).unwrap();
    std::fs::write(folder.join("key"), at(Place::StateFolder)).unwrap();
    let variables = VARIABLES.iter().enumerate();
    let error = Command::new(std::env::current_exe().unwrap())
        .args(arguments.iter().skip(1))
        .arg(argument)
        .envs(variables.map(|(at, name)| (name, format!("{NEEDLE}{at:02}"))))
        // What glibc keeps of freed memory for later is no leak: have it keep little,
        // or a leak of the same size would not be seen.
        .env("MALLOC_MMAP_THRESHOLD_", "1048576")
        .env("MALLOC_TRIM_THRESHOLD_", "1048576")
        .current_dir(work)
        .exec();
    panic!("it cannot be started with canaries: {error}");
}

/// The first canary in a text.
pub(crate) fn find(text: &str) -> Option<&str> {
    let at = text.find(NEEDLE)?;
    text.get(at..at + NEEDLE.len() + 2)
}

/// Reads what is written to it, line by line, and keeps the lines that hold a
/// canary. What the neighbour is handed is its own and does not count.
#[derive(Clone, Default)]
pub(crate) struct Watch {
    found: Arc<Mutex<Vec<String>>>,
}

impl Watch {
    /// What has been found since the last time.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.found.lock().unwrap())
    }

    pub(crate) fn look(&self, what: &str, text: &str) {
        if let Some(canary) = find(text) {
            let mut found = self.found.lock().unwrap();
            found.push(format!("{canary} in {what}"));
        }
    }
}

/// The host writes a whole line at a time.
impl Write for Watch {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        if !text.contains("\"plugin\":\"neighbour\"") {
            self.look("what a guest was handed", &text);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
