use std::os::unix::fs::PermissionsExt;

use knock_spa_engine::client::{AddressMode, Rate, Right};
use knock_spa_keys::client::{ClientLine, ClientSecret};
use knock_spa_proto::port::Transport;

use super::*;
use crate::clients::date::{NotAfter, NotBefore};

const NOW: UnixTime = UnixTime::from_nanos(1_790_000_000_000_000_000);

fn key(number: u8) -> ClientKey {
    ClientSecret::from_seed([number; 32]).public()
}

fn line(number: u8) -> String {
    ClientLine { key: key(number), comment: comment() }.to_string()
}

fn client(name: &str, number: u8) -> Client {
    Client {
        name: name.parse().unwrap(),
        key: key(number),
        rights: Vec::new(),
        mode: AddressMode::default(),
        from: None,
        max_open: None,
        not_before: None,
        not_after: None,
        rate: Rate::default(),
    }
}

fn comment() -> Comment {
    "a@b".parse().unwrap()
}

fn enrol(directory: &Path, client: &Client) -> Result<(), NotEnrolled> {
    add(directory, client, &comment(), NOW)
}

fn names(directory: &Path) -> Vec<String> {
    file_names(directory, MAX_CLIENTS).unwrap()
}

/// A full one.
fn alice() -> Client {
    Client {
        rights: vec![
            Right::Door("ssh".parse().unwrap()),
            Right::Ports(Transport::Tcp, 8000..=8100),
            Right::Ports(Transport::Udp, 53..=53),
        ],
        mode: AddressMode::Match,
        from: Some(vec!["203.0.113.0/24".parse().unwrap(), "2001:db8::/32".parse().unwrap()]),
        max_open: Some(std::time::Duration::from_secs(5400)),
        not_before: Some("2026-01-01T08:30:00Z".parse::<NotBefore>().unwrap().0),
        not_after: Some("2027-06-30".parse::<NotAfter>().unwrap().0),
        rate: Rate { per_minute: 7.try_into().unwrap(), ..Rate::default() },
        ..client("alice", 1)
    }
}

#[test]
fn what_is_written_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let clients = [alice(), client("bob@home", 2)];
    clients.iter().for_each(|client| enrol(path, client).unwrap());
    assert_eq!(Roster::load(path).unwrap(), Roster { clients: clients.into(), warnings: vec![] });
    let text = fs::read_to_string(path.join("alice.toml")).unwrap();
    let expected = format!(
        "key        = \"{}\"\n\
         services   = [\"ssh\", \"tcp/8000-8100\", \"udp/53\"]\n\
         address    = \"match\"\n\
         from       = [\"203.0.113.0/24\", \"2001:db8::/32\"]\n\
         max-open   = \"90m\"\n\
         not-before = 2026-01-01T08:30:00Z\n\
         not-after  = 2027-06-30\n\
         rate       = \"7/min\"\n",
        line(1)
    );
    assert_eq!(text, expected);
}

#[test]
fn a_key_alone_is_a_client_that_may_nothing() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("bob.toml"), format!("key = '{}'", line(2))).unwrap();
    assert_eq!(Roster::load(directory.path()).unwrap().clients, [client("bob", 2)]);
}

#[test]
fn one_name_and_one_key_for_each() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    enrol(path, &client("alice", 1)).unwrap();
    let before = fs::read(path.join("alice.toml")).unwrap();
    assert!(matches!(enrol(path, &client("alice", 2)), Err(NotEnrolled::NameTaken(_))));
    let taken = enrol(path, &client("bob", 1)).unwrap_err();
    assert_eq!(taken.to_string(), "client alice has this key already");
    assert_eq!(names(path), ["alice.toml"]);
    assert_eq!(fs::read(path.join("alice.toml")).unwrap(), before);

    remove(path, &"alice".parse().unwrap()).unwrap();
    enrol(path, &client("bob", 1)).unwrap();
    assert!(remove(path, &"alice".parse().unwrap()).unwrap_err().is_absent());
}

