//! What must come before what: order, levels and the longest way. Pure.
//!
//! A graph is a list of needs: for each thing, by index, the things that come
//! first.

use std::collections::BTreeSet;

/// Things that need each other: each needs the next, the last one the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cycle(pub Vec<usize>);

/// All things, each after those it needs, and otherwise in the order they have.
/// A need that is no index counts as met.
pub fn order(needs: &[Vec<usize>]) -> Result<Vec<usize>, Cycle> {
    let mut left: Vec<BTreeSet<usize>> = needs
        .iter()
        .map(|needs_of| needs_of.iter().copied().collect())
        .collect();
    let mut for_whom = vec![Vec::new(); needs.len()];
    for (at, left) in left.iter_mut().enumerate() {
        left.retain(|need| *need < needs.len());
        for need in left.iter() {
            if let Some(all) = for_whom.get_mut(*need) {
                all.push(at);
            }
        }
    }
    let free = |left: &[BTreeSet<usize>]| -> BTreeSet<usize> {
        let all = left.iter().enumerate();
        all.filter_map(|(at, left)| left.is_empty().then_some(at))
            .collect()
    };
    let mut ready = free(&left);
    let mut order = Vec::new();
    while let Some(at) = ready.pop_first() {
        order.push(at);
        for whom in for_whom.get(at).into_iter().flatten() {
            if let Some(left) = left.get_mut(*whom)
                && left.remove(&at)
                && left.is_empty()
            {
                ready.insert(*whom);
            }
        }
    }
    if order.len() == needs.len() {
        return Ok(order);
    }
    Err(cycle(&left))
}

/// A cycle among things that each still need one of the others.
fn cycle(left: &[BTreeSet<usize>]) -> Cycle {
    let mut way = Vec::new();
    let mut next = left.iter().position(|left| !left.is_empty());
    while let Some(at) = next {
        if let Some(start) = way.iter().position(|seen| *seen == at) {
            return Cycle(way.split_off(start));
        }
        way.push(at);
        // What is needed and has come is not in `left` any more.
        next = left.get(at).and_then(|left| left.first()).copied();
    }
    Cycle(way)
}

/// Which things may be done at the same time, the first ones first. Each needs
/// smaller indices only.
pub fn levels(needs: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut levels: Vec<Vec<usize>> = Vec::new();
    for (at, depth) in depths(needs).into_iter().enumerate() {
        if levels.len() <= depth {
            levels.resize(depth + 1, Vec::new());
        }
        if let Some(level) = levels.get_mut(depth) {
            level.push(at);
        }
    }
    levels
}

/// The longest way from a thing that needs nothing to one that nobody needs: no
/// number of workers makes it shorter. The first one among several. Each needs
/// smaller indices only.
pub fn longest(needs: &[Vec<usize>]) -> Vec<usize> {
    let depths = depths(needs);
    let deepest = |all: &mut dyn Iterator<Item = usize>| {
        let all = all.filter_map(|at| Some((*depths.get(at)?, at)));
        all.max_by_key(|(depth, at)| (*depth, std::cmp::Reverse(*at)))
            .map(|(_, at)| at)
    };
    let mut way = Vec::new();
    let mut next = deepest(&mut (0..needs.len()));
    while let Some(at) = next {
        way.push(at);
        let before = needs.get(at).into_iter().flatten().copied();
        next = deepest(&mut before.filter(|need| *need < at));
    }
    way.reverse();
    way
}

/// How many come before each thing, one after the other, at least.
fn depths(needs: &[Vec<usize>]) -> Vec<usize> {
    let mut depths: Vec<usize> = Vec::new();
    for needs in needs {
        let before = needs.iter().filter_map(|need| depths.get(*need));
        depths.push(before.max().map_or(0, |depth| depth + 1));
    }
    depths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_comes_after_what_it_needs_and_else_where_it_was() {
        let table: [(&[&[usize]], &[usize]); 6] = [
            (&[], &[]),
            (&[&[], &[], &[]], &[0, 1, 2]),
            (&[&[], &[0], &[1]], &[0, 1, 2]),
            (&[&[2], &[], &[1]], &[1, 2, 0]),
            (&[&[3], &[], &[], &[]], &[1, 2, 3, 0]),
            (&[&[1, 1, 9], &[]], &[1, 0]),
        ];
        for (needs, expected) in table {
            let needs: Vec<Vec<usize>> = needs.iter().map(|it| it.to_vec()).collect();
            assert_eq!(order(&needs), Ok(expected.to_vec()), "{needs:?}");
        }
    }

    #[test]
    fn a_cycle_is_found_without_what_only_leads_to_it() {
        let table: [(&[&[usize]], &[usize]); 4] = [
            (&[&[0]], &[0]),
            (&[&[1], &[0]], &[0, 1]),
            (&[&[1], &[2], &[3], &[1]], &[1, 2, 3]),
            (&[&[], &[0, 3], &[1], &[2], &[3]], &[1, 3, 2]),
        ];
        for (needs, expected) in table {
            let needs: Vec<Vec<usize>> = needs.iter().map(|it| it.to_vec()).collect();
            assert_eq!(order(&needs), Err(Cycle(expected.to_vec())), "{needs:?}");
        }
    }

    #[test]
    fn levels_hold_what_may_be_done_at_once_and_the_longest_way_runs_through_all() {
        let needs = [vec![], vec![], vec![0, 1], vec![0], vec![2, 3], vec![]];
        assert_eq!(levels(&needs), [vec![0, 1, 5], vec![2, 3], vec![4]]);
        assert_eq!(longest(&needs), [0, 2, 4]);
        assert_eq!(levels(&[]), Vec::<Vec<usize>>::new());
        assert_eq!(longest(&[]), Vec::<usize>::new());
    }
}
