//! Votes as they are written become votes of the plan.

use std::sync::Arc;

use hotcell_workflow::patterns::voting::tally::Strategy;
use hotcell_workflow::patterns::voting::{Outliers, Undecided, Voting, Weights};
use hotcell_workflow::plan::{Body, Pattern, Step};
use serde_json::json;

use super::slips::tell;
use super::{Folder, HOST, POLICY};

const VOTE: &str = r#"workflow: vote
pattern: voting
input: { file: invoices.json, id: invoice_id }
plugins:
  reader: { source: reader }
  checker: { source: checker.wasm }
voters:
  - { id: one, agent: reader, gates: [checker] }
  - { id: two, agent: reader }
  - { id: three, agent: reader }
strategy: quorum
k: 2
field: /is_fraud
weights: { one: 2.0 }
on_tie: { extra: { agent: reader } }
on_no_quorum: { default: { is_fraud: null } }
outliers: { field: /score, z: 2 }
adaptive: false
"#;

#[test]
fn a_vote_of_the_file_is_a_vote_of_the_plan() {
    let pattern = |text: &str| {
        let folder = Folder::new(text, HOST, POLICY);
        match folder.check() {
            Ok(checked) => (*checked.workflow.plan.pattern).clone(),
            Err(problems) => panic!("{:#?}", folder.lines(&problems)),
        }
    };
    let mut one = Step::agent("one", "reader");
    if let Body::Call(call) = &mut one.body {
        call.gates = vec!["checker".into()];
    }
    let voters = [
        one,
        Step::agent("two", "reader"),
        Step::agent("three", "reader"),
    ];
    let expected = Voting {
        strategy: Strategy::Quorum(2),
        field: Some("/is_fraud".to_owned()),
        weights: Weights::Voters([("one".to_owned(), 2.0)].into()),
        on_tie: Undecided::Extra(Arc::new(Step::agent("extra", "reader"))),
        on_no_quorum: Undecided::Default(json!({ "is_fraud": null })),
        outliers: Some(Outliers {
            field: "/score".to_owned(),
            z: 2.0,
        }),
        ..Voting::of(voters)
    };
    assert_eq!(pattern(VOTE), Pattern::Voting(expected));
    // One agent so many times, and the rest as usual.
    let (head, _) = VOTE.split_once("voters:").unwrap();
    let counted = pattern(&format!(
        "{head}voters: {{ agent: reader, count: 3, kind: judge }}\nadaptive: true\n"
    ));
    let voters = ["voter-1", "voter-2", "voter-3"].map(|id| Step {
        kind: "judge".to_owned(),
        ..Step::agent(id, "reader")
    });
    let expected = Voting {
        adaptive: true,
        ..Voting::of(voters)
    };
    assert_eq!(counted, Pattern::Voting(expected));
}

#[test]
fn a_slip_in_a_vote_is_told_at_its_place() {
    tell(include_str!("voting.txt"), VOTE, |text| {
        Folder::new(text, HOST, POLICY)
    });
}
