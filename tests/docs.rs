//! The pages of this repository, run: `README.md` and those of the examples.
//!
//! - A `console` block is a session. A line after `$ ` is a command, what follows
//!   is all it prints, standard output and error together. `? 5` is its exit code,
//!   0 if nothing is said.
//! - In what is printed, `[..]` stands for anything in its line, and `...` alone
//!   for any number of lines. Runs of spaces and of table lines count as one,
//!   because columns are as wide as their widest value.
//! - A block right under a line that is a path in backticks, and nothing else, is
//!   that file. It is written before the sessions below it run.
//! - `$ cargo run -- …` is what a reader types at the top of the repository,
//!   `$ hotcell …` what they type in a folder of their own. Both run the built
//!   binary. Other commands are refused here; blocks of another kind, such as
//!   `sh`, are not run.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says loudly that it failed"
)]

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

fn root() -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    path.canonicalize().unwrap()
}

/// Every page that is run, from the top.
fn pages() -> Vec<String> {
    let mut pages = vec!["README.md".to_owned()];
    for example in fs::read_dir(root().join("examples")).unwrap() {
        let name = example.unwrap().file_name().into_string().unwrap();
        pages.push(format!("examples/{name}/README.md"));
    }
    pages.sort();
    pages
}

/// What a block of a page is for.
#[derive(Debug, PartialEq)]
enum Block {
    File { path: String, text: String },
    Session(Vec<Step>),
}

/// One command of a session.
#[derive(Debug, Default, PartialEq)]
struct Step {
    /// Where it stands, from 1.
    line: usize,
    command: String,
    prints: Vec<String>,
    exit: i32,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut above = "";
    let mut lines = page.lines().enumerate();
    while let Some((_, line)) = lines.next() {
        let Some(kind) = line.strip_prefix("```") else {
            if !line.trim().is_empty() {
                above = line;
            }
            continue;
        };
        let inside: Vec<_> = lines
            .by_ref()
            .take_while(|(_, line)| !line.starts_with("```"))
            .map(|(at, line)| (at + 1, line))
            .collect();
        if let Some(path) = path_in(above) {
            let text = inside.iter().map(|(_, line)| format!("{line}\n")).collect();
            let path = path.to_owned();
            blocks.push(Block::File { path, text });
        } else if kind == "console" {
            blocks.push(Block::Session(session(&inside)));
        }
        above = "";
    }
    blocks
}

/// The path, if the line is one in backticks.
fn path_in(line: &str) -> Option<&str> {
    let path = line.strip_prefix('`')?.strip_suffix('`')?;
    (!path.contains(['`', ' '])).then_some(path)
}

fn session(lines: &[(usize, &str)]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (at, line) in lines {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step {
                line: *at,
                command: command.to_owned(),
                ..Step::default()
            });
            continue;
        }
        let step = steps
            .last_mut()
            .unwrap_or_else(|| panic!("line {at}: nothing was asked yet"));
        match line.strip_prefix("? ") {
            Some(exit) => step.exit = exit.parse().unwrap(),
            None => step.prints.push((*line).to_owned()),
        }
    }
    steps
}

/// Whether what was printed is what the page shows.
fn fits(shown: &[String], printed: &[String]) -> bool {
    let plain = |lines: &[String]| {
        let lines = lines.iter().map(|line| squeeze(line));
        let mut lines: Vec<_> = lines.collect();
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines
    };
    all_fit(&plain(shown), &plain(printed))
}

/// The first shown line that nothing printed fits, for the report.
fn misfit<'a>(shown: &'a [String], printed: &[String]) -> &'a str {
    let rest = "...".to_owned();
    let fits_up_to = |end: &usize| {
        let start = shown.iter().take(*end).chain([&rest]);
        !fits(&start.cloned().collect::<Vec<_>>(), printed)
    };
    let end = (1..=shown.len()).find(fits_up_to);
    end.map_or("the end, or the exit code", |end| &shown[end - 1])
}

