//! The guests of the cases about loading: programs make them, for their size is
//! the attack. Most are an ordinary agent with something beside it.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use wasm_encoder::{
    CodeSection, ExportKind, ExportSection, Function, FunctionSection, Instruction, MemorySection,
    MemoryType, Module, RefType, TableSection, TableType, TypeSection, ValType,
};

use crate::case::{Attack, Case, folder};
use crate::guest::{self, Encoding};

/// The guest that an attack names: a generator's, else a file's or a crate's.
pub(crate) fn guest(case: &Case, attack: &Attack) -> Vec<u8> {
    let scale = case.scale;
    let many = |count: u32| count * scale;
    match (case.id.as_str(), attack.guest.as_str()) {
        (_, "good") => good(),
        (_, "other") => answering("other", "\"two\""),
        (_, "one") => answering("one", "\"one\""),
        (_, "bomb") => beside(&loops(16, 60, 1_000)),
        ("L03", "empty") => Vec::new(),
        ("L03", "core-module") => module(&[]),
        ("L03", "compiled") => compiled(&good()),
        ("L03", "elf") => std::fs::read("/proc/self/exe").unwrap()[..4096].to_vec(),
        ("L03", "gzip") => b"\x1f\x8b\x08\0\0\0\0\0\0\x03".repeat(100),
        ("L03", "zeros") => vec![0; 100 << 20],
        ("L03", "text") => b"(component)".to_vec(),
        ("L04", "deep") => beside(&loops(1, 100, 1_000)),
        ("L06", "many") => beside(&across_calls(20_000)),
        ("L06", "fewer") => beside(&across_calls(9_900)),
        ("L07", "functions") => beside(&functions(many(300_000))),
        ("L07", "allowed") => beside(&functions(40_000)),
        ("L08", "types") => beside(&signatures(many(300_000))),
        ("L08", "allowed") => beside(&signatures(4_000)),
        ("L09", "wall") => beside(&indirect(1, many(50_000))),
        ("L11", tower) => {
            let (levels, times) = tower.split_once('x').unwrap();
            towering(levels.parse().unwrap(), times.parse().unwrap())
        }
        ("L16", "every") => imports(&EVERY_SORT),
        ("L16", "many") => {
            let name = |at: u32| format!("evil:name-{at}/of@0.1.0");
            let names: Vec<_> = (0..900).map(name).collect();
            imports(&names.iter().map(String::as_str).collect::<Vec<_>>())
        }
        ("L16", "homoglyph") => imports(&["hotcell:capability/l\u{43e}g@0.1.0"]),
        ("L16", "escapes") => imports(&["evil:thing/\u{1b}[2J\u{202e}of-it@0.1.0"]),
        ("L16", "too-many") => {
            let name = |at: u32| format!("evil:name-{at}/of@0.1.0");
            let names: Vec<_> = (0..many(100_000)).map(name).collect();
            imports(&names.iter().map(String::as_str).collect::<Vec<_>>())
        }
        ("L18", feature) => {
            let (_, text) = FEATURES.iter().find(|(name, _)| *name == feature).unwrap();
            let bytes = wat::parse_str(text).unwrap_or_else(|error| panic!("{feature}: {error}"));
            match text.starts_with("(component") {
                true => around(&bytes),
                false => beside(&bytes),
            }
        }
        (id, name) => guest::read(&folder().join(id), id, name, Encoding::Utf8),
    }
}

/// Many guests from one.
pub(crate) fn variants(case: &Case, attack: &Attack) -> Vec<(String, Vec<u8>)> {
    let (id, name) = (case.id.as_str(), attack.guest.as_str());
    panic!("{id}: nothing is made of `{name}`")
}

/// What no agent has: an interface that is WASI's and not linked, the right one
/// in another version, one letter off, an unknown one.
const EVERY_SORT: [&str; 5] = [
    "wasi:sockets/tcp@0.2.6",
    "wasi:filesystem/types@0.2.6",
    "hotcell:capability/llm@9.1.0",
    "hotcell:capability/l1m@0.1.0",
    "evil:thing/of-it@0.1.0",
];

/// A component that imports an interface of each name, with one function.
fn imports(names: &[&str]) -> Vec<u8> {
    use wasm_encoder::{
        Component, ComponentImportSection, ComponentTypeRef, ComponentTypeSection, InstanceType,
    };
    let mut interface = InstanceType::new();
    interface
        .ty()
        .function()
        .params([] as [(&str, wasm_encoder::ComponentValType); 0])
        .result(None);
    interface.export("f", ComponentTypeRef::Func(0));
    let (mut types, mut imports) = (ComponentTypeSection::new(), ComponentImportSection::new());
    types.instance(&interface);
    for name in names {
        imports.import(*name, ComponentTypeRef::Instance(0));
    }
    let mut component = Component::new();
    component.section(&types).section(&imports);
    guest::with_manifest("l16", component.finish())
}

