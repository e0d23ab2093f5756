//! Does a component keep to the contract? Answered from its bytes, before
//! anything is compiled.
//!
//! A component may import any part of its world and of the harmless WASI
//! subset, and must export its kind's interface, each function with exactly the
//! contract's types. The first difference inside a type is named by its path,
//! so that an author knows what to change.

use hotcell_broker::store::guard::Guard;
use hotcell_broker::{Capability, text};
use serde::Serialize;
use wit_parser::decoding::{DecodedWasm, decode};
use wit_parser::{
    Function, FunctionKind, Handle, Resolve, SourceMap, Type, TypeDefKind, WorldId, WorldItem,
    WorldKey,
};

use crate::manifest::Kind;

/// The contract, as text, so that a plugin can be checked wherever the host
/// runs.
const CAPABILITY: &[(&str, &str)] = &[
    (
        "context.wit",
        include_str!("../../../wit/capability/context.wit"),
    ),
    (
        "types.wit",
        include_str!("../../../wit/capability/types.wit"),
    ),
    ("llm.wit", include_str!("../../../wit/capability/llm.wit")),
    (
        "tools.wit",
        include_str!("../../../wit/capability/tools.wit"),
    ),
    (
        "memory.wit",
        include_str!("../../../wit/capability/memory.wit"),
    ),
    (
        "delegate.wit",
        include_str!("../../../wit/capability/delegate.wit"),
    ),
    (
        "approval.wit",
        include_str!("../../../wit/capability/approval.wit"),
    ),
    (
        "secrets.wit",
        include_str!("../../../wit/capability/secrets.wit"),
    ),
    ("log.wit", include_str!("../../../wit/capability/log.wit")),
];
const PLUGIN: &[(&str, &str)] = &[
    ("types.wit", include_str!("../../../wit/plugin/types.wit")),
    ("agent.wit", include_str!("../../../wit/plugin/agent.wit")),
    (
        "validator.wit",
        include_str!("../../../wit/plugin/validator.wit"),
    ),
    ("tool.wit", include_str!("../../../wit/plugin/tool.wit")),
    (
        "aggregator.wit",
        include_str!("../../../wit/plugin/aggregator.wit"),
    ),
    ("model.wit", include_str!("../../../wit/plugin/model.wit")),
    ("worlds.wit", include_str!("../../../wit/plugin/worlds.wit")),
];

/// What of WASI 0.2 the host links: coarse clocks, seeded random, bounded
/// output to the log, files of granted folders, and requests over HTTP, each of
/// which needs a grant; no arguments, no environment, no input, no sockets.
/// `environment`, `stdin` and the terminals are there because every
/// Rust program for `wasm32-wasip2` imports them; they are empty.
const WASI: &[&str] = &[
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:http/outgoing-handler",
    "wasi:http/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
];

/// How deep a type is compared. The contract's deepest is 8.
const DEPTH: usize = 32;

/// What an import gives a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Every plugin has it.
    Always,
    /// Each use needs a grant.
    NeedsGrant,
    /// The contract has it, this host has not: every use is refused as
    /// `unavailable`.
    Unavailable,
    /// Part of the WASI subset.
    Wasi,
}

/// An interface a component imports or exports.
#[derive(Clone, Debug, Serialize)]
pub struct Port {
    /// `hotcell:capability/llm@0.1.0`.
    pub interface: String,
    /// The functions, as the component lists them.
    pub functions: Vec<String>,
    /// What it gives; none for exports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standing: Option<Standing>,
}

/// A component's surface.
#[derive(Clone, Debug, Serialize)]
pub struct Surface {
    /// What it needs.
    pub imports: Vec<Port>,
    /// What it offers.
    pub exports: Vec<Port>,
}

impl Surface {
    /// Whether it imports nothing of WASI, hence has no ambient authority at
    /// all.
    pub fn is_sealed(&self) -> bool {
        let wasi = |port: &Port| port.interface.starts_with("wasi:");
        !self.imports.iter().any(wasi)
    }
}

