//! A client's file: each fault has a line, no text of it gets into what is said of the key, and what was read is read
//! again from what it is written to.

#![no_main]

use std::path::Path;

use knock_spa_engine::client::ClientName;
use knock_spad::clients::{client_in, text_of};
use libfuzzer_sys::fuzz_target;

/// What no mutation finds.
const KEY: &str =
    "key = 'knock-spa-client-v1 /RckOFqgx1tk+3jNYC+h2ZH96/drE8WO1wLqyDXp9hizdz1g alice@laptop'\n";

fuzz_target!(|input: &[u8]| {
    if let Ok(text) = str::from_utf8(input) {
        check(text);
        check(&format!("{KEY}{text}"));
    }
});

fn check(text: &str) {
    let (file, name): (_, ClientName) = (Path::new("f"), "alice".parse().unwrap());
    match client_in(file, &name, text) {
        Ok(client) => {
            let written = text_of(&client, &"a@b".parse().unwrap());
            assert_eq!(client_in(file, &name, &written).unwrap(), client, "{written}");
        }
        Err(faults) => assert!(faults.iter().all(|fault| fault.line.is_some())),
    }
}