/// One guest for each proposal that is off.
const FEATURES: [(&str, &str); 18] = [
    ("memory64", "(module (memory i64 1))"),
    ("tail-call", "(module (func $f return_call $f))"),
    ("threads", "(module (memory 1 1 shared))"),
    (
        "atomics",
        "(module (memory 1) (func (drop (i32.atomic.load (i32.const 0)))))",
    ),
    ("gc", "(module (type (struct)))"),
    (
        "function-references",
        "(module (type $t (func)) (func (param (ref $t))))",
    ),
    ("externref", "(module (func (param externref)))"),
    ("exceptions", "(module (tag))"),
    (
        "relaxed-simd",
        "(module (func (param v128) (result v128) \
           (i8x16.relaxed_swizzle (local.get 0) (local.get 0))))",
    ),
    (
        "stack-switching",
        "(module (type $f (func)) (type $c (cont $f)))",
    ),
    ("custom-page-sizes", "(module (memory 1 (pagesize 1)))"),
    (
        "wide-arithmetic",
        "(module (func (param i64 i64) (result i64 i64) \
           (i64.add128 (local.get 0) (local.get 0) (local.get 1) (local.get 1))))",
    ),
    (
        "memory-control",
        "(module (memory 1) (func (memory.discard (i32.const 0) (i32.const 0))))",
    ),
    ("stream", "(component (type (stream u8)))"),
    ("future", "(component (type (future u8)))"),
    ("error-context", "(component (type (list error-context)))"),
    ("fixed-length-list", "(component (type (list u8 4)))"),
    ("map", "(component (type (map string u8)))"),
];

/// An agent that answers an object.
fn good() -> Vec<u8> {
    answering("good", "{}")
}

/// An agent that answers this text of at most 64 bytes.
fn answering(id: &str, answer: &str) -> Vec<u8> {
    let (length, text) = (answer.len(), answer.replace('"', "\\22"));
    let module = format!(
        "(memory (export \"memory\") 2) @realloc \
         (data (i32.const 1032) \"\\80\\04\\00\\00\\{length:02x}\\00\\00\\00\") \
         (data (i32.const 1152) \"{text}\") (func @run (i32.const 1024))"
    );
    guest::component(id, &module, Encoding::Utf8)
}

