//! The rules of this repository that no compiler knows, as tests.
//!
//! Each looks at the files as they lie there and names the file and the line that
//! breaks the rule. An exception is a line in a list here, with its reason; a
//! list that excuses what is not there any more fails as well.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says loudly that it failed"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use hotcell_runtime::manifest::CONTRACT;
use toml::{Table, Value};

/// The host's crates, each of which knows the next.
const CRATES: [&str; 5] = ["app", "workflow", "runtime", "broker", "store"];

/// What lies at the top, beside dot-files and what git ignores.
const TOP: [&str; 13] = [
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "clippy.toml",
    "deny.toml",
    "examples",
    "host",
    "plugins",
    "rustfmt.toml",
    "sdk",
    "tests",
    "wit",
];

/// Files of `app` that name more than two of the other crates: how many, and why.
const WELL_CONNECTED: &[(&str, usize, &str)] = &[
    ("wire.rs", 4, "the composition root"),
    ("results.rs", 4, "adds up what every crate recorded"),
    ("bench/host.rs", 3, "a small host, to be measured"),
    ("check.rs", 3, "finds out what each crate would refuse"),
    (
        "resume.rs",
        3,
        "what is in doubt, whose run it is, what is left of it",
    ),
];

/// Files of more than 500 lines, and why they are not two.
const LONG: [(&str, &str); 4] = [
    ("host/app/src/wire.rs", "one place where everything meets"),
    (
        "host/runtime/src/world.rs",
        "one recursive comparison, and its tests",
    ),
    (
        "tests/hostile/made_load.rs",
        "one guest after another, and one line for each",
    ),
    ("tests/tidy.rs", "a list of rules, read from top to bottom"),
];

/// The only places that sleep.
const SLEEPS: &[(&str, &str)] = &[
    (
        "host/app/src/bench/host.rs",
        "a simulated model takes its time",
    ),
    (
        "host/app/src/cancel.rs",
        "looks whether another process has ended a run",
    ),
    (
        "host/app/src/state.rs",
        "a process that was killed a moment ago still owns the journal",
    ),
    (
        "host/broker/src/ledger.rs",
        "a call beyond a rate waits for its turn",
    ),
    (
        "host/runtime/src/compile.rs",
        "looks whether a worker has ended, a thousand times a second",
    ),
    ("host/runtime/src/runtime.rs", "the clock of epochs"),
    (
        "host/workflow/src/engine/scene.rs",
        "waits between tries, and timeouts of states",
    ),
    (
        "tests/hostile/guard.rs",
        "looks whether a case without its guard has ended",
    ),
    (
        "tests/hostile/oracle.rs",
        "looks whether the process has come to rest",
    ),
    (
        "host/broker/src/provider/remote/reading.rs",
        "a server that says a token a minute, on a stopped clock",
    ),
];

/// The only places that print, beside the screen, which writes to the streams.
const PRINTS: &[(&str, &str)] = &[(
    "tests/guests/wasi-probe/src/lib.rs",
    "shows where a guest's prints end up",
)];

/// A text file of this repository.
struct Text {
    /// From the top, with `/`.
    path: String,
    text: String,
}

impl Text {
    fn is(&self, extension: &str) -> bool {
        self.path.ends_with(extension)
    }

    fn is_under(&self, folders: &[&str]) -> bool {
        folders.iter().any(|folder| self.path.starts_with(folder))
    }

    /// The lines with their places, comments left out.
    fn code(&self) -> impl Iterator<Item = (String, &str)> {
        self.lines()
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    fn lines(&self) -> impl Iterator<Item = (String, &str)> {
        let place = |at| format!("{}:{}", self.path, at + 1);
        self.text
            .lines()
            .enumerate()
            .map(move |(at, line)| (place(at), line))
    }

    fn toml(&self) -> Table {
        self.text
            .parse()
            .unwrap_or_else(|error| panic!("{}: {error}", self.path))
    }
}

/// The files of the contract; guests may bring other people's.
fn contract() -> impl Iterator<Item = &'static Text> {
    texts()
        .iter()
        .filter(|text| text.is(".wit") && text.is_under(&["wit/"]))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every text file that people write, sorted.
fn texts() -> &'static [Text] {
    static TEXTS: OnceLock<Vec<Text>> = OnceLock::new();
    TEXTS.get_or_init(|| {
        let mut texts = Vec::new();
        collect(&root(), "", &mut texts);
        texts.sort_by(|a, b| a.path.cmp(&b.path));
        assert!(texts.len() > 100, "only {} files were found", texts.len());
        texts
    })
}

