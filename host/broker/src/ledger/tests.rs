mod drawn;

use std::time::Duration;

use futures::future::join_all;

use super::*;

const NOON: u64 = 20_000 * 86_400_000 + 43_200_000;

fn usd(micros: u64) -> Allowance {
    Allowance {
        micros: Some(micros),
        tokens: None,
    }
}

fn micros(micros: u64) -> Worth {
    Worth { micros, tokens: 0 }
}

/// A plugin of a run that calls a model.
fn payer(run: &str) -> Payer<'_> {
    Payer {
        run,
        tenant: "local",
        plugin: "reader",
        behalf: &[],
        model: Some("default"),
        tool: None,
    }
}

fn run_cap(cap: u64) -> Rules {
    Rules {
        tenant: Caps {
            run: usd(cap),
            ..Caps::default()
        },
        ..Rules::default()
    }
}

fn day_cap(cap: u64) -> Rules {
    Rules {
        tenant: Caps {
            day: usd(cap),
            ..Caps::default()
        },
        ..Rules::default()
    }
}

fn open(books: &Books, rules: Rules) -> Ledger {
    open_at(books, rules, NOON)
}

fn open_at(books: &Books, rules: Rules, now: u64) -> Ledger {
    Ledger::open(books.clone(), rules, now, Alerts::default()).unwrap()
}

fn memory() -> Books {
    Books::in_memory().unwrap()
}

/// What stands in the account of this key.
fn account(books: &Books, key: &str) -> Account {
    let key = key.to_owned();
    let read = books.write_now(move |page| page.read(ACCOUNTS, &key));
    Result::<_, BooksError>::unwrap(read).unwrap_or_default()
}

fn day_account(books: &Books) -> Account {
    account(books, "local/all/day/20000")
}

fn holds(books: &Books) -> usize {
    let read = books.write_now(|page| page.list(HOLDS, "", None, 1_000));
    Result::<_, BooksError>::unwrap(read).len()
}

fn is_empty(result: Result<Hold, Barred>) -> Option<Empty> {
    match result {
        Err(Barred::Budget(empty)) => Some(empty),
        _ => None,
    }
}

fn busy(result: Result<Hold, Barred>) -> Option<Busy> {
    match result {
        Err(Barred::Rate(busy)) => Some(busy),
        _ => None,
    }
}

#[tokio::test]
async fn what_is_set_aside_bars_others_until_it_is_known_what_it_cost() {
    let books = memory();
    let ledger = open(&books, run_cap(100));
    let first = ledger.reserve(payer("r"), micros(60)).await.unwrap();
    let empty = is_empty(ledger.reserve(payer("r"), micros(41)).await).unwrap();
    assert_eq!(empty.line, "[budget] run_usd = 0.0001");
    assert_eq!(empty.raise, "[budget] run_usd = 0.0002");
    assert_eq!(ledger.left_micros(payer("r")).await, Ok(Some(40)));
    first.settle(micros(10)).await.unwrap();
    assert_eq!(ledger.left_micros(payer("r")).await, Ok(Some(90)));
    let second = ledger.reserve(payer("r"), micros(90)).await.unwrap();
    second.release().await.unwrap();
    let all = account(&books, "local/all/run/r");
    assert_eq!((all.settled, all.reserved), (micros(10), micros(0)));
    // Another run has an account of its own.
    let other = ledger.reserve(payer("s"), micros(100)).await;
    other.unwrap().settle(micros(100)).await.unwrap();
    assert_eq!(holds(&books), 0);
}

