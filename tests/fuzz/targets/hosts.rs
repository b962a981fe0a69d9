//! The client's list of hosts: reading it is total, and what was read is read again from what it is written to.

#![no_main]

use libfuzzer_sys::fuzz_target;

use crate::hosts::Hosts;

// The client is a program and no library.
#[allow(dead_code, reason = "the client's commands use the rest")]
#[path = "../../../client/src/hosts.rs"]
mod hosts;

/// What no mutation finds.
const LINE: &str = "knock-spa-server-v1 E75P6uryBMf9M1j8nAByGIHRdCeBKCJ+xnTzf3/pe211Kvv9 gw:1";

fuzz_target!(|input: &[u8]| {
    if let Ok(text) = str::from_utf8(input) {
        check(text);
        check(&format!("version = 1\n{text}"));
        check(&format!("version = 1\n{}", text.replace('!', LINE)));
        check(&format!("version = 1\n[host.a]\nline = '{LINE}'\n{text}"));
    }
});

fn check(text: &str) {
    match text.parse::<Hosts>() {
        Ok(hosts) => assert_eq!(hosts.to_string().parse(), Ok(hosts), "{text}"),
        Err(fault) => {
            assert!((1..=text.lines().count().max(1) + 1).contains(&fault.line) && !fault.what.is_empty())
        }
    }
}
