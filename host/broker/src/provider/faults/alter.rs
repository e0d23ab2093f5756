//! Changes to a JSON value: where one is possible, and what becomes of it. Pure.
//!
//! Places are listed with sorted keys, so that a draw means the same place
//! whatever order the model wrote its fields in.

use serde_json::{Number, Value};

use super::draws::Key;
use crate::provider::calendar;

/// Pointers of all values that could be wrong: booleans, numbers and texts that
/// are not empty.
pub(super) fn leaves(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    walk(
        value,
        &mut String::new(),
        &mut |pointer, value| match value {
            Value::Bool(_) | Value::Number(_) => found.push(pointer.to_owned()),
            Value::String(text) if !text.is_empty() => found.push(pointer.to_owned()),
            _ => {}
        },
    );
    found
}

/// Pointers of everything that could be missing: fields and elements.
pub(super) fn members(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    walk(value, &mut String::new(), &mut |pointer, _| {
        if !pointer.is_empty() {
            found.push(pointer.to_owned());
        }
    });
    found
}

/// The pointer of the first array with more than `most` items.
pub(super) fn longer_than(value: &Value, most: usize) -> Option<String> {
    let mut found = None;
    walk(value, &mut String::new(), &mut |pointer, value| {
        if found.is_none() && value.as_array().is_some_and(|items| items.len() > most) {
            found = Some(pointer.to_owned());
        }
    });
    found
}

fn walk(value: &Value, pointer: &mut String, visit: &mut impl FnMut(&str, &Value)) {
    visit(pointer, value);
    let here = pointer.len();
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                pointer.push_str(&format!("/{index}"));
                walk(item, pointer, visit);
                pointer.truncate(here);
            }
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            for (name, field) in fields {
                pointer.push('/');
                pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
                walk(field, pointer, visit);
                pointer.truncate(here);
            }
        }
        _ => {}
    }
}

