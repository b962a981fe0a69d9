//! An IP packet off the wire: reading it is total, and what the link padded it with says nothing.

#![no_main]

use knock_spa_proto::segment::Segment;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Ok(segment) = Segment::parse(input) {
        let padded = [input, &[0xaa; 7]].concat();
        assert_eq!(Segment::parse(&padded), Ok(segment));
    }
});
