//! Conditions over typed data, in CEL, the Common Expression Language.
//!
//! A condition is compiled when the workflow is loaded: it names nothing that
//! does not exist and has a bounded length. What it may do is bounded too, for
//! the data it looks at is a guest's: of the macros only those that answer yes or
//! no (`all`, `exists`, `exists_one`), none inside of another, and no map
//! literals. A condition that cannot be answered is an error, never true.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use cel::common::ast::{Expr, IdedExpr, LiteralValue, operators};
use cel::{Context, Env, ExecutionError, Program};
use hotcell_runtime::broker::text;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::typed;

/// The longest a condition may be, in bytes: 4 KiB.
pub const SOURCE: usize = 4 * 1024;

/// The most that one condition may look at, in bytes of JSON: 256 KiB.
pub const DATA: usize = 256 * 1024;

/// How deep a condition may nest.
const DEPTH: usize = 64;

/// The longest name of a guest's that is shown.
const SHOWN: usize = 128;

/// What a condition may ask about.
pub const VARIABLES: [&str; 5] = ["input", "output", "outputs", "path", "visits"];

/// The functions it may call besides operators.
pub const FUNCTIONS: [&str; 9] = [
    "bool",
    "contains",
    "double",
    "endsWith",
    "int",
    "size",
    "startsWith",
    "string",
    "uint",
];

const OPERATORS: [&str; 19] = [
    operators::ADD,
    operators::CONDITIONAL,
    operators::DIVIDE,
    operators::EQUALS,
    operators::GREATER,
    operators::GREATER_EQUALS,
    operators::IN,
    operators::INDEX,
    operators::LESS,
    operators::LESS_EQUALS,
    operators::LOGICAL_AND,
    operators::LOGICAL_NOT,
    operators::LOGICAL_OR,
    operators::MODULO,
    operators::MULTIPLY,
    operators::NEGATE,
    operators::NOT_EQUALS,
    operators::NOT_STRICTLY_FALSE,
    operators::SUBSTRACT,
];

static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// A condition that may be evaluated.
#[derive(Clone)]
pub struct Guard {
    source: Arc<str>,
    program: Arc<Program>,
    /// Which variables it looks at.
    names: Vec<&'static str>,
}

/// Why a text is no condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadGuard {
    /// Too long.
    #[error("it has {0} bytes, more than {SOURCE}")]
    TooLong(usize),
    /// Not CEL.
    #[error("it is not CEL: {0}")]
    Syntax(String),
    /// It nests too deep.
    #[error("it nests deeper than {DEPTH} levels")]
    TooDeep,
    /// There is no such variable.
    #[error("`{0}` is not known here")]
    Variable(String),
    /// There is no such function here.
    #[error("`{0}` cannot be called here")]
    Function(String),
    /// A macro inside of a macro.
    #[error("a macro may not stand inside of another one")]
    Nested,
    /// A macro that builds lists.
    #[error("`map` and `filter` are not known here")]
    Builds,
    /// A map or a message as a literal.
    #[error("values in braces are not known here")]
    Braces,
}

/// Why a condition has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// It would look at too much.
    #[error("`{guard}` would look at {bytes} bytes, more than {DATA}")]
    TooMuch {
        /// The condition.
        guard: String,
        /// How many.
        bytes: usize,
    },
    /// A field is not there.
    #[error("`{guard}`: there is no `{field}`; `has(…)` asks whether there is")]
    Missing {
        /// The condition.
        guard: String,
        /// Its name, through the text gate.
        field: String,
    },
    /// The data is of another type than the condition takes it for.
    #[error("`{guard}` does not fit the types of the data")]
    Types {
        /// The condition.
        guard: String,
    },
    /// The answer is neither yes nor no.
    #[error("`{guard}` is neither true nor false")]
    NotBool {
        /// The condition.
        guard: String,
    },
    /// A number too large, a division by zero, an index past the end.
    #[error("`{guard}` has no value for this data")]
    NoValue {
        /// The condition.
        guard: String,
    },
}

/// What conditions ask about: JSON texts.
pub(super) struct Facts<'a> {
    /// The record.
    pub(super) input: &'a str,
    /// What the last handler answered.
    pub(super) output: Option<&'a str>,
    /// What was answered last in each state.
    pub(super) outputs: &'a BTreeMap<Arc<str>, Arc<str>>,
    /// The states in which it was, in order.
    pub(super) path: &'a [Arc<str>],
    /// How often it was in each.
    pub(super) visits: &'a BTreeMap<Arc<str>, u32>,
}

impl Guard {
    /// Compiles a condition.
    pub fn new(source: &str) -> Result<Guard, BadGuard> {
        if source.len() > SOURCE {
            return Err(BadGuard::TooLong(source.len()));
        }
        let program = ENV
            .compile(source)
            .map_err(|error| BadGuard::Syntax(first_line(&error.to_string())))?;
        let mut look = Look {
            bound: Vec::new(),
            names: Vec::new(),
        };
        look.at(program.expression(), 0)?;
        look.names.sort_unstable();
        look.names.dedup();
        Ok(Guard {
            source: source.into(),
            names: look.names,
            program: Arc::new(program),
        })
    }

