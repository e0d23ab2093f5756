//! A guest without the SDK, so that it can do what the SDK would not: each kind
//! of task is one behaviour, tested from outside. `echo` and `ask` are also what
//! the benchmark calls.

#![cfg(target_family = "wasm")]
#![allow(
    missing_docs,
    unsafe_code,
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "generated bindings, and a guest that misbehaves on purpose"
)]

wit_bindgen::generate!({
    path: ["../../../wit/capability", "../../../wit/plugin"],
    world: "hotcell:plugin/agent-world",
    generate_all,
});

use exports::hotcell::plugin::agent::{Failure, Guest, Output, Task};
use hotcell::capability::{approval, context, delegate, llm, log, memory, secrets, tools};

const MANIFEST: &[u8] = include_bytes!("../hotcell.toml");

#[used]
#[unsafe(link_section = "hotcell:manifest")]
static SECTION: [u8; MANIFEST.len()] = {
    let mut bytes = [0; MANIFEST.len()];
    bytes.copy_from_slice(MANIFEST);
    bytes
};

struct Probe;

impl Guest for Probe {
    fn run(task: Task) -> Result<Output, Failure> {
        let value = match task.kind.as_str() {
            "echo" => task.input,
            "ask" => ask(&task.input)?,
            turns if turns.starts_with("converse-") => converse(turns)?,
            "ask-forever" => loop {
                ask(&task.input)?;
            },
            "escape-name" => {
                let name = format!("\u{1b}[31m{}", "x".repeat(100_000));
                let denied = llm::complete(&llm::Request {
                    model: name,
                    ..request("hello")
                });
                return Err(Failure::Refused(format!("denied: {}", denied.is_err())));
            }
            "stream" => stream()?,
            "hold-streams" => hold_streams()?,
            "spin" => spin(),
            "grow" => grow(),
            "trap" => core::arch::wasm32::unreachable(),
            "recurse" => recurse(u64::from(task.iteration)).to_string(),
            "not-json" => "this is {not JSON".to_owned(),
            "off-schema" => "42".to_owned(),
            "flood-log" => flood(),
            "log-forever" => loop {
                log::emit(log::Level::Info, "over and over", &[]);
            },
            "long-line" => {
                log::emit(log::Level::Info, &"x".repeat(1 << 20), &[]);
                "{}".to_owned()
            }
            "escape-log" => {
                log::emit(log::Level::Warn, "\u{1b}[31mred\r\nforged line", &[]);
                "{}".to_owned()
            }
            "call-tool" => call_tool(task.input)?,
            "large-prompt" => ask(&"x".repeat(3 << 20))?,
            "ask-on" => ask_on(),
            "big-prompt" => ask(&"x".repeat(5 << 20))?,
            "unavailable" => unavailable(),
            "look" => look(),
            "refuse" => return Err(Failure::Refused("cannot go on".to_owned())),
            "deny-text" => return Err(Failure::Permanent("\u{1b}[2Jcleared".to_owned())),
            other => return Err(Failure::InvalidInput(format!("no behaviour `{other}`"))),
        };
        Ok(Output {
            value,
            confidence: None,
            evidence: Vec::new(),
            next_state: None,
            plan: Vec::new(),
        })
    }
}

fn ask(prompt: &str) -> Result<String, Failure> {
    match llm::complete(&request(prompt)) {
        Ok(response) => Ok(format!("{{\"parts\": {}}}", response.message.content.len())),
        Err(llm::Error::Denied(denial)) => Err(Failure::Refused(format!("{denial:?}"))),
        Err(error) => Err(Failure::Transient(format!("{error:?}"))),
    }
}

/// Asks so many times, each time with all that was said before, and a little.
fn converse(kind: &str) -> Result<String, Failure> {
    let turns = kind.trim_start_matches("converse-").parse::<u32>();
    let turns = turns.map_err(|_| Failure::InvalidInput("no number of turns".to_owned()))?;
    let mut talk = request("Begin.");
    for turn in 0..turns {
        let answer = llm::complete(&talk);
        let answer = answer.map_err(|error| Failure::Transient(format!("{error:?}")))?;
        let next = request(&format!("{turn}: {}", "Go on, please. ".repeat(20)));
        talk.messages.push(answer.message);
        talk.messages.extend(next.messages);
    }
    Ok(format!("{{\"messages\": {}}}", talk.messages.len()))
}

/// Reads an answer piece by piece and tells what the pieces were.
fn stream() -> Result<String, Failure> {
    let failed = |error: llm::Error| Failure::Transient(format!("{error:?}"));
    let stream = llm::start(&request("hello")).map_err(failed)?;
    let mut pieces = Vec::new();
    while let Some(chunk) = stream.next().map_err(failed)? {
        pieces.push(match chunk {
            llm::Chunk::Text(text) => format!("\"text {text}\""),
            llm::Chunk::CallDelta(call) => format!("\"call {}\"", call.name),
            llm::Chunk::Done(response) => format!("\"done {}\"", response.message.content.len()),
        });
    }
    Ok(format!("{{\"pieces\": [{}]}}", pieces.join(", ")))
}

