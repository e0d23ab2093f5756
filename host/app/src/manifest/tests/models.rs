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
