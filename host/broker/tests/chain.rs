//! Several models behind one alias: who is asked, who answers instead, what is
//! remembered and for whom.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says loudly that it failed"
)]

mod setup;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use hotcell_broker::llm::{
    Answer, Completion, Degradation, FinishReason, LlmError, LlmProvider, Message, Origin, Part,
    Request, Response, ResponseFormat, Role, Usage,
};
use hotcell_broker::provider::chain::{Chain, ChainCounts, ChainLog, Habits, Link, Memory, When};
use hotcell_broker::store::books::Books;
use hotcell_broker::{Broker, Caller, Grants, Parts, Policy, Price, Route};
use setup::{caller, question};

/// Says its name and what it was asked, or fails as its name says.
struct Model {
    name: &'static str,
    asked: Arc<AtomicU64>,
}

#[async_trait]
impl LlmProvider for Model {
    fn origin(&self) -> Origin {
        Origin::Live
    }

    async fn complete(&self, _: &Broker, _: &Caller, request: &Request) -> Answer {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let Some(Part::Text(said)) = request.messages.last().and_then(|m| m.content.last()) else {
            panic!("a question in words");
        };
        let finish = match self.name {
            "down" => return Answer::wall(Err(LlmError::Unavailable("down".into()))),
            "busy" => return Answer::wall(Err(LlmError::RateLimited(Some(7)))),
            "picky" => return Answer::wall(Err(LlmError::Invalid("no".into()))),
            "silent" => return std::future::pending().await,
            "cut" => FinishReason::Length,
            _ => FinishReason::Stop,
        };
        let text = match self.name {
            "json" => "{}".to_owned(),
            name => format!("{name}: {said}"),
        };
        Answer::wall(Ok(Completion {
            message: Message {
                role: Role::Assistant,
                content: vec![Part::Text(text)],
            },
            finish,
            usage: Usage {
                input_tokens: 10,
                output_tokens: 0,
                ..Usage::default()
            },
            usage_estimated: false,
            model: self.name.to_owned(),
        }))
    }
}

struct Scene {
    broker: Broker,
    caller: Caller,
    asked: Vec<Arc<AtomicU64>>,
    log: ChainLog,
}

