//! What a host file may say of a model beyond who answers.

use hotcell_broker::provider::faults::FaultModel;

use super::{Folder, HOST, POLICY, WORKFLOW};
use crate::manifest::host::Provider;

#[test]
fn a_form_can_stand_for_many_stages_and_all_rates_be_scaled() {
    let rates = "hallucination = 0.03\nscale = 1.5\nwork = { whole = 7, \"by hand\" = 2 }";
    let host = HOST.replace("hallucination = 0.03", rates);
    let checked = Folder::new(WORKFLOW, &host, POLICY).check().unwrap();
    let Provider::Sim { faults, .. } = &checked.host.models["default"].provider else {
        panic!()
    };
    let expected = FaultModel {
        hallucination: 0.03,
        scale: 1.5,
        work: [("whole".to_owned(), 7), ("by hand".to_owned(), 2)].into(),
        ..FaultModel::default()
    };
    assert_eq!(*faults, expected);
}

#[test]
fn money_is_read_as_whole_micro_dollars_and_files_stand_beside_the_host_file() {
    let table = [
        ("0", 0),
        ("0.0", 0),
        ("3", 3_000_000),
        ("3.0", 3_000_000),
        ("0.000001", 1),
        ("60.123456", 60_123_456),
        ("0.1", 100_000),
        ("1000000", 1_000_000_000_000),
    ];
    for (dollars, micros) in table {
        let host = HOST.replace(
            "timeout_ms = 5000",
            &format!("budget_usd = {dollars}\nrecord = \"calls.jsonl\""),
        );
        let folder = Folder::new(WORKFLOW, &host, POLICY);
        let checked = folder.check().unwrap();
        let model = &checked.host.models["local"];
        assert_eq!(model.budget, Some(micros), "{dollars}");
        assert_eq!(model.record, Some(folder.path("calls.jsonl")));
        let plain = &checked.host.models["plain"];
        assert_eq!((plain.budget, &plain.record), (None, &None));
    }
    let replay = HOST.replace("\"scripted\"", "\"replay\"");
    let folder = Folder::new(WORKFLOW, &replay, POLICY);
    let checked = folder.check().unwrap();
    let Provider::Replay { file } = &checked.host.models["replies"].provider else {
        panic!()
    };
    assert_eq!(*file, folder.path("invoices.json"));
}
