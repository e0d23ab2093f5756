//! The ways of looking at a payment. They rest on the same rules and come to the
//! same answer when nothing goes wrong; but asked in different words, and led along
//! different paths, models err in different places.

/// The kinds of task this agent takes, and how each goes about it.
pub(crate) const WAYS: [(&str, &str); 5] = [
    (
        "judge",
        "Take the frauds in the order of the list. Go through the conditions of each, one by one, \
         and say whether it is met, nearly met or missed. Then apply the rules.",
    ),
    (
        "judge-numbers",
        "You are the one who checks the figures. Before anything else hold every number against \
         every threshold it has: transactions, averages, days, amount. Mark each as met, nearly \
         met or missed. Only then look at hours, countries and goods, and apply the rules.",
    ),
    (
        "judge-places",
        "You are the one who knows places and goods. Begin with what is no number: hour, \
         countries, category. Strike out each fraud that they rule out. Hold the numbers against \
         what is left, and apply the rules.",
    ),
    (
        "judge-defence",
        "You speak for the user. For each fraud look for a condition that is missed clearly; one \
         is enough to drop it. Where you find none, admit it: it is the fraud, or it is near. \
         Apply the rules to what you had to admit.",
    ),
    (
        "judge-prosecution",
        "You speak for the bank. For each fraud assume that it is one, and look for the proof of \
         each condition. Where a proof is lacking by no more than a tenth, keep it as a doubt; \
         where it is lacking altogether, drop the charge. Apply the rules to what is left.",
    ),
];

/// How the task of this kind is gone about.
pub(crate) fn way(kind: &str) -> Option<&'static str> {
    let found = WAYS.iter().find(|(name, _)| *name == kind);
    found.map(|(_, way)| *way)
}
