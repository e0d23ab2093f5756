//! How well yes was told from no, where most answers are no.

use crate::findings::LabelFindings;
use crate::trial::Label;

/// Counts the labels and says how well yes was told from no; none of nothing.
///
/// Who says nothing is as wrong as who says the opposite, in both numbers:
/// otherwise an agent would do better by failing on what is hard.
pub fn labels(labels: impl IntoIterator<Item = Label>) -> Option<LabelFindings> {
    let mut found = LabelFindings::default();
    for label in labels {
        *match (label.gold, label.said) {
            (true, Some(true)) => &mut found.true_positives,
            (true, Some(false)) => &mut found.false_negatives,
            (true, None) => &mut found.silent_positives,
            (false, Some(true)) => &mut found.false_positives,
            (false, Some(false)) => &mut found.true_negatives,
            (false, None) => &mut found.silent_negatives,
        } += 1;
    }
    let right = (found.true_positives as f64, found.true_negatives as f64);
    let missed = (found.false_negatives + found.silent_positives) as f64;
    let wrongly = (found.false_positives + found.silent_negatives) as f64;
    let (yes, no) = (right.0 + missed, right.1 + wrongly);
    if yes + no == 0.0 {
        return None;
    }
    found.always_no = no / (yes + no);
    if yes > 0.0 && no > 0.0 {
        found.balanced_accuracy = Some((right.0 / yes + right.1 / no) / 2.0);
    }
    let (said_yes, said_no) = (right.0 + wrongly, right.1 + missed);
    let product = yes * no * said_yes * said_no;
    if product > 0.0 {
        found.mcc = Some((right.0 * right.1 - wrongly * missed) / product.sqrt());
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(counts: [(bool, Option<bool>, usize); 4]) -> LabelFindings {
        let each = |(gold, said, count)| std::iter::repeat_n(Label { gold, said }, count);
        labels(counts.into_iter().flat_map(each)).unwrap()
    }

    #[test]
    fn always_no_is_right_nine_times_of_ten_and_worth_nothing() {
        let found = of([
            (true, Some(false), 10),
            (false, Some(false), 90),
            (true, Some(true), 0),
            (false, Some(true), 0),
        ]);
        assert!((found.always_no - 0.9).abs() < 1e-12);
        assert_eq!(found.balanced_accuracy, Some(0.5));
        assert_eq!(found.mcc, None);
    }

    #[test]
    fn both_numbers_are_those_of_the_textbook() {
        let found = of([
            (true, Some(true), 6),
            (true, Some(false), 2),
            (false, Some(true), 1),
            (false, Some(false), 3),
        ]);
        assert!((found.balanced_accuracy.unwrap() - 0.75).abs() < 1e-12);
        // (6*3 - 1*2) / sqrt(7*8*4*5)
        assert!((found.mcc.unwrap() - 16.0 / 1120.0_f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn silence_is_as_wrong_as_the_opposite() {
        let silent = of([
            (true, Some(true), 6),
            (true, None, 2),
            (false, None, 1),
            (false, Some(false), 3),
        ]);
        let wrong = of([
            (true, Some(true), 6),
            (true, Some(false), 2),
            (false, Some(true), 1),
            (false, Some(false), 3),
        ]);
        assert_eq!(silent.balanced_accuracy, wrong.balanced_accuracy);
        assert_eq!(silent.mcc, wrong.mcc);
        assert_eq!((silent.silent_positives, silent.silent_negatives), (2, 1));
    }

    #[test]
    fn of_yes_alone_there_is_no_balance() {
        let found = labels([Label {
            gold: true,
            said: Some(true),
        }])
        .unwrap();
        assert_eq!((found.balanced_accuracy, found.mcc), (None, None));
        assert_eq!(labels([]), None);
    }
}
