//! Packets made and read by other people's implementations of the same three calls.

use alloc::vec::Vec;

use chacha20poly1305::aead::Aead as _;
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};
use ed25519_dalek::{Signature, Signer as _, SigningKey, Verifier as _};
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable as _, Kem, OpModeR, OpModeS, Serializable as _};
use knock_spa_keys::client::ClientSecret;
use knock_spa_keys::server::ServerSecret;
use proptest::prelude::*;
use ring::hmac;

use super::{World, example};
use crate::spa::{SealRandom, seal};
use crate::time::UnixTime;

fn envelope(server: &[u8; 32]) -> XChaCha20Poly1305 {
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"knock-spa/1 envelope");
    XChaCha20Poly1305::new_from_slice(hmac::sign(&key, server).as_ref()).unwrap()
}

fn info(stamp: u64) -> Vec<u8> {
    [&b"knock-spa/1 seal"[..], &stamp.to_be_bytes()].concat()
}

fn signed(server: &[u8; 32], stamp: u64, request: &[u8]) -> Vec<u8> {
    [b"knock-spa/1 sign", &server[..], &stamp.to_be_bytes(), request].concat()
}

/// The packet, made without a line of ours.
fn their_packet(server: &[u8; 32], seed: &[u8; 32], stamp: u64, request: &[u8], nonce: &[u8; 24]) -> Vec<u8> {
    let client = SigningKey::from_bytes(seed);
    let signature = client.sign(&signed(server, stamp, request));
    let mut plain = [client.verifying_key().as_bytes(), &signature.to_bytes()[..], request].concat();
    let to = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(server).unwrap();
    let (enc, tag) = hpke::single_shot_seal_inout_detached::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeS::Base,
        &to,
        &info(stamp),
        plain.as_mut_slice().into(),
        b"",
    )
    .unwrap();
    let content = [&stamp.to_be_bytes()[..], &enc.to_bytes(), &plain, &tag.to_bytes()].concat();
    [&nonce[..], &envelope(server).encrypt(nonce.into(), &*content).unwrap()].concat()
}

/// What a packet holds, read without a line of ours: the stamp and the request.
fn their_reading(server: &ServerSecret, client: &ClientSecret, packet: &[u8]) -> (u64, Vec<u8>) {
    let (nonce, boxed) = packet.split_first_chunk::<24>().unwrap();
    let content = envelope(server.public().as_bytes()).decrypt(nonce.into(), boxed).unwrap();
    let (stamp, rest) = content.split_first_chunk().unwrap();
    let stamp = u64::from_be_bytes(*stamp);
    let (enc, sealed) = rest.split_first_chunk::<32>().unwrap();
    let plain = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &<X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(server.expose()).unwrap(),
        &<X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(enc).unwrap(),
        &info(stamp),
        sealed,
        b"",
    )
    .unwrap();
    let key = SigningKey::from_bytes(client.expose()).verifying_key();
    assert_eq!(&plain[..32], key.as_bytes());
    let message = signed(server.public().as_bytes(), stamp, &plain[96..]);
    key.verify(&message, &Signature::from_slice(&plain[32..96]).unwrap()).unwrap();
    (stamp, plain[96..].to_vec())
}

proptest! {
    #[test]
    fn others_read_our_packets(
        server: [u8; 32], client: [u8; 32], stamp: u64, ephemeral: [u8; 32], nonce: [u8; 24],
    ) {
        let (server, client) = (ServerSecret::from_bytes(server), ClientSecret::from_seed(client));
        let random = SealRandom { ephemeral, nonce };
        let packet = seal(&server.public(), &client, UnixTime::from_nanos(stamp), &example(), random);
        prop_assert_eq!(their_reading(&server, &client, &packet), (stamp, example().encode().to_vec()));
    }

    #[test]
    fn we_read_the_packets_of_others(server: [u8; 32], client: [u8; 32], stamp: u64, nonce: [u8; 24]) {
        let world =
            World { server: ServerSecret::from_bytes(server), client: ClientSecret::from_seed(client) };
        let public = world.server.public();
        let packet = their_packet(public.as_bytes(), &client, stamp, &example().encode(), &nonce);
        prop_assert_eq!(world.receive(&packet), Ok(example()));
    }
}