#[tokio::test]
async fn all_accounts_have_room_or_none_is_touched() {
    let books = memory();
    let mut rules = run_cap(1_000);
    rules.tenant.day = usd(500);
    let caps = Caps {
        run: usd(90),
        total: Allowance {
            micros: None,
            tokens: Some(50),
        },
        ..Caps::default()
    };
    rules.plugins.insert("reader".to_owned(), caps);
    rules.models.insert(
        "default".to_owned(),
        Caps {
            day: usd(80),
            ..Caps::default()
        },
    );
    let ledger = open(&books, rules);
    let table = [
        (micros(81), "[budget.model.default] day_usd = 0.00008"),
        (micros(91), "[budget.model.default] day_usd = 0.00008"),
        (
            Worth {
                micros: 1,
                tokens: 51,
            },
            "[plugin.reader] budget = { total_tokens = 50 }",
        ),
    ];
    for (most, line) in table {
        let empty = is_empty(ledger.reserve(payer("r"), most).await).unwrap();
        assert_eq!(empty.line, line);
    }
    let keys = ["all/run/r", "all/day/20000", "plugin/reader/run/r"];
    for key in keys {
        let key = format!("local/{key}");
        assert_eq!(account(&books, &key), Account::default(), "{key}");
    }
    let hold = ledger.reserve(payer("r"), micros(80)).await.unwrap();
    for key in keys {
        let key = format!("local/{key}");
        assert_eq!(account(&books, &key).reserved, micros(80), "{key}");
    }
    hold.settle(micros(3)).await.unwrap();
    for standing in ledger.shared("local").unwrap() {
        let Standing { line, reserved, .. } = &standing;
        assert_eq!(*reserved, 0, "{line}");
    }
}

#[tokio::test]
async fn what_an_agent_spends_for_another_is_paid_by_both_and_once_by_itself() {
    let books = memory();
    let mut rules = Rules::default();
    for plugin in ["parent", "child"] {
        let caps = Caps {
            run: usd(100),
            ..Caps::default()
        };
        rules.plugins.insert(plugin.to_owned(), caps);
    }
    let ledger = open(&books, rules);
    let behalf = ["parent", "child", "parent"].map(str::to_owned);
    let nested = Payer {
        plugin: "child",
        behalf: &behalf,
        ..payer("r")
    };
    let hold = ledger.reserve(nested, micros(60)).await.unwrap();
    hold.settle(micros(60)).await.unwrap();
    for plugin in ["parent", "child"] {
        let all = account(&books, &format!("local/plugin/{plugin}/run/r"));
        assert_eq!(all.settled, micros(60), "{plugin}");
    }
    let alone = Payer {
        plugin: "parent",
        ..payer("r")
    };
    assert!(is_empty(ledger.reserve(alone, micros(41)).await).is_some());
}

#[tokio::test]
async fn a_hold_that_is_dropped_is_charged_and_one_that_waits_is_given_back() {
    let books = memory();
    let ledger = open(&books, day_cap(100));
    drop(ledger.reserve(payer("r"), micros(70)).await.unwrap());
    tokio::task::yield_now().await;
    let all = day_account(&books);
    assert_eq!((all.settled, all.reserved), (micros(70), micros(0)));

    let mut rules = day_cap(100);
    rules.tenant_rate = Rate {
        per_minute: Some(1),
        wait: Duration::from_secs(120),
        ..Rate::default()
    };
    let books = memory();
    let ledger = open(&books, rules);
    let first = ledger.reserve(payer("r"), micros(10)).await.unwrap();
    first.settle(micros(10)).await.unwrap();
    let mut waits = Box::pin(ledger.reserve(payer("r"), micros(20)));
    assert!(futures::poll!(waits.as_mut()).is_pending());
    assert_eq!(day_account(&books).reserved, micros(20));
    drop(waits);
    tokio::task::yield_now().await;
    let all = day_account(&books);
    assert_eq!((all.settled, all.reserved), (micros(10), micros(0)));
}

#[tokio::test]
async fn what_a_process_left_bars_others_and_is_charged_when_its_run_goes_on() {
    let books = memory();
    let before = open(&books, day_cap(100));
    let left = before.reserve(payer("r"), micros(60)).await.unwrap();
    let after = open(&books, day_cap(100));
    assert!(is_empty(after.reserve(payer("s"), micros(41)).await).is_some());
    assert_eq!(day_account(&books).reserved, micros(60));
    let own = after.reserve(payer("s"), micros(10)).await.unwrap();
    assert_eq!(day_account(&books).reserved, micros(70));
    let hold = after.reserve(payer("r"), micros(30)).await.unwrap();
    let all = day_account(&books);
    assert_eq!((all.settled, all.reserved), (micros(60), micros(40)));
    // Whoever comes back from the dead pays nothing twice, and gives nothing back.
    left.settle(micros(1)).await.unwrap();
    assert_eq!(day_account(&books), all);
    hold.settle(micros(5)).await.unwrap();
    own.settle(micros(5)).await.unwrap();
    let all = day_account(&books);
    assert_eq!((all.settled, all.reserved), (micros(70), micros(0)));
    assert_eq!(holds(&books), 0);
}

