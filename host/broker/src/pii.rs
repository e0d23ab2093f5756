//! What looks like somebody's: found, and taken out.
//!
//! Values are known by the key they stand under, where a text is JSON, and by their
//! pattern anywhere: e-mail addresses, phone numbers, card numbers whose last digit
//! is right (Luhn), social security numbers, IBANs whose check digits are right.
//! Names and places in running text have no pattern and are not found; what must
//! not be read at all is sealed, see [`crate::audit`].
//!
//! Each text is read once, whatever is in it: no expression here goes back further
//! than a pattern can be long.

mod pattern;

use std::collections::BTreeSet;

use serde_json::Value;

/// JSON inside of JSON texts is looked into so many times.
const NESTED: u8 = 3;

/// Keys, without case, `_` and `-`, and what stands under them.
const KEYS: [(&str, &str); 31] = [
    ("accountholder", "name"),
    ("address", "address"),
    ("bankaccount", "account"),
    ("birthdate", "birth-date"),
    ("cardnumber", "card"),
    ("creditcard", "card"),
    ("cvc", "card"),
    ("cvv", "card"),
    ("dateofbirth", "birth-date"),
    ("dob", "birth-date"),
    ("driverslicense", "id-number"),
    ("email", "email"),
    ("emailaddress", "email"),
    ("firstname", "name"),
    ("fullname", "name"),
    ("homeaddress", "address"),
    ("iban", "iban"),
    ("lastname", "name"),
    ("maidenname", "name"),
    ("mobile", "phone"),
    ("nationalid", "id-number"),
    ("pan", "card"),
    ("passport", "id-number"),
    ("passportnumber", "id-number"),
    ("phone", "phone"),
    ("phonenumber", "phone"),
    ("socialsecuritynumber", "ssn"),
    ("ssn", "ssn"),
    ("street", "address"),
    ("surname", "name"),
    ("taxid", "id-number"),
];

/// A text without what looked like somebody's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// With `[email]` and the like where something was.
    pub text: String,
    /// What was found, in words.
    pub kinds: BTreeSet<&'static str>,
}

/// Takes out what looks like somebody's.
pub fn sweep(text: &str) -> Swept {
    let mut kinds = BTreeSet::new();
    let text = swept(text, NESTED, &mut kinds);
    Swept { text, kinds }
}

fn swept(text: &str, deep: u8, kinds: &mut BTreeSet<&'static str>) -> String {
    let looks = text.trim_start().starts_with(['{', '[']);
    if looks
        && deep > 0
        && let Ok(mut value) = serde_json::from_str::<Value>(text)
    {
        walk(&mut value, deep - 1, kinds);
        return value.to_string();
    }
    pattern::sweep(text, kinds)
}

fn walk(value: &mut Value, deep: u8, kinds: &mut BTreeSet<&'static str>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields.iter_mut() {
                match kind_of(key) {
                    Some(kind) if !value.is_null() => {
                        kinds.insert(kind);
                        *value = Value::String(format!("[{kind}]"));
                    }
                    _ => walk(value, deep, kinds),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| walk(item, deep, kinds)),
        Value::String(text) => *text = swept(text, deep, kinds),
        Value::Number(number) => {
            let text = number.to_string();
            let swept = pattern::sweep(&text, kinds);
            if swept != text {
                *value = Value::String(swept);
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

fn kind_of(key: &str) -> Option<&'static str> {
    // No key of ours is longer.
    if key.len() > 32 {
        return None;
    }
    let plain: String = key
        .chars()
        .filter(|c| !matches!(c, '_' | '-' | ' '))
        .flat_map(char::to_lowercase)
        .collect();
    let at = KEYS.binary_search_by(|(key, _)| (*key).cmp(&plain)).ok()?;
    KEYS.get(at).map(|(_, kind)| *kind)
}

#[cfg(test)]
mod tests;
