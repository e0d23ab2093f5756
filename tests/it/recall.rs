//! Guests that are run again from the journal: nothing is done, and they cannot
//! tell.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hotcell_broker::files::{FileAccess, FileGrant};
use hotcell_broker::llm::{
    Answer, Completion, FinishReason, LlmProvider, Message, Origin, Part, Request, Role, Usage,
};
use hotcell_broker::meter::{Meter, Records};
use hotcell_broker::recall::{AttemptLog, INTENT, Known, READ};
use hotcell_broker::store::journal::{Head, Journal, Options, Record, RunLog, Sync};
use hotcell_broker::tool::{EffectKind, ToolCall, ToolError, ToolOutput, ToolProvider, ToolSpec};
use hotcell_broker::{Broker, Caller, Grants, Policy, Price, Route};
use hotcell_runtime::compile::Compiler;
use hotcell_runtime::manifest::Limits;
use hotcell_runtime::task::{Output, Task};
use hotcell_runtime::{Cells, End, Plugin, Runtime, Settings};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::scene::component;

/// One model and one tool, which count how often they are asked.
struct World {
    asked: AtomicU32,
    specs: [ToolSpec; 1],
}

impl World {
    fn new() -> Arc<World> {
        let echo = ToolSpec {
            name: "echo".to_owned(),
            description: "says it again".to_owned(),
            input_schema: "{}".to_owned(),
            output_schema: None,
            effect: EffectKind::UnsafeToRepeat,
        };
        Arc::new(World {
            asked: AtomicU32::new(0),
            specs: [echo],
        })
    }

    fn next(&self) -> u32 {
        self.asked.fetch_add(1, Ordering::Relaxed)
    }

    fn asked(&self) -> u32 {
        self.asked.load(Ordering::Relaxed)
    }
}

#[async_trait::async_trait]
impl LlmProvider for World {
    fn origin(&self) -> Origin {
        Origin::Scripted
    }

    async fn complete(&self, _: &Broker, _: &Caller, _: &Request) -> Answer {
        let said = format!("answer {}", self.next());
        Answer::wall(Ok(Completion {
            message: Message {
                role: Role::Assistant,
                content: vec![Part::Text(said)],
            },
            finish: FinishReason::Stop,
            usage: Usage::default(),
            usage_estimated: true,
            model: "world-1".to_owned(),
        }))
    }
}

#[async_trait::async_trait]
impl ToolProvider for World {
    fn specs(&self) -> &[ToolSpec] {
        &self.specs
    }

    async fn call(&self, _: &Broker, _: &Caller, _: &ToolCall) -> Result<ToolOutput, ToolError> {
        Ok(ToolOutput {
            content: self.next().to_string(),
            is_error: false,
        })
    }
}

/// The guests, loaded once.
struct Guests {
    cells: Cells,
    probe: Plugin,
    wasi: Plugin,
    _runtime: Runtime,
}

fn guests() -> &'static Guests {
    static GUESTS: OnceLock<Guests> = OnceLock::new();
    GUESTS.get_or_init(|| {
        let state = Path::new(env!("CARGO_TARGET_TMPDIR")).join("recall");
        let settings = Settings {
            artifacts: Some(state),
            compiler: Compiler::Child(env!("CARGO_BIN_EXE_hotcell").into()),
            ..Settings::default()
        };
        let runtime = Runtime::new(&settings).unwrap();
        let load = |name: &str| {
            let bytes = std::fs::read(component(&format!("tests/guests/{name}"))).unwrap();
            let config = r#"{"some": "configuration"}"#;
            runtime.load(&bytes, Limits::default(), config).unwrap()
        };
        Guests {
            cells: runtime.cells(None),
            probe: load("probe"),
            wasi: load("wasi-probe"),
            _runtime: runtime,
        }
    })
}

