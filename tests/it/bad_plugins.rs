//! Plugins that are none, that lie, or that somebody damaged. Each is refused
//! with the file, the reason and exit code 4, before a byte of it runs.

use std::path::Path;

use crate::scene::{Scene, Told, component, hotcell, tell};

/// What every component starts with, and nothing after it.
const EMPTY_COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

const MANIFEST: &[u8] =
    b"name = \"probe\"\nversion = \"0.1.0\"\nkind = \"agent\"\ncontract = \"0.1.0\"\n";

fn probe() -> Vec<u8> {
    std::fs::read(component("tests/guests/probe")).unwrap()
}

/// The bytes with a text replaced by one of equal length, wherever it stands, so
/// that every section keeps its length.
fn patched(mut bytes: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len(), "{from} {to}");
    let at = |bytes: &[u8]| bytes.windows(from.len()).position(|w| w == from.as_bytes());
    assert!(at(&bytes).is_some(), "nothing says {from}");
    while let Some(start) = at(&bytes) {
        bytes[start..start + to.len()].copy_from_slice(to.as_bytes());
    }
    bytes
}

/// A component with nothing in it but these custom sections.
fn with_manifests(manifests: &[&[u8]]) -> Vec<u8> {
    let mut bytes = EMPTY_COMPONENT.to_vec();
    for manifest in manifests {
        let name = b"hotcell:manifest";
        let mut section = vec![name.len() as u8];
        section.extend_from_slice(name);
        section.extend_from_slice(manifest);
        bytes.push(0);
        bytes.extend(leb128(section.len()));
        bytes.extend(section);
    }
    bytes
}

