//! Versions, quotas, times to live, and who may.

use hotcell_broker::memory::{
    DEPTH, KEY, MemoryAccess, MemoryError, MemoryGrant, Trust, VALUE, trust,
};
use hotcell_broker::store::books::Books;
use hotcell_broker::{Caller, Denial, Grants, Policy};

use super::{Desk, notes, policy, setup};

#[tokio::test]
async fn a_write_needs_the_version_that_it_names() {
    let desk = Desk::with(notes());
    let conflict = |now| Err(MemoryError::VersionConflict(now));
    // What is expected, and what comes of it.
    let table = [
        (Some(1), conflict(0)),
        (Some(0), Ok(1)),
        (Some(0), conflict(1)),
        (Some(1), Ok(2)),
        (None, Ok(3)),
        (Some(2), conflict(3)),
        (Some(u64::MAX), conflict(3)),
    ];
    for (expected, result) in table {
        assert_eq!(desk.set("k", "1", expected).await, result, "{expected:?}");
    }
}

#[tokio::test]
async fn a_version_that_was_read_never_means_another_value() {
    let desk = Desk::with(MemoryGrant {
        ttl_s: Some(10),
        ..notes()
    });
    desk.set("k", "\"first\"", None).await.unwrap();
    assert_eq!(desk.delete("k").await, Ok(1));
    assert_eq!(desk.delete("k").await, Ok(0));
    assert_eq!(desk.set("k", "\"second\"", Some(0)).await, Ok(2));
    let conflict = Err(MemoryError::VersionConflict(2));
    assert_eq!(desk.set("k", "\"third\"", Some(1)).await, conflict);
    // The same for a value whose time is over.
    desk.at(100);
    assert_eq!(desk.set("k", "\"fourth\"", Some(0)).await, Ok(3));
}

#[tokio::test]
async fn a_value_is_there_until_its_time_is_over() {
    let desk = Desk::with(MemoryGrant {
        ttl_s: Some(10),
        max_entries: 1,
        ..notes()
    });
    desk.at(100);
    desk.set("k", "1", None).await.unwrap();
    desk.at(109);
    assert_eq!(desk.get("k").await.unwrap().updated_unix_ms, 100_000);
    assert_eq!(desk.keys("", 9).await, ["k"]);
    assert_eq!(
        desk.set("l", "1", None).await,
        Err(MemoryError::QuotaExceeded)
    );
    desk.at(110);
    assert_eq!(desk.get("k").await, None);
    assert_eq!(desk.keys("", 9).await, [""; 0]);
    // It does not count any more either.
    assert_eq!(desk.set("l", "1", None).await, Ok(1));
}

#[tokio::test]
async fn quotas_count_what_is_there_and_nothing_else() {
    let desk = Desk::with(MemoryGrant {
        quota_kib: 1,
        max_entries: 3,
        ..notes()
    });
    let full = Err(MemoryError::QuotaExceeded);
    // 1 + 902 bytes of 1,024.
    let large = format!("\"{}\"", "x".repeat(900));
    desk.set("a", &large, None).await.unwrap();
    assert_eq!(desk.set("b", &large, None).await, full);
    // In its own place it counts once, however often it is written.
    for version in 2..5 {
        assert_eq!(desk.set("a", &large, None).await, Ok(version));
    }
    desk.delete("a").await.unwrap();
    assert!(desk.set("b", &large, None).await.is_ok());
    desk.set("b", "1", None).await.unwrap();
    desk.set("c", "1", None).await.unwrap();
    desk.set("d", "1", None).await.unwrap();
    assert_eq!(desk.set("e", "1", None).await, full);
    // What was refused has changed nothing.
    assert_eq!(desk.keys("", 9).await, ["b", "c", "d"]);
    desk.delete("c").await.unwrap();
    assert!(desk.set("e", "1", None).await.is_ok());
}

#[tokio::test]
async fn keys_and_values_that_cannot_be_kept_are_told_why() {
    let desk = Desk::with(notes());
    let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    let long = format!("\"{}\"", "x".repeat(VALUE - 2));
    let key = "k".repeat(KEY);
    let good: [(&str, &str); 3] = [("k", &nested(DEPTH)), ("k", &long), (&key, "null")];
    for (key, value) in good {
        assert!(desk.set(key, value, None).await.is_ok(), "{}", key.len());
    }
    let (long, key) = (format!("{long} "), format!("{key}k"));
    let bad: [(&str, &str); 8] = [
        ("", "1"),
        (&key, "1"),
        ("a\nb", "1"),
        ("k", "{not"),
        ("k", ""),
        ("k", &long),
        ("k", &nested(DEPTH + 1)),
        ("k", &nested(100_000)[..VALUE]),
    ];
    for (key, value) in bad {
        let told = desk.set(key, value, None).await;
        assert!(matches!(told, Err(MemoryError::Invalid(_))), "{told:?}");
    }
}

#[tokio::test]
async fn a_listing_is_sorted_and_bounded() {
    let desk = Desk::with(notes());
    for number in 0..150 {
        let key = format!(
            "{}{number:03}",
            if number % 2 == 0 { "even-" } else { "odd-" }
        );
        desk.set(&key, "1", None).await.unwrap();
    }
    assert_eq!(desk.keys("even-", 2).await, ["even-000", "even-002"]);
    assert_eq!(desk.keys("odd-", u32::MAX).await.len(), 75);
    assert_eq!(desk.keys("", 0).await.len(), 0);
    assert_eq!(desk.keys("none", 9).await.len(), 0);
}