/// A broker over the world; a folder is lent where there is one.
fn broker(world: &Arc<World>, folder: Option<&Path>) -> Broker {
    let lent = folder.map(|path| FileGrant {
        path: path.to_owned(),
        at: "/data".to_owned(),
        access: FileAccess::Read,
        quota_mib: 1,
        max_files: 1,
    });
    let grants = Grants {
        llm: ["default".to_owned()].into(),
        tools: ["echo".to_owned()].into(),
        files: lent.into_iter().collect(),
        ..Grants::default()
    };
    let plugin = ["probe", "wasi-probe"].map(|name| (name.to_owned(), grants.clone()));
    let route = Route {
        provider: Arc::clone(world) as _,
        price: Price::default(),
        timeout: Duration::from_secs(60),
        max_output_tokens: None,
    };
    let policy = Policy {
        plugin: plugin.into(),
        ..Policy::default()
    };
    let models = BTreeMap::from([("default".to_owned(), route)]);
    Broker::new(policy, models, vec![Arc::clone(world) as _]).unwrap()
}

/// Nothing is granted and there is nobody to ask.
fn nobody() -> Broker {
    Broker::new(Policy::default(), BTreeMap::new(), Vec::new()).unwrap()
}

/// How a call ended, and what it did.
async fn run(kind: &str, broker: &Broker, log: AttemptLog) -> (End<Output>, Records, AttemptLog) {
    let guests = guests();
    let plugin = match kind {
        "look" => &guests.probe,
        _ => &guests.wasi,
    };
    let meter = Arc::new(Meter::default());
    let caller = Caller {
        run: "run".to_owned(),
        tenant: "tenant".to_owned(),
        task: "task".to_owned(),
        step: "step".to_owned(),
        attempt: 1,
        plugin: plugin.manifest.name.clone(),
        now_unix_ms: 1_767_225_600_000,
        deadline: Instant::now() + Duration::from_secs(60),
        meter: Arc::clone(&meter),
        cancel: CancellationToken::new(),
        sequence: Arc::default(),
        depth: 0,
        behalf: Arc::default(),
        parent: None,
        log: log.clone(),
    };
    let task = Task {
        id: "task".to_owned(),
        kind: kind.to_owned(),
        input: "{}".to_owned(),
        previous: None,
        findings: Vec::new(),
        iteration: 1,
    };
    let end = guests.cells.run(plugin, broker, caller, task).await;
    (end, meter.records(), log)
}

struct Desk {
    _dir: TempDir,
    journal: Journal,
}

impl Desk {
    fn new() -> Desk {
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            take_over: false,
            sync: Sync::Off,
            owner: "a test".to_owned(),
            now_unix_ms: 1,
        };
        let journal = Journal::open(dir.path(), options).unwrap();
        Desk { _dir: dir, journal }
    }

    fn begin(&self) -> RunLog {
        self.journal.begin(Head {
            run: "run".to_owned(),
            tenant: "tenant".to_owned(),
            workflow: "w".to_owned(),
            task: "task".to_owned(),
            created_unix_ms: 1,
            parent: None,
        })
    }

    fn records(&self) -> Vec<Record> {
        self.journal.reader().records("run").unwrap()
    }
}

fn live(run: &RunLog) -> AttemptLog {
    AttemptLog::live(run.clone(), Arc::new(|| 9), Known::default())
}

fn known(records: &[Record]) -> Known {
    let mut all = Known::sort(records).unwrap();
    assert!(all.len() < 2);
    all.pop_first().map(|(_, known)| known).unwrap_or_default()
}

/// All that the guests read, and what is recorded of it.
fn reads(records: &[Record]) -> Vec<String> {
    let reads = records.iter().filter(|record| record.kind == READ);
    let what = |record: &Record| {
        let body: Value = serde_json::from_str(&record.body).unwrap();
        body["what"].as_str().unwrap().to_owned()
    };
    reads.map(what).collect()
}

