//! The measurements run and say what they promise. How good the figures are is
//! not tested: a busy machine would decide it.

use serde_json::Value;

use crate::scene::{component, hotcell, tell};

/// Runs a measurement with small numbers, for programs and for people.
#[track_caller]
fn bench(args: &[&str], guest: &str, said: &[&str]) -> Value {
    let run = |output: &[&str]| {
        let told = tell(
            hotcell()
                .arg("bench")
                .args(args)
                .arg("--plugin")
                .arg(component(guest))
                .args(output),
        );
        assert_eq!(told.code, 0, "{}", told.said());
        told.stdout
    };
    let text = run(&["--quiet"]);
    for words in ["machine ", "build ", "command ", "baseline"]
        .iter()
        .chain(said)
    {
        assert!(text.contains(words), "no {words:?} in:\n{text}");
    }
    let sheet: Value = serde_json::from_str(&run(&["--quiet", "--json"])).unwrap();
    for key in ["machine", "build", "command"] {
        assert!(sheet[key].is_string(), "{sheet:#}");
    }
    for goal in sheet["goals"].as_array().unwrap() {
        let (measured, most) = (goal["measured"].as_f64(), goal["at_most"].as_f64());
        let met = measured.unwrap() <= most.unwrap();
        assert_eq!(goal["met"].as_bool().unwrap(), met, "{goal:#}");
    }
    sheet
}

const PROBE: &str = "tests/guests/probe";

#[test]
fn bench_step_times_steps_against_a_warm_call() {
    let said = [
        "warm call",
        "call in a fresh cell",
        "step of the engine",
        "durable step",
        "the disk alone",
    ];
    let sheet = bench(&["step", "--steps", "100"], PROBE, &said);
    assert_eq!(sheet["warm_call"]["ratio"], 1.0);
    let median = |what: &str| sheet[what]["p50_ns"].as_u64().unwrap();
    assert!(median("step") > 0);
    // What survives a loss of power has waited for the disk.
    assert!(median("durable_step") > median("step"), "{sheet:#}");
    assert!(sheet["file_system"].as_str().unwrap() != "unknown");
}

#[test]
fn bench_durable_weighs_each_journal_against_none() {
    let args = [
        "durable",
        "--runs",
        "1,3",
        "--seconds",
        "1",
        "--turns",
        "2,8",
    ];
    let said = [
        "no journal",
        "journal, power",
        "conversation",
        "until a write is durable",
    ];
    let sheet = bench(&args, PROBE, &said);
    let levels = sheet["levels"].as_array().unwrap();
    assert_eq!(levels.len(), 2);
    for level in levels {
        assert_eq!(level["without"]["ratio"], 1.0);
        for mode in ["without", "normal", "full"] {
            let rate = level[mode]["steps_per_second"].as_f64().unwrap();
            assert!(rate > 0.0, "{level:#}");
        }
    }
    let bytes = |at: usize| sheet["conversations"][at]["bytes"].as_u64().unwrap();
    assert!(bytes(0) > 0 && bytes(1) > bytes(0), "{sheet:#}");
}

#[test]
fn bench_recover_brings_every_run_that_was_left_to_its_end() {
    let said = ["12 runs of", "all have ended", "executed again"];
    let sheet = bench(&["recover", "--runs", "12"], PROBE, &said);
    let ms = |what: &str| sheet[what].as_f64().unwrap();
    assert!(0.0 < ms("listed_ms"), "{sheet:#}");
    assert!(ms("listed_ms") < ms("read_ms") && ms("read_ms") < ms("ended_ms"));
    assert!(sheet["replayed_steps_per_second"].as_f64().unwrap() > 0.0);
}

