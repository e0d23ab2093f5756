//! Files and folders for the owner alone.

use std::io;
use std::path::Path;

/// Lets nobody but the owner use a file or a folder.
#[cfg(unix)]
pub(crate) fn only_for_owner(path: &Path, mode: u32) -> io::Result<()> {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
pub(crate) fn only_for_owner(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}