/// What the host's own compiler makes of it, without the hash at its end.
fn compiled(component: &[u8]) -> Vec<u8> {
    let mut worker = Command::new(env!("CARGO_BIN_EXE_hotcell"))
        .args([
            "compile-worker",
            "--cpu-seconds",
            "20",
            "--memory-mib",
            "2048",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    worker.stdin.take().unwrap().write_all(component).unwrap();
    let mut code = worker.wait_with_output().unwrap().stdout;
    code.truncate(code.len() - 8);
    code
}

fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn section(id: u8, body: &[u8]) -> Vec<u8> {
    [&[id][..], &leb(body.len()), body].concat()
}

/// A core module of these sections.
fn module(sections: &[Vec<u8>]) -> Vec<u8> {
    [b"\0asm\x01\0\0\0".as_slice(), &sections.concat()].concat()
}

/// How many sections of this sort a component has at its top.
fn count(component: &[u8], wanted: u8) -> usize {
    let (mut at, mut found) = (8, 0);
    while let Some(&id) = component.get(at) {
        found += usize::from(id == wanted);
        let (mut size, mut shift) = (0, 0);
        loop {
            at += 1;
            size |= usize::from(component[at] & 0x7f) << shift;
            shift += 7;
            if component[at] < 0x80 {
                break;
            }
        }
        at += 1 + size;
    }
    found
}

/// An agent with this core module instantiated beside its own.
fn beside(module: &[u8]) -> Vec<u8> {
    static GOOD: OnceLock<Vec<u8>> = OnceLock::new();
    let mut component = GOOD.get_or_init(good).clone();
    let index = leb(count(&component, 1));
    component.extend(section(1, module));
    component.extend(section(2, &[&[1, 0][..], &index, &[0]].concat()));
    component
}

/// An agent with this component in it, instantiated.
fn around(inner: &[u8]) -> Vec<u8> {
    let mut component = good();
    let index = leb(count(&component, 4));
    component.extend(section(4, inner));
    component.extend(section(5, &[&[1, 0][..], &index, &[0]].concat()));
    component
}

/// Components that each instantiate the next so many times; the innermost has a
/// core module.
fn towering(levels: usize, times: usize) -> Vec<u8> {
    let header = b"\0asm\x0d\0\x01\0".as_slice();
    let one = [section(1, &module(&[])), section(2, &[1, 0, 0, 0])];
    let mut tower = [header, &one.concat()].concat();
    for _ in 0..levels {
        let instances = [leb(times), [0, 0, 0].repeat(times)].concat();
        tower = [header, &section(4, &tower), &section(5, &instances)].concat();
    }
    around(&tower)
}

/// A module of functions without parameters and results.
fn plain(bodies: &[Function]) -> Vec<u8> {
    let (mut types, mut functions, mut code) =
        <(TypeSection, FunctionSection, CodeSection)>::default();
    types.ty().function([], []);
    for body in bodies {
        functions.function(0);
        code.function(body);
    }
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&code);
    module.finish()
}

/// Functions with loops inside one another, that change all locals in the
/// innermost.
fn loops(functions: usize, depth: u32, locals: u32) -> Vec<u8> {
    let mut body = Function::new([(locals, ValType::I32)]);
    for _ in 0..depth {
        body.instruction(&Instruction::Loop(wasm_encoder::BlockType::Empty));
    }
    for local in 0..locals {
        body.instruction(&Instruction::LocalGet((local + 1) % locals));
        body.instruction(&Instruction::I32Const(1));
        body.instruction(&Instruction::I32Add);
        body.instruction(&Instruction::LocalSet(local));
    }
    for at in 0..depth {
        body.instruction(&Instruction::LocalGet(at % locals));
        body.instruction(&Instruction::BrIf(0));
        body.instruction(&Instruction::End);
    }
    body.instruction(&Instruction::End);
    plain(&vec![body; functions])
}

/// Locals read from memory, then calls, then all of them used.
fn across_calls(locals: u32) -> Vec<u8> {
    let (mut types, mut functions, mut code) =
        <(TypeSection, FunctionSection, CodeSection)>::default();
    types.ty().function([], []);
    functions.function(0).function(0);
    let mut memories = MemorySection::new();
    memories.memory(memory(16));
    let arg = |local: u32| wasm_encoder::MemArg {
        offset: u64::from(local) * 4,
        align: 2,
        memory_index: 0,
    };
    let mut body = Function::new([(locals, ValType::I32)]);
    for local in 0..locals {
        body.instruction(&Instruction::I32Const(0));
        body.instruction(&Instruction::I32Load(arg(local)));
        body.instruction(&Instruction::LocalSet(local));
    }
    for _ in 0..50 {
        body.instruction(&Instruction::Call(1));
    }
    for local in 0..locals {
        body.instruction(&Instruction::I32Const(0));
        body.instruction(&Instruction::LocalGet(local));
        body.instruction(&Instruction::I32Store(arg(local)));
    }
    body.instruction(&Instruction::End);
    let mut empty = Function::new([]);
    empty.instruction(&Instruction::End);
    code.function(&body).function(&empty);
    let mut module = Module::new();
    module.section(&types).section(&functions);
    module.section(&memories).section(&code);
    module.finish()
}

fn memory(pages: u64) -> MemoryType {
    MemoryType {
        minimum: pages,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    }
}

fn functions(count: u32) -> Vec<u8> {
    let mut empty = Function::new([]);
    empty.instruction(&Instruction::End);
    plain(&vec![empty; count as usize])
}

/// Types that all differ, each of a function that is exported, so that each
/// needs code to be called by.
fn signatures(count: u32) -> Vec<u8> {
    const PARAMS: [ValType; 4] = [ValType::I32, ValType::I64, ValType::F32, ValType::F64];
    let (mut types, mut functions, mut code) =
        <(TypeSection, FunctionSection, CodeSection)>::default();
    let mut exports = ExportSection::new();
    for number in 0..count {
        // Its digits to the base of four.
        let params = (0..10).map(|digit| PARAMS[(number >> (2 * digit)) as usize % 4]);
        types.ty().function(params.collect::<Vec<_>>(), []);
        functions.function(number);
        exports.export(&number.to_string(), ExportKind::Func, number);
        let mut empty = Function::new([]);
        empty.instruction(&Instruction::End);
        code.function(&empty);
    }
    let mut module = Module::new();
    module.section(&types).section(&functions);
    module.section(&exports).section(&code);
    module.finish()
}

/// Functions full of indirect calls.
fn indirect(count: usize, calls: u32) -> Vec<u8> {
    let (mut types, mut functions, mut code) =
        <(TypeSection, FunctionSection, CodeSection)>::default();
    types.ty().function([], []);
    let mut tables = TableSection::new();
    tables.table(TableType {
        element_type: RefType::FUNCREF,
        table64: false,
        minimum: 1,
        maximum: None,
        shared: false,
    });
    let mut body = Function::new([]);
    for _ in 0..calls {
        body.instruction(&Instruction::I32Const(0));
        body.instruction(&Instruction::CallIndirect {
            type_index: 0,
            table_index: 0,
        });
    }
    body.instruction(&Instruction::End);
    for _ in 0..count {
        functions.function(0);
        code.function(&body);
    }
    let mut module = Module::new();
    module.section(&types).section(&functions);
    module.section(&tables).section(&code);
    module.finish()
}
