//! Taking a tree apart: typed values out, a problem for everything that is not
//! as it should be. Reading goes on after a problem, so that one look at a file
//! finds them all.

use std::fs::File;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};

use hotcell_runtime::manifest::is_name;

use super::problem::{Problem, Source, Spot, nearest, one_of};
use super::tree::{Key, Kind, Node};

/// Reads one file's tree and keeps what is wrong with it.
pub(crate) struct Reader {
    source: Source,
    base: PathBuf,
    own_records: bool,
    problems: Vec<Problem>,
}

/// A word of the file that names something, and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    /// The word.
    pub(crate) name: String,
    /// Its place, for what is found out about it later.
    pub(crate) spot: Spot,
}

/// An opened table, whose unknown keys have been noted.
pub(crate) struct Table<'n> {
    /// What it is, with an article: "a step".
    what: &'n str,
    node: &'n Node,
    /// The keys that unknown ones were probably meant to be.
    meant: Vec<String>,
}

impl<'n> Table<'n> {
    /// The value of a key that may be left out.
    pub(crate) fn get(&self, key: &str) -> Option<&'n Node> {
        self.node.get(key)
    }
}

impl Reader {
    /// A reader of this file. Paths in it are relative to this folder. Whether the
    /// workflow's own records, and their right answers, have to be there.
    pub(crate) fn new(source: Source, base: &Path, own_records: bool) -> Reader {
        Reader {
            source,
            base: base.to_owned(),
            own_records,
            problems: Vec::new(),
        }
    }

    /// What was wrong.
    pub(crate) fn problems(self) -> Vec<Problem> {
        self.problems
    }

    /// A place in the file.
    pub(crate) fn spot(&self, span: &Range<usize>) -> Spot {
        self.source.spot(span.clone())
    }

    /// A place in words, for what must not be shown: "line 3 of `host.toml`".
    pub(crate) fn line(&self, span: &Range<usize>) -> String {
        let before = self.source.text().bytes().take(span.start);
        let line = before.filter(|byte| *byte == b'\n').count() + 1;
        format!("line {line} of `{}`", self.source.name())
    }

    /// Notes a problem at a place.
    pub(crate) fn wrong(
        &mut self,
        span: &Range<usize>,
        message: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) {
        let spot = self.spot(span);
        self.push(Problem::new(message).at(&spot, label).help(help));
    }

