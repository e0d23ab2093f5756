//! Calls of which nobody knows whether they were made: which are made again,
//! which wait for somebody's word, and what is then done.

use std::sync::Arc;

use hotcell_broker::Caller;
use hotcell_broker::llm::Origin;
use hotcell_broker::recall::{AttemptLog, Halt, Known, Resolution, doubts};
use hotcell_broker::tool::EffectKind;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::desk::{Desk, World, broker, call, live, make, whole, with};
use super::setup::question;

/// What is asked, and how it may be repeated: by the tool's word for `pay`, by
/// where answers come from for the model.
#[derive(Clone, Copy, Debug)]
enum Asks {
    Find,
    Put,
    Pay(EffectKind),
    Model(Origin),
}

impl Asks {
    fn world(self) -> World {
        match self {
            Asks::Pay(effect) => make(Origin::Live, effect),
            Asks::Model(origin) => make(origin, EffectKind::UnsafeToRepeat),
            Asks::Find | Asks::Put => make(Origin::Live, EffectKind::UnsafeToRepeat),
        }
    }

    async fn ask(self, broker: &hotcell_broker::Broker, caller: &Caller) -> Value {
        let tool = match self {
            Asks::Find => "find",
            Asks::Put => "put",
            Asks::Pay(_) => "pay",
            Asks::Model(_) => {
                let answer = broker.complete(caller, question("one")).await;
                return serde_json::to_value(answer).unwrap();
            }
        };
        let answer = broker.call_tool(caller, call(tool, "{}")).await;
        serde_json::to_value(answer).unwrap()
    }

    /// A journal that ends between the intent and the result.
    async fn interrupted(self) -> Desk {
        let desk = Desk::new();
        let world = Arc::new(World {
            silent: Some(Notify::new()),
            ..self.world()
        });
        let caller = live(&desk.begin(), Known::default());
        self.interrupt(&world, &caller).await;
        desk
    }

    async fn interrupt(self, world: &Arc<World>, caller: &Caller) {
        let broker = whole(world);
        tokio::select! {
            answer = self.ask(&broker, caller) => panic!("{answer}"),
            () = world.silent.as_ref().unwrap().notified() => {}
        }
    }
}

/// What becomes of it.
#[derive(Debug, PartialEq)]
enum Fate {
    Asked,
    Waits,
    Told,
}

#[tokio::test]
async fn what_may_be_repeated_is_and_the_rest_waits_for_a_word() {
    use Asks::{Find, Model, Pay, Put};
    use EffectKind::{Idempotent, ReadOnly, UnsafeToRepeat};
    use Fate::{Asked, Told, Waits};
    use Resolution::{Fail, Repeat};
    let pay = Pay(UnsafeToRepeat);
    let table = [
        // Asked before, asked now, what somebody decided, what becomes of it.
        (Find, Find, None, Asked),
        (Put, Put, None, Asked),
        (pay, pay, None, Waits),
        (Pay(ReadOnly), pay, None, Waits),
        (pay, Pay(ReadOnly), None, Waits),
        (Pay(Idempotent), Pay(ReadOnly), None, Asked),
        (pay, pay, Some(Repeat), Asked),
        (pay, pay, Some(Fail), Told),
        (Find, Find, Some(Fail), Told),
        (
            Model(Origin::Scripted),
            Model(Origin::Scripted),
            None,
            Asked,
        ),
        (
            Model(Origin::Simulated),
            Model(Origin::Simulated),
            None,
            Asked,
        ),
        (Model(Origin::Plugin), Model(Origin::Plugin), None, Asked),
        (Model(Origin::Live), Model(Origin::Live), None, Waits),
        (Model(Origin::Scripted), Model(Origin::Live), None, Waits),
        (Model(Origin::Live), Model(Origin::Scripted), None, Waits),
        (
            Model(Origin::Live),
            Model(Origin::Live),
            Some(Repeat),
            Asked,
        ),
        (Model(Origin::Live), Model(Origin::Live), Some(Fail), Told),
    ];
    for (before, now, word, fate) in table {
        let case = format!("{before:?} {now:?} {word:?}");
        let mut desk = before.interrupted().await;
        let run = desk.again();
        if let Some(how) = word {
            let open = doubts(&desk.records()).unwrap();
            assert_eq!(open.len(), 1, "{case}");
            run.append(vec![open[0].resolve(how, 9)]).await.unwrap();
            assert_eq!(doubts(&desk.records()).unwrap(), [], "{case}");
        }
        let world = Arc::new(now.world());
        let caller = live(&run, desk.known());
        let answer = now.ask(&whole(&world), &caller).await;
        let found = match (world.asked(), caller.log.halted()) {
            (1, None) => Asked,
            (0, None) => Told,
            (0, Some(Halt::Doubt { call: 0, .. })) => Waits,
            other => panic!("{case}: {other:?}"),
        };
        assert_eq!(found, fate, "{case}");
        if fate == Told {
            assert!(answer.to_string().contains("operator decided"), "{answer}");
        }
        if fate == Waits {
            assert_eq!(desk.records().len(), 1, "{case}: nothing was written");
            assert_eq!(doubts(&desk.records()).unwrap().len(), 1, "{case}");
            continue;
        }
        assert_eq!(doubts(&desk.records()).unwrap(), [], "{case}");
        // From here on it is known, with what it cost.
        let replay = with(AttemptLog::strict(desk.known()));
        assert_eq!(now.ask(&whole(&world), &replay).await, answer, "{case}");
        let spent = |caller: &Caller| serde_json::to_value(caller.meter.records()).unwrap();
        assert_eq!(spent(&replay), spent(&caller), "{case}");
        assert_eq!(world.asked(), u32::from(fate == Asked), "{case}");
    }
}

