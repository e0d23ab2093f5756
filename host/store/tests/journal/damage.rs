//! Whatever a disk does to the files: what is read is what was written, or an
//! error. It is never something else, and never less.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;

use hotcell_store::Digest;
use hotcell_store::journal::{
    Entry, Filter, Journal, JournalError, Options, Reader, Record, RunRow, Sync,
};

use crate::{entry, head, open, options};

/// Everything that a journal holds.
type Content = Vec<(RunRow, Vec<Record>)>;

/// A journal as a killed process leaves it: some of it in the database, some in the
/// log in front of it. Returns what is in it; all of it was acknowledged.
async fn killed(dir: &Path) -> Content {
    let alive = tempfile::tempdir().unwrap();
    drop(fill(open(alive.path()), 0..3).await);
    let journal = fill(open(alive.path()), 3..6).await;
    let key = Digest::of(b"key");
    journal.remember(&key, "v".repeat(100), 9).await.unwrap();
    copy(alive.path(), dir);
    read(dir).unwrap()
}

async fn fill(journal: Journal, runs: std::ops::Range<u64>) -> Journal {
    for run in runs {
        let log = journal.begin(head(&format!("run {run}")));
        for n in 0..4 {
            let text = format!("{n}").repeat(700);
            let text = Entry::new("text", 5_000 + n, &text);
            log.append(vec![entry(n), text]).await.unwrap();
        }
        let large = Entry::new("large", 6_000, &"large".repeat(1_000));
        log.end("success", vec![large]).await.unwrap();
    }
    journal
}

fn copy(from: &Path, to: &Path) {
    for name in ["journal.db", "journal.db-wal", "journal.head"] {
        fs::copy(from.join(name), to.join(name)).unwrap();
    }
}

fn read(dir: &Path) -> Result<Content, JournalError> {
    let reader = Reader::open(dir)?;
    reader.verify()?;
    content(&reader)
}

fn content(reader: &Reader) -> Result<Content, JournalError> {
    let rows = reader.runs(&Filter::default())?.into_iter();
    let whole = |row: RunRow| {
        let records = reader.records(&row.run)?;
        Ok((row, records))
    };
    rows.map(whole).collect()
}

/// The same by way of an owner, who then goes on.
async fn own(dir: &Path) -> Result<Content, JournalError> {
    let sync = Sync::Off;
    let journal = Journal::open(dir, Options { sync, ..options() })?;
    let content = content(&journal.reader())?;
    if let Some(cached) = journal.cached(&Digest::of(b"key")).await? {
        assert_eq!(cached.value, "v".repeat(100));
    }
    journal.begin(head("new")).append(vec![entry(1)]).await?;
    assert_eq!(journal.reader().records("new")?.len(), 1);
    Ok(content)
}

#[tokio::test]
async fn a_log_that_is_cut_anywhere_has_lost_something_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let expected = killed(dir.path()).await;
    let wal = dir.path().join("journal.db-wal");
    let bytes = fs::read(&wal).unwrap();
    let file = fs::File::options().write(true).open(&wal).unwrap();
    let mut lost = 0;
    // The cuts go from its end.
    assert!(bytes.len() > 64 << 10, "{}", bytes.len());
    // A frame is a head of 24 bytes and a page. Around heads every byte counts; in
    // the middle of a page one cut is like another.
    let place = |cut: &usize| (cut - 32) % (24 + 4096);
    let last = (bytes.len() - (64 << 10))..bytes.len();
    let cuts = last.filter(|cut| place(cut) < 100 || place(cut) > 4_080 || cut % 13 == 0);
    for cut in cuts.rev() {
        file.set_len(cut as u64).unwrap();
        match read(dir.path()) {
            Err(JournalError::Lost { batches }) => {
                assert!(batches >= lost, "at {cut}");
                lost = batches;
            }
            // A commit's last page may be followed by nothing that counts.
            Ok(content) => assert!(content == expected && lost == 0, "at {cut}"),
            Err(error) => panic!("at {cut}: {error:?}"),
        }
    }
    assert!(lost > 2, "only {lost} commits were lost");
    // An owner is refused as well, and destroys nothing by it.
    for cut in (0..bytes.len()).step_by(2_001) {
        fs::write(&wal, &bytes[..cut]).unwrap();
        let refused = Journal::open(dir.path(), options()).err();
        let code = refused.as_ref().map(JournalError::code);
        assert_eq!(code, Some("storage.lost"), "at {cut}");
        let left = fs::read(&wal).unwrap();
        assert!(left == bytes[..cut], "refusing altered the log at {cut}");
    }
    fs::write(&wal, &bytes).unwrap();
    assert_eq!(own(dir.path()).await, Ok(expected));
}

#[tokio::test]
async fn a_head_that_is_cut_or_altered_anywhere_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let expected = killed(dir.path()).await;
    let path = dir.path().join("journal.head");
    let head = fs::read(&path).unwrap();
    let mut refused = 0;
    let mut check = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        match read(dir.path()) {
            Ok(content) => assert_eq!(content, expected),
            Err(error) => {
                assert_eq!(error.code(), "storage.corrupt");
                refused += 1;
            }
        }
    };
    for cut in (0..head.len()).filter(|cut| cut % 512 < 90) {
        check(&head[..cut]);
    }
    // Each slot begins a sector and uses 88 bytes of it.
    let used = (0..head.len()).filter(|byte| byte % 512 < 90);
    for bit in used.flat_map(|byte| byte * 8..byte * 8 + 8) {
        let mut flipped = head.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        check(&flipped);
    }
    // One slot that is cut, with none behind it.
    assert!(refused < 100, "{refused} refusals");
}

#[tokio::test]
async fn of_ten_thousand_flipped_bits_none_changes_what_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let expected = killed(dir.path()).await;
    let again = tempfile::tempdir().unwrap();
    let open = |name: &str| {
        let options = fs::File::options().read(true).write(true).clone();
        options.open(dir.path().join(name)).unwrap()
    };
    let files = [open("journal.db"), open("journal.db-wal")];
    let lengths = files.each_ref().map(|file| file.metadata().unwrap().len());
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut outcomes: BTreeMap<&str, u64> = BTreeMap::new();
    for round in 0..10_000 {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let bit = random % ((lengths[0] + lengths[1]) * 8);
        let (file, bit) = match bit.checked_sub(lengths[0] * 8) {
            Some(bit) => (&files[1], bit),
            None => (&files[0], bit),
        };
        let mut byte = [0];
        file.read_exact_at(&mut byte, bit / 8).unwrap();
        let flip = |byte: u8| file.write_all_at(&[byte], bit / 8).unwrap();
        flip(byte[0] ^ (1 << (bit % 8)));
        let mut found = vec![read(dir.path())];
        if round % 100 == 0 {
            copy(dir.path(), again.path());
            fs::remove_file(again.path().join("journal.db-shm")).ok();
            found.push(own(again.path()).await);
        }
        flip(byte[0]);
        for found in found {
            let outcome = match found {
                Ok(content) => {
                    assert!(content == expected, "round {round} reads something else");
                    "intact"
                }
                Err(error) => error.code(),
            };
            *outcomes.entry(outcome).or_default() += 1;
        }
    }
    for outcome in ["intact", "storage.corrupt", "storage.lost"] {
        assert!(outcomes.contains_key(outcome), "{outcomes:?}");
    }
    assert_eq!(read(dir.path()), Ok(expected), "the test changed the files");
}