#[test]
fn bench_density_holds_each_number_of_agents_in_flight() {
    let args = ["density", "--agents", "2,3", "--latency", "1000"];
    let sheet = bench(&args, PROBE, &["simulated", "resident in all", "met"]);
    let held = sheet["in_flight"].as_array().unwrap();
    assert_eq!(held.len(), 2);
    assert_eq!(held[1]["agents"], 3);
    for held in held {
        assert!(held["resident_with"].as_u64().unwrap() > 1 << 20);
        assert!(held["wall_ms"].as_f64().unwrap() >= 1000.0);
    }
}

#[test]
fn bench_runaway_tells_how_late_loops_are_stopped() {
    let args = [
        "runaway",
        "--agents",
        "2",
        "--rounds",
        "2",
        "--deadline",
        "20",
    ];
    let sheet = bench(&args, PROBE, &["2 loops at once", "goal"]);
    assert!(sheet["together"]["max_ns"].as_u64().unwrap() > 0);
}

#[test]
fn bench_limits_tells_of_each_limit_how_far_over_it_bites() {
    let said = ["fuel", "deadline", "memory of a cell", "late P99"];
    let sheet = bench(&["limits", "--rounds", "2"], PROBE, &said);
    let limits = sheet["limits"].as_array().unwrap();
    assert_eq!(limits.len(), 10);
    for limit in limits {
        assert!(limit["configured"].as_u64().unwrap() > 0, "{limit:#}");
        assert!(limit["cpu"]["p50_ns"].as_u64().unwrap() > 0, "{limit:#}");
    }
    let ended: Vec<_> = limits
        .iter()
        .map(|l| l["ended"].as_str().unwrap())
        .collect();
    let first = ["limit.fuel", "deadline", "deadline", "limit.memory"];
    assert_eq!(ended[..4], first);
    // A cap that lets more through is no cap.
    assert_eq!(limits[3]["over"]["max"], 0);
}

#[test]
fn bench_neighbours_calls_a_good_agent_beside_hostile_ones() {
    let args = [
        "neighbours",
        "--hostile",
        "4",
        "--rate",
        "5",
        "--seconds",
        "1",
    ];
    let said = ["good agent, crowded", "health", "errors", "hostile agents"];
    let sheet = bench(&args, PROBE, &said);
    for phase in ["alone", "crowded"] {
        assert_eq!(sheet[phase]["calls"], 5, "{sheet:#}");
        assert_eq!(sheet[phase]["errors"], 0, "{sheet:#}");
    }
    let ends = sheet["hostile_ends"].as_object().unwrap();
    assert!(!ends.contains_key("host"), "{sheet:#}");
    assert!(!ends.is_empty(), "{sheet:#}");
}

#[test]
fn bench_compute_computes_the_same_natively_and_in_a_cell() {
    let args = ["compute", "--rounds", "1", "--repeat", "1"];
    let said = ["sha256", "json", "sort", "floats", "no meter", "all three"];
    let sheet = bench(&args, "tests/guests/kernels", &said);
    let kernels = sheet["kernels"].as_array().unwrap();
    assert_eq!(kernels.len(), 4);
    for kernel in kernels {
        // That the sums are the same the command itself sees to.
        assert_eq!(kernel["in_a_cell"].as_array().unwrap().len(), 6);
    }
}

#[test]
fn bench_broker_asks_sets_aside_and_calls_and_a_race_is_exact() {
    let args = ["bench", "broker", "--rounds", "10", "--quiet"];
    let run = |output: &[&str]| {
        let told = tell(hotcell().args(args).args(output));
        assert_eq!(told.code, 0, "{}", told.said());
        told.stdout
    };
    let text = run(&[]);
    for words in [
        "without the broker",
        "may it call this model",
        "1000 reservations race",
    ] {
        assert!(text.contains(words), "no {words:?} in:\n{text}");
    }
    let sheet: Value = serde_json::from_str(&run(&["--json"])).unwrap();
    assert_eq!(
        (&sheet["race"]["admitted"], &sheet["race"]["overspent"]),
        (&100.into(), &0.into())
    );
    assert!(sheet["durable"]["p50_ns"].as_u64() > sheet["memory"]["p50_ns"].as_u64());
}
