//! What the keeper tells the listener: reading it is total, and what was read is read again from what it is written to.

#![no_main]

use knock_spa_engine::watch::Orders;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(orders) = Orders::decode(bytes) else {
        return;
    };
    let written = orders.encode();
    let again = Orders::decode(&written).unwrap();
    assert_eq!(*again.encode(), *written);
    assert_eq!(again.doors, orders.doors);
    assert!(written.len() <= bytes.len(), "nothing is made up");
});
