//! Record before move, and what happens where there can be no record.

use super::*;

#[test]
fn nothing_is_handed_out_before_the_record_is_durable() {
    let mut world = World::new(everything());
    let claim = world.claim(&alice(), &open("ssh,vpn"), ALICE4);
    world.deliver_unsettled(&claim);
    let Some(Effect::Record(ticket, Record::Change(change))) = world.admit.poll_effect() else {
        panic!("no record");
    };
    assert_eq!(change.mark, Some((alice().public(), claim.statement.stamp())));
    assert_eq!((change.opened.len(), change.closed.len()), (2, 0), "one record for all of it");
    assert_eq!(world.admit.poll_effect(), None);
    assert!(world.admit.elements(world.now.boot).is_empty(), "not even to rebuild the guard from");
    world.disk.durable.push(Record::Change(change));
    world.admit.handle_outcome(Outcome::Recorded(ticket, Ok(())), world.now);
    world.settle();
    assert_eq!((world.guard().len(), world.shell.open.len()), (1, 1));
}

#[test]
fn what_others_have_open_does_not_move_because_of_what_waits() {
    let mut world = World::new(everything());
    let ssh = element(ALICE4, "tcp/22");
    world.ask(&bob(), &open("ssh").ttl(20), ALICE4);
    world.ask(&alice(), &open("ssh").ttl(40), ALICE4);
    // The world sees to it that no element is set to an end that is not on record.
    let claims =
        [world.claim(&bob(), &open("ssh").ttl(3000), ALICE4), world.claim(&alice(), &close("ssh"), ALICE4)];
    claims.iter().for_each(|claim| world.deliver_unsettled(claim));
    world.settle();
    assert_eq!(world.left(ssh), Some(secs(3000)));
    let claims = [world.claim(&alice(), &open("ssh"), BOB4), world.claim(&bob(), &close(""), BOB4)];
    claims.iter().for_each(|claim| world.deliver_unsettled(claim));
    world.settle();
    assert_eq!(world.guard(), [element(BOB4, "tcp/22")]);
}

#[test]
fn the_guard_goes_on_without_a_journal_and_commands_refuse() {
    let mut world = World::new(everything());
    world.disk.broken = true;
    world.ask(&alice(), &open("ssh,vpn"), ALICE4);
    world.ask(&bob(), &open("vpn"), BOB4);
    world.knock("db", BOB4);
    assert_eq!(world.guard(), [element(ALICE4, "tcp/22")]);
    assert_eq!((world.shell.ran.len(), world.refused()), (0, [(Refusal::Unrecorded, 3)].into()));
    assert_eq!(world.admit.accepted(), 0, "what is counted as refused is not counted as accepted");
    assert!(world.admit.journal_failed());
    assert_eq!(world.said.iter().filter(|event| **event == Event::JournalFailed).count(), 1);
    assert_eq!(world.status(), ["ssh 198.51.100.7 alice 60"]);
    world.ask(&alice(), &open("ssh").ttl(100), ALICE4);
    world.ask(&alice(), &close("ssh"), BOB4);
    assert!(world.guard().is_empty());
}

#[test]
fn command_doors_open_again_once_the_disk_is_mended() {
    let mut world = World::new(rules([command_door("vpn", &["udp/1194"], false)].into(), clients_of("vpn")));
    world.disk.broken = true;
    world.ask(&alice(), &open("vpn"), ALICE4);
    world.disk.broken = false;
    world.ask(&alice(), &open("vpn"), ALICE4);
    assert_eq!((world.shell.open.len(), world.admit.journal_failed()), (1, false));
}

fn clients_of(door: &str) -> Vec<Client> {
    [client("alice", &alice(), &[door])].into()
}

#[test]
fn an_extension_without_a_record_leaves_what_there_was() {
    let mut world = World::new(everything());
    world.ask(&alice(), &open("vpn").ttl(10), ALICE4);
    world.disk.broken = true;
    world.pass(secs(5));
    world.ask(&alice(), &open("vpn").ttl(100), ALICE4);
    assert_eq!(world.refused(), [(Refusal::Unrecorded, 1)]);
    assert_eq!(world.status(), ["vpn 198.51.100.7 alice 5"]);
    world.pass(secs(5));
    assert!(world.shell.open.is_empty(), "a stop needs no record to be tried");
    assert!(world.status().is_empty());
}

#[test]
fn of_two_extensions_at_once_neither_outlasts_what_is_on_record() {
    let mut world = World::new(everything());
    world.ask(&alice(), &open("vpn").ttl(10), ALICE4);
    world.disk.broken = true;
    for ttl in [100, 200] {
        let claim = world.claim(&alice(), &open("vpn").ttl(ttl), ALICE4);
        world.deliver_unsettled(&claim);
    }
    world.settle();
    assert_eq!(world.status(), ["vpn 198.51.100.7 alice 10"]);
    // Two at once for something new.
    for ttl in [100, 200] {
        let claim = world.claim(&bob(), &open("vpn").ttl(ttl), BOB4);
        world.deliver_unsettled(&claim);
    }
    world.settle();
    assert_eq!(world.status(), ["vpn 198.51.100.7 alice 10"]);
    world.pass(secs(10));
    assert!(world.shell.open.is_empty());
}

/// The names of what waits for a record.
fn tickets(world: &mut World) -> Vec<Ticket> {
    let ticket = |effect| if let Effect::Record(ticket, _) = effect { Some(ticket) } else { None };
    core::iter::from_fn(|| world.admit.poll_effect()).filter_map(ticket).collect()
}

