//! What the administrator opens and closes by hand.

use super::*;
use crate::admit::local::{LocalOpen, NotOpened, Which};

fn local(door: &str, at: &str) -> LocalOpen {
    LocalOpen { door: name(door), address: address(at), lease: None, beyond: false }
}

fn lasting(seconds: u64) -> LocalOpen {
    LocalOpen { lease: Some(Lease::For(secs(seconds))), ..local("ssh", ALICE4) }
}

impl World {
    fn open_by_hand(&mut self, open: &LocalOpen) -> Result<(), NotOpened> {
        let opened = self.admit.handle_local_open(open, self.now);
        self.settle();
        opened
    }

    fn close_by_hand(&mut self, which: &Which) -> usize {
        let count = self.admit.handle_close(which, Flows::LiveOn, self.now);
        self.settle();
        count
    }
}

#[test]
fn a_door_opens_by_hand_for_as_long_as_it_does_by_itself_and_asking_again_extends() {
    let mut world = World::new(everything());
    assert_eq!(world.open_by_hand(&local("ssh", ALICE4)), Ok(()));
    assert_eq!(world.left(element(ALICE4, "tcp/22")), Some(secs(60)));
    assert_eq!(world.status(), ["ssh 198.51.100.7 administrator 60"]);
    assert_eq!(world.open_by_hand(&lasting(600)), Ok(()));
    assert_eq!(world.open_by_hand(&lasting(5)), Ok(()));
    assert_eq!(world.status(), ["ssh 198.51.100.7 administrator 600"]);
    assert_eq!(
        world.admit.local_left(name("ssh"), address(ALICE4), world.now),
        Some(Some(secs(600))),
        "what is in force is told"
    );
    assert_eq!(world.admit.accepted(), 0, "no packet was accepted");
    world.pass(secs(600));
    assert!(world.guard().is_empty());
    assert_eq!(world.admit.local_left(name("ssh"), address(ALICE4), world.now), None);
}

#[test]
fn a_door_opens_by_hand_no_longer_than_its_longest_unless_that_is_asked_for() {
    let mut world = World::new(everything());
    assert_eq!(world.open_by_hand(&lasting(3601)), Err(NotOpened::TooLong(secs(3600))));
    assert!(world.status().is_empty());
    assert_eq!(world.open_by_hand(&LocalOpen { beyond: true, ..lasting(7200) }), Ok(()));
    // What was opened by hand is bound by no policy, also when that changes.
    let shorter = [Door { max_open: Lease::For(secs(60)), ..door("ssh", &["tcp/22"]) }];
    world.reload(rules(shorter.into(), clients()));
    assert_eq!(world.status(), ["ssh 198.51.100.7 administrator 7200"]);
    world.reload(rules([door("web", &["tcp/443"])].into(), clients()));
    assert!(world.status().is_empty() && world.guard().is_empty(), "a door that is gone is shut");
}

#[test]
fn nothing_opens_by_hand_that_is_no_door_or_nobody_elses_address() {
    let mut world = World::new(everything());
    assert_eq!(world.open_by_hand(&local("nothing", ALICE4)), Err(NotOpened::NoDoor(name("nothing"))));
    for own in [OWN4, OWN6, "127.0.0.1", "0.0.0.0", "224.0.0.1"] {
        let refused = world.open_by_hand(&local("ssh", own));
        assert_eq!(refused, Err(NotOpened::NoStranger(address(own))), "{own}");
    }
    assert!(world.guard().is_empty() && world.disk.durable.len() < 5);
}

#[test]
fn what_is_opened_by_hand_is_shared_with_clients_and_outlives_them() {
    let mut world = World::new(everything());
    world.ask(&alice(), &open("ssh"), ALICE4);
    assert_eq!(world.open_by_hand(&lasting(600)), Ok(()));
    assert_eq!(world.status().len(), 2);
    assert_eq!(world.guard(), [element(ALICE4, "tcp/22")]);
    world.ask(&alice(), &close("ssh"), ALICE4);
    assert_eq!(world.left(element(ALICE4, "tcp/22")), Some(secs(600)), "a client closes its own alone");
    world.reload(rules(doors(), Vec::new()));
    assert_eq!(world.status(), ["ssh 198.51.100.7 administrator 600"]);
}