fn all_fit(shown: &[String], printed: &[String]) -> bool {
    match (shown.split_first(), printed.split_first()) {
        (None, printed) => printed.is_none(),
        (Some((line, rest)), _) if line == "..." => {
            (0..=printed.len()).any(|skipped| all_fit(rest, &printed[skipped..]))
        }
        (Some(_), None) => false,
        (Some((line, rest)), Some((first, others))) => {
            line_fits(line, first) && all_fit(rest, others)
        }
    }
}

fn line_fits(shown: &str, printed: &str) -> bool {
    let mut parts = shown.split("[..]");
    let start = parts.next().unwrap_or_default();
    let Some(mut rest) = printed.strip_prefix(start) else {
        return false;
    };
    let mut parts: Vec<_> = parts.collect();
    let Some(end) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else {
            return false;
        };
        rest = after;
    }
    rest.ends_with(end)
}

/// Runs of these characters become one.
fn squeeze(line: &str) -> String {
    let mut squeezed = String::new();
    for c in line.trim_end().chars() {
        if !(matches!(c, ' ' | '─' | '═') && squeezed.ends_with(c)) {
            squeezed.push(c);
        }
    }
    squeezed
}

/// The folder that a page's files and sessions are in.
struct Folder {
    dir: TempDir,
}

impl Folder {
    fn write(&self, path: &str, text: &str) {
        let to = self.dir.path().join(path);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        // A reader's folder lies beside the clone; this one does not.
        let clone = root().display().to_string();
        fs::write(&to, text.replace("../hotcell", &clone)).unwrap();
        if path.ends_with("Cargo.toml") {
            // The versions that are here already, so that cargo asks nobody.
            fs::copy(root().join("Cargo.lock"), to.with_file_name("Cargo.lock")).unwrap();
        }
    }

    /// What the command printed, by lines, and its exit code.
    fn run(&self, command: &str) -> (Vec<String>, i32) {
        let at_the_top = command.strip_prefix("cargo run -- ");
        let arguments = at_the_top.or_else(|| command.strip_prefix("hotcell "));
        let arguments = arguments.unwrap_or_else(|| panic!("`{command}` is not run here"));
        let folder = match at_the_top {
            Some(_) => root(),
            None => self.dir.path().to_owned(),
        };
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut command = hotcell();
        command
            .args(arguments.split_whitespace())
            .current_dir(folder)
            .stdout(writer.try_clone().unwrap())
            .stderr(writer);
        let mut child = command.spawn().unwrap();
        // It holds the ends that are written to, and the pipe ends with the last.
        drop(command);
        let mut printed = Vec::new();
        reader.read_to_end(&mut printed).unwrap();
        let printed = String::from_utf8(printed).unwrap();
        let exit = child.wait().unwrap().code().unwrap_or(-1);
        (printed.lines().map(str::to_owned).collect(), exit)
    }
}

/// The built command, with nothing of the caller's environment that could change
/// what it prints. What it builds and compiles is kept for the next time.
fn hotcell() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hotcell"));
    command
        .env("HOTCELL_CACHE", root().join("target/tests/cache"))
        .env("HOTCELL_STATE", root().join("target/tests/docs-state"))
        .env("CARGO_TARGET_DIR", root().join("target"))
        .env_remove("OPENAI_API_KEY")
        .env_remove("COLUMNS")
        .stdin(Stdio::null());
    command
}

/// The first build may have more to say than a page shows: that a target had to
/// be installed.
fn build_the_plugins() {
    let plugins = fs::read_dir(root().join("plugins")).unwrap();
    let folders = plugins.map(|plugin| plugin.unwrap().path());
    let built = hotcell().arg("build").args(folders).output().unwrap();
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{said}");
}

