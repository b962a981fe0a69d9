//! The line of an invitation: whatever is parsed is written as the same line, and never shown by accident.

#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use knock_spa_keys::client::ClientSecret;
use knock_spa_keys::invitation::InvitationLine;
use knock_spa_keys::server::{ServerLine, ServerSecret};
use libfuzzer_sys::fuzz_target;
use ring::digest::{SHA256, digest};

const TYPE: &str = "knock-spa-invite-v1";

fuzz_target!(|input: &[u8]| {
    if let Ok(text) = str::from_utf8(input) {
        line(text);
        behind_the_keys(text);
    }
    keys(input);
});

/// Whether the text is an invitation.
fn line(text: &str) -> bool {
    let Ok(line) = text.parse::<InvitationLine>() else {
        return false;
    };
    assert_eq!(*line.to_text(), text);
    assert!(!line.name.as_str().is_empty());
    let shown = format!("{line:?}");
    assert!(!shown.contains(text.split(' ').nth(1).unwrap()));
    true
}

/// The text as what follows the keys, for no mutation finds a checksum.
fn behind_the_keys(text: &str) {
    let key = ServerSecret::from_bytes([7; 32]).public();
    let server = ServerLine { key, endpoints: "gw:1".parse().unwrap() };
    let secret = ClientSecret::from_seed([9; 32]);
    let name = "laptop".parse().unwrap();
    let good = InvitationLine { server, secret, name, door: "ssh".parse().unwrap() }.to_text();
    let bare = good.strip_suffix(" laptop gw:1 ssh").unwrap();
    line(&format!("{bare} {text}"));
    line(&format!("{bare}{text}"));
}

/// The input as the keys, with their checksum: it is an invitation if the server's key is one.
fn keys(input: &[u8]) {
    let Some((keys, _)) = input.split_first_chunk::<64>() else {
        return;
    };
    let sum = digest(&SHA256, &[TYPE.as_bytes(), &[0], keys].concat());
    let blob = STANDARD_NO_PAD.encode([keys, &sum.as_ref()[..4]].concat());
    let server = knock_spa_keys::server::ServerKey::from_bytes(*keys.first_chunk().unwrap());
    assert_eq!(line(&format!("{TYPE} {blob} laptop gw:1")), server.is_ok());
}