/// One step of a pointer as the name it stands for.
pub(super) fn unescape(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

/// Takes a field or an element out.
pub(super) fn remove(value: &mut Value, pointer: &str) {
    let Some((parent, step)) = pointer.rsplit_once('/') else {
        return;
    };
    match value.pointer_mut(parent) {
        Some(Value::Array(items)) => {
            if let Some(index) = step.parse().ok().filter(|index| *index < items.len()) {
                items.remove(index);
            }
        }
        Some(Value::Object(fields)) => {
            let name = unescape(step);
            // `remove` would put the last field into its place.
            fields.retain(|field, _| *field != name);
        }
        _ => {}
    }
}

/// A plausible value that is not this one: another of those the schema lists,
/// or the value with a slip in it. Null, arrays and objects stay.
pub(super) fn wrong(value: &Value, listed: Option<&[Value]>, key: &Key) -> Value {
    if let Some(other) = other(value, listed, key) {
        return other;
    }
    match value {
        Value::Bool(flag) => Value::Bool(!flag),
        Value::Number(number) => Value::Number(wrong_number(number, key)),
        Value::String(text) => Value::String(wrong_text(text, key)),
        other => other.clone(),
    }
}

/// Another of the listed values; none when there is no other.
pub(super) fn other(value: &Value, listed: Option<&[Value]>, key: &Key) -> Option<Value> {
    let others: Vec<&Value> = listed?.iter().filter(|other| *other != value).collect();
    others
        .get(key.below("choice", others.len()))
        .copied()
        .cloned()
}

/// One digit changed, or the decimal point one or two places to the right.
fn wrong_number(number: &Number, key: &Key) -> Number {
    let text = number.to_string();
    let mantissa = text.find(['e', 'E']).unwrap_or(text.len());
    let scaled = || {
        let places = 1 + key.below("places", 2) as i32;
        let plain = mantissa == text.len() && text.bytes().any(|b| (b'1'..=b'9').contains(&b));
        plain.then(|| shift_point(&text, places)).flatten()
    };
    if key.below("slip", 3) == 0
        && let Some(scaled) = scaled()
    {
        return scaled;
    }
    let digits: Vec<usize> = text
        .bytes()
        .take(mantissa)
        .enumerate()
        .filter_map(|(at, byte)| byte.is_ascii_digit().then_some(at))
        .collect();
    let Some(&at) = digits.get(key.below("digit", digits.len())) else {
        return number.clone();
    };
    let bytes = text.as_bytes();
    let longer = bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
    let leading = digits.first() == Some(&at) && longer;
    let changed = other_digit(bytes.get(at).copied().unwrap_or(b'0'), leading, key);
    let changed = replace(&text, at, 1, changed.encode_utf8(&mut [0]));
    changed.parse().unwrap_or_else(|_| number.clone())
}

/// A digit that is not this one, and not 0 where a number begins.
fn other_digit(digit: u8, leading: bool, key: &Key) -> char {
    let digits = if leading { "123456789" } else { "0123456789" };
    let others: Vec<char> = digits.chars().filter(|c| *c != char::from(digit)).collect();
    others
        .get(key.below("other digit", others.len()))
        .copied()
        .unwrap_or('7')
}

/// The decimal with its point moved to the right, none when that is no number.
fn shift_point(text: &str, places: i32) -> Option<Number> {
    if let Ok(whole) = text.parse::<i64>() {
        return whole
            .checked_mul(10_i64.pow(places.unsigned_abs()))
            .map(Number::from);
    }
    let decimals = text
        .split_once('.')
        .map_or(0, |(_, decimals)| decimals.len());
    let moved = text.parse::<f64>().ok()? * 10_f64.powi(places);
    // Rounded to the decimals there were: binary noise would give the slip away.
    Number::from_f64(format!("{moved:.decimals$}").parse().ok()?)
}

/// A date shifted by up to 30 days, or one character of the text changed, or two
/// letters swapped.
fn wrong_text(text: &str, key: &Key) -> String {
    if let Some(date) = shifted_date(text, key) {
        return date;
    }
    let places: Vec<(usize, char)> = text
        .char_indices()
        .filter(|(_, c)| c.is_alphanumeric())
        .collect();
    let Some(&(at, c)) = places.get(key.below("character", places.len())) else {
        return format!("{text}x");
    };
    let after = at + c.len_utf8();
    let next = text.get(after..).and_then(|rest| rest.chars().next());
    let next = next.filter(|next| next.is_alphabetic() && *next != c);
    if c.is_alphabetic()
        && key.below("swap", 2) == 0
        && let Some(next) = next
    {
        return replace(
            text,
            at,
            c.len_utf8() + next.len_utf8(),
            &format!("{next}{c}"),
        );
    }
    let changed = if c.is_ascii_digit() {
        other_digit(c as u8, false, key)
    } else {
        other_letter(c, key)
    };
    replace(text, at, c.len_utf8(), changed.encode_utf8(&mut [0; 4]))
}

/// A letter that is not this one, in the same case.
fn other_letter(letter: char, key: &Key) -> char {
    let letters = if letter.is_uppercase() {
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    } else {
        "abcdefghijklmnopqrstuvwxyz"
    };
    let others: Vec<char> = letters.chars().filter(|c| *c != letter).collect();
    others
        .get(key.below("other letter", others.len()))
        .copied()
        .unwrap_or('x')
}

fn shifted_date(text: &str, key: &Key) -> Option<String> {
    let (date, rest) = text.split_at_checked(10)?;
    let dashes = date.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    if !dashes || !(rest.is_empty() || rest.starts_with(['T', ' '])) {
        return None;
    }
    let mut numbers = date.split('-');
    let year = numbers.next()?.parse().ok()?;
    let month = numbers.next()?.parse().ok()?;
    let day = numbers.next()?.parse().ok()?;
    let shift = 1 + key.below("days", 30) as i64;
    let shift = if key.below("direction", 2) == 0 {
        shift
    } else {
        -shift
    };
    let (year, month, day) = calendar::date_of(calendar::days_of(year, month, day)? + shift);
    Some(format!("{year:04}-{month:02}-{day:02}{rest}"))
}

fn replace(text: &str, at: usize, bytes: usize, with: &str) -> String {
    let before = text.get(..at).unwrap_or_default();
    let after = text.get(at + bytes..).unwrap_or_default();
    format!("{before}{with}{after}")
}

/// Names that somebody could take for this tool's: another word for its last
/// part, as `vendor.lookup` for `vendor.find`.
pub(super) fn like(tool: &str) -> Vec<String> {
    const WORDS: [&str; 8] = [
        "find", "lookup", "search", "get", "fetch", "list", "check", "query",
    ];
    let (rest, last) = match tool.rfind(['.', '_', '-', '/']) {
        Some(at) => tool.split_at(at + 1),
        None => ("", tool),
    };
    let others = WORDS.iter().filter(|word| **word != last);
    others.map(|word| format!("{rest}{word}")).collect()
}

/// The text cut in its second half or without its last character, so that it
/// does not parse; none when it would parse all the same, like a number.
pub(super) fn broken(text: &str, key: &Key) -> Option<String> {
    let text = text.trim_end();
    let starts: Vec<usize> = text.char_indices().map(|(at, _)| at).skip(1).collect();
    let second_half = starts.get(starts.len() / 2..).unwrap_or_default();
    let last = second_half.last()?;
    let cut = second_half
        .get(key.below("cut", second_half.len()))
        .unwrap_or(last);
    let end = if key.below("break", 2) == 0 {
        cut
    } else {
        last
    };
    let broken = text.get(..*end)?;
    let parses = serde_json::from_str::<Value>(broken).is_ok();
    (!parses).then(|| broken.to_owned())
}

#[cfg(test)]
#[path = "alter/tests.rs"]
mod tests;
