//! Random histories of invitations, beside what must hold of each whatever happens.

use proptest::prelude::*;

use super::*;

/// What may happen.
#[derive(Clone, Debug)]
enum Event {
    /// These packets come together, and the rules are read again before what follows from them, or not.
    Packets(Vec<Packet>, bool),
    /// A copy of an earlier packet comes.
    Replay(usize),
    /// The keeper is killed before so many more steps are done.
    Crash(usize),
    Reboot,
    /// The journal cannot be written.
    Broken(bool),
    /// One of the files cannot be.
    Failing(Option<bool>),
    Revoke(bool),
    /// The administrator removes a client, and with it its invitation.
    Remove(bool),
    /// Somebody writes a client's file of the invitation's name by hand, with this device's key; and removes it again.
    ByHand(bool, usize),
    Unwrite(bool),
    Reload,
    Pass(u64),
}

/// A packet that somebody makes with these keys, out of [`KEYS`].
#[derive(Clone, Copy, Debug)]
struct Packet {
    signer: usize,
    /// By which invitation the new key wants to be enrolled, and at another server or here.
    invitation: usize,
    device: usize,
    elsewhere: bool,
}

/// Two invitations, and three devices.
const KEYS: [u8; 5] = [LAPTOP, PHONE, DEVICE, OTHER, 32];
const NAMES: [&str; 2] = ["laptop", "phone"];

impl Event {
    fn any() -> impl Strategy<Value = Self> {
        let packet =
            (0..8_usize, 0..2_usize, 2..5_usize, 0..8_u8).prop_map(|(signer, invitation, device, server)| {
                // Most packets are honest.
                let signer = if signer < 5 { signer } else { invitation };
                Packet { signer, invitation, device, elsewhere: server == 0 }
            });
        let packets = (proptest::collection::vec(packet, 1..4), proptest::bool::weighted(0.2));
        let administrator = prop_oneof![
            any::<bool>().prop_map(Self::Revoke),
            any::<bool>().prop_map(Self::Remove),
            (any::<bool>(), 2..5_usize).prop_map(|(which, device)| Self::ByHand(which, device)),
            any::<bool>().prop_map(Self::Unwrite),
            Just(Self::Reload),
        ];
        prop_oneof![
            12 => packets.prop_map(|(packets, reload)| Self::Packets(packets, reload)),
            3 => (0..6_usize).prop_map(Self::Replay),
            3 => (0..12_usize).prop_map(Self::Crash),
            1 => Just(Self::Reboot),
            1 => any::<bool>().prop_map(Self::Broken),
            2 => proptest::option::of(any::<bool>()).prop_map(Self::Failing),
            5 => administrator,
            2 => (1..1000_u64).prop_map(Self::Pass),
        ]
    }
}

fn key(place: usize) -> ClientKey {
    secret(KEYS[place]).public()
}

fn named(which: bool) -> ClientName {
    NAMES[usize::from(which)].parse().unwrap()
}

/// The world, and what an onlooker knows who sees the packets and nothing else.
struct Watched {
    world: World,
    /// What was proved by both keys, at a time when the invitation was good: the invitation, and the device.
    proved: BTreeSet<(ClientKey, ClientKey)>,
    /// Written by hand.
    by_hand: BTreeSet<ClientName>,
}

impl Watched {
    fn apply(&mut self, event: &Event) {
        match event {
            Event::Packets(packets, reload) => {
                packets.iter().for_each(|packet| self.packet(*packet));
                if *reload && !self.world.is_dead() {
                    self.world.read_files();
                }
                self.world.settle();
            }
            Event::Replay(back) => {
                if let Some(claim) = self.world.delivered.iter().rev().nth(*back).cloned() {
                    self.world.deliver(&claim);
                }
            }
            Event::Crash(steps) => self.world.light_fuse(*steps),
            Event::Reboot => self.world.reboot(secs(5)),
            Event::Broken(broken) => self.world.disk.broken = *broken,
            Event::Failing(failing) => {
                self.world.files.failing = failing.map(|mark| if mark { Write::Mark } else { Write::Client });
            }
            Event::Revoke(which) => {
                self.world.files.invitations.remove(&named(*which));
                self.reload();
            }
            Event::Remove(which) => {
                if self.world.files.clients.contains_key(&named(*which)) {
                    self.world.files.invitations.remove(&named(*which));
                    self.world.files.clients.remove(&named(*which));
                }
                self.reload();
            }
            Event::ByHand(which, device) => self.write_by_hand(named(*which), *device),
            Event::Unwrite(which) => {
                if self.by_hand.remove(&named(*which)) {
                    self.world.files.clients.remove(&named(*which));
                }
            }
            Event::Reload => self.reload(),
            Event::Pass(seconds) => self.world.pass(secs(*seconds)),
        }
        if self.world.is_dead() {
            self.world.crash();
        }
    }

