//! What the two sides of the control socket say: whatever is understood is said again in the same meaning, on one line.

#![no_main]

use std::fmt::Debug;

use knock_spa_proto::control::{Command, Reply, Versioned};
use knock_spad::control::parse;
use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde::de::DeserializeOwned;

fuzz_target!(|input: &[u8]| {
    check::<Command>(input);
    check::<Reply>(input);
});

fn check<T: Clone + Debug + DeserializeOwned + PartialEq + Serialize>(line: &[u8]) {
    match parse::<T>(line) {
        Ok(message) => {
            let again = serde_json::to_string(&Versioned::new(message.clone())).unwrap();
            assert!(!again.contains('\n'), "{again}");
            assert_eq!(parse::<T>(again.as_bytes()), Ok(message), "{again}");
        }
        Err(why) => assert!(!why.is_empty()),
    }
}