#[tokio::test]
async fn a_word_counts_for_one_try() {
    let pay = Asks::Pay(EffectKind::UnsafeToRepeat);
    let mut desk = pay.interrupted().await;
    let run = desk.again();
    let open = doubts(&desk.records()).unwrap();
    run.append(vec![open[0].resolve(Resolution::Repeat, 9)])
        .await
        .unwrap();
    let silent = Arc::new(World {
        silent: Some(Notify::new()),
        ..pay.world()
    });
    pay.interrupt(&silent, &live(&run, desk.known())).await;
    let run = desk.again();
    assert_eq!(doubts(&desk.records()).unwrap().len(), 1);
    let caller = live(&run, desk.known());
    pay.ask(&whole(&silent), &caller).await;
    assert_eq!(caller.log.halted().unwrap().code(), "halted.in-doubt");
    assert_eq!(silent.asked(), 1);
}

#[tokio::test]
async fn what_is_not_granted_any_more_cannot_be_found_out_by_asking() {
    let table = [
        // What only reads may as well be denied; the others may have been done.
        (Asks::Find, None),
        (Asks::Put, Some("halted.in-doubt")),
        (
            Asks::Pay(EffectKind::UnsafeToRepeat),
            Some("halted.in-doubt"),
        ),
    ];
    for (asks, expected) in table {
        let mut desk = asks.interrupted().await;
        let run = desk.again();
        let world = Arc::new(asks.world());
        let caller = live(&run, desk.known());
        let answer = asks.ask(&broker(&world, "default", &[]), &caller).await;
        let halted = caller.log.halted();
        assert_eq!(halted.as_ref().map(Halt::code), expected, "{asks:?}");
        assert_eq!(world.asked(), 0);
        if expected.is_none() {
            assert_eq!(
                answer,
                json!({"Err": {"denied": {"not-granted": "tools find"}}})
            );
            run.append(Vec::new()).await.unwrap();
            let replay = with(AttemptLog::strict(desk.known()));
            assert_eq!(asks.ask(&whole(&world), &replay).await, answer);
        }
    }
}

#[tokio::test]
async fn a_replay_does_not_guess_what_came_of_a_call() {
    let find = Asks::Find;
    let desk = find.interrupted().await;
    let world = Arc::new(find.world());
    let replay = with(AttemptLog::strict(desk.known()));
    find.ask(&whole(&world), &replay).await;
    assert_eq!(replay.log.halted().unwrap().code(), "halted.diverged");
    assert_eq!(world.asked(), 0);
}

#[tokio::test]
async fn a_run_that_is_cancelled_leaves_its_call_in_doubt() {
    let pay = Asks::Pay(EffectKind::UnsafeToRepeat);
    let desk = Desk::new();
    let world = Arc::new(World {
        silent: Some(Notify::new()),
        ..pay.world()
    });
    let caller = live(&desk.begin(), Known::default());
    let broker = whole(&world);
    let cancel = async {
        world.silent.as_ref().unwrap().notified().await;
        caller.cancel.cancel();
    };
    let (answer, ()) = tokio::join!(pay.ask(&broker, &caller), cancel);
    assert_eq!(answer, json!({"Err": "cancelled"}));
    assert_eq!(caller.meter.records().effects[0].outcome, "cancelled");
    assert_eq!(doubts(&desk.records()).unwrap().len(), 1);
}
