use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;
/// When things are asked here.
const T: u64 = 100 * DAY;

fn new(run: &str, rules: Rules) -> New {
    let ask = ApprovalAsk {
        action: "pay invoice".to_owned(),
        arguments: r#"{"invoice":"i-1"}"#.to_owned(),
        reason: String::new(),
        amount_micros: None,
        irreversible: true,
        classification: None,
    };
    New {
        bound: Bound {
            tenant: "t".to_owned(),
            run: run.to_owned(),
            task: "k".to_owned(),
            step: "s".to_owned(),
            attempt: 1,
            call: 0,
            agent: "a".to_owned(),
            component: "sha256:1".to_owned(),
            action: ask.action.clone(),
            arguments: "sha256:2".to_owned(),
        },
        ask,
        risk: Risk {
            score: 50,
            because: Vec::new(),
        },
        started_by: "maria".to_owned(),
        rules,
    }
}

fn hour() -> Rules {
    Rules {
        expires_s: 3600,
        ..Rules::default()
    }
}

fn yes(by: &str, at_unix_ms: u64) -> Decided {
    Decided {
        approved: true,
        by: by.to_owned(),
        claims: None,
        comment: None,
        at_unix_ms,
    }
}

fn approve(books: &Books, id: &str, by: &str, at: u64) -> Result<(), NotTaken> {
    decide(books, id, None, yes(by, at), |_| Ok(())).map(drop)
}

async fn stands(books: &Books, run: &str, at: u64) -> Standing {
    let bound = new(run, hour()).bound;
    standing(books, bound, at).await.unwrap().unwrap()
}

fn told(by: &str) -> Standing {
    Standing::Decided(yes(by, 0).told())
}

#[tokio::test]
async fn what_is_decided_is_used_by_the_call_that_asked_and_by_no_other() {
    let books = Books::in_memory().unwrap();
    let id = new("r", hour()).bound.id();
    assert_eq!(ask(&books, new("r", hour()), T).await, Ok(Standing::Waits));
    assert_eq!(stands(&books, "r", T).await, Standing::Waits);
    approve(&books, &id, "jo", T + 1).unwrap();
    assert_eq!(stands(&books, "r", T + 2).await, told("jo"));
    // The same call asks again: its host died before it told.
    assert_eq!(stands(&books, "r", T + 2 * HOUR).await, told("jo"));
    let again = approve(&books, &id, "jo", T + 3);
    assert_eq!(again, Err(NotTaken::Decided("jo".to_owned())));
    // Another run has asked nothing.
    let other = standing(&books, new("q", hour()).bound, T).await.unwrap();
    assert_eq!(other, None);
}

#[tokio::test]
async fn a_decision_under_another_calls_id_is_not_its_own() {
    let books = Books::in_memory().unwrap();
    ask(&books, new("r", hour()), T).await.unwrap();
    let id = new("r", hour()).bound.id();
    approve(&books, &id, "jo", T).unwrap();
    let other = new("q", hour()).bound;
    let to = other.id();
    let moved: Result<(), BooksError> = books.write_now(move |page| {
        let asked = page.get(SHELF, &id)?.unwrap_or_default();
        page.put(SHELF, &to, &asked)
    });
    moved.unwrap();
    let found = standing(&books, other, T).await.unwrap();
    assert_eq!(found, Some(Standing::Invalid(Invalid::Run)));
}

#[tokio::test]
async fn who_started_a_run_may_say_no_about_it_and_not_yes() {
    for (allowed, by, expected) in [
        (false, "jo", Ok(())),
        (
            false,
            "maria",
            Err(NotTaken::SamePerson("maria".to_owned())),
        ),
        (true, "maria", Ok(())),
    ] {
        let books = Books::in_memory().unwrap();
        let rules = Rules {
            self_approval: allowed,
            ..hour()
        };
        let id = new("r", hour()).bound.id();
        ask(&books, new("r", rules), T).await.unwrap();
        assert_eq!(approve(&books, &id, by, T), expected);
        let no = Decided {
            approved: false,
            ..yes("maria", T)
        };
        let taken = decide(&books, &id, None, no, |_| Ok(()));
        assert_eq!(taken.is_ok(), expected.is_err());
    }
}

#[tokio::test]
async fn other_arguments_than_those_looked_at_are_not_approved() {
    let books = Books::in_memory().unwrap();
    let id = new("r", hour()).bound.id();
    ask(&books, new("r", hour()), T).await.unwrap();
    let other = Some("sha256:3".to_owned());
    let taken = decide(&books, &id, other, yes("jo", T), |_| Ok(()));
    assert_eq!(taken.unwrap_err(), NotTaken::Other);
    let same = Some("sha256:2".to_owned());
    decide(&books, &id, same, yes("jo", T), |_| Ok(())).unwrap();
}