#[tokio::test]
async fn a_day_ends_on_the_steady_clock_and_not_when_the_wall_clock_is_set_back() {
    let books = memory();
    let ledger = open(&books, day_cap(100));
    let spend = |ledger: Ledger| async move {
        let hold = ledger.reserve(payer("r"), micros(100)).await;
        match hold {
            Ok(hold) => hold.settle(micros(100)).await.is_ok(),
            Err(_) => false,
        }
    };
    assert!(spend(ledger).await);
    let day = 86_400_000;
    let table = [
        (NOON, false),
        (NOON - day, false),
        (NOON + day / 4, false),
        (NOON + day, true),
        (NOON, false),
        (NOON - 10 * day, false),
    ];
    for (wall, may) in table {
        let again = open_at(&books, day_cap(100), wall);
        assert_eq!(spend(again).await, may, "{wall}");
    }
}

#[tokio::test]
async fn numbers_that_no_account_holds_are_refused_and_never_wrap() {
    let books = memory();
    let ledger = open(&books, day_cap(u64::MAX - 1));
    let table = [(u64::MAX, false), (u64::MAX - 1, true), (1, false)];
    let mut held = Vec::new();
    for (most, may) in table {
        let hold = ledger.reserve(payer("r"), micros(most)).await;
        assert_eq!(hold.is_ok(), may, "{most}");
        held.extend(hold);
    }
    for hold in held {
        hold.settle(Worth {
            micros: u64::MAX,
            tokens: u64::MAX,
        })
        .await
        .unwrap();
    }
    assert_eq!(day_account(&books).settled.micros, u64::MAX);
    assert!(is_empty(ledger.reserve(payer("r"), micros(1)).await).is_some());
}

#[tokio::test]
async fn what_a_call_cost_beyond_what_was_set_aside_is_spent_and_shown() {
    let books = memory();
    let ledger = open(&books, day_cap(100));
    let hold = ledger.reserve(payer("r"), micros(10)).await.unwrap();
    hold.settle(micros(130)).await.unwrap();
    let all = day_account(&books);
    assert_eq!((all.settled, all.beyond), (micros(130), micros(120)));
    assert!(is_empty(ledger.reserve(payer("r"), micros(1)).await).is_some());
}

#[tokio::test]
async fn marks_are_told_of_once_and_anew_for_a_new_cap() {
    let books = memory();
    let mut heard = Vec::new();
    for (cap, spends) in [(100, [40, 10, 10, 35]), (200, [20, 20, 0, 60])] {
        for spend in spends {
            let ledger = open(&books, day_cap(cap));
            let hold = ledger.reserve(payer("r"), micros(spend)).await;
            if let Ok(hold) = hold {
                hold.settle(micros(spend)).await.unwrap();
            }
            let new = ledger.alerts().take_new();
            heard.push(new.iter().map(|alert| alert.percent).collect::<Vec<_>>());
        }
    }
    let expected: [&[u64]; 8] = [&[], &[50], &[], &[90], &[50], &[], &[], &[90]];
    assert_eq!(heard, expected);
}

#[tokio::test(start_paused = true)]
async fn calls_beyond_a_rate_wait_in_their_order_or_are_told_when_to_come_again() {
    let rate = Rate {
        per_minute: Some(60),
        burst: Some(2),
        wait: Duration::from_millis(2_500),
        ..Rate::default()
    };
    let rules = Rules {
        tenant_rate: rate,
        ..Rules::default()
    };
    let ledger = open(&memory(), rules);
    let started = tokio::time::Instant::now();
    let ask = |number: u64| {
        let ledger = ledger.clone();
        async move {
            let hold = ledger.reserve(payer("r"), Worth::default()).await;
            let after = busy(hold).map(|busy| busy.after_ms);
            (number, started.elapsed().as_millis(), after)
        }
    };
    let came = join_all((0..6).map(ask)).await;
    let expected = [
        (0, 0, None),
        (1, 0, None),
        (2, 1_000, None),
        (3, 2_000, None),
        (4, 0, Some(Some(500))),
        (5, 0, Some(Some(500))),
    ];
    assert_eq!(came, expected);
}

