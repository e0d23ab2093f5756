use std::fs;

use super::*;

/// A folder with so many records.
fn folder(records: usize) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let bodies: Vec<String> = (0..records).map(body).collect();
    append_now(dir.path(), &bodies).unwrap();
    dir
}

fn body(n: usize) -> String {
    format!("{{\"kind\":\"effect\",\"n\":{n}}}")
}

fn lines(dir: &Path) -> Vec<String> {
    let text = fs::read_to_string(dir.join(FILE)).unwrap();
    text.split_inclusive('\n').map(str::to_owned).collect()
}

fn broken(dir: &Path) -> Option<u64> {
    match verify(dir, None) {
        Ok(_) => None,
        Err(WalkError::Broken(broken)) => Some(broken.record),
        Err(WalkError::Audit(_)) => Some(0),
    }
}

#[test]
fn a_line_can_be_checked_with_sha256_alone() {
    let dir = folder(1);
    let lines = lines(dir.path());
    let start = "0".repeat(64);
    let content = format!("{{\"seq\":1,\"prev_hash\":\"{start}\",\"kind\":\"effect\",\"n\":0}}");
    let hash = crate::Digest::of(content.as_bytes()).hex();
    let content = content.strip_suffix('}').unwrap();
    assert_eq!(lines, [format!("{content},\"hash\":\"{hash}\"}}\n")]);
    assert_eq!(head(dir.path()).unwrap().unwrap().hash, hash);
}

#[test]
fn every_flipped_bit_of_both_files_is_found_and_named() {
    let dir = folder(4);
    let lines = lines(dir.path());
    for name in [FILE, HEAD] {
        let path = dir.path().join(name);
        let good = fs::read(&path).unwrap();
        let mut ends: Vec<usize> = Vec::new();
        for line in &lines {
            ends.push(ends.last().unwrap_or(&0) + line.len());
        }
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            fs::write(&path, &bad).unwrap();
            let found = broken(dir.path()).unwrap_or_else(|| panic!("byte {at} of {name}"));
            if name == FILE {
                let line = ends.iter().position(|end| at < *end).unwrap() as u64 + 1;
                assert_eq!(found, line, "byte {at}");
            }
        }
        fs::write(&path, &good).unwrap();
    }
    assert_eq!(broken(dir.path()), None);
}

#[test]
fn a_record_that_is_gone_moved_or_doubled_is_found_and_named() {
    let dir = folder(5);
    let good = lines(dir.path());
    let pick = |order: &[usize]| {
        order
            .iter()
            .map(|at| good[*at].as_str())
            .collect::<String>()
    };
    let table: [(&[usize], u64); 8] = [
        (&[1, 2, 3, 4], 1),
        (&[0, 2, 3, 4], 2),
        (&[0, 2, 1, 3, 4], 2),
        (&[0, 1, 1, 2, 3, 4], 3),
        (&[0, 1, 2, 3], 5),
        (&[0, 1], 3),
        (&[], 1),
        (&[0, 1, 2, 3, 4, 4], 6),
    ];
    for (order, first) in table {
        fs::write(dir.path().join(FILE), pick(order)).unwrap();
        assert_eq!(broken(dir.path()), Some(first), "{order:?}");
    }
    fs::write(dir.path().join(FILE), good.concat()).unwrap();
    assert_eq!(broken(dir.path()), None);
}

#[test]
fn a_chain_that_was_made_anew_is_another_than_the_head_that_is_known() {
    let dir = folder(3);
    let other = tempfile::tempdir().unwrap();
    append_now(other.path(), &[body(7), body(8), body(9)]).unwrap();
    fs::copy(other.path().join(FILE), dir.path().join(FILE)).unwrap();
    assert_eq!(broken(dir.path()), Some(3));
}

