//! Who answers for an alias, from what the host file says of it.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use hotcell_broker::llm::LlmProvider;
use hotcell_broker::provider::cassette::{CassetteError, Recorder, Replay};
use hotcell_broker::provider::hashed::HashedEmbedder;
use hotcell_broker::provider::remote::{Remote, RemoteConfig};
use hotcell_broker::provider::scripted::Scripted;
use hotcell_broker::provider::secret::Secret;

use super::secrets::watch_key;
use crate::command::{Exit, Problem};
use crate::manifest::host::{ApiKey, Model, Provider};
use crate::screen;

/// Who answers for an alias, and in words.
pub(super) type Connected = (Arc<dyn LlmProvider>, String);

/// The provider behind an alias, unless it is a plugin. Reads the key or the
/// script and connects to nothing.
pub(crate) fn connect(alias: &str, model: &Model) -> Result<Option<Connected>, Problem> {
    let wrong = |why: String, help| unusable(alias, &why, help);
    Ok(Some(match &model.provider {
        Provider::Sim { .. } | Provider::Plugin { .. } | Provider::Select => return Ok(None),
        Provider::Remote {
            protocol,
            endpoint,
            model: name,
            api_key,
            manner,
        } => {
            let api_key = api_key
                .as_ref()
                .map(|it| key(alias, it))
                .transpose()
                .map_err(|why| {
                    wrong(
                        why,
                        "set the key, or leave `api_key` out for a server that needs none",
                    )
                })?;
            let base_url = endpoint.base_url.clone();
            let config = RemoteConfig {
                protocol: *protocol,
                base_url: base_url.clone(),
                model: name.clone(),
                api_key,
                stream: manner.stream,
                waits: manner.waits,
            };
            let remote = Remote::new(config)
                .map_err(|e| wrong(e.to_string(), "see `base_url` and `model`"))?;
            (Arc::new(remote), format!("{name} at {base_url}"))
        }
        Provider::Scripted { file } => {
            let shown = file.display();
            let text = std::fs::read_to_string(file)
                .map_err(|e| wrong(format!("cannot read `{shown}`: {e}"), "see `file`"))?;
            let scripted = Scripted::from_jsonl(&text)
                .map_err(|e| wrong(format!("`{shown}`: {e}"), "mend the script"))?;
            (Arc::new(scripted), format!("the script {shown}"))
        }
        Provider::Hashed => {
            let what = "no model: words hashed into vectors";
            (Arc::new(HashedEmbedder), what.to_owned())
        }
        Provider::Replay { file } => {
            let (replay, what) = replay(alias, file)?;
            (Arc::new(replay), what)
        }
    }))
}

/// A recording to answer from, and what it is in words.
pub(super) fn replay(alias: &str, file: &Path) -> Result<(Replay, String), Problem> {
    let shown = file.display();
    let opened = File::open(file).map_err(CassetteError::from);
    let replay = opened
        .and_then(|opened| Replay::read(BufReader::new(opened)))
        .map_err(|e| unusable_recording(alias, file, &e))?;
    if replay.interrupted() {
        cut_short(file);
    }
    let what = format!("the recording {shown}, {} calls", replay.calls());
    Ok((replay, what))
}

/// Records into a file what a model is asked.
pub(super) fn recorder(
    alias: &str,
    model: &Model,
    file: &Path,
    provider: Arc<dyn LlmProvider>,
) -> Result<Recorder, Problem> {
    let mut options = File::options();
    let options = options.read(true).write(true).create(true).truncate(false);
    let opened = options.open(file).map_err(CassetteError::from);
    let recorder = opened
        .and_then(|opened| Recorder::new(provider, opened, model.timeout))
        .map_err(|e| unusable_recording(alias, file, &e))?;
    if recorder.interrupted() {
        cut_short(file);
    }
    Ok(recorder)
}

fn cut_short(file: &Path) {
    screen::warning(miette::miette!(
        severity = miette::Severity::Warning,
        help = "the call it was about is not in the recording",
        "the last line of `{}` is not whole, as after a crash",
        file.display()
    ));
}

fn unusable_recording(alias: &str, file: &Path, error: &CassetteError) -> Problem {
    let why = std::error::Error::source(error).map(|why| format!(": {why}"));
    let why = format!("`{}`: {error}{}", file.display(), why.unwrap_or_default());
    let help = match error {
        CassetteError::InUse => "wait for the other, or record into a file for each model",
        CassetteError::Origin { .. } => "record into another file",
        _ => "name a file that `record` has written, or one that is not there",
    };
    unusable(alias, &why, help)
}

pub(super) fn unusable(alias: &str, why: &str, help: &'static str) -> Problem {
    let report = miette::miette!(help = help, "the model `{alias}` cannot be used: {why}");
    Problem::new(Exit::Files, report)
}

/// The key, from where the host file says it is. It goes from there into a
/// [`Secret`] and is never printed.
#[expect(clippy::disallowed_methods, reason = "the app reads the environment")]
pub(super) fn key(alias: &str, place: &ApiKey) -> Result<Secret, String> {
    let text = match place {
        ApiKey::Env(name) => std::env::var(name)
            .map_err(|_| format!("the environment variable `{name}` is not set"))?,
        ApiKey::File(path) => std::fs::read_to_string(path)
            .map_err(|e| format!("cannot read the key file `{}`: {e}", path.display()))?,
    };
    match text.trim() {
        "" => Err("its key is empty".to_owned()),
        text => {
            watch_key(alias, text);
            Ok(Secret::new(text))
        }
    }
}
