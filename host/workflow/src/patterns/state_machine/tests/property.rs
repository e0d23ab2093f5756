//! Over random machines, handlers and records: what the table forbids never
//! happens, and each transition is written down once.

use super::*;
use crate::machine::Action;

/// Numbers that follow from a seed.
struct Dice(u64);

impl Dice {
    /// A number below `n`.
    fn roll(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("64 bit") % n
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.roll(all.len())]
    }
}

const STATES: [&str; 5] = ["A", "B", "C", "y", "z"];
const GUARDS: [&str; 8] = [
    "input.n > 1",
    "output.k < 2",
    "output.k >= 2",
    "size(path) % 2 == 0",
    "'B' in path",
    "visits.A < 2",
    "!has(visits.C) || visits.C < 2",
    "outputs.A.k == 1",
];
const EVENTS: [&str; 3] = ["go", "stop", TIMEOUT];

/// Any table, sound or not: what is promised of runs does not rest on checks.
fn any_machine(dice: &mut Dice) -> StateMachine {
    let transitions = (0..3 + dice.roll(8)).map(|_| Transition {
        from: STATES[dice.roll(3)].into(),
        to: dice.of(&STATES).into(),
        when: (dice.roll(2) == 0).then(|| guard(dice.of(&GUARDS))),
        on: (dice.roll(3) == 0).then(|| dice.of(&EVENTS).into()),
    });
    let transitions = transitions.collect();
    let mut machine = StateMachine {
        initial: "A".into(),
        finals: vec!["y".into(), "z".into()],
        states: Vec::new(),
        transitions,
    };
    for name in STATES {
        let is_final = machine.is_final(name);
        let mut state = State::new(name, (!is_final).then(|| handler(name)));
        state.max_visits = 1 + u32::try_from(dice.roll(3)).expect("small");
        state.timeout_ms = (!is_final && dice.roll(2) == 0).then_some(10);
        if dice.roll(3) == 0 {
            state.invariants.push(guard(dice.of(&GUARDS)));
        }
        machine.states.push(state);
    }
    machine
}

/// Evaluates a condition afresh, from what was written down alone.
fn held(condition: &Guard, input: &str, before: &[(Arc<str>, Option<String>)]) -> bool {
    let mut outputs = BTreeMap::new();
    let mut visits = BTreeMap::new();
    let mut path = Vec::new();
    let mut last = None;
    for (name, answer) in before {
        path.push(Arc::clone(name));
        *visits.entry(Arc::clone(name)).or_insert(0) += 1;
        if let Some(answer) = answer {
            outputs.insert(Arc::clone(name), Arc::from(answer.as_str()));
            last = Some(answer.as_str());
        }
    }
    let facts = Facts {
        input,
        output: last,
        outputs: &outputs,
        path: &path,
        visits: &visits,
    };
    condition.holds(&facts) == Ok(true)
}

/// A run with somebody who watches it.
struct Watched<'a> {
    machine: &'a StateMachine,
    input: String,
    story: Story,
    /// The states entered, and what was answered there.
    committed: Vec<(Arc<str>, Option<String>)>,
    /// How many records were looked at.
    seen: usize,
}

impl Watched<'_> {
    /// Looks at what was written down since.
    fn look(&mut self) {
        let all: Vec<Audit> = self.story.audit[self.seen..].to_vec();
        self.seen += all.len();
        for audit in &all {
            let Audit::Transition {
                from,
                to,
                taken: true,
                ..
            } = audit
            else {
                continue;
            };
            let present = self.committed.last().map(|(name, _)| name);
            assert_eq!(from.as_ref(), present, "true ends");
            let holds = |it: &Guard| held(it, &self.input, &self.committed);
            if let Some(from) = from {
                let mut ways = self.machine.transitions.iter();
                let allowed = ways.any(|way| {
                    let same = way.from == *from && way.to == *to;
                    same && way.when.as_ref().is_none_or(holds)
                });
                assert!(
                    allowed,
                    "no way from {from} to {to}: {:#?}",
                    self.story.lines
                );
            }
            let state = self.machine.state(to).expect("known");
            assert!(state.invariants.iter().all(holds), "an invariant of {to}");
            let visits = self.committed.iter().filter(|(name, _)| name == to).count();
            assert!(visits < state.max_visits as usize, "the cap of {to}");
            self.committed.push((Arc::clone(to), None));
        }
    }

    fn handled(&self) -> usize {
        let all = self.committed.iter();
        all.filter(|(name, _)| !self.machine.is_final(name)).count()
    }
}

