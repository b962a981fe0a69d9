//! `tests/vectors.json`, which other implementations may read too.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::num::NonZeroU32;

use knock_spa_keys::client::{ClientLine, ClientSecret, ClientSecretLine};
use knock_spa_keys::invitation::InvitationLine;
use knock_spa_keys::sealed::ClientSealedLine;
use knock_spa_keys::server::{ServerLine, ServerSecret, ServerSecretLine};
use knock_spa_keys::text::Kind;
use ring::digest::{SHA256, digest};
use serde_json::Value;

use super::{World, bytes, octets};
use crate::refusal::Refusal;
use crate::service::Services;
use crate::spa::request::{Addresses, Close, Open, Request};
use crate::spa::statement::{Forged, Statement};
use crate::spa::{Enrol, EnvelopeKey, SealRandom, seal};
use crate::time::UnixTime;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../../tests/vectors.json")).unwrap()
}

fn text<'a>(of: &'a Value, name: &str) -> &'a str {
    of.get(name).and_then(Value::as_str).unwrap_or_else(|| panic!("no {name} in {of}"))
}

fn field<const N: usize>(of: &Value, name: &str) -> [u8; N] {
    bytes(text(of, name))
}

fn list(name: &str) -> Vec<Value> {
    vectors().get(name).and_then(Value::as_array).unwrap().clone()
}

/// A request as the vectors describe it.
fn request(of: &Value) -> Request {
    let services: Services = text(of, "services").parse().unwrap();
    let address = |name| of.get(name).and_then(Value::as_str);
    let mut to = Addresses::NONE;
    if of.get("sender").and_then(Value::as_bool).unwrap() {
        to = to.with_sender();
    }
    if let Some(v4) = address("v4") {
        to = to.with_v4(v4.parse().unwrap()).unwrap();
    }
    if let Some(v6) = address("v6") {
        to = to.with_v6(v6.parse().unwrap()).unwrap();
    }
    let ttl = of.get("ttl").and_then(Value::as_u64).map(|ttl| u32::try_from(ttl).unwrap());
    match text(of, "op") {
        "open" => Request::Open(Open::new(services, to, ttl.and_then(NonZeroU32::new)).unwrap()),
        "close" => Request::Close(Close::new(services, to)),
        other => panic!("{other}"),
    }
}

/// The server, its client, and the vector that says so.
fn world() -> (World, Value) {
    let vector = vectors().get("packet").unwrap().clone();
    let server = ServerSecret::from_bytes(field(&vector, "server_secret"));
    (World { server, client: ClientSecret::from_seed(field(&vector, "client_seed")) }, vector)
}

#[test]
fn the_packet_is_made_byte_for_byte() {
    let (World { server, client }, vector) = world();
    assert_eq!(server.public().as_bytes(), &field(&vector, "server_key"));
    assert_eq!(client.public().as_bytes(), &field(&vector, "client_key"));
    let stamp = UnixTime::from_nanos(text(&vector, "stamp").parse().unwrap());
    let random = SealRandom { ephemeral: field(&vector, "ephemeral"), nonce: field(&vector, "nonce") };
    let packet = seal(&server.public(), &client, stamp, &request(vector.get("request").unwrap()), random);
    assert_eq!(packet, field(&vector, "packet"));
    assert_eq!(digest(&SHA256, &packet).as_ref(), field::<32>(&vector, "sha256"));
}

