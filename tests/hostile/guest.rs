//! From a case's folder to a component.
//!
//! A guest is written as WebAssembly text. A core module is lifted into an
//! agent, so that the text holds the attack and nothing else; these words stand
//! for what every agent needs:
//!
//! - `@memory` — two pages, exported;
//! - `@run` — the export and the type of an agent's `run`;
//! - `@post` — the export and the type of its post-return;
//! - `@answer` — data at 1024 that is the answer `{}`: `run` returns 1024;
//! - `@realloc` — a bump allocator, exported as `cabi_realloc`;
//! - `@complete`, `@start`, `@next`, `@drop` — imports of that name, for model
//!   calls; `@request` — data at 2048 that asks the model `default`;
//! - `@emit` — the import of that name, for a line in the log.
//!
//! A text that starts with `(component` is taken as it is. Both get a manifest.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde::Deserialize;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::case::{Made, folder};
use crate::{made_cells, made_words};

/// Guests that programs make, for cases whose size is the attack.
pub(crate) fn made(_scale: u32) -> Made {
    made_words::guests().chain(made_cells::guests()).collect()
}

const MEMORY: &str = "(memory (export \"memory\") 2)";

/// The name of an agent's export, with its type.
const RUN: &str = "(export \"hotcell:plugin/agent@0.1.0#run\") \
     (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)";

const POST: &str = "(export \"cabi_post_hotcell:plugin/agent@0.1.0#run\") (param i32)";

/// `ok(output { value: "{}", .. })` at 1024: the text at 1032, all else empty.
const ANSWER: &str = "(data (i32.const 1032) \"\\80\\04\\00\\00\\02\\00\\00\\00\") \
     (data (i32.const 1152) \"{}\")";

/// A request at 2048, one message at 2144, one part at 2176.
const REQUEST: &str = "(data (i32.const 2048) \"\\d8\\08\\00\\00\\07\\00\\00\\00\\60\\08\\00\\00\\01\") \
     (data (i32.const 2144) \"\\01\\00\\00\\00\\80\\08\\00\\00\\01\") \
     (data (i32.const 2176) \"\\00\\00\\00\\00\\d8\\08\\00\\00\\07\") \
     (data (i32.const 2264) \"default\")";

/// Imports by the words that stand for them.
const IMPORTS: [(&str, &str); 5] = [
    (
        "@complete",
        "(import \"hotcell:capability/llm@0.1.0\" \"complete\" (func $complete (param i32 i32)))",
    ),
    (
        "@start",
        "(import \"hotcell:capability/llm@0.1.0\" \"start\" (func $start (param i32 i32)))",
    ),
    (
        "@next",
        "(import \"hotcell:capability/llm@0.1.0\" \"[method]completion.next\" \
         (func $next (param i32 i32)))",
    ),
    (
        "@drop",
        "(import \"hotcell:capability/llm@0.1.0\" \"[resource-drop]completion\" \
         (func $drop (param i32)))",
    ),
    (
        "@emit",
        "(import \"hotcell:capability/log@0.1.0\" \"emit\" \
         (func $emit (param i32 i32 i32 i32 i32)))",
    ),
];

/// Never gives anything back; grows the memory when it has to.
const REALLOC: &str = "(global $next (mut i32) (i32.const 65536)) \
     (func $realloc (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) (local $at i32) \
       (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8))) \
       (global.set $next (i32.add (local.get $at) (local.get 3))) \
       (block $fits (loop $more \
         (br_if $fits (i32.le_u (global.get $next) (i32.shl (memory.size) (i32.const 16)))) \
         (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))) unreachable)) \
       (local.get $at))";

/// How a guest spells its strings.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Encoding {
    #[default]
    Utf8,
    Utf16,
    /// Latin-1, or UTF-16 where the length's highest bit says so.
    CompactUtf16,
}

