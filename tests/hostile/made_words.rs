//! Guests that are mostly words.

use crate::guest;

/// One function of many that call each other and then break.
const NAME: usize = 90_000;

/// By case and name.
pub(crate) fn guests() -> impl Iterator<Item = ((String, String), Vec<u8>)> {
    [(("H03".to_owned(), "names".to_owned()), names())].into_iter()
}

/// Ten functions with names of 90 kB, colours and newlines in them.
fn names() -> Vec<u8> {
    let name = |n: u32| format!("$\"\\1b[31m\\r\\n<script>{n}{}\"", "x".repeat(NAME));
    let call = |n: u32| format!("(func {} (call {}))", name(n), name(n + 1));
    let calls: String = (0..10).map(call).collect();
    let text = format!(
        "@memory @realloc (func @run (call {}) unreachable) {calls} (func {} unreachable)",
        name(0),
        name(10)
    );
    guest::component("H03", &text, guest::Encoding::Utf8)
}
