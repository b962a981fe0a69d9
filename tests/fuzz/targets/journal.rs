//! A journal, whole: reading it is total, the records are those of the longest intact beginning, and only damage before
//! intact records is called that.

#![no_main]

use knock_spa_engine::admit::record::Record;
use knock_spad::journal::{Condition, HEADER, framed, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    read(input);
    // No mutation finds a checksum: the input as records, one after another, each with the length that it begins with.
    let mut file = HEADER.to_vec();
    let mut rest = input;
    while let Some((len, after)) = rest.split_first() {
        let (payload, after) = after.split_at(after.len().min(usize::from(*len)));
        file.extend(framed(payload));
        rest = after;
    }
    read(&file);
    damaged(&file, input);
});

/// The journal of these records, and nothing behind them.
fn write(records: &[Record]) -> Vec<u8> {
    let frames = records.iter().flat_map(|record| framed(&record.encode()));
    HEADER.iter().copied().chain(frames).collect()
}

fn read(file: &[u8]) {
    let Some((records, condition)) = parse(file) else {
        return;
    };
    let written = write(&records);
    assert!(file.starts_with(&written), "what was read is where the file begins");
    let rest = &file[written.len()..];
    assert_eq!(condition == Condition::Whole, rest.iter().all(|byte| *byte == 0));
    // Cut there, it is whole, and says the same.
    assert_eq!(parse(&written), Some((records, Condition::Whole)));
}

/// A byte that is changed loses the record that it is in and all behind it, and none before it.
fn damaged(file: &[u8], input: &[u8]) {
    let (Some((records, _)), [high, low, change, ..]) = (parse(file), input) else {
        return;
    };
    let at = usize::from(u16::from_be_bytes([*high, *low])) % file.len();
    let mut changed = file.to_vec();
    changed[at] ^= change | 1;
    let intact = (0..=records.len()).rev().find(|count| write(&records[..*count]).len() <= at);
    match (parse(&changed), intact) {
        // In the header.
        (None, None) => {}
        (Some((kept, condition)), Some(intact)) if intact < records.len() => {
            assert_eq!(kept, records[..intact]);
            assert_ne!(condition, Condition::Whole);
            let is_followed = intact + 1 < records.len();
            assert!(!is_followed || condition == Condition::Damaged, "{condition:?}");
        }
        // Behind what is read anyhow.
        (Some((kept, _)), Some(_)) => assert_eq!(kept, records),
        (found, intact) => panic!("{found:?}, {intact:?}"),
    }
}
