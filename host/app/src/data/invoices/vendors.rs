//! The vendors there are, and how a scanner misreads them.

/// The master list. Any two names are three edits or more apart, and each holds
/// a character that a scanner can misread. Two hold digits of their own, so that
/// a digit alone gives no fault away. All are invented.
pub(in crate::data) const VENDORS: [&str; 30] = [
    "Alder & Finch Stationery",
    "Amberline Logistics",
    "Bluestone Office Supply",
    "Brightwater Catering",
    "Cobalt Print Works",
    "Crestfield Consulting",
    "Dunmore Facilities",
    "Eastgate Electrical",
    "Fernhill Laboratories",
    "Glasshouse Interiors",
    "Granite Peak Software",
    "Harrow & Sons Plumbing",
    "Inkwell Media",
    "Ironwood Machining",
    "Juniper Travel Services",
    "Kestrel Security",
    "Larkspur Gardens",
    "Marlowe Legal",
    "Northgate Hosting",
    "Oakhurst Furniture",
    "Opal River Cleaning",
    "Pier 9 Shipping",
    "Quarry Lane Builders",
    "Redfern Telecom",
    "Silverline Couriers",
    "Stonebridge Insurance",
    "Thornbury Analytics",
    "Unit 14 Fabrication",
    "Westbrook Energy Solutions",
    "Yellowtail Packaging",
];

/// What a scanner makes of a character.
const MISREADS: [(char, char); 7] = [
    ('o', '0'),
    ('O', '0'),
    ('l', '1'),
    ('I', '1'),
    ('S', '5'),
    ('G', '6'),
    ('B', '8'),
];

/// Every way to misread one character of a name. Each is one edit from the name
/// and, because the names of the list are so far apart, two or more from any
/// other.
pub(super) fn misreadings(name: &str) -> Vec<String> {
    let misread = |(at, character): (usize, char)| {
        let (_, digit) = MISREADS.into_iter().find(|(from, _)| *from == character)?;
        let with = |(n, c)| if n == at { digit } else { c };
        Some(name.chars().enumerate().map(with).collect())
    };
    name.chars().enumerate().filter_map(misread).collect()
}
