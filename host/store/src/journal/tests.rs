use std::sync::mpsc;

use super::*;

fn open(dir: &Path) -> Journal {
    let options = Options {
        take_over: false,
        sync: Sync::Full,
        owner: "a test".to_owned(),
        now_unix_ms: 1,
    };
    Journal::open(dir, options).unwrap()
}

fn begin(journal: &Journal, run: &str) -> RunLog {
    journal.begin(Head {
        run: run.to_owned(),
        tenant: "acme".to_owned(),
        workflow: "invoices".to_owned(),
        task: "7".to_owned(),
        created_unix_ms: 1,
        parent: None,
    })
}

fn entry(n: usize) -> Entry {
    Entry::new("thing", 1, &n)
}

impl Journal {
    /// Has the writer do something to its connection.
    async fn with<T: Send + 'static>(
        &self,
        what: impl FnOnce(&mut Writer) -> Result<T, JournalError> + Send + 'static,
    ) -> T {
        self.0.queue.alone(0, what).await.unwrap()
    }

    async fn commits(&self) -> u64 {
        self.with(|writer| Ok(writer.totals().batch)).await
    }

    /// Lets the writer do nothing until something is sent or the sender is dropped.
    fn halt(&self) -> mpsc::Sender<()> {
        let (go, halted) = mpsc::channel();
        let (here, is_here) = mpsc::channel();
        let halt = Box::new(move |_: &mut Writer, _: &Queue| {
            here.send(()).unwrap();
            halted.recv().ok();
        });
        self.0.queue.push(queue::Job::Alone(halt)).unwrap();
        is_here.recv().unwrap();
        go
    }
}

