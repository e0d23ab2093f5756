//! `bindgen!` and nothing else.
//!
//! One world imports every capability; each kind's world is generated over it,
//! so that all kinds share one set of Rust types.

#![allow(missing_docs, unreachable_pub, reason = "generated")]
#![allow(clippy::allow_attributes_without_reason, reason = "generated")]

pub(crate) mod capabilities {
    wasmtime::component::bindgen!({
        path: ["../../wit/capability", "../../wit/plugin"],
        inline: "
            package hotcell:host;
            world capabilities {
                import hotcell:capability/context@0.1.0;
                import hotcell:capability/log@0.1.0;
                import hotcell:capability/llm@0.1.0;
                import hotcell:capability/tools@0.1.0;
                import hotcell:capability/memory@0.1.0;
                import hotcell:capability/delegate@0.1.0;
                import hotcell:capability/approval@0.1.0;
                import hotcell:capability/secrets@0.1.0;
                import hotcell:plugin/types@0.1.0;
            }
        ",
        world: "hotcell:host/capabilities",
        imports: {
            "hotcell:capability/context.current": async | trappable,
            "hotcell:capability/context": trappable,
            "hotcell:capability/log": trappable,
            default: async | trappable,
        },
        additional_derives: [serde::Serialize, serde::Deserialize],
        with: {
            "hotcell:capability/llm.completion": crate::imports::llm::Completion,
            "hotcell:capability/secrets.secret": crate::imports::secrets::Secret,
        },
    });
}

macro_rules! kind {
    ($module:ident, $world:literal, { $($types:tt)* }) => {
        pub(crate) mod $module {
            wasmtime::component::bindgen!({
                path: ["../../wit/capability", "../../wit/plugin"],
                world: $world,
                exports: { default: async },
                with: {
                    "hotcell:capability": crate::bindings::capabilities::hotcell::capability,
                    $($types)*
                },
            });
        }
    };
}

macro_rules! kind_with_types {
    ($module:ident, $world:literal) => {
        kind!($module, $world, {
            "hotcell:plugin/types": crate::bindings::capabilities::hotcell::plugin::types,
        });
    };
}

kind_with_types!(agent, "hotcell:plugin/agent-world");
kind_with_types!(validator, "hotcell:plugin/validator-world");
kind_with_types!(tool, "hotcell:plugin/tool-world");
kind_with_types!(aggregator, "hotcell:plugin/aggregator-world");
// The model interface uses no types of the plugin package.
kind!(model, "hotcell:plugin/model-world", {});

pub(crate) use capabilities::hotcell::capability;
pub(crate) use capabilities::hotcell::plugin::types;
