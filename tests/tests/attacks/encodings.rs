//! The same packet in other bytes, by whoever knows more and more: nobody's key, the server's public key, the server's
//! secret key, a client's.

use knock_spa_keys::client::ClientSecret;
use knock_spa_keys::server::ServerSecret;
use knock_spa_proto::spa::PACKET_LEN;
use knock_spa_proto::spa::request::{Addresses, Request};
use knock_spa_tests::attacker::{Content, LABELS, Labels, Plain};
use knock_spa_tests::laptop::{Laptop, now, open};

use crate::scene::{Scene, attack, sender, stated};

/// Sends these from the stranger, so few at a time that none is lost on the way.
fn send_all(scene: &Scene<'_>, packets: impl IntoIterator<Item = Vec<u8>>) {
    let packets: Vec<_> = packets.into_iter().collect();
    for packets in packets.chunks(100) {
        packets.iter().for_each(|packet| scene.send_from_stranger(packet));
        scene.settle();
    }
}

/// Each packet is refused for this reason and costs so many key agreements; alice's own is still good afterwards, or it
/// was accepted before and is not again.
fn each_is(scene: &Scene<'_>, reason: &str, cost: u64, packets: &[Vec<u8>]) {
    let before = scene.settle();
    send_all(scene, packets.to_vec());
    let (after, count) = (scene.settle(), u64::try_from(packets.len()).unwrap());
    assert_eq!(after.refused[reason] - before.refused[reason], count, "{reason}: {after:?}");
    assert_eq!(
        (after.accepted, after.key_agreements),
        (before.accepted, before.key_agreements + cost * count)
    );
}

/// With one bit changed, for each of them.
fn flipped(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len() * 8).map(|bit| {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        flipped
    })
}

#[test]
fn an_outsider_changes_no_bit_of_a_packet() {
    attack(|scene| {
        let packet = scene.packet(&sender());
        each_is(scene, "junk", 0, &flipped(&packet).collect::<Vec<_>>());
        // Other lengths do not even reach the listener.
        let before = scene.settle().received;
        for len in [0, 1, 24, 304, PACKET_LEN - 1] {
            scene.flood(scene.world.stranger.v4, &packet[..len]);
            scene.flood(scene.world.stranger.v6, &packet[PACKET_LEN - len..]);
        }
        for longer in [[&packet[..], &[0]].concat(), [packet, packet].concat()] {
            scene.flood(scene.world.stranger.v4, &longer);
        }
        scene.assert_shut();
        assert_eq!(scene.judge(&packet), None);
        assert_eq!(scene.settle().received, before + 1);
    });
}

/// What an insider can make of somebody's content: never the same statement under other bytes.
fn contents(content: &Content) -> Vec<Content> {
    // Points of small order (RFC 7748 section 6.1), and the same point in another encoding.
    let zero = [0; 32];
    let mut one = zero;
    one[0] = 1;
    let mut minus_one = [0xff; 32];
    (minus_one[0], minus_one[31]) = (0xec, 0x7f);
    let mut top_bit = content.enc;
    top_bit[31] |= 0x80;
    let encs = [zero, one, minus_one, top_bit].map(|enc| Content { enc, ..content.clone() });
    let stamps = [-1_i64, 1, 1_000_000_000].map(|nanos| Content {
        stamp: knock_spa_proto::time::UnixTime::from_nanos(
            content.stamp.as_nanos().checked_add_signed(nanos).unwrap(),
        ),
        ..content.clone()
    });
    let sealed = flipped(&content.sealed).step_by(7).map(|sealed| Content { sealed, ..content.clone() });
    let enc = flipped(&content.enc).step_by(5);
    let enc = enc.map(|enc| Content { enc: enc.try_into().unwrap(), ..content.clone() });
    encs.into_iter().chain(stamps).chain(sealed).chain(enc).collect()
}

/// An insider opens the envelope of somebody's packet, and makes others for what was in it, changed or not.
#[test]
fn an_insider_makes_nothing_of_somebody_s_packet() {
    attack(|scene| {
        let key = scene.key();
        let packet = scene.packet(&sender());
        let content = Content::of(&key, &packet).unwrap();
        let packets: Vec<_> =
            contents(&content).iter().map(|content| content.packet(&key).to_vec()).collect();
        assert!(packets.len() > 300);
        each_is(scene, "unsealable", 1, &packets);
        scene.assert_shut();
        // They have not spoiled it; and in new envelopes it does not count again.
        assert_eq!(scene.judge(&packet), None);
        scene.shut();
        let again: Vec<_> = (0..20).map(|_| content.packet(&key).to_vec()).collect();
        each_is(scene, "replayed", 1, &again);
        scene.assert_shut();
    });
}

