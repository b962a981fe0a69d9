//! What a listener that is taken over may tell the keeper: whatever is decoded is encoded to the same record.

#![no_main]

use knock_spa_proto::report::{REPORT_LEN, Report};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    check(input);
    // Records are padded with zeros, so that libFuzzer may leave the padding out.
    let mut record = [0; REPORT_LEN];
    record.iter_mut().zip(input).for_each(|(to, from)| *to = *from);
    check(&record);
});

fn check(record: &[u8]) {
    if let Ok(report) = Report::decode(record) {
        assert_eq!(report.encode(), record);
    }
}
