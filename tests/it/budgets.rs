//! Caps on what may be spent, and rates, as an operator sets and sees them.

use serde_json::{Value, json};

use crate::runs::Kept;
use crate::scene::{Scene, component, json as read};

/// The example's invoices, each three times under another id.
fn many(policy: &str) -> Kept {
    component("plugins/invoice-approver");
    let scene = Scene::example();
    let invoices = read(&scene.path("invoices.json"));
    let again = |round: usize| {
        let each = invoices.as_array().unwrap().iter().cloned();
        each.map(move |mut invoice| {
            // Another year: an id that is no invoice's is no use to anybody.
            let id = invoice["invoice_id"].as_str().unwrap();
            let year = format!("INV-{}", 2024 + round);
            invoice["invoice_id"] = id.replace("INV-2024", &year).into();
            invoice
        })
    };
    let all: Vec<Value> = (0..3).flat_map(again).collect();
    scene.write("invoices.json", &Value::from(all).to_string());
    extend(&scene, policy);
    Kept::new(scene)
}

/// Adds lines to the policy.
fn extend(scene: &Scene, lines: &str) {
    let policy = std::fs::read_to_string(scene.path("policy.toml")).unwrap();
    scene.write("policy.toml", &format!("{policy}\n{lines}\n"));
}

fn number(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn a_day_never_costs_more_than_its_cap_however_many_runs_there_are_at_once() {
    const CAP: u64 = 40_000;
    let kept = many("[budget]\nday_usd = 0.04");
    let ran = kept.run(&["--concurrency", "64"]);
    let results = &ran.results;
    let totals = &results["totals"];
    let cost = number(&totals["cost_micros"]);
    assert!(cost <= CAP, "{cost}: {}", ran.said);
    assert!(cost > CAP / 2, "{cost}: {}", ran.said);
    let success = number(&totals["success"]);
    assert!(success > 0 && success < 300, "{}", ran.said);
    let account = &results["budgets"]["accounts"][0];
    let expected = json!({
        "line": "[budget] day_usd = 0.04", "funds": "usd", "cap": CAP,
        "spent": cost, "reserved": 0, "beyond": 0,
    });
    assert_eq!(*account, expected);
    let refused = results["refusals"].as_array().unwrap();
    let by_budget = refused
        .iter()
        .find(|it| it["allow_with"] == "[budget] day_usd = 0.08");
    assert!(by_budget.is_some(), "{refused:#?}");
    let alerts = results["budgets"]["alerts"].as_array().unwrap();
    for alert in alerts {
        assert_eq!(alert["accounts"], 1, "{alert}");
    }
    assert!(
        ran.stderr.contains("% is spent of what the policy allows"),
        "{}",
        ran.stderr
    );

    // What is spent is spent for the next command, too.
    let again = kept.run(&["--concurrency", "64"]);
    let more = number(&again.results["totals"]["cost_micros"]);
    assert!(cost + more <= CAP, "{cost} and {more}");
    assert_eq!(
        again.results["budgets"]["accounts"][0]["spent"],
        cost + more
    );

    for by in ["day", "agent", "model", "workflow"] {
        let costs = kept.json(&["costs", "--by", by]);
        let lines = costs["lines"].as_array().unwrap();
        let sum: u64 = lines.iter().map(|it| number(&it["cost_micros"])).sum();
        assert_eq!((sum, &costs["by"]), (cost + more, &by.into()), "{costs:#}");
        assert_eq!(costs["total"]["runs"], 600);
        assert_eq!(costs["total"]["simulated_micros"], cost + more);
    }
    let none = kept.json(&["costs", "--since", "2999-01-01"]);
    assert_eq!(none["total"]["runs"], 0);
    let table = kept.ask(&["costs"]).stdout;
    assert!(
        table.contains("SIMULATED") && table.contains("cost per success"),
        "{table}"
    );
}

#[test]
fn each_run_and_each_agent_has_an_account_of_its_own() {
    let kept = many("[budget]\nrun_usd = 0.001");
    let ran = kept.run(&["--limit", "20"]);
    for task in ran.results["tasks"].as_array().unwrap() {
        assert!(number(&task["cost_micros"]) <= 1_000, "{task}");
    }
    let refused = ran.results["refusals"][0].clone();
    assert_eq!(
        refused["allow_with"], "[budget] run_usd = 0.002",
        "{}",
        ran.said
    );

    let scene = Scene::example();
    scene.change(
        "policy.toml",
        "[plugin.invoice-extractor]\n",
        "[plugin.invoice-extractor]\nbudget = { run_tokens = 10 }\n",
    );
    let ran = scene.run(&["--limit", "3", "--ephemeral"]);
    assert_eq!(
        number(&ran.results["totals"]["cost_micros"]),
        0,
        "{}",
        ran.said
    );
    let refused = &ran.results["refusals"][0];
    let line = "[plugin.invoice-extractor] budget = { run_tokens = 20 }";
    assert_eq!(
        (&refused["plugin"], &refused["allow_with"]),
        (&"invoice-extractor".into(), &line.into())
    );
}

#[test]
fn a_rate_outlives_the_command_that_used_it_up() {
    let scene = Scene::probe("ask");
    extend(&scene, "[rate]\nper_day = 2");
    let kept = Kept::new(scene);
    let calls = |kept: &Kept| {
        let ran = kept.run(&[]);
        let refused = ran.results["refusals"].as_array().unwrap().len();
        (
            number(&ran.results["totals"]["llm_calls"]),
            refused,
            ran.said,
        )
    };
    for _ in 0..2 {
        let (made, refused, said) = calls(&kept);
        assert_eq!((made, refused), (1, 0), "{said}");
    }
    let (made, refused, said) = calls(&kept);
    assert_eq!((made, refused), (0, 1), "{said}");
    assert!(
        said.contains("too many calls for `[rate] per_day = 2`"),
        "{said}"
    );
}