/// An envelope may be new although its content is not: then the new one counts, and the old one is the copy.
#[test]
fn a_new_envelope_that_overtakes_is_a_copy_like_any_other() {
    attack(|scene| {
        let key = scene.key();
        let packet = scene.packet(&stated(scene.world.laptop.v4));
        let rewrapped = Content::of(&key, &packet).unwrap().packet(&key);
        scene.send_from_stranger(&rewrapped);
        assert_eq!(scene.settle().accepted, 1);
        assert_eq!(scene.judge(&packet).as_deref(), Some("replayed"));
        assert_eq!(scene.addresses(), ["192.0.2.2"]);
    });
}

/// The order of the group of Ed25519's base point (RFC 8032 section 5.1), in little endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// The signature with the same `s` in another encoding: who does not check that it is reduced takes both.
fn malleated(signature: [u8; 64]) -> [u8; 64] {
    let mut other = signature;
    let mut carry = 0;
    for (byte, order) in other[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        (*byte, carry) = (sum.to_le_bytes()[0], sum >> 8);
    }
    other
}

/// Whoever has stolen the server's secret key reads what clients ask, and can ask for nothing in their names.
#[test]
fn who_has_the_server_s_secret_key_makes_nothing_of_what_a_client_signed() {
    attack(|scene| {
        let key = scene.key();
        let packet = scene.packet(&sender());
        let content = Content::of(&key, &packet).unwrap();
        let stamp = content.stamp;
        let plain = content.unseal(&scene.secret()).unwrap();
        assert_eq!(Request::decode(&plain.request), Ok(sender()), "reading is what the key is for");
        let seal = |plain: &Plain| plain.seal(&key, stamp).packet(&key).to_vec();

        let flipped_signatures = flipped(&plain.signature).step_by(3);
        let signatures = flipped_signatures.map(|signature| signature.try_into().unwrap());
        let signatures = signatures.chain([malleated(plain.signature), [0; 64]]);
        let mut forged: Vec<_> =
            signatures.map(|signature| seal(&Plain { signature, ..plain.clone() })).collect();
        let requests = flipped(&plain.request).step_by(5).map(|request| request.try_into().unwrap());
        let requests = requests.chain([open("ssh", Addresses::NONE.with_sender(), 1).encode()]);
        forged.extend(requests.map(|request| seal(&Plain { request, ..plain.clone() })));
        // The same statement a little later: the time is signed.
        let later = now();
        assert!(later > stamp);
        forged.push(plain.seal(&key, later).packet(&key).to_vec());
        each_is(scene, "forged", 1, &forged);

        let clients = flipped(&plain.client).step_by(3).map(|client| client.try_into().unwrap());
        // A point of small order, for which one signature fits every message.
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut unknown: Vec<_> = clients.map(|client| seal(&Plain { client, ..plain.clone() })).collect();
        let mut universal = [0; 64];
        universal[0] = 1;
        unknown.push(seal(&Plain { client: identity, signature: universal, ..plain.clone() }));
        unknown.push(seal(&Plain::signed(&ClientSecret::from_seed([8; 32]), &key, stamp, plain.request)));
        each_is(scene, "unknown-client", 1, &unknown);
        scene.assert_shut();

        // None of them has spoiled the packet itself, nor does it count again under another seal.
        assert_eq!(scene.judge(&packet), None);
        scene.shut();
        let again: Vec<_> = (0..20).map(|_| seal(&plain)).collect();
        each_is(scene, "replayed", 1, &again);
        scene.assert_shut();
    });
}

/// Another server, whose operator hands on what a client of both has asked it for.
#[test]
fn another_server_s_operator_opens_nothing_with_what_clients_ask_of_it() {
    attack(|scene| {
        let (key, other) = (scene.key(), ServerSecret::from_bytes([7; 32]));
        let packet = scene.alice.seal(&other.public(), now(), &sender());
        assert_eq!(scene.judge(&packet).as_deref(), Some("junk"), "as it is");
        let content = Content::of(&other.public(), &packet).unwrap();
        each_is(scene, "unsealable", 1, &[content.packet(&key).to_vec()]);
        let plain = content.unseal(&other).unwrap();
        each_is(scene, "forged", 1, &[plain.seal(&key, content.stamp).packet(&key).to_vec()]);
        scene.assert_shut();
    });
}

