//! The text of steps.

use std::net::IpAddr;

use super::packet::{Packet, Shape};
use super::sequence::Protocol;
use super::trace::{SERVER, SERVER_6, Step};

/// Those who knock: their short names and their addresses.
const SOURCES: [(&str, &str); 6] = [
    ("a", "198.51.100.1"),
    ("b", "198.51.100.2"),
    ("c", "198.51.100.3"),
    ("x", "2001:db8:9::1"),
    ("y", "2001:db8:9::2"),
    ("z", "2001:db8:9::3"),
];

/// Reads steps, which are words:
///
/// - `a:` or `192.0.2.7:` says who knocks from now on, and `>2` or `>192.0.2.7` where: `>1` and `>2` are the
///   server's addresses of IPv4, `>6` and `>l` those of IPv6. A new source knocks at the first of its family.
/// - `7000`, `7000u`, `7000+sa` is a packet: a SYN, a datagram, a segment with these flags. `7000o` has options
///   of IPv4, `7000f` is a later fragment, `7000i` is ICMP, `7000e` is behind an extension header.
/// - `~1000` waits so many milliseconds; `=` waits until all is dealt with.
/// - `HUP`, `TERM`, `INT`, `WRITE`; `mv:log:log.1`; `ip:link_set_eth0_down`.
///
/// # Panics
/// For any other word.
#[must_use]
pub fn parse(text: &str) -> Vec<Step> {
    let mut aim = Aim { from: address("a"), to: address("1") };
    text.split_whitespace().filter_map(|word| aim.read(word)).collect()
}

/// Who knocks where.
struct Aim {
    from: IpAddr,
    to: IpAddr,
}

fn address(word: &str) -> IpAddr {
    let text = match word {
        "1" => SERVER[0],
        "2" => SERVER[1],
        "6" => SERVER_6[0],
        "l" => SERVER_6[1],
        _ => SOURCES.iter().find(|(name, _)| *name == word).map_or(word, |(_, text)| *text),
    };
    text.parse().unwrap_or_else(|_| panic!("{word:?} is nobody"))
}

impl Aim {
    fn read(&mut self, word: &str) -> Option<Step> {
        if let Some(from) = word.strip_suffix(':') {
            self.from = address(from);
            self.to = address(if self.from.is_ipv4() { "1" } else { "6" });
            return None;
        }
        if let Some(to) = word.strip_prefix('>') {
            self.to = address(to);
            return None;
        }
        Some(match word {
            "=" => Step::Sync,
            "HUP" => Step::Reload,
            "TERM" => Step::Terminate,
            "INT" => Step::Interrupt,
            "WRITE" => Step::Write,
            _ => self.other(word),
        })
    }

    fn other(&self, word: &str) -> Step {
        if let Some(milliseconds) = word.strip_prefix('~') {
            return Step::Wait(milliseconds.parse().expect("milliseconds"));
        }
        if let Some(command) = word.strip_prefix("ip:") {
            return Step::Ip(command.replace('_', " "));
        }
        if let Some((from, to)) = word.strip_prefix("mv:").and_then(|names| names.split_once(':')) {
            return Step::Rename { from: from.to_owned(), to: to.to_owned() };
        }
        Step::Hit(self.packet(word))
    }

    fn packet(&self, word: &str) -> Packet {
        let (number, kind) = word.split_at(word.find(|c: char| !c.is_ascii_digit()).unwrap_or(word.len()));
        let port = number.parse().unwrap_or_else(|_| panic!("{word:?} is no step"));
        let plain = Packet {
            from: self.from,
            to: self.to,
            protocol: Protocol::Tcp,
            port,
            flags: 0x02,
            shape: Shape::Plain,
        };
        match kind {
            "" => plain,
            "u" => Packet { protocol: Protocol::Udp, ..plain },
            "o" => Packet { shape: Shape::Options, ..plain },
            "f" => Packet { shape: Shape::LaterFragment, ..plain },
            "i" => Packet { shape: Shape::Icmp, ..plain },
            "e" => Packet { shape: Shape::Extension, ..plain },
            _ => Packet { flags: flags(kind), ..plain },
        }
    }
}

/// The bits of `+sa`.
fn flags(kind: &str) -> u8 {
    let letters = kind.strip_prefix('+').unwrap_or_else(|| panic!("{kind:?} is no kind of packet"));
    let bits = letters.chars().map(|letter| match "fsrpauec".find(letter) {
        Some(bit) => 1 << bit,
        None => panic!("{letter:?} is no flag"),
    });
    bits.fold(0, |all, bit: u8| all | bit)
}
