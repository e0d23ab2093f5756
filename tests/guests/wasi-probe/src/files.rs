//! What a guest tries with files. Each kind of task is one attack; it answers
//! when everything was refused that had to be, and says what was not otherwise.

mod bounds;

use std::fs;

use hotcell_sdk::Failure;
use serde_json::{Value, json};
use wasip2::clocks::wall_clock::Datetime;
use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{
    Descriptor, DescriptorFlags as D, DescriptorType, ErrorCode, NewTimestamp, OpenFlags as O,
    PathFlags as P,
};

/// What went through that had to be refused.
type Came = Result<Value, String>;

/// Does what a kind of task means; none when it means nothing here.
pub(crate) fn run(kind: &str) -> Option<Result<Value, Failure>> {
    let came = match kind {
        "files-read" => read(),
        "files-none" => none(),
        "files-traverse" => traverse(),
        "files-symlinks" => symlinks(),
        "files-link" => link(),
        "files-slashes" => slashes(),
        "files-race" => race(),
        "files-write-what-is-read" => write_what_is_read(),
        "files-fill" => bounds::fill(),
        "files-sparse" => bounds::sparse(),
        "files-many" => bounds::many(),
        "files-pipe" => pipe(),
        "files-names" => names(),
        "files-times" => times(),
        "files-list" => bounds::list(),
        "files-shrink" => shrink(),
        "files-deep" => bounds::deep(),
        "files-hoard" => bounds::hoard(),
        "files-hoard-streams" => bounds::hoard_streams(),
        _ => return None,
    };
    Some(came.map_err(Failure::Permanent))
}

/// The folder that was lent.
fn lent(at: &str) -> Result<Descriptor, String> {
    let found = get_directories().into_iter().find(|(_, it)| it == at);
    found
        .map(|(folder, _)| folder)
        .ok_or_else(|| format!("`{at}` is not lent"))
}

fn refused<T>(what: &str, result: Result<T, ErrorCode>) -> Result<ErrorCode, String> {
    result.err().ok_or_else(|| format!("{what} went through"))
}

fn permitted<T>(what: &str, result: Result<T, ErrorCode>) -> Result<T, String> {
    result.map_err(|code| format!("{what}: {code:?}"))
}

