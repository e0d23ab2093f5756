//! The decisions as tables, then the waiting.

use super::*;
use crate::bulkhead::{Bulkhead, Load, Room};

fn guest<'a>(tenant: &'a str, plugin: &'a str, concurrency: u32, queue: u32) -> Guest<'a> {
    Guest {
        tenant,
        plugin,
        depth: 0,
        room: Room { concurrency, queue },
    }
}

fn nested(plugin: &str, depth: u8) -> Guest<'_> {
    Guest {
        depth,
        ..guest("t", plugin, 100, 100)
    }
}

#[test]
fn a_plugin_has_so_many_places_and_so_long_a_queue() {
    let mut hall = Hall::new(100, 1);
    let asked: Vec<Asked> = (0..5).map(|_| hall.ask(guest("t", "a", 2, 2)).1).collect();
    use Asked::*;
    assert_eq!(asked, [Enter, Enter, Wait, Wait, Saturated]);
    // Another plugin is none of its business.
    assert_eq!(hall.ask(guest("t", "b", 2, 2)).1, Enter);
    assert_eq!(hall.leave(1), [3]);
    assert_eq!(hall.ask(guest("t", "a", 2, 2)).1, Wait);
}

#[test]
fn places_go_to_the_tenant_that_holds_the_fewest() {
    let mut hall = Hall::new(2, 1);
    let greedy: Vec<u64> = (0..6)
        .map(|n| {
            hall.ask(guest("greedy", if n % 2 == 0 { "a" } else { "b" }, 9, 9))
                .0
        })
        .collect();
    let modest = hall.ask(guest("modest", "a", 9, 9)).0;
    assert_eq!(hall.leave(greedy[0]), [modest]);
    assert_eq!(hall.leave(greedy[1]), [greedy[2]]);
    assert_eq!(hall.leave(modest), [greedy[3]]);
}

#[test]
fn who_waits_for_a_full_plugin_does_not_stand_before_others() {
    let mut hall = Hall::new(3, 1);
    let first = hall.ask(guest("t", "narrow", 1, 9)).0;
    let second = hall.ask(guest("t", "narrow", 1, 9));
    assert_eq!(second.1, Asked::Wait);
    assert_eq!(hall.ask(guest("t", "wide", 9, 9)).1, Asked::Enter);
    assert_eq!(hall.leave(first), [second.0]);
}

#[test]
fn past_the_second_level_nobody_waits_for_a_place() {
    let mut hall = Hall::new(1, 1);
    assert_eq!(hall.ask(nested("a", 1)).1, Asked::Enter);
    assert_eq!(hall.ask(nested("b", 1)).1, Asked::Wait);
    assert_eq!(hall.ask(nested("c", 2)).1, Asked::Saturated);
}

#[test]
fn a_lent_permit_comes_back_before_new_calls() {
    let mut hall = Hall::new(9, 9);
    let parent = hall.ask(guest("t", "a", 1, 9)).0;
    let child = hall.ask(Guest {
        depth: 1,
        ..guest("t", "a", 1, 9)
    });
    let other = hall.ask(guest("t", "a", 1, 9));
    assert_eq!((child.1, other.1), (Asked::Wait, Asked::Wait));
    assert_eq!(hall.lend(parent), [child.0]);
    assert!(!hall.take_back(parent), "the child has the permit");
    assert_eq!(hall.leave(child.0), [parent]);
    assert_eq!(hall.leave(parent), [other.0]);
}

#[test]
fn nothing_is_kept_of_who_is_gone() {
    let mut hall = Hall::new(2, 2);
    let mut tickets = Vec::new();
    for n in 0..40 {
        let (tenant, plugin) = (format!("t{}", n % 3), format!("p{}", n % 7));
        let room = Guest {
            depth: n % 3,
            ..guest(&tenant, &plugin, 2, 3)
        };
        let (ticket, asked) = hall.ask(room);
        if asked != Asked::Saturated {
            tickets.push(ticket);
        }
        if n % 4 == 0 {
            hall.lend(ticket);
        }
        if n % 8 == 0 {
            hall.take_back(ticket);
        }
    }
    for ticket in tickets {
        hall.leave(ticket);
    }
    assert_eq!(hall.taken(), 0);
    assert!(hall.tickets.is_empty() && hall.plugins.is_empty() && hall.tenants.is_empty());
}

#[tokio::test]
async fn ten_parents_that_wait_for_a_child_of_their_own_plugin_all_finish() {
    let bulkhead = Bulkhead::new(10, 10);
    let start = Arc::new(tokio::sync::Barrier::new(10));
    let parents: Vec<_> = (0..10)
        .map(|_| {
            let (bulkhead, start) = (bulkhead.clone(), Arc::clone(&start));
            tokio::spawn(async move {
                let parent = bulkhead.enter(guest("t", "a", 10, 0)).await.unwrap();
                // All of them are inside before one asks for its child.
                start.wait().await;
                let child = Guest {
                    depth: 1,
                    ..guest("t", "a", 10, 10)
                };
                parent
                    .lend(async { drop(bulkhead.enter(child).await.unwrap()) })
                    .await;
            })
        })
        .collect();
    for parent in parents {
        parent.await.unwrap();
    }
    assert_eq!(
        bulkhead.load(),
        Load {
            taken: 0,
            waiting: 0
        }
    );
}

#[tokio::test]
async fn giving_up_in_the_queue_gives_everything_back() {
    let bulkhead = Bulkhead::new(1, 1);
    let inside = bulkhead.enter(guest("t", "a", 1, 9)).await.unwrap();
    let mut waits = Box::pin(bulkhead.enter(guest("t", "a", 1, 9)));
    assert!(futures::poll!(&mut waits).is_pending());
    assert_eq!(
        bulkhead.load(),
        Load {
            taken: 1,
            waiting: 1
        }
    );
    drop(waits);
    assert_eq!(
        bulkhead.load(),
        Load {
            taken: 1,
            waiting: 0
        }
    );
    // One that is let in and gives up before it notices gives the place on.
    let mut waits = Box::pin(bulkhead.enter(guest("t", "a", 1, 9)));
    assert!(futures::poll!(&mut waits).is_pending());
    drop(inside);
    assert_eq!(bulkhead.load().taken, 1);
    drop(waits);
    assert_eq!(
        bulkhead.load(),
        Load {
            taken: 0,
            waiting: 0
        }
    );
}
