//! Reading a file once, bounded: what is parsed is what was read, whatever becomes
//! of the file meanwhile.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

use super::problem::{Problem, Source};

/// The largest file that people write: 1 MiB.
pub(super) const MAX_BYTES: u64 = 1024 * 1024;

/// Whether the file may be a symbolic link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Links {
    /// It may.
    Followed,
    /// It may not: who can write the link is not who can write the file.
    Refused,
}

/// The file's text, under the path's name.
pub(super) fn read(path: &Path, links: Links) -> Result<Source, Problem> {
    let name = path.display().to_string();
    let cannot = |why: String| Problem::new(format!("cannot read `{name}`: {why}"));
    let linked = links == Links::Refused
        && path
            .symlink_metadata()
            .is_ok_and(|it| it.file_type().is_symlink());
    let file = match open(path, links) {
        Ok(file) => file,
        Err(_) if linked => {
            let help = "name the file that the link leads to";
            return Err(cannot("it is a symbolic link".to_owned()).help(help));
        }
        Err(error) => return Err(cannot(error.to_string())),
    };
    let metadata = file.metadata().map_err(|error| cannot(error.to_string()))?;
    if metadata.is_dir() {
        return Err(cannot(
            io::Error::from(io::ErrorKind::IsADirectory).to_string(),
        ));
    }
    if !metadata.is_file() {
        return Err(cannot("it is neither a file nor a folder".to_owned()));
    }
    let mut bytes = Vec::new();
    let read = file.take(MAX_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| cannot(error.to_string()))?;
    if bytes.len() as u64 > MAX_BYTES {
        let size = metadata.len().max(MAX_BYTES + 1);
        let message = format!("`{name}` has {size} bytes");
        return Err(Problem::new(message).help("such a file has at most 1 MiB"));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        cannot(format!("it is not UTF-8 at byte {at}"))
    })?;
    Ok(Source::new(&name, text))
}

/// Opens it without waiting for whoever might write into a pipe of that name.
fn open(path: &Path, links: Links) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;

        use rustix::fs::OFlags;

        let flags = match links {
            Links::Followed => OFlags::NONBLOCK,
            Links::Refused => OFlags::NONBLOCK | OFlags::NOFOLLOW,
        };
        options.custom_flags(flags.bits() as i32);
    }
    #[cfg(not(unix))]
    if links == Links::Refused && path.symlink_metadata()?.file_type().is_symlink() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    options.open(path)
}
