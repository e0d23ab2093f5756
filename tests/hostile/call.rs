//! What a call is made of: a task, a caller, a policy, and a broker with one
//! model.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use hotcell_broker::llm::{Answer, Completion, FinishReason, LlmProvider, Message, Origin, Part};
use hotcell_broker::llm::{Request, Role, Usage};
use hotcell_broker::meter::Meter;
use hotcell_broker::provider::secret::Secret;
use hotcell_broker::recall::AttemptLog;
use hotcell_broker::{Broker, Caller, Grants, Parts, Policy, Price, Route};
use hotcell_runtime::task::{Finding, Task};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::canary::{self, Place, Watch};
use crate::net;

/// What a guest is granted, and a canary that another one is.
pub(crate) fn policy(name: &str, grants: &Grants) -> Policy {
    let mut policy = Policy::default();
    policy.plugin.insert(name.to_owned(), grants.clone());
    let canary = Grants {
        llm: [canary::at(Place::PolicyOfAnother)].into(),
        ..Grants::default()
    };
    policy.plugin.insert("another".to_owned(), canary);
    policy
}

/// A broker with one model that says yes to everything, under a policy.
pub(crate) fn agreeable(policy: &Policy, model: Model, http: Duration) -> Broker {
    let route = Route {
        provider: Arc::new(model),
        price: Price::default(),
        timeout: Duration::from_secs(5),
        max_output_tokens: None,
    };
    broker(policy, route, http)
}

/// A broker with one model under a policy.
pub(crate) fn broker(policy: &Policy, route: Route, http: Duration) -> Broker {
    let models = BTreeMap::from([("default".to_owned(), route)]);
    Broker::assemble(Parts {
        policy: policy.clone(),
        models,
        egress: net::egress(http),
        ..Parts::default()
    })
    .unwrap()
}

/// A model that answers after a moment, knows a key, and counts.
pub(crate) struct Model {
    /// Never shown: that is the point.
    _key: Secret,
    pub(crate) asked: Arc<AtomicU64>,
    watch: Watch,
}

impl Model {
    /// One whose questions are watched.
    pub(crate) fn watched(watch: &Watch) -> Model {
        Model {
            _key: Secret::new(canary::at(Place::ProviderKey)),
            asked: Arc::default(),
            watch: watch.clone(),
        }
    }
}

#[async_trait]
impl LlmProvider for Model {
    fn origin(&self) -> Origin {
        Origin::Scripted
    }

    async fn complete(&self, _: &Broker, _: &Caller, request: &Request) -> Answer {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.watch
            .look("a request to the model", &format!("{request:?}"));
        // A call can be given up while the model thinks.
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        Answer::wall(Ok(Completion {
            message: Message {
                role: Role::Assistant,
                content: vec![Part::Text("yes".to_owned())],
            },
            finish: FinishReason::Stop,
            usage: Usage::default(),
            usage_estimated: false,
            model: "agreeable".to_owned(),
        }))
    }
}

/// A task with one finding, so that a guest is handed a list as well.
pub(crate) fn task(kind: &str, input: &str) -> Task {
    Task {
        id: "task".to_owned(),
        kind: kind.to_owned(),
        input: input.to_owned(),
        previous: None,
        findings: vec![Finding {
            pointer: "/total".to_owned(),
            code: "wrong-total".to_owned(),
            message: "The lines do not add up.".to_owned(),
        }],
        iteration: 1,
    }
}

/// A caller with a minute's time, in a run of its own.
pub(crate) fn caller(plugin: &str, tenant: &str) -> Caller {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    Caller {
        run: format!("run-{}", RUNS.fetch_add(1, Ordering::Relaxed)),
        tenant: tenant.to_owned(),
        task: "task".to_owned(),
        step: "step".to_owned(),
        attempt: 1,
        plugin: plugin.to_owned(),
        now_unix_ms: 1_767_225_600_000,
        deadline: Instant::now() + Duration::from_secs(60),
        meter: Arc::new(Meter::default()),
        cancel: CancellationToken::new(),
        sequence: Arc::new(AtomicU32::new(0)),
        depth: 0,
        behalf: Arc::default(),
        parent: None,
        log: AttemptLog::off(),
    }
}
