//! A listener that has been taken over says whatever it likes.

use proptest::prelude::*;

use super::*;

#[test]
fn no_byte_of_a_statement_can_be_another() {
    let mut world = World::new(everything());
    let claim = world.claim(&alice(), &open("ssh"), ALICE4);
    let bytes = claim.statement.to_bytes();
    for at in 0..bytes.len() {
        let mut changed = bytes;
        changed[at] ^= 1;
        world.deliver(&Claim { statement: Statement::from_bytes(changed), ..claim.clone() });
    }
    assert!(world.guard().is_empty() && world.shell.ran.is_empty() && world.admit.accepted() == 0);
    let refused = world.refused();
    // The key names nobody; of the stamp's eight bytes the first three leave the window; all else is forged.
    assert_eq!(refused, [(Refusal::Stale, 3), (Refusal::UnknownClient, 32), (Refusal::Forged, 232 - 35)]);
    world.deliver(&claim);
    assert_eq!(world.guard().len(), 1, "none of the lies has used up the honest packet");
}

#[test]
fn nobody_speaks_for_another_client() {
    let mut world = World::new(everything());
    let claim = world.claim(&alice(), &open("ssh"), ALICE4);
    let mut bytes = claim.statement.to_bytes();
    bytes[..32].copy_from_slice(bob().public().as_bytes());
    world.deliver(&Claim { statement: Statement::from_bytes(bytes), ..claim });
    assert_eq!(world.refused(), [(Refusal::Forged, 1)]);
}

#[test]
fn a_statement_to_one_server_is_none_to_another() {
    let other = ServerSecret::from_bytes([8; 32]).public();
    let foreign = ServerSecret::from_bytes([6; 32]).public();
    let both = Rules::new(doors(), clients(), [server().public(), other].into(), WINDOW).unwrap();
    let mut world = World::new(both);
    let claim = world.claim(&alice(), &open("ssh"), ALICE4);
    // The other of our own keys, and a key that is not ours.
    world.deliver(&Claim { server: other, ..claim.clone() });
    world.deliver(&Claim { server: foreign, ..claim.clone() });
    // What was truly said, but to another server, by whose operator it is handed on.
    let stamp = claim.statement.stamp();
    let statement = asking::state(&foreign, &alice(), stamp, &open("ssh").request().encode());
    world.deliver(&Claim { server: foreign, statement: statement.clone(), ..claim.clone() });
    world.deliver(&Claim { statement, ..claim.clone() });
    assert_eq!((world.refused(), world.guard().len()), ([(Refusal::Forged, 4)].into(), 0));
    world.deliver(&claim);
    assert_eq!(world.guard().len(), 1);
}

#[test]
fn the_source_can_be_made_up_and_moves_only_what_the_client_left_open() {
    let claimed = Client { mode: AddressMode::Claimed, ..client("bob", &bob(), &["ssh"]) };
    let mut world = World::new(rules(doors(), [client("alice", &alice(), &["ssh"]), claimed].into()));
    let evil = "203.0.113.66";
    let claim = world.claim(&bob(), &open("ssh").explicitly().at(BOB4), BOB4);
    world.deliver(&Claim { from: address(evil), ..claim });
    assert_eq!(world.guard(), [element(BOB4, "tcp/22")]);
    // The sender's address is whatever the listener says: that is what the mode gives up.
    let claim = world.claim(&alice(), &open("ssh"), ALICE4);
    world.deliver(&Claim { from: address(evil), ..claim.clone() });
    world.deliver(&claim);
    assert_eq!(world.guard(), [element(BOB4, "tcp/22"), element(evil, "tcp/22")], "and it can be done once");
    assert_eq!(world.refused(), [(Refusal::Replayed, 1)]);
}

proptest! {
    #![proptest_config(cases(64))]

    /// Whatever the listener claims, nothing opens that no client has signed.
    #[test]
    fn made_up_claims_open_nothing(bytes in proptest::collection::vec(any::<u8>(), 232), known: bool, fresh: bool) {
        let mut world = World::new(everything());
        let mut bytes: [u8; 232] = bytes.try_into().unwrap();
        if known {
            bytes[..32].copy_from_slice(alice().public().as_bytes());
        }
        if fresh {
            bytes[32..40].copy_from_slice(&world.now.unix.as_nanos().to_be_bytes());
        }
        let statement = Statement::from_bytes(bytes);
        world.deliver(&Claim { server: server().public(), statement, from: address(ALICE4) });
        let expected = match (fresh, known) {
            (false, _) => Refusal::Stale,
            (true, false) => Refusal::UnknownClient,
            (true, true) => Refusal::Forged,
        };
        prop_assert_eq!(world.refused(), [(expected, 1)]);
        prop_assert!(world.guard().is_empty());
    }
}
