//! Over an ssh that still works: real ssh and real sshd, at a port that the guard leaves alone.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use knock_spa_tests::lab::{PATIENCE, until};
use knock_spa_tests::programs::{knock_spa, knock_spad};
use knock_spa_tests::rights::skip;
use knock_spa_tests::server::NAME;
use knock_spa_tests::sshd::{self, Sshd};

use super::*;

/// Where sshd listens.
const PORT: u16 = 2222;

/// A server with ssh, on which `knock-spad` is this server's own.
struct WithSsh<'w> {
    site: Site<'w>,
    sshd: Sshd,
}

impl<'w> WithSsh<'w> {
    fn new(world: &'w World) -> Self {
        let site = Site::new(world);
        let bin = site.server.path("bin");
        fs::create_dir(&bin).unwrap();
        let program = format!(
            "#!/bin/sh\nexec {} --config {} \"$@\"\n",
            knock_spad().display(),
            site.server.path("knock-spad.toml").display()
        );
        site.server.write("bin/knock-spad", &program, 0o755);
        let path = format!("SetEnv PATH={}:/usr/bin:/bin", bin.display());
        Self { site, sshd: Sshd::start_with(&world.server, PORT, &path) }
    }

    /// `knock-spa enroll` with these words on a laptop, whose ssh knows this server and has a key for it.
    fn enroll(&self, laptop: &Laptop<'_>, words: &[&str]) -> Run {
        let ssh = self.sshd.ssh_words("", NAME, &[]).join(" ");
        let bin = laptop.path("bin");
        fs::create_dir_all(&bin).unwrap();
        fs::write(bin.join("ssh"), format!("#!/bin/sh\nPATH=/usr/bin:/bin exec {ssh} \"$@\"\n")).unwrap();
        fs::set_permissions(bin.join("ssh"), fs::Permissions::from_mode(0o755)).unwrap();
        let mut all = vec!["env".to_owned(), format!("PATH={}:/usr/bin:/bin", bin.display())];
        all.extend(
            [knock_spa(), "--home".into(), laptop.path("home")].map(|path| path.display().to_string()),
        );
        all.extend(["enroll", "--via-ssh"].map(str::to_owned));
        all.push(format!("ssh://root@{NAME}:{PORT}"));
        all.extend(words.iter().map(|word| (*word).to_owned()));
        laptop.run_program(&all)
    }
}

fn with_ssh(test: impl FnOnce(WithSsh<'_>)) {
    if sshd::is_possible() {
        test(WithSsh::new(&World::new()));
    } else {
        skip("sshd needs more than one user");
    }
}

#[test]
fn one_command_takes_a_bare_device_to_an_open_door() {
    with_ssh(|there| {
        let laptop = there.site.laptop();
        let run = there.enroll(&laptop, &["--client", "laptop"]).ended_with(0);
        let run = run.said("enrolled client laptop").said("added gw.example.net").said("ssh answers (");
        assert_eq!((run.out.trim(), there.site.clients()), (&*laptop.line(), vec!["laptop".to_owned()]));
        laptop.run("close gw.example.net").ended_with(0);
        laptop.run("open ssh gw.example.net").ended_with(0).said("ssh answers (");
    });
}

#[test]
fn who_is_enrolled_is_not_enrolled_twice_and_its_rights_stay() {
    with_ssh(|there| {
        let laptop = there.site.laptop();
        there.enroll(&laptop, &[]).ended_with(0);
        let clients = there.site.clients();
        close(&there, &laptop, "");
        let again = there.enroll(&laptop, &["--client", "other"]).ended_with(0);
        again.said("enrolled already").said("is known already").said("ssh answers (");
        assert_eq!((there.site.clients(), clients.len()), (clients, 1));
        // A key under a passphrase is told by its public line; to open the door takes the passphrase.
        laptop.run_with_input("passphrase --passphrase-fd 0", "secret\n").ended_with(0);
        close(&there, &laptop, "secret\n");
        there.enroll(&laptop, &["--no-open"]).ended_with(0).said("is known already");
    });
}

/// Shuts the first door again.
fn close(there: &WithSsh<'_>, laptop: &Laptop<'_>, passphrase: &str) {
    laptop.run_with_input("close gw.example.net --passphrase-fd 0", passphrase).ended_with(0);
    until(PATIENCE, "the door to shut", || there.site.server.openings().is_empty());
}

#[test]
fn a_new_key_of_the_server_is_renewed() {
    with_ssh(|mut there| {
        let laptop = there.site.laptop();
        there.enroll(&laptop, &[]).ended_with(0);
        there.site.server.stop();
        let before = there.site.server.key();
        for file in ["state/server.key", "state/server.key.pub"] {
            fs::remove_file(there.site.server.path(file)).unwrap();
        }
        there.site.server.command(&["init", "--endpoint", NAME]).ended_with(0);
        assert_ne!(there.site.server.key(), before);
        there.site.server.start();
        there.enroll(&laptop, &["--no-open"]).ended_with(0).said("renewed gw.example.net: its key was");
        let key = there.site.server.key().fingerprint().to_string();
        laptop.run("hosts show gw.example.net").ended_with(0).said(&key);
    });
}

#[test]
fn what_the_server_refuses_is_said_and_changes_nothing() {
    with_ssh(|there| {
        let laptop = there.site.laptop();
        there.enroll(&laptop, &["--door", "cellar"]).ended_with(69).said("no such door").said("--door DOOR");
        let other = Laptop::new(&there.site.world.stranger, &there.site.world.server);
        there.site.server.enrol(&other, "laptop", &[]);
        let taken = there.enroll(&laptop, &["--client", "laptop"]).ended_with(69);
        taken.said("a client laptop already").said("--client NAME");
        assert_eq!(there.site.clients(), ["laptop"]);
        assert!(!laptop.path("home/hosts.toml").exists());
    });
}
