//! What a server pays for junk: the time to refuse 320 random bytes, by the way that the server goes and by the
//! plain cipher, next to the one Diffie-Hellman computation that junk is spared.
//!
//! `cargo run --release -p knock-spa-proto --example envelope`
#![expect(clippy::disallowed_methods, reason = "measuring time is all that this program does")]
#![expect(clippy::print_stdout, reason = "its output is for whoever runs it")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use chacha20poly1305::aead::Aead as _;
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};
use knock_spa_keys::server::ServerSecret;
use knock_spa_proto::spa::{EnvelopeKey, PACKET_LEN};

/// Batches to take the fastest of: on a shared machine only the fastest says what the code costs.
const BATCHES: u32 = 2000;

fn main() {
    let server = ServerSecret::from_bytes([7; 32]);
    let key = EnvelopeKey::of(&server.public());
    let junk: [u8; PACKET_LEN] = core::array::from_fn(|i| u8::try_from(i % 251).unwrap_or_default());
    let plain = XChaCha20Poly1305::new(&[7; 32].into());
    let (nonce, boxed) = junk.split_at(24);
    let nonce: [u8; 24] = nonce.try_into().unwrap_or_default();

    println!("fastest of {BATCHES} batches, one core:");
    let report = |what, time: Duration| println!("{:>8} ns  {what}", time.as_nanos());
    report("junk refused by EnvelopeKey::open", fastest(100, || key.open(black_box(&junk)).is_none()));
    report(
        "junk refused by chacha20poly1305::XChaCha20Poly1305",
        fastest(100, || plain.decrypt(&nonce.into(), black_box(boxed)).is_err()),
    );
    report("one X25519", fastest(5, || server.agree(black_box(&[9; 32])).is_some()));
}

/// The time that `work` takes, by the fastest batch of `times` runs.
fn fastest(times: u32, work: impl Fn() -> bool) -> Duration {
    let batch = || {
        let start = Instant::now();
        (0..times).for_each(|_| assert!(black_box(work())));
        start.elapsed().checked_div(times).unwrap_or_default()
    };
    (0..BATCHES).map(|_| batch()).min().unwrap_or_default()
}
