//! The guests of the cases about loading: programs make them, for their size is
//! the attack. Most are an ordinary agent with something beside it.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use arbitrary::Unstructured;
use wasm_encoder::{
    CodeSection, Encode, ExportKind, ExportSection, Function, FunctionSection, Instruction,
    MemorySection, MemoryType, Module, RefType, TableSection, TableType, TypeSection, ValType,
};

use crate::case::{Attack, Case, folder};
use crate::guest::{self, Encoding};
use crate::storm::mix;

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
        ("L05", table) => {
            let (tables, targets) = table.split_once('x').unwrap();
            beside(&br_tables(
                tables.parse().unwrap(),
                targets.parse().unwrap(),
            ))
        }
        ("L07", "globals") => beside(&many_of(6, many(1_000_000), &[0x7f, 0, 0x41, 0, 0x0b])),
        ("L07", "types") => beside(&many_of(1, many(1_000_000), &[0x60, 0, 0])),
        ("L07", "exports") => beside(&exports(many(300_000))),
        ("L07", "data") => beside(&many_of(11, 100_000, &[1, 0])),
        ("L07", "elements") => beside(&many_of(9, 100_000, &[1, 0, 0])),
        ("L07", "targets") => {
            let segment = [vec![0, 0x41, 0, 0x0b], leb(300_000), vec![0; 300_000]].concat();
            beside(&many_of(9, 1, &segment))
        }
        ("L10", "blocks") => beside(&blocks(600_000)),
        ("L10", "blocks allowed") => beside(&blocks(10_000)),
        ("L10", "components") => holding(&nested(1_000)),
        ("L10", "components without end") => holding(&nested(many(20_000) as usize)),
        // A list of a list of …
        ("L10", "lists") => holding(&chain(&[0x70, 0x7d], 99, |at| {
            [vec![0x70], signed(at)].concat()
        })),
        ("L10", "lists too deep") => holding(&chain(&[0x70, 0x7d], 200, |at| {
            [vec![0x70], signed(at)].concat()
        })),
        ("L10", "types in types") => holding(&types_in_types(31)),
        ("L10", "types in types without end") => holding(&types_in_types(many(1_000_000) as usize)),
        // A pair of a pair of …: twice as many fields each time.
        ("L12", "allowed") => holding(&chain(&[0x6f, 1, 0x7d], 18, |at| {
            [vec![0x6f, 2], signed(at), signed(at)].concat()
        })),
        ("L12", "too large") => holding(&chain(&[0x6f, 1, 0x7d], 60, |at| {
            [vec![0x6f, 2], signed(at), signed(at)].concat()
        })),
        ("L12", "cases") => {
            let cases: Vec<_> = (0..9_999)
                .flat_map(|at| {
                    let name = format!("c{at}");
                    [leb(name.len()), name.into_bytes(), vec![0, 0]].concat()
                })
                .collect();
            let variant = [vec![0x71], leb(9_999), cases].concat();
            holding(&chain(&variant, many(100) as usize, |_| variant.clone()))
        }
        ("L13", "large") => followed(&[("junk", vec![7; 48 << 20])]),
        ("L13", "many") => followed(&vec![("junk", Vec::new()); many(300_000) as usize]),
        ("L13", "debug") => followed(&[
            (".debug_info", vec![0xff; 10_000]),
            (".debug_abbrev", vec![0x80; 10_000]),
            (".debug_line", b"\x1b[2J".repeat(1_000)),
        ]),
        ("L13", "producers") => followed(&vec![("producers", vec![0xff; 100]); 1_000]),
        ("L13", "names") => beside(&named(&"\u{1b}[31m\r\n<script>".repeat(6_000))),
        ("L14", "large") => beside(&data(512, &[(0, vec![1; (many(4) as usize) << 20])])),
        ("L14", "far apart") => beside(&data(65_536, &[(0, vec![1]), (0xf000_0000, vec![1])])),
        ("L14", "memories") => {
            let memories = [leb(100), [1, 0x80, 0x80, 4, 0x80, 0x80, 4].repeat(100)].concat();
            beside(&module(&[section(5, &memories)]))
        }
        ("L14", "tables") => {
            let tables = [
                leb(100),
                [vec![0x70, 0], leb(10_000_000)].concat().repeat(100),
            ]
            .concat();
            beside(&module(&[section(4, &tables)]))
        }
        ("L15", "resources") => holding(&chain(&[0x3f, 0x7f, 0], many(50_000) as usize, |_| {
            vec![0x3f, 0x7f, 0]
        })),
        ("L15", "functions") => {
            // Each takes a reference to the one before: references with types are off.
            let one = |at: usize| [vec![0x60, 1, 0x63], signed(at), vec![0]].concat();
            let types: Vec<u8> = (0..9_999).flat_map(one).collect();
            beside(&module(&[section(
                1,
                &[leb(10_000), vec![0x60, 0, 0], types].concat(),
            )]))
        }
        ("L15", "groups") => {
            let group = [0x4e, 2, 0x60, 0, 0, 0x60, 0, 0].repeat(9_000);
            beside(&module(&[section(1, &[leb(9_000), group].concat())]))
        }
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
    let count = |count: u64| count * u64::from(case.scale);
    let probe = || guest::read(&folder(), "L", "probe", Encoding::Utf8);
    match attack.guest.as_str() {
        "cut off" => {
            let whole = probe();
            let parts = count(50) as usize;
            let cuts = (0..parts).map(|part| whole.len() * part / parts);
            cuts.map(|cut| (format!("{cut} bytes"), whole[..cut].to_vec()))
                .collect()
        }
        "flipped" => flipped(&good(), count(200)),
        "flipped probe" => flipped(&probe(), count(24)),
        "modules" => smith(count(250), |seed, u| {
            let config = wasm_smith::Config {
                max_imports: 0,
                ..smithy(seed)
            };
            wasm_smith::Module::new(config, u).map(|it| beside(&it.to_bytes()))
        }),
        "components" => smith(count(150), |seed, u| {
            wasm_smith::Component::new(smithy(seed), u).map(|it| holding(&it.to_bytes()))
        }),
        "surfaces" => smith(count(100), |seed, u| {
            let component = wasm_smith::Component::new(smithy(seed), u)?;
            Ok(guest::with_manifest("smith", component.to_bytes()))
        }),
        "sections" => SECTIONS
            .iter()
            .map(|text| (*text).to_owned())
            .map(|text| (text.clone(), holding(&wat::parse_str(&text).unwrap())))
            .collect(),
        name => panic!("{}: nothing is made of `{name}`", case.id),
    }
}

