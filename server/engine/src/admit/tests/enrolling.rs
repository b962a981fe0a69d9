//! How invitations become clients, and how they do not.

mod random;

use alloc::format;

use knock_spa_proto::spa::Enrol;

use super::world::files::Write;
use super::*;
use crate::client::ClientName;
use crate::invitation::Invitation;

const HOUR: Duration = Duration::from_secs(3600);

/// The key of an invitation, or of a device.
fn secret(number: u8) -> ClientSecret {
    ClientSecret::from_seed([number; 32])
}

/// The invitation's own key.
const LAPTOP: u8 = 20;
const PHONE: u8 = 21;
/// Devices.
const DEVICE: u8 = 30;
const OTHER: u8 = 31;

fn invitation(name: &str, number: u8, world_start: UnixTime) -> Invitation {
    let client = client(name, &secret(number), &["ssh", "web"]);
    Invitation { client, expires: world_start.saturating_add(HOUR), used_by: None }
}

fn start() -> UnixTime {
    UnixTime::from_nanos(1_790_000_000_000_000_000)
}

/// Alice is enrolled, and a laptop and a phone are invited.
fn invited() -> Rules {
    let invitations = [invitation("laptop", LAPTOP, start()), invitation("phone", PHONE, start())];
    only(client("alice", &alice(), &["ssh"])).with_invitations(invitations.into())
}

/// Asks to enrol a device by an invitation.
fn asks(invitation: u8, device: u8) -> Request {
    Request::Enrol(Enrol::new(&secret(device), &server().public(), &secret(invitation).public()))
}

impl World {
    /// The device asks to be enrolled by the invitation, and everything that follows is done.
    fn enrol(&mut self, invitation: u8, device: u8) -> Claim {
        let claim = self.request(&secret(invitation), &asks(invitation, device), ALICE4);
        self.deliver(&claim);
        claim
    }

    /// Who is enrolled, by the rules in force and by the files, which tell the same.
    fn enrolled(&self) -> Vec<String> {
        let names = |clients: &mut dyn Iterator<Item = &Client>| {
            let mut names: Vec<_> =
                clients.map(|client| format!("{} {}", client.name, client.key.fingerprint())).collect();
            names.sort_unstable();
            names
        };
        let by_rules = names(&mut self.admit.rules().clients());
        assert_eq!(by_rules, names(&mut self.files.clients.values()));
        by_rules
    }

    /// Whether this device, and nobody but it and alice, is enrolled as the laptop.
    fn has_enrolled(&self, device: u8) -> bool {
        let by = |name, secret: &ClientSecret| format!("{name} {}", secret.public().fingerprint());
        let is_marked = |world: &Self| world.used_by("laptop") == Some(secret(device).public());
        self.enrolled() == [by("alice", &alice()), by("laptop", &secret(device))] && is_marked(self)
    }

    fn used_by(&self, name: &str) -> Option<ClientKey> {
        self.files.invitations[&name.parse::<ClientName>().unwrap()].used_by
    }
}

#[test]
fn an_invitation_makes_a_client_of_whoever_proves_both_keys() {
    let mut world = World::new(invited());
    assert_eq!(world.admit.pending_invitations(world.now.unix), 2);
    world.enrol(LAPTOP, DEVICE);
    assert!(world.has_enrolled(DEVICE));
    let later = world.now.unix.saturating_add(HOUR);
    assert_eq!([world.now.unix, later].map(|now| world.admit.pending_invitations(now)), [1, 0]);
    let said = Event::Enrolled { name: "laptop".into(), key: secret(DEVICE).public(), from: address(ALICE4) };
    assert_eq!(world.take_said(), [said]);
    assert_eq!((world.admit.accepted(), world.refused()), (1, [].into()));
    // And it has the rights that the invitation had.
    world.ask(&secret(DEVICE), &open("ssh,web"), BOB4);
    assert_eq!(world.guard().len(), 3);
    // Of a restart too.
    world.crash();
    assert!(world.has_enrolled(DEVICE));
    world.ask(&secret(DEVICE), &open("vpn"), BOB4);
    assert_eq!(world.refused(), [(Refusal::Unauthorised, 1)]);
}