#[test]
fn the_packet_is_read_field_by_field() {
    let (world, vector) = world();
    let request = request(vector.get("request").unwrap());
    let packet: [u8; 320] = field(&vector, "packet");
    assert_eq!(world.receive(&packet), Ok(request.clone()));

    let key = EnvelopeKey::of(&world.server.public());
    let enveloped = key.open(&packet).unwrap();
    assert_eq!(enveloped.stamp().as_nanos().to_string(), text(&vector, "stamp"));
    assert_eq!(enveloped.tag(), packet[304..]);
    let statement = enveloped.unseal(&world.server).unwrap();
    assert_eq!(statement.client(), &field(&vector, "client_key"));
    let (server, client) = (world.server.public(), world.client.public());
    let expected = [
        &field::<32>(&vector, "client_key")[..],
        &statement.stamp().as_nanos().to_be_bytes(),
        &field::<64>(&vector, "signature"),
        &field::<128>(&vector, "request_bytes"),
    ]
    .concat();
    assert_eq!(statement.to_bytes(), *expected);
    assert_eq!(Statement::from_bytes(statement.to_bytes()), statement);
    assert_eq!(client.verify(&field::<184>(&vector, "signed"), &field(&vector, "signature")), Ok(()));
    let proven = statement.verify(&client, &server).unwrap();
    assert_eq!((proven.client(), proven.stamp()), (&client, key.open(&packet).unwrap().stamp()));
    assert_eq!(proven.request(), Ok(request));
}

/// The server of the enrolment, its invitation in the place of a client, and the vector that says so.
fn enrolment() -> (World, Value) {
    let vector = vectors().get("enrolment").unwrap().clone();
    let server = ServerSecret::from_bytes(field(&vector, "server_secret"));
    (World { server, client: ClientSecret::from_seed(field(&vector, "invitation_seed")) }, vector)
}

#[test]
fn an_enrolment_is_made_byte_for_byte() {
    let (World { server, client: invitation }, vector) = enrolment();
    let device = ClientSecret::from_seed(field(&vector, "client_seed"));
    assert_eq!(invitation.public().as_bytes(), &field(&vector, "invitation_key"));
    assert_eq!(device.public().as_bytes(), &field(&vector, "client_key"));
    let request = Request::Enrol(Enrol::new(&device, &server.public(), &invitation.public()));
    assert_eq!(request.encode(), field(&vector, "request_bytes"));
    let stamp = UnixTime::from_nanos(text(&vector, "stamp").parse().unwrap());
    let random = SealRandom { ephemeral: field(&vector, "ephemeral"), nonce: field(&vector, "nonce") };
    let packet = seal(&server.public(), &invitation, stamp, &request, random);
    assert_eq!(packet, field(&vector, "packet"));
    assert_eq!(digest(&SHA256, &packet).as_ref(), field::<32>(&vector, "sha256"));
    let described = vector.get("request").unwrap();
    assert_eq!(device.sign(&field::<81>(&vector, "proven")), field::<64>(described, "proof"));
    assert_eq!(device.public().as_bytes(), &field(described, "new_key"));
}

#[test]
fn an_enrolment_is_proven_or_forged() {
    let (world, vector) = enrolment();
    let verified = |of: &Value| match world.receive(&octets(text(of, "packet"))) {
        Ok(Request::Enrol(enrol)) => enrol.verify(&world.server.public(), &world.client.public()),
        other => panic!("{other:?}"),
    };
    assert_eq!(verified(&vector).map(|key| *key.as_bytes()), Ok(field(&vector, "client_key")));
    let unproven = vector.get("unproven").and_then(Value::as_array).unwrap();
    assert!(unproven.len() >= 6);
    for of in unproven {
        assert_eq!(verified(of), Err(Forged), "{}", text(of, "why"));
        assert_eq!(Refusal::Forged.name(), text(of, "refusal"));
    }
}

/// What a line of the kind that is wanted holds, and the line that is written for it; none where it is refused.
fn line(wanted: Kind, line: &str) -> Option<(Vec<u8>, String)> {
    Some(match wanted {
        Kind::Server => {
            let line: ServerLine = line.parse().ok()?;
            (line.key.as_bytes().to_vec(), line.to_string())
        }
        Kind::Client => {
            let line: ClientLine = line.parse().ok()?;
            (line.key.as_bytes().to_vec(), line.to_string())
        }
        Kind::ServerSecret => {
            let line: ServerSecretLine = line.parse().ok()?;
            (line.secret.expose().to_vec(), line.to_text().to_string())
        }
        Kind::ClientSecret => {
            let line: ClientSecretLine = line.parse().ok()?;
            (line.secret.expose().to_vec(), line.to_text().to_string())
        }
        // What a passphrase seals has its own test.
        Kind::ClientSealed => {
            let line: ClientSealedLine = line.parse().ok()?;
            (Vec::new(), line.to_string())
        }
        Kind::Invitation => {
            let line: InvitationLine = line.parse().ok()?;
            let keys = [&line.server.key.as_bytes()[..], line.secret.expose()].concat();
            (keys, line.to_text().to_string())
        }
    })
}