fn leb128(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn inspect(plugin: &Path) -> Told {
    tell(hotcell().arg("inspect").arg(plugin))
}

/// The scene of the probe with these bytes for it.
fn scene_with(bytes: &[u8]) -> Scene {
    let scene = Scene::probe("echo");
    std::fs::write(scene.path("guest.wasm"), bytes).unwrap();
    let source = component("tests/guests/probe");
    scene.change("workflow.yaml", source.to_str().unwrap(), "guest.wasm");
    scene
}

/// `inspect`, `check` and `run` refuse these bytes alike.
fn refused(bytes: &[u8], words: &[&str]) {
    let scene = scene_with(bytes);
    let folder = scene.dir.path();
    for told in [
        inspect(&scene.path("guest.wasm")),
        tell(hotcell().arg("check").arg(folder)),
        tell(hotcell().arg("run").arg(folder)),
    ] {
        let said = &told.stderr;
        assert_eq!(told.code, 4, "{said}");
        assert!(said.contains("guest.wasm` cannot be loaded: "), "{said}");
        for word in words {
            assert!(said.contains(word), "no {word:?} in: {said}");
        }
        assert!(told.stdout.is_empty(), "{}", told.stdout);
    }
}

#[test]
fn a_file_that_is_no_component_is_refused_for_what_it_is() {
    let long = [b'#'; 256 * 1024 + 1];
    let table: [(&[u8], &str); 9] = [
        (b"", "the file is empty"),
        (b"#!/bin/sh\necho hello\n", "it is not WebAssembly"),
        (b"\0asm", "it is not a valid component"),
        (b"\0asm\x01\0\0\0", "it is a core module, not a component"),
        (EMPTY_COMPONENT, "it has no manifest"),
        (&with_manifests(&[MANIFEST, MANIFEST]), "it has 2 manifests"),
        (&with_manifests(&[b"\xff\xfe"]), "it is not UTF-8 text"),
        (&with_manifests(&[&long]), "at most 262144 are read"),
        (
            &with_manifests(&[MANIFEST]),
            "`hotcell:plugin/agent@0.1.0`: it is missing, and nothing else is exported",
        ),
    ];
    for (bytes, words) in table {
        refused(bytes, &[words]);
    }
}

#[test]
fn why_a_plugin_is_refused_has_a_word_of_its_own() {
    let scene = scene_with(b"");
    let path = scene.path("guest.wasm");
    let table: [(Vec<u8>, &str); 4] = [
        (b"#!/bin/sh".to_vec(), "load.kind"),
        (b"\0asm".to_vec(), "load.invalid"),
        (EMPTY_COMPONENT.to_vec(), "load.manifest"),
        (
            patched(probe(), "capability/log@0.1.0", "capability/lag@0.1.0"),
            "load.denied-import",
        ),
    ];
    for (bytes, code) in table {
        std::fs::write(&path, bytes).unwrap();
        let told = inspect(&path);
        assert!(told.stderr.starts_with(code), "{}", told.stderr);
        let told = tell(hotcell().arg("inspect").arg(&path).arg("--json"));
        assert_eq!(told.code, 4);
        let error: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
        assert_eq!(error["error"]["code"], code, "{}", told.stdout);
    }
}

#[test]
fn a_plugin_that_is_not_there_or_too_large_is_named() {
    let told = inspect(Path::new("/nowhere/guest.wasm"));
    assert_eq!(told.code, 4);
    let words = "cannot read the plugin `/nowhere/guest.wasm`";
    assert!(told.stderr.contains(words), "{}", told.stderr);

    let scene = scene_with(b"");
    let file = std::fs::File::create(scene.path("guest.wasm")).unwrap();
    // Sparse: nothing of it is written, and nothing must be read.
    file.set_len(65 << 20).unwrap();
    let told = inspect(&scene.path("guest.wasm"));
    assert_eq!(told.code, 4);
    assert!(
        told.stderr
            .contains("it has 68157440 bytes; at most 67108864"),
        "{}",
        told.stderr
    );
}

#[test]
fn a_manifest_that_lies_is_caught_by_the_components_own_surface() {
    let table = [
        (
            "kind = \"agent\"",
            "kind = \"model\"",
            "the world of kind `model`|export `hotcell:plugin/model@0.1.0`: it is missing; the component exports `hotcell:plugin/agent@0.1.0`",
        ),
        (
            "deadline_ms",
            "deadline_mz",
            "its manifest is not usable|deadline_mz",
        ),
        (
            "contract = \"0.1.0\"",
            "contract = \"9.1.0\"",
            "`contract` is \"9.1.0\"; this host speaks \"0.1.0\"",
        ),
        (
            "name = \"probe\"",
            "name = \"Probe\"",
            "`name` is \"Probe\"",
        ),
        (
            "fuel = 100_000_000",
            "fuel = 1          ",
            "`limits.fuel` is 1; it must be 10000 to 1000000000000",
        ),
        (
            "capability/log@0.1.0",
            "capability/lag@0.1.0",
            "import `hotcell:capability/lag@0.1.0`: the `agent-world` has no such interface",
        ),
        (
            "capability/log@0.1.0",
            "capability/log@0.7.0",
            "import `hotcell:capability/log@0.7.0`: the `agent-world` has no such interface",
        ),
    ];
    for (from, to, words) in table {
        let words: Vec<_> = words.split('|').collect();
        refused(&patched(probe(), from, to), &words);
    }
}

#[test]
fn an_import_that_the_host_does_not_link_is_named() {
    let guest = std::fs::read(component("tests/guests/wasi-probe")).unwrap();
    assert_eq!(inspect(&component("tests/guests/wasi-probe")).code, 0);
    let guest = patched(guest, "wasi:cli/exit@", "wasi:cli/exec@");
    let words = "import `wasi:cli/exec@0.2.";
    refused(&guest, &[words, "this host links no such part of WASI"]);
}

#[test]
fn a_name_that_is_not_the_workflows_is_refused() {
    let scene = scene_with(&patched(probe(), "name = \"probe\"", "name = \"prove\""));
    for verb in ["check", "run"] {
        let told = tell(hotcell().arg(verb).arg(scene.dir.path()));
        assert_eq!(told.code, 4, "{}", told.stderr);
        let words = "calls itself `prove`, the workflow calls it `probe`";
        let said = &told.stderr;
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn a_schema_that_is_none_is_refused_before_the_run() {
    let scene = scene_with(&patched(probe(), "\"object\"", "\"objekt\""));
    for verb in ["check", "run"] {
        let told = tell(hotcell().arg(verb).arg(scene.dir.path()));
        assert_eq!(told.code, 4, "{}", told.said());
        let words = "`probe`: its output schema is not usable: \"objekt\"";
        assert!(told.stderr.contains(words), "{}", told.stderr);
    }
}

#[test]
fn a_component_that_was_cut_off_is_refused_wherever_the_cut_is() {
    let whole = probe();
    let scene = scene_with(&whole);
    let path = scene.path("guest.wasm");
    assert_eq!(inspect(&path).code, 0);
    for cut in (0..40).map(|part| whole.len() * part / 40) {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let told = inspect(&path);
        assert_eq!(told.code, 4, "{cut}: {}", told.said());
        let words = "guest.wasm` cannot be loaded: ";
        assert!(told.stderr.contains(words), "{cut}: {}", told.stderr);
    }
}

/// A bit of every so many bytes, in an order without a pattern, and the same at
/// every run: the constants are those of PCG.
fn flips(length: usize) -> impl Iterator<Item = (usize, u8)> {
    let mut state = 42_u64;
    std::iter::repeat_with(move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) as usize % length, 1 << ((state >> 29) & 7))
    })
}

#[test]
fn a_flipped_bit_is_refused_or_harmless_and_never_a_panic() {
    let whole = probe();
    let scene = scene_with(&whole);
    let path = scene.path("guest.wasm");
    let mut refused = 0;
    for (at, bit) in flips(whole.len()).take(200) {
        let mut bytes = whole.clone();
        bytes[at] ^= bit;
        std::fs::write(&path, &bytes).unwrap();
        let told = inspect(&path);
        assert!(
            matches!(told.code, 0 | 4),
            "byte {at}, bit {bit}: {}",
            told.said()
        );
        refused += usize::from(told.code == 4);
    }
    // Most bytes are code and names of functions, which looking cannot judge.
    assert!((10..190).contains(&refused), "{refused} of 200");
}