fn collect(folder: &Path, path: &str, texts: &mut Vec<Text>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with('.') || name == "target" {
            continue;
        }
        let path = format!("{path}{name}");
        if entry.file_type().unwrap().is_dir() {
            collect(&entry.path(), &format!("{path}/"), texts);
        } else if [".rs", ".toml", ".wit", ".md", ".yaml", ".txt", ".lock"]
            .iter()
            .any(|extension| path.ends_with(extension))
        {
            let text = fs::read_to_string(entry.path()).unwrap();
            texts.push(Text { path, text });
        }
    }
}

fn text(path: &str) -> &'static Text {
    let found = texts().iter().find(|text| text.path == path);
    found.unwrap_or_else(|| panic!("there is no `{path}`"))
}

fn sources() -> impl Iterator<Item = &'static Text> {
    texts().iter().filter(|text| text.is(".rs"))
}

/// Folders in a folder, by name.
fn folders(path: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(path)).unwrap().map(Result::unwrap);
    let mut names: Vec<_> = entries
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The `Cargo.toml` of every member; the fuzz targets are a workspace of their own.
fn members() -> impl Iterator<Item = &'static Text> {
    let is_member = |text: &&Text| text.is("/Cargo.toml") && text.path != "tests/fuzz/Cargo.toml";
    texts().iter().filter(is_member)
}

/// What a manifest depends on, whatever for: names and how they are declared.
fn dependencies(manifest: &Table) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (key, value) in manifest {
        let Value::Table(table) = value else { continue };
        if key.ends_with("dependencies") {
            found.extend(table.clone());
        } else if key == "target" {
            let targets = table.values().filter_map(Value::as_table);
            found.extend(targets.flat_map(dependencies));
        }
    }
    found
}

#[track_caller]
fn expect_none(problems: Vec<String>) {
    assert!(problems.is_empty(), "\n  {}\n", problems.join("\n  "));
}

/// A word in two halves, so that this file does not hold what it looks for.
fn word(halves: [&str; 2]) -> String {
    halves.concat()
}

