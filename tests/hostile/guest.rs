//! From a case's folder to a component.
//!
//! A guest is written as WebAssembly text. A core module is lifted into an
//! agent, so that the text holds the attack and nothing else; these words stand
//! for what every agent needs:
//!
//! - `@run` — the export and the type of an agent's `run`;
//! - `@answer` — data at 1024 that is the answer `{}`: `run` returns 1024;
//! - `@realloc` — a bump allocator, exported as `cabi_realloc`.
//!
//! A text that starts with `(component` is taken as it is. Both get a manifest.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::case::{Made, folder};

/// Guests that programs make, for cases whose size is the attack.
pub(crate) fn made(_scale: u32) -> Made {
    Made::new()
}

/// The name of an agent's export, with its type.
const RUN: &str = "(export \"hotcell:plugin/agent@0.1.0#run\") \
     (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)";

/// `ok(output { value: "{}", .. })` at 1024: the text at 1032, all else empty.
const ANSWER: &str = "(data (i32.const 1032) \"\\80\\04\\00\\00\\02\\00\\00\\00\") \
     (data (i32.const 1152) \"{}\")";

/// Never gives anything back; grows the memory when it has to.
const REALLOC: &str = "(global $next (mut i32) (i32.const 65536)) \
     (func $realloc (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) (local $at i32) \
       (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8))) \
       (global.set $next (i32.add (local.get $at) (local.get 3))) \
       (block $fits (loop $more \
         (br_if $fits (i32.le_u (global.get $next) (i32.shl (memory.size) (i32.const 16)))) \
         (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))) unreachable)) \
       (local.get $at))";

/// The guest that a case names.
pub(crate) fn read(folder: &Path, id: &str, name: &str) -> Vec<u8> {
    if !name.ends_with(".wat") {
        return built(name);
    }
    let text = std::fs::read_to_string(folder.join(name))
        .unwrap_or_else(|error| panic!("{id}/{name}: {error}"));
    component(id, &text)
}

/// A component from text, with a manifest.
pub(crate) fn component(id: &str, text: &str) -> Vec<u8> {
    let whole = text
        .lines()
        .find(|line| !line.trim().is_empty() && !line.starts_with(";;"))
        .is_some_and(|line| line.starts_with("(component"));
    let text = text
        .replace("@run", RUN)
        .replace("@answer", ANSWER)
        .replace("@realloc", REALLOC);
    let parse = |text: &str| wat::parse_str(text).unwrap_or_else(|error| panic!("{id}: {error}"));
    let component = match whole {
        true => parse(&text),
        false => agent(parse(&format!("(module {text})"))),
    };
    with_manifest(id, component)
}

/// A core module lifted into the world of agents.
pub(crate) fn agent(mut module: Vec<u8>) -> Vec<u8> {
    static WORLD: OnceLock<(Resolve, wit_parser::WorldId)> = OnceLock::new();
    let (resolve, world) = WORLD.get_or_init(|| {
        let wit = folder().join("../../wit");
        let mut resolve = Resolve::new();
        resolve.push_dir(wit.join("capability")).unwrap();
        let (package, _) = resolve.push_dir(wit.join("plugin")).unwrap();
        let world = resolve
            .select_world(&[package], Some("agent-world"))
            .unwrap();
        (resolve, world)
    });
    embed_component_metadata(&mut module, resolve, *world, StringEncoding::UTF8).unwrap();
    let mut encoder = ComponentEncoder::default().module(&module).unwrap();
    encoder.encode().unwrap_or_else(|error| panic!("{error:#}"))
}

/// Adds the manifest of an agent.
pub(crate) fn with_manifest(id: &str, mut component: Vec<u8>) -> Vec<u8> {
    let name = id.to_lowercase();
    let manifest = format!(
        "name = \"{name}\"\nversion = \"0.1.0\"\nkind = \"agent\"\ncontract = \"0.1.0\"\n\
         description = \"An attack.\"\n"
    );
    section(&mut component, "hotcell:manifest", manifest.as_bytes());
    component
}

/// Appends a custom section.
pub(crate) fn section(component: &mut Vec<u8>, name: &str, data: &[u8]) {
    use wasm_encoder::{ComponentSection, CustomSection};
    let section = CustomSection {
        name: name.into(),
        data: data.into(),
    };
    section.append_to_component(component);
}

/// A guest crate, built once by the host's own command.
fn built(name: &str) -> Vec<u8> {
    static BUILT: OnceLock<Vec<(String, PathBuf)>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let names = ["probe", "wasi-probe"];
        let guests = folder().join("../guests");
        let output = Command::new(env!("CARGO_BIN_EXE_hotcell"))
            .arg("build")
            .args(names.map(|name| guests.join(name)))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let paths = String::from_utf8(output.stdout).unwrap();
        let paths = paths.lines().map(PathBuf::from);
        names.map(str::to_owned).into_iter().zip(paths).collect()
    });
    let found = built.iter().find(|(it, _)| it == name);
    let (_, path) = found.unwrap_or_else(|| panic!("no guest is called `{name}`"));
    std::fs::read(path).unwrap()
}
