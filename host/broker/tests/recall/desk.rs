//! A world that is asked, a broker in front of it, and a journal with one run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use hotcell_broker::llm::{
    Answer, Completion, FinishReason, LlmError, LlmProvider, Message, Origin, Part, Request, Role,
    Usage,
};
use hotcell_broker::recall::{AttemptLog, Known};
use hotcell_broker::store::journal::{Head, Journal, Options, Record, RunLog, Sync};
use hotcell_broker::tool::{EffectKind, ToolCall, ToolError, ToolOutput, ToolProvider, ToolSpec};
use hotcell_broker::{Broker, Caller, Grants, Policy, Price, Route};
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::setup::caller;

/// Answers with the number of the question, fails when told to, and counts.
pub(crate) struct World {
    pub(crate) asked: AtomicU32,
    pub(crate) origin: Origin,
    pub(crate) specs: Vec<ToolSpec>,
    /// What happens while it thinks.
    pub(crate) meanwhile: Option<Box<dyn Fn() + Send + std::marker::Sync>>,
    /// Nobody is answered, and this is told instead.
    pub(crate) silent: Option<Notify>,
}

impl World {
    pub(crate) fn asked(&self) -> u32 {
        self.asked.load(Ordering::Relaxed)
    }

    async fn next(&self, said: &str) -> Result<u32, LlmError> {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        if let Some(meanwhile) = &self.meanwhile {
            meanwhile();
        }
        if let Some(asked) = &self.silent {
            asked.notify_one();
            std::future::pending::<()>().await;
        }
        match said {
            "slow" => std::future::pending().await,
            "busy" => Err(LlmError::RateLimited(Some(5))),
            _ => Ok(number),
        }
    }
}

#[async_trait]
impl LlmProvider for World {
    fn origin(&self) -> Origin {
        self.origin
    }

    async fn complete(&self, _: &Broker, _: &Caller, request: &Request) -> Answer {
        let Some(Part::Text(said)) = request.messages.last().and_then(|m| m.content.last()) else {
            panic!("a question in words");
        };
        let completion = |number| Completion {
            message: Message {
                role: Role::Assistant,
                content: vec![Part::Text(format!("answer {number} to {said}"))],
            },
            finish: FinishReason::Stop,
            usage: Usage {
                input_tokens: 7,
                output_tokens: u64::from(number),
                ..Usage::default()
            },
            usage_estimated: number % 2 == 1,
            model: "world-1".to_owned(),
        };
        Answer::wall(self.next(said).await.map(completion))
    }
}

#[async_trait]
impl ToolProvider for World {
    fn specs(&self) -> &[ToolSpec] {
        &self.specs
    }

    async fn call(&self, _: &Broker, _: &Caller, call: &ToolCall) -> Result<ToolOutput, ToolError> {
        let mut said = ["slow", "busy"].into_iter();
        let said = said.find(|it| call.arguments.contains(it));
        let number = self.next(said.unwrap_or_default()).await;
        let number = number.map_err(|_| ToolError::InvalidArguments("busy".to_owned()))?;
        Ok(ToolOutput {
            content: format!("\"{} {number}\"", call.name),
            is_error: false,
        })
    }
}

/// Three tools, one of each kind; and the kind by which `pay` is known.
pub(crate) fn make(origin: Origin, pay: EffectKind) -> World {
    let tools = [
        ("find", EffectKind::ReadOnly),
        ("put", EffectKind::Idempotent),
        ("pay", pay),
    ];
    let spec = |(name, effect): (&str, EffectKind)| ToolSpec {
        name: name.to_owned(),
        description: String::new(),
        input_schema: "{}".to_owned(),
        output_schema: None,
        effect,
    };
    World {
        asked: AtomicU32::new(0),
        origin,
        specs: tools.map(spec).to_vec(),
        meanwhile: None,
        silent: None,
    }
}

pub(crate) fn ordinary() -> Arc<World> {
    Arc::new(make(Origin::Live, EffectKind::UnsafeToRepeat))
}

/// A broker over this world. Granted are these tools and this model, beside one
/// that does not exist.
pub(crate) fn broker(world: &Arc<World>, model: &str, tools: &[&str]) -> Broker {
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let grants = Grants {
        llm: set(&[model, "gone"]),
        tools: set(tools),
        ..Grants::default()
    };
    let policy = Policy {
        plugin: BTreeMap::from([("agent".to_owned(), grants)]),
        ..Policy::default()
    };
    let route = Route {
        provider: Arc::clone(world) as _,
        price: Price {
            input_micros_per_mtok: 1_000_000,
            output_micros_per_mtok: 2_000_000,
        },
        timeout: Duration::from_secs(60),
        max_output_tokens: None,
    };
    let models = BTreeMap::from([("default".to_owned(), route)]);
    Broker::new(policy, models, vec![Arc::clone(world) as _]).unwrap()
}

pub(crate) fn whole(world: &Arc<World>) -> Broker {
    broker(world, "default", &["find", "put", "pay", "missing"])
}

/// Nothing is granted and there is nobody to ask.
pub(crate) fn nobody() -> Broker {
    Broker::new(Policy::default(), BTreeMap::new(), Vec::new()).unwrap()
}

/// A journal with one run.
pub(crate) struct Desk {
    pub(crate) dir: Arc<TempDir>,
    journal: Option<Journal>,
}

impl Desk {
    pub(crate) fn new() -> Desk {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let journal = Some(open(&dir, false));
        Desk { dir, journal }
    }

    pub(crate) fn begin(&self) -> RunLog {
        self.journal.as_ref().unwrap().begin(Head {
            run: "run".to_owned(),
            tenant: "tenant".to_owned(),
            workflow: "w".to_owned(),
            task: "task".to_owned(),
            created_unix_ms: 1,
            parent: None,
        })
    }

    pub(crate) fn records(&self) -> Vec<Record> {
        let reader = self.journal.as_ref().unwrap().reader();
        reader.records("run").unwrap()
    }

    /// What the journal knows of the only attempt.
    pub(crate) fn known(&self) -> Known {
        let mut all = Known::sort(&self.records()).unwrap();
        assert!(all.len() < 2, "{:?}", all.keys());
        all.pop_first().map(|(_, known)| known).unwrap_or_default()
    }

    /// The run once more, as after a crash: what was not durable is gone.
    pub(crate) fn again(&mut self) -> RunLog {
        drop(self.journal.take());
        self.journal = Some(open(&self.dir, false));
        self.journal.as_ref().unwrap().adopt("run").unwrap().2
    }
}

pub(crate) fn open(dir: &TempDir, take_over: bool) -> Journal {
    let options = Options {
        take_over,
        sync: Sync::Off,
        owner: "a test".to_owned(),
        now_unix_ms: 1,
    };
    Journal::open(dir.path(), options).unwrap()
}

pub(crate) fn live(run: &RunLog, known: Known) -> Caller {
    with(AttemptLog::live(run.clone(), Arc::new(|| 9), known))
}

pub(crate) fn with(log: AttemptLog) -> Caller {
    Caller {
        log,
        deadline: Instant::now() + Duration::from_secs(3600),
        ..caller()
    }
}

pub(crate) fn call(name: &str, arguments: &str) -> ToolCall {
    ToolCall {
        id: format!("id of {name}"),
        name: name.to_owned(),
        arguments: arguments.to_owned(),
    }
}