/// Asks again and again, whatever the answer.
fn ask_on() -> String {
    for _ in 0..100_000 {
        let _ = llm::complete(&request("again"));
    }
    "{}".to_owned()
}

/// Opens streams and never lets go of one.
fn hold_streams() -> Result<String, Failure> {
    let mut held = Vec::new();
    for _ in 0..2_000 {
        let stream = llm::start(&request("hello"));
        held.push(stream.map_err(|error| Failure::Transient(format!("{error:?}")))?);
    }
    Ok(format!("{{\"held\": {}}}", held.len()))
}

fn request(prompt: &str) -> llm::Request {
    llm::Request {
        model: "default".to_owned(),
        messages: vec![llm::Message {
            role: llm::Role::User,
            content: vec![llm::Part::Text(prompt.to_owned())],
        }],
        tools: Vec::new(),
        response_format: llm::ResponseFormat::Text,
        max_tokens: None,
        temperature: None,
        seed: None,
        stop: Vec::new(),
    }
}

fn call_tool(arguments: String) -> Result<String, Failure> {
    let name = "vendor.find".to_owned();
    let call = tools::ToolCall {
        id: "1".to_owned(),
        name,
        arguments,
    };
    match tools::call(&call) {
        Ok(output) => Ok(output.content),
        Err(tools::Error::Denied(denial)) => Err(Failure::Refused(format!("{denial:?}"))),
        Err(error) => Err(Failure::Permanent(format!("{error:?}"))),
    }
}

/// Tells all that it is told: about itself, about tools, about answers.
fn look() -> String {
    let asked = [request("one"), request("two")];
    let call = |name: &str| tools::ToolCall {
        id: name.to_owned(),
        name: name.to_owned(),
        arguments: "{}".to_owned(),
    };
    let saw = [
        format!("{:?}", context::current()),
        format!("{} {}", context::random(), context::random()),
        context::config(),
        format!("{:?}", tools::list()),
        format!("{:?}", llm::embed("default", &["x".to_owned()])),
        format!("{:?}", llm::embed("other", &["x".to_owned()])),
        format!("{:?}", llm::complete_all(&asked)),
        format!("{:?}", tools::call_all(&[call("echo"), call("nobody")])),
        stream().unwrap_or_default(),
        unavailable(),
    ];
    format!("{{\"saw\": {:?}}}", saw.join("\n"))
}

/// Uses everything that this guest is never granted, and tells how it is refused.
fn unavailable() -> String {
    let memory = match memory::get("n", "k") {
        Err(memory::Error::Denied(denial)) => case(&denial),
        _ => "answered",
    };
    let request = delegate::Request {
        agent: "a".to_owned(),
        kind: "k".to_owned(),
        input: "{}".to_owned(),
    };
    let delegate = match delegate::ask(&request) {
        Err(delegate::Error::Denied(denial)) => case(&denial),
        _ => "answered",
    };
    let asked = approval::ask(&approval::Request {
        action: "pay".to_owned(),
        arguments: "{}".to_owned(),
        reason: "because".to_owned(),
        amount_micros: None,
        irreversible: true,
        classification: None,
    });
    let approval = match asked {
        Err(approval::Error::Denied(denial)) => case(&denial),
        _ => "answered",
    };
    let secrets = match secrets::open("key") {
        Err(denial) => case(&denial),
        Ok(_) => "answered",
    };
    let parts = [
        ("memory", memory),
        ("delegate", delegate),
        ("approval", approval),
        ("secrets", secrets),
    ];
    let parts = parts.map(|(what, how)| format!("\"{what}\": \"{how}\""));
    format!("{{{}}}", parts.join(", "))
}

fn case(denial: &hotcell::capability::types::Denial) -> &'static str {
    use hotcell::capability::types::Denial;
    match denial {
        Denial::NotGranted(_) => "not-granted",
        Denial::Expired => "expired",
        Denial::Revoked => "revoked",
        Denial::Unavailable => "unavailable",
    }
}

fn spin() -> String {
    let mut n = 0_u64;
    loop {
        n = core::hint::black_box(n.wrapping_add(1));
    }
}

/// Asks for 4 GiB, a piece at a time, and uses it.
fn grow() -> String {
    let mut held = Vec::new();
    for _ in 0..4096 {
        held.push(vec![1_u8; 1 << 20]);
    }
    format!("{{\"held\": {}}}", held.len())
}

fn recurse(n: u64) -> u64 {
    let n = core::hint::black_box(n);
    if n == 0 {
        0
    } else {
        recurse(n + 1).wrapping_add(1)
    }
}

fn flood() -> String {
    let line = "x".repeat(4096);
    for _ in 0..1_000 {
        log::emit(log::Level::Info, &line, &[]);
    }
    "{}".to_owned()
}

export!(Probe);