#[tokio::test]
async fn a_guest_that_is_run_from_the_journal_does_the_same_and_touches_nothing() {
    let looks = [
        "context.current",
        "tools.list",
        "llm.embed",
        "llm.embed",
        "memory.get n k",
        "secrets.open",
    ];
    let waits = [
        "poll.ready",
        "monotonic-clock.now",
        "poll.poll",
        "poll.block",
        "monotonic-clock.now",
        "poll.ready",
    ];
    // Which guest, how often it asks for something, and what it reads.
    let table: [(&str, u32, Option<&[&str]>); 3] = [
        ("look", 4, Some(&looks)),
        ("wait-short", 0, Some(&waits)),
        // Clocks and random numbers, by a standard library.
        ("any", 0, None),
    ];
    for (kind, asks, expected) in table {
        let (desk, world) = (Desk::new(), World::new());
        let log = desk.begin();
        let (end, spent, _) = run(kind, &broker(&world, None), live(&log)).await;
        let End::Done(output) = &end else {
            panic!("{kind}: {end:?}");
        };
        log.end("done", Vec::new()).await.unwrap();
        let records = desk.records();
        assert_eq!(world.asked(), asks, "{kind}");
        let count = |kind| records.iter().filter(|record| record.kind == kind).count();
        assert_eq!(count(INTENT), asks as usize, "{kind}");
        let read = reads(&records);
        match expected {
            Some(expected) => assert_eq!(read, expected, "{kind}"),
            None => assert!(read.iter().any(|what| what == "wall-clock.now"), "{read:?}"),
        }

        let strict = AttemptLog::strict(known(&records));
        let (again, spent_again, log) = run(kind, &nobody(), strict).await;
        assert_eq!(log.halted(), None, "{kind}");
        assert_eq!(again, End::Done(output.clone()), "{kind}");
        assert_eq!(world.asked(), asks, "{kind}");
        assert!(!log.opaque());
        let told = |records: &Records| {
            let mut effects = serde_json::to_value(&records.effects).unwrap();
            let list = effects.as_array_mut().unwrap();
            list.sort_by_key(|effect| effect["sequence"].as_u64());
            (effects, serde_json::to_value(&records.refusals).unwrap())
        };
        assert_eq!(told(&spent_again), told(&spent), "{kind}");

        // What is missing in the journal is noticed, whatever it is.
        for missing in 0..records.len() {
            if records[missing].kind != INTENT && records[missing].kind != READ {
                continue;
            }
            let known = known(&records[..missing]);
            let (end, _, _) = run(kind, &nobody(), AttemptLog::strict(known)).await;
            assert_eq!(end.code(), "halted.diverged", "{kind} {missing}");
        }
    }
}

#[tokio::test]
async fn nobody_waits_for_what_was_waited_for_before() {
    let body = r#"{"v":1,"step":"step","attempt":1,"read":0,"what":"poll.block","value":null}"#;
    let record = Record {
        seq: 1,
        kind: READ.to_owned(),
        at_unix_ms: 9,
        body: body.to_owned(),
    };
    let log = AttemptLog::strict(known(&[record]));
    let (end, _, _) = run("wait-long", &nobody(), log).await;
    // It would have taken an hour.
    assert!(
        matches!(&end, End::Done(output) if output.value == "\"waited\""),
        "{end:?}"
    );
}

#[tokio::test]
async fn what_a_file_holds_is_not_in_the_journal_and_that_is_said() {
    let (desk, world) = (Desk::new(), World::new());
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    std::fs::write(folder.path().join("hello.txt"), "hello").unwrap();
    let log = desk.begin();
    let lent = broker(&world, Some(folder.path()));
    let (end, _, attempt) = run("files-read", &lent, live(&log)).await;
    assert_eq!(end.code(), "ok", "{end:?}");
    assert!(attempt.opaque());
    log.end("done", Vec::new()).await.unwrap();
    let known = known(&desk.records());
    assert!(known.opaque());
    let (end, spent, _) = run("files-read", &lent, AttemptLog::strict(known)).await;
    assert_eq!(end.code(), "halted.diverged");
    assert!(spent.effects.is_empty(), "{spent:?}");
}
