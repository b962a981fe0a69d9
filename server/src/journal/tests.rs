use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use knock_spa_engine::admit::opening::OpeningId;
use ring::digest::{SHA256, digest};

use super::frames::CHECKSUM;
use super::*;
use crate::io::clock;

fn records(count: u64) -> Vec<Record> {
    (1..=count).map(|id| Record::Closing(OpeningId(id))).collect()
}

/// The bytes of a journal of these records, without the room behind them.
fn written(directory: &Path, records: &[Record]) -> (Lock, Vec<u8>) {
    let lock = Lock::take(directory).unwrap();
    let journal = lock.create(records).unwrap();
    let mut bytes = std::fs::read(journal.path()).unwrap();
    bytes.truncate(usize::try_from(journal.end).unwrap());
    (lock, bytes)
}

#[test]
fn what_is_synced_is_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let lock = Lock::take(directory.path()).unwrap();
    assert_eq!(lock.read().unwrap(), (Vec::new(), Condition::Absent));
    let mut journal = lock.create(&records(2)).unwrap();
    journal.append(&Record::Closing(OpeningId(3)));
    journal.sync().unwrap();
    assert_eq!(lock.read().unwrap(), (records(3), Condition::Whole));
}

#[test]
fn one_process_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let _lock = Lock::take(directory.path()).unwrap();
    assert!(matches!(Lock::take(directory.path()), Err(JournalError::InUse(_))));
}

#[test]
fn a_tail_torn_at_any_byte_is_cut() {
    let directory = tempfile::tempdir().unwrap();
    let (lock, whole) = written(directory.path(), &records(3));
    let two = written_len(2);
    for len in two..whole.len() {
        let mut torn = whole[..len].to_vec();
        torn.resize(whole.len() + 100, 0);
        std::fs::write(lock.journal(), torn).unwrap();
        let (read, condition) = lock.read().unwrap();
        assert_eq!(read, records(2), "{len}");
        assert_ne!(condition, Condition::Damaged, "{len}");
    }
}

fn written_len(count: u64) -> usize {
    let payload = Record::Closing(OpeningId(1)).encode().len();
    HEADER.len() + usize::try_from(count).unwrap() * (4 + CHECKSUM + payload)
}

#[test]
fn damage_before_intact_records_is_told_and_set_aside() {
    let directory = tempfile::tempdir().unwrap();
    let (lock, whole) = written(directory.path(), &records(4));
    for at in written_len(1)..written_len(2) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x40;
        std::fs::write(lock.journal(), damaged).unwrap();
        assert_eq!(peek(directory.path()).unwrap(), (records(1), Condition::Damaged), "{at}");
        assert_eq!(lock.read().unwrap(), (records(1), Condition::Damaged), "{at}, where somebody has looked");
        assert_eq!(lock.read().unwrap().1, Condition::Absent, "it was set aside");
    }
}

#[test]
fn a_journal_that_was_given_up_is_incomplete_until_there_is_another() {
    let directory = tempfile::tempdir().unwrap();
    let (lock, _) = written(directory.path(), &records(2));
    lock.give_up().unwrap();
    lock.give_up().unwrap();
    assert_eq!(lock.read().unwrap(), (records(2), Condition::Incomplete));
    drop(lock.create(&records(3)).unwrap());
    assert_eq!(lock.read().unwrap(), (records(3), Condition::Whole));
    std::fs::remove_file(lock.journal()).unwrap();
    assert_eq!(lock.read().unwrap(), (Vec::new(), Condition::Absent));
}

