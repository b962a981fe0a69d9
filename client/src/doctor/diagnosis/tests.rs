use std::net::SocketAddr;
use std::num::NonZeroU16;

use knock_spa_proto::spa::request::Addresses;

use super::*;
use crate::plan::Probe;
use crate::report::{self, Report, Whom, unseen};

const NOW: UnixTime = UnixTime::from_nanos(1_790_000_000_000_000_000);

fn accepts() -> Answer {
    Answer::Accepts { at: SocketAddr::from(([203, 0, 113, 5], 22)), after: Duration::from_millis(3) }
}

fn trial(own: &str, before: Answer, after: Answer) -> Trial {
    let probe = Probe { name: "ssh".into(), at: Vec::new() };
    let (outcome, ports) = report::ports(&[probe], vec![after]);
    let addresses = Addresses::NONE.with_sender();
    Trial {
        reason: "sender".into(),
        own: own.parse().unwrap(),
        wait: "5s".parse().unwrap(),
        before: vec![before],
        report: Report {
            host: "gw".into(),
            services: vec!["ssh".into()],
            outcome,
            server: "203.0.113.5:62201".parse().unwrap(),
            packets: 1,
            address: Whom::from(&addresses),
            ports,
        },
    }
}

fn healthy() -> Facts {
    let (v4, v6): (IpAddr, IpAddr) = ("203.0.113.5".parse().unwrap(), "2001:db8::5".parse().unwrap());
    let own = Ok("198.51.100.7".parse().unwrap());
    Facts {
        clock: Clock { now: Some(NOW), written: Some(NOW), kept: Some(true) },
        key: Key { path: "client.key".into(), kind: Kind::Bare, fault: None },
        directory: Some(0o755),
        names: vec![Name { host: "gw".into(), port: NonZeroU16::MIN, addresses: Ok(vec![v4, v6]) }],
        ways: vec![Way { server: v4, own }],
        trial: Ok(trial("198.51.100.7", Answer::Silent(None), accepts())),
    }
}

fn found(facts: &Facts, check: Check) -> (State, String) {
    let findings = diagnose(facts);
    let finding = findings.iter().find(|finding| finding.check == check).unwrap();
    (finding.state, finding.to_string())
}

#[test]
fn in_health_every_check_is_good_and_there_once() {
    let checks: Vec<Check> = diagnose(&healthy()).iter().map(|finding| finding.check).collect();
    let all = [
        Check::Clock,
        Check::Key,
        Check::Directory,
        Check::Name,
        Check::Route,
        Check::Address,
        Check::Nat,
        Check::Before,
        Check::After,
    ];
    assert_eq!(checks, all);
    assert!(diagnose(&healthy()).iter().all(|finding| finding.state == State::Good));
}

#[test]
fn a_door_that_opened_proves_the_clock() {
    let behind = UnixTime::from_nanos(NOW.as_nanos() + 60_000_000_000);
    let shut = || trial("198.51.100.7", Answer::Silent(None), Answer::Silent(None));
    let open_before = || trial("198.51.100.7", accepts(), accepts());
    for (kept, written, trial, state) in [
        (None, NOW, None, State::Good),
        (Some(false), NOW, None, State::Note),
        (Some(true), behind, None, State::Good),
        (None, NOW, Some(shut()), State::Unknown),
        (Some(true), NOW, Some(shut()), State::Good),
        (Some(false), NOW, Some(shut()), State::Note),
        (Some(true), behind, Some(shut()), State::Bad),
        (None, NOW, Some(open_before()), State::Unknown),
        (None, behind, Some(open_before()), State::Bad),
    ] {
        let mut facts = healthy();
        facts.clock = Clock { now: Some(NOW), written: Some(written), kept };
        facts.trial = trial.map_or(facts.trial, Ok);
        assert_eq!(found(&facts, Check::Clock).0, state, "{facts:?}");
    }
    let facts = Facts { clock: Clock { now: None, ..healthy().clock }, ..healthy() };
    assert_eq!(found(&facts, Check::Clock).0, State::Bad);
}

