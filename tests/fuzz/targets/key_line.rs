//! The lines of keys: whatever is parsed is written as the same line.

#![no_main]

use knock_spa_keys::client::{ClientLine, ClientSecret, ClientSecretLine};
use knock_spa_keys::comment::Comment;
use knock_spa_keys::sealed::ClientSealedLine;
use knock_spa_keys::server::{ServerLine, ServerSecret, ServerSecretLine};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Ok(text) = str::from_utf8(input) else {
        return;
    };
    line(text);
    behind_a_key(text);
});

/// The text as a line of each kind.
fn line(text: &str) {
    if let Ok(line) = text.parse::<ServerLine>() {
        assert_eq!(line.to_string(), text);
    }
    if let Ok(line) = text.parse::<ClientLine>() {
        assert_eq!(line.to_string(), text);
    }
    if let Ok(line) = text.parse::<ServerSecretLine>() {
        assert_eq!(*line.to_text(), text);
    }
    if let Ok(line) = text.parse::<ClientSecretLine>() {
        assert_eq!(*line.to_text(), text);
    }
    if let Ok(line) = text.parse::<ClientSealedLine>() {
        assert_eq!(line.to_string(), text);
    }
}

/// The text as what follows a key, for no mutation finds a checksum.
fn behind_a_key(text: &str) {
    let (server, client) = (ServerSecret::from_bytes([7; 32]), ClientSecret::from_seed([9; 32]));
    let endpoints = "gw:1".parse().unwrap();
    let server_line = ServerLine { key: server.public(), endpoints }.to_string();
    line(&server_line.replace("gw:1", text));
    let comment = Comment::default;
    line(&format!("{} {text}", ClientLine { key: client.public(), comment: comment() }));
    line(&format!("{} {text}", *ServerSecretLine { secret: server, comment: comment() }.to_text()));
    line(&format!("{} {text}", *ClientSecretLine { secret: client, comment: comment() }.to_text()));
}
