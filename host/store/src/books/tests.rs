use std::sync::Arc;

use super::*;

type Done = Result<(), BooksError>;

/// One more under a key, if there are fewer than so many.
fn count(page: &Page<'_>, most: u64) -> Result<u64, BooksError> {
    let now: u64 = page.read("counts", "n")?.unwrap_or_default();
    if now >= most {
        return Err(BooksError::Failed("enough".to_owned()));
    }
    page.write("counts", "n", &(now + 1))?;
    Ok(now + 1)
}

#[test]
fn what_was_written_is_there_after_a_new_start_and_what_failed_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let books = Books::open(dir.path()).unwrap();
    let kept: Done = books.write_now(|page| page.put("a", "k", "1"));
    assert_eq!(kept, Ok(()));
    let failed: Done = books.write_now(|page| {
        page.put("a", "k", "2")?;
        page.put("a", "l", "2")?;
        Err(BooksError::Full)
    });
    assert_eq!(failed, Err(BooksError::Full));
    drop(books);
    let books = Books::open(dir.path()).unwrap();
    let found: Result<_, BooksError> = books.write_now(|page| {
        Ok((
            page.get("a", "k")?,
            page.get("a", "l")?,
            page.get("b", "k")?,
        ))
    });
    assert_eq!(found, Ok((Some("1".to_owned()), None, None)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_holds_between_tasks_and_between_books_that_share_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    let two = [
        Books::open(dir.path()).unwrap(),
        Books::open(dir.path()).unwrap(),
    ];
    let two = Arc::new(two);
    let tasks = (0..200_usize).map(|n| {
        let two = Arc::clone(&two);
        tokio::spawn(async move { two[n % 2].write(|page| count(page, 50)).await })
    });
    let mut numbers = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        numbers.extend(task.await.unwrap().ok());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=50).collect::<Vec<u64>>());
}

#[tokio::test]
async fn in_memory_a_job_is_done_before_anybody_waits() {
    let books = Books::in_memory().unwrap();
    for n in 1..=3 {
        assert_eq!(books.write(|page| count(page, 3)).await, Ok(n));
    }
    assert!(books.write(|page| count(page, 3)).await.is_err());
}

#[test]
fn a_list_holds_to_its_prefix_its_beginning_and_its_length() {
    let books = Books::in_memory().unwrap();
    let listed: Result<Vec<Vec<String>>, BooksError> = books.write_now(|page| {
        for key in ["a", "b/1", "b/2", "b/3", "b0", "c"] {
            page.put("s", key, key)?;
            page.put("t", key, key)?;
        }
        let list = |prefix: &str, after: Option<&str>, limit| {
            let found = page.list("s", prefix, after, limit)?;
            Ok::<_, BooksError>(found.into_iter().map(|(key, _)| key).collect())
        };
        Ok(vec![
            list("", None, 10)?,
            list("b/", None, 10)?,
            list("b/", Some("b/1"), 1)?,
            list("b/", Some("b/3"), 10)?,
        ])
    });
    let listed = listed.unwrap();
    assert_eq!(listed[0], ["a", "b/1", "b/2", "b/3", "b0", "c"]);
    assert_eq!(listed[1], ["b/1", "b/2", "b/3"]);
    assert_eq!(listed[2], ["b/2"]);
    assert!(listed[3].is_empty());
}

#[test]
fn what_is_too_large_or_of_somebody_else_is_refused() {
    let books = Books::in_memory().unwrap();
    let long: Done = books.write_now(|page| page.put("s", &"k".repeat(MAX_KEY + 1), ""));
    assert!(matches!(
        long,
        Err(BooksError::TooLarge { what: "a key", .. })
    ));
    let large: Done = books.write_now(|page| page.put("s", "k", &"v".repeat(MAX_VALUE + 1)));
    assert!(matches!(
        large,
        Err(BooksError::TooLarge {
            what: "a value",
            ..
        })
    ));

    let dir = tempfile::tempdir().unwrap();
    let other = Connection::open(dir.path().join("books.db")).unwrap();
    other.pragma_update(None, "user_version", 7).unwrap();
    other.execute_batch("CREATE TABLE theirs (x)").unwrap();
    drop(other);
    let found = Books::open(dir.path()).err();
    assert_eq!(found, Some(BooksError::Version { found: 7, known: 1 }));
}