#[test]
fn a_key_that_is_not_private_is_bad() {
    for (kind, fault, directory, key, of_directory) in [
        (Kind::Bare, None, Some(0o700), State::Good, State::Good),
        (Kind::Sealed, None, Some(0o770), State::Good, State::Bad),
        (Kind::Missing, None, None, State::Bad, State::Bad),
        (
            Kind::Bare,
            Some(Fault { what: "its mode 0644".into(), mend: Some("chmod".into()) }),
            Some(0o702),
            State::Bad,
            State::Bad,
        ),
    ] {
        let key_file = Key { path: "client.key".into(), kind, fault };
        let facts = Facts { key: key_file, directory, ..healthy() };
        assert_eq!(found(&facts, Check::Key).0, key, "{facts:?}");
        assert_eq!(found(&facts, Check::Directory).0, of_directory, "{facts:?}");
    }
}

#[test]
fn one_name_and_one_route_will_do() {
    let gone = || Name { host: "gw2".into(), port: NonZeroU16::MIN, addresses: Err("no such name".into()) };
    let mut facts = healthy();
    facts.names.insert(0, gone());
    assert_eq!(found(&facts, Check::Name).0, State::Note);
    facts.names.truncate(1);
    assert_eq!(found(&facts, Check::Name).0, State::Bad);

    let no_way = || Way { server: "2001:db8::5".parse().unwrap(), own: Err("unreachable".into()) };
    let mut facts = healthy();
    facts.ways.insert(0, no_way());
    assert_eq!(found(&facts, Check::Route).0, State::Note);
    facts.ways.truncate(1);
    assert_eq!(found(&facts, Check::Route).0, State::Bad);
}

#[test]
fn of_nat_it_says_what_cannot_be_seen() {
    for (own, state, words) in [
        ("198.51.100.7", State::Good, "cannot be seen from here"),
        ("10.0.0.2", State::Note, "packets and connections"),
        ("100.64.3.4", State::Note, "a provider's for many customers"),
        ("fd00::1", State::Note, "--source ADDR"),
    ] {
        let facts = Facts { trial: Ok(trial(own, Answer::Silent(None), accepts())), ..healthy() };
        let (found, said) = found(&facts, Check::Nat);
        assert_eq!(found, state, "{own}");
        assert!(said.contains(words), "{own}: {said}");
    }
}

#[test]
fn ports_are_judged_by_before_and_after() {
    let refused = || Answer::Refuses;
    let silent = || Answer::Silent(None);
    for (before, after, state_before, state_after, words) in [
        (silent(), silent(), State::Good, State::Bad, "knock-spad status"),
        (silent(), refused(), State::Good, State::Bad, "nothing listens there"),
        (accepts(), accepts(), State::Note, State::Good, "answers"),
        (refused(), refused(), State::Note, State::Bad, "refuses"),
        (Answer::Silent(Some("No route".into())), silent(), State::Note, State::Bad, "does not answer"),
    ] {
        let facts = Facts { trial: Ok(trial("198.51.100.7", before, after)), ..healthy() };
        assert_eq!(found(&facts, Check::Before).0, state_before, "{facts:?}");
        let (state, said) = found(&facts, Check::After);
        assert_eq!(state, state_after, "{facts:?}");
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn where_it_could_not_look_all_is_not_well() {
    let mut unseen_trial = trial("198.51.100.7", Answer::Silent(None), accepts());
    unseen_trial.before.clear();
    unseen_trial.report.ports.clear();
    unseen_trial.report.outcome = unseen(&crate::plan::Look::NoPort, true);
    let facts = Facts { trial: Ok(unseen_trial), ..healthy() };
    assert_eq!(found(&facts, Check::After).0, State::Bad);
    let fault = Fault { what: "cannot send".into(), mend: None };
    let facts = Facts { trial: Err(fault), ..healthy() };
    assert_eq!(found(&facts, Check::After).0, State::Bad);
}
