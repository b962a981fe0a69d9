//! Classic knocks, from the bytes of their packets on.

use knock_spa_proto::knock::{ClassicKnock, DoorNumber, FlagRule, Sequence, Step, TcpFlags, TimeLimit};
use knock_spa_proto::port::Transport;

use super::*;

pub(super) fn door(number: u32, steps: &[(Transport, u16)]) -> ClassicDoor {
    let steps = steps.iter().map(|(transport, port)| Step { transport: *transport, port: *port });
    let flags = FlagRule::default().requiring(TcpFlags::SYN).forbidding(TcpFlags::ACK);
    let sequence = Sequence::new(steps.collect()).unwrap();
    let knock = ClassicKnock::new(sequence, TimeLimit::Span(Duration::from_secs(5)), flags);
    ClassicDoor { number: DoorNumber(number), knock }
}

const STEPS: [(Transport, u16); 3] = [(Transport::Tcp, 7000), (Transport::Udp, 8000), (Transport::Tcp, 9000)];

fn scene() -> Scene {
    Scene::new(Orders { doors: [door(1, &STEPS)].into(), ..orders() })
}

fn step(from: &str, to: &str, (transport, port): (Transport, u16)) -> Vec<u8> {
    match transport {
        Transport::Tcp => wire::tcp(from, to, port, TcpFlags::SYN),
        Transport::Udp => wire::udp(from, to, port, b"anything"),
    }
}

fn knock(scene: &mut Scene, from: &str, to: &str, steps: &[(Transport, u16)]) -> Done {
    scene.during(|scene| {
        for packet in steps {
            scene.watch.handle_packet(&step(from, to, *packet), scene.now);
        }
    })
}

fn opened(from: &str) -> Done {
    let report = Report::Knock { door: DoorNumber(1), from: address(from) };
    Done { reports: [report].into(), ..Done::nothing() }
}

#[test]
fn a_sequence_opens_over_either_family() {
    let mut scene = scene();
    assert_eq!(knock(&mut scene, CLIENT4, SERVER4, &STEPS), opened(CLIENT4));
    assert_eq!(knock(&mut scene, CLIENT6, SERVER6, &STEPS), opened(CLIENT6));
    assert_eq!(scene.watch.counters(), &Counters::default(), "what is counted are SPA packets");
}

#[test]
fn steps_to_other_machines_and_other_transports_do_not_count() {
    let mut scene = scene();
    assert_eq!(knock(&mut scene, CLIENT4, "192.0.2.2", &STEPS), Done::nothing());
    let swapped = STEPS.map(|(transport, port)| match transport {
        Transport::Tcp => (Transport::Udp, port),
        Transport::Udp => (Transport::Tcp, port),
    });
    assert_eq!(knock(&mut scene, CLIENT4, SERVER4, &swapped), Done::nothing());
    assert_eq!(knock(&mut scene, CLIENT4, SERVER4, &STEPS), opened(CLIENT4), "nothing of it stuck");
}

#[test]
fn a_sequence_takes_no_longer_than_it_may() {
    let mut scene = scene();
    assert_eq!(knock(&mut scene, CLIENT4, SERVER4, &STEPS[..2]), Done::nothing());
    scene.now = scene.now.saturating_add(Duration::from_millis(4999));
    assert_eq!(knock(&mut scene, CLIENT4, SERVER4, &STEPS[2..]), opened(CLIENT4));
    assert_eq!(knock(&mut scene, CLIENT4, SERVER4, &STEPS[..2]), Done::nothing());
    scene.now = scene.now.saturating_add(Duration::from_secs(5));
    assert_eq!(knock(&mut scene, CLIENT4, SERVER4, &STEPS[2..]), Done::nothing());
}

#[test]
fn the_spa_port_is_no_step_over_udp() {
    let steps = [(Transport::Udp, SPA_PORT)];
    let mut scene = Scene::new(Orders { doors: [door(1, &steps)].into(), ..orders() });
    assert_eq!(knock(&mut scene, CLIENT4, SERVER4, &steps), Done::refused(Refusal::WrongLength, 0));
}

#[test]
fn attempts_in_progress_survive_new_orders() {
    let mut scene = scene();
    assert_eq!(knock(&mut scene, CLIENT4, SERVER4, &STEPS[..2]), Done::nothing());
    let doors = [door(2, &[(Transport::Tcp, 1)]), door(1, &STEPS)].into();
    scene.watch.handle_orders(Orders { generation: 2, doors, ..orders() });
    assert_eq!(scene.watch.poll_report(), Some(Report::Ready { generation: 2 }));
    assert_eq!(knock(&mut scene, CLIENT4, SERVER4, &STEPS[2..]), opened(CLIENT4));
}

#[test]
fn a_mapped_address_is_the_address_it_maps() {
    let mut scene = scene();
    let done = knock(&mut scene, "::ffff:198.51.100.7", "::ffff:192.0.2.1", &STEPS);
    assert_eq!(done, opened(CLIENT4));
}