    /// As it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether it is so.
    pub(super) fn holds(&self, facts: &Facts<'_>) -> Result<bool, Unanswered> {
        let guard = || text::line(&self.source, SHOWN);
        let bytes = self.names.iter().map(|name| facts.size(name)).sum();
        if bytes > DATA {
            let guard = guard();
            return Err(Unanswered::TooMuch { guard, bytes });
        }
        let mut context = Context::with_env(Arc::clone(&ENV));
        for name in &self.names {
            context.add_variable_as_val(*name, facts.value(name));
        }
        match self.program.execute(&context) {
            Ok(cel::Value::Bool(answer)) => Ok(answer),
            Ok(_) => Err(Unanswered::NotBool { guard: guard() }),
            Err(ExecutionError::NoSuchKey(field)) => Err(Unanswered::Missing {
                guard: guard(),
                field: text::line(&field, SHOWN),
            }),
            Err(
                ExecutionError::NoSuchOverload(_)
                | ExecutionError::UnexpectedType { .. }
                | ExecutionError::ValuesNotComparable(..)
                | ExecutionError::UnsupportedBinaryOperator(..)
                | ExecutionError::UnsupportedIndex(..)
                | ExecutionError::UnsupportedKeyType(_),
            ) => Err(Unanswered::Types { guard: guard() }),
            Err(_) => Err(Unanswered::NoValue { guard: guard() }),
        }
    }
}

impl Facts<'_> {
    fn size(&self, name: &str) -> usize {
        match name {
            "input" => self.input.len(),
            "output" => self.output.map_or(0, str::len),
            "outputs" => self.outputs.values().map(|text| text.len()).sum(),
            _ => 0,
        }
    }

    fn value(&self, name: &str) -> typed::Boxed {
        match name {
            "input" => typed::parse(self.input),
            "output" => typed::parse(self.output.unwrap_or("null")),
            "outputs" => {
                let entry =
                    |(name, text): (&Arc<str>, &Arc<str>)| (name.to_string(), typed::parse(text));
                typed::object(self.outputs.iter().map(entry))
            }
            "path" => typed::list(self.path.iter().map(|name| typed::string(name))),
            _ => {
                let entry =
                    |(name, count): (&Arc<str>, &u32)| (name.to_string(), typed::int(*count));
                typed::object(self.visits.iter().map(entry))
            }
        }
    }
}

/// What a parser says first: line, column and what it is about. The lines below
/// would show the place once more.
fn first_line(said: &str) -> String {
    let first = said.lines().next().unwrap_or_default();
    let first = first.strip_prefix("ERROR: <input>:").unwrap_or(first);
    text::line(first, 2 * SHOWN)
}

/// A look at a compiled condition.
struct Look<'e> {
    /// The variables that macros bring, while one is looked at.
    bound: Vec<&'e str>,
    names: Vec<&'static str>,
}

impl<'e> Look<'e> {
    fn at(&mut self, expr: &'e IdedExpr, depth: usize) -> Result<(), BadGuard> {
        if depth > DEPTH {
            return Err(BadGuard::TooDeep);
        }
        let depth = depth + 1;
        match &expr.expr {
            Expr::Unspecified => Err(BadGuard::Syntax("it is empty".to_owned())),
            Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => self.name(name),
            Expr::Select(select) => self.at(&select.operand, depth),
            Expr::List(list) => list.elements.iter().try_for_each(|it| self.at(it, depth)),
            Expr::Map(_) | Expr::Struct(_) => Err(BadGuard::Braces),
            Expr::Call(call) => {
                let known = [&OPERATORS[..], &FUNCTIONS[..]].concat();
                if !known.contains(&call.func_name.as_str()) {
                    return Err(BadGuard::Function(text::line(&call.func_name, SHOWN)));
                }
                let all = call.target.as_deref().into_iter().chain(&call.args);
                all.into_iter().try_for_each(|it| self.at(it, depth))
            }
            Expr::Comprehension(it) => {
                if !self.bound.is_empty() {
                    return Err(BadGuard::Nested);
                }
                // `all` and `exists` begin with true or false, `exists_one` with 0.
                let yes_or_no = matches!(
                    it.accu_init.expr,
                    Expr::Literal(LiteralValue::Boolean(_) | LiteralValue::Int(_))
                );
                if !yes_or_no {
                    return Err(BadGuard::Builds);
                }
                self.at(&it.iter_range, depth)?;
                self.bound.extend([it.iter_var.as_str(), &it.accu_var]);
                self.bound.extend(it.iter_var2.as_deref());
                for part in [&it.loop_cond, &it.loop_step, &it.result] {
                    self.at(part, depth)?;
                }
                self.bound.clear();
                Ok(())
            }
        }
    }

    fn name(&mut self, name: &str) -> Result<(), BadGuard> {
        if self.bound.contains(&name) {
            return Ok(());
        }
        match VARIABLES.iter().find(|known| **known == name) {
            Some(known) => self.names.push(known),
            None => return Err(BadGuard::Variable(text::line(name, SHOWN))),
        }
        Ok(())
    }
}

impl PartialEq for Guard {
    fn eq(&self, other: &Guard) -> bool {
        self.source == other.source
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Guard({:?})", self.source)
    }
}

impl Serialize for Guard {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.source)
    }
}

impl<'de> Deserialize<'de> for Guard {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Guard, D::Error> {
        let source = String::deserialize(deserializer)?;
        Guard::new(&source).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