impl Scene {
    /// The n-th model costs n micro-dollars for each input token, from 1.
    fn new(models: &[(&'static str, When)], habits: Habits) -> Scene {
        Scene::of(models, habits, Policy::default())
    }

    fn of(models: &[(&'static str, When)], habits: Habits, mut policy: Policy) -> Scene {
        let mut asked = Vec::new();
        let mut price = 0;
        let links = models.iter().map(|(name, when)| {
            let count = Arc::new(AtomicU64::new(0));
            asked.push(Arc::clone(&count));
            price += 1_000_000;
            Link {
                alias: (*name).to_owned(),
                route: Route {
                    provider: Arc::new(Model { name, asked: count }),
                    price: Price {
                        input_micros_per_mtok: price,
                        output_micros_per_mtok: 0,
                    },
                    timeout: Duration::from_secs(5),
                    max_output_tokens: None,
                },
                when: *when,
            }
        });
        let chain = Chain::new(links.collect(), habits);
        let log = chain.log();
        for plugin in ["agent", "other"] {
            let grants = Grants {
                llm: ["default".to_owned()].into(),
                ..Grants::default()
            };
            policy.plugin.insert(plugin.to_owned(), grants);
        }
        let parts = Parts {
            policy,
            models: BTreeMap::from([("default".to_owned(), chain.route())]),
            books: Some(Books::in_memory().unwrap()),
            ..Parts::default()
        };
        Scene {
            broker: Broker::assemble(parts).unwrap(),
            caller: caller(),
            asked,
            log,
        }
    }

    async fn ask(&self, text: &str) -> Result<Response, LlmError> {
        self.broker.complete(&self.caller, question(text)).await
    }

    fn asked(&self) -> Vec<u64> {
        let asked = self.asked.iter();
        asked.map(|count| count.load(Ordering::Relaxed)).collect()
    }
}

fn said(response: &Response) -> &str {
    match response.completion.message.content.as_slice() {
        [Part::Text(text)] => text,
        other => panic!("not one text: {other:?}"),
    }
}

fn always(names: &[&'static str]) -> Vec<(&'static str, When)> {
    names.iter().map(|name| (*name, When::default())).collect()
}

fn remembering(similar: Option<f32>) -> Habits {
    Habits {
        memory: Some(Memory {
            ttl_ms: 1_000,
            similar,
        }),
        ..Habits::default()
    }
}

#[tokio::test(start_paused = true)]
async fn the_next_model_answers_for_one_that_cannot_and_everybody_is_told() {
    use Degradation::BackupModel;
    type Told = Result<(&'static str, Option<Degradation>, u64), LlmError>;
    let table: [(&[&'static str], Told); 6] = [
        (&["good", "better"], Ok(("good: q", None, 10))),
        (&["down", "good"], Ok(("good: q", Some(BackupModel), 20))),
        (
            &["busy", "silent", "good"],
            Ok(("good: q", Some(BackupModel), 30)),
        ),
        (&["down", "busy"], Err(LlmError::RateLimited(Some(7)))),
        (&["picky", "good"], Err(LlmError::Invalid("no".into()))),
        // Whole or not, it is the answer of the model that was asked for.
        (&["cut", "good"], Ok(("cut: q", None, 10))),
    ];
    for (names, expected) in table {
        let scene = Scene::new(&always(names), Habits::default());
        let found = scene.ask("q").await;
        let found = found
            .as_ref()
            .map(|it| (said(it), it.degraded, it.cost_micros));
        // Of several errors the last is told: who asks again begins where it ended.
        assert_eq!(found.map_err(Clone::clone), expected, "{names:?}");
        let effects = scene.caller.meter.records().effects;
        assert_eq!(effects.len(), 1, "one call, whoever answered");
        assert_eq!(
            effects[0].degraded,
            expected.ok().and_then(|(_, how, _)| how)
        );
    }
}

#[tokio::test]
async fn a_tier_is_chosen_by_what_is_known_and_the_next_is_asked_when_it_is_of_no_use() {
    let small = When {
        max_prompt_tokens: Some(10),
        ..When::default()
    };
    let habits = || Habits {
        tiers: true,
        ..Habits::default()
    };
    let scene = Scene::new(&[("small", small), ("large", When::default())], habits());
    let short = scene.ask("short").await.unwrap();
    assert_eq!((said(&short), short.degraded), ("small: short", None));
    let long = scene.ask(&"long ".repeat(20)).await.unwrap();
    assert!(said(&long).starts_with("large: "));
    assert_eq!(scene.asked(), [1, 1]);

    // Both are paid, and counted.
    let scene = Scene::new(&[("cut", small), ("large", When::default())], habits());
    let answer = scene.ask("q").await.unwrap();
    assert_eq!((said(&answer), answer.degraded), ("large: q", None));
    assert_eq!(answer.cost_micros, 30);
    assert_eq!(answer.completion.usage.input_tokens, 20);

    // Where JSON is asked for, words are of no use.
    let scene = Scene::new(&[("words", small), ("json", When::default())], habits());
    let mut request = question("q");
    request.response_format = ResponseFormat::JsonObject;
    let answer = scene.broker.complete(&scene.caller, request).await.unwrap();
    assert_eq!(said(&answer), "{}");

    // Little is more than nothing.
    let scene = Scene::new(&always(&["cut", "down"]), habits());
    assert_eq!(said(&scene.ask("q").await.unwrap()), "cut: q");
}

#[tokio::test]
async fn what_was_asked_before_is_answered_before_anybody_is_asked_until_it_expires() {
    let mut scene = Scene::new(&always(&["good"]), remembering(None));
    let first = scene.ask("q").await.unwrap();
    let again = scene.ask("q").await.unwrap();
    assert_eq!(said(&again), said(&first));
    assert_eq!((first.cost_micros, again.cost_micros), (10, 0));
    assert_eq!(
        (again.degraded, again.completion.usage),
        (None, Usage::default())
    );
    assert_eq!(scene.asked(), [1]);
    let counts = ChainCounts {
        calls: 2,
        known: 1,
        saved_micros: 10,
        ..ChainCounts::default()
    };
    assert_eq!(scene.log.counts(), counts);

    scene.ask("q!").await.unwrap();
    assert_eq!(scene.asked(), [2], "another question");
    scene.caller.now_unix_ms = 999;
    scene.ask("q").await.unwrap();
    assert_eq!(scene.asked(), [2]);
    scene.caller.now_unix_ms = 1_000;
    scene.ask("q").await.unwrap();
    assert_eq!(scene.asked(), [3], "expired");
}

#[tokio::test]
async fn nobody_is_given_what_another_was_answered() {
    let mut scene = Scene::new(&always(&["good"]), remembering(Some(0.1)));
    scene.ask("q").await.unwrap();
    for (tenant, plugin) in [("other", "agent"), ("tenant", "other")] {
        scene.caller.tenant = tenant.to_owned();
        scene.caller.plugin = plugin.to_owned();
        let before = scene.asked()[0];
        scene.ask("q").await.unwrap();
        assert_eq!(scene.asked()[0], before + 1, "{tenant} {plugin}");
    }
}

/// One that answers the first call alone.
struct Once(Model);

#[async_trait]
impl LlmProvider for Once {
    fn origin(&self) -> Origin {
        Origin::Live
    }

    async fn complete(&self, broker: &Broker, caller: &Caller, request: &Request) -> Answer {
        match self.0.asked.load(Ordering::Relaxed) {
            0 => self.0.complete(broker, caller, request).await,
            _ => Answer::wall(Err(LlmError::Timeout)),
        }
    }
}

#[tokio::test]
async fn when_nobody_answers_a_similar_answer_stands_in_and_then_the_operators_words() {
    let model = Model {
        name: "good",
        asked: Arc::default(),
    };
    let link = Link {
        alias: "good".to_owned(),
        route: Route {
            provider: Arc::new(Once(model)),
            price: Price::default(),
            timeout: Duration::from_secs(5),
            max_output_tokens: None,
        },
        when: When::default(),
    };
    let habits = Habits {
        safe_default: Some("ask a person".to_owned()),
        ..remembering(Some(0.7))
    };
    let mut scene = Scene::new(&[], Habits::default());
    let chain = Chain::new(vec![link], habits);
    let log = chain.log();
    let mut policy = Policy::default();
    let grants = Grants {
        llm: ["default".to_owned()].into(),
        ..Grants::default()
    };
    policy.plugin.insert("agent".to_owned(), grants);
    scene.broker = Broker::assemble(Parts {
        policy,
        models: BTreeMap::from([("default".to_owned(), chain.route())]),
        books: Some(Books::in_memory().unwrap()),
        ..Parts::default()
    })
    .unwrap();

    let question = "Which invoices of March are not paid?";
    scene.ask(question).await.unwrap();
    let near = scene
        .ask("Which invoice of March is not paid?")
        .await
        .unwrap();
    assert_eq!(said(&near), format!("good: {question}"));
    assert_eq!(near.degraded, Some(Degradation::CachedSimilar));
    let far = scene.ask("How do I make an omelette?").await.unwrap();
    assert_eq!(said(&far), "ask a person");
    assert_eq!(far.degraded, Some(Degradation::SafeDefault));
    let counts = log.counts();
    assert_eq!((counts.similar, counts.safe_default), (1, 1));
}

#[tokio::test]
async fn a_prompt_that_is_too_long_is_made_to_fit_before_it_is_sent() {
    let habits = Habits {
        fit_tokens: Some(20),
        ..Habits::default()
    };
    let scene = Scene::new(&always(&["good"]), habits);
    let answer = scene.ask(&"x".repeat(400)).await.unwrap();
    assert!(said(&answer).len() < 100, "{}", said(&answer));
    let counts = scene.log.counts();
    assert_eq!(counts.shortened, 1);
    assert!(counts.shortened_tokens >= 80, "{counts:?}");
}
