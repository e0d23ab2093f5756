//! What can be told by its pattern alone.

use std::collections::BTreeSet;

/// The longest part of an address before its `@`, and after it.
const LOCAL: usize = 64;
const DOMAIN: usize = 255;

/// The longest IBAN with its spaces.
const IBAN: usize = 34 + 9;

/// The text with a mark for each thing that was found.
pub(super) fn sweep(text: &str, kinds: &mut BTreeSet<&'static str>) -> String {
    let bytes = text.as_bytes();
    let mut out = String::new();
    // So far the text is in `out`.
    let mut kept = 0;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let found = match byte {
            b'@' => email(bytes, kept, at),
            b'0'..=b'9' | b'+' | b'(' if begins(bytes, at) => number(bytes, at),
            b'A'..=b'Z' if begins(bytes, at) => iban(bytes, at).map(|end| (at, end, "iban")),
            _ => None,
        };
        let Some((from, end, kind)) = found else {
            at = match byte.is_ascii_digit() {
                // The rest of a number begins no other.
                true => skip(bytes, at, u8::is_ascii_digit),
                false => at + 1,
            };
            continue;
        };
        kinds.insert(kind);
        out.push_str(text.get(kept..from).unwrap_or_default());
        out.push('[');
        out.push_str(kind);
        out.push(']');
        (kept, at) = (end, end);
    }
    out.push_str(text.get(kept..).unwrap_or_default());
    out
}

/// Whether a word may begin here.
fn begins(bytes: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|at| bytes.get(at));
    before.is_none_or(|it| !it.is_ascii_alphanumeric() && *it != b'+')
}

/// Whether none goes on here.
fn ends(bytes: &[u8], at: usize) -> bool {
    bytes.get(at).is_none_or(|it| !it.is_ascii_alphanumeric())
}

fn skip(bytes: &[u8], from: usize, takes: impl Fn(&u8) -> bool) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    from + rest.iter().take_while(|byte| takes(byte)).count()
}

/// The address around the `@` at a place.
fn email(bytes: &[u8], kept: usize, at: usize) -> Option<(usize, usize, &'static str)> {
    let local = |it: &&u8| it.is_ascii_alphanumeric() || b"._%+-'".contains(it);
    let domain = |it: &&u8| it.is_ascii_alphanumeric() || b".-".contains(it);
    let before = bytes.get(kept.max(at.saturating_sub(LOCAL))..at)?;
    let from = at - before.iter().rev().take_while(local).count();
    let behind = bytes.get(at + 1..bytes.len().min(at + 1 + DOMAIN))?;
    let long = behind.iter().take_while(domain).count();
    let host = behind.get(..long)?;
    // A full stop or a dash behind it is not part of it.
    let long = host.iter().rposition(u8::is_ascii_alphanumeric)? + 1;
    let host = host.get(..long)?;
    let dot = host.iter().rposition(|it| *it == b'.')?;
    let top = host.get(dot + 1..)?;
    let fits = dot > 0 && top.len() >= 2 && top.iter().all(u8::is_ascii_alphabetic);
    (from < at && fits).then_some((from, at + 1 + long, "email"))
}

/// A group of digits: where it is, and what is before it.
struct Group {
    from: usize,
    end: usize,
}

/// The number that begins here: a card's, a social security number, a phone's.
fn number(bytes: &[u8], at: usize) -> Option<(usize, usize, &'static str)> {
    let plus = bytes.get(at) == Some(&b'+');
    let mut groups: Vec<Group> = Vec::new();
    let mut digits = 0;
    let mut next = at + usize::from(plus);
    // One more than a card has: more is no number that is known here.
    while digits <= 19 {
        // Two signs may be between groups: no more are read, however many follow.
        let apart = bytes
            .get(next..bytes.len().min(next + 3))
            .unwrap_or_default();
        let apart = apart.iter().take_while(|it| b" -.()".contains(it)).count();
        if apart > 2 {
            break;
        }
        let from = next + apart;
        let end = skip(bytes, from, u8::is_ascii_digit);
        if end == from {
            break;
        }
        digits += end - from;
        groups.push(Group { from, end });
        next = end;
    }
    card(bytes, &groups)
        .map(|end| (at, end, "card"))
        .or_else(|| ssn(bytes, at, &groups).map(|end| (at, end, "ssn")))
        .or_else(|| phone(bytes, at, plus, &groups).map(|end| (at, end, "phone")))
}

