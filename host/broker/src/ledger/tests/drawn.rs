//! The same invariants over drawn histories: whatever is reserved, settled, dropped
//! and left behind, in whatever order.

use super::*;

/// A small generator of numbers (Steele and others, 2014): the same history for the
/// same seed, on every machine.
struct Draw(u64);

impl Draw {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (number ^ (number >> 31)) % most
    }
}

#[tokio::test]
async fn whatever_happens_what_is_reserved_is_what_is_open_and_no_cap_is_passed() {
    for seed in 0..40 {
        let mut draw = Draw(seed);
        let caps = [1 + draw.below(500), 1 + draw.below(2_000)];
        let mut rules = run_cap(caps[0]);
        rules.tenant.day = usd(caps[1]);
        let books = memory();
        let mut ledger = open(&books, rules.clone());
        let runs = ["a", "b", "c"];
        // By run: what is open, with what it holds.
        let mut held: Vec<(usize, u64, Hold)> = Vec::new();
        let mut left: Vec<(usize, u64)> = Vec::new();
        let mut spent = [0; 3];
        for _ in 0..200 {
            match draw.below(10) {
                0..6 => {
                    let (run, most) = (draw.below(3) as usize, 1 + draw.below(80));
                    let hold = ledger.reserve(payer(runs[run]), micros(most)).await;
                    if let Ok(hold) = hold {
                        held.push((run, most, hold));
                        // Whoever works on a run charges what was left of it.
                        let of_run = |it: &(usize, u64)| it.0 == run;
                        for (_, most) in left.extract_if(.., |it| of_run(it)) {
                            spent[run] += most;
                        }
                    }
                }
                6..8 if !held.is_empty() => {
                    let (run, most, hold) =
                        held.swap_remove(draw.below(held.len() as u64) as usize);
                    let cost = draw.below(most + 1);
                    hold.settle(micros(cost)).await.unwrap();
                    spent[run] += cost;
                }
                8 if !held.is_empty() => {
                    let (run, most, hold) =
                        held.swap_remove(draw.below(held.len() as u64) as usize);
                    drop(hold);
                    tokio::task::yield_now().await;
                    spent[run] += most;
                }
                9 if draw.below(5) == 0 => {
                    // The process dies: nobody settles what it holds.
                    for (run, most, mut hold) in held.drain(..) {
                        hold.opened = None;
                        drop(hold);
                        left.push((run, most));
                    }
                    ledger = open(&books, rules.clone());
                }
                _ => {}
            }
            let reserved = |run: usize| {
                let open = held.iter().filter(|it| it.0 == run).map(|it| it.1);
                let left = left.iter().filter(|it| it.0 == run).map(|it| it.1);
                open.chain(left).sum::<u64>()
            };
            let mut all = [0, 0];
            for (run, name) in runs.iter().enumerate() {
                let account = account(&books, &format!("local/all/run/{name}"));
                let stands = [account.settled.micros, account.reserved.micros];
                assert_eq!(
                    stands,
                    [spent[run], reserved(run)],
                    "seed {seed}, run {name}"
                );
                assert!(stands[0] + stands[1] <= caps[0], "seed {seed}, run {name}");
                all = [all[0] + stands[0], all[1] + stands[1]];
            }
            let day = day_account(&books);
            assert_eq!(
                [day.settled.micros, day.reserved.micros],
                all,
                "seed {seed}"
            );
            assert!(all[0] + all[1] <= caps[1], "seed {seed}");
            assert_eq!(holds(&books), held.len() + left.len(), "seed {seed}");
        }
    }
}
