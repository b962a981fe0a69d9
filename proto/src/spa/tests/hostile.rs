//! What attackers can do to packets, by what they know.

use alloc::vec::Vec;

use knock_spa_keys::client::ClientSecret;
use knock_spa_keys::server::ServerSecret;
use proptest::prelude::*;
use ring::digest::{SHA256, digest};
use ring::signature::{ED25519, UnparsedPublicKey};

use super::{STAMP, WORLD, World, example};
use crate::refusal::Refusal;
use crate::spa::layout::{CONTENT_LEN, PACKET_LEN, SEALED_LEN, content, sealed};
use crate::spa::statement::Statement;
use crate::spa::{EnvelopeKey, SealRandom, hpke, seal};
use crate::time::UnixTime;

/// An outsider, who knows no key, changes a bit.
#[test]
fn every_bit_flip_dies_at_the_envelope() {
    let world = WORLD();
    let packet = world.packet();
    assert_eq!(world.receive(&packet), Ok(example()));
    let key = EnvelopeKey::of(&world.server.public());
    for bit in 0..PACKET_LEN * 8 {
        let mut flipped = packet;
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(key.open(&flipped).is_none(), "bit {bit}");
    }
}

#[test]
fn another_length_dies_at_the_envelope() {
    let packet = WORLD().packet();
    let key = EnvelopeKey::of(&WORLD().server.public());
    for len in 0..PACKET_LEN {
        assert!(key.open(&packet[..len]).is_none(), "{len} bytes");
        assert!(key.open(&packet[len + 1..]).is_none(), "the last {} bytes", PACKET_LEN - len - 1);
    }
    assert!(key.open(&[&packet[..], &[0]].concat()).is_none());
    assert!(key.open(&[&packet[..], &packet[..]].concat()).is_none());
}

/// An insider, who knows the server's public key, opens the envelope of somebody's packet and makes another for
/// what was in it, one bit changed.
#[test]
fn every_bit_flip_under_a_fresh_envelope_dies_at_the_seal() {
    let world = WORLD();
    let key = EnvelopeKey::of(&world.server.public());
    let content = key.content(&world.packet()).unwrap();
    assert_eq!(world.receive(&key.seal(&[2; 24], content)), Ok(example()), "only the envelope is new");
    for bit in 0..CONTENT_LEN * 8 {
        let mut flipped = content;
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(world.receive(&key.seal(&[2; 24], flipped)), Err(Refusal::Unsealable), "bit {bit}");
    }
}

/// Seals and envelopes whatever somebody states, to `server`.
fn reseal(server: &ServerSecret, statement: &Statement) -> [u8; PACKET_LEN] {
    let stamp = statement.stamp().as_nanos().to_be_bytes();
    let (enc, boxed) = hpke::seal(&server.public(), &[seal::LABEL, &stamp], statement.to_sealed(), [4; 32]);
    let mut inside = [0; CONTENT_LEN];
    content::Stamp::write(&mut inside, &stamp);
    content::Enc::write(&mut inside, &enc);
    content::Sealed::write(&mut inside, &boxed.text);
    content::Tag::write(&mut inside, &boxed.tag);
    EnvelopeKey::of(&server.public()).seal(&[5; 24], inside)
}

/// A malicious server, which reads what clients state to it, seals it again with one bit changed.
#[test]
fn every_bit_flip_of_a_statement_dies_at_the_client_or_the_signature() {
    let world = WORLD();
    let key = EnvelopeKey::of(&world.server.public());
    let genuine = key.open(&world.packet()).unwrap().unseal(&world.server).unwrap();
    assert_eq!(world.receive(&reseal(&world.server, &genuine)), Ok(example()), "only the seal is new");
    let bytes = genuine.to_bytes();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes;
        flipped[bit / 8] ^= 1 << (bit % 8);
        let refusal = world.receive(&reseal(&world.server, &Statement::from_bytes(flipped))).unwrap_err();
        let expected = if bit < 256 { Refusal::UnknownClient } else { Refusal::Forged };
        assert_eq!(refusal, expected, "bit {bit}");
    }
}

/// A malicious server passes on to another what a client stated to it.
#[test]
fn a_statement_to_one_server_is_nothing_to_another() {
    let world = WORLD();
    let other = ServerSecret::from_bytes([8; 32]);
    let key = EnvelopeKey::of(&world.server.public());
    let genuine = key.open(&world.packet()).unwrap().unseal(&world.server).unwrap();
    let forwarded = reseal(&other, &genuine);
    let there = World { server: other, client: WORLD().client };
    assert_eq!(there.receive(&forwarded), Err(Refusal::Forged));
    assert_eq!(there.receive(&world.packet()), Err(Refusal::Junk));
}

