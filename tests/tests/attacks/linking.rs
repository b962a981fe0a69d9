//! Whoever records packets and does not know the server's key cannot tell them from noise, nor two of one client from
//! two of two. The measures are shown to find what is there to be found: a bare ephemeral key, a clear time, a key's
//! name.

use std::time::Duration;

use knock_spa_keys::client::ClientSecret;
use knock_spa_keys::server::ServerSecret;
use knock_spa_proto::spa::{PACKET_LEN, SealRandom, seal};
use knock_spa_proto::time::UnixTime;
use knock_spa_tests::attacker::Content;
use ring::digest::{SHA256, digest};

use crate::scene::sender;

/// Packets of both clients together.
const PACKETS: u32 = 20_000;

/// How many standard deviations are no accident, among some hundred thousand measures. As the randomness is fixed, the
/// test passes always or never.
const LIMIT: f64 = 6.0;

type Packet = [u8; PACKET_LEN];

/// Packets of two clients to one server, by turns, each a quarter of a second after the one before, for the same.
fn packets() -> Vec<Packet> {
    let server = server().public();
    let clients = [9, 10].map(|seed| ClientSecret::from_seed([seed; 32]));
    let client = clients.iter().cycle();
    let packet = |(number, client): (u32, &ClientSecret)| {
        let random = digest(&SHA256, &number.to_be_bytes());
        let nonce = digest(&SHA256, random.as_ref()).as_ref()[..24].try_into().unwrap();
        let random = SealRandom { ephemeral: random.as_ref().try_into().unwrap(), nonce };
        let start = UnixTime::from_nanos(1_790_000_000_123_456_789);
        let stamp = start.saturating_add(Duration::from_millis(250) * number);
        seal(&server, client, stamp, &sender(), random)
    };
    (0..PACKETS).zip(client).map(packet).collect()
}

fn server() -> ServerSecret {
    ServerSecret::from_bytes([7; 32])
}

/// How far a count is from what it should be, in standard deviations: of so many tries with this chance each.
fn deviations(count: u32, tries: u32, chance: f64) -> f64 {
    let expected = f64::from(tries) * chance;
    (f64::from(count) - expected).abs() / (expected * (1.0 - chance)).sqrt()
}

/// What is not as it is in noise, by the bytes where that is.
fn marks(packets: &[Packet]) -> Vec<String> {
    let mut marks: Vec<_> = (0..PACKET_LEN).flat_map(|at| marks_at(packets, at)).collect();
    marks.extend(repeats(packets));
    marks
}

/// The same of one byte: each of its bits is set in half of the packets, each value is there equally often, and two
/// packets agree in it as often as chance has it, whether they are of one client, one after the other, or of two.
fn marks_at(packets: &[Packet], at: usize) -> Vec<String> {
    let column: Vec<u8> = packets.iter().map(|packet| packet[at]).collect();
    let (values, mut marks) = (Values::of(column.iter().copied()), Vec::new());
    if values.are_uneven_in_bits() {
        marks.push(format!("bits of byte {at}"));
    }
    if values.are_uneven() {
        marks.push(format!("values of byte {at}"));
    }
    for (whose, distance) in [("one client", 2), ("two clients", 1)] {
        let changes = column.iter().zip(&column[distance..]).map(|(one, other)| one ^ other);
        let changes = Values::of(changes);
        if changes.are_uneven_in_bits() || deviations(changes.counts[0], changes.tries, 1.0 / 256.0) > LIMIT {
            marks.push(format!("link in byte {at} of {whose}"));
        }
    }
    marks
}

/// How often a byte has each of its values.
struct Values {
    counts: [u32; 256],
    tries: u32,
}

impl Values {
    fn of(bytes: impl Iterator<Item = u8>) -> Self {
        let mut counts = [0; 256];
        bytes.for_each(|byte| counts[usize::from(byte)] += 1);
        Self { counts, tries: counts.iter().sum() }
    }

    fn are_uneven_in_bits(&self) -> bool {
        (0..8).any(|bit| {
            let set = self.counts.iter().enumerate().filter(|(value, _)| value >> bit & 1 == 1);
            deviations(set.map(|(_, count)| count).sum(), self.tries, 0.5) > LIMIT
        })
    }

    /// The sum of squares has the distribution of chi squared, whose cube root is nearly normal (Wilson and Hilferty).
    fn are_uneven(&self) -> bool {
        let expected = f64::from(self.tries) / 256.0;
        let squares = self.counts.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected);
        let spread = 2.0 / (9.0 * 255.0_f64);
        (((squares.sum::<f64>() / 255.0).cbrt() - (1.0 - spread)) / spread.sqrt()).abs() > LIMIT
    }
}

/// No eight bytes come twice, wherever in whichever packet.
fn repeats(packets: &[Packet]) -> Vec<String> {
    let words = |packet: &Packet| packet.as_chunks::<8>().0.to_vec();
    let mut all: Vec<[u8; 8]> = packets.iter().flat_map(words).collect();
    all.sort_unstable();
    if all.windows(2).any(|pair| pair[0] == pair[1]) { vec!["words that repeat".into()] } else { vec![] }
}

/// With bytes of what the envelope hides laid bare.
fn bared(packets: &[Packet], bare: impl Fn(usize, &mut Packet, &Content)) -> Vec<Packet> {
    let key = server().public();
    let mut packets = packets.to_vec();
    for (number, packet) in packets.iter_mut().enumerate() {
        let content = Content::of(&key, &*packet).unwrap();
        bare(number, packet, &content);
    }
    packets
}

#[test]
fn twenty_thousand_packets_are_noise_and_nothing_links_two_of_them() {
    let packets = packets();
    assert_eq!(marks(&packets), [""; 0]);
    // Without the envelope the ephemeral key stands bare: the top bit of its last byte is never set.
    let bare = bared(&packets, |_, packet, content| packet[32..64].copy_from_slice(&content.enc));
    assert_eq!(
        marks(&bare),
        [
            "bits of byte 63",
            "values of byte 63",
            "link in byte 63 of one client",
            "link in byte 63 of two clients"
        ]
    );
    // The time in clear: its higher bytes are the same for all.
    let dated = bared(&packets, |_, packet, content| {
        packet[24..32].copy_from_slice(&content.stamp.as_nanos().to_be_bytes());
    });
    for at in 24..27 {
        assert_eq!(marks_at(&dated, at).len(), 4, "{at}");
    }
    // A byte that names the client; and one under a mask that is used twice.
    let named = bared(&packets, |number, packet, _| packet[100] = [0x3a, 0xc5][number % 2]);
    assert!(marks_at(&named, 100).contains(&"link in byte 100 of one client".to_owned()));
    let masked = bared(&packets, |number, packet, _| packet[200] = packets[number / 4 * 4 + number % 2][200]);
    assert!(marks_at(&masked, 200).contains(&"link in byte 200 of one client".to_owned()));
    // A nonce that comes twice, as from a weak generator.
    let weak = bared(&packets, |number, packet, _| {
        packet[..24].copy_from_slice(&packets[number % (packets.len() - 1)][..24]);
    });
    assert_eq!(repeats(&weak), ["words that repeat"]);
}