#[tokio::test]
async fn who_comes_while_the_writer_is_busy_is_committed_together_and_answered_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let before = journal.commits().await;
    let go = journal.halt();
    let mut appends: Vec<_> = (0..100)
        .map(|n| {
            let log = begin(&journal, &format!("run {n}"));
            tokio::spawn(async move { log.append(vec![entry(n)]).await })
        })
        .collect();
    // All of them have their turn: tokio looks after others again every 61 tasks.
    for _ in 0..appends.len() {
        tokio::task::yield_now().await;
    }
    assert!(appends.iter().all(|append| !append.is_finished()));
    assert_eq!(journal.reader().runs(&Filter::default()).unwrap(), []);
    // Nobody waits for this one any more, and it has its place all the same.
    appends.remove(7).abort();
    drop(go);
    for append in appends {
        assert_eq!(append.await.unwrap(), Ok(1));
    }
    assert_eq!(journal.commits().await, before + 1);
    assert_eq!(journal.reader().verify().unwrap().runs, 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_append_at_once_every_chain_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let before = journal.commits().await;
    // Two tasks share a run.
    let logs: Vec<_> = (0..128)
        .map(|n| begin(&journal, &format!("run {n}")))
        .collect();
    let tasks: Vec<_> = (0..256)
        .map(|task| {
            let log = logs[task / 2].clone();
            tokio::spawn(async move {
                let mut last = 0;
                for n in 0..10 {
                    log.note(entry(n));
                    let seq = log.append(vec![entry(n), entry(n)]).await.unwrap();
                    assert!(seq > last);
                    last = seq;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let all = Verified {
        runs: 128,
        records: 256 * 10 * 3,
    };
    assert_eq!(journal.reader().verify(), Ok(all));
    let commits = journal.commits().await - before;
    assert!(commits < 256 * 10 / 4, "{commits} commits");
}

#[tokio::test]
async fn who_appends_more_than_there_is_room_for_waits_without_a_place() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let log = begin(&journal, "a");
    let go = journal.halt();
    let large = "x".repeat(7 << 20);
    let mut appends: Vec<_> = (0..6)
        .map(|_| {
            let (log, entry) = (log.clone(), Entry::new("large", 1, &large));
            tokio::spawn(async move { log.append(vec![entry]).await })
        })
        .collect();
    tokio::task::yield_now().await;
    // 32 MiB hold four of them.
    appends.split_off(4).into_iter().for_each(|a| a.abort());
    tokio::task::yield_now().await;
    drop(go);
    for (n, append) in appends.into_iter().enumerate() {
        assert_eq!(append.await.unwrap(), Ok(n as u64 + 1));
    }
    assert_eq!(log.append(vec![entry(1)]).await, Ok(5));
    assert_eq!(journal.reader().verify().unwrap().records, 5);
}

#[tokio::test]
async fn a_full_disk_breaks_the_runs_of_its_batch_and_not_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let log = begin(&journal, "a");
    log.append(vec![entry(1)]).await.unwrap();
    let limit = |pages: &'static str| {
        journal.with(move |writer| {
            let set = format!("PRAGMA max_page_count = {pages}");
            let set = writer.connection().query_row(&set, [], |row| row.get(0));
            Ok(set.map(|_: i64| ())?)
        })
    };
    // It cannot be less than there are.
    limit("1").await;
    let random: Vec<_> = (0..4_000).map(|n| n * 7919 % 9973).collect();
    let large = Entry::new("large", 1, &random);
    let new = begin(&journal, "b");
    let full = Err(JournalError::Full);
    assert_eq!(log.append(vec![entry(2), large.clone()]).await, full);
    assert_eq!(new.append(vec![large]).await, full);

    limit("1000000").await;
    assert_eq!(log.append(vec![entry(2)]).await, full);
    let (row, records, log) = journal.adopt("a").unwrap();
    assert_eq!((row.records, records.len()), (1, 1));
    assert_eq!(log.append(vec![entry(2)]).await, Ok(2));
    assert_eq!(journal.adopt("b").err().unwrap().code(), "storage.unknown");
    assert_eq!(begin(&journal, "b").append(vec![entry(1)]).await, Ok(1));
    assert_eq!(journal.reader().verify().unwrap().records, 3);
}

#[tokio::test]
async fn after_a_failure_nothing_is_written_and_everybody_hears_why() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let (a, b) = (begin(&journal, "a"), begin(&journal, "b"));
    a.append(vec![entry(1)]).await.unwrap();
    // What the writer needs is not there any more.
    let lost = "ALTER TABLE records RENAME TO elsewhere";
    let rename = move |writer: &mut Writer| Ok(writer.connection().execute_batch(lost)?);
    journal.with(rename).await;
    let failed = a.append(vec![entry(2)]).await.unwrap_err();
    assert_eq!(failed.code(), "storage.failed");
    for log in [&a, &b] {
        assert_eq!(log.append(vec![entry(3)]).await, Err(failed.clone()));
    }
    assert_eq!(journal.asked().await, Err(failed));
}

#[tokio::test(start_paused = true)]
async fn commits_take_no_simulated_time_when_the_clock_is_held() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    journal.hold_clock();
    let log = begin(&journal, "a");
    let start = tokio::time::Instant::now();
    for n in 0..20 {
        let append = log.append(vec![entry(n)]);
        let hour = std::time::Duration::from_secs(3600);
        assert!(tokio::time::timeout(hour, append).await.unwrap().is_ok());
    }
    assert_eq!(start.elapsed(), std::time::Duration::ZERO);
}

#[tokio::test]
async fn a_run_has_so_many_bytes_even_if_they_are_stored_once() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let log = begin(&journal, "a");
    let large = Entry::new("large", 1, &"x".repeat(8_000_000));
    let fit = MAX_BYTES / 80_000_020;
    for n in 1..=fit {
        assert_eq!(log.append(vec![large.clone(); 10]).await, Ok(n * 10));
    }
    let refused = log.append(vec![large; 10]).await.unwrap_err();
    assert_eq!(refused.code(), "limit.history");
    assert_eq!(log.append(vec![entry(1)]).await, Ok(fit * 10 + 1));
}

#[tokio::test]
async fn requests_that_are_none_do_not_stop_the_owner() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let insert = "INSERT INTO requests (run, what) VALUES ('a', 'cancel'), \
                  (CAST(x'ff' AS TEXT), 'cancel'), ('a', CAST(zeroblob(1000) AS TEXT))";
    journal
        .with(move |writer| Ok(writer.connection().execute_batch(insert)?))
        .await;
    let asked = journal.asked().await.unwrap();
    assert_eq!(asked.len(), 1);
    assert_eq!(
        (asked[0].run.as_str(), asked[0].what.as_str()),
        ("a", "cancel")
    );
    assert_eq!(begin(&journal, "a").append(Vec::new()).await, Ok(0));
}
