//! Guests whose size is the attack: on what one cell may hold.

use crate::guest::{self, Encoding};

/// An agent that answers.
const GOOD: &str = "@memory @answer @realloc (func @run (i32.const 1024))";

/// Instances beside it; with its own three they are as many as there may be.
const INSTANCES: usize = 60;

pub(crate) fn guests() -> impl Iterator<Item = ((String, String), Vec<u8>)> {
    let globals = "(global i64 (i64.const 0))".repeat(50_000);
    // Each function that may be referred to costs the host a reference to it.
    let functions: String = (0..1_000).map(|n| format!("(func $f{n})")).collect();
    let names: String = (0..1_000).map(|n| format!(" $f{n}")).collect();
    let references = format!("{functions} (elem declare func {names})");
    let guests = [
        ("globals", globals.clone(), 1),
        ("globals-by-instances", globals, INSTANCES),
        ("references-by-instances", references, INSTANCES),
    ];
    guests.into_iter().map(|(name, module, instances)| {
        let instances = "(core instance (instantiate $m))".repeat(instances);
        let beside = format!("(component (core module $m {module}) {instances})");
        let agent = guest::component("M05", GOOD, Encoding::Utf8);
        let key = ("M05".to_owned(), name.to_owned());
        (key, guest::beside(agent, &beside))
    })
}
