use std::fs;
use std::time::Duration;

use knock_spa_engine::client::{AddressMode, Rate, Right};
use knock_spa_keys::client::{ClientKey, ClientLine, ClientSecret};
use knock_spa_proto::port::Transport;

use super::*;
use crate::clients::date::NotAfter;
use crate::clients::{NotEnrolled, add, remove};

const NOW: UnixTime = UnixTime::from_nanos(1_790_000_000_000_000_000);
const INVITED: u8 = 9;

fn key(number: u8) -> ClientKey {
    ClientSecret::from_seed([number; 32]).public()
}

fn name(text: &str) -> ClientName {
    text.parse().unwrap()
}

/// A client with something of everything.
fn client(text: &str, number: u8) -> Client {
    Client {
        name: name(text),
        key: key(number),
        rights: vec![Right::Door("ssh".parse().unwrap())],
        mode: AddressMode::Claimed,
        from: Some(vec!["203.0.113.0/24".parse().unwrap()]),
        max_open: Some(Duration::from_secs(5400)),
        not_before: None,
        not_after: Some("2027-06-30".parse::<NotAfter>().unwrap().0),
        rate: Rate { per_minute: 7.try_into().unwrap(), ..Rate::default() },
    }
}

fn invitation(text: &str, number: u8) -> Invitation {
    let expires = NOW.saturating_add(Duration::from_secs(3600));
    Invitation { client: client(text, number), expires, used_by: None }
}

/// The directories of a server that nobody is enrolled at, and that has invited `laptop`.
struct Scene(tempfile::TempDir);

impl Scene {
    fn new() -> Self {
        let scene = Self(tempfile::tempdir().unwrap());
        fs::create_dir(scene.clients()).unwrap();
        scene.invite("laptop", INVITED).unwrap();
        scene
    }

    fn clients(&self) -> PathBuf {
        self.0.path().join("clients.d")
    }

    fn path(&self, text: &str) -> PathBuf {
        path_of(&directory(&self.clients()), &name(text))
    }

    fn invite(&self, text: &str, number: u8) -> Result<(), NotInvited> {
        invite(&self.clients(), &invitation(text, number), NOW)
    }

    /// Enrols the key of this number by the invitation of `laptop`.
    fn enrol(&self, number: u8) -> Result<(), NotEnrolledBy> {
        let enrolment = Enrolment { invitation: key(INVITED), client: client("laptop", number) };
        enrol(&self.clients(), &enrolment)
    }

    fn add(&self, text: &str, number: u8) -> Result<(), NotEnrolled> {
        add(&self.clients(), &client(text, number), &Comment::default(), NOW)
    }

    fn enrolled(&self) -> Vec<Client> {
        Roster::load(&self.clients()).unwrap().clients
    }

    fn load(&self) -> Invitations {
        Invitations::load(&self.clients(), &self.enrolled()).unwrap()
    }

    /// Who has used the invitation of `laptop`, by its file alone.
    fn marked(&self) -> Option<ClientKey> {
        let found = read(&self.path("laptop"), &name("laptop"));
        found.ok().flatten().and_then(|found| found.used_by)
    }
}

#[test]
fn what_is_written_is_read() {
    let scene = Scene::new();
    assert_eq!(
        scene.load(),
        Invitations { invitations: vec![invitation("laptop", INVITED)], ..Default::default() }
    );
    scene.enrol(1).unwrap();
    let line = |number| ClientLine { key: key(number), comment: Comment::default() };
    let expected = format!(
        "key        = \"{}\"\n\
         services   = [\"ssh\"]\n\
         address    = \"claimed\"\n\
         from       = [\"203.0.113.0/24\"]\n\
         max-open   = \"90m\"\n\
         not-after  = 2027-06-30\n\
         rate       = \"7/min\"\n\
         expires    = 2026-09-21T15:13:20Z\n\
         used-by    = \"{}\"\n",
        line(INVITED),
        line(1)
    );
    assert_eq!(fs::read_to_string(scene.path("laptop")).unwrap(), expected);
    assert_eq!(scene.load().invitations[0].used_by, Some(key(1)));
    assert_eq!(scene.enrolled(), [client("laptop", 1)], "with all that the invitation grants");
}

