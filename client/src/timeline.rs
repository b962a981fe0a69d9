//! When to send packets, and when to try the ports.
//!
//! A SYN that meets a shut guard is dropped in silence, and the kernel repeats it only after a second. So
//! new connections are begun after each packet, soon at first and then less and less often: whatever the way
//! to the server and back takes, one of them arrives shortly after the door has opened.

use std::time::Duration;

/// Something to do at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// To send a fresh packet.
    Packet,
    /// To begin a connection to each port that has not answered.
    Probe,
}

/// Milliseconds after a packet at which connections begin.
const PROBES: [u64; 9] = [1, 2, 5, 10, 20, 50, 100, 200, 500];

/// Milliseconds between the packets of the first second, where there are several.
const BETWEEN_REPEATS: u64 = 100;

/// The most packets in the first second: so many fit into it.
pub(crate) const MAX_REPEAT: u8 = 10;

/// Milliseconds between packets after that.
const ROUND: u64 = 1000;

/// What to do and how long after the start: `repeat` packets in the first second, then one each second, for
/// ever.
pub(crate) fn timeline(repeat: u8) -> impl Iterator<Item = (Duration, Step)> {
    let first = round(0, repeat.min(MAX_REPEAT));
    first.into_iter().chain((1..).flat_map(|number| round(number, 1)))
}

/// Only the first packets: what to send where nothing is awaited.
pub(crate) fn packets(repeat: u8) -> impl Iterator<Item = Duration> {
    let first = round(0, repeat.min(MAX_REPEAT)).into_iter();
    first.filter(|(_, step)| *step == Step::Packet).map(|(at, _)| at)
}

fn round(number: u64, packets: u8) -> Vec<(Duration, Step)> {
    let packets = (0..u64::from(packets)).map(|i| (i.saturating_mul(BETWEEN_REPEATS), Step::Packet));
    let probes = PROBES.into_iter().map(|offset| (offset, Step::Probe));
    let mut steps: Vec<_> = packets.chain(probes).collect();
    steps.sort_by_key(|(offset, _)| *offset);
    let at = |offset: u64| Duration::from_millis(number.saturating_mul(ROUND).saturating_add(offset));
    steps.into_iter().map(|(offset, step)| (at(offset), step)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(repeat: u8, below: u64) -> String {
        let steps = timeline(repeat).take_while(|(at, _)| *at < Duration::from_millis(below));
        let letter = |step| if step == Step::Packet { '!' } else { ' ' };
        steps.map(|(at, step)| format!("{}{}", at.as_millis(), letter(step))).collect::<String>()
    }

    #[test]
    fn a_packet_each_second_and_probes_after_it() {
        assert_eq!(shown(1, 1002), "0!1 2 5 10 20 50 100 200 500 1000!1001 ");
        assert_eq!(shown(3, 1001), "0!1 2 5 10 20 50 100!100 200!200 500 1000!");
        assert_eq!(
            timeline(1).filter(|(_, step)| *step == Step::Packet).nth(86_400).unwrap().0.as_secs(),
            86_400
        );
    }

    #[test]
    fn repeats_are_bounded() {
        assert_eq!(packets(1).collect::<Vec<_>>(), [Duration::ZERO]);
        assert_eq!(packets(255).count(), 10);
        assert!(packets(10).all(|at| at < Duration::from_secs(1)));
    }
}
