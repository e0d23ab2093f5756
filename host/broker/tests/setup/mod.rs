//! A broker with one model, called `default`, that the plugin `agent` may use.

#![allow(dead_code, reason = "not every test needs all of it")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hotcell_broker::llm::{
    LlmError, LlmProvider, Message, Part, Request, Response, ResponseFormat, Role,
};
use hotcell_broker::meter::Meter;
use hotcell_broker::recall::AttemptLog;
use hotcell_broker::{Broker, Caller, Grants, Policy, Price, Route};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A broker and somebody who asks it.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) broker: Broker,
    pub(crate) caller: Caller,
}

impl Setup {
    /// One micro-dollar for each input token and two for each output token.
    pub(crate) fn new(provider: Arc<dyn LlmProvider>, timeout: Duration) -> Setup {
        let route = Route {
            provider,
            price: Price {
                input_micros_per_mtok: 1_000_000,
                output_micros_per_mtok: 2_000_000,
            },
            timeout,
            max_output_tokens: None,
        };
        let mut policy = Policy::default();
        let grants = Grants {
            llm: ["default".to_owned()].into(),
            ..Grants::default()
        };
        policy.plugin.insert("agent".to_owned(), grants);
        let models = BTreeMap::from([("default".to_owned(), route)]);
        Setup {
            broker: Broker::new(policy, models, Vec::new()).unwrap(),
            caller: caller(),
        }
    }

    pub(crate) async fn ask(&self, request: Request) -> Result<Response, LlmError> {
        self.broker.complete(&self.caller, request).await
    }
}

pub(crate) fn caller() -> Caller {
    Caller {
        run: "run".to_owned(),
        tenant: "tenant".to_owned(),
        task: "task".to_owned(),
        step: "step".to_owned(),
        attempt: 1,
        plugin: "agent".to_owned(),
        now_unix_ms: 0,
        deadline: Instant::now() + Duration::from_secs(3600),
        meter: Arc::new(Meter::default()),
        cancel: CancellationToken::new(),
        sequence: Arc::default(),
        depth: 0,
        behalf: Arc::default(),
        parent: None,
        log: AttemptLog::off(),
    }
}

/// One question in words.
pub(crate) fn question(text: &str) -> Request {
    let content = vec![Part::Text(text.to_owned())];
    Request {
        model: "default".to_owned(),
        messages: vec![Message {
            role: Role::User,
            content,
        }],
        tools: Vec::new(),
        response_format: ResponseFormat::Text,
        max_tokens: None,
        temperature: None,
        seed: None,
        stop: Vec::new(),
    }
}
