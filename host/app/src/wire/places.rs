//! The folders that are used when nobody says which. The environment is read here.

use std::path::PathBuf;

#[expect(clippy::disallowed_methods, reason = "the app reads the environment")]
pub(super) fn home() -> Option<PathBuf> {
    std::env::var_os("HOME").map(PathBuf::from)
}

/// Where compiled components are kept when nobody says: the user's cache.
pub(crate) fn default_cache() -> PathBuf {
    folder("HOTCELL_CACHE", "XDG_CACHE_HOME", ".cache")
}

/// Where runs are kept when nobody says.
pub(crate) fn default_state() -> PathBuf {
    folder("HOTCELL_STATE", "XDG_STATE_HOME", ".local/state")
}

/// A folder of the user's: the one that `own` names, else ours in the one that
/// `base` names, else in the home folder.
#[expect(clippy::disallowed_methods, reason = "the app reads the environment")]
fn folder(own: &str, base: &str, at_home: &str) -> PathBuf {
    let from = |name: &str| {
        std::env::var_os(name)
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    };
    from(own)
        .or_else(|| Some(from(base)?.join("hotcell")))
        .or_else(|| Some(from("HOME")?.join(at_home).join("hotcell")))
        .unwrap_or_else(|| PathBuf::from(".hotcell"))
}
