//! The 128 bytes of a request: whatever is decoded is encoded to the same bytes.

#![no_main]

use knock_spa_proto::spa::request::Request;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    // Short inputs are padded as a list of services is, so that libFuzzer may leave the padding out.
    let mut bytes = [0; 128];
    bytes.iter_mut().zip(input).for_each(|(to, from)| *to = *from);
    if let Ok(request) = Request::decode(&bytes) {
        assert_eq!(request.encode(), bytes);
    }
});
