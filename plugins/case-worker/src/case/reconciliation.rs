//! One bank statement and the ledger: which of their lines belong together, and what
//! is left over. The rules are those of the examples.

use super::{Aspect, Case, Part};

pub(super) static CASE: Case = Case {
    name: "reconciliation",
    about: "You reconcile a bank statement with a ledger: `bank` are the transactions, `ledger` \
            the entries.",
    stages: [
        Part {
            rules: "Copy every transaction and every entry out of the record as it is and in its \
                    order, `transaction_id` and `entry_id` as `id`, `posting_date` as `date`. A \
                    text that is missing is empty.",
            form: include_str!("reconciliation/ingest.json"),
        },
        Part {
            rules: "Bring every line into one form. `cents` is the amount in cents. `day` is the \
                    number of days from 2024-01-01, which is 0, to the date; null if it is no \
                    date. `document` is the first number of four digits or more in the \
                    description or text, null if there is none. `name` is the first word of the \
                    counterparty in small letters. `words` are the words of the text in small \
                    letters without the document's number, joined by single spaces. Words are \
                    rows of letters and digits; everything else stands between them. `id` and \
                    `account` stay as they are.",
            form: include_str!("reconciliation/normalise.json"),
        },
        Part {
            rules: EXTRACT,
            form: include_str!("reconciliation/extract.json"),
        },
        Part {
            rules: ENRICH,
            form: include_str!("reconciliation/enrich.json"),
        },
        Part {
            rules: CHECK,
            form: include_str!("reconciliation/check.json"),
        },
        Part {
            rules: "Decide. `cents` is what all `matches` differ by and all `open` lines amount \
                    to, every one of them without its sign. `status` is the first of these that \
                    holds:\n\
                    1. `manual_review_required`: a line is open, or the differences of the \
                    matches add up to more than 5000.\n\
                    2. `perfect_match`: every match has 0 days and 0 cents, and there are no \
                    duplicates.\n\
                    3. `resolvable_with_logic`: everything else.\n\
                    Copy `matches`, without the days and sorted by `bank_id`, and `open`, sorted \
                    by `id`. `reason` says in one sentence what decides.",
            form: include_str!("reconciliation/decide.json"),
        },
        Part {
            rules: "Write the decision down: the same `status`; as `discrepancy` the `cents` \
                    divided by 100; the ids of the `matches` in the same order.",
            form: include_str!("reconciliation/record.json"),
        },
    ],
    plan: Part {
        rules: "Then deal the normalised lines out to up to three specialists, who do not see \
                each other's. Sort the amounts of both sides together; where one is more than 100 \
                cents above the one before, a new group begins. The groups cannot touch each \
                other, so each goes to one specialist as a whole: the lowest first, and always to \
                the one of `first`, `second` and `third` that has the fewest lines so far. `given` \
                holds the lines of each. Leave out whoever has none, but never `first`.",
        form: include_str!("reconciliation/plan.json"),
    },
    aspects: [
        specialist("first"),
        specialist("second"),
        specialist("third"),
    ],
    tools: &[],
};

/// All three do the same, each with lines of its own.
const fn specialist(name: &'static str) -> Aspect {
    Aspect {
        name,
        rules: SPECIALIST,
        form: include_str!("reconciliation/check.json"),
        tools: &[],
    }
}

const EXTRACT: &str = "\
Find out which lines may belong together by what they say. First find `duplicates`: two entries are \
the same booking when `cents`, `day`, `account` and `document` are equal (where both have no \
document, their `words`). The one with the lowest id is the original; list the ids of the others. \
Equal amounts alone are no duplicates: a business may be paid twice. `ledger` are the entries \
without the duplicates, `bank` the transactions, each with `id`, `day` and `cents`. `pairs` are all \
transactions and entries where the entry's `words` have the transaction's `name` among them and, \
where the transaction has a document, the entry has the same one. An entry with neither words nor a \
document pairs with every transaction.";

const ENRICH: &str = "\
Measure the pairs: `days` and `cents` are the differences of both, without a sign. Leave out the \
pairs that are more than 3 days or more than 100 cents apart, or that have a side without a day. \
`bank` and `ledger` keep `id` and `cents`, `duplicates` stay as they are.";

const CHECK: &str = "\
Choose `matches` among the pairs, and nothing outside of them. Use no transaction and no entry \
twice: take the pair with the fewest days first, then the one with the fewest cents, then the one \
with the lowest ids, as long as both of its sides are free. `open` are the transactions and then \
the entries that are in no match, with `id` and `cents`. `duplicates` stay as they are.";

const SPECIALIST: &str = "\
You match some of the lines, which a planner has chosen so that they belong together with no others. \
Work with these alone.

First find `duplicates`: two entries are the same booking when `cents`, `day`, `account` and \
`document` are equal (where both have no document, their `words`). The one with the lowest id is the \
original; list the ids of the others. Equal amounts alone are no duplicates.

A transaction and an entry that is no duplicate may belong together when the entry's `words` have \
the transaction's `name` among them and, where the transaction has a document, the entry has the \
same one (an entry with neither words nor a document may belong to any transaction), and when they \
are at most 3 days and at most 100 cents apart. `days` and `cents` of a match are these differences, \
without a sign.

Of these choose `matches`. Use no transaction and no entry twice: take the pair with the fewest days \
first, then the one with the fewest cents, then the one with the lowest ids, as long as both of its \
sides are free. `open` are the transactions and then the entries that are in no match and no \
duplicates, with `id` and `cents`.";
