//! How alike two texts are: Ratcliff and Obershelp's measure, as Python's `difflib` has it.
//!
//! Twice the number of matching characters over the number of all. What matches
//! is the longest common run, and then what matches left and right of it. Of
//! runs of the same length the first counts, first in one text and then in the
//! other; swapping the texts can therefore change the number, as it does there.
//! So does `difflib`'s rule that in a second text of 200 characters or more, one
//! that makes up more than a hundredth of it begins no run; kept, because the
//! course's numbers were made with it.

use std::collections::HashMap;

use super::MatchError;

/// The most characters that are compared: 4,096. The time it takes grows with
/// the product of the lengths, and for texts made to that end with more.
pub const LONGEST: usize = 4_096;

/// How alike two texts are, from 0 to 1; two empty ones are the same.
///
/// # Errors
/// If one of them is longer than [`LONGEST`].
pub fn similarity(a: &str, b: &str) -> Result<f64, MatchError> {
    let of = |text: &str| -> Result<Vec<char>, MatchError> {
        // As many bytes as characters at least, so most texts need no counting.
        match text.len() > LONGEST && text.chars().count() > LONGEST {
            true => Err(MatchError::TooLong(text.chars().count())),
            false => Ok(text.chars().collect()),
        }
    };
    let (a, b) = (of(a)?, of(b)?);
    if a == b {
        return Ok(1.0);
    }
    let texts = Texts::new(&a, &b);
    Ok(2.0 * texts.matching() as f64 / (a.len() + b.len()) as f64)
}

struct Texts<'a> {
    a: &'a [char],
    b: &'a [char],
    /// Where in `b` a character is, in order; not for popular ones.
    places: HashMap<char, Vec<usize>>,
}

/// A part of both texts, ends excluded.
#[derive(Clone, Copy)]
struct Part {
    a: (usize, usize),
    b: (usize, usize),
}

/// The same characters in both.
#[derive(Clone, Copy)]
struct Run {
    a: usize,
    b: usize,
    length: usize,
}

impl<'a> Texts<'a> {
    fn new(a: &'a [char], b: &'a [char]) -> Texts<'a> {
        let mut places: HashMap<char, Vec<usize>> = HashMap::new();
        for (at, letter) in b.iter().enumerate() {
            places.entry(*letter).or_default().push(at);
        }
        if b.len() >= 200 {
            let popular = b.len() / 100 + 1;
            places.retain(|_, places| places.len() <= popular);
        }
        Texts { a, b, places }
    }

    /// How many characters match, over all runs.
    fn matching(&self) -> usize {
        let mut matching = 0;
        let mut parts = vec![Part {
            a: (0, self.a.len()),
            b: (0, self.b.len()),
        }];
        while let Some(part) = parts.pop() {
            let run = self.longest(part);
            if run.length == 0 {
                continue;
            }
            matching += run.length;
            parts.push(Part {
                a: (part.a.0, run.a),
                b: (part.b.0, run.b),
            });
            parts.push(Part {
                a: (run.a + run.length, part.a.1),
                b: (run.b + run.length, part.b.1),
            });
        }
        matching
    }

    /// The first of the longest runs within a part.
    fn longest(&self, part: Part) -> Run {
        let mut best = Run {
            a: part.a.0,
            b: part.b.0,
            length: 0,
        };
        // How long the run is that ends with the character of `a` before, and
        // the one of `b` at this place.
        let mut before: HashMap<usize, usize> = HashMap::new();
        for at in part.a.0..part.a.1 {
            let mut now = HashMap::new();
            let places = self.a.get(at).and_then(|letter| self.places.get(letter));
            for place in places.into_iter().flatten().copied() {
                if place < part.b.0 {
                    continue;
                }
                if place >= part.b.1 {
                    break;
                }
                let shorter = place.checked_sub(1).and_then(|it| before.get(&it));
                let length = shorter.copied().unwrap_or_default() + 1;
                now.insert(place, length);
                if length > best.length {
                    best = Run {
                        a: at + 1 - length,
                        b: place + 1 - length,
                        length,
                    };
                }
            }
            before = now;
        }
        self.extend(part, best)
    }

    /// A run made longer by popular characters on either side.
    fn extend(&self, part: Part, mut run: Run) -> Run {
        let same = |a: usize, b: usize| match (self.a.get(a), self.b.get(b)) {
            (Some(a), Some(b)) => a == b,
            _ => false,
        };
        while run.a > part.a.0 && run.b > part.b.0 && same(run.a - 1, run.b - 1) {
            (run.a, run.b, run.length) = (run.a - 1, run.b - 1, run.length + 1);
        }
        while run.a + run.length < part.a.1
            && run.b + run.length < part.b.1
            && same(run.a + run.length, run.b + run.length)
        {
            run.length += 1;
        }
        run
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_that_of_pythons_difflib() {
        let long = |words: &[&str], times: usize| words.concat().repeat(times);
        // Printed by `difflib.SequenceMatcher(None, a, b).ratio()`.
        let cases = [
            ("".to_owned(), "".to_owned(), 1.0),
            ("".to_owned(), "a".to_owned(), 0.0),
            ("abcd".to_owned(), "bcde".to_owned(), 0.75),
            ("abcd".to_owned(), "abcd".to_owned(), 1.0),
            ("tide".to_owned(), "diet".to_owned(), 0.25),
            ("diet".to_owned(), "tide".to_owned(), 0.5),
            (
                "private Thread currentThread;".to_owned(),
                "private volatile Thread currentThread;".to_owned(),
                0.8656716417910447,
            ),
            (
                "GESTALT THEORY".to_owned(),
                "GESTALT PRACTICE".to_owned(),
                0.6666666666666666,
            ),
            (
                "Acme Corporation".to_owned(),
                "Acme C0rporation".to_owned(),
                0.9375,
            ),
            ("qabxcd".to_owned(), "abycdf".to_owned(), 0.6666666666666666),
            ("aaaa".to_owned(), "aa".to_owned(), 0.6666666666666666),
            ("abab".to_owned(), "baba".to_owned(), 0.75),
            (
                "Müller & Söhne".to_owned(),
                "Mueller & Soehne".to_owned(),
                0.8,
            ),
            (
                long(&["ab", "c"], 70),
                long(&["ab", "d"], 70),
                0.009523809523809525,
            ),
            (long(&["x", "yz"], 80), long(&["x", "yzw"], 60), 0.0125),
            (
                long(&["invoice ", "total "], 20),
                long(&["invoice ", "totals "], 20),
                0.04482758620689655,
            ),
            (
                format!("{}Q{}", long(&["ab"], 100), long(&["cd"], 50)),
                format!("{}Q{}", long(&["ba"], 100), long(&["cd"], 55)),
                0.3300653594771242,
            ),
        ];
        for (a, b, expected) in cases {
            let found = similarity(&a, &b).unwrap();
            assert!(
                (found - expected).abs() < 1e-12,
                "{a} and {b}: {found}, not {expected}"
            );
        }
    }

    #[test]
    fn texts_too_long_to_be_compared_are_an_error() {
        let most = "a".repeat(LONGEST);
        let more = "ä".repeat(LONGEST + 1);
        assert!(similarity(&most, "b").is_ok());
        assert_eq!(
            similarity("b", &more),
            Err(MatchError::TooLong(LONGEST + 1))
        );
    }
}
