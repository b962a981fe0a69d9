//! The log in knockd's words, beside that of the real knockd: the file, what syslog gets, and what fail2ban makes of it.

mod fail2ban;
mod machine;
mod story;

use std::thread::sleep;
use std::time::{Duration, Instant};

use knock_spa_tests::lab::{PATIENCE, until};

use machine::{Log, Machine};
use story::{Event, Story};

/// What both logs hold after each event of a story; first ours, since it is at hand at once.
fn ours(story: &Story, machine: &Machine) -> Vec<Log> {
    machine.inside(|| {
        let mut log = machine.open(story.looks_up);
        let mut told = Vec::new();
        for event in &story.events {
            event.tell(&mut log, machine);
            machine.settle(&mut log);
            told.push(machine.log());
        }
        told
    })
}

/// Lives through a story with the real knockd, which must tell the same; answers with both machines.
fn assert_same(story: &Story) -> [Machine; 2] {
    let [our_machine, their_machine] = [Machine::new(story.umask), Machine::new(story.umask)];
    let ours = ours(story, &our_machine);
    let mut knockd = their_machine.knockd(&story.doors, &story.options);
    for (event, ours) in story.events.iter().zip(ours) {
        event.happen(&mut knockd, &their_machine);
        let start = Instant::now();
        let mut theirs = their_machine.log();
        while theirs != ours && start.elapsed() < PATIENCE {
            sleep(Duration::from_millis(5));
            theirs = their_machine.log();
        }
        assert_eq!(theirs, ours, "knockd and ours, after {event:?}\n{}", knockd.output());
    }
    [our_machine, their_machine]
}

#[test]
fn all_that_happens_at_doors() {
    let story = Story::of_doors();
    let [ours, theirs] = assert_same(&story);
    assert_eq!(ours.mode(), 0o644);
    assert_eq!(ours.mode(), theirs.mode());
}

#[test]
fn names_of_sources() {
    assert_same(&Story::of_names());
}

#[test]
fn the_last_sequence_is_used_up() {
    assert_same(&Story::of_sequences());
}

#[test]
fn a_daemon_without_a_pid_file() {
    let [ours, theirs] = assert_same(&Story::of_pid_files());
    assert_eq!([ours.mode(), theirs.mode()], [0o640; 2]);
}

/// Both are in the time of this machine.
#[test]
fn the_time_is_the_same() {
    let story = Story { events: vec![Event::Start], ..Story::of_doors() };
    until(PATIENCE, "a minute that is the same for both", || {
        let [ours, theirs] = assert_same(&story).map(|machine| machine.times());
        ours == theirs
    });
}