/// One way in which a component differs from its world.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// An import that the world does not have.
    #[error("import `{interface}`: {why}")]
    Import {
        /// The interface.
        interface: String,
        /// What is the matter.
        why: String,
    },
    /// An export that is missing or differs.
    #[error("export `{interface}`: {why}")]
    Export {
        /// The interface.
        interface: String,
        /// What is the matter.
        why: String,
    },
}

/// Why a component's surface cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorldError {
    /// The bytes do not describe a component.
    #[error("the component cannot be decoded: {0}")]
    Undecodable(String),
    /// This host's own contract cannot be read: a defect of the build.
    #[error("the host's own contract cannot be read: {0}")]
    Contract(String),
    /// It is a component for something else.
    #[error("it does not keep to the world of kind `{kind}`: {}", join(mismatches))]
    Mismatch {
        /// What it should be.
        kind: Kind,
        /// How it differs.
        mismatches: Vec<Mismatch>,
    },
}

impl WorldError {
    /// Whether the component asks for something that its world has not.
    pub fn denies(&self) -> bool {
        let is_import = |it: &Mismatch| matches!(it, Mismatch::Import { .. });
        match self {
            WorldError::Mismatch { mismatches, .. } => mismatches.iter().any(is_import),
            _ => false,
        }
    }
}

/// So many differences are told, so that all fit into one line.
const TOLD: usize = 20;

fn join(mismatches: &[Mismatch]) -> String {
    let told = mismatches.iter().take(TOLD);
    let told = told.map(|it| text::line(&it.to_string(), text::LINE / TOLD));
    let mut told = told.collect::<Vec<_>>().join("; ");
    if let Some(more @ 1..) = mismatches.len().checked_sub(TOLD) {
        told.push_str(&format!("; and {more} more"));
    }
    told
}

/// Decodes a component's surface and checks it against its kind's world. Costs
/// a few milliseconds; runs nothing. The decoder recurses: only for bytes that
/// the pre-check has passed.
pub(crate) fn check(component: &[u8], kind: Kind) -> Result<Surface, WorldError> {
    let theirs = decode_component(component)?;
    let ours = contract(kind).map_err(|error| WorldError::Contract(error.to_string()))?;
    let mismatches = compare(&theirs, &ours, kind);
    if mismatches.is_empty() || !Guard::World.on() {
        Ok(surface(&theirs))
    } else {
        Err(WorldError::Mismatch { kind, mismatches })
    }
}

struct Worldly {
    resolve: Resolve,
    world: WorldId,
}

impl Worldly {
    fn items(&self, exports: bool) -> impl Iterator<Item = (String, &WorldItem)> {
        let world = self.resolve.worlds.get(self.world);
        let items = world.map(|w| if exports { &w.exports } else { &w.imports });
        items
            .into_iter()
            .flatten()
            .map(|(key, item)| (self.name(key), item))
    }

    fn name(&self, key: &WorldKey) -> String {
        self.resolve.name_world_key(key)
    }

    fn functions<'a>(&'a self, item: &'a WorldItem) -> Vec<&'a Function> {
        match item {
            WorldItem::Interface { id, .. } => self
                .resolve
                .interfaces
                .get(*id)
                .into_iter()
                .flat_map(|i| i.functions.values())
                .collect(),
            WorldItem::Function(function) => vec![function],
            WorldItem::Type { .. } => Vec::new(),
        }
    }
}

fn decode_component(component: &[u8]) -> Result<Worldly, WorldError> {
    let refuse = |words: String| WorldError::Undecodable(text::line(&words, text::LINE));
    // The decoder is not ours and the bytes are a stranger's: a panic in it
    // must not take the host down.
    let decoded = std::panic::catch_unwind(|| decode(component))
        .map_err(|_| refuse("the decoder gave up".to_owned()))?
        .map_err(|error| refuse(format!("{error:#}")))?;
    match decoded {
        DecodedWasm::Component(resolve, world) => Ok(Worldly { resolve, world }),
        DecodedWasm::WitPackage(..) => Err(refuse("it holds WIT types and no code".to_owned())),
    }
}

