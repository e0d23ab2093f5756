//! One invoice: is it valid, if not why, how is its vendor really called, and who
//! approves it. The rules are those of the examples.

use super::{Aspect, Case, Part};

pub(super) static CASE: Case = Case {
    name: "invoice",
    about: "You work on one invoice, which may be a duplicate, incomplete or misread.",
    stages: [
        Part {
            rules: "Copy these fields out of the record as they are: `invoice_id`, `vendor`, \
                    `amount`, `date`, `status`, and of each of the `line_items` its \
                    `description`, `quantity` and `unit_price`, in their order. What the record \
                    does not have is null.",
            form: include_str!("invoice/ingest.json"),
        },
        Part {
            rules: "Bring the fields into one form. `amount_cents` is the amount in cents, and \
                    `lines` holds of each line item its quantity and, as `price_cents`, its unit \
                    price in cents. `vendor`, `date` and `status` stay as printed, blank ones are \
                    null, and so is what was null. `invoice_id` stays as it is.",
            form: include_str!("invoice/normalise.json"),
        },
        Part {
            rules: "Work out what decides. `missing` lists which of `vendor`, `amount`, `date` and \
                    `status` are null. `total_cents` is the sum of quantity times price over all \
                    lines, 0 when there are none. `route_cents` is `amount_cents`, or \
                    `total_cents` when that is null. The other fields stay as they are.",
            form: include_str!("invoice/extract.json"),
        },
        Part {
            rules: "Look things up, and add what the tools answer.\n\
                    - When the vendor is not null, call `vendor.find` with the name as printed. \
                    `vendor_known` says whether it knows the name. `vendor_names` holds the name \
                    as it spells it when it knows it, otherwise the nearest names in the order in \
                    which it lists them.\n\
                    - When vendor, amount and date are all there, call `invoice.find` with the \
                    vendor and the date as printed and the amount in whole units, which is \
                    `amount_cents` divided by 100. `recorded` holds the ids it lists.\n\
                    Without a vendor `vendor_known` is null and `vendor_names` empty; where \
                    `invoice.find` has nothing to be asked, `recorded` is empty. From a tool that \
                    answers with an error nothing is known: false, and empty lists. `invoice_id`, \
                    `missing` and `route_cents` stay as they are.",
            form: include_str!("invoice/enrich.json"),
        },
        Part {
            rules: "Say what holds. `misread` is true when `vendor_known` is false. \
                    `correct_vendor` is the first of `vendor_names`, or null. `duplicate` is true \
                    when `recorded` holds an id that is lower than `invoice_id`; ids of the form \
                    INV-2024-007 are compared by year, then by number. `missing` and \
                    `route_cents` stay as they are.",
            form: include_str!("invoice/check.json"),
        },
        Part {
            rules: "Decide. `reason` is the first of these that holds: `duplicate_invoice` when \
                    `duplicate` is true, `missing_required_fields` when `missing` is not empty, \
                    `ocr_error_detected` when `misread` is true, otherwise `valid`. `is_valid` is \
                    true exactly when the reason is `valid`. `approval_route` depends on \
                    `route_cents` alone, whatever the reason: `auto` below 50000, `manager` from \
                    50000 up to and including 1000000, `finance` above. `route_cents` and \
                    `correct_vendor` stay as they are. What is not said does not hold or is null; \
                    without `route_cents` the route is `finance`. `because` says in one sentence \
                    what decides.",
            form: include_str!("invoice/decide.json"),
        },
        Part {
            rules: "Write the decision down: the same `is_valid`, `reason`, `correct_vendor` and \
                    `approval_route`, and nothing else.",
            form: include_str!("invoice/record.json"),
        },
    ],
    plan: Part {
        rules: "Then hand the invoice to specialists: `given` holds for each of them the \
                normalised fields that the specialist needs. All three have to look at every \
                invoice: `fields`, `vendor` and `duplicate`.",
        form: include_str!("invoice/plan.json"),
    },
    aspects: [
        Aspect {
            name: "fields",
            rules: FIELDS,
            form: include_str!("invoice/fields.json"),
            tools: &[],
        },
        Aspect {
            name: "vendor",
            rules: VENDOR,
            form: include_str!("invoice/vendor.json"),
            tools: &["vendor.find"],
        },
        Aspect {
            name: "duplicate",
            rules: DUPLICATE,
            form: include_str!("invoice/duplicate.json"),
            tools: &["invoice.find"],
        },
    ],
    tools: &["vendor.find", "invoice.find"],
};

const FIELDS: &str = "\
You know what an invoice must have. You get what a planner took out of it for you. `missing` lists \
which of `vendor`, `amount`, `date` and `status` are null. `route_cents` is `amount_cents`, or when \
that is null the sum of quantity times price over all lines.";

const VENDOR: &str = "\
You know vendors. You get what a planner took out of the invoice for you. When the vendor is not \
null, call `vendor.find` with the name as printed. `misread` is true when there is a vendor and the \
tool does not know it. `correct_vendor` is the name as the tool spells it when it knows it, \
otherwise the nearest name it lists first, or null. From a tool that answers with an error nothing \
is known.";

const DUPLICATE: &str = "\
You know invoices that are sent twice. You get what a planner took out of the invoice for you. When \
vendor, amount and date are all there, call `invoice.find` with the vendor and the date as printed \
and the amount in whole units, which is `amount_cents` divided by 100. `duplicate` is true when it \
lists an id that is lower than `invoice_id`; ids of the form INV-2024-007 are compared by year, \
then by number. From a tool that answers with an error nothing is known: then it is false.";