#[tokio::test]
async fn what_cannot_be_written_down_is_not_decided() {
    let books = Books::in_memory().unwrap();
    let id = new("r", hour()).bound.id();
    ask(&books, new("r", hour()), T).await.unwrap();
    let full = |_: &Asked| Err("audit.unavailable".to_owned());
    let taken = decide(&books, &id, None, yes("jo", T), full);
    assert!(matches!(taken, Err(NotTaken::Unwritten(_))));
    assert_eq!(stands(&books, "r", T).await, Standing::Waits);
    let seen = Arc::<AtomicBool>::default();
    let told = Arc::clone(&seen);
    let note = move |asked: &Asked| {
        told.store(asked.decided.is_some(), Ordering::SeqCst);
        Ok(())
    };
    decide(&books, &id, None, yes("jo", T), note).unwrap();
    assert!(seen.load(Ordering::SeqCst));
}

#[tokio::test]
async fn no_clock_that_is_set_keeps_a_question_or_an_answer_open() {
    // When it is decided, if it is; when it is looked at; and whether it is too late.
    let table: [(Option<u64>, &[u64], bool); 9] = [
        (None, &[T + HOUR - 1], false),
        (None, &[T + HOUR], true),
        (Some(T + 1), &[T + HOUR - 1], false),
        (Some(T + 1), &[T + HOUR], true),
        // A day ahead, and back: it was over once.
        (None, &[T + DAY, T + 1], true),
        (Some(T + 1), &[T + DAY, T + 1], true),
        // A day back: nobody knows how long it is open.
        (None, &[T - DAY], true),
        (Some(T + 1), &[T - DAY], true),
        // Set right by some seconds.
        (None, &[T - 5_000], false),
    ];
    for (decided, looks, over) in table {
        let books = Books::in_memory().unwrap();
        let id = new("r", hour()).bound.id();
        ask(&books, new("r", hour()), T).await.unwrap();
        if let Some(at) = decided {
            approve(&books, &id, "jo", at).unwrap();
        }
        let mut last = Standing::Waits;
        for at in looks {
            // Somebody else moves the clock that all see.
            list(&books, true, *at).unwrap();
            last = match decided {
                _ if looks.len() > 1 && *at == T + DAY => continue,
                _ => stands(&books, "r", *at).await,
            };
        }
        let expected = match (over, decided) {
            (true, _) => Standing::Expired,
            (false, Some(_)) => told("jo"),
            (false, None) => Standing::Waits,
        };
        assert_eq!(last, expected, "{decided:?} {looks:?}");
    }
    // Nor can it be decided then.
    for at in [T + HOUR, T - DAY] {
        let books = Books::in_memory().unwrap();
        ask(&books, new("r", hour()), T).await.unwrap();
        let id = new("r", hour()).bound.id();
        assert_eq!(approve(&books, &id, "jo", at), Err(NotTaken::Expired));
    }
}

#[tokio::test]
async fn ten_thousand_questions_do_not_tire_anybody() {
    let books = Books::in_memory().unwrap();
    let mut refused = 0;
    for n in 0..10_000 {
        match ask(&books, new(&n.to_string(), hour()), T).await.unwrap() {
            Standing::Full(20) => refused += 1,
            Standing::Waits => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(refused, 10_000 - 20);
    assert_eq!(list(&books, false, T).unwrap().len(), 20);
    // Another plugin's question is asked all the same.
    let mut other = new("r", hour());
    other.bound.agent = "b".to_owned();
    assert_eq!(ask(&books, other, T).await, Ok(Standing::Waits));
    // What nobody answered makes room when its time is over, and is a no.
    let later = T + HOUR;
    assert_eq!(
        ask(&books, new("late", hour()), later).await,
        Ok(Standing::Waits)
    );
    assert_eq!(stands(&books, "0", later).await, Standing::Expired);
}

#[tokio::test]
async fn what_scores_less_than_policy_says_is_approved_by_it() {
    for (auto_below, approved) in [(0, false), (50, false), (51, true)] {
        let books = Books::in_memory().unwrap();
        let rules = Rules {
            auto_below,
            ..hour()
        };
        let standing = ask(&books, new("r", rules), T).await.unwrap();
        match (standing, approved) {
            (Standing::Decided(decision), true) => assert_eq!(decision.approver, "policy"),
            (Standing::Waits, false) => {}
            (other, _) => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_question_is_found_by_the_beginning_of_its_id() {
    let books = Books::in_memory().unwrap();
    ask(&books, new("r", hour()), T).await.unwrap();
    ask(&books, new("q", hour()), T + 1).await.unwrap();
    let id = new("r", hour()).bound.id();
    assert_eq!(find(&books, &id, T).unwrap().id, id);
    assert_eq!(find(&books, &id[..8], T).unwrap().id, id);
    for unknown in ["zz", ""] {
        let found = find(&books, unknown, T);
        assert!(matches!(found, Err(NotTaken::Unknown(_))), "{unknown}");
    }
    let ids: Vec<String> = list(&books, true, T)
        .unwrap()
        .into_iter()
        .map(|it| it.id)
        .collect();
    assert_eq!(ids, [id, new("q", hour()).bound.id()]);
}
