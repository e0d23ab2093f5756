//! Who saw whose output. Pure: the paths of a trial's steps in the order they were
//! begun, and the pattern's shape, which is known, say it.
//!
//! Voters, and specialists side by side, have no lineage between one another: what
//! one of them gets wrong no other one has seen.

use super::files::aspects;
use crate::data::suite::Set;

/// The step around every pattern.
pub(super) const WORK: &str = "work/";

/// The logical stage of a path: its last part, without the round.
pub(super) fn stage(path: &str) -> &str {
    let last = path.rsplit('/').next().unwrap_or(path);
    last.split('#').next().unwrap_or(last)
}

/// The lane of a path: all but its last part.
fn lane(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(lane, _)| lane)
}

/// The places of the steps in an order that is the same whoever was done first: they
/// come in the order they were begun, but where several work side by side that is
/// chance. Voters come by their number, specialists in the set's order.
pub(super) fn order(set: Set, paths: &[&str]) -> Vec<usize> {
    let specialists = aspects(set);
    let special = |path: &str| {
        let stage = stage(path);
        let at = specialists.iter().position(|it| *it == stage);
        at.filter(|_| lane(path).ends_with("team"))
    };
    let team = paths
        .iter()
        .position(|path| special(path).is_some())
        .unwrap_or(0);
    let key = |at: &usize| -> (usize, usize, usize) {
        let path = paths.get(*at).copied().unwrap_or_default();
        let voter = path
            .strip_prefix(WORK)
            .and_then(|path| path.strip_prefix("voter-"));
        let number = voter.and_then(|it| it.split('/').next()?.parse().ok());
        match (number, special(path)) {
            (Some(number), _) => (0, number, *at),
            (None, Some(aspect)) => (1 + team, aspect, *at),
            // What stands in for the pattern comes after all of it.
            (None, None) => (1 + at, 0, *at),
        }
    };
    let mut order: Vec<usize> = (0..paths.len()).collect();
    order.sort_by_key(key);
    order
}

/// The steps that each step saw, by index; always earlier ones.
pub(super) fn parents(set: Set, paths: &[&str]) -> Vec<Vec<usize>> {
    let specialists = aspects(set);
    let of = |index: usize| -> Vec<usize> {
        let Some(path) = paths.get(index) else {
            return Vec::new();
        };
        let before = || paths.iter().take(index).enumerate().rev();
        let last_of = |wanted: &str| {
            before()
                .find(|(_, it)| lane(it) == wanted)
                .map(|(at, _)| at)
        };
        let stage_before = |wanted: &str| {
            before()
                .find(|(_, it)| stage(it) == wanted)
                .map(|(at, _)| at)
        };
        let name = stage(path);
        if name.starts_with("fallback") {
            // It begins again with the record.
            return Vec::new();
        }
        if lane(path).ends_with("team") {
            return match name {
                "plan" => stage_before("plan").into_iter().collect(),
                name if specialists.contains(&name) => stage_before("plan").into_iter().collect(),
                _ => {
                    let mut all: Vec<usize> = before()
                        .filter(|(_, it)| specialists.contains(&stage(it)))
                        .map(|(at, _)| at)
                        .collect();
                    all.reverse();
                    all
                }
            };
        }
        if name == "critique" {
            let round = path.rsplit_once('#').map_or("", |(_, round)| round);
            return last_of(&format!("{WORK}draft#{round}"))
                .into_iter()
                .collect();
        }
        if let Some(at) = last_of(lane(path)) {
            return vec![at];
        }
        // The first of its lane: of a later draft, or of what follows the team.
        match lane(path) {
            lane if lane.starts_with("work/draft#") => {
                stage_before("critique").into_iter().collect()
            }
            "work" => last_of("work/team").into_iter().collect(),
            _ => Vec::new(),
        }
    };
    (0..paths.len()).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(paths: &[&str]) -> Vec<(String, Vec<String>)> {
        let parents = parents(Set::Transaction, paths);
        let name = |at: &usize| paths[*at].to_owned();
        let all = paths.iter().zip(parents);
        all.map(|(path, of)| ((*path).to_owned(), of.iter().map(name).collect()))
            .collect()
    }

    fn check(table: &[(&str, &[&str])]) {
        let paths: Vec<&str> = table.iter().map(|(path, _)| *path).collect();
        let expected: Vec<(String, Vec<String>)> = table
            .iter()
            .map(|(path, of)| {
                (
                    (*path).to_owned(),
                    of.iter().map(|it| (*it).to_owned()).collect(),
                )
            })
            .collect();
        assert_eq!(named(&paths), expected);
    }

    #[test]
    fn in_a_chain_each_step_sees_the_one_before() {
        check(&[
            ("work/ingest", &[]),
            ("work/normalise", &["work/ingest"]),
            ("work/extract", &["work/normalise"]),
            ("work/fallback-1", &[]),
        ]);
    }

    #[test]
    fn specialists_see_the_plan_and_not_each_other() {
        check(&[
            ("work/team/plan", &[]),
            ("work/team/stolen-card", &["work/team/plan"]),
            ("work/team/account-takeover", &["work/team/plan"]),
            (
                "work/team/aggregate",
                &["work/team/stolen-card", "work/team/account-takeover"],
            ),
            ("work/decide", &["work/team/aggregate"]),
            ("work/record", &["work/decide"]),
        ]);
    }

    #[test]
    fn a_critic_sees_the_draft_and_the_next_draft_what_it_said() {
        check(&[
            ("work/draft#1/ingest", &[]),
            ("work/draft#1/normalise", &["work/draft#1/ingest"]),
            ("work/critique#1", &["work/draft#1/normalise"]),
            ("work/draft#2/ingest", &["work/critique#1"]),
            ("work/critique#2", &["work/draft#2/ingest"]),
        ]);
    }

    #[test]
    fn voters_have_seen_nothing_of_each_other() {
        check(&[
            ("work/voter-1/ingest", &[]),
            ("work/voter-2/ingest", &[]),
            ("work/voter-2/normalise", &["work/voter-2/ingest"]),
            ("work/voter-1/normalise", &["work/voter-1/ingest"]),
        ]);
    }

    #[test]
    fn who_was_begun_first_by_chance_does_not_matter() {
        let ordered = |paths: &[&'static str]| -> Vec<&'static str> {
            let order = order(Set::Transaction, paths);
            order.into_iter().map(|at| paths[at]).collect()
        };
        let votes = [
            "work/voter-1/a",
            "work/voter-1/b",
            "work/voter-2/a",
            "work/voter-10/a",
            "work/fallback-1",
        ];
        for begun in [[2, 0, 3, 1, 4], [0, 1, 2, 3, 4], [3, 2, 0, 1, 4]] {
            assert_eq!(ordered(&begun.map(|at| votes[at])), votes);
        }
        let team = [
            "work/team/plan",
            "work/team/stolen-card",
            "work/team/synthetic-fraud",
            "work/team/case-merger",
            "work/decide",
        ];
        for begun in [[0, 1, 2, 3, 4], [0, 2, 1, 3, 4]] {
            assert_eq!(ordered(&begun.map(|at| team[at])), team);
        }
        let rounds = ["work/draft#1/a", "work/critique#1", "work/draft#2/a"];
        assert_eq!(ordered(&rounds), rounds);
    }

    #[test]
    fn a_stage_is_the_same_in_every_round_and_for_every_voter() {
        for (path, expected) in [
            ("work/ingest", "ingest"),
            ("work/voter-3/check", "check"),
            ("work/draft#2/decide", "decide"),
            ("work/critique#3", "critique"),
        ] {
            assert_eq!(stage(path), expected);
        }
    }
}