    fn packet(&mut self, packet: Packet) {
        let Packet { signer, invitation, device, elsewhere } = packet;
        let server = if elsewhere { ServerSecret::from_bytes([8; 32]) } else { server() };
        let enrol = Enrol::new(&secret(KEYS[device]), &server.public(), &key(invitation));
        let claim = self.world.request(&secret(KEYS[signer]), &Request::Enrol(enrol), ALICE4);
        let is_good = self
            .world
            .files
            .invitations
            .values()
            .any(|one| *one.key() == key(invitation) && one.is_valid_at(self.world.now.unix));
        if signer == invitation && !elsewhere && is_good {
            self.proved.insert((key(invitation), key(device)));
        }
        self.world.deliver_unsettled(&claim);
    }

    fn write_by_hand(&mut self, name: ClientName, device: usize) {
        let clients = &mut self.world.files.clients;
        if !clients.contains_key(&name) && clients.values().all(|client| client.key != key(device)) {
            let text = alloc::string::ToString::to_string(&name);
            clients.insert(name.clone(), client(&text, &secret(KEYS[device]), &[]));
            self.by_hand.insert(name);
        }
    }

    fn reload(&mut self) {
        if !self.world.is_dead() {
            self.world.read_files();
            self.world.settle();
        }
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let made = &self.world.files.made;
        for (place, (invitation, device)) in made.iter().enumerate() {
            prop_assert!(self.proved.contains(&(*invitation, *device)), "made without proof");
            let again = made.iter().skip(place + 1).any(|(other, _)| other == invitation);
            prop_assert!(!again, "two clients of one invitation: {made:?}");
        }
        for client in self.world.admit.rules().clients().filter(|client| client.name.as_str() != "alice") {
            let is_made = made.iter().any(|(_, device)| *device == client.key);
            // Files by hand have no rights; they may be removed again, and in force until the files are read.
            prop_assert!(is_made || client.rights.is_empty(), "{} came from nowhere", client.name);
        }
        prop_assert!(self.world.disk.used.values().all(|times| *times == 1), "a packet acted twice");
        prop_assert!(self.world.guard().is_empty());
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn an_invitation_makes_one_client_at_most_and_with_proof_by_both_keys(events in proptest::collection::vec(Event::any(), 1..40)) {
        let world = World::new(invited());
        let mut watched = Watched { world, proved: BTreeSet::new(), by_hand: BTreeSet::new() };
        for event in &events {
            watched.apply(event);
            watched.check()?;
        }
        // When everything is mended, an invitation that is good is good for somebody.
        watched.apply(&Event::Broken(false));
        watched.apply(&Event::Failing(None));
        watched.apply(&Event::Crash(0));
        watched.apply(&Event::Pass(121));
        for (place, name) in NAMES.iter().enumerate() {
            let invitation = watched.world.files.invitations.get(&name.parse().unwrap()).cloned();
            let Some(invitation) = invitation.filter(|one| one.is_valid_at(watched.world.now.unix)) else { continue };
            watched.world.enrol(KEYS[place], 50 + KEYS[place]);
            let by = watched.world.used_by(name);
            prop_assert!(by.is_some(), "{name}: {:?}", watched.world.refused());
            prop_assert!(invitation.used_by.is_none() || invitation.used_by == by);
            watched.proved.insert((key(place), secret(50 + KEYS[place]).public()));
            watched.check()?;
        }
    }
}
