//! The look that every attack ends with would see what it looks for.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use knock_spa_tests::lab::{Echo, PATIENCE, until};
use knock_spa_tests::laptop::now;

use crate::scene::{Scene, attack, sender};

/// What is wrong, in the words of the look.
fn fault(scene: &Scene<'_>) -> String {
    let looked = catch_unwind(AssertUnwindSafe(|| scene.look()));
    *looked.expect_err("something is wrong").downcast::<String>().unwrap()
}

#[test]
fn an_answer_would_be_seen() {
    attack(|scene| {
        scene.look();
        // Somebody answers on the server, for once: a program at one port, and the kernel at another.
        let _echo = Echo::udp(&scene.world.server, 7);
        let from = SocketAddr::new(scene.world.stranger.v4.into(), 0);
        for (port, what) in [(7, "protocol 17, 9 bytes"), (9, "protocol 1, 37 bytes")] {
            let to = SocketAddr::new(scene.world.server.v4.into(), port);
            scene.world.stranger.send_udp(from, to, b"?");
            let said = fault(scene);
            assert!(said.contains(&format!("198.51.100.2, {what}")), "{said}");
        }
        scene.look();
    });
}

/// A key agreement too much: for a packet that the test has not accounted for.
#[test]
fn a_key_agreement_too_much_would_be_seen() {
    attack(|scene| {
        let ip = scene.world.stranger.v4.into();
        let packet = scene.alice.seal(&scene.key(), now(), &sender());
        scene.world.stranger.send_udp(SocketAddr::new(ip, 0), scene.port(ip), &packet);
        until(PATIENCE, "the packet", || scene.counters().accepted == 1);
        let said = fault(scene);
        assert!(said.contains("1 key agreements, 0 allowed"), "{said}");
        scene.expect(&packet);
    });
}
