//! The seeds of the fuzz targets, with the ordinary toolchain: what `tests/fuzz`
//! holds against anything is held against these in every `cargo test`, and the
//! text gate against thousands of texts besides.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says loudly that it failed"
)]

use std::path::Path;

use hotcell_runtime::manifest;

#[path = "fuzz/src/targets.rs"]
#[allow(unreachable_pub, reason = "public where they are fuzzed")]
mod targets;

/// Holds a target against each of its seeds.
fn hold(target: &str, body: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/fuzz/seeds")
        .join(target);
    let mut seeds = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        body(&std::fs::read(entry.unwrap().path()).unwrap());
        seeds += 1;
    }
    assert!(seeds > 2, "{target} has {seeds} seeds");
}

#[test]
fn every_seed_holds() {
    hold("text", targets::text);
    hold("url", targets::url);
    hold("policy", targets::policy);
    hold("manifest", targets::manifest);
    // Not fuzzed with instruments: the corpus makes components up by itself.
    hold("precheck", |bytes| {
        if let Err(error) = hotcell_runtime::inspect(bytes) {
            assert!(error.code().starts_with("load."), "{error}");
        }
    });
}

#[test]
fn the_text_gate_holds_against_any_text() {
    // SplitMix64, so that a text that breaks it breaks it again.
    let mut state = 7_u64;
    let mut next = move |below: u32| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 33) as u32 % below
    };
    // Where characters come from: a start and how many after it.
    let pools = [
        (0, 0x20),
        (0x20, 0x60),
        (0x7f, 0x30),
        (0x2000, 0x70),
        (0x27e0, 0x10),
        (0xe0000, 0x1000),
        (0, 0x0011_0000),
    ];
    for _ in 0..4_000 {
        let mut data = vec![next(256) as u8];
        for _ in 0..next(200) {
            let (start, count) = pools[next(pools.len() as u32) as usize];
            let c = char::from_u32(start + next(count)).unwrap_or('\u{1b}');
            data.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
        if next(4) == 0 {
            data.extend("\u{1b}[31m⟦5 bytes more⟧".as_bytes());
        }
        targets::text(&data);
    }
}
