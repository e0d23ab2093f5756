//! What a policy and a host file may say of money and of rates.

use std::time::Duration;

use hotcell_broker::ledger::{Allowance, Caps, Rate};

use super::{Folder, HOST, POLICY, WORKFLOW};

fn usd(micros: u64) -> Allowance {
    Allowance {
        micros: Some(micros),
        tokens: None,
    }
}

fn tokens(tokens: u64) -> Allowance {
    Allowance {
        micros: None,
        tokens: Some(tokens),
    }
}

#[test]
fn caps_and_rates_are_read_exactly() {
    let policy = POLICY.replace(
        "[plugin.checker]\n",
        "budget = { run_usd = 0.05, total_tokens = 9 }\nrate = { concurrent = 2 }\n[plugin.checker]\n",
    ) + "[budget]\nrun_usd = 0.1\nday_tokens = 1000\ntenant_usd = 100\n\
         [budget.model.default]\nday_usd = 0.000001\n\
         [rate]\nper_minute = 60\nburst = 5\nwait_ms = 1500\n\
         [rate.model.local]\ntokens_per_minute = 7\n\
         [rate.tool.\"vendor.find\"]\nper_hour = 8\nper_day = 9\n";
    let host = HOST.replace(
        "timeout_ms = 5000",
        "timeout_ms = 5000\nmax_output_tokens = 77\nrate = { per_minute = 3 }",
    );
    let checked = Folder::new(WORKFLOW, &host, &policy).check().unwrap();
    let rules = &checked.policy.rules;
    let tenant = Caps {
        run: usd(100_000),
        day: tokens(1_000),
        total: usd(100_000_000),
    };
    assert_eq!(rules.tenant, tenant);
    assert_eq!(rules.models["default"].day, usd(1));
    let reader = Caps {
        run: usd(50_000),
        total: tokens(9),
        ..Caps::default()
    };
    assert_eq!(rules.plugins["reader"], reader);
    assert_eq!(rules.plugin_rates["reader"].concurrent, Some(2));
    let all = Rate {
        per_minute: Some(60),
        burst: Some(5),
        wait: Duration::from_millis(1_500),
        ..Rate::default()
    };
    assert_eq!(rules.tenant_rate, all);
    assert_eq!(rules.model_rates["local"].tokens_per_minute, Some(7));
    let tool = &rules.tool_rates["vendor.find"];
    assert_eq!((tool.per_hour, tool.per_day), (Some(8), Some(9)));
    let local = &checked.host.models["local"];
    assert_eq!(local.rate.unwrap().per_minute, Some(3));
    assert_eq!(local.max_output_tokens, Some(77));
}

#[test]
fn what_is_no_cap_and_no_rate_is_refused_where_it_stands() {
    let table = [
        (
            "[budget]\nrun_usd = -1",
            "must be dollars from 0 to 1000000",
        ),
        (
            "[budget]\nrun_usd = 0.0000001",
            "must be dollars from 0 to 1000000",
        ),
        ("[budget]\nrun_usd = nan", "not valid TOML"),
        ("[budget]\nrun_usd = inf", "not valid TOML"),
        ("[budget]\nrun_usd = \"1\"", "run_usd"),
        (
            "[budget]\nrun_tokens = 1.5",
            "`run_tokens` must be a whole number",
        ),
        ("[budget]\ntotal_usd = 1", "unknown key `total_usd`"),
        (
            "[budget.model.default]\ntenant_usd = 1",
            "unknown key `tenant_usd`",
        ),
        (
            "[rate]\nper_minute = 0",
            "`per_minute` must be a whole number from 1",
        ),
        ("[rate]\nburst = 2", "`burst` needs `per_minute`"),
        ("[rate]\nper_second = 2", "unknown key `per_second`"),
        (
            "[rate]\nconcurrent = 1000000",
            "`concurrent` must be a whole number from 1",
        ),
        ("[rate.model.default]\ntool = 1", "unknown key `tool`"),
        ("[budget]\n[budget]", "policy.toml"),
    ];
    for (lines_of, words) in table {
        let policy = format!("{POLICY}{lines_of}\n");
        let folder = Folder::new(WORKFLOW, HOST, &policy);
        let problems = folder.check().unwrap_err();
        let said = folder.lines(&problems).join("\n");
        assert!(said.contains(words), "{lines_of}: {said}");
    }
}