#[test]
fn the_same_key_again_is_counted_and_changes_nothing_and_another_is_refused() {
    let mut world = World::new(invited());
    let claim = world.enrol(LAPTOP, DEVICE);
    world.enrol(LAPTOP, DEVICE);
    world.enrol(LAPTOP, OTHER);
    world.deliver(&claim);
    let counted = [(Refusal::Replayed, 1), (Refusal::Taken, 1), (Refusal::AlreadyEnrolled, 1)];
    assert_eq!(world.refused(), counted);
    assert!(world.has_enrolled(DEVICE) && world.admit.accepted() == 1);
    // A client that was removed does not come back, by either key.
    world.files.clients.remove(&"laptop".parse().unwrap());
    world.crash();
    world.enrol(LAPTOP, DEVICE);
    world.enrol(LAPTOP, OTHER);
    assert_eq!(world.refused(), [(Refusal::Taken, 1), (Refusal::AlreadyEnrolled, 1)]);
    assert_eq!(world.enrolled().len(), 1);
}

#[test]
fn invitations_that_are_gone_leave_nothing_but_marks() {
    let mut world = World::new(invited());
    world.enrol(LAPTOP, DEVICE);
    world.enrol(LAPTOP, OTHER);
    assert_eq!(world.admit.buckets.len(), 1);
    world.reload(only(client("alice", &alice(), &["ssh"])));
    assert_eq!((world.admit.buckets.len(), world.admit.marks.len()), (0, 1));
}

/// The keeper hears that the client is gone, and not that its invitation is used.
#[test]
fn an_invitation_stays_used_in_the_rules() {
    let mut world = World::new(invited());
    world.enrol(LAPTOP, DEVICE);
    let rules = world.admit.rules().clone().with_clients(Vec::new()).unwrap();
    world.admit.handle_clients(rules, None, world.now);
    world.enrol(LAPTOP, OTHER);
    world.enrol(LAPTOP, DEVICE);
    assert_eq!(world.refused(), [(Refusal::Taken, 1), (Refusal::AlreadyEnrolled, 1)]);
    assert_eq!((world.files.made.len(), world.admit.rules().clients().count()), (1, 0));
}

#[test]
fn an_invitation_may_do_nothing_else_and_a_client_may_not_enrol() {
    let mut world = World::new(invited());
    world.ask(&secret(LAPTOP), &open("ssh"), ALICE4);
    world.ask(&secret(LAPTOP), &close("ssh"), ALICE4);
    let by_client = Enrol::new(&secret(DEVICE), &server().public(), &alice().public());
    for request in [Request::Enrol(by_client), asks(LAPTOP, DEVICE)] {
        let claim = world.request(&alice(), &request, ALICE4);
        world.deliver(&claim);
    }
    assert_eq!(world.refused(), [(Refusal::Unauthorised, 4)]);
    assert_eq!((world.enrolled().len(), world.guard().len(), world.used_by("laptop")), (1, 0, None));
    let told: Vec<_> = world.admit.latest_refusals().map(|refused| refused.client.clone().unwrap()).collect();
    assert_eq!(told, ["invitation laptop", "invitation laptop", "alice", "alice"]);
}