fn contract(kind: Kind) -> Result<Worldly, Box<dyn std::error::Error>> {
    let mut resolve = Resolve::default();
    let mut plugin = None;
    for files in [CAPABILITY, PLUGIN] {
        let mut sources = SourceMap::new();
        for (name, text) in files {
            sources.push_str(name, *text);
        }
        let group = sources.parse().map_err(|(_, error)| error.to_string())?;
        plugin = Some(
            resolve
                .push_group(group)
                .map_err(|error| error.to_string())?,
        );
    }
    let package = plugin.ok_or("no packages")?;
    let name = format!("{}-world", kind.name());
    let world = resolve.select_world(&[package], Some(&name))?;
    Ok(Worldly { resolve, world })
}

fn surface(component: &Worldly) -> Surface {
    let ports = |exports: bool| {
        let port = |(interface, item): (String, &WorldItem)| {
            let functions = component.functions(item);
            let functions: Vec<_> = functions.into_iter().map(|f| f.name.clone()).collect();
            let standing = (!exports).then(|| standing(&interface));
            // Interfaces that are only there for their types give nothing.
            (exports || !functions.is_empty()).then_some(Port {
                interface,
                functions,
                standing,
            })
        };
        component.items(exports).filter_map(port).collect()
    };
    Surface {
        imports: ports(false),
        exports: ports(true),
    }
}

fn standing(interface: &str) -> Standing {
    if interface.starts_with("wasi:http/outgoing-handler@")
        || interface.starts_with("wasi:filesystem/")
    {
        return Standing::NeedsGrant;
    }
    if interface.starts_with("wasi:") {
        return Standing::Wasi;
    }
    let name = interface
        .strip_prefix("hotcell:capability/")
        .unwrap_or_default();
    let name = name.split('@').next().unwrap_or_default();
    match Capability::ALL.into_iter().find(|c| c.name() == name) {
        None => Standing::Always,
        Some(capability) if capability.offered() => Standing::NeedsGrant,
        Some(_) => Standing::Unavailable,
    }
}

fn compare(theirs: &Worldly, ours: &Worldly, kind: Kind) -> Vec<Mismatch> {
    let mut mismatches = Vec::new();
    for (interface, item) in theirs.items(false) {
        let mut refuse = |why: String| {
            mismatches.push(Mismatch::Import {
                interface: interface.clone(),
                why,
            })
        };
        if is_linked_wasi(&interface) {
            continue;
        }
        let Some((_, expected)) = ours.items(false).find(|(name, _)| *name == interface) else {
            // Type-only imports of the plugin package come with any export.
            if theirs.functions(item).is_empty() && interface.starts_with("hotcell:") {
                continue;
            }
            refuse(match interface.split(':').next() {
                Some("wasi") => "this host links no such part of WASI".to_owned(),
                _ => format!("the `{}-world` has no such interface", kind.name()),
            });
            continue;
        };
        for function in theirs.functions(item) {
            if let Some(why) = differs(theirs, function, ours, expected) {
                refuse(why);
            }
        }
    }
    for (interface, expected) in ours.items(true) {
        let mut refuse = |why: String| {
            mismatches.push(Mismatch::Export {
                interface: interface.clone(),
                why,
            })
        };
        let Some((_, item)) = theirs.items(true).find(|(name, _)| *name == interface) else {
            let offered: Vec<_> = theirs
                .items(true)
                .map(|(name, _)| format!("`{name}`"))
                .collect();
            refuse(match offered.is_empty() {
                true => "it is missing, and nothing else is exported".to_owned(),
                false => format!(
                    "it is missing; the component exports {}",
                    offered.join(", ")
                ),
            });
            continue;
        };
        for function in ours.functions(expected) {
            // Seen from the component: what it has against what is expected.
            match theirs
                .functions(item)
                .into_iter()
                .find(|f| f.name == function.name)
            {
                None => refuse(format!("function `{}` is missing", function.name)),
                Some(theirs_function) => {
                    if let Some(why) = differs(theirs, theirs_function, ours, expected) {
                        refuse(why);
                    }
                }
            }
        }
    }
    mismatches
}