#[test]
fn the_top_holds_what_it_should_and_nothing_else() {
    let ignored = fs::read_to_string(root().join(".gitignore")).unwrap();
    let ignored: Vec<_> = ignored
        .lines()
        .filter_map(|line| line.strip_prefix('/'))
        .collect();
    let entries = fs::read_dir(root()).unwrap().map(Result::unwrap);
    let found: BTreeSet<_> = entries
        .map(|entry| entry.file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.') && !ignored.contains(&name.as_str()))
        .collect();
    assert_eq!(found, TOP.map(str::to_owned).into());
}

#[test]
fn below_app_each_crate_names_exactly_the_next() {
    for (at, name) in CRATES.iter().enumerate().skip(1) {
        let manifest = text(&format!("host/{name}/Cargo.toml")).toml();
        let ours: Vec<_> = dependencies(&manifest)
            .into_iter()
            .map(|(name, _)| name)
            .filter(|name| name.starts_with("hotcell"))
            .collect();
        let next: Vec<_> = CRATES
            .get(at + 1)
            .map(|next| format!("hotcell-{next}"))
            .into_iter()
            .collect();
        assert_eq!(ours, next, "host/{name}/Cargo.toml");
    }
}

#[test]
fn measuring_knows_nothing_of_ours_and_only_app_knows_it() {
    for member in members() {
        let names = dependencies(&member.toml())
            .into_iter()
            .map(|(name, _)| name);
        let names: Vec<_> = names.filter(|name| name.starts_with("hotcell")).collect();
        let knows = names.iter().any(|name| name == "hotcell-measure");
        assert_eq!(
            knows,
            member.path == "host/app/Cargo.toml",
            "{}",
            member.path
        );
        if member.path == "host/measure/Cargo.toml" {
            assert!(names.is_empty(), "{}: {names:?}", member.path);
        }
    }
}

#[test]
fn a_plugin_knows_the_sdk_and_nothing_of_the_host() {
    let mut problems = Vec::new();
    for member in members().filter(|m| m.is_under(&["sdk/", "plugins/", "tests/guests/"])) {
        for (name, _) in dependencies(&member.toml()) {
            if name.starts_with("hotcell") && name != "hotcell-sdk" {
                problems.push(format!("{}: `{name}`", member.path));
            }
        }
    }
    expect_none(problems);
}

#[test]
fn only_the_runtime_names_wasmtime() {
    let mut problems = Vec::new();
    for member in members().filter(|m| !m.is_under(&["host/runtime/"])) {
        for (name, _) in dependencies(&member.toml()) {
            if name.starts_with("wasmtime") {
                problems.push(format!("{}: `{name}`", member.path));
            }
        }
    }
    let (path, prefix) = (word(["wasm", "time::"]), word(["wasm", "time_"]));
    for source in sources().filter(|s| !s.is_under(&["host/runtime/"])) {
        for (place, line) in source.code() {
            if line.contains(&path) || line.contains(&prefix) {
                problems.push(format!("{place}: {}", line.trim()));
            }
        }
    }
    expect_none(problems);
}

#[test]
fn only_the_wiring_knows_every_crate() {
    let mut connected = Vec::new();
    for source in sources().filter(|s| s.is_under(&["host/app/src/"])) {
        let crates = CRATES.iter().skip(1).map(|name| format!("hotcell_{name}"));
        let named = crates
            .filter(|name| source.code().any(|(_, line)| line.contains(name)))
            .count();
        if named > 2 {
            connected.push((source.path.clone(), named));
        }
    }
    let mut excused: Vec<_> = WELL_CONNECTED
        .iter()
        .map(|(file, named, _)| (format!("host/app/src/{file}"), *named))
        .collect();
    excused.sort();
    assert_eq!(connected, excused);
}

#[test]
fn dependencies_are_declared_once_for_all() {
    let mut problems = Vec::new();
    for member in members() {
        let manifest = member.toml();
        for (name, declared) in dependencies(&manifest) {
            let shared = declared.get("workspace").and_then(Value::as_bool);
            if shared != Some(true) {
                problems.push(format!("{}: `{name}` has its own version", member.path));
            }
        }
        let lints = manifest.get("lints").and_then(|l| l.get("workspace"));
        if lints.and_then(Value::as_bool) != Some(true) {
            let path = &member.path;
            problems.push(format!("{path}: it does not take the workspace's lints"));
        }
    }
    expect_none(problems);
}

#[test]
fn there_is_one_tls_and_one_cryptography() {
    let lock = text("Cargo.lock");
    let banned = [
        "aws-lc-rs",
        "aws-lc-sys",
        "native-tls",
        "openssl",
        "openssl-sys",
    ];
    let named = |name: &&str| {
        let line = format!("name = \"{name}\"");
        lock.text.lines().any(|it| it == line)
    };
    assert!(named(&"ring") && named(&"rustls"), "Cargo.lock is not read");
    expect_none(
        banned
            .iter()
            .filter(|n| named(n))
            .map(ToString::to_string)
            .collect(),
    );
}

/// Unit tests beside their module need no such words: the module has them.
#[test]
fn every_module_says_what_it_is_for() {
    let is_unit_test = |text: &Text| {
        text.path.contains("/src/") && (text.is("/tests.rs") || text.path.contains("/tests/"))
    };
    let silent = sources()
        .filter(|source| source.is_under(&["tests/"]) || !is_unit_test(source))
        .filter(|source| !source.text.starts_with("//! "));
    expect_none(silent.map(|source| source.path.clone()).collect());
}

#[test]
fn no_file_is_too_long() {
    let mut problems = Vec::new();
    for source in sources() {
        let (path, lines) = (&source.path, source.text.lines().count());
        let excused = LONG.iter().any(|(long, _)| long == path);
        match lines {
            801.. => problems.push(format!("{path} has {lines} lines; 800 is the end")),
            501.. if !excused => problems.push(format!(
                "{path} has {lines} lines: make it two, or say in `LONG` why not"
            )),
            0..=500 if excused => problems.push(format!("{path} is no longer long: forget it")),
            _ => {}
        }
    }
    problems.extend(missing(LONG.map(|(path, _)| path)));
    expect_none(problems);
}

fn missing<'a>(paths: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let gone = |path: &&str| !texts().iter().any(|text| text.path == *path);
    let problem = |path| format!("{path} is excused and not there");
    paths.into_iter().filter(gone).map(problem).collect()
}

#[test]
fn what_is_left_to_do_has_a_reason() {
    let words = [["TO", "DO"], ["FIX", "ME"], ["XX", "X"], ["HA", "CK"]].map(word);
    let mut problems = Vec::new();
    for (place, line) in texts().iter().flat_map(Text::lines) {
        for word in &words {
            let reason = line.split_once(word.as_str()).map(|(_, rest)| rest);
            let given = |rest: &str| {
                let reason = rest.strip_prefix('(').and_then(|rest| rest.split_once(')'));
                reason.is_some_and(|(reason, _)| !reason.trim().is_empty())
            };
            if reason.is_some_and(|rest| !given(rest)) {
                problems.push(format!("{place}: {}", line.trim()));
            }
        }
    }
    expect_none(problems);
}

#[test]
fn no_test_is_left_out() {
    let ignore = word(["#[ign", "ore"]);
    let found = sources()
        .flat_map(Text::lines)
        .filter(|(_, line)| line.contains(&ignore));
    expect_none(found.map(|(place, _)| place).collect());
}

#[test]
fn nothing_sleeps_and_no_test_waits_for_a_time() {
    expect_only(&[word(["sle", "ep("])], SLEEPS);
}

#[test]
fn only_the_screen_prints() {
    let words = [["print", "ln!("], ["print", "!("], ["db", "g!("]].map(word);
    expect_only(&words, PRINTS);
}