#[test]
fn one_key_alone_proves_nothing() {
    let other_server = ServerSecret::from_bytes([8; 32]).public();
    let by = |server: &ServerKey, device: u8, invitation: u8| {
        Request::Enrol(Enrol::new(&secret(device), server, &secret(invitation).public()))
    };
    let here = server().public();
    let mut stolen = asks(LAPTOP, DEVICE).encode();
    stolen[6..38].copy_from_slice(secret(OTHER).public().as_bytes());
    let cases = [
        // The new key agreed to be enrolled elsewhere, or by another invitation, or not at all.
        (Refusal::Forged, by(&other_server, DEVICE, LAPTOP), LAPTOP),
        (Refusal::Forged, by(&here, DEVICE, PHONE), LAPTOP),
        (Refusal::Forged, Request::decode(&stolen).unwrap(), LAPTOP),
        // The new key's agreement alone, signed by nobody who is invited.
        (Refusal::UnknownClient, asks(LAPTOP, DEVICE), DEVICE),
        (Refusal::UnknownClient, asks(LAPTOP, DEVICE), OTHER),
    ];
    for (refusal, request, signer) in cases {
        let mut world = World::new(invited());
        let claim = world.request(&secret(signer), &request, ALICE4);
        world.deliver(&claim);
        assert_eq!(world.refused(), [(refusal, 1)]);
        // Whoever signs in the invitation's name needs its key.
        let mut bytes = claim.statement.to_bytes();
        bytes[..32].copy_from_slice(secret(LAPTOP).public().as_bytes());
        if signer != LAPTOP {
            world.deliver(&Claim { statement: Statement::from_bytes(bytes), ..claim });
            assert_eq!(world.admit.refused().of(Refusal::Forged), 1);
        }
        assert_eq!((world.enrolled().len(), world.used_by("laptop")), (1, None));
        world.enrol(LAPTOP, DEVICE);
        assert!(world.has_enrolled(DEVICE), "it has spoiled nothing");
    }
}

#[test]
fn a_key_that_somebody_has_is_not_enrolled() {
    let mut world = World::new(invited());
    let of_alice = Enrol::new(&alice(), &server().public(), &secret(LAPTOP).public());
    let claim = world.request(&secret(LAPTOP), &Request::Enrol(of_alice), ALICE4);
    world.deliver(&claim);
    // Nor that of an invitation, its own or another's.
    world.enrol(LAPTOP, LAPTOP);
    world.enrol(LAPTOP, PHONE);
    assert_eq!((world.refused(), world.enrolled().len()), ([(Refusal::Taken, 3)].into(), 1));
}

#[test]
fn what_is_over_or_revoked_or_never_was_is_unknown() {
    let mut world = World::new(invited());
    world.enrol(40, DEVICE);
    world.pass(HOUR.checked_sub(Duration::from_nanos(1)).unwrap());
    world.enrol(PHONE, OTHER);
    world.pass(Duration::from_nanos(1));
    world.enrol(LAPTOP, DEVICE);
    // Used or not.
    world.enrol(PHONE, OTHER);
    assert_eq!((world.refused(), world.enrolled().len()), ([(Refusal::UnknownClient, 3)].into(), 2));
    let mut world = World::new(invited());
    world.reload(only(client("alice", &alice(), &["ssh"])));
    world.enrol(LAPTOP, DEVICE);
    assert_eq!((world.refused(), world.enrolled().len()), ([(Refusal::UnknownClient, 1)].into(), 1));
}

#[test]
fn an_invitation_asks_no_more_often_than_its_client_may() {
    let mut slow = invitation("laptop", LAPTOP, start());
    slow.client.rate = Rate::default();
    let mut world = World::new(only(client("alice", &alice(), &[])).with_invitations([slow].into()));
    for _ in 0..25 {
        world.enrol(LAPTOP, LAPTOP);
    }
    assert_eq!(world.refused(), [(Refusal::TooOften, 5), (Refusal::Taken, 20)]);
}

#[test]
fn of_those_that_come_together_the_first_counts() {
    let mut world = World::new(invited());
    for device in [DEVICE, OTHER, DEVICE] {
        let claim = world.request(&secret(LAPTOP), &asks(LAPTOP, device), ALICE4);
        world.deliver_unsettled(&claim);
    }
    world.settle();
    assert_eq!(world.refused(), [(Refusal::Taken, 1), (Refusal::AlreadyEnrolled, 1)]);
    assert!(world.has_enrolled(DEVICE));
}