    /// Notes a problem.
    pub(crate) fn push(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// The table that a node should be, with these keys and no others.
    pub(crate) fn table<'n>(
        &mut self,
        node: &'n Node,
        what: &'n str,
        keys: &[&str],
    ) -> Option<Table<'n>> {
        let Kind::Table(entries) = &node.kind else {
            let example = keys
                .first()
                .map_or_else(String::new, |key| format!("{key}: …"));
            let help = format!("write its keys and values, such as `{example}`");
            self.mismatch(node, what, "a table", help);
            return None;
        };
        let mut meant = Vec::new();
        for (key, _) in entries {
            if !keys.contains(&key.name.as_str()) {
                let message = format!("unknown key `{}`", key.name);
                let help = one_of(&key.name, &format!("the keys of {what}"), keys);
                self.wrong(&key.span, message, format!("not a key of {what}"), help);
                meant.extend(nearest(&key.name, keys.iter().copied()).map(str::to_owned));
            }
        }
        Some(Table { what, node, meant })
    }

    /// The entries of a table whose keys are names that the author chose.
    pub(crate) fn entries<'n>(&mut self, node: &'n Node, what: &str) -> &'n [(Key, Node)] {
        match &node.kind {
            Kind::Table(entries) => entries,
            _ => {
                self.mismatch(node, what, "a table", "write one entry for each name");
                &[]
            }
        }
    }

    /// The value of a key that must be there; `help` says what to write. A key
    /// that is there misspelt has been noted already.
    pub(crate) fn require<'n>(
        &mut self,
        table: &Table<'n>,
        key: &str,
        help: &str,
    ) -> Option<&'n Node> {
        let value = table.get(key);
        if value.is_none() && !table.meant.iter().any(|meant| meant == key) {
            let message = format!("{} needs `{key}`", table.what);
            self.wrong(&table.node.span, message, "it is missing here", help);
        }
        value
    }

    /// The text that a node should be.
    pub(crate) fn text(&mut self, node: &Node, what: &str) -> Option<String> {
        match &node.kind {
            Kind::Text(text) if !text.trim().is_empty() => Some(text.clone()),
            Kind::Text(_) => {
                let message = format!("`{what}` is empty");
                self.wrong(&node.span, message, "nothing in here", "write something");
                None
            }
            other => {
                let help = match other {
                    Kind::Bool(_) | Kind::Number(_) => "put it in quotes",
                    _ => "write a single text",
                };
                self.mismatch(node, &format!("`{what}`"), "text", help);
                None
            }
        }
    }

    /// The `true` or `false` that a node should be.
    pub(crate) fn flag(&mut self, node: &Node, what: &str) -> Option<bool> {
        match &node.kind {
            Kind::Bool(flag) => Some(*flag),
            _ => {
                let help = "write `true` or `false`";
                self.mismatch(node, &format!("`{what}`"), "a boolean", help);
                None
            }
        }
    }

    /// The number that a node should be.
    pub(crate) fn number(&mut self, node: &Node, what: &str) -> Option<f64> {
        match &node.kind {
            Kind::Number(number) => number.as_f64(),
            _ => {
                let what = format!("`{what}`");
                self.mismatch(node, &what, "a number", "write it without quotes");
                None
            }
        }
    }

    /// The JSON pointer that a node should be.
    pub(crate) fn pointer(&mut self, node: &Node, what: &str) -> Option<String> {
        let text = self.text(node, what)?;
        if text.starts_with('/') {
            return Some(text);
        }
        let message = format!("`{text}` does not point into an answer");
        let help = format!("begin with a slash: `{what}: /{text}`");
        self.wrong(&node.span, message, "not a JSON pointer", help);
        None
    }

    /// The whole number in this range that a node should be.
    pub(crate) fn whole(
        &mut self,
        node: &Node,
        what: &str,
        range: RangeInclusive<u64>,
    ) -> Option<u64> {
        let number = match &node.kind {
            Kind::Number(number) => number.as_u64(),
            _ => None,
        };
        if let Some(number) = number.filter(|number| range.contains(number)) {
            return Some(number);
        }
        let (least, most) = range.into_inner();
        let allowed = match most {
            u64::MAX => format!("a whole number from {least} upwards"),
            most => format!("a whole number from {least} to {most}"),
        };
        let label = match &node.kind {
            Kind::Number(number) => format!("this is {number}"),
            _ => format!("this is {}", node.kind_in_words()),
        };
        let spot = self.spot(&node.span);
        self.push(Problem::new(format!("`{what}` must be {allowed}")).at(&spot, label));
        None
    }

    /// The items of the list that a node should be.
    pub(crate) fn list<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        match &node.kind {
            Kind::List(items) => items,
            _ => {
                self.mismatch(
                    node,
                    &format!("`{what}`"),
                    "a list",
                    "write it as `[one, other]`",
                );
                &[]
            }
        }
    }

    /// The list of distinct texts that a node should be.
    pub(crate) fn texts(&mut self, node: &Node, what: &str) -> Vec<Named> {
        let mut texts: Vec<Named> = Vec::new();
        for item in self.list(node, what) {
            let Some(name) = self.text(item, what) else {
                continue;
            };
            let spot = self.spot(&item.span);
            match texts.iter().find(|text| text.name == name) {
                Some(first) => {
                    let problem = Problem::new(format!("`{name}` is twice in `{what}`"))
                        .at(&first.spot, "here first")
                        .at(&spot, "and here again")
                        .help("leave one of them out");
                    self.push(problem);
                }
                None => texts.push(Named { name, spot }),
            }
        }
        texts
    }

    /// One of these words.
    pub(crate) fn choice<T: Copy>(
        &mut self,
        node: &Node,
        what: &str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let text = self.text(node, what)?;
        let choice = choices
            .iter()
            .find(|(word, _)| *word == text)
            .map(|(_, value)| *value);
        if choice.is_none() {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            let help = one_of(&text, "the choices", &words);
            self.wrong(
                &node.span,
                format!("unknown {what} `{text}`"),
                "not a choice",
                help,
            );
        }
        choice
    }

    /// A name as plugins have it: `^[a-z][a-z0-9-]{0,62}$`.
    pub(crate) fn name(&mut self, name: &str, span: &Range<usize>) -> Option<Named> {
        if is_name(name) {
            return Some(Named {
                name: name.to_owned(),
                spot: self.spot(span),
            });
        }
        let help = "a name starts with a letter from a to z and goes on with letters, digits and \
                    `-`, 63 at most";
        self.wrong(span, format!("`{name}` is not a name"), "this one", help);
        None
    }

    /// A path of the file, which is relative to its folder.
    pub(crate) fn path(&self, text: &str) -> PathBuf {
        self.base.join(text)
    }

    /// The path of a file that can be opened.
    pub(crate) fn file(&mut self, node: &Node, what: &str) -> Option<PathBuf> {
        let text = self.text(node, what)?;
        let path = self.base.join(text);
        let opened = File::open(&path).and_then(|file| file.metadata());
        let label = match opened {
            Ok(metadata) if metadata.is_dir() => "this is a folder".to_owned(),
            Ok(_) => return Some(path),
            Err(error) => error.to_string(),
        };
        let message = format!("cannot read `{}`", path.display());
        self.wrong(
            &node.span,
            message,
            label,
            "paths are relative to the folder of this file",
        );
        None
    }

    /// The path of a file that is there or can be made.
    pub(crate) fn output(&mut self, node: &Node, what: &str) -> Option<PathBuf> {
        let text = self.text(node, what)?;
        let path = self.base.join(text);
        let label = match path.parent() {
            _ if path.is_dir() => "this is a folder",
            Some(folder) if folder.is_dir() => return Some(path),
            _ => "there is no such folder",
        };
        let message = format!("cannot write `{}`", path.display());
        let help = "paths are relative to the folder of this file";
        self.wrong(&node.span, message, label, help);
        None
    }

    /// The path of the workflow's own records or their right answers: opened only
    /// if they are what it works on.
    pub(crate) fn records(&mut self, node: &Node, what: &str) -> Option<PathBuf> {
        match self.own_records {
            true => self.file(node, what),
            false => {
                let text = self.text(node, what)?;
                Some(self.base.join(text))
            }
        }
    }

    /// The path of a plugin: a crate's folder or a `.wasm` file.
    pub(crate) fn plugin(&mut self, node: &Node, what: &str) -> Option<PathBuf> {
        let text = self.text(node, what)?;
        let path = self.base.join(text);
        let wasm = path
            .extension()
            .is_some_and(|extension| extension == "wasm");
        if path.join("Cargo.toml").is_file() || (wasm && path.is_file()) {
            return Some(path);
        }
        let label = match path.is_dir() {
            true => "this folder holds no `Cargo.toml`",
            false if path.exists() => "this is something else",
            false => "nothing is there",
        };
        let message = format!("no plugin at `{}`", path.display());
        let help = "name a crate's folder or a `.wasm` file, relative to the folder of this file";
        self.wrong(&node.span, message, label, help);
        None
    }

    fn mismatch(&mut self, node: &Node, what: &str, expected: &str, help: impl Into<String>) {
        let label = format!("this is {}", node.kind_in_words());
        self.wrong(
            &node.span,
            format!("{what} must be {expected}"),
            label,
            help,
        );
    }
}