#[tokio::test(start_paused = true)]
async fn a_rate_outlives_its_process_and_no_clock_that_is_set_back_empties_it() {
    let books = memory();
    let rules = || Rules {
        plugin_rates: [(
            "reader".to_owned(),
            Rate {
                per_day: Some(2),
                ..Rate::default()
            },
        )]
        .into(),
        ..Rules::default()
    };
    let day = 86_400_000;
    let table = [
        (NOON, true),
        (NOON, true),
        (NOON, false),
        (NOON - day, false),
        (NOON + day / 4, false),
        (NOON + day / 2, true),
        (NOON + day / 2, false),
    ];
    for (wall, may) in table {
        let ledger = open_at(&books, rules(), wall);
        let hold = ledger.reserve(payer("r"), Worth::default()).await;
        assert_eq!(hold.is_ok(), may, "{wall}");
        // Another name is another plugin, but not another tenant.
        let other = Payer {
            plugin: "other",
            ..payer("r")
        };
        assert!(ledger.reserve(other, Worth::default()).await.is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn tokens_that_were_not_used_can_be_used_by_others() {
    let rules = Rules {
        tenant_rate: Rate {
            tokens_per_minute: Some(1_000),
            ..Rate::default()
        },
        ..Rules::default()
    };
    let ledger = open(&memory(), rules);
    let tokens = |tokens| Worth { micros: 0, tokens };
    assert!(ledger.bounds(payer("r")));
    let never = busy(ledger.reserve(payer("r"), tokens(1_001)).await).unwrap();
    assert_eq!(never.after_ms, None);
    let first = ledger.reserve(payer("r"), tokens(900)).await.unwrap();
    let full = busy(ledger.reserve(payer("r"), tokens(200)).await).unwrap();
    assert_eq!(full.line, "[rate] tokens_per_minute = 1000");
    assert_eq!(full.after_ms, Some(6_000));
    first.settle(tokens(100)).await.unwrap();
    assert!(ledger.reserve(payer("r"), tokens(900)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn so_many_calls_are_under_way_at_once_and_who_waits_goes_next() {
    let rate = Rate {
        concurrent: Some(1),
        wait: Duration::from_secs(1),
        ..Rate::default()
    };
    let rules = Rules {
        tool_rates: [("x.find".to_owned(), rate)].into(),
        ..Rules::default()
    };
    let ledger = open(&memory(), rules);
    let call = Payer {
        model: None,
        tool: Some("x.find"),
        ..payer("r")
    };
    let first = ledger.reserve(call, Worth::default()).await.unwrap();
    let mut second = Box::pin(ledger.reserve(call, Worth::default()));
    assert!(futures::poll!(second.as_mut()).is_pending());
    first.settle(Worth::default()).await.unwrap();
    let second = second.await.unwrap();
    let third = busy(ledger.reserve(call, Worth::default()).await).unwrap();
    assert_eq!(third.line, "[rate.tool.\"x.find\"] concurrent = 1");
    drop(second);
    assert!(ledger.reserve(call, Worth::default()).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_ledgers_on_one_folder_admit_exactly_what_the_cap_holds() {
    let dir = tempfile::tempdir().unwrap();
    let ledgers: Vec<Ledger> = (0..2)
        .map(|_| open(&Books::open(dir.path()).unwrap(), day_cap(1_000)))
        .collect();
    let races = (0..200).map(|number: usize| {
        let ledger = ledgers[number % 2].clone();
        tokio::spawn(async move {
            let hold = ledger
                .reserve(payer(&format!("r{number}")), micros(100))
                .await;
            if let Ok(hold) = hold {
                hold.settle(micros(100)).await.unwrap();
                return 1;
            }
            0
        })
    });
    let admitted: u32 = join_all(races).await.into_iter().map(Result::unwrap).sum();
    assert_eq!(admitted, 10);
    let books = Books::open(dir.path()).unwrap();
    let all = day_account(&books);
    assert_eq!((all.settled, all.reserved), (micros(1_000), micros(0)));
    assert_eq!(holds(&books), 0);
}