#[test]
fn commands_run_by_hand_as_for_anybody_and_stop_in_time() {
    let mut world = World::new(everything());
    assert_eq!(world.open_by_hand(&local("vpn", ALICE4)), Ok(()));
    assert_eq!(world.shell.open.len(), 1);
    world.pass(secs(60));
    assert!(world.shell.open.is_empty() && world.status().is_empty());
}

#[test]
fn what_is_opened_by_hand_is_on_record_and_survives_a_restart() {
    let mut world = World::new(everything());
    assert_eq!(world.open_by_hand(&lasting(600)), Ok(()));
    world.crash();
    assert_eq!(world.status(), ["ssh 198.51.100.7 administrator 600"]);
    assert_eq!(world.close("ssh", None), 1);
    world.crash();
    assert!(world.status().is_empty());
}

#[test]
fn commands_do_not_run_by_hand_either_where_nothing_can_be_recorded() {
    let mut world = World::new(everything());
    world.disk.broken = true;
    assert_eq!(world.open_by_hand(&local("vpn", ALICE4)), Ok(()));
    assert!(world.shell.open.is_empty());
    assert_eq!(world.admit.local_left(name("vpn"), address(ALICE4), world.now), None);
    assert_eq!(world.open_by_hand(&local("ssh", ALICE4)), Ok(()));
    assert_eq!(world.guard(), [element(ALICE4, "tcp/22")], "the administrator must get in");
}

#[test]
fn the_administrator_closes_by_door_address_and_client() {
    let all = |world: &mut World| {
        world.ask(&alice(), &open("ssh,web").at(ALICE6), ALICE4);
        world.ask(&bob(), &open("ssh"), BOB4);
        assert_eq!(world.open_by_hand(&local("ssh", ALICE4)), Ok(()));
        assert_eq!(world.status().len(), 6);
    };
    let nothing = Which::default();
    let ssh = Which { door: Some(name("ssh")), ..nothing.clone() };
    for (which, closed) in [
        (nothing.clone(), 6),
        (ssh.clone(), 4),
        (Which { address: Some(address(ALICE4)), ..ssh.clone() }, 2),
        (Which { client: Some("alice".into()), ..nothing.clone() }, 4),
        (Which { client: Some("alice".into()), ..ssh }, 2),
        (Which { client: Some("administrator".into()), ..nothing }, 0),
    ] {
        let mut world = World::new(everything());
        all(&mut world);
        assert_eq!(world.close_by_hand(&which), closed, "{which:?}");
        assert_eq!(world.status().len(), 6 - closed);
    }
}

#[test]
fn a_dry_run_knows_what_was_taken_and_has_nothing_open() {
    let mut world = World::new(everything());
    // Of a client whose clock is ahead, so that the time of the start alone refuses nothing.
    let claim = world.claim_ahead(secs(30), &alice(), &open("ssh"), ALICE4);
    world.deliver(&claim);
    assert_eq!(world.status().len(), 1);
    let rehearse = |history: History| {
        let own = [OWN4, OWN6].map(address).into();
        let mut admit = Restored::new(history, everything(), own, [0; 16], world.now).admit;
        assert_eq!(admit.openings(world.now.boot).count(), 0);
        admit.handle_claim(&claim, world.now);
        admit.refused().of(Refusal::Replayed)
    };
    let mut history = History::default();
    world.disk.durable.iter().cloned().for_each(|record| history.push(record));
    let mut history = history.marks_alone();
    history.push(Record::Key(server().public()));
    assert_eq!(rehearse(history), 1);
    let mut nothing = History::default();
    nothing.push(Record::Key(server().public()));
    assert_eq!(rehearse(nothing), 0, "it is the marks that refuse it");
}
