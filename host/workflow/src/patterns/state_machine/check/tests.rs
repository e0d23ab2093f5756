use super::*;
use crate::patterns::state_machine::State;
use crate::patterns::state_machine::guard::Guard;
use crate::plan::Step;

/// States, a capital for one with a step; ways are `FROM TO event condition`,
/// with `-` for none. It begins in `A`; the others are final.
fn machine(states: &str, ways: &[&str]) -> StateMachine {
    let names: Vec<&str> = states.split(' ').collect();
    let is_final = |name: &&str| name.starts_with(char::is_lowercase);
    let state = |name: &&str| {
        let step = Step::agent(&name.to_lowercase(), "clerk");
        State::new(name, (!is_final(name)).then_some(step))
    };
    let way = |way: &&str| {
        let mut words = way.splitn(4, ' ');
        let mut word = || words.next().filter(|word| *word != "-");
        Transition {
            from: word().expect("from").into(),
            to: word().expect("to").into(),
            on: word().map(Into::into),
            when: word().map(|it| Guard::new(it).expect("CEL")),
        }
    };
    StateMachine {
        initial: "A".into(),
        finals: names
            .iter()
            .copied()
            .filter(is_final)
            .map(Into::into)
            .collect(),
        states: names.iter().map(state).collect(),
        transitions: ways.iter().map(way).collect(),
    }
}

fn said(machine: &StateMachine) -> Vec<String> {
    let all = check(machine).into_iter();
    all.map(|(about, wrong)| format!("{about:?}: {wrong}"))
        .collect()
}

#[test]
fn each_thing_that_is_wrong_is_told_with_its_place() {
    type Change = fn(&mut StateMachine);
    let as_it_is: Change = |_| {};
    let table: [(&str, &[&str], Change, &[&str]); 19] = [
        ("A z", &["A z"], as_it_is, &[]),
        // Conditions that differ, or events that differ, are no question.
        (
            "A B y z",
            &[
                "A z - input.n > 1",
                "A y - input.n > 2",
                "A B",
                "B z go",
                "B y stop",
            ],
            as_it_is,
            &[],
        ),
        (
            "A z z",
            &["A z"],
            as_it_is,
            &[r#"State("z"): two states are called `z`"#],
        ),
        (
            "A B z",
            &["A B", "B z"],
            |it| it.states[1].step = it.states[0].step.clone(),
            &[r#"State("B"): two states have a step `a`"#],
        ),
        (
            "A z",
            &["A z", "A y go", "Q z"],
            |it| {
                it.initial = "I".into();
                it.finals.push("f".into());
            },
            &[
                "Initial: no state is called `I`",
                "Finals: no state is called `f`",
                "Transition(1): no state is called `y`",
                "Transition(2): no state is called `Q`",
            ],
        ),
        (
            "A B",
            &["A B", "B A"],
            as_it_is,
            &["Finals: there is no final state"],
        ),
        (
            "A z",
            &["A z"],
            |it| it.initial = "z".into(),
            &[
                "Initial: `z` is both initial and final",
                r#"State("A"): no way leads from the initial state to `A`"#,
            ],
        ),
        (
            "A z",
            &["A z"],
            |it| it.states[1].step = Some(Arc::new(Step::agent("x", "x"))),
            &[r#"State("z"): the final state `z` has a step"#],
        ),
        (
            "A z",
            &["A z", "z A"],
            as_it_is,
            &["Transition(1): a transition leads out of the final state `z`"],
        ),
        (
            "A B z",
            &["A B", "B z"],
            |it| it.states[1].step = None,
            &[r#"State("B"): the state `B` has no step and is not final"#],
        ),
        (
            "A B C z",
            &["A z", "B C", "C B go", "C z"],
            as_it_is,
            &[
                r#"State("B"): no way leads from the initial state to `B`"#,
                r#"State("C"): no way leads from the initial state to `C`"#,
            ],
        ),
        (
            "A B C z",
            &["A z go", "A B", "B C", "C B"],
            as_it_is,
            &[
                r#"State("B"): no way leads from `B` to a final state"#,
                r#"State("C"): no way leads from `C` to a final state"#,
            ],
        ),
        (
            "A y z",
            &["A y", "A z"],
            as_it_is,
            &["Transition(1): two ways out of `A` have the same condition: to `y` and to `z`"],
        ),
        (
            "A y z",
            &["A y go", "A z go"],
            as_it_is,
            &["Transition(1): two ways out of `A` have the same condition: to `y` and to `z`"],
        ),
        (
            "A y z",
            &["A y - input.n > 1", "A z - input.n > 1"],
            as_it_is,
            &["Transition(1): two ways out of `A` have the same condition: to `y` and to `z`"],
        ),
        (
            "A y z",
            &["A y", "A z y"],
            as_it_is,
            &["Transition(1): the event `y` is called as a state is"],
        ),
        (
            "A y z",
            &["A y", "A z timeout"],
            as_it_is,
            &[
                "Transition(1): a transition out of `A` waits for its `timeout`, and it has no `timeout_ms`",
            ],
        ),
        (
            "A y z",
            &["A y", "A z timeout"],
            |it| it.states[0].timeout_ms = Some(1),
            &[],
        ),
        (
            "A z",
            &["A z"],
            |it| it.states[0].max_visits = 0,
            &[r#"State("A"): `max_visits` of `A` is not between 1 and 100"#],
        ),
    ];
    for (states, ways, change, words) in table {
        let mut machine = machine(states, ways);
        change(&mut machine);
        assert_eq!(said(&machine), words, "{states} {ways:?}");
    }
}

#[test]
fn a_small_machine_is_walked_through_to_the_end() {
    let caps = |it: &Explored| it.caps.iter().map(ToString::to_string).collect::<Vec<_>>();
    // Without a cycle: the longest way, and nothing that could stop it.
    let chain = machine("A B C z", &["A B go", "A z", "B C", "C z"]);
    let explored = explore(&chain).expect("small");
    assert_eq!((explored.longest, caps(&explored)), (3, vec![]));
    // With one: three rounds, and the state that is entered no more.
    let cycle = machine("A B z", &["A B", "B A again", "B z done"]);
    let explored = explore(&cycle).expect("small");
    assert_eq!(
        (explored.longest, caps(&explored)),
        (6, vec!["A".to_owned()])
    );
    // Each of so many may be entered a hundred times: no small machine.
    let names = "A B C D E F z";
    let all = names
        .split(' ')
        .flat_map(|a| names.split(' ').map(move |b| format!("{a} {b}")));
    let all: Vec<String> = all.filter(|way| !way.starts_with('z')).collect();
    let ways: Vec<&str> = all.iter().map(String::as_str).collect();
    let mut large = machine(names, &ways);
    for state in &mut large.states {
        state.max_visits = MOST_VISITS;
    }
    assert_eq!(explore(&large), None);
}