#[test]
fn one_of_many_at_once_gets_the_key() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let enrolled = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..8)
            .map(|number| scope.spawn(move || enrol(path, &client(&format!("c{number}"), 1)).is_ok()))
            .collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).filter(|won| *won).count()
    });
    assert_eq!((enrolled, names(path).len()), (1, 1));
}

#[test]
fn a_broken_file_keeps_others_from_being_enrolled() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("alice.toml"), "key").unwrap();
    assert!(matches!(enrol(directory.path(), &client("bob", 2)), Err(NotEnrolled::Unreadable(_))));
    assert_eq!(names(directory.path()), ["alice.toml"]);
}

#[test]
fn files_of_nobody_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    enrol(path, &client("alice", 1)).unwrap();
    fs::write(path.join(".hidden.toml"), "x").unwrap();
    fs::write(path.join("alice.toml~"), "x").unwrap();
    fs::set_permissions(path.join("alice.toml"), fs::Permissions::from_mode(0o620)).unwrap();
    let roster = Roster::load(path).unwrap();
    assert_eq!(roster.clients.len(), 1);
    let told: Vec<_> = roster.warnings.iter().map(ToString::to_string).collect();
    assert!(told[0].contains("others than its owner can write this file"), "{told:?}");
    assert!(told[1].contains("alice.toml~ is not read"), "{told:?}");
    assert_eq!(told.len(), 2);
}

#[test]
fn all_faults_of_all_files_are_told_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let good = format!("key = '{}'\n", line(1));
    let write = |name: &str, text: &str| fs::write(path.join(name), text).unwrap();
    write("a.toml", &good);
    write("b.toml", &format!("\n{good}"));
    write(
        "c.toml",
        &format!("{good}services = ['ssh', 'tcp/0']\naddress = 'any'\nfrom = []\nmax-open = 'forever'"),
    );
    write(
        "d.toml",
        &format!("{good}not-before = 2027-01-01\nnot-after = 2026-12-31\nrate = '0/min'\nfoo = 1"),
    );
    write("e.toml", &format!("{good}not-after = '2026-12-31'\nnot-before = 2026-12-31T00:00:00"));
    write("f.toml", "services = []");
    write("g.toml", "key = 'knock-spa-client-secret-v1 AAAA'");
    write("h i.toml", &good);
    fs::create_dir(path.join("j.toml")).unwrap();
    write("k.toml", &"#".repeat(17_000));
    let faults = Roster::load(path).unwrap_err().to_string();
    let shown = faults.replace(&format!("{}/", path.display()), "");
    assert_eq!(
        shown,
        "b.toml:2: key: client a has this key already\n  one key for each client: remove one of the files\n\
         c.toml:2: services: \"tcp/0\": neither a door's name, nor a port like tcp/22, nor ports like tcp/8000-8100\n\
         c.toml:3: address: \"any\": unknown value\n  known here: \"sender\", \"claimed\", \"match\"\n\
         c.toml:4: from: no network, so that nothing could be opened\n  leave it out for anywhere\n\
         c.toml:5: max-open: \"forever\": not a span of time: write a number and one of s, m, h, d, such as 90s, 10m, 1h or 7d\n\
         d.toml:3: not-after: before not-before\n\
         d.toml:4: rate: \"0/min\": not a rate like 60/min, from 1/min to 6000/min\n\
         d.toml:5: foo: unknown key\n  known here: key, services, address, from, max-open, not-before, not-after, rate\n\
         e.toml:2: not-after: a string where a date like 2027-06-30, without quotes, belongs\n\
         e.toml:3: not-before: neither a date like 2027-06-30 nor a time like 2027-06-30T12:00:00Z, from 1970 to 2554\n\
         f.toml:1: no key\n  key = \"knock-spa-client-v1 ...\", as `knock-spa enroll` prints it\n\
         g.toml:1: key: this is a knock-spa-client-secret-v1 line, and a knock-spa-client-v1 line is wanted\n\
         h i.toml: not a client's name: a letter or digit, then at most 63 letters, digits or . _ @ -\n\
         j.toml is not a regular file\n\
         k.toml is longer than 16384 bytes"
    );
}
