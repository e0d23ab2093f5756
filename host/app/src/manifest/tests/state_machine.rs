//! State machines as they are written become machines of the plan.

use hotcell_workflow::patterns::state_machine::guard::Guard;
use hotcell_workflow::patterns::state_machine::{State, StateMachine, Transition};
use hotcell_workflow::plan::{Pattern, Step};

use super::slips::tell;
use super::{Folder, HOST, POLICY};

const MACHINE: &str = r#"workflow: approval
pattern: state_machine
input: { file: invoices.json, id: invoice_id }
plugins:
  reader: { source: reader }
  checker: { source: checker.wasm }
initial: SUBMIT
finals: [approved, REJECTED]
states:
  SUBMIT: { step: { agent: reader } }
  MANAGER_REVIEW:
    step: { id: review, agent: reader, gates: [checker], optional: true }
    max_visits: 2
    timeout_ms: 500
  approved:
    invariants: ["input.amount <= 10000.0 || 'MANAGER_REVIEW' in path"]
transitions:
  - { from: SUBMIT, to: MANAGER_REVIEW, when: "input.amount > 10000.0" }
  - { from: SUBMIT, to: approved }
  - { from: MANAGER_REVIEW, to: SUBMIT, on: back }
  - { from: MANAGER_REVIEW, to: approved, on: approve }
  - { from: MANAGER_REVIEW, to: REJECTED, on: timeout }
"#;

#[test]
fn states_of_the_file_are_states_of_the_plan() {
    let checked = Folder::new(MACHINE, HOST, POLICY).check().unwrap();
    let guard = |source: &str| Guard::new(source).unwrap();
    let way = |from: &str, to: &str, when: &str, on: &str| Transition {
        from: from.into(),
        to: to.into(),
        when: (!when.is_empty()).then(|| guard(when)),
        on: (!on.is_empty()).then(|| on.into()),
    };
    let mut review = Step::agent("review", "reader");
    review.optional = true;
    if let hotcell_workflow::plan::Body::Call(call) = &mut review.body {
        call.gates = vec!["checker".into()];
    }
    let expected = StateMachine {
        initial: "SUBMIT".into(),
        finals: vec!["approved".into(), "REJECTED".into()],
        states: vec![
            State::new("SUBMIT", Some(Step::agent("submit", "reader"))),
            State {
                max_visits: 2,
                timeout_ms: Some(500),
                ..State::new("MANAGER_REVIEW", Some(review))
            },
            State {
                invariants: vec![guard("input.amount <= 10000.0 || 'MANAGER_REVIEW' in path")],
                ..State::new("approved", None)
            },
            State::new("REJECTED", None),
        ],
        transitions: vec![
            way("SUBMIT", "MANAGER_REVIEW", "input.amount > 10000.0", ""),
            way("SUBMIT", "approved", "", ""),
            way("MANAGER_REVIEW", "SUBMIT", "", "back"),
            way("MANAGER_REVIEW", "approved", "", "approve"),
            way("MANAGER_REVIEW", "REJECTED", "", "timeout"),
        ],
    };
    let plan = &checked.workflow.plan;
    assert_eq!(*plan.pattern, Pattern::StateMachine(expected));
    let roles: Vec<_> = checked
        .workflow
        .roles
        .iter()
        .map(|role| role.place)
        .collect();
    assert_eq!(roles, ["agent", "agent", "gates"]);
}

#[test]
fn a_slip_in_a_state_machine_is_told_at_its_place() {
    tell(include_str!("state_machine.txt"), MACHINE, |text| {
        Folder::new(text, HOST, POLICY)
    });
}