/// Plays one run by the dice.
fn play<'a>(machine: &'a StateMachine, dice: &mut Dice) -> Watched<'a> {
    let input = format!(r#"{{"n": {}}}"#, dice.roll(4));
    let mut it = Watched {
        machine,
        story: begin(machine, &input),
        input,
        committed: Vec::new(),
        seen: 0,
    };
    it.look();
    while it.story.outcome.is_none() {
        let asks = |action: &&Action| matches!(action, Action::Invoke { .. });
        let mut open = it.story.open.iter();
        let wait = open.rfind(|action| !asks(action)).cloned();
        if let (Some(Action::Wait { path, timer, .. }), 0) = (wait, dice.roll(6)) {
            it.story.happens(What::Elapsed { path, timer });
            it.look();
            continue;
        }
        let ask = it.story.open.iter().find(asks).and_then(Action::path);
        let path = ask.expect("a handler").to_string();
        let value = format!(r#"{{"k": {}}}"#, dice.roll(4));
        let answer = match dice.roll(8) {
            0 => fails("trap"),
            1 => goes(&value, dice.of(&["go", "stop", TIMEOUT, "", "nowhere"])),
            2 | 3 => goes(&value, dice.of(&STATES)),
            _ => says(&value),
        };
        if let Some((_, answered)) = it.committed.last_mut() {
            *answered = Some(value);
        }
        it.story.answer(&path, answer);
        it.look();
    }
    it
}

#[test]
fn nothing_that_is_forbidden_is_ever_committed() {
    let mut ends = BTreeSet::new();
    for seed in 0..1_500 {
        let mut dice = Dice(seed);
        let machine = any_machine(&mut dice);
        let it = play(&machine, &mut dice);
        let story = &it.story;
        // One record for each state on the path, no more and no fewer.
        if let Some(Ok(done)) = &story.outcome {
            let value: Value = serde_json::from_str(&done.output.value).expect("JSON");
            let path: Vec<&Arc<str>> = it.committed.iter().map(|(name, _)| name).collect();
            assert_eq!(value["path"], json!(path), "{seed}");
            assert!(machine.is_final(value["state"].as_str().expect("a name")));
        }
        // Nobody was asked anything outside of a state, and everybody in one, but
        // for the same question asked too often.
        let asked = story.lines.iter().filter(|line| line.starts_with("invoke"));
        let stuck = usize::from(story.last().starts_with("failure loop"));
        assert_eq!(asked.count() + stuck, it.handled(), "{seed}");
        if let Some(explored) = explore(&machine) {
            assert!(it.handled() <= explored.longest as usize, "{seed}");
        }
        assert_eq!(story.again(), story.lines, "{seed}");
        let end = story.last();
        let end = end.split_once(" {").or(end.split_once(':')).expect("words");
        ends.insert(end.0.to_owned());
    }
    // The dice have seen all of it.
    let all = [
        "failure ambiguous-transition",
        "failure guard",
        "failure illegal-transition",
        "failure invariant",
        "failure loop",
        "failure max-visits",
        "failure no-transition",
        "failure trap",
        "success",
        "timeout deadline",
    ];
    assert_eq!(ends.iter().map(String::as_str).collect::<Vec<_>>(), all);
}