#[test]
fn an_extension_that_is_on_record_counts_though_the_one_before_is_not() {
    let mut world = World::new(everything());
    world.ask(&alice(), &open("vpn").ttl(10), ALICE4);
    for ttl in [100, 200] {
        let claim = world.claim(&alice(), &open("vpn").ttl(ttl), ALICE4);
        world.deliver_unsettled(&claim);
    }
    let [first, second] = tickets(&mut world)[..] else { panic!("two records") };
    world.admit.handle_outcome(Outcome::Recorded(first, Err(Unwritten)), world.now);
    world.admit.handle_outcome(Outcome::Recorded(second, Ok(())), world.now);
    assert_eq!(world.status(), ["vpn 198.51.100.7 alice 200"]);
}

#[test]
fn what_never_moved_is_noted_as_closed_in_case_its_record_is_there() {
    let mut world = World::new(everything());
    let claim = world.claim(&alice(), &open("vpn"), ALICE4);
    world.deliver_unsettled(&claim);
    let [ticket] = tickets(&mut world)[..] else { panic!("one record") };
    world.admit.handle_outcome(Outcome::Recorded(ticket, Err(Unwritten)), world.now);
    let closed = |effect| matches!(effect, Effect::Note(Record::Change(change)) if change.closed.len() == 1);
    assert!(core::iter::from_fn(|| world.admit.poll_effect()).any(closed));
}

#[test]
fn what_was_done_without_a_journal_is_in_the_next() {
    let mut world = World::new(everything());
    world.disk.broken = true;
    let claim = world.ask(&alice(), &open("ssh").ttl(1000), ALICE4);
    world.ask(&bob(), &open("web").ttl(5), BOB4);
    world.disk.broken = false;
    world.ask(&bob(), &close("web"), BOB4);
    world.crash();
    assert_eq!(world.guard(), [element(ALICE4, "tcp/22")]);
    world.deliver(&claim);
    assert_eq!(world.refused(), [(Refusal::Replayed, 1)]);
}

/// Where nobody will know that it was taken, a packet acts no earlier than by its own time: so whoever comes next need
/// refuse no more than what was made before it came.
#[test]
fn from_memory_no_packet_opens_before_its_time() {
    let mut world = World::new(everything());
    (world.disk.broken, world.disk.sealed) = (true, true);
    let ahead = world.claim_ahead(secs(30), &alice(), &open("ssh").ttl(100), ALICE4);
    world.deliver(&ahead);
    assert!(world.guard().is_empty());
    world.pass(secs(29));
    assert!(world.guard().is_empty());
    world.pass(secs(1));
    assert_eq!(
        world.left(element(ALICE4, "tcp/22")),
        Some(secs(70)),
        "its time runs from when it was granted"
    );
    // The disk is mended, and the keeper killed, before anything is recorded.
    (world.disk.broken, world.disk.sealed) = (false, false);
    world.crash();
    assert!(!world.state_lost, "nothing shows that records are missing");
    world.deliver(&ahead);
    assert_eq!((world.guard(), world.refused()), (Vec::new(), [(Refusal::Replayed, 1)].into()));
    world.ask(&alice(), &open("ssh"), ALICE4);
    assert_eq!(world.admit.accepted(), 1, "what is made now is taken at once");
}

#[test]
fn who_waits_for_its_time_is_shortened_and_closed_like_everybody() {
    let wait = || {
        let mut world = World::new(everything());
        world.disk.broken = true;
        let ahead = world.claim_ahead(secs(30), &alice(), &open("ssh").ttl(100), ALICE4);
        world.deliver(&ahead);
        world
    };
    let mut world = wait();
    let alice_for = |limit| Client { max_open: Some(secs(limit)), ..client("alice", &alice(), &["ssh"]) };
    world.reload(rules(doors(), [alice_for(40)].into()));
    world.pass(secs(30));
    assert_eq!(world.left(element(ALICE4, "tcp/22")), Some(secs(10)));
    let mut world = wait();
    assert_eq!(world.close("ssh", None), 1);
    world.pass(secs(100));
    assert!(world.guard().is_empty());
}

#[test]
fn those_who_wait_for_their_time_are_few() {
    let mut world = World::new(everything());
    world.disk.broken = true;
    for _ in 0..MAX_EARLY + 2 {
        let ahead = world.claim_ahead(secs(30), &alice(), &open("ssh"), ALICE4);
        world.deliver(&ahead);
        world.now = world.now.saturating_add(Duration::from_millis(10));
    }
    assert_eq!((world.admit.early.len(), world.refused()), (MAX_EARLY, [(Refusal::Unrecorded, 2)].into()));
}

/// Nobody knows what a keeper did that could not write: whatever was made before this one started is refused.
#[test]
fn a_start_takes_nothing_that_was_made_before_it() {
    for stops in [false, true] {
        let mut world = World::new(everything());
        let held_back = world.claim(&alice(), &open("ssh"), ALICE4);
        world.pass(secs(1));
        if stops {
            world.stop_and_start();
        } else {
            world.crash();
        }
        world.deliver(&held_back);
        assert_eq!(world.refused(), [(Refusal::Replayed, 1)]);
        world.ask(&alice(), &open("ssh"), ALICE4);
        assert_eq!(world.admit.accepted(), 1, "what is made now is taken at once");
    }
}

/// A clock that was set right must not keep everybody out until it is where it was.
#[test]
fn a_floor_that_the_clock_has_left_far_behind_keeps_nobody_out() {
    let mut world = World::new(everything());
    world.now.unix = world.now.unix.saturating_add(secs(86_400));
    world.crash();
    world.now.unix = UnixTime::from_nanos(world.now.unix.as_nanos() - 86_400_000_000_000);
    let claim = world.claim_at(world.now.unix, &alice(), &open("ssh"), ALICE4);
    world.deliver(&claim);
    assert_eq!(world.admit.accepted(), 1);
}
