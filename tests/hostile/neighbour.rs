//! The good neighbour: a plugin of another tenant that is called over and over
//! in the same host while strangers do their worst.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hotcell_broker::Policy;
use hotcell_runtime::manifest::Limits;
use hotcell_runtime::{Cells, Plugin};
use tokio::time::Instant;

use crate::call::{Model, agreeable, caller, task};
use crate::canary::{self, Place, Watch};
use crate::guest::{self, Encoding};
use crate::yard::Host;

/// The longest that one of its calls may take. The exact figures are `hotcell
/// bench neighbours`; this bound catches a host that stands still, on any
/// machine.
const PATIENCE: Duration = Duration::from_millis(1_000);

/// How its calls went.
#[derive(Default)]
pub(crate) struct Neighbour {
    longest: Mutex<Duration>,
    wrong: Mutex<Option<String>>,
    /// When its present call began.
    since: Mutex<Option<Instant>>,
}

/// One call of it. Its input and what came before hold canaries; its answer is
/// its input.
async fn call(plugin: Arc<Plugin>, cells: Cells) -> String {
    let mut task = task(
        "echo",
        &format!("\"{}\"", canary::at(Place::NeighbourInput)),
    );
    task.previous = Some(format!("\"{}\"", canary::at(Place::NeighbourPrevious)));
    let broker = agreeable(
        &Policy::default(),
        Model::watched(&Watch::default()),
        PATIENCE,
    );
    let caller = caller("neighbour", "good");
    let end = cells.run(&plugin, &broker, caller, task).await;
    end.code().to_owned()
}

impl Neighbour {
    /// Loads it and calls it many times at once, so that what a host keeps for
    /// good is there before anything is measured; then calls it for ever.
    pub(crate) fn move_in(host: &Host, tokio: &tokio::runtime::Runtime) -> Arc<Neighbour> {
        let good = guest::component(
            "neighbour",
            "@memory @answer @realloc \
             (func @run \
               (i32.store (i32.const 1032) (local.get 4)) \
               (i32.store (i32.const 1036) (local.get 5)) \
               (i32.const 1024))",
            Encoding::Utf8,
        );
        let config = format!("{{\"key\":\"{}\"}}", canary::at(Place::NeighbourConfig));
        let plugin = host.runtime.load(&good, Limits::default(), &config);
        let (plugin, cells) = (Arc::new(plugin.unwrap()), host.cells.clone());
        let warm = || tokio.spawn(call(Arc::clone(&plugin), cells.clone()));
        let warm: Vec<_> = std::iter::repeat_with(warm).take(64).collect();
        tokio.block_on(async {
            for one in warm {
                assert_eq!(one.await.unwrap(), "ok");
            }
        });
        let neighbour = Arc::new(Neighbour::default());
        let mine = Arc::clone(&neighbour);
        tokio.spawn(async move {
            let mut every = tokio::time::interval(Duration::from_millis(50));
            loop {
                every.tick().await;
                let started = Instant::now();
                mine.waits_since(Duration::ZERO);
                let code = call(Arc::clone(&plugin), cells.clone()).await;
                mine.ended(&code, started.elapsed());
            }
        });
        neighbour
    }

    /// A call of it began so long ago.
    pub(crate) fn waits_since(&self, ago: Duration) {
        *self.since.lock().unwrap() = Instant::now().checked_sub(ago);
    }

    /// Its call ended so, after this time.
    pub(crate) fn ended(&self, code: &str, took: Duration) {
        *self.since.lock().unwrap() = None;
        let mut longest = self.longest.lock().unwrap();
        *longest = took.max(*longest);
        if code != "ok" {
            *self.wrong.lock().unwrap() = Some(code.to_owned());
        }
    }

    /// Forgets how it went so far.
    pub(crate) fn forget(&self) {
        *self.longest.lock().unwrap() = Duration::ZERO;
        *self.wrong.lock().unwrap() = None;
    }

    /// Whether all of its calls ended well and in time, the present one
    /// included.
    pub(crate) fn is_well(&self) -> Result<(), String> {
        if let Some(code) = self.wrong.lock().unwrap().as_ref() {
            return Err(format!("the neighbour's call ended as {code}"));
        }
        let since = *self.since.lock().unwrap();
        let present = since.map_or(Duration::ZERO, |since| since.elapsed());
        let longest = present.max(*self.longest.lock().unwrap());
        match longest > PATIENCE {
            true => Err(format!("the neighbour waited {longest:?} for an answer")),
            false => Ok(()),
        }
    }
}
