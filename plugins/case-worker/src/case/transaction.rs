//! One card payment: is it a fraud, which, and what becomes of it. The conditions
//! are those of the examples.

use super::{Aspect, Case, Part};

pub(super) static CASE: Case = Case {
    name: "transaction",
    about: "You work on one card payment, which may be a fraud.",
    stages: [
        Part {
            rules: "Copy these fields out of the record as they are: `transaction_id`, `amount`, \
                    `timestamp`, `home_country`, `merchant_country`, `merchant_category`, and of \
                    `user_behavior` `avg_transaction_amount`, `transaction_count_24h` and \
                    `account_age_days`.",
            form: include_str!("transaction/ingest.json"),
        },
        Part {
            rules: "Bring the fields into one form. `amount_cents` and `average_cents` are the \
                    amount and the average in cents. `hour_utc` is the hour of the timestamp. \
                    `abroad` is true when `merchant_country` is not `home_country`. `category` is \
                    the merchant's. The other fields stay as they are.",
            form: include_str!("transaction/normalise.json"),
        },
        Part {
            rules: "Work out what decides. `amount_in_averages` is `amount_cents` divided by \
                    `average_cents`, cut to two decimals and not rounded. `night` is true when \
                    `hour_utc` is below 6. `resold_goods` is true when the category is \
                    `electronics`, `gift_cards` or `jewellery`. The other fields stay as they are.",
            form: include_str!("transaction/extract.json"),
        },
        Part {
            rules: "Hold every figure against its threshold: `met`, `near` or `missed`.\n\
                    - `many_transactions`: `transaction_count_24h` is at least 12; near from 10.8.\n\
                    - `five_averages`: `amount_in_averages` is at least 5; near from 4.5.\n\
                    - `twenty_averages`: `amount_in_averages` is at least 20; near from 18.\n\
                    - `established_account`: `account_age_days` is at least 365; near from 328.5.\n\
                    - `new_account`: `account_age_days` is below 60; near below 66.\n\
                    - `large_amount`: `amount_cents` is at least 500000; near from 450000.\n\
                    `night`, `abroad` and `resold_goods` are `met` when true and `missed` when \
                    false, and never near.",
            form: include_str!("transaction/enrich.json"),
        },
        Part {
            rules: "Say of each fraud whether it `holds` (all its conditions are met), is `near` \
                    (all are met or near) or `far` (one is missed).\n\
                    - `stolen_card`: `many_transactions`, `five_averages`.\n\
                    - `account_takeover`: `established_account`, `twenty_averages`, `night`, \
                    `abroad`.\n\
                    - `synthetic_fraud`: `new_account`, `large_amount`, `resold_goods`.",
            form: include_str!("transaction/check.json"),
        },
        Part {
            rules: "Decide. `fraud_type` is the first of `stolen_card`, `account_takeover` and \
                    `synthetic_fraud` that holds, or null. `fraud_label` is true when one holds. \
                    `expected_action` is `block` when one holds, `review` when none holds and one \
                    is near, otherwise `approve`. A fraud of which nothing is said is far. \
                    `reason` says in one sentence what decides.",
            form: include_str!("transaction/decide.json"),
        },
        Part {
            rules: "Write the decision down: the same `fraud_label`, `fraud_type` and \
                    `expected_action`, without the reason.",
            form: include_str!("transaction/record.json"),
        },
    ],
    plan: Part {
        rules: "Then hand the payment to specialists: `given` holds for each of them the \
                normalised fields that the specialist needs. All three have to look at every \
                payment: `stolen_card`, `account_takeover` and `synthetic_fraud`.",
        form: include_str!("transaction/plan.json"),
    },
    aspects: [
        Aspect {
            name: "stolen_card",
            rules: STOLEN_CARD,
            form: include_str!("transaction/stolen_card.json"),
            tools: &[],
        },
        Aspect {
            name: "account_takeover",
            rules: ACCOUNT_TAKEOVER,
            form: include_str!("transaction/account_takeover.json"),
            tools: &[],
        },
        Aspect {
            name: "synthetic_fraud",
            rules: SYNTHETIC_FRAUD,
            form: include_str!("transaction/synthetic_fraud.json"),
            tools: &[],
        },
    ],
    tools: &[],
};

const STOLEN_CARD: &str = "\
You know stolen cards. You get what a planner took out of the payment for you. The fraud `holds` \
when `transaction_count_24h` is at least 12 and the amount is at least 5 times the average. It is \
`near` when it does not hold but would with thresholds of 10.8 and 4.5; otherwise `far`.";

const ACCOUNT_TAKEOVER: &str = "\
You know accounts that were taken over. You get what a planner took out of the payment for you. \
The fraud `holds` when `account_age_days` is at least 365, the amount is at least 20 times the \
average, `hour_utc` is below 6 and the payment is abroad. It is `near` when it does not hold but \
would with thresholds of 328.5 days and 18 times; otherwise `far`.";

const SYNTHETIC_FRAUD: &str = "\
You know made-up identities. You get what a planner took out of the payment for you. The fraud \
`holds` when `account_age_days` is below 60, `amount_cents` is at least 500000 and the category is \
`electronics`, `gift_cards` or `jewellery`. It is `near` when it does not hold but would with \
thresholds of 66 days and 450000 cents; otherwise `far`.";
