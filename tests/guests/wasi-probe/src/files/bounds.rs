//! More than there is: bytes, files, folders in folders, open files.

use serde_json::json;
use wasip2::filesystem::types::{DescriptorFlags as D, ErrorCode, OpenFlags as O, PathFlags as P};

use super::{Came, create, lent, permitted, refused};

/// Writes until it may not, by each way there is.
pub(super) fn fill() -> Came {
    let folder = lent("/data")?;
    let file = permitted("creating", create(&folder, "filled"))?;
    let (mut written, piece) = (0_u64, vec![b'x'; 16 * 1024]);
    while let Ok(more) = file.write(&piece, written) {
        written += more;
        if written > 8 << 20 {
            return Err(format!("{written} bytes were written"));
        }
    }
    let again = permitted("creating again", create(&folder, "filled-too"))?;
    let stream = permitted("a stream", again.write_via_stream(0))?;
    if stream.blocking_write_and_flush(&piece[..4096]).is_ok() {
        for _ in 0..1_024 {
            if stream.blocking_write_and_flush(&piece[..4096]).is_err() {
                break;
            }
        }
    }
    drop(stream);
    let stream = permitted("a stream to append", again.append_via_stream())?;
    while stream.blocking_write_and_flush(&piece[..4096]).is_ok() {
        written += 4096;
        if written > 8 << 20 {
            return Err(format!("{written} bytes were appended"));
        }
    }
    match file.write(&piece, 0) {
        Err(ErrorCode::Quota) => Ok(json!({"written": written})),
        other => Err(format!("writing over it came to {other:?}")),
    }
}

/// Bytes that are not there count like those that are.
pub(super) fn sparse() -> Came {
    let folder = lent("/data")?;
    let file = permitted("creating", create(&folder, "sparse"))?;
    for size in [1 << 60, i64::MAX as u64, u64::MAX, 1 << 40, 2 << 20] {
        refused(&format!("a size of {size}"), file.set_size(size))?;
        refused(&format!("writing at {size}"), file.write(b"x", size))?;
        if let Ok(stream) = file.write_via_stream(size)
            && stream.blocking_write_and_flush(b"x").is_ok()
        {
            return Err(format!("a stream at {size} was written"));
        }
    }
    permitted("a size within bounds", file.set_size(4096))?;
    Ok(json!({}))
}

/// Creates files until it may not.
pub(super) fn many() -> Came {
    let folder = lent("/data")?;
    let name = |at: u32| format!("{at}-{}", "n".repeat(200));
    for at in 0..2_000 {
        match at % 2 {
            0 => match create(&folder, &name(at)) {
                Ok(_) => {}
                Err(ErrorCode::Quota) => return Ok(json!({"made": at})),
                Err(other) => return Err(format!("file {at} came to {other:?}")),
            },
            _ => match folder.create_directory_at(&name(at)) {
                Ok(()) => {}
                Err(ErrorCode::Quota) => return Ok(json!({"made": at})),
                Err(other) => return Err(format!("folder {at} came to {other:?}")),
            },
        }
    }
    Err("2000 were made".to_owned())
}

/// A folder with many entries, listed to its end and listed a little.
pub(super) fn list() -> Came {
    let folder = lent("/data")?;
    for _ in 0..70 {
        let listing = permitted("listing", folder.read_directory())?;
        permitted("an entry", listing.read_directory_entry())?;
    }
    let listing = permitted("listing", folder.read_directory())?;
    let mut count = 0;
    while permitted("an entry", listing.read_directory_entry())?.is_some() {
        count += 1;
    }
    match count {
        2_000 => Ok(json!({})),
        _ => Err(format!("{count} entries")),
    }
}

/// Folders in folders, each opened from the last.
pub(super) fn deep() -> Came {
    let folder = lent("/data")?;
    refused(
        "a long path",
        folder.stat_at(P::empty(), &"a/".repeat(5_000)),
    )?;
    refused("a long name", create(&folder, &"a".repeat(5_000)))?;
    let mut here = folder;
    for depth in 0..200 {
        match here.create_directory_at("d") {
            Ok(()) => {}
            Err(ErrorCode::NameTooLong) => return Ok(json!({"depth": depth})),
            Err(other) => return Err(format!("{depth} deep it came to {other:?}")),
        }
        let mutate = D::READ | D::MUTATE_DIRECTORY;
        let next = here.open_at(P::empty(), "d", O::DIRECTORY, mutate);
        here = permitted("opening", next)?;
    }
    Err("200 folders are in one another".to_owned())
}

/// Opens files and never closes one.
pub(super) fn hoard() -> Came {
    let folder = lent("/data")?;
    let mut held = Vec::new();
    for _ in 0..900 {
        match folder.open_at(P::empty(), "hello.txt", O::empty(), D::READ) {
            Ok(file) => held.push(file),
            Err(ErrorCode::Quota) => return Ok(json!({"held": held.len()})),
            Err(other) => return Err(format!("{} held, then {other:?}", held.len())),
        }
    }
    Err(format!("{} files are open", held.len()))
}

/// A stream keeps its file open when the descriptor is gone.
pub(super) fn hoard_streams() -> Came {
    let folder = lent("/data")?;
    let mut held = Vec::new();
    for _ in 0..900 {
        let opened = folder.open_at(P::empty(), "hello.txt", O::empty(), D::READ);
        let stream = opened.and_then(|file| file.read_via_stream(0));
        match stream {
            Ok(stream) => held.push(stream),
            Err(ErrorCode::Quota) => return Ok(json!({"held": held.len()})),
            Err(other) => return Err(format!("{} held, then {other:?}", held.len())),
        }
    }
    Err(format!("{} streams are open", held.len()))
}
