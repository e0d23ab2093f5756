//! Is this too much to compile? Answered by counting, in one pass over the
//! bytes, before anything is compiled.
//!
//! Compiling takes time and memory out of all proportion to the size of some
//! inputs, and those inputs have shapes that ordinary plugins have not: deep
//! loops over many locals, thousands of indirect calls in one function, a few
//! bytes that instantiate one another until there are thousands of instances.
//! Whatever passes here is still compiled under limits (see `compile`); this
//! check refuses nearly all bombs for a few milliseconds each.
//!
//! The bounds leave room for the largest honest plugins, which are language
//! runtimes (CPython: 18 MB, some 10 000 functions). The costs beside them were
//! measured with wasmtime 48 on two cores.

mod nesting;

use hotcell_broker::store::guard::Guard;
use wasmparser::{
    BinaryReader, BinaryReaderError, ComponentAlias, ComponentExternalKind, ComponentInstance,
    ComponentOuterAliasKind, ComponentTypeRef, ElementItems, Encoding, FunctionBody, Instance,
    Operator, Parser, Payload,
};

/// Types of one module. 100 000 distinct ones take 6 s and 0.7 GiB.
const TYPES: u64 = 20_000;
/// Imports of one module or component. Honest ones have some dozens.
const IMPORTS: u64 = 5_000;
/// Functions of one module. 300 000 empty ones take 8 s and 1.6 GiB.
const FUNCTIONS: u64 = 100_000;
/// Globals of one module. A million cost 15 MiB of the host for each instance.
const GLOBALS: u64 = 50_000;
/// Entries of all element segments of one module. 300 000 take 34 s.
const TABLE_TARGETS: u64 = 100_000;
/// Bytes of one function. An interpreter's main loop has half a million.
const FUNCTION_BYTES: u64 = 2 << 20;
/// Locals of one function times the depth of its loops. 100 loops over 1 000
/// locals take 7 s, over 2 000 locals 32 s.
const LOCALS_IN_LOOPS: u64 = 60_000;
/// Locals of one function, parameters aside. 20 000 that live across calls take
/// 89 s.
const LOCALS: u64 = 10_000;
/// Indirect calls in one function. Their cost grows with the square: 20 000
/// take 2 s, 80 000 take 23 s.
const CALL_INDIRECTS: u64 = 8_000;
/// Blocks inside one another.
const NESTED_BLOCKS: u64 = 10_000;
/// Components and modules inside one another.
const NESTED_COMPONENTS: u64 = 16;
/// Types of components and instances inside one another. Worlds of the largest
/// kind have 5; 100 000 overflow the stack of whoever reads them.
const NESTED_TYPES: u64 = 32;
/// Core instances, counted as often as they come to be. Twelve levels that each
/// instantiate the next four times are 897 bytes, 16 s and 3.9 GiB.
pub(crate) const EXPANDED_INSTANCES: u64 = 64;

/// A count that is above its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {count}; this host compiles at most {most}")]
pub struct TooMuch {
    /// What was counted.
    pub what: &'static str,
    /// How much of it there is, at least.
    pub count: u64,
    /// The bound.
    pub most: u64,
}