#[tokio::test]
async fn tenants_and_namespaces_see_nothing_of_each_other() {
    let books = Books::in_memory().unwrap();
    let desk = Desk::new(policy(notes()), books.clone());
    desk.set("k", "1", None).await.unwrap();
    let other = Desk {
        caller: Caller {
            tenant: "tenant/notes".to_owned(),
            ..setup::caller()
        },
        ..Desk::new(policy(notes()), books.clone())
    };
    assert_eq!(other.get("k").await, None);
    assert_eq!(other.set("k", "2", Some(0)).await, Ok(1));
    assert_eq!(desk.get("k").await.unwrap().value, "1");
    let elsewhere = Desk::new(
        policy(MemoryGrant::new("notes2", MemoryAccess::Write)),
        books,
    );
    let get = elsewhere
        .broker
        .memory_get(&elsewhere.caller, "notes2", "k".to_owned());
    assert_eq!(get.await, Ok(None));
}

#[tokio::test]
async fn reading_is_not_writing_and_no_grant_is_neither() {
    let desk = Desk::with(notes());
    desk.set("k", "1", None).await.unwrap();
    let table = [
        ("reader", true, false),
        ("agent", true, true),
        ("nobody", false, false),
    ];
    for (plugin, reads, writes) in table {
        let desk = Desk {
            broker: desk.broker.clone(),
            clock: desk.clock.clone(),
            caller: Caller {
                plugin: plugin.to_owned(),
                ..setup::caller()
            },
        };
        let denied = |access: &str| MemoryError::Denied(Denial::NotGranted(access.to_owned()));
        let got = desk
            .broker
            .memory_get(&desk.caller, "notes", "k".to_owned());
        match got.await {
            Ok(entry) => assert_eq!((entry.unwrap().origin.as_str(), reads), ("agent@run", true)),
            Err(error) => assert_eq!((error, reads), (denied("memory read notes"), false)),
        }
        match desk.set("k", "2", None).await {
            Ok(_) => assert!(writes, "{plugin}"),
            Err(error) => assert_eq!((error, writes), (denied("memory write notes"), false)),
        }
        let refused = u64::from(!reads) + u64::from(!writes);
        let records = desk.caller.meter.records();
        let counted: u64 = records.refusals.iter().map(|(_, count)| count).sum();
        assert_eq!(counted, refused, "{plugin}");
    }
}

#[tokio::test]
async fn values_that_are_nearest_in_meaning_are_found_first() {
    let desk = Desk::with(MemoryGrant {
        ttl_s: Some(10),
        ..notes()
    });
    desk.at(1);
    desk.set("over", "\"overdue invoices of Acme\"", None)
        .await
        .unwrap();
    desk.at(100);
    let entries = [
        (
            "acme",
            "{\"note\": \"Acme pays its invoices late, they are overdue\"}",
        ),
        ("beta", "\"Beta pays invoices at once\""),
        ("lunch", "\"the canteen opens at noon\""),
    ];
    for (key, value) in entries {
        desk.set(key, value, None).await.unwrap();
    }
    let search = async |query: &str, limit| {
        let found = desk
            .broker
            .memory_search(&desk.caller, "notes", query.to_owned(), limit);
        found.await.map(|found| {
            assert!(found.iter().all(|(_, score)| (0.0..=1.0).contains(score)));
            found.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
        })
    };
    let best = search("overdue invoices of Acme", 2).await;
    assert_eq!(best.unwrap(), ["acme", "beta"]);
    assert_eq!(search("!?", 9).await.unwrap(), [""; 0]);
    assert_eq!(search("invoices", 0).await.unwrap(), [""; 0]);
    let long = search(&"x".repeat(9_000), 1).await;
    assert!(matches!(long, Err(MemoryError::Invalid(_))), "{long:?}");
}

#[test]
fn who_may_have_heard_strangers_writes_untrusted() {
    let lend = |name: &str, access| MemoryGrant::new(name, access);
    let (read, write) = (MemoryAccess::Read, MemoryAccess::Write);
    let own = Grants {
        llm: ["default".to_owned()].into(),
        memory: vec![lend("notes", write)],
        ..Grants::default()
    };
    let with = |change: &dyn Fn(&mut Grants)| {
        let mut grants = own.clone();
        change(&mut grants);
        grants
    };
    let others = [lend("theirs", write)];
    let table = [
        (own.clone(), Trust::Inside),
        (
            with(&|it| it.tools.extend(["find".to_owned()])),
            Trust::Untrusted,
        ),
        (
            with(&|it| it.delegate.extend(["b".to_owned()])),
            Trust::Untrusted,
        ),
        (
            with(&|it| it.memory.push(lend("own", write))),
            Trust::Inside,
        ),
        (
            with(&|it| it.memory.push(lend("theirs", read))),
            Trust::Untrusted,
        ),
    ];
    for (grants, expected) in table {
        let other = Grants {
            memory: others.to_vec(),
            ..Grants::default()
        };
        let policy = Policy {
            plugin: [("a".to_owned(), grants), ("b".to_owned(), other)].into(),
            ..Policy::default()
        };
        assert_eq!(trust(&policy, "a"), expected, "{policy:?}");
    }
}