/// A client puts another's name on its own statement.
#[test]
fn a_client_cannot_speak_as_another() {
    let world = WORLD();
    let other = ClientSecret::from_seed([10; 32]);
    let own = Statement::sign(&other, &world.server.public(), STAMP, &example());
    let mut plain = own.to_sealed();
    sealed::Client::write(&mut plain, world.client.public().as_bytes());
    let stamp = STAMP.as_nanos().to_be_bytes();
    let lie = Statement::of_sealed(stamp, &plain);
    assert_eq!(world.receive(&reseal(&world.server, &lie)), Err(Refusal::Forged));
    let key = other.public();
    assert!(own.verify(&key, &world.server.public()).is_ok());
    assert!(lie.verify(&key, &world.server.public()).is_err(), "nor is it proven under the signer's key");
}

/// A key of small order verifies one signature for every message; no such client can be enrolled, so that the
/// name in the statement leads nowhere.
#[test]
fn the_universal_signature_has_no_client() {
    let world = WORLD();
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut plain = [0; SEALED_LEN];
    sealed::Client::write(&mut plain, &identity);
    sealed::Request::write(&mut plain, &example().encode());
    plain[32] = 1;
    let signature: [u8; 64] = sealed::Signature::read(&plain);
    let unchecked = UnparsedPublicKey::new(&ED25519, identity);
    assert!(unchecked.verify(b"anything", &signature).is_ok(), "the danger is real");
    let forged = Statement::of_sealed(STAMP.as_nanos().to_be_bytes(), &plain);
    assert_eq!(world.receive(&reseal(&world.server, &forged)), Err(Refusal::UnknownClient));
}

/// Someone who captures packets and knows no key counts bits: each is set in about half of the packets.
#[test]
fn packets_look_random() {
    const PACKETS: u32 = 2000;
    let world = WORLD();
    let packets: Vec<_> = (0..PACKETS)
        .map(|i| {
            let random = digest(&SHA256, &i.to_be_bytes());
            let ephemeral = random.as_ref().try_into().unwrap();
            let nonce = digest(&SHA256, random.as_ref()).as_ref()[..24].try_into().unwrap();
            let stamp = STAMP.saturating_add(core::time::Duration::from_millis(i.into()));
            seal(&world.server.public(), &world.client, stamp, &example(), SealRandom { ephemeral, nonce })
        })
        .collect();
    // Six standard deviations; as the randomness above is fixed, the test passes always or never.
    let deviation = f64::from(PACKETS).sqrt() / 2.0;
    let is_even = |bit: usize, bytes: &dyn Fn(usize) -> u8| {
        let set: u32 = (0..packets.len()).map(|i| u32::from(bytes(i) >> (bit % 8) & 1)).sum();
        (f64::from(set) - f64::from(PACKETS) / 2.0).abs() < 6.0 * deviation
    };
    for bit in 0..PACKET_LEN * 8 {
        assert!(is_even(bit, &|i| packets[i][bit / 8]), "bit {bit}");
    }
    // The measure does find a bare X25519 key: its top bit is never set.
    let key = EnvelopeKey::of(&world.server.public());
    let enc: Vec<_> =
        packets.iter().map(|packet| content::Enc::read(&key.content(packet).unwrap())).collect();
    assert!(!is_even(7, &|i| enc[i][31]));
}

proptest! {
    #[test]
    fn reading_is_total(datagram in proptest::collection::vec(any::<u8>(), 0..400)) {
        let world = WORLD();
        prop_assert!(EnvelopeKey::of(&world.server.public()).open(&datagram).is_none());
    }

    /// Whoever knows the server's public key reaches the seal with any bytes, and no further.
    #[test]
    fn unsealing_is_total(inside in proptest::collection::vec(any::<u8>(), CONTENT_LEN)) {
        let world = WORLD();
        let inside: [u8; CONTENT_LEN] = inside.try_into().unwrap();
        let packet = EnvelopeKey::of(&world.server.public()).seal(&[5; 24], inside);
        prop_assert_eq!(world.receive(&packet), Err(Refusal::Unsealable));
    }

    #[test]
    fn any_stamp_survives(stamp: u64) {
        let world = WORLD();
        let stamp = UnixTime::from_nanos(stamp);
        let random = SealRandom { ephemeral: [3; 32], nonce: [1; 24] };
        let packet = seal(&world.server.public(), &world.client, stamp, &example(), random);
        let enveloped = EnvelopeKey::of(&world.server.public()).open(&packet).unwrap();
        prop_assert_eq!(enveloped.stamp(), stamp);
        prop_assert_eq!(enveloped.unseal(&world.server).unwrap().stamp(), stamp);
    }
}