#[test]
fn nobody_is_invited_where_there_is_no_directory() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(Invitations::load(&directory.path().join("clients.d"), &[]).unwrap(), Invitations::default());
}

#[test]
fn one_client_comes_by_an_invitation() {
    let scene = Scene::new();
    scene.enrol(1).unwrap();
    // Again: nothing changes.
    scene.enrol(1).unwrap();
    assert!(matches!(scene.enrol(2), Err(NotEnrolledBy::Used(_))));
    assert_eq!((scene.enrolled(), scene.marked()), (vec![client("laptop", 1)], Some(key(1))));
}

#[test]
fn of_many_at_once_one_comes() {
    let scene = Scene::new();
    let enrolled = std::thread::scope(|scope| {
        let racers: Vec<_> = (1..9)
            .map(|number| {
                let scene = &scene;
                scope.spawn(move || {
                    // Each tries until nobody else is at it.
                    loop {
                        match scene.enrol(number) {
                            Err(NotEnrolledBy::File(error)) if error.is_busy() => std::thread::yield_now(),
                            done => return done.is_ok(),
                        }
                    }
                })
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).filter(|won| *won).count()
    });
    assert_eq!((enrolled, scene.enrolled().len()), (1, 1));
    assert_eq!(scene.marked(), Some(scene.enrolled()[0].key));
}

/// The keeper dies, or its disk fails, after the client's file and before the mark.
#[test]
fn what_was_left_half_done_goes_on_for_the_same_key_alone() {
    let half_done = || {
        let scene = Scene::new();
        create(&scene.clients(), &client("laptop", 1)).unwrap();
        assert_eq!(scene.marked(), None);
        scene
    };
    // By the next packet.
    let scene = half_done();
    assert!(matches!(scene.enrol(2), Err(NotEnrolledBy::NameTaken(_))));
    assert_eq!(scene.marked(), None);
    scene.enrol(1).unwrap();
    assert_eq!((scene.enrolled(), scene.marked()), (vec![client("laptop", 1)], Some(key(1))));
    // By the next start.
    let scene = half_done();
    let found = scene.load();
    assert_eq!((found.invitations[0].used_by, &*found.unmarked), (Some(key(1)), &[name("laptop")][..]));
    assert!(!found.keep(&name("laptop"), NOW), "it is used up, whatever its file says");
    mark(&scene.clients(), &found).unwrap();
    assert_eq!((scene.marked(), scene.load().unmarked.len()), (Some(key(1)), 0));
    // The client is removed before either.
    let scene = half_done();
    remove(&scene.clients(), &name("laptop")).unwrap();
    assert!(matches!(scene.enrol(1), Err(NotEnrolledBy::Gone(_))));
    assert!(matches!(scene.enrol(2), Err(NotEnrolledBy::Gone(_))));
}

#[test]
fn whoever_was_removed_does_not_come_back() {
    let scene = Scene::new();
    scene.enrol(1).unwrap();
    // By hand, so that the invitation stays.
    fs::remove_file(path_of(&scene.clients(), &name("laptop"))).unwrap();
    for number in [1, 2] {
        assert!(matches!(scene.enrol(number), Err(NotEnrolledBy::Used(_))));
    }
    assert_eq!(scene.enrolled(), []);
    // Nor does another who was added by hand count as having come by it.
    create(&scene.clients(), &client("laptop", 2)).unwrap();
    assert!(matches!(scene.enrol(2), Err(NotEnrolledBy::Used(_))));
    fs::remove_file(path_of(&scene.clients(), &name("laptop"))).unwrap();
    // A mark of what was loaded before changes nothing either.
    let found = Invitations { unmarked: vec![name("laptop")], ..scene.load() };
    mark(&scene.clients(), &found).unwrap();
    assert_eq!(scene.marked(), Some(key(1)));
}

#[test]
fn a_name_and_a_key_have_one_owner() {
    let scene = Scene::new();
    assert!(matches!(scene.add("laptop", 1), Err(NotEnrolled::Reserved(_))));
    assert!(matches!(scene.add("bob", INVITED), Err(NotEnrolled::KeyOfInvitation(_))));
    assert!(matches!(scene.invite("laptop", 8), Err(NotInvited::Pending(_))));
    scene.add("alice", 1).unwrap();
    assert!(matches!(scene.invite("alice", 8), Err(NotInvited::NameTaken(_))));
    assert!(matches!(scene.enrol(1), Err(NotEnrolledBy::KeyTaken(_))));
    // A file by hand.
    fs::write(path_of(&scene.clients(), &name("laptop")), "rubbish").unwrap();
    assert!(matches!(scene.enrol(2), Err(NotEnrolledBy::NameTaken(_))));
    fs::remove_file(path_of(&scene.clients(), &name("laptop"))).unwrap();
    scene.enrol(2).unwrap();
}

#[test]
fn the_name_of_an_invitation_that_is_over_or_used_is_free_again() {
    let scene = Scene::new();
    let later = NOW.saturating_add(Duration::from_secs(3600));
    assert!(!scene.load().keep(&name("laptop"), later));
    invite(&scene.clients(), &invitation("laptop", 8), later).unwrap();
    assert!(matches!(scene.enrol(1), Err(NotEnrolledBy::Gone(_))), "the key of the one before it");
    let scene = Scene::new();
    add(&scene.clients(), &client("laptop", 1), &Comment::default(), later).unwrap();
    remove(&scene.clients(), &name("laptop")).unwrap();
    scene.invite("laptop", 8).unwrap();
}

#[test]
fn a_revoked_invitation_is_gone_and_who_came_by_it_stays() {
    let scene = Scene::new();
    assert_eq!(revoke(&scene.clients(), &name("laptop")).unwrap(), Some(invitation("laptop", INVITED)));
    assert!(matches!(scene.enrol(1), Err(NotEnrolledBy::Gone(_))));
    assert!(revoke(&scene.clients(), &name("laptop")).unwrap_err().is_absent());
    let scene = Scene::new();
    scene.enrol(1).unwrap();
    assert_eq!(revoke(&scene.clients(), &name("laptop")).unwrap().unwrap().used_by, Some(key(1)));
    assert_eq!(scene.enrolled(), [client("laptop", 1)]);
    // A broken one can be revoked too.
    fs::write(scene.path("laptop"), "rubbish").unwrap();
    assert_eq!(revoke(&scene.clients(), &name("laptop")).unwrap(), None);
}

/// What somebody has narrowed is not to be had as it was.
#[test]
fn whose_file_was_changed_enrols_nobody_until_that_is_in_force() {
    let scene = Scene::new();
    let path = scene.path("laptop");
    let narrowed = fs::read_to_string(&path).unwrap().replace("\"ssh\"", "");
    fs::write(&path, narrowed).unwrap();
    assert!(matches!(scene.enrol(1), Err(NotEnrolledBy::Changed(_))));
    assert_eq!((scene.enrolled(), scene.marked()), (vec![], None));
    // The daemon has read the file again.
    let narrowed = Client { rights: Vec::new(), ..client("laptop", 1) };
    enrol(&scene.clients(), &Enrolment { invitation: key(INVITED), client: narrowed.clone() }).unwrap();
    assert_eq!((scene.enrolled(), scene.marked()), (vec![narrowed], Some(key(1))));
}

#[test]
fn nobody_waits_for_a_lock_that_another_holds() {
    let scene = Scene::new();
    let lock = lock(&scene.clients()).unwrap();
    assert!(matches!(scene.enrol(1), Err(NotEnrolledBy::File(error)) if error.is_busy()));
    drop(lock);
    scene.enrol(1).unwrap();
}

#[test]
fn a_failed_write_enrols_nobody_and_can_be_tried_again() {
    let scene = Scene::new();
    // Nothing can be put in place of a directory.
    let blocked = scene.clients().join("laptop.toml");
    fs::create_dir(&blocked).unwrap();
    assert!(scene.enrol(1).is_err());
    assert_eq!(scene.marked(), None);
    fs::remove_dir(&blocked).unwrap();
    scene.enrol(1).unwrap();
    assert_eq!(scene.marked(), Some(key(1)));
}

#[test]
fn a_file_that_cannot_be_used_invites_nobody_and_stops_nobody_else() {
    let scene = Scene::new();
    let write = |text: &str, body: &str| fs::write(scene.path(text), body).unwrap();
    let line = |number| ClientLine { key: key(number), comment: Comment::default() };
    let good = |number| format!("key = '{}'\nexpires = 2027-01-01T00:00:00Z\n", line(number));
    write("a", &format!("{}foo = 1", good(1)));
    write("b", "rubbish");
    write("c", &format!("key = '{}'", line(2)));
    write("d", &good(3));
    write("e", &good(3));
    write("f", &format!("key = '{}'\nexpires = '24h'", line(4)));
    write("g", &good(5));
    let found = Invitations::load(&scene.clients(), &[client("alice", 5)]).unwrap();
    let names: Vec<_> = found.invitations.iter().map(|one| one.name().as_str()).collect();
    assert_eq!(names, ["laptop"]);
    let directory = directory(&scene.clients());
    let told: Vec<_> = found
        .faults
        .iter()
        .map(|fault| fault.to_string().replace(&format!("{}/", directory.display()), ""))
        .collect();
    assert_eq!(
        told,
        [
            "a.toml:3: foo: unknown key\n  known here: key, services, address, from, max-open, not-before, \
             not-after, rate, expires, used-by",
            "b.toml:1: not TOML: key with no value, expected `=`",
            "c.toml:1: no time until when it is good\n  expires = 2027-06-30T12:00:00Z",
            "e.toml:1: key: invitation d has this key already\n  one key for each invitation: remove one of the files",
            "f.toml:2: expires: a string where a date like 2027-06-30, without quotes, belongs",
            "g.toml: client alice has its key, which many may know",
        ]
    );
    scene.enrol(8).unwrap();
}

#[test]
fn an_invitation_whose_file_could_not_be_read_is_not_made() {
    let scene = Scene::new();
    let mut large = invitation("phone", 8);
    large.client.rights = (1..=65).map(|port| Right::Ports(Transport::Tcp, port..=port)).collect();
    let refused = invite(&scene.clients(), &large, NOW).unwrap_err();
    assert!(
        matches!(refused, NotInvited::Faults(_)) && refused.to_string().contains("services"),
        "{refused}"
    );
    assert!(!scene.path("phone").exists());
    large.client.rights.truncate(64);
    invite(&scene.clients(), &large, NOW).unwrap();
}

#[test]
fn what_is_over_makes_room() {
    let scene = Scene::new();
    let over = Invitation { expires: NOW, ..invitation("over", 1) };
    for number in 1..MAX_INVITATIONS {
        let mut seed = [7; 32];
        seed[..8].copy_from_slice(&number.to_be_bytes());
        let key = ClientSecret::from_seed(seed).public();
        let client = Client { name: name(&format!("n{number}")), key, ..over.client.clone() };
        // One of them is over.
        let expires = if number == 1 { NOW } else { invitation("x", 1).expires };
        write(&directory(&scene.clients()), &Invitation { client, expires, used_by: None }).unwrap();
    }
    scene.invite("more", 2).unwrap();
    assert!(!scene.path("n1").exists());
    assert!(matches!(scene.invite("evenmore", 3), Err(NotInvited::TooMany)));
}