/// A file's bytes, as far as one read gives them.
fn content(folder: &Descriptor, path: &str) -> Result<String, ErrorCode> {
    let file = folder.open_at(P::SYMLINK_FOLLOW, path, O::empty(), D::READ)?;
    let (bytes, _) = file.read(4096, 0)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn create(folder: &Descriptor, path: &str) -> Result<Descriptor, ErrorCode> {
    folder.open_at(P::empty(), path, O::CREATE, D::READ | D::WRITE)
}

/// What is lent can be read as any program reads it, and nothing else is there.
fn read() -> Came {
    match fs::read_to_string("/data/hello.txt") {
        Ok(text) if text == "hello" => {}
        other => return Err(format!("what is lent cannot be read: {other:?}")),
    }
    for path in ["/data/nothing", "/other/canary", "/etc/passwd", "/canary"] {
        if fs::read(path).is_ok() {
            return Err(format!("`{path}` was read"));
        }
    }
    let lent: Vec<String> = get_directories().into_iter().map(|(_, at)| at).collect();
    match lent.as_slice() {
        [at] if at == "/data" => Ok(json!({})),
        _ => Err(format!("these are lent: {lent:?}")),
    }
}

/// Nothing is lent, so nothing is there.
fn none() -> Came {
    let there = fs::read_dir("/").is_ok() || fs::read("/etc/passwd").is_ok();
    match there || !get_directories().is_empty() {
        true => Err("something is there".to_owned()),
        false => Ok(json!({})),
    }
}

/// Every way we know to spell what is outside.
fn outside() -> Vec<String> {
    let mut paths = Vec::new();
    for up in [1, 2, 3, 8, 24] {
        for start in ["", "./", "sub/../", ".//", "sub/./../", "sub/../sub/../"] {
            for end in ["canary", "canary/", "../canary", "etc/passwd", "", "."] {
                paths.push(format!("{start}{}{end}", "../".repeat(up)));
            }
        }
    }
    let absolute = [
        "/",
        "//",
        "///",
        "/./",
        "/../",
        "/../../",
        "/proc/self/root/",
    ];
    for root in absolute {
        for end in [
            "",
            "canary",
            "etc/passwd",
            "proc/self/cwd/canary",
            "dev/fd/0",
        ] {
            paths.push(format!("{root}{end}"));
        }
    }
    let spelt = [
        "%2e%2e/",
        "..%2f",
        "%2e%2e%2f",
        "%252e%252e/",
        "..\\",
        "\\..\\",
        "..%5c",
        "\u{2025}/",
        "\u{ff0e}\u{ff0e}/",
        "\u{2024}\u{2024}/",
        "..\u{2215}",
        "..\u{ff0f}",
        "..\0/",
        "\0../",
        " ../",
        ".. /",
        "../ ",
        "...//",
        "....//",
        "..;/",
        "~/",
        "~root/",
        "file://../",
        "C:\\..\\",
        "\u{202e}../",
        "..\u{200b}/",
        "..\n/",
        "..\r\n/",
        ".\u{301}./",
    ];
    for up in spelt {
        for end in ["canary", "sub/../canary", "../canary"] {
            paths.push(format!("{up}{end}"));
        }
    }
    paths
}

fn traverse() -> Came {
    let folder = lent("/data")?;
    let paths = outside();
    for path in &paths {
        let nofollow = folder.open_at(P::empty(), path, O::empty(), D::READ);
        refused(&format!("opening {path:?} without following"), nofollow)?;
        let opened = folder.open_at(P::SYMLINK_FOLLOW, path, O::empty(), D::READ);
        refused(&format!("opening {path:?}"), opened)?;
        refused(
            &format!("asking about {path:?}"),
            folder.stat_at(P::SYMLINK_FOLLOW, path),
        )?;
        refused(&format!("the link {path:?}"), folder.readlink_at(path))?;
        refused(
            &format!("the hash of {path:?}"),
            folder.metadata_hash_at(P::empty(), path),
        )?;
    }
    // Names with odd characters are names here and may be made. What climbs or
    // starts at the root may not.
    for path in paths
        .iter()
        .filter(|path| path.starts_with("../") || path.starts_with('/'))
    {
        refused(&format!("making {path:?}"), create(&folder, path))?;
        refused(
            &format!("making the folder {path:?}"),
            folder.create_directory_at(path),
        )?;
        refused(&format!("removing {path:?}"), folder.unlink_file_at(path))?;
        refused(
            &format!("moving to {path:?}"),
            folder.rename_at("hello.txt", &folder, path),
        )?;
        refused(
            &format!("removing the folder {path:?}"),
            folder.remove_directory_at(path),
        )?;
        let now = || NewTimestamp::Now;
        let touched = folder.set_times_at(P::SYMLINK_FOLLOW, path, now(), now());
        refused(&format!("touching {path:?}"), touched)?;
    }
    Ok(json!({"paths": paths.len()}))
}

/// Links that were there before lead nowhere but inside.
fn symlinks() -> Came {
    let folder = lent("/data")?;
    let outside = [
        "out-file",
        "out-dir/canary",
        "out-dir",
        "absolute",
        "to-root/etc/passwd",
    ];
    let nowhere = ["self", "dangling", "chain-41", "loop-a", "sub/up-and-out"];
    for path in outside.into_iter().chain(nowhere) {
        refused(&format!("reading through {path}"), content(&folder, path))?;
        refused(
            &format!("asking through {path}"),
            folder.stat_at(P::SYMLINK_FOLLOW, path),
        )?;
        let written = folder.open_at(P::SYMLINK_FOLLOW, path, O::CREATE | O::TRUNCATE, D::WRITE);
        refused(&format!("writing through {path}"), written)?;
        let times = folder.set_times_at(
            P::SYMLINK_FOLLOW,
            path,
            NewTimestamp::Now,
            NewTimestamp::Now,
        );
        refused(&format!("touching through {path}"), times)?;
    }
    for path in ["inside", "sub/inside", "chain-3"] {
        match content(&folder, path) {
            Ok(text) if text == "hello" => {}
            other => return Err(format!("{path} leads inside, and came to {other:?}")),
        }
    }
    Ok(json!({}))
}

/// No link is made, neither soft nor hard.
fn link() -> Came {
    let (folder, out) = (lent("/data")?, lent("/out")?);
    let targets = ["../canary", "/etc/passwd", "hello.txt", "made"];
    for target in targets {
        let made = folder.symlink_at(target, "made");
        refused(&format!("a link to {target}"), made)?;
    }
    refused(
        "a hard link",
        folder.link_at(P::empty(), "hello.txt", &folder, "hard"),
    )?;
    let across = folder.link_at(P::empty(), "hello.txt", &out, "hard");
    refused("a hard link to another folder", across)?;
    let moved = folder.rename_at("hello.txt", &out, "moved");
    match refused("moving to another folder", moved)? {
        ErrorCode::CrossDevice => Ok(json!({})),
        other => Err(format!("moving to another folder came to {other:?}")),
    }
}

/// Slashes after names that are links, files and folders, with each operation.
fn slashes() -> Came {
    let folder = lent("/data")?;
    let names = [
        "out-file",
        "out-dir",
        "out-dir/canary",
        "absolute",
        "to-root",
        "dangling",
    ];
    let ends = ["/", "//", "/.", "/./", "/../canary", "/.."];
    let mut read = 0;
    for name in names {
        for end in ends {
            let path = &format!("{name}{end}");
            for flags in [P::empty(), P::SYMLINK_FOLLOW] {
                for open in [O::empty(), O::CREATE, O::TRUNCATE, O::DIRECTORY] {
                    for access in [D::READ, D::WRITE, D::READ | D::MUTATE_DIRECTORY] {
                        if let Ok(opened) = folder.open_at(flags, path, open, access)
                            && let Ok((bytes, _)) = opened.read(64, 0)
                            && String::from_utf8_lossy(&bytes).contains("canary")
                        {
                            return Err(format!("{path} was read"));
                        }
                        read += 1;
                    }
                }
                let now = || NewTimestamp::Now;
                folder.set_times_at(flags, path, now(), now()).ok();
                if let Ok(stat) = folder.stat_at(flags, path)
                    && stat.type_ == DescriptorType::RegularFile
                {
                    return Err(format!("{path} is a file outside"));
                }
                folder.metadata_hash_at(flags, path).ok();
            }
            // Whether these come to anything, the harness sees outside.
            folder.create_directory_at(path).ok();
            folder.unlink_file_at(path).ok();
            folder.remove_directory_at(path).ok();
            folder.rename_at(path, &folder, "taken").ok();
            folder.rename_at("hello.txt", &folder, path).ok();
            folder.symlink_at("x", path).ok();
        }
    }
    Ok(json!({"opened": read}))
}

/// Somebody swaps a folder for a link to the outside, over and over.
fn race() -> Came {
    let folder = lent("/data")?;
    let (mut inside, mut no) = (0, 0);
    for _ in 0..1_500 {
        match content(&folder, "door/canary") {
            Ok(text) if text == "inside" => inside += 1,
            Ok(text) => return Err(format!("read {text:?}")),
            Err(_) => no += 1,
        }
    }
    match inside {
        0 => Err(format!("the door was never open, {no} times")),
        _ => Ok(json!({"inside": inside, "no": no})),
    }
}

/// Every way to change what was lent for reading.
fn write_what_is_read() -> Came {
    let (folder, out) = (lent("/data")?, lent("/out")?);
    let open = |open, access| folder.open_at(P::SYMLINK_FOLLOW, "hello.txt", open, access);
    refused("opening to truncate", open(O::TRUNCATE, D::READ))?;
    refused("opening to write", open(O::empty(), D::READ | D::WRITE))?;
    refused("opening to create", open(O::CREATE, D::READ))?;
    refused("creating", create(&folder, "new"))?;
    let now = || NewTimestamp::Now;
    let file = permitted("opening to read", open(O::empty(), D::READ))?;
    refused("writing", file.write(b"x", 0))?;
    refused("a stream to write", file.write_via_stream(0))?;
    refused("a stream to append", file.append_via_stream())?;
    refused("truncating", file.set_size(0))?;
    refused("growing", file.set_size(1 << 20))?;
    refused("touching", file.set_times(now(), now()))?;
    refused("touching the folder", folder.set_times(now(), now()))?;
    let touched = folder.set_times_at(P::empty(), "hello.txt", now(), now());
    refused("touching by name", touched)?;
    refused(
        "linking out",
        folder.link_at(P::empty(), "hello.txt", &out, "linked"),
    )?;
    refused("moving out", folder.rename_at("hello.txt", &out, "moved"))?;
    refused("moving", folder.rename_at("hello.txt", &folder, "moved"))?;
    refused("removing", folder.unlink_file_at("hello.txt"))?;
    refused("making a folder", folder.create_directory_at("new"))?;
    refused("removing a folder", folder.remove_directory_at("sub"))?;
    let mutate = D::READ | D::WRITE | D::MUTATE_DIRECTORY;
    if let Ok(sub) = folder.open_at(P::empty(), "sub", O::DIRECTORY, mutate) {
        refused("creating in a folder of it", create(&sub, "new"))?;
    }
    permitted("creating in the other", create(&out, "new"))?;
    Ok(json!({}))
}

/// A pipe that came after the grant: opening it would block for ever.
fn pipe() -> Came {
    let folder = lent("/data")?;
    for access in [D::READ, D::WRITE, D::READ | D::WRITE] {
        for path in ["pipe", "to-pipe", "sub/../pipe"] {
            let opened = folder.open_at(P::SYMLINK_FOLLOW, path, O::empty(), access);
            refused(path, opened)?;
        }
    }
    Ok(json!({}))
}

/// Lists names that were made to draw on terminals, and says them aloud.
fn names() -> Came {
    let folder = lent("/data")?;
    let listing = permitted("listing", folder.read_directory())?;
    let (mut names, mut illegal) = (Vec::new(), 0);
    loop {
        match listing.read_directory_entry() {
            Ok(Some(entry)) => names.push(entry.name),
            Ok(None) => break,
            Err(ErrorCode::IllegalByteSequence) => illegal += 1,
            Err(other) => return Err(format!("listing came to {other:?}")),
        }
    }
    for name in &names {
        let said = format!("{name} is here");
        hotcell_sdk::log::warn(&said);
        permitted("asking", folder.stat_at(P::empty(), name))?;
    }
    match (names.len(), illegal) {
        (8, 1) => Ok(json!({"names": names})),
        counts => Err(format!("{counts:?} names and others: {names:?}")),
    }
}

/// Moments that no clock shows.
fn times() -> Came {
    let folder = lent("/data")?;
    let file = permitted("creating", create(&folder, "touched"))?;
    let seconds = [
        0,
        1,
        1 << 31,
        1 << 33,
        1 << 40,
        3_155_760_000_000_000_000,
        i64::MAX as u64,
    ];
    let nanos = [0, 999_999_999, 1_000_000_000, u32::MAX];
    for seconds in seconds.into_iter().chain([i64::MAX as u64 + 1, u64::MAX]) {
        for nanoseconds in nanos {
            let at = || {
                NewTimestamp::Timestamp(Datetime {
                    seconds,
                    nanoseconds,
                })
            };
            file.set_times(at(), at()).ok();
            folder
                .set_times_at(P::empty(), "touched", at(), NewTimestamp::NoChange)
                .ok();
            permitted("asking", file.stat())?;
        }
    }
    Ok(json!({}))
}

/// Somebody truncates the file and writes it again while it is read.
fn shrink() -> Came {
    let folder = lent("/data")?;
    let mut seen = 0;
    for _ in 0..300 {
        let opened = folder.open_at(P::empty(), "shrinking", O::empty(), D::READ);
        let file = permitted("opening", opened)?;
        let stream = permitted("a stream", file.read_via_stream(0))?;
        while let Ok(bytes) = stream.blocking_read(8_192) {
            seen += bytes.len();
        }
        permitted("reading", file.read(65_536, 100_000))?;
    }
    Ok(json!({"seen": seen}))
}
