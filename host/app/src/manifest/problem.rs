//! What is wrong with a file, where, and what to do about it.
//!
//! A [`Problem`] is a miette diagnostic: message, the lines of the file with the
//! spot marked, and help. Nothing here reads a file or decides what is wrong.

use std::error::Error;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, NamedSource, Severity, SourceCode};

/// The text of a file under the name that messages use for it.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    named: Arc<NamedSource<String>>,
}

impl Source {
    /// This text under this name.
    pub(crate) fn new(name: &str, text: String) -> Source {
        Source {
            named: Arc::new(NamedSource::new(name, text)),
        }
    }

    /// The name.
    pub(crate) fn name(&self) -> &str {
        self.named.name()
    }

    /// The text.
    pub(crate) fn text(&self) -> &str {
        self.named.inner()
    }

    /// A place in it.
    pub(crate) fn spot(&self, span: Range<usize>) -> Spot {
        Spot {
            source: self.clone(),
            span,
        }
    }
}

/// A place in a file, kept so that what is found out later can point at it.
#[derive(Clone, Debug)]
pub(crate) struct Spot {
    source: Source,
    span: Range<usize>,
}

/// The longest line that is shown, in bytes. A file can be one line of megabytes.
const SHOWN: usize = 300;

impl Spot {
    /// Whether its lines, and the two around them that would be shown, are short.
    fn can_be_shown(&self) -> bool {
        let text = self.source.text();
        let at = |offset: usize| text.get(..offset).map_or(text.len(), str::len);
        let (before, rest) = text.split_at(at(self.span.start));
        let (inside, after) = rest.split_at(at(self.span.end).saturating_sub(before.len()));
        let above = before.rsplitn(3, '\n').map(str::len).take(2);
        let below = after.splitn(3, '\n').map(str::len).take(2);
        let within = inside.lines().map(str::len);
        above.chain(within).chain(below).all(|bytes| bytes <= SHOWN)
    }

    /// The name of its file.
    pub(crate) fn file(&self) -> &str {
        self.source.name()
    }

    /// The line it starts in, as it stands there.
    pub(crate) fn line(&self) -> &str {
        let (line, _) = self.line_and_column();
        let mut lines = self.source.text().lines();
        lines.nth(line - 1).unwrap_or_default().trim()
    }

    /// The line and column it starts at, both from 1.
    pub(crate) fn line_and_column(&self) -> (usize, usize) {
        let before = self
            .source
            .text()
            .get(..self.span.start)
            .unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default();
        (line, column.chars().count() + 1)
    }
}

/// One thing that is wrong, or, as a warning, probably not meant.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    message: String,
    help: Option<String>,
    severity: Severity,
    source: Option<Source>,
    labels: Vec<LabeledSpan>,
}

impl Problem {
    /// An error that no line of a file stands for.
    pub(crate) fn new(message: impl Into<String>) -> Problem {
        Problem {
            message: message.into(),
            help: None,
            severity: Severity::Error,
            source: None,
            labels: Vec::new(),
        }
    }

    /// The same, marked at a spot. All spots of one problem are in one file. Among
    /// lines that fill the screen the place is told in words instead.
    pub(crate) fn at(mut self, spot: &Spot, label: impl Into<String>) -> Problem {
        if !spot.can_be_shown() {
            let (line, column) = spot.line_and_column();
            let label = label.into();
            self.message = format!("{}, line {line}, column {column}: {label}", self.message);
            return self;
        }
        self.source = Some(spot.source.clone());
        self.labels.push(LabeledSpan::at(spot.span.clone(), label));
        self
    }

    /// The same, with what to do about it.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Problem {
        self.help = Some(help.into());
        self
    }

    /// The same as a warning.
    pub(crate) fn warning(mut self) -> Problem {
        self.severity = Severity::Warning;
        self
    }

    /// Where the first label starts, for sorting.
    fn offset(&self) -> usize {
        self.labels
            .iter()
            .map(LabeledSpan::offset)
            .min()
            .unwrap_or(0)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Problem {}

impl Diagnostic for Problem {
    fn severity(&self) -> Option<Severity> {
        Some(self.severity)
    }

    fn help(&self) -> Option<Box<dyn fmt::Display + '_>> {
        self.help
            .as_ref()
            .map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source
            .as_ref()
            .map(|source| &*source.named as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }
}

/// Everything that is wrong with a set of files, in the order of the files and
/// of the lines. One problem shows as itself, several under a count.
#[derive(Clone, Debug, Default)]
pub(crate) struct Problems {
    list: Vec<Problem>,
}

impl Problems {
    /// Adds one.
    pub(crate) fn push(&mut self, problem: Problem) {
        self.list.push(problem);
    }

    /// Adds those of one file, sorted by line.
    pub(crate) fn extend_sorted(&mut self, mut problems: Vec<Problem>) {
        problems.sort_by_key(Problem::offset);
        self.list.extend(problems);
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    fn only(&self) -> Option<&Problem> {
        match self.list.as_slice() {
            [problem] => Some(problem),
            _ => None,
        }
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Problems {
        Problems {
            list: vec![problem],
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.only() {
            Some(problem) => problem.fmt(f),
            None => write!(f, "{} problems", self.list.len()),
        }
    }
}

impl Error for Problems {}

impl Diagnostic for Problems {
    fn severity(&self) -> Option<Severity> {
        self.only().and_then(Diagnostic::severity)
    }

    fn help(&self) -> Option<Box<dyn fmt::Display + '_>> {
        self.only().and_then(Diagnostic::help)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.only().and_then(Diagnostic::source_code)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.only().and_then(Diagnostic::labels)
    }

    fn related(&self) -> Option<Box<dyn Iterator<Item = &dyn Diagnostic> + '_>> {
        match self.only() {
            Some(_) => None,
            None => Some(Box::new(
                self.list.iter().map(|problem| problem as &dyn Diagnostic),
            )),
        }
    }
}

/// The word of these that was probably meant.
pub(crate) fn nearest<'a>(word: &str, all: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |candidate: &str| {
        // Two letters swapped in a short word look like nothing to Jaro and Winkler.
        let slip = word.len() > 2 && strsim::osa_distance(word, candidate) == 1;
        if slip {
            1.0
        } else {
            strsim::jaro_winkler(word, candidate)
        }
    };
    all.into_iter()
        .map(|candidate| (likeness(candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| candidate)
}

/// Help for a word that is not one of these: the nearest, then all of them.
/// `what` says what they are: "the keys of a step".
pub(crate) fn one_of(word: &str, what: &str, all: &[&str]) -> String {
    let near = nearest(word, all.iter().copied());
    let near = near
        .map(|near| format!("did you mean `{near}`? "))
        .unwrap_or_default();
    match all {
        [] => format!("{what}: none"),
        all => format!("{near}{what}: `{}`", all.join("`, `")),
    }
}