impl From<Encoding> for StringEncoding {
    fn from(encoding: Encoding) -> StringEncoding {
        match encoding {
            Encoding::Utf8 => StringEncoding::UTF8,
            Encoding::Utf16 => StringEncoding::UTF16,
            Encoding::CompactUtf16 => StringEncoding::CompactUTF16,
        }
    }
}

/// The guest that a case names.
pub(crate) fn read(folder: &Path, id: &str, name: &str, encoding: Encoding) -> Vec<u8> {
    match name.ends_with(".wat") || name.starts_with('(') || name.starts_with('@') {
        true => component(id, &text(folder, name), encoding),
        false => built(name),
    }
}

/// A file's text, or the text itself.
pub(crate) fn text(folder: &Path, name: &str) -> String {
    if !name.ends_with(".wat") {
        return name.to_owned();
    }
    let path = folder.join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A component from text, with a manifest.
pub(crate) fn component(id: &str, text: &str, encoding: Encoding) -> Vec<u8> {
    let whole = text
        .lines()
        .find(|line| !line.trim().is_empty() && !line.starts_with(";;"))
        .is_some_and(|line| line.starts_with("(component"));
    let mut text = text
        .replace("@memory", MEMORY)
        .replace("@run", RUN)
        .replace("@post", POST)
        .replace("@answer", ANSWER)
        .replace("@request", REQUEST)
        .replace("@realloc", REALLOC);
    for (word, import) in IMPORTS {
        text = text.replace(word, import);
    }
    let parse = |text: &str| wat::parse_str(text).unwrap_or_else(|error| panic!("{id}: {error}"));
    let component = match whole {
        true => parse(&text),
        false => agent(parse(&format!("(module {text})")), encoding),
    };
    with_manifest(id, component)
}

/// A core module lifted into the world of agents, with the part of WASI that it
/// imports.
pub(crate) fn agent(mut module: Vec<u8>, encoding: Encoding) -> Vec<u8> {
    static WORLD: OnceLock<(Resolve, wit_parser::WorldId)> = OnceLock::new();
    let (resolve, world) = WORLD.get_or_init(|| {
        let wit = folder().join("../../wit");
        let mut resolve = Resolve::new();
        resolve.push_dir(wit.join("capability")).unwrap();
        resolve.push_dir(wit.join("plugin")).unwrap();
        let package = resolve.push_file(folder().join("wasi.wit")).unwrap();
        let world = resolve.select_world(&[package], Some("guest")).unwrap();
        (resolve, world)
    });
    embed_component_metadata(&mut module, resolve, *world, encoding.into()).unwrap();
    let mut encoder = ComponentEncoder::default().module(&module).unwrap();
    encoder.encode().unwrap_or_else(|error| panic!("{error:#}"))
}

/// Puts a component into another one, to be instantiated with it and after it.
/// Its core modules' start functions are how it gets to run.
pub(crate) fn beside(mut component: Vec<u8>, text: &str) -> Vec<u8> {
    use wasm_encoder::{ComponentInstanceSection, ComponentSection, RawSection};
    let inner = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"));
    let index = nested_components(&component);
    let nested = RawSection {
        id: 4,
        data: &inner,
    };
    nested.append_to_component(&mut component);
    let mut instances = ComponentInstanceSection::new();
    let nothing: [(&str, wasm_encoder::ComponentExportKind, u32); 0] = [];
    instances.instantiate(index, nothing);
    instances.append_to_component(&mut component);
    component
}

/// How many components a component already has in it.
fn nested_components(component: &[u8]) -> u32 {
    let (mut at, mut found) = (8, 0);
    while let Some(&id) = component.get(at) {
        found += u32::from(id == 4);
        let (mut size, mut shift) = (0_usize, 0);
        loop {
            at += 1;
            let byte = component[at];
            size |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                break;
            }
        }
        at += 1 + size;
    }
    found
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
        let names = ["probe", "wasi-probe", "http-probe"];
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