/// An enrolled client speaks another version: it dies where its first label counts.
#[test]
fn another_version_s_packet_dies_at_its_first_label() {
    attack(|scene| {
        let (key, alice) = (scene.key(), scene.alice.secret());
        let packet = |labels: Labels| {
            let stamp = now();
            let plain = Plain::signed_as(labels, &alice, &key, stamp, sender().encode());
            plain.seal_as(labels, &key, stamp).packet_as(labels, &key).to_vec()
        };
        let sign = Labels { sign: b"knock-spa/2 sign", ..LABELS };
        let seal = Labels { seal: b"knock-spa/2 seal", ..sign };
        let envelope = Labels { envelope: b"knock-spa/2 envelope", ..seal };
        each_is(scene, "forged", 1, &[packet(sign), packet(Labels { sign: LABELS.seal, ..LABELS })]);
        each_is(scene, "unsealable", 1, &[packet(seal), packet(Labels { seal: LABELS.sign, ..LABELS })]);
        each_is(
            scene,
            "junk",
            0,
            &[packet(envelope), packet(Labels { envelope: envelope.envelope, ..LABELS })],
        );
        scene.assert_shut();
        assert_eq!(scene.judge(&packet(LABELS)), None);
    });
}

/// What an enrolled client can sign that is no request: most of it is one in other bytes.
fn malformed() -> Vec<[u8; 128]> {
    let request = |change: &dyn Fn(&mut [u8; 128])| {
        let mut bytes = sender().encode();
        change(&mut bytes);
        bytes
    };
    let services = |text: &'static str| {
        request(&move |bytes| {
            bytes[26..].fill(0);
            bytes[26..26 + text.len()].copy_from_slice(text.as_bytes());
        })
    };
    vec![
        [0; 128],
        [0xff; 128],
        request(&|bytes| bytes[0] = 0),
        request(&|bytes| bytes[0] = 4),
        request(&|bytes| bytes[0] = 255),
        request(&|bytes| bytes[1] |= 2),
        request(&|bytes| bytes[1] |= 0x80),
        // For nobody.
        request(&|bytes| bytes[1] = 0),
        // An address of IPv4 in the field of IPv6; loopback; multicast.
        request(&|bytes| bytes[20..26].copy_from_slice(&[0xff, 0xff, 192, 0, 2, 2])),
        request(&|bytes| bytes[25] = 1),
        request(&|bytes| bytes[10] = 0xff),
        // Behind the padding.
        request(&|bytes| bytes[127] = b'x'),
        request(&|bytes| bytes[30] = b' '),
        // A span for a close.
        request(&|bytes| (bytes[0], bytes[5]) = (2, 60)),
        services(""),
        services("SSH"),
        services("ssh,ssh"),
        services("ssh,"),
        services(",ssh"),
        services("tcp/022"),
        services("tcp/0"),
        services("tcp/65536"),
        services("sctp/22"),
        services("ssh;reboot"),
        services("$(reboot)"),
        services("../ssh"),
    ]
}

#[test]
fn what_a_client_signs_has_one_encoding_or_is_nothing() {
    attack(|scene| {
        let (key, alice) = (scene.key(), scene.alice.secret());
        let sign = |request| {
            let stamp = now();
            Plain::signed(&alice, &key, stamp, request).seal(&key, stamp).packet(&key).to_vec()
        };
        // So few at a time that the client's rate does not hide them.
        for requests in malformed().chunks(10) {
            let (older, packets) = (scene.packet(&sender()), requests.iter().copied().map(sign));
            each_is(scene, "malformed", 1, &packets.collect::<Vec<_>>());
            // They are the client's own, and newer than what it made before.
            assert_eq!(scene.judge(&older).as_deref(), Some("replayed"));
        }
        scene.assert_shut();
        assert_eq!(scene.judge(&scene.packet(&sender())), None);
    });
}

/// Weak randomness on the client costs it its secrecy, and nothing else: two packets with the same random bytes are
/// two packets, and neither counts twice.
#[test]
fn a_client_without_randomness_is_neither_replayed_nor_impersonated() {
    attack(|scene| {
        let key = scene.key();
        let device = Laptop::new(&scene.world.laptop, &scene.world.server);
        scene.server.enrol(&device, "bob", &["--door", "ssh"]);
        let weak = || knock_spa_proto::spa::SealRandom { ephemeral: [3; 32], nonce: [1; 24] };
        let packet = || knock_spa_proto::spa::seal(&key, &device.secret(), now(), &sender(), weak());
        let (first, second) = (packet(), packet());
        let content = Content::of(&key, &first).unwrap();
        assert_eq!(content.enc, Content::of(&key, &second).unwrap().enc);
        assert_eq!((scene.judge(&first), scene.judge(&second)), (None, None));
        scene.replace_listener();
        for packet in [&first, &second] {
            assert_eq!(scene.judge(packet).as_deref(), Some("replayed"));
        }
        // Who knows the ephemeral key reads the request. Without the client's key it can be put to no other use.
        let plain = content.unseal(&scene.secret()).unwrap();
        let request = stated(scene.world.stranger.v4).encode();
        let forged = Plain { request, ..plain }.seal(&key, now()).packet(&key).to_vec();
        each_is(scene, "forged", 1, &[forged]);
    });
}
