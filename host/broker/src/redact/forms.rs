//! The forms that a text is written in by programs that mean no harm.

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{GeneralPurpose, general_purpose::NO_PAD, general_purpose::PAD};

/// A line of a value of several lines that is looked for alone has at least so
/// many bytes.
const LINE: usize = 16;

/// All forms of a value, in lower case, each once.
pub(super) fn of(value: &str) -> Vec<String> {
    let mut forms = Vec::new();
    plain(value, &mut forms);
    // A key in several lines is logged line by line.
    if value.contains('\n') {
        let lines = value.lines().map(str::trim);
        for line in lines.filter(|line| line.len() >= LINE && !line.starts_with("-----")) {
            plain(line, &mut forms);
        }
    }
    for form in &mut forms {
        form.make_ascii_lowercase();
    }
    forms.sort_unstable();
    forms.dedup();
    forms
}

fn plain(value: &str, forms: &mut Vec<String>) {
    let bytes = value.as_bytes();
    forms.push(value.to_owned());
    let turned: String = value.chars().rev().collect();
    // Also as a part of a URL.
    percent(turned.as_bytes(), forms);
    forms.push(turned);
    forms.push(bytes.iter().map(|byte| format!("{byte:02x}")).collect());
    percent(bytes, forms);
    base64(bytes, forms);
    let once = escaped(value);
    let twice = escaped(&once);
    for form in [&once, &twice] {
        forms.push(form.clone());
        // Some write a slash so.
        forms.push(form.replace('/', "\\/"));
    }
}

/// A JSON string without its quotes.
fn escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    let inner = quoted.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    inner.unwrap_or_default().to_owned()
}

fn percent(bytes: &[u8], forms: &mut Vec<String>) {
    let write = |kept: &[u8], space: &str| -> String {
        let one = |byte: &u8| match *byte {
            b' ' => space.to_owned(),
            byte if byte.is_ascii_alphanumeric() || kept.contains(&byte) => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02x}"),
        };
        bytes.iter().map(one).collect()
    };
    // A part of a URL, a form, a whole URL, and all of it.
    forms.push(write(b"-._~", "%20"));
    forms.push(write(b"-._~!*'()", "%20"));
    forms.push(write(b"-._*", "+"));
    forms.push(write(b"-._~!*'();/?:@&=+$,#", "%20"));
    forms.push(bytes.iter().map(|byte| format!("%{byte:02x}")).collect());
}

/// As it stands alone, and the part of it that does not depend on what is around
/// it, for each of the three places where it can begin in a group.
fn base64(bytes: &[u8], forms: &mut Vec<String>) {
    for alphabet in [STANDARD, URL_SAFE] {
        let padded = GeneralPurpose::new(&alphabet, PAD);
        let bare = GeneralPurpose::new(&alphabet, NO_PAD);
        forms.push(padded.encode(bytes));
        forms.push(bare.encode(bytes));
        for before in 0..3 {
            let mut all = vec![0; before];
            all.extend_from_slice(bytes);
            let text = bare.encode(&all);
            let first = (before * 8).div_ceil(6);
            let last = all.len() * 8 / 6;
            forms.extend(text.get(first..last).map(str::to_owned));
        }
    }
}