/// The bytes with one to eight bits turned over, another choice for each seed.
fn flipped(whole: &[u8], seeds: u64) -> Vec<(String, Vec<u8>)> {
    let one = |seed: u64| {
        let mut bytes = whole.to_vec();
        for turn in 0..=seed % 8 {
            let draw = mix(seed * 8 + turn);
            let at = (draw >> 8) as usize % bytes.len();
            bytes[at] ^= 1 << (draw & 7);
        }
        (format!("seed {seed}"), bytes)
    };
    (0..seeds).map(one).collect()
}

/// Every other with every proposal: what the host has not is to be refused, not
/// to break it. The rest without, so that it gets further.
fn smithy(seed: u64) -> wasm_smith::Config {
    let every = seed.is_multiple_of(2);
    wasm_smith::Config {
        gc_enabled: every,
        exceptions_enabled: every,
        memory64_enabled: every,
        tail_call_enabled: every,
        threads_enabled: every,
        relaxed_simd_enabled: every,
        wide_arithmetic_enabled: every,
        custom_page_sizes_enabled: every,
        max_instructions: 200,
        ..wasm_smith::Config::default()
    }
}

/// What the generator makes of so many seeds.
fn smith(
    seeds: u64,
    make: impl Fn(u64, &mut Unstructured) -> arbitrary::Result<Vec<u8>>,
) -> Vec<(String, Vec<u8>)> {
    let one = |seed: u64| {
        let noise: Vec<u8> = (0..512)
            .flat_map(|at| mix(seed << 16 | at).to_le_bytes())
            .collect();
        let made = make(seed, &mut Unstructured::new(&noise)).ok()?;
        Some((format!("seed {seed}"), made))
    };
    let made: Vec<_> = (0..seeds).filter_map(one).collect();
    assert!(made.len() as u64 > seeds / 2, "{} were made", made.len());
    made
}

/// An agent with this component in it, which is compiled and not instantiated.
fn holding(inner: &[u8]) -> Vec<u8> {
    let mut component = good();
    component.extend(section(4, inner));
    component
}

/// A component of each sort of section, and of each sort of type and of function
/// of the canonical ABI.
const SECTIONS: [&str; 24] = [
    "(component)",
    "(component (core module (func)))",
    "(component (core module $m (func (export \"f\"))) (core instance (instantiate $m)))",
    "(component (core module $m (func (export \"f\"))) (core instance $i (instantiate $m)) \
       (core func (alias core export $i \"f\")))",
    "(component (core type (func (param i32))) (core type (module (import \"a\" \"b\" (func)))))",
    "(component (component (component)))",
    "(component $a (component (alias outer $a 0 (type)) ) (type u8))",
    "(component (component $c) (instance (instantiate $c)))",
    "(component (component $c (type $u u8) (export \"t\" (type $u))) (instance $i (instantiate $c)) \
       (alias export $i \"t\" (type)))",
    "(component (type (record (field \"a\" u8) (field \"b\" string))))",
    "(component (type (variant (case \"a\") (case \"b\" u64))))",
    "(component (type (list (tuple u8 char f32 f64 s64 bool))))",
    "(component (type (flags \"a\" \"b\")) (type (enum \"a\" \"b\")))",
    "(component (type (option (result u8 (error string)))))",
    "(component (type $r (resource (rep i32))) (type (own $r)) (type (borrow $r)))",
    "(component (type (func (param \"a\" string) (result (list u8)))))",
    "(component (type (instance (export \"f\" (func)))))",
    "(component (type (component (import \"f\" (func)) (export \"g\" (func)))))",
    "(component (type $r (resource (rep i32))) (core func (canon resource.new $r)) \
       (core func (canon resource.rep $r)) (core func (canon resource.drop $r)))",
    "(component (core module $m (func (export \"f\"))) (core instance $i (instantiate $m)) \
       (func (export \"f\") (canon lift (core func $i \"f\"))))",
    "(component (import \"f\" (func $f)) (core func (canon lower (func $f))))",
    "(component (import \"m\" (core module)) (import \"i\" (instance)) (import \"c\" (component)))",
    "(component (import \"t\" (type (sub resource))) (export \"u\" (type 0)))",
    "(component (core module $a (func (export \"\"))) (core instance (instantiate $a)) \
       (core instance (export \"x\" (func 0 \"\"))))",
];

