//! By invitation.

use knock_spa_tests::lab::{PATIENCE, until};

use super::*;

#[test]
fn an_invitation_takes_a_bare_device_to_an_open_door() {
    let world = World::new();
    let site = Site::new(&world);
    let line = site.invite("laptop", &["--door", "ssh"]);
    let laptop = site.laptop();
    let run = enroll(&laptop, &line).ended_with(0);
    let run = run.said("added gw.example.net").said("asking to be enrolled as laptop").said("ssh answers (");
    assert_eq!(run.out.trim(), laptop.line());
    assert_eq!(site.clients(), ["laptop"]);
    assert_eq!(site.server.openings().len(), 2, "both families");
    laptop.run("close gw.example.net").ended_with(0);
    laptop.run("open ssh gw.example.net").ended_with(0).said("ssh answers (");
}

/// Whatever was cut short: the key made and nothing sent, the packets lost, the answer not seen.
#[test]
fn the_same_device_can_use_its_invitation_again() {
    let world = World::new();
    let mut site = Site::new(&world);
    let line = site.invite("laptop", &["--door", "ssh"]);
    let laptop = site.laptop();
    let key = laptop.line();
    // The guard stays; nobody hears.
    site.server.stop();
    enroll_in_vain(&laptop, &line).said("Run this again").said("expired or revoked");
    assert_eq!(site.clients(), [""; 0]);
    site.server.start();
    for _ in 0..2 {
        let run = enroll(&laptop, &line).ended_with(0).said("is known already").said("ssh answers (");
        assert_eq!(run.out.trim(), key);
        assert_eq!(site.clients(), ["laptop"]);
        laptop.run("close gw.example.net").ended_with(0);
        until(PATIENCE, "the door to shut", || site.server.openings().is_empty());
    }
}

#[test]
fn a_server_that_hears_late_is_told_again() {
    let world = World::new();
    let mut site = Site::new(&world);
    let line = site.invite("laptop", &["--door", "ssh"]);
    let laptop = site.laptop();
    site.server.stop();
    let mut enrolling = laptop.spawn(&format!("enroll {line}"));
    enrolling.await_output("asking to be enrolled as laptop");
    site.server.start();
    assert!(enrolling.wait().success(), "{}", enrolling.output());
    assert_eq!(site.clients(), ["laptop"]);
}

#[test]
fn an_invitation_is_good_for_one_device() {
    let world = World::new();
    let site = Site::new(&world);
    let line = site.invite("laptop", &["--door", "ssh"]);
    enroll(&site.laptop(), &line).ended_with(0);
    let other = Laptop::new(&world.stranger, &world.server);
    enroll_in_vain(&other, &line).said("may be used by another device");
    assert_eq!(site.clients(), ["laptop"]);
    assert!(site.server.openings().iter().all(|opening| opening.by == "laptop"));
}

#[test]
fn an_invitation_that_was_taken_back_is_none() {
    let world = World::new();
    let site = Site::new(&world);
    let line = site.invite("laptop", &["--door", "ssh"]);
    site.server.command(&["invite", "revoke", "laptop"]).ended_with(0);
    enroll_in_vain(&site.laptop(), &line).said("ask for another one");
    assert_eq!((site.clients(), site.server.openings().len()), (vec![], 0));
}

#[test]
fn where_nothing_can_be_looked_at_it_enrols_all_the_same() {
    let world = World::new();
    let site = Site::new(&world);
    let line = site.invite("laptop", &["--service", "tcp/22"]);
    let laptop = site.laptop();
    enroll(&laptop, &line).ended_with(0).said("nothing shows from here whether the invitation was taken");
    until(PATIENCE, "the client to be there", || site.clients() == ["laptop"]);
    laptop.run("open tcp/22 gw.example.net").ended_with(0).said("tcp/22 answers (");
}

#[test]
fn without_a_guard_an_open_port_proves_nothing() {
    let world = World::new();
    let mut site = Site::new(&world);
    site.server.command(&["guard", "remove"]).ended_with(0);
    let line = site.invite("laptop", &["--door", "ssh"]);
    enroll(&site.laptop(), &line).ended_with(0).said("answered before anything was sent");
    until(PATIENCE, "the client to be there", || site.clients() == ["laptop"]);
    site.server.stop();
}

#[test]
fn a_port_that_refuses_does_not_show_that_the_invitation_was_taken() {
    let world = World::new();
    let mut site = Site::new(&world);
    site.server.command(&["guard", "remove"]).ended_with(0);
    site.server.stop();
    let line = site.invite("laptop", &["--door", "ssh"]);
    let run = site.laptop().run(&format!("enroll {line} --probe 4444 --wait 1s")).ended_with(69);
    run.said("nothing listens there").said("nothing shows from here whether the invitation was taken");
    assert_eq!(site.clients(), [""; 0]);
}
