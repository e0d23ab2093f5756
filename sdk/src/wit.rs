//! The generated bindings and nothing else: one module for each world of the
//! contract. `agent` imports every capability and owns the one set of Rust
//! types; the other worlds borrow them through `with`.
#![allow(
    missing_docs,
    unreachable_pub,
    unsafe_code,
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::todo,
    clippy::unwrap_used,
    reason = "generated code; its documentation is the WIT"
)]

pub mod agent {
    wit_bindgen::generate!({
        path: ["../wit/capability", "../wit/plugin"],
        world: "hotcell:plugin/agent-world",
        generate_all,
        pub_export_macro: true,
        default_bindings_module: "hotcell_sdk::wit::agent",
    });
}

pub mod validator {
    wit_bindgen::generate!({
        path: ["../wit/capability", "../wit/plugin"],
        world: "hotcell:plugin/validator-world",
        generate_all,
        pub_export_macro: true,
        default_bindings_module: "hotcell_sdk::wit::validator",
        with: {
            "hotcell:capability/types@0.1.0": super::agent::hotcell::capability::types,
            "hotcell:capability/context@0.1.0": super::agent::hotcell::capability::context,
            "hotcell:capability/log@0.1.0": super::agent::hotcell::capability::log,
            "hotcell:capability/llm@0.1.0": super::agent::hotcell::capability::llm,
            "hotcell:capability/tools@0.1.0": super::agent::hotcell::capability::tools,
            "hotcell:plugin/types@0.1.0": super::agent::hotcell::plugin::types,
        },
    });
}

pub mod tool {
    wit_bindgen::generate!({
        path: ["../wit/capability", "../wit/plugin"],
        world: "hotcell:plugin/tool-world",
        generate_all,
        pub_export_macro: true,
        default_bindings_module: "hotcell_sdk::wit::tool",
        with: {
            "hotcell:capability/types@0.1.0": super::agent::hotcell::capability::types,
            "hotcell:capability/context@0.1.0": super::agent::hotcell::capability::context,
            "hotcell:capability/log@0.1.0": super::agent::hotcell::capability::log,
            "hotcell:capability/memory@0.1.0": super::agent::hotcell::capability::memory,
            "hotcell:capability/secrets@0.1.0": super::agent::hotcell::capability::secrets,
            "hotcell:plugin/types@0.1.0": super::agent::hotcell::plugin::types,
        },
    });
}

pub mod aggregator {
    wit_bindgen::generate!({
        path: ["../wit/capability", "../wit/plugin"],
        world: "hotcell:plugin/aggregator-world",
        generate_all,
        pub_export_macro: true,
        default_bindings_module: "hotcell_sdk::wit::aggregator",
        with: {
            "hotcell:capability/types@0.1.0": super::agent::hotcell::capability::types,
            "hotcell:capability/context@0.1.0": super::agent::hotcell::capability::context,
            "hotcell:capability/log@0.1.0": super::agent::hotcell::capability::log,
            "hotcell:plugin/types@0.1.0": super::agent::hotcell::plugin::types,
        },
    });
}

pub mod model {
    wit_bindgen::generate!({
        path: ["../wit/capability", "../wit/plugin"],
        world: "hotcell:plugin/model-world",
        generate_all,
        pub_export_macro: true,
        default_bindings_module: "hotcell_sdk::wit::model",
        with: {
            "hotcell:capability/types@0.1.0": super::agent::hotcell::capability::types,
            "hotcell:capability/context@0.1.0": super::agent::hotcell::capability::context,
            "hotcell:capability/log@0.1.0": super::agent::hotcell::capability::log,
            "hotcell:capability/llm@0.1.0": super::agent::hotcell::capability::llm,
            "hotcell:capability/secrets@0.1.0": super::agent::hotcell::capability::secrets,
        },
    });
}
