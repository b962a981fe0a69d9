//! A datagram, by how much its sender knows: nothing, the server's key, or an enrolled client's secret.

#![no_main]

use chacha20poly1305::aead::Aead as _;
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};
use knock_spa_keys::client::{ClientKey, ClientSecret};
use knock_spa_keys::server::ServerSecret;
use knock_spa_proto::spa::request::Request;
use knock_spa_proto::spa::{EnvelopeKey, STATEMENT_LEN, Statement};
use libfuzzer_sys::fuzz_target;
use ring::hmac;

fuzz_target!(|input: &[u8]| {
    let server = ServerSecret::from_bytes([7; 32]);
    outsider(&server, input);
    insider(&server, input);
    insider(&server, &padded::<280>(input));
    liar(&server, padded(input));
    client(&server, &padded(input));
});

/// The input at the length that is asked for; no mutation needs to find it.
fn padded<const N: usize>(input: &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.iter_mut().zip(input).for_each(|(to, from)| *to = *from);
    bytes
}

/// Random bytes are junk.
fn outsider(server: &ServerSecret, datagram: &[u8]) {
    assert!(EnvelopeKey::of(&server.public()).open(datagram).is_none());
}

/// Random bytes in an envelope are opened, and not unsealed.
fn insider(server: &ServerSecret, content: &[u8]) {
    let key =
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b"knock-spa/1 envelope"), server.public().as_bytes());
    let cipher = XChaCha20Poly1305::new_from_slice(key.as_ref()).unwrap();
    let boxed = cipher.encrypt(&[1; 24].into(), content).unwrap();
    let datagram = [&[1; 24], &*boxed].concat();
    let opened = EnvelopeKey::of(&server.public()).open(&datagram);
    assert_eq!(opened.is_some(), content.len() == 280);
    if let Some(enveloped) = opened {
        assert_eq!(enveloped.stamp().as_nanos().to_be_bytes(), content[..8]);
        assert_eq!(enveloped.tag(), datagram[304..]);
        assert!(enveloped.unseal(server).is_none());
    }
}

/// A listener that is taken over states what it likes; its statements are whole, and forged.
fn liar(server: &ServerSecret, bytes: [u8; STATEMENT_LEN]) {
    let statement = Statement::from_bytes(bytes);
    assert_eq!(statement.to_bytes(), bytes);
    if let Ok(key) = ClientKey::from_bytes(*statement.client()) {
        assert!(statement.verify(&key, &server.public()).is_err());
    }
}

/// An enrolled client signs what it likes: the request is decoded as it would be alone.
fn client(server: &ServerSecret, said: &[u8; 8 + 128]) {
    let client = ClientSecret::from_seed([9; 32]);
    let (stamp, request) = said.split_first_chunk::<8>().unwrap();
    let message = [b"knock-spa/1 sign", &server.public().as_bytes()[..], said].concat();
    let parts = [&client.public().as_bytes()[..], stamp, &client.sign(&message), request].concat();
    let statement = Statement::from_bytes(parts.try_into().unwrap());
    let proven = statement.verify(&client.public(), &server.public()).unwrap();
    assert_eq!(proven.request(), Request::decode(request.try_into().unwrap()));
}