fn is_linked_wasi(interface: &str) -> bool {
    let (name, version) = interface.split_once('@').unwrap_or((interface, ""));
    version.starts_with("0.2.") && WASI.contains(&name)
}

/// How a function differs from the one of the same name in the contract.
fn differs(
    theirs: &Worldly,
    function: &Function,
    ours: &Worldly,
    expected: &WorldItem,
) -> Option<String> {
    let name = &function.name;
    let Some(expected) = ours
        .functions(expected)
        .into_iter()
        .find(|f| f.name == *name)
    else {
        return Some(format!("the contract has no function `{name}`"));
    };
    if is_async(function) != is_async(expected) {
        return Some(format!(
            "function `{name}`: the contract's functions are synchronous"
        ));
    }
    let types = Types {
        theirs: &theirs.resolve,
        ours: &ours.resolve,
    };
    let (count, wanted) = (function.params.len(), expected.params.len());
    if count != wanted {
        return Some(format!(
            "function `{name}` has {count} parameters, the contract {wanted}"
        ));
    }
    for (theirs, ours) in function.params.iter().zip(&expected.params) {
        if let Some(why) = types.differ(&theirs.ty, &ours.ty, DEPTH) {
            return Some(format!("function `{name}`, parameter `{}`{why}", ours.name));
        }
    }
    let why = types.differ_optional(&function.result, &expected.result, DEPTH)?;
    Some(format!("function `{name}`, result{why}"))
}

fn is_async(function: &Function) -> bool {
    matches!(
        function.kind,
        FunctionKind::AsyncFreestanding
            | FunctionKind::AsyncMethod(_)
            | FunctionKind::AsyncStatic(_)
    )
}

struct Types<'a> {
    theirs: &'a Resolve,
    ours: &'a Resolve,
}