/// 13 to 19 digits, alone or in groups, whose last is right.
fn card(bytes: &[u8], groups: &[Group]) -> Option<usize> {
    let mut digits: Vec<u8> = Vec::new();
    let mut found = None;
    let mut end = None;
    for group in groups {
        // Groups of a card are apart by one blank or dash.
        let apart = end
            .is_none_or(|end| group.from == end + 1 && matches!(bytes.get(end), Some(b' ' | b'-')));
        digits.extend(bytes.get(group.from..group.end)?.iter().map(|it| it - b'0'));
        if !apart || digits.len() > 19 {
            break;
        }
        if digits.len() >= 13 && luhn(&digits) && ends(bytes, group.end) {
            found = Some(group.end);
        }
        end = Some(group.end);
    }
    found
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, u32::from(*digit)) {
            (0, digit) => digit,
            (_, digit) => digit * 2 / 10 + digit * 2 % 10,
        })
        .sum();
    let zeros = digits.iter().all(|digit| *digit == 0);
    sum.is_multiple_of(10) && !zeros
}

/// `123-45-6789`, as the numbers are written and none of those that are never
/// given.
fn ssn(bytes: &[u8], at: usize, groups: &[Group]) -> Option<usize> {
    let [area, group, serial, ..] = groups else {
        return None;
    };
    let dashed = |a: &Group, b: &Group| b.from == a.end + 1 && bytes.get(a.end) == Some(&b'-');
    let long = |it: &Group| it.end - it.from;
    let shape = (long(area), long(group), long(serial)) == (3, 2, 4);
    let written = area.from == at && dashed(area, group) && dashed(group, serial);
    let text = |it: &Group| bytes.get(it.from..it.end).unwrap_or_default();
    let given = !matches!(text(area), b"000" | b"666" | [b'9', ..])
        && text(group) != b"00"
        && text(serial) != b"0000";
    (shape && written && given && ends(bytes, serial.end)).then_some(serial.end)
}

/// `+` and 8 to 15 digits, or ten digits written as `(555) 555-0100`.
fn phone(bytes: &[u8], at: usize, plus: bool, groups: &[Group]) -> Option<usize> {
    let long = |it: &Group| it.end - it.from;
    if plus {
        let first = groups.first().filter(|it| it.from == at + 1)?;
        let mut digits = long(first);
        let mut end = (digits >= 8).then_some(first.end);
        for group in groups.get(1..)? {
            digits += long(group);
            if digits > 15 {
                break;
            }
            if digits >= 8 {
                end = Some(group.end);
            }
        }
        return end.filter(|end| ends(bytes, *end));
    }
    let [area, exchange, line, ..] = groups else {
        return None;
    };
    let shape = (long(area), long(exchange), long(line)) == (3, 3, 4);
    (shape && ends(bytes, line.end)).then_some(line.end)
}

/// Two letters, two digits and up to thirty more, whose check digits are right.
fn iban(bytes: &[u8], at: usize) -> Option<usize> {
    let head = bytes.get(at..at + 4)?;
    let [a, b, c, d] = head else { return None };
    let begins = a.is_ascii_uppercase() && b.is_ascii_uppercase();
    if !begins || !c.is_ascii_digit() || !d.is_ascii_digit() {
        return None;
    }
    let most = bytes.len().min(at + IBAN);
    let (mut plain, mut end, mut found) = (Vec::new(), at, None);
    while let Some(byte) = bytes.get(end).filter(|_| end < most) {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' => plain.push(*byte),
            // In groups of four.
            b' ' if plain.len().is_multiple_of(4) => {
                if bytes.get(end + 1) == Some(&b' ') {
                    break;
                }
            }
            _ => break,
        }
        end += 1;
        if (15..=34).contains(&plain.len()) && ends(bytes, end) && checks(&plain) {
            found = Some(end);
        }
    }
    found
}

/// ISO 13616: the first four to the end, letters as numbers, 1 modulo 97.
fn checks(plain: &[u8]) -> bool {
    let (head, rest) = plain.split_at(plain.len().min(4));
    let rest = rest.iter().chain(head);
    let left = rest.fold(0_u32, |left, byte| match byte {
        b'0'..=b'9' => (left * 10 + u32::from(byte - b'0')) % 97,
        _ => (left * 100 + u32::from(byte.saturating_sub(b'A')) + 10) % 97,
    });
    left == 1
}