#[test]
fn a_folder_that_was_taken_back_is_found_by_a_head_kept_elsewhere() {
    let dir = folder(3);
    let old: Vec<Vec<u8>> = [FILE, HEAD]
        .iter()
        .map(|name| fs::read(dir.path().join(name)).unwrap())
        .collect();
    let kept = head(dir.path()).unwrap().unwrap().hash;
    let newer = append_now(dir.path(), &[body(3)]).unwrap().hash;
    for anchor in [&kept, &newer] {
        assert!(verify(dir.path(), Some(anchor)).is_ok());
    }
    for (name, bytes) in [FILE, HEAD].iter().zip(old) {
        fs::write(dir.path().join(name), bytes).unwrap();
    }
    assert!(verify(dir.path(), Some(&kept)).is_ok());
    let taken_back = verify(dir.path(), Some(&newer)).unwrap_err();
    assert!(matches!(taken_back, WalkError::Broken(it) if it.record == 4));
}

#[test]
fn nothing_is_added_to_what_was_cut_or_changed_at_its_end() {
    for change in ["cut", "changed", "headless"] {
        let dir = folder(3);
        let path = dir.path().join(FILE);
        let mut text = fs::read_to_string(&path).unwrap();
        match change {
            "cut" => text.truncate(text.len() - 10),
            "changed" => text.replace_range(text.len() - 5..text.len() - 4, "x"),
            _ => fs::remove_file(dir.path().join(HEAD)).unwrap(),
        }
        fs::write(&path, &text).unwrap();
        let refused = append_now(dir.path(), &[body(9)]);
        assert!(matches!(refused, Err(AuditError::Damaged(_))), "{change}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn what_a_process_left_unsealed_is_taken_over_and_unfinished_is_cut_off() {
    let dir = folder(2);
    let sealed = fs::read(dir.path().join(HEAD)).unwrap();
    append_now(dir.path(), &[body(2)]).unwrap();
    let mut text = lines(dir.path()).concat();
    text.push_str("{\"seq\":4,\"prev");
    fs::write(dir.path().join(FILE), &text).unwrap();
    fs::write(dir.path().join(HEAD), sealed).unwrap();
    let found = verify(dir.path(), None).unwrap().unwrap();
    assert_eq!(
        (found.head.seq, found.unsealed, found.unfinished),
        (3, 1, 14)
    );
    assert_eq!(append_now(dir.path(), &[body(3)]).unwrap().seq, 4);
    let found = verify(dir.path(), None).unwrap().unwrap();
    assert_eq!(
        (found.head.seq, found.unsealed, found.unfinished),
        (4, 0, 0)
    );
}

#[test]
fn a_record_that_is_no_object_or_too_long_is_refused_alone() {
    let dir = folder(1);
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_BODY));
    for bad in ["[]", "{}", "{\"a\":1}\n", "", &long] {
        let refused = append_now(dir.path(), &[bad.to_owned()]);
        assert!(matches!(refused, Err(AuditError::Unfit { .. })), "{bad:.9}");
    }
    assert_eq!(broken(dir.path()), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_writers_of_one_folder_make_one_chain() {
    let dir = tempfile::tempdir().unwrap();
    let mut tasks = Vec::new();
    for _ in 0..4 {
        let audit = Audit::open(dir.path()).unwrap();
        tasks.extend((0..25).map(|n| {
            let audit = audit.clone();
            tokio::spawn(async move {
                audit.note(body(n)).unwrap();
                audit.append(body(n)).await
            })
        }));
    }
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let found = verify(dir.path(), None).unwrap().unwrap();
    assert_eq!((found.head.seq, found.unsealed), (200, 0));
}

#[tokio::test]
async fn what_nobody_waits_for_is_not_lost_when_it_could_not_be_written_at_first() {
    let dir = tempfile::tempdir().unwrap();
    let audit = Audit::open(dir.path()).unwrap();
    let moved = dir.path().join("elsewhere");
    fs::rename(dir.path().join(FILE), &moved).unwrap();
    fs::create_dir(dir.path().join(FILE)).unwrap();
    audit.note(body(1)).unwrap();
    assert!(audit.append(body(2)).await.is_err());
    fs::remove_dir(dir.path().join(FILE)).unwrap();
    fs::rename(moved, dir.path().join(FILE)).unwrap();
    audit.append(body(3)).await.unwrap();
    let text = lines(dir.path()).concat();
    assert_eq!(text.matches("\"n\":1").count(), 1);
    assert_eq!(text.matches("\"n\":2").count(), 0);
}
