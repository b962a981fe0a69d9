//! A record of the journal: reading it is total, and whatever is read is written to the same bytes.

#![no_main]

use knock_spa_engine::admit::record::Record;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Some(record) = Record::decode(input) {
        assert_eq!(record.encode(), input);
        // Whole or not at all.
        assert_eq!(Record::decode(&[input, &[0]].concat()), None);
    }
});