impl Types<'_> {
    /// None when equal; else the path into the type and the difference.
    fn differ(&self, theirs: &Type, ours: &Type, depth: usize) -> Option<String> {
        let Some(depth) = depth.checked_sub(1) else {
            return Some(": the type is nested too deep".to_owned());
        };
        match (theirs, ours) {
            (Type::Id(a), Type::Id(b)) => {
                let (Some(a), Some(b)) = (self.theirs.types.get(*a), self.ours.types.get(*b))
                else {
                    return Some(": unknown type".to_owned());
                };
                self.differ_kind(&a.kind, &b.kind, depth)
            }
            (Type::Id(a), _) => match self.theirs.types.get(*a).map(|t| &t.kind) {
                Some(TypeDefKind::Type(alias)) => self.differ(alias, ours, depth),
                kind => Some(unlike(
                    kind.map_or("unknown", TypeDefKind::as_str),
                    &plain(ours),
                )),
            },
            (_, Type::Id(b)) => match self.ours.types.get(*b).map(|t| &t.kind) {
                Some(TypeDefKind::Type(alias)) => self.differ(theirs, alias, depth),
                kind => Some(unlike(
                    &plain(theirs),
                    kind.map_or("unknown", TypeDefKind::as_str),
                )),
            },
            (a, b) if a == b => None,
            (a, b) => Some(unlike(&plain(a), &plain(b))),
        }
    }

    fn differ_kind(&self, a: &TypeDefKind, b: &TypeDefKind, depth: usize) -> Option<String> {
        use TypeDefKind as K;
        match (a, b) {
            (K::Type(a), K::Type(b)) => self.differ(a, b, depth),
            (K::Type(Type::Id(a)), b) => {
                let a = self.theirs.types.get(*a)?;
                self.differ_kind(&a.kind, b, depth.checked_sub(1)?)
            }
            (a, K::Type(Type::Id(b))) => {
                let b = self.ours.types.get(*b)?;
                self.differ_kind(a, &b.kind, depth.checked_sub(1)?)
            }
            (K::Record(a), K::Record(b)) => {
                let names = |r: &wit_parser::Record| -> Vec<String> {
                    r.fields.iter().map(|f| f.name.clone()).collect()
                };
                differ_names("fields", names(a), names(b)).or_else(|| {
                    a.fields.iter().zip(&b.fields).find_map(|(a, b)| {
                        let why = self.differ(&a.ty, &b.ty, depth)?;
                        Some(format!(", field `{}`{why}", b.name))
                    })
                })
            }
            (K::Variant(a), K::Variant(b)) => {
                let names = |v: &wit_parser::Variant| -> Vec<String> {
                    v.cases.iter().map(|c| c.name.clone()).collect()
                };
                differ_names("cases", names(a), names(b)).or_else(|| {
                    a.cases.iter().zip(&b.cases).find_map(|(a, b)| {
                        let why = self.differ_optional(&a.ty, &b.ty, depth)?;
                        Some(format!(", case `{}`{why}", b.name))
                    })
                })
            }
            (K::Enum(a), K::Enum(b)) => {
                let names = |e: &wit_parser::Enum| -> Vec<String> {
                    e.cases.iter().map(|c| c.name.clone()).collect()
                };
                differ_names("cases", names(a), names(b))
            }
            (K::Tuple(a), K::Tuple(b)) if a.types.len() == b.types.len() => {
                let mut pairs = a.types.iter().zip(&b.types).enumerate();
                pairs.find_map(|(at, (a, b))| {
                    Some(format!(", element {at}{}", self.differ(a, b, depth)?))
                })
            }
            (K::Option(a), K::Option(b)) => self.differ(a, b, depth),
            (K::List(a), K::List(b)) => self
                .differ(a, b, depth)
                .map(|why| format!(", element{why}")),
            (K::Result(a), K::Result(b)) => self
                .differ_optional(&a.ok, &b.ok, depth)
                .map(|why| format!(", ok{why}"))
                .or_else(|| {
                    let why = self.differ_optional(&a.err, &b.err, depth)?;
                    Some(format!(", error{why}"))
                }),
            (K::Handle(Handle::Own(a)), K::Handle(Handle::Own(b)))
            | (K::Handle(Handle::Borrow(a)), K::Handle(Handle::Borrow(b))) => {
                let theirs = self.theirs.types.get(*a).and_then(|t| t.name.clone());
                let ours = self.ours.types.get(*b).and_then(|t| t.name.clone());
                (theirs != ours)
                    .then(|| unlike(&theirs.unwrap_or_default(), &ours.unwrap_or_default()))
            }
            (K::Resource, K::Resource) => None,
            (a, b) => Some(unlike(a.as_str(), b.as_str())),
        }
    }

    fn differ_optional(
        &self,
        theirs: &Option<Type>,
        ours: &Option<Type>,
        depth: usize,
    ) -> Option<String> {
        match (theirs, ours) {
            (Some(theirs), Some(ours)) => self.differ(theirs, ours, depth),
            (None, None) => None,
            (Some(_), None) => Some(unlike("a value", "nothing")),
            (None, Some(_)) => Some(unlike("nothing", "a value")),
        }
    }
}

fn plain(ty: &Type) -> String {
    format!("{ty:?}").to_lowercase()
}

fn unlike(theirs: &str, ours: &str) -> String {
    format!(": the component has `{theirs}`, the contract `{ours}`")
}

