//! `hotcell policy explain`: may this plugin do that, and which line says so.

use std::path::PathBuf;

use clap::Args;
use hotcell_broker::egress::origin::Origin;
use hotcell_broker::policy::{decide, line_that_allows};
use hotcell_broker::{Access, Capability, Denial, text};
use serde_json::json;

use crate::command::{Exit, Output, Problem};
use crate::manifest::policy::PolicyFile;
use crate::manifest::problem::one_of;
use crate::screen;

#[derive(Args)]
pub(super) struct ExplainArgs {
    /// A workflow's folder or file, or a policy file (`.toml`)
    of: PathBuf,
    /// The plugin
    #[arg(long, value_name = "NAME")]
    plugin: String,
    /// What it would do: a capability and a resource, such as `llm default`,
    /// `http POST https://api.example.com` or `files /data`
    #[arg(long, value_name = "WHAT")]
    may: String,
}

/// What is asked.
struct Question<'a> {
    capability: Capability,
    /// Spelled as it would be recorded.
    resource: String,
    plugin: &'a str,
}

/// What the policy says to it.
struct Answer {
    allowed: bool,
    /// File, number and words of the line that says so.
    line: Option<(String, usize, String)>,
    /// What would allow it, if anything would.
    allow_with: Option<String>,
    why: String,
}

pub(super) fn explain(args: &ExplainArgs, output: Output) -> Result<Exit, Problem> {
    let question = question(args)?;
    let (file, _) = super::read(&args.of)?;
    let answer = answer(&question, &file);
    let what = format!("{} {}", question.capability.name(), question.resource);
    if output.json {
        let line = answer.line.as_ref().map(|(file, number, words)| {
            json!({ "file": file, "line": number, "text": text::line(words, 300) })
        });
        let told = json!({
            "plugin": question.plugin,
            "capability": question.capability,
            "resource": question.resource,
            "allowed": answer.allowed,
            "because": answer.why,
            "by": line,
            "allow_with": answer.allow_with,
        });
        screen::json(&told.to_string());
        return Ok(Exit::Done);
    }
    let yes = if answer.allowed { "yes" } else { "no" };
    let mut out = format!("{yes}: `{}`, `{what}`: {}", question.plugin, answer.why);
    if let Some((file, number, words)) = &answer.line {
        out += &format!("\n  line {number} of {file}: {}", text::line(words, 300));
    }
    if let Some(line) = &answer.allow_with {
        out += &format!("\n  this line would allow it: {line}");
    }
    screen::result(&text::screen(&out, false));
    Ok(Exit::Done)
}

fn question(args: &ExplainArgs) -> Result<Question<'_>, Problem> {
    let wrong = |why: String, help: String| {
        let report = miette::miette!(help = help, "`--may {}`: {why}", args.may);
        Problem::new(Exit::CommandLine, report)
    };
    let (word, resource) = args.may.split_once(' ').unwrap_or((&args.may, ""));
    let capability = Capability::ALL.into_iter().find(|it| it.name() == word);
    let Some(capability) = capability else {
        let words = Capability::ALL.map(Capability::name);
        let help = one_of(word, "the capabilities", &words);
        return Err(wrong(format!("`{word}` is no capability"), help));
    };
    let resource = resource.trim();
    if resource.is_empty() {
        let help = format!("name what of it: `{word} NAME`");
        return Err(wrong("it says not which".to_owned(), help));
    }
    let resource = match capability {
        Capability::Http => {
            let (method, origin) = resource.split_once(' ').unwrap_or(("GET", resource));
            let origin = Origin::parse(origin.trim()).map_err(|error| {
                let help = "ask about a method and an origin: `http GET https://api.example.com`";
                wrong(error.to_string(), help.to_owned())
            })?;
            format!("{method} {origin}")
        }
        _ => resource.to_owned(),
    };
    Ok(Question {
        capability,
        resource,
        plugin: &args.plugin,
    })
}

fn answer(question: &Question<'_>, file: &PolicyFile) -> Answer {
    let access = Access {
        plugin: question.plugin,
        capability: question.capability,
        resource: &question.resource,
    };
    let denial = match decide(&file.policy, access) {
        Ok(()) => {
            let says = file.lines.iter().find(|line| {
                line.plugin == question.plugin
                    && line.capability == question.capability
                    && line.resource == question.resource
            });
            let line = says.map(|line| {
                let (number, _) = line.spot.line_and_column();
                (
                    line.spot.file().to_owned(),
                    number,
                    line.spot.line().to_owned(),
                )
            });
            let only = file.only(question.plugin);
            let why = match only.as_slice() {
                [] => "it is granted".to_owned(),
                digests => format!("it is granted, to {} only", digests.join(" and ")),
            };
            return Answer {
                allowed: true,
                line,
                allow_with: None,
                why,
            };
        }
        Err(denial) => denial,
    };
    let named = file.policy.plugin.contains_key(question.plugin);
    let (why, allow_with) = match denial {
        Denial::NotGranted(_) if named => (
            "it is not granted".to_owned(),
            Some(line_that_allows(access)),
        ),
        Denial::NotGranted(_) => (
            "the policy grants nothing to a plugin of this name".to_owned(),
            Some(line_that_allows(access)),
        ),
        other => (other.to_string(), None),
    };
    Answer {
        allowed: false,
        line: None,
        allow_with,
        why,
    }
}
