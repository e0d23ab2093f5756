//! Agents that ask agents, and what the journal has of it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says loudly that it failed"
)]

#[path = "../setup/mod.rs"]
mod setup;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use hotcell_broker::delegate::{self, AgentProvider, DelegateAsk, DelegateError};
use hotcell_broker::meter::Meter;
use hotcell_broker::recall::{AttemptLog, Below, Halt, INTENT, Known, RESULT};
use hotcell_broker::store::journal::{Head, Journal, Options, Record, RunLog, Sync};
use hotcell_broker::tool::{EffectKind, ToolCall, ToolError, ToolOutput, ToolProvider, ToolSpec};
use hotcell_broker::{Broker, Caller, Denial, Grants, Parts, Policy};

/// A payment that must not be made twice, and counts how often it was.
struct Till {
    paid: AtomicU32,
    specs: [ToolSpec; 1],
}

#[async_trait]
impl ToolProvider for Till {
    fn specs(&self) -> &[ToolSpec] {
        &self.specs
    }

    async fn call(&self, _: &Broker, _: &Caller, _: &ToolCall) -> Result<ToolOutput, ToolError> {
        let number = self.paid.fetch_add(1, Ordering::Relaxed);
        Ok(ToolOutput {
            content: number.to_string(),
            is_error: false,
        })
    }
}

/// An agent that pays, and says what the till said.
struct Payer {
    callers: Mutex<Vec<Caller>>,
}

#[async_trait]
impl AgentProvider for Payer {
    fn name(&self) -> &str {
        "payer"
    }

    async fn ask(
        &self,
        broker: &Broker,
        caller: &Caller,
        ask: &DelegateAsk,
    ) -> Result<String, DelegateError> {
        let step = delegate::path(&caller.step, "payer", caller.number());
        let own = Caller {
            log: caller.log.below(&step, caller.attempt),
            ..caller.nested("payer", step)
        };
        self.callers.lock().unwrap().push(own.clone());
        let call = ToolCall {
            id: "1".to_owned(),
            name: "pay".to_owned(),
            arguments: ask.input.clone(),
        };
        let paid = broker.call_tool(&own, call).await;
        if let Some(halt) = own.log.halted() {
            caller.log.halt(halt);
        }
        paid.map(|output| output.content)
            .map_err(|error| DelegateError::Failed(error.to_string()))
    }
}

struct Desk {
    broker: Broker,
    till: Arc<Till>,
    payer: Arc<Payer>,
    journal: Journal,
    _dir: tempfile::TempDir,
}

impl Desk {
    fn new() -> Desk {
        let spec = ToolSpec {
            name: "pay".to_owned(),
            description: String::new(),
            input_schema: "{}".to_owned(),
            output_schema: None,
            effect: EffectKind::UnsafeToRepeat,
        };
        let till = Arc::new(Till {
            paid: AtomicU32::new(0),
            specs: [spec],
        });
        let payer = Arc::new(Payer {
            callers: Mutex::default(),
        });
        let asks = Grants {
            delegate: ["payer".to_owned(), "nobody".to_owned()].into(),
            ..Grants::default()
        };
        let pays = Grants {
            tools: ["pay".to_owned()].into(),
            ..Grants::default()
        };
        let parts = Parts {
            policy: Policy {
                plugin: [("agent".to_owned(), asks), ("payer".to_owned(), pays)].into(),
                ..Policy::default()
            },
            tools: vec![Arc::clone(&till) as _],
            agents: vec![Arc::clone(&payer) as _],
            ..Parts::default()
        };
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            take_over: false,
            sync: Sync::Off,
            owner: "a test".to_owned(),
            now_unix_ms: 1,
        };
        Desk {
            broker: Broker::assemble(parts).unwrap(),
            till,
            payer,
            journal: Journal::open(dir.path(), options).unwrap(),
            _dir: dir,
        }
    }

    fn begin(&self, run: &str) -> RunLog {
        self.journal.begin(Head {
            run: run.to_owned(),
            tenant: "tenant".to_owned(),
            workflow: "w".to_owned(),
            task: "task".to_owned(),
            created_unix_ms: 1,
            parent: None,
        })
    }

    /// A caller that knows these records.
    fn caller(&self, run: &str, records: &[Record]) -> Caller {
        let mut below: Below = Known::sort(records).unwrap();
        let known = below.remove(&("step".to_owned(), 1)).unwrap_or_default();
        let log = AttemptLog::live_over(self.begin(run), Arc::new(|| 9), known, below);
        Caller {
            log,
            ..setup::caller()
        }
    }

    async fn ask(&self, caller: &Caller) -> Result<String, DelegateError> {
        self.broker.delegate(caller, request("payer", "{}")).await
    }

    fn paid(&self) -> u32 {
        self.till.paid.load(Ordering::Relaxed)
    }
}

