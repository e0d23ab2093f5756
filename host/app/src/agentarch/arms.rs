//! The arms of the benchmark: patterns, and what is special about each variant.
//! Pure.

use clap::ValueEnum;
use hotcell_measure::trial::{Arm, Variant};

/// Votes are cast by so many.
pub(super) const VOTERS: usize = 5;

/// How agents work together, and the one that works alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Pattern {
    /// One agent does everything in one call: the baseline.
    Single,
    /// One stage after the other.
    Sequential,
    /// A planner, three specialists side by side, and whoever decides.
    Hierarchical,
    /// All stages again while a critic is not content.
    Iterative,
    /// One stage after the other, each behind a validator.
    #[value(name = "state_machine")]
    StateMachine,
    /// Five work on the whole task, the majority counts.
    Voting,
}

impl Pattern {
    pub(crate) const ALL: [Pattern; 6] = [
        Pattern::Single,
        Pattern::Sequential,
        Pattern::Hierarchical,
        Pattern::Iterative,
        Pattern::StateMachine,
        Pattern::Voting,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Pattern::Single => "single",
            Pattern::Sequential => "sequential",
            Pattern::Hierarchical => "hierarchical",
            Pattern::Iterative => "iterative",
            Pattern::StateMachine => "state_machine",
            Pattern::Voting => "voting",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Pattern> {
        Pattern::ALL.into_iter().find(|it| it.name() == name)
    }

    /// Whether validators stand between its stages unless somebody wants it
    /// otherwise: it is what a state machine is for.
    fn gated(self) -> bool {
        self == Pattern::StateMachine
    }
}

/// Something that surrounds every call and can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Component {
    /// A failed call is tried again
    Retry,
    /// Answers are held against their form, and sent back once
    Validation,
    /// Validators stand between the stages of a state machine
    Gates,
    /// When a pattern comes to nothing, one agent does the whole task
    Fallback,
}

impl Component {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Component::Retry => "retry",
            Component::Validation => "validation",
            Component::Gates => "gates",
            Component::Fallback => "fallback",
        }
    }
}

/// What was asked for.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) patterns: Vec<Pattern>,
    /// Numbers of stages, the main one first.
    pub(super) stages: Vec<u32>,
    /// Correlations of voters beside none.
    pub(super) rho: Vec<f64>,
    pub(super) without: Vec<Component>,
    /// Whether voting is also tried with as few votes as decide.
    pub(super) adaptive: bool,
    /// Whether gates are also tried where a pattern has none.
    pub(super) gates: bool,
}

/// All arms, the main ones first.
pub(super) fn arms(wanted: &Wanted) -> Vec<Arm> {
    let stages = wanted.stages.first().copied().unwrap_or(7);
    let base = |pattern: Pattern, stages: u32| Arm {
        id: pattern.name().to_owned(),
        pattern: pattern.name().to_owned(),
        variant: Variant {
            gates: Some(pattern.gated()),
            stages,
            ..Variant::default()
        },
        main: true,
        ..Arm::default()
    };
    let mut all: Vec<Arm> = wanted.patterns.iter().map(|it| base(*it, stages)).collect();
    let mut add = |pattern: Pattern, what: &str, change: &dyn Fn(&mut Variant)| {
        let mut arm = base(pattern, stages);
        arm.id = format!("{}-{what}", arm.id);
        arm.main = false;
        change(&mut arm.variant);
        all.push(arm);
    };
    for pattern in &wanted.patterns {
        for stages in wanted.stages.iter().skip(1) {
            // One call is one call, however its work is divided in thought.
            if *pattern != Pattern::Single {
                add(*pattern, &format!("{stages}-stages"), &|it| {
                    it.stages = *stages
                });
            }
        }
        for component in &wanted.without {
            let has = match component {
                Component::Gates => pattern.gated(),
                _ => true,
            };
            if has {
                let name = component.name();
                add(*pattern, &format!("without-{name}"), &|it| {
                    if matches!(component, Component::Gates | Component::Validation) {
                        it.gates = Some(false);
                    }
                    // Gates are a property of an arm and say so themselves.
                    if *component != Component::Gates {
                        it.without.push(name.to_owned());
                    }
                });
            }
        }
        if wanted.gates && !pattern.gated() {
            add(*pattern, "gated", &|it| it.gates = Some(true));
        }
    }
    if wanted.patterns.contains(&Pattern::Voting) {
        for rho in wanted.rho.iter().filter(|rho| **rho > 0.0) {
            add(Pattern::Voting, &format!("rho-{rho}"), &|it| it.rho = *rho);
        }
        if wanted.adaptive {
            add(Pattern::Voting, "adaptive", &|it| it.adaptive = true);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Wanted {
        Wanted {
            patterns: Pattern::ALL.to_vec(),
            stages: vec![7],
            rho: Vec::new(),
            without: Vec::new(),
            adaptive: false,
            gates: false,
        }
    }

    fn ids(wanted: &Wanted) -> Vec<String> {
        arms(wanted).into_iter().map(|arm| arm.id).collect()
    }

    #[test]
    fn every_pattern_is_a_main_arm_and_its_variants_come_after() {
        let main = Pattern::ALL.map(Pattern::name);
        assert_eq!(ids(&wanted()), main);
        let more = Wanted {
            patterns: vec![Pattern::Single, Pattern::StateMachine, Pattern::Voting],
            stages: vec![7, 3],
            rho: vec![0.0, 0.3],
            without: vec![Component::Retry, Component::Gates],
            adaptive: true,
            gates: true,
        };
        let expected = [
            "single",
            "state_machine",
            "voting",
            "single-without-retry",
            "single-gated",
            "state_machine-3-stages",
            "state_machine-without-retry",
            "state_machine-without-gates",
            "voting-3-stages",
            "voting-without-retry",
            "voting-gated",
            "voting-rho-0.3",
            "voting-adaptive",
        ];
        assert_eq!(ids(&more), expected);
        let arms = arms(&more);
        assert!(arms.iter().take(3).all(|arm| arm.main));
        assert!(arms.iter().skip(3).all(|arm| !arm.main));
        let of = |id: &str| &arms.iter().find(|arm| arm.id == id).unwrap().variant;
        assert_eq!(of("state_machine").gates, Some(true));
        assert_eq!(of("state_machine-without-gates").gates, Some(false));
        assert_eq!(of("voting-gated").gates, Some(true));
        assert_eq!(of("voting-3-stages").stages, 3);
        assert!((of("voting-rho-0.3").rho - 0.3).abs() < f64::EPSILON);
    }
}