#[test]
fn every_page_does_what_it_shows() {
    build_the_plugins();
    let mut problems = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(root().join(&page)).unwrap();
        let folder = Folder {
            dir: tempfile::tempdir().unwrap(),
        };
        let mut commands = 0;
        for block in blocks(&text) {
            let steps = match block {
                Block::File { path, text } => {
                    folder.write(&path, &text);
                    continue;
                }
                Block::Session(steps) => steps,
            };
            for step in steps {
                commands += 1;
                let (printed, exit) = folder.run(&step.command);
                if exit != step.exit || !fits(&step.prints, &printed) {
                    problems.push(format!(
                        "{page}:{}: $ {}\n--- first amiss: {}\n--- shown, exit code {}:\n{}\n\
                         --- printed, exit code {exit}:\n{}\n",
                        step.line,
                        step.command,
                        misfit(&step.prints, &printed),
                        step.exit,
                        step.prints.join("\n"),
                        printed.join("\n"),
                    ));
                }
            }
        }
        assert!(commands > 0, "{page} shows no command");
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

/// The page's table of limits and the runtime's list of them are the same.
#[test]
fn the_readme_names_every_limit_as_the_results_do() {
    let runtime = fs::read_to_string(root().join("host/runtime/src/end.rs")).unwrap();
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let words = |text: &str, quote: char| -> BTreeSet<String> {
        let quoted = text.split(quote).skip(1).step_by(2);
        let limits = quoted.filter(|word| word.starts_with("limit."));
        limits.map(str::to_owned).collect()
    };
    let there: BTreeSet<_> = runtime
        .lines()
        .filter(|line| line.contains("End::Limit(Limit::"))
        .flat_map(|line| words(line, '"'))
        .collect();
    let table: BTreeSet<_> = readme
        .lines()
        .filter(|line| line.starts_with('|'))
        .flat_map(|line| words(line, '`'))
        .collect();
    assert!(there.len() > 3, "{there:?}");
    assert_eq!(table, there);
}

#[test]
fn every_link_leads_somewhere() {
    let mut broken = Vec::new();
    let mut found = 0;
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if name.ends_with(".md") {
                let text = fs::read_to_string(&path).unwrap();
                for link in links(&text) {
                    found += 1;
                    if !folder.join(&link).exists() {
                        broken.push(format!("{}: {link}", path.display()));
                    }
                }
            }
        }
    }
    assert!(found > 5, "only {found} links were found");
    assert!(broken.is_empty(), "{broken:#?}");
}

/// The files that a page links to.
fn links(page: &str) -> Vec<String> {
    let targets = page
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    let files = targets.map(|target| target.split('#').next().unwrap_or_default());
    files
        .filter(|file| !file.is_empty() && !file.contains("://"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_page_is_read_as_it_is_meant() {
    let page = "\
Words with `code`.

```toml
not = \"run\"
```

`src/lib.rs`

```rust
fn f() {}
```

```console
$ hotcell one
first

third
$ hotcell two
? 5
```
";
    let step = |line, command: &str, prints: &[&str], exit| Step {
        line,
        command: command.to_owned(),
        prints: prints.iter().map(|line| (*line).to_owned()).collect(),
        exit,
    };
    let expected = [
        Block::File {
            path: "src/lib.rs".to_owned(),
            text: "fn f() {}\n".to_owned(),
        },
        Block::Session(vec![
            step(14, "hotcell one", &["first", "", "third"], 0),
            step(18, "hotcell two", &[], 5),
        ]),
    ];
    assert_eq!(blocks(page), expected);
}

#[test]
fn what_is_printed_fits_line_by_line() {
    let table = [
        ("a\nb", "a\nb", true),
        ("a\nb", "a\nc", false),
        ("a", "a\nb", false),
        ("a\nb", "a", false),
        ("", "a", false),
        ("a\n", "a", true),
        ("a [..] c", "a bbb c", true),
        ("a [..] c", "a bbb d", false),
        ("a [..] c", "b bbb c", false),
        ("[..]b[..]c", "abc", true),
        ("[..]b[..]b", "ab", false),
        ("[..]", "anything", true),
        ("[..]", "two\nlines", false),
        ("a\n...\nd", "a\nb\nc\nd", true),
        ("a\n...\nd", "a\nd", true),
        ("a\n...\nd", "a\nb\nc", false),
        ("a\n...", "b\nc", false),
        ("...\nb\n...", "a\nb\nc", true),
        ("...\nd\n...", "a\nb\nc", false),
        ("│ a │\n└───┘", "│ a    │\n└──────┘", true),
        ("│ a │", "│ b │", false),
    ];
    let lines = |text: &str| -> Vec<String> { text.lines().map(str::to_owned).collect() };
    for (shown, printed, expected) in table {
        let found = fits(&lines(shown), &lines(printed));
        assert_eq!(found, expected, "{shown:?} and {printed:?}");
    }
}