/// These words stand in these files and in no other.
fn expect_only(words: &[String], excused: &[(&str, &str)]) {
    let of = |source: &'static Text| {
        let found = |(_, line): &(String, &str)| words.iter().any(|word| line.contains(word));
        source.code().filter(found).map(|(place, _)| place)
    };
    let is_excused = |s: &&'static Text| excused.iter().any(|(path, _)| s.path == *path);
    expect_none(sources().filter(|s| !is_excused(s)).flat_map(of).collect());
    for (path, why) in excused {
        let mine = sources().filter(|s| s.path == *path).flat_map(of).count();
        assert!(mine > 0, "{path} is excused ({why}) and does nothing of it");
    }
}

#[test]
fn every_plugin_has_a_manifest_of_its_name() {
    for kind in ["plugins", "tests/guests"] {
        for name in folders(kind) {
            let folder = format!("{kind}/{name}");
            let package = text(&format!("{folder}/Cargo.toml")).toml();
            let manifest = text(&format!("{folder}/hotcell.toml")).toml();
            assert_eq!(
                package["package"]["name"].as_str(),
                Some(&*name),
                "{folder}"
            );
            assert_eq!(manifest["name"].as_str(), Some(&*name), "{folder}");
            assert_eq!(manifest["contract"].as_str(), Some(CONTRACT), "{folder}");
            if kind == "plugins" {
                let readme = text(&format!("{folder}/README.md"));
                assert!(readme.text.starts_with(&format!("# {name}\n")), "{folder}");
            }
        }
    }
}

#[test]
fn every_guest_is_used_by_a_test() {
    let tests: Vec<_> = sources()
        .filter(|s| s.is_under(&["tests/crash/", "tests/it/"]))
        .collect();
    let unused = folders("tests/guests").into_iter().filter(|guest| {
        let path = format!("tests/guests/{guest}\"");
        !tests.iter().any(|test| test.text.contains(&path))
    });
    expect_none(unused.collect());
}

#[test]
fn every_item_of_the_contract_says_since_when_and_what_it_is() {
    let mut problems = Vec::new();
    let mut items = 0;
    for wit in contract() {
        let mut above: Vec<&str> = Vec::new();
        for (place, line) in wit.lines() {
            let line = line.trim();
            if line.starts_with("///") || line.starts_with('@') {
                above.push(line);
                continue;
            }
            if let Some(kind) = item(line) {
                items += 1;
                let since = above
                    .iter()
                    .find_map(|l| l.strip_prefix("@since(version = "));
                let since = since.and_then(|rest| rest.strip_suffix(')'));
                if since.is_none_or(|since| version(since) > version(CONTRACT)) {
                    problems.push(format!("{place}: `{line}` lacks a usable `@since`"));
                }
                let said = above.iter().any(|line| line.starts_with("///"));
                if kind != "use" && !said {
                    problems.push(format!("{place}: `{line}` has no `///`"));
                }
            }
            above.clear();
        }
    }
    assert!(items > 80, "only {items} items were found");
    expect_none(problems);
}

/// The kind of the item that this line of WIT opens, if it opens one.
fn item(line: &str) -> Option<&str> {
    const KINDS: [&str; 9] = [
        "interface",
        "world",
        "record",
        "variant",
        "enum",
        "flags",
        "resource",
        "type",
        "use",
    ];
    let first = line.split(' ').next().unwrap_or_default();
    if KINDS.contains(&first) {
        return Some(first);
    }
    line.contains(": func(").then_some("func")
}

fn version(text: &str) -> Vec<u32> {
    text.split('.').map(|part| part.parse().unwrap()).collect()
}

#[test]
fn the_contract_has_one_version() {
    let mut problems = Vec::new();
    let at = format!("@{CONTRACT}");
    for (place, line) in contract().flat_map(Text::lines) {
        let code = line.split("//").next().unwrap_or_default();
        if code.contains("hotcell:") && !code.contains(&at) {
            problems.push(format!("{place}: {}", line.trim()));
        }
    }
    for wit in contract() {
        let folder = wit.path.split('/').nth(1).unwrap_or_default();
        let package = format!("package hotcell:{folder}{at};\n");
        if !wit.text.starts_with(&package) {
            problems.push(format!(
                "{} does not start with `{}`",
                wit.path,
                package.trim()
            ));
        }
    }
    expect_none(problems);
}

#[test]
fn the_host_checks_components_against_every_file_of_the_contract() {
    let check = text("host/runtime/src/world.rs");
    let forgotten = contract().filter(|wit| {
        let include = format!("include_str!(\"../../../{}\")", wit.path);
        !check.text.contains(&include)
    });
    expect_none(forgotten.map(|wit| wit.path.clone()).collect());
}
