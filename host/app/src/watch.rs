//! What runs do while they do it: for the bar, and as JSON lines for programs. The
//! stream makes no run wait; what a slow reader missed is counted and said.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use hotcell_broker::text;
use hotcell_workflow::engine::progress::{Progress, Teller};
use indicatif::ProgressBar;
use tokio::sync::mpsc::Receiver;

use crate::command::Problem;
use crate::screen;

/// Who listens.
pub(crate) struct Watch {
    heard: Receiver<Progress>,
    /// Where the lines go, until that fails.
    to: Option<(PathBuf, File)>,
    under_way: u64,
    unsuccessful: u64,
    missed: u64,
}

impl Watch {
    /// Who tells, and who listens; into this file if there is one.
    pub(crate) fn new(path: Option<&Path>) -> Result<(Teller, Watch), Problem> {
        let open = |path: &Path| match File::create(path) {
            Ok(file) => Ok((path.to_owned(), file)),
            Err(error) => {
                let shown = path.display();
                Err(Problem::failed(format!("cannot write `{shown}`: {error}")))
            }
        };
        let to = path.map(open).transpose()?;
        let (teller, heard) = Teller::new();
        let watch = Watch {
            heard,
            to,
            under_way: 0,
            unsuccessful: 0,
            missed: 0,
        };
        Ok((teller, watch))
    }

    /// Listens for as long as anybody may tell something.
    pub(crate) async fn follow(&mut self, bar: &ProgressBar) {
        while let Some(progress) = self.heard.recv().await {
            self.take(&progress);
            bar.set_message(self.message());
        }
    }

    /// Takes what is left when all is done.
    pub(crate) fn finish(mut self) {
        while let Ok(progress) = self.heard.try_recv() {
            self.take(&progress);
        }
    }

    fn take(&mut self, progress: &Progress) {
        match progress {
            Progress::RunStarted { .. } => self.under_way += 1,
            Progress::RunEnded { status, .. } => {
                self.under_way = self.under_way.saturating_sub(1);
                self.unsuccessful += u64::from(status != "success");
            }
            Progress::Gap { missed } => self.missed += missed,
            _ => {}
        }
        let Some((path, file)) = &mut self.to else {
            return;
        };
        // They are plain data; none fails to be JSON.
        let line = serde_json::to_string(progress).unwrap_or_default();
        if let Err(error) = writeln!(file, "{}", text::json(&line)) {
            // The runs go on: they cost more than what is told of them.
            screen::note(&format!("no more events in `{}`: {error}", path.display()));
            self.to = None;
        }
    }

    fn message(&self) -> String {
        let missed = match self.missed {
            0 => String::new(),
            missed => format!(", {missed} events missed"),
        };
        format!(
            "{} under way, {} without success{missed}",
            self.under_way, self.unsuccessful
        )
    }
}