#[test]
fn rules_that_change_meanwhile_count() {
    let alice = client("alice", &alice(), &["ssh"]);
    let namesake = client("laptop", &secret(OTHER), &["ssh"]);
    let same_key = client("bob", &secret(DEVICE), &["ssh"]);
    let with = |other: &Client| {
        rules(doors(), [alice.clone(), other.clone()].into())
            .with_invitations([invitation("laptop", LAPTOP, start())].into())
    };
    let cases = [
        (only(alice.clone()), Refusal::UnknownClient),
        (with(&namesake), Refusal::Taken),
        (with(&same_key), Refusal::Taken),
        (with(&client("laptop", &secret(DEVICE), &[])), Refusal::AlreadyEnrolled),
    ];
    for (rules, refusal) in cases {
        let mut world = World::new(invited());
        let claim = world.request(&secret(LAPTOP), &asks(LAPTOP, DEVICE), ALICE4);
        world.deliver_unsettled(&claim);
        let before = rules.clients().count();
        world.reload(rules);
        assert_eq!((world.refused(), world.enrolled().len()), ([(refusal, 1)].into(), before));
        assert_eq!(world.admit.accepted(), 0);
    }
}

/// The files have changed, and the keeper has not heard of it yet.
#[test]
fn the_files_have_the_last_word() {
    let mut world = World::new(invited());
    world.files.clients.insert("laptop".parse().unwrap(), client("laptop", &secret(OTHER), &[]));
    world.enrol(LAPTOP, DEVICE);
    assert_eq!(world.refused(), [(Refusal::Taken, 1)]);
    world.files.clients.remove(&"laptop".parse().unwrap());
    world.files.invitations.remove(&"phone".parse().unwrap());
    world.enrol(PHONE, DEVICE);
    assert_eq!((world.refused(), world.enrolled().len()), ([(Refusal::Taken, 2)].into(), 1));
    world.enrol(LAPTOP, DEVICE);
    assert!(world.has_enrolled(DEVICE));
}

#[test]
fn nobody_is_enrolled_while_the_disk_is_broken_and_the_next_packet_goes_on() {
    let mut world = World::new(invited());
    world.disk.broken = true;
    world.enrol(LAPTOP, DEVICE);
    assert!(world.files.clients.len() == 1 && world.admit.journal_failed());
    world.disk.broken = false;
    for failing in [Write::Client, Write::Mark] {
        world.files.failing = Some(failing);
        world.enrol(LAPTOP, DEVICE);
        assert!(world.admit.rules().clients().count() == 1 && world.used_by("laptop").is_none());
    }
    assert_eq!((world.refused(), world.admit.accepted()), ([(Refusal::Unrecorded, 3)].into(), 0));
    // The client's file is there: it is this device's, or nobody's.
    world.files.failing = None;
    world.enrol(LAPTOP, OTHER);
    world.enrol(LAPTOP, DEVICE);
    assert!(world.has_enrolled(DEVICE) && world.admit.refused().of(Refusal::Taken) == 1);
}

#[test]
fn a_keeper_that_dies_at_any_step_enrols_once() {
    let mut world = World::new(invited()).with_fuse(usize::MAX / 2);
    let before = world.steps();
    world.enrol(LAPTOP, DEVICE);
    let steps = world.steps() - before;
    assert!(steps >= 6, "{steps} steps");
    for fuse in 0..=steps {
        for [first, second] in [[DEVICE, OTHER], [OTHER, DEVICE]] {
            let mut world = World::new(invited()).with_fuse(fuse);
            let claim = world.enrol(LAPTOP, DEVICE);
            let was_written = world.files.clients.len() > 1;
            world.crash();
            assert_eq!(world.enrolled().len() > 1, was_written);
            world.deliver(&claim);
            world.enrol(LAPTOP, first);
            world.enrol(LAPTOP, second);
            let came_back = world.files.clients.len() > 1 && world.used_by("laptop").is_some();
            assert!(came_back, "{fuse}: nobody could come");
            assert_eq!(world.files.made.len(), 1, "{fuse}: {:?}", world.files.made);
            if was_written {
                assert!(world.has_enrolled(DEVICE), "{fuse}");
            }
        }
    }
}

/// Who enrolled an instant before a restart is not enrolled by a copy of the packet after it.
#[test]
fn a_copy_after_a_restart_is_a_replay() {
    let mut world = World::new(invited());
    world.files.failing = Some(Write::Client);
    let claim = world.enrol(LAPTOP, DEVICE);
    world.files.failing = None;
    world.crash();
    world.deliver(&claim);
    assert_eq!((world.refused(), world.enrolled().len()), ([(Refusal::Replayed, 1)].into(), 1));
}