fn differ_names(what: &str, theirs: Vec<String>, ours: Vec<String>) -> Option<String> {
    (theirs != ours).then(|| {
        format!(
            ": the component has the {what} `{}`, the contract `{}`",
            theirs.join(", "),
            ours.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_has_a_world_for_every_kind() {
        for kind in Kind::ALL {
            let world = contract(kind).unwrap();
            let exports: Vec<_> = world.items(true).map(|(name, _)| name).collect();
            assert_eq!(exports, [format!("hotcell:plugin/{}@0.1.0", kind.name())]);
        }
    }

    #[test]
    fn every_kind_keeps_to_its_own_world_and_to_no_other() {
        for kind in Kind::ALL {
            for other in Kind::ALL {
                let (theirs, ours) = (contract(kind).unwrap(), contract(other).unwrap());
                assert_eq!(compare(&theirs, &ours, other).is_empty(), kind == other);
            }
        }
    }

    #[test]
    fn what_this_host_does_not_offer_is_listed_as_unavailable() {
        let surface = surface(&contract(Kind::Agent).unwrap());
        let of = |name: &str| {
            let name = format!("hotcell:capability/{name}@0.1.0");
            surface
                .imports
                .iter()
                .find(|p| p.interface == name)
                .unwrap()
                .standing
                .unwrap()
        };
        assert_eq!(of("context"), Standing::Always);
        assert_eq!(of("log"), Standing::Always);
        assert_eq!(of("llm"), Standing::NeedsGrant);
        assert_eq!(of("tools"), Standing::NeedsGrant);
        assert_eq!(of("memory"), Standing::NeedsGrant);
        assert_eq!(of("secrets"), Standing::NeedsGrant);
        for name in ["delegate", "approval"] {
            assert_eq!(of(name), Standing::Unavailable, "{name}");
        }
    }

    /// The contract with one thing changed, as a stranger's component would
    /// bring it.
    fn changed(file: &str, from: &str, to: &str) -> Worldly {
        let mut resolve = Resolve::default();
        let mut package = None;
        for files in [CAPABILITY, PLUGIN] {
            let mut sources = SourceMap::new();
            for (name, text) in files {
                let text = if *name == file {
                    text.replace(from, to)
                } else {
                    (*text).to_owned()
                };
                sources.push_str(name, text);
            }
            package = Some(resolve.push_group(sources.parse().unwrap()).unwrap());
        }
        let world = resolve
            .select_world(&[package.unwrap()], Some("agent-world"))
            .unwrap();
        Worldly { resolve, world }
    }

    #[test]
    fn a_difference_is_named_by_its_path() {
        let table = [
            (
                "llm.wit",
                "content: list<part>",
                "content: string",
                "import `hotcell:capability/llm@0.1.0`: function `complete`, parameter `request`, \
                 field `messages`, element, field `content`: the component has `string`, the \
                 contract `list`",
            ),
            (
                "agent.wit",
                "run: func(task: task)",
                "walk: func(task: task)",
                "export `hotcell:plugin/agent@0.1.0`: function `run` is missing",
            ),
            (
                "types.wit",
                "invalid-input(string)",
                "bad-input(string)",
                "function `run`, result, error: the component has the cases `bad-input, transient",
            ),
            (
                "context.wit",
                "random: func() -> u64",
                "random: func() -> u32",
                "function `random`, result: the component has `u32`, the contract `u64`",
            ),
        ];
        for (file, from, to, expected) in table {
            let (theirs, ours) = (changed(file, from, to), contract(Kind::Agent).unwrap());
            let text = join(&compare(&theirs, &ours, Kind::Agent));
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn only_the_harmless_part_of_wasi_is_linked_and_files_need_a_grant() {
        assert!(is_linked_wasi("wasi:io/poll@0.2.6"));
        assert!(is_linked_wasi("wasi:filesystem/types@0.2.6"));
        for name in ["wasi:io/poll@0.3.0", "wasi:sockets/tcp@0.2.6"] {
            assert!(!is_linked_wasi(name), "{name}");
        }
        assert_eq!(
            standing("wasi:filesystem/types@0.2.6"),
            Standing::NeedsGrant
        );
    }
}