fn request(agent: &str, input: &str) -> DelegateAsk {
    DelegateAsk {
        agent: agent.to_owned(),
        kind: "pay".to_owned(),
        input: input.to_owned(),
    }
}

/// Whose effects of which capability are in a meter.
fn effects(meter: &Meter) -> Vec<String> {
    let effects = meter.records().effects;
    let told = effects
        .iter()
        .map(|it| format!("{} {} {}", it.step, it.plugin, it.resource));
    told.collect()
}

#[tokio::test]
async fn an_agent_that_is_asked_is_in_the_journal_and_nothing_of_it_is_done_twice() {
    let desk = Desk::new();
    let caller = desk.caller("run", &[]);
    assert_eq!(desk.ask(&caller).await, Ok("0".to_owned()));
    let made = [
        "step/@payer.0 payer pay".to_owned(),
        "step agent payer".to_owned(),
    ];
    assert_eq!(effects(&caller.meter), made);
    let records = desk.journal.reader().records("run").unwrap();
    let kinds: Vec<_> = records.iter().map(|it| it.kind.as_str()).collect();
    assert_eq!(kinds, [INTENT, INTENT, RESULT, RESULT]);

    // So much of the journal survives a crash; what is paid, and what is told.
    for (run, left) in [("whole", 4), ("cut", 3)] {
        let caller = desk.caller(run, &records[..left]);
        assert_eq!(desk.ask(&caller).await, Ok("0".to_owned()), "{run}");
        assert_eq!(caller.log.halted(), None, "{run}");
        let mut told = effects(&caller.meter);
        told.sort();
        let mut made = made.to_vec();
        made.sort();
        assert_eq!((told, desk.paid()), (made, 1), "{run}");
    }

    // Nobody knows whether it was paid: that ends who asked as well, and there is
    // no result that would say otherwise.
    let caller = desk.caller("doubt", &records[..2]);
    desk.ask(&caller).await.unwrap_err();
    let halted = caller.log.halted();
    let Some(Halt::Doubt { step, .. }) = &halted else {
        panic!("{halted:?}");
    };
    assert_eq!((step.as_str(), desk.paid()), ("step/@payer.0", 1));
    let records = desk.journal.reader().records("doubt").unwrap();
    assert!(records.iter().all(|it| it.kind != RESULT), "{records:?}");
}

#[tokio::test]
async fn an_agent_is_asked_with_its_own_grants_and_one_level_deeper() {
    let desk = Desk::new();
    let caller = Caller {
        depth: 3,
        ..setup::caller()
    };
    desk.ask(&caller).await.unwrap();
    let own = desk.payer.callers.lock().unwrap().remove(0);
    assert_eq!((own.plugin.as_str(), own.depth), ("payer", 4));
    assert_eq!((&own.run, &own.tenant), (&caller.run, &caller.tenant));
    assert_eq!(*own.behalf, ["agent"]);
    assert!(own.deadline <= caller.deadline);
}

#[tokio::test]
async fn whoever_may_not_be_asked_is_not() {
    use DelegateError::{Denied, DepthExceeded, Failed, UnknownAgent};

    let desk = Desk::new();
    let granted = |what: &str| Denied(Denial::NotGranted(format!("delegate {what}")));
    let table = [
        ("agent", 0, request("other", "{}"), granted("other")),
        ("payer", 0, request("payer", "{}"), granted("payer")),
        ("agent", 0, request("nobody", "{}"), UnknownAgent),
        ("agent", 16, request("payer", "{}"), DepthExceeded),
    ];
    for (plugin, depth, ask, expected) in table {
        let caller = Caller {
            plugin: plugin.to_owned(),
            depth,
            ..setup::caller()
        };
        let told = desk.broker.delegate(&caller, ask.clone()).await;
        assert_eq!(told, Err(expected), "{ask:?}");
    }
    let caller = setup::caller();
    let told = desk.broker.delegate(&caller, request("payer", "{")).await;
    assert!(matches!(told, Err(Failed(_))), "{told:?}");
    let many = vec![request("payer", "{}"); 65];
    let told = desk.broker.delegate_all(&caller, many).await;
    assert!(told.len() == 65 && told.iter().all(Result::is_err));
    assert_eq!(desk.paid(), 0);
}