#[test]
fn a_flipped_bit_in_the_code_is_refused_or_contained() {
    let whole = probe();
    let scene = scene_with(&whole);
    let code = whole.len() / 10..whole.len() / 2;
    let mut codes = Vec::new();
    for (at, bit) in flips(code.len()).take(12) {
        let mut bytes = whole.clone();
        bytes[code.start + at] ^= bit;
        std::fs::write(scene.path("guest.wasm"), &bytes).unwrap();
        let ran = scene.run(&["--cache", scene.path("state").to_str().unwrap()]);
        codes.push(ran.code);
        assert!(matches!(ran.code, 0 | 4 | 5), "{at} {bit}: {}", ran.said);
    }
    assert!(codes.contains(&4), "{codes:?}");
}

/// The one compiled component in a state folder.
fn artefact(state: &Path) -> std::path::PathBuf {
    let files = std::fs::read_dir(state.join("artifacts")).unwrap();
    let mut files = files.map(|file| file.unwrap().path());
    let found = files.find(|file| file.extension().is_some_and(|e| e == "artifact"));
    found.unwrap()
}

#[test]
fn compiled_code_is_taken_from_nobody() {
    let scene = Scene::probe("echo");
    let state = scene.path("state");
    let ran = scene.run(&["--cache", state.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{}", ran.said);
    let sealed = std::fs::read(artefact(&state)).unwrap();
    refused(&sealed[32..], &["it is compiled native code"]);
    refused(&sealed, &["it is not WebAssembly"]);
}

#[test]
fn a_compiled_component_is_used_again_and_a_damaged_one_never() {
    let scene = Scene::probe("echo");
    let state = scene.path("state");
    let compiled = || {
        let ran = scene.run(&["--cache", state.to_str().unwrap()]);
        assert_eq!(ran.code, 0, "{}", ran.said);
        ran.results["totals"]["compiled"].as_u64().unwrap()
    };
    assert_eq!(compiled(), 1);
    assert_eq!(compiled(), 0);
    let path = artefact(&state);
    let whole = std::fs::read(&path).unwrap();
    for at in [0, 32, whole.len() / 2, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(compiled(), 1, "byte {at}");
        assert_eq!(compiled(), 0, "byte {at}");
    }
    // Whoever has another key has other artefacts.
    std::fs::write(state.join("artifacts/key"), [7; 32]).unwrap();
    assert_eq!(compiled(), 1);

    std::fs::write(scene.path("file"), "").unwrap();
    let ran = scene.run(&["--cache", scene.path("file").to_str().unwrap()]);
    assert_eq!(ran.code, 1, "{}", ran.said);
    assert!(ran.stderr.contains("cannot create"), "{}", ran.stderr);
}

#[test]
fn two_tools_of_one_name_are_refused() {
    let ledger = component("plugins/vendor-ledger");
    let other = patched(
        std::fs::read(&ledger).unwrap(),
        "name = \"vendor-ledger\"",
        "name = \"vendor-lodger\"",
    );
    let scene = Scene::probe("echo");
    std::fs::write(scene.path("other.wasm"), other).unwrap();
    let tools = format!(
        "  vendor-ledger: {{ source: {} }}\n  vendor-lodger: {{ source: other.wasm }}\n\
         tools: [vendor-ledger, vendor-lodger]\nsteps:",
        ledger.display()
    );
    scene.change("workflow.yaml", "steps:", &tools);
    let ran = scene.run(&[]);
    assert_eq!(ran.code, 4, "{}", ran.said);
    assert!(
        ran.stderr.contains("two tools are called `invoice.find`")
            || ran.stderr.contains("two tools are called `vendor.find`"),
        "{}",
        ran.stderr
    );
    scene.change("workflow.yaml", "tools: [vendor-ledger, ", "tools: [");
    assert_eq!(scene.run(&[]).code, 0);
}

#[test]
fn a_crate_that_cannot_be_built_is_told_from_one_that_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let build = |words: &str| {
        let told = tell(hotcell().arg("build").arg(dir.path()));
        assert_eq!(told.code, 4, "{}", told.said());
        let said = &told.stderr;
        assert!(said.contains("cannot build"), "{said}");
        assert!(said.contains(words), "{said}");
        assert!(told.stdout.is_empty(), "{}", told.stdout);
    };
    build("there is no `Cargo.toml` in it");
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write("Cargo.toml", "[package\n");
    build("unclosed table");
    write("Cargo.toml", "[workspace]\n");
    build("it holds no package");
    let package =
        "[package]\nname = \"broken\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n";
    write("Cargo.toml", package);
    std::fs::create_dir(dir.path().join("src")).unwrap();
    write("src/lib.rs", "pub fn f() -> u32 { \"no number\" }\n");
    build("its library is no `cdylib`");
    write(
        "Cargo.toml",
        &format!("{package}[lib]\ncrate-type = [\"cdylib\"]\n"),
    );
    build("mismatched types");
    // It builds, and is no plugin: nothing but a look at it can tell.
    write("src/lib.rs", "");
    let told = tell(hotcell().arg("inspect").arg(dir.path()));
    assert_eq!(told.code, 4, "{}", told.said());
    assert!(
        told.stderr.contains("it has no manifest"),
        "{}",
        told.stderr
    );
}
