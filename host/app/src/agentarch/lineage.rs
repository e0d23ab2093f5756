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