#[test]
fn lines_are_read_and_written_as_they_are() {
    let lines = list("lines");
    for of in &lines {
        let written = text(of, "line");
        let kind = Kind::of_line(written).unwrap();
        if let Some(passphrase) = of.get("passphrase").and_then(Value::as_str) {
            let sealed: ClientSealedLine = written.parse().unwrap();
            let unsealed = sealed.unseal(passphrase.as_bytes()).unwrap();
            assert_eq!(unsealed.secret.expose(), &field(of, "key"));
            assert_eq!(line(kind, written), Some((Vec::new(), written.to_string())));
            continue;
        }
        assert_eq!(line(kind, written), Some((octets(text(of, "key")), written.to_string())));
        if let Some(fingerprint) = of.get("fingerprint").and_then(Value::as_str) {
            assert_eq!(fingerprint_of(kind, written), fingerprint);
        }
    }
    let mut kinds: Vec<_> = lines.iter().map(|of| Kind::of_line(text(of, "line")).unwrap().word()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds.len(), 6, "one of each kind at least");
}

fn fingerprint_of(kind: Kind, line: &str) -> String {
    if kind == Kind::Server {
        line.parse::<ServerLine>().unwrap().key.fingerprint().to_string()
    } else {
        line.parse::<ClientLine>().unwrap().key.fingerprint().to_string()
    }
}

#[test]
fn every_other_line_is_refused() {
    let lines = list("bad_lines");
    assert!(lines.len() >= 20);
    for of in lines {
        let wanted = Kind::of_line(text(&of, "wanted")).unwrap();
        assert_eq!(line(wanted, text(&of, "line")), None, "{}", text(&of, "why"));
    }
}

#[test]
fn requests_are_encoded_as_written() {
    let requests = list("requests");
    assert!(requests.len() >= 6);
    for vector in requests {
        let (request, encoded) = (request(&vector), field(&vector, "bytes"));
        assert_eq!(request.encode(), encoded, "{vector}");
        assert_eq!(Request::decode(&encoded), Ok(request), "{vector}");
    }
}

#[test]
fn every_other_packet_is_refused_where_the_vectors_say() {
    let (world, _) = world();
    let refused = list("refused");
    let mut seen = Vec::new();
    for vector in refused {
        let refusal = world.receive(&octets(text(&vector, "packet"))).unwrap_err();
        assert_eq!(refusal.name(), text(&vector, "refusal"), "{}", text(&vector, "why"));
        let stage = Refusal::ALL.iter().position(|of| *of == refusal).unwrap();
        assert_eq!(vector.get("stage").and_then(Value::as_u64), u64::try_from(stage).ok());
        seen.push(refusal);
    }
    seen.dedup();
    let known = [
        Refusal::WrongLength,
        Refusal::Junk,
        Refusal::Unsealable,
        Refusal::UnknownClient,
        Refusal::Forged,
        Refusal::Malformed,
    ];
    assert_eq!(seen, known);
}

#[test]
fn the_specification_shows_the_same_packet() {
    let text = include_str!("../../../../docs/protocol.md").split_whitespace().collect::<String>();
    let (_, vector) = world();
    for (name, value) in vector.as_object().unwrap() {
        let Some(value) = value.as_str() else { continue };
        // These two are other values there, one after another.
        assert!(name == "signed" || name == "sealed" || text.contains(value), "{name}");
    }
    let (_, vector) = enrolment();
    for name in ["invitation_seed", "invitation_key", "client_seed", "client_key", "request_bytes", "sha256"]
    {
        assert!(text.contains(vector.get(name).and_then(Value::as_str).unwrap()), "{name} of the enrolment");
    }
}