/// Rubbish has lengths in it that seem to be those of megabytes behind it.
#[test]
fn damage_in_a_long_journal_costs_no_more_than_its_records() {
    let mut seed = *b"thirty-two bytes, and no more...";
    let rubbish = (0..1 << 17).flat_map(|_| {
        let next = digest(&SHA256, &seed);
        seed.copy_from_slice(next.as_ref());
        seed
    });
    let records = records(1 << 18);
    let frames =
        |records: &[Record]| records.iter().flat_map(|one| framed(&one.encode())).collect::<Vec<_>>();
    let (before, behind) = records.split_at(2);
    let whole = [HEADER, &frames(&records)].concat();
    let damaged = [HEADER, &frames(before), &rubbish.collect::<Vec<_>>(), &frames(behind)].concat();
    let timed = |file: &[u8]| {
        let start = clock::now().boot;
        let read = parse(file);
        (read, clock::now().boot.saturating_since(start))
    };
    let (read, of_whole) = timed(&whole);
    assert_eq!(read.unwrap().0.len(), records.len());
    let (read, of_damaged) = timed(&damaged);
    assert_eq!(read, Some((before.to_vec(), Condition::Damaged)));
    // With a checksum at each of those lengths it takes a hundred times as long.
    assert!(of_damaged < of_whole * 20, "{of_damaged:?}, and {of_whole:?} where all is well");
}

#[test]
fn links_are_neither_followed_nor_locked() {
    let (state, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (state, other) = (state.path(), elsewhere.path().join("other"));
    std::fs::write(&other, "somebody's").unwrap();
    let link = |name| symlink(&other, state.join(name)).unwrap();
    link("lock");
    assert!(matches!(Lock::take(state), Err(JournalError::NotAFile(_))));
    std::fs::remove_file(state.join("lock")).unwrap();
    let lock = Lock::take(state).unwrap();
    link("journal.incomplete");
    assert!(matches!(lock.read(), Err(JournalError::NotAFile(_))));
    link("journal");
    assert!(matches!(lock.read(), Err(JournalError::NotAFile(_))));
    link("journal.new");
    drop(lock.create(&records(1)).unwrap());
    assert_eq!(lock.read().unwrap(), (records(1), Condition::Whole));
    assert_eq!(std::fs::read_to_string(&other).unwrap(), "somebody's");
}

#[test]
fn a_directory_that_others_may_write_to_keeps_no_state() {
    let directory = tempfile::tempdir().unwrap();
    for mode in [0o770, 0o702, 0o1777] {
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        assert!(matches!(Lock::take(directory.path()), Err(JournalError::Exposed(_))), "{mode:o}");
    }
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    drop(Lock::take(directory.path()).unwrap());
}

#[test]
fn a_record_is_added_to_what_is_whole_and_to_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let (lock, whole) = written(directory.path(), &records(3));
    lock.add(Record::Closing(OpeningId(4))).unwrap();
    assert_eq!(lock.read().unwrap(), (records(4), Condition::Whole));
    // A torn tail is cut, as the keeper would.
    std::fs::write(lock.journal(), &whole[..whole.len() - 1]).unwrap();
    lock.add(Record::Closing(OpeningId(3))).unwrap();
    assert_eq!(lock.read().unwrap(), (records(3), Condition::Whole));
    // What is damaged is the keeper's to set aside, and what is incomplete stays so.
    let mut damaged = whole;
    damaged[written_len(1)] ^= 0x40;
    std::fs::write(lock.journal(), &damaged).unwrap();
    lock.add(Record::Closing(OpeningId(9))).unwrap();
    assert_eq!(std::fs::read(lock.journal()).unwrap(), damaged);
    lock.give_up().unwrap();
    lock.add(Record::Closing(OpeningId(9))).unwrap();
    assert!(!lock.journal().exists());
    std::fs::remove_file(lock.incomplete()).unwrap();
    lock.add(Record::Closing(OpeningId(1))).unwrap();
    assert_eq!(lock.read().unwrap(), (records(1), Condition::Whole));
}

#[test]
fn other_files_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let lock = Lock::take(directory.path()).unwrap();
    for text in ["", "knock-spa-journal-v2\n", "rubbish"] {
        std::fs::write(lock.journal(), text).unwrap();
        assert!(matches!(lock.read(), Err(JournalError::NotAJournal(_))), "{text}");
    }
}