/// Targets of one `br_table`, in so many tables.
fn br_tables(tables: u32, targets: u32) -> Vec<u8> {
    let mut body = Function::new([]);
    let targets = vec![0; targets as usize];
    for _ in 0..tables {
        body.instruction(&Instruction::Block(wasm_encoder::BlockType::Empty));
        body.instruction(&Instruction::I32Const(0));
        body.instruction(&Instruction::BrTable(targets.as_slice().into(), 0));
        body.instruction(&Instruction::End);
    }
    body.instruction(&Instruction::End);
    plain(&[body])
}

/// So many of a thing in a module, whose one item is this.
fn many_of(id: u8, count: u32, item: &[u8]) -> Vec<u8> {
    let items = [leb(count as usize), item.repeat(count as usize)].concat();
    let types = section(1, &[1, 0x60, 0, 0]);
    let functions = section(3, &[1, 0]);
    let code = section(10, &[1, 2, 0, 0x0b]);
    let table = section(4, &[1, 0x70, 0, 1]);
    let memory = section(5, &[1, 0, 1]);
    let wanted = section(id, &items);
    module(&match id {
        6 => vec![wanted],
        9 => vec![types, functions, table, wanted, code],
        11 => vec![memory, wanted],
        _ => vec![wanted],
    })
}

/// A function that is exported under so many names.
fn exports(count: u32) -> Vec<u8> {
    let (mut types, mut functions, mut code) =
        <(TypeSection, FunctionSection, CodeSection)>::default();
    types.ty().function([], []);
    functions.function(0);
    let mut exports = ExportSection::new();
    for number in 0..count {
        exports.export(&number.to_string(), ExportKind::Func, 0);
    }
    let mut empty = Function::new([]);
    empty.instruction(&Instruction::End);
    code.function(&empty);
    let mut module = Module::new();
    module.section(&types).section(&functions);
    module.section(&exports).section(&code);
    module.finish()
}

/// Blocks inside one another.
fn blocks(depth: u32) -> Vec<u8> {
    let mut body = Function::new([]);
    for _ in 0..depth {
        body.instruction(&Instruction::Block(wasm_encoder::BlockType::Empty));
    }
    for _ in 0..=depth {
        body.instruction(&Instruction::End);
    }
    plain(&[body])
}

const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// Components inside one another, with nothing in them.
fn nested(depth: usize) -> Vec<u8> {
    let mut component = COMPONENT.to_vec();
    for _ in 0..depth {
        component = [COMPONENT, &section(4, &component)].concat();
    }
    component
}

/// A type section with this many types, each made of the one before.
fn chain(first: &[u8], count: usize, next: impl Fn(usize) -> Vec<u8>) -> Vec<u8> {
    let types = (0..count - 1).flat_map(next).collect::<Vec<u8>>();
    let types = [leb(count), first.to_vec(), types].concat();
    [COMPONENT, &section(7, &types)].concat()
}

/// Component types inside one another: each declares a type that is the next.
fn types_in_types(depth: usize) -> Vec<u8> {
    // component type, one declaration: a type
    let types = [[0x41, 1, 1].repeat(depth), vec![0x41, 0]].concat();
    [COMPONENT, &section(7, &[vec![1], types].concat())].concat()
}

/// An agent with these sections at its end.
fn followed(sections: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut component = good();
    for (name, data) in sections {
        guest::section(&mut component, name, data);
    }
    component
}

/// A core module's section of names: a function's is this.
fn named(name: &str) -> Vec<u8> {
    let text = |text: &str| [leb(text.len()), text.as_bytes().to_vec()].concat();
    let of_functions = [vec![1, 0], text(name)].concat();
    let names = [text("name"), section(1, &of_functions)].concat();
    [functions(1), section(0, &names)].concat()
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

/// A module with a memory of so many pages and these bytes in it.
fn data(pages: u64, segments: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let mut data = wasm_encoder::DataSection::new();
    for (at, bytes) in segments {
        let at = wasm_encoder::ConstExpr::i32_const(*at as i32);
        data.active(0, &at, bytes.iter().copied());
    }
    let mut memories = MemorySection::new();
    memories.memory(memory(pages));
    let mut module = Module::new();
    module.section(&memories).section(&data);
    module.finish()
}

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

fn leb(number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    Encode::encode(&number, &mut bytes);
    bytes
}

/// The same of a signed number: its highest bit must not look like a sign.
fn signed(number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    Encode::encode(&(number as i64), &mut bytes);
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