/// Why a component is not compiled.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum PrecheckError {
    #[error(transparent)]
    TooMuch(#[from] TooMuch),
    #[error("{0}")]
    Invalid(#[from] BinaryReaderError),
}

/// What [`TooMuch`] says of [`EXPANDED_INSTANCES`].
pub(crate) const INSTANCES: &str = "instances";

fn bound(what: &'static str, count: u64, most: u64) -> Result<(), TooMuch> {
    let guard = match what {
        INSTANCES => Guard::ExpandedInstances,
        _ => Guard::Precheck,
    };
    if count > most && guard.on() {
        Err(TooMuch { what, count, most })
    } else {
        Ok(())
    }
}

/// Refuses what would take too much to compile.
pub(crate) fn check(component: &[u8]) -> Result<(), PrecheckError> {
    let mut open: Vec<Level> = Vec::new();
    for payload in Parser::new(0).parse_all(component) {
        match payload? {
            Payload::Version { encoding, .. } => {
                open.push(Level::new(encoding == Encoding::Component));
                bound(
                    "components inside one another",
                    open.len() as u64,
                    NESTED_COMPONENTS,
                )?;
            }
            Payload::End(_) => close(&mut open)?,
            Payload::ComponentTypeSection(types) => {
                let section = component.get(types.range()).unwrap_or_default();
                let reader = BinaryReader::new(section, types.range().start);
                let deepest = nesting::deepest(reader, NESTED_TYPES)?;
                bound("types inside one another", deepest, NESTED_TYPES)?;
            }
            payload => {
                let (level, outer) = match open.split_last_mut() {
                    Some(split) => split,
                    None => continue,
                };
                level.count(payload, outer)?;
            }
        }
    }
    Ok(())
}

/// A component or module that is being read.
struct Level {
    is_component: bool,
    types: u64,
    imports: u64,
    functions: u64,
    globals: u64,
    table_targets: u64,
    /// Core instances that one instance of this component comes to.
    instances: u64,
    /// The same for each component it can name, by index.
    components: Vec<u64>,
}

fn close(open: &mut Vec<Level>) -> Result<(), TooMuch> {
    let Some(level) = open.pop() else {
        return Ok(());
    };
    bound(INSTANCES, level.instances, EXPANDED_INSTANCES)?;
    if let (true, Some(outer)) = (level.is_component, open.last_mut()) {
        outer.components.push(level.instances);
    }
    Ok(())
}

impl Level {
    fn new(is_component: bool) -> Level {
        Level {
            is_component,
            types: 0,
            imports: 0,
            functions: 0,
            globals: 0,
            table_targets: 0,
            instances: 0,
            components: Vec::new(),
        }
    }

    fn count(&mut self, payload: Payload<'_>, outer: &[Level]) -> Result<(), PrecheckError> {
        match payload {
            Payload::TypeSection(types) => {
                self.types += u64::from(types.count());
                bound("types", self.types, TYPES)?;
            }
            Payload::FunctionSection(functions) => {
                self.functions += u64::from(functions.count());
                bound("functions", self.functions, FUNCTIONS)?;
            }
            Payload::GlobalSection(globals) => {
                self.globals += u64::from(globals.count());
                bound("globals", self.globals, GLOBALS)?;
            }
            Payload::ElementSection(segments) => {
                for segment in segments {
                    self.table_targets += u64::from(match segment?.items {
                        ElementItems::Functions(items) => items.count(),
                        ElementItems::Expressions(_, items) => items.count(),
                    });
                    bound("table targets", self.table_targets, TABLE_TARGETS)?;
                }
            }
            Payload::CodeSectionEntry(body) => function(&body)?,
            Payload::InstanceSection(instances) => {
                for instance in instances {
                    if let Instance::Instantiate { .. } = instance? {
                        self.instances += 1;
                    }
                }
                bound(INSTANCES, self.instances, EXPANDED_INSTANCES)?;
            }
            Payload::ComponentInstanceSection(instances) => {
                for instance in instances {
                    if let ComponentInstance::Instantiate {
                        component_index, ..
                    } = instance?
                    {
                        // What it is made of is not here to be counted: too much.
                        let of = self.components.get(component_index as usize);
                        let of = of.copied().unwrap_or(u64::MAX);
                        self.instances = self.instances.saturating_add(of);
                        bound(INSTANCES, self.instances, EXPANDED_INSTANCES)?;
                    }
                }
            }
            Payload::ComponentAliasSection(aliases) => {
                for alias in aliases {
                    if let Some(count) = aliased_component(&alias?, &self.components, outer) {
                        self.components.push(count);
                    }
                }
            }
            Payload::ImportSection(imports) => self.imports(imports.count())?,
            Payload::ComponentImportSection(imports) => {
                self.imports(imports.count())?;
                for import in imports {
                    if let ComponentTypeRef::Component(_) = import?.ty {
                        self.components.push(u64::MAX);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl Level {
    fn imports(&mut self, count: u32) -> Result<(), TooMuch> {
        self.imports += u64::from(count);
        bound("imports", self.imports, IMPORTS)
    }
}

/// The instances of a component that an alias gives another index, when it is
/// an alias of a component at all.
fn aliased_component(alias: &ComponentAlias<'_>, own: &[u64], outer: &[Level]) -> Option<u64> {
    match alias {
        ComponentAlias::InstanceExport {
            kind: ComponentExternalKind::Component,
            ..
        } => Some(u64::MAX),
        ComponentAlias::Outer {
            kind: ComponentOuterAliasKind::Component,
            count,
            index,
        } => {
            let level = match *count {
                0 => Some(own),
                up => outer
                    .len()
                    .checked_sub(up as usize)
                    .and_then(|at| outer.get(at))
                    .map(|level| level.components.as_slice()),
            };
            let count = level.and_then(|components| components.get(*index as usize));
            Some(count.copied().unwrap_or(u64::MAX))
        }
        _ => None,
    }
}

fn function(body: &FunctionBody<'_>) -> Result<(), PrecheckError> {
    let range = body.range();
    bound(
        "bytes of one function",
        (range.end - range.start) as u64,
        FUNCTION_BYTES,
    )?;
    let mut locals = 0_u64;
    for declared in body.get_locals_reader()? {
        locals = locals.saturating_add(u64::from(declared?.0));
    }
    bound("locals of one function", locals, LOCALS)?;
    let mut blocks: Vec<bool> = Vec::new();
    let (mut loops, mut deepest, mut indirect) = (0_u64, 0_u64, 0_u64);
    for operator in body.get_operators_reader()? {
        match operator? {
            Operator::Loop { .. } => {
                blocks.push(true);
                loops += 1;
                deepest = deepest.max(loops);
            }
            Operator::Block { .. } | Operator::If { .. } => blocks.push(false),
            Operator::End => {
                if blocks.pop() == Some(true) {
                    loops -= 1;
                }
            }
            Operator::CallIndirect { .. } => indirect += 1,
            _ => continue,
        }
        bound(
            "blocks inside one another",
            blocks.len() as u64,
            NESTED_BLOCKS,
        )?;
        bound("indirect calls of one function", indirect, CALL_INDIRECTS)?;
        bound(
            "locals times loop depth of one function",
            locals * deepest,
            LOCALS_IN_LOOPS,
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leb(mut n: u64) -> Vec<u8> {
        let mut out = Vec::new();
        loop {
            let byte = (n & 0x7f) as u8;
            n >>= 7;
            out.push(if n == 0 { byte } else { byte | 0x80 });
            if n == 0 {
                return out;
            }
        }
    }

    fn section(id: u8, body: &[u8]) -> Vec<u8> {
        [&[id][..], &leb(body.len() as u64), body].concat()
    }

    fn list(count: u64, item: &[u8]) -> Vec<u8> {
        [leb(count), item.repeat(count as usize)].concat()
    }

    /// A component around one core module of these sections.
    fn component(sections: &[Vec<u8>]) -> Vec<u8> {
        let module = [b"\0asm\x01\0\0\0".as_slice(), &sections.concat()].concat();
        [b"\0asm\x0d\0\x01\0".as_slice(), &section(1, &module)].concat()
    }

    /// One function of type `() -> ()` with so many locals and this code.
    fn code(locals: u64, instructions: &[u8]) -> Vec<Vec<u8>> {
        let locals = [leb(1), leb(locals), vec![0x7f]].concat();
        let body = [locals, instructions.to_vec(), vec![0x0b]].concat();
        let body = [leb(body.len() as u64), body].concat();
        vec![
            section(1, &list(1, &[0x60, 0, 0])),
            section(3, &[1, 0]),
            section(10, &[leb(1), body].concat()),
        ]
    }

    fn nested(open: &[u8], depth: usize) -> Vec<u8> {
        [open.repeat(depth), vec![0x0b; depth]].concat()
    }

    /// `levels` components, each instantiating the one inside it `times` times;
    /// the innermost instantiates a core module.
    fn tower(levels: usize, times: u64) -> Vec<u8> {
        let header = b"\0asm\x0d\0\x01\0".as_slice();
        let module = section(1, b"\0asm\x01\0\0\0");
        // (core instance (instantiate 0)) and (instance (instantiate 0)).
        let core = section(2, &list(1, &[0, 0, 0]));
        let mut tower = [header, &module, &core].concat();
        for _ in 0..levels {
            let instances = section(5, &list(times, &[0, 0, 0]));
            tower = [header, &section(4, &tower), &instances].concat();
        }
        tower
    }

    fn refused(component: &[u8]) -> Option<&'static str> {
        match check(component) {
            Ok(()) => None,
            Err(PrecheckError::TooMuch(TooMuch { what, count, most })) => {
                assert!(count > most);
                Some(what)
            }
            Err(PrecheckError::Invalid(error)) => panic!("{error}"),
        }
    }

    #[test]
    fn bombs_are_refused_by_what_makes_them_one() {
        let looped = |locals, depth| code(locals, &nested(&[0x03, 0x40], depth));
        let indirect = [0x41, 0, 0x11, 0, 0].repeat(CALL_INDIRECTS as usize + 1);
        let targets = [vec![1, 0, 0x41, 0, 0x0b], list(TABLE_TARGETS + 1, &[0])].concat();
        let table = [
            ("types", vec![section(1, &list(TYPES + 1, &[0x60, 0, 0]))]),
            ("functions", vec![section(3, &list(FUNCTIONS + 1, &[0]))]),
            (
                "globals",
                vec![section(6, &list(GLOBALS + 1, &[0x7f, 0, 0x41, 0, 0x0b]))],
            ),
            ("table targets", vec![section(9, &targets)]),
            (
                "bytes of one function",
                code(0, &[0x01].repeat(FUNCTION_BYTES as usize)),
            ),
            ("locals of one function", code(LOCALS + 1, &[])),
            ("locals times loop depth of one function", looped(1_000, 61)),
            ("indirect calls of one function", code(0, &indirect)),
            (
                "blocks inside one another",
                code(0, &nested(&[0x02, 0x40], NESTED_BLOCKS as usize + 1)),
            ),
        ];
        for (what, sections) in table {
            assert_eq!(refused(&component(&sections)), Some(what));
        }
    }

    #[test]
    fn what_large_plugins_have_passes() {
        let looped = code(2_000, &nested(&[0x03, 0x40], 30));
        assert_eq!(refused(&component(&looped)), None);
        let types = section(1, &list(TYPES, &[0x60, 0, 0]));
        assert_eq!(refused(&component(&[types])), None);
    }

    #[test]
    fn instances_are_counted_as_often_as_they_come_to_be() {
        assert_eq!(refused(&tower(6, 2)), None);
        for bomb in [tower(7, 2), tower(3, 5), tower(12, 4), tower(1, 65)] {
            assert_eq!(refused(&bomb), Some("instances"), "{} bytes", bomb.len());
        }
        assert_eq!(
            refused(&tower(16, 1)),
            Some("components inside one another")
        );
    }
}
