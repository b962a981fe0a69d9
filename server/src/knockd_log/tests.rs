//! Lines from end to end, in virtual time.

use std::fs;
use std::path::PathBuf;

use knock_spa_proto::address::Address;
use knock_spa_proto::time::UnixTime;
use tempfile::TempDir;
use tokio::sync::mpsc::Sender;

use super::names::Answer;
use super::*;

const NOW: Now =
    Now { boot: BootTime::from_nanos(5_000_000_000), unix: UnixTime::from_nanos(1_767_323_045_000_000_000) };

struct Scene {
    directory: TempDir,
    log: KnockdLog,
}

impl Scene {
    fn new(lookup: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = Some(directory.path().join("log"));
        let log = KnockdLog::open(&LogSettings { file, lookup, ..LogSettings::default() });
        Self { directory, log }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn say(&mut self, said: &Said) {
        self.log.say_at(&Line::Said(said), NOW);
    }

    /// The lines of the file without their time.
    fn lines(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path(name)).unwrap();
        let time = format!("{} ", bracketed(NOW));
        text.lines().map(|line| line.strip_prefix(&time).unwrap_or(line).to_owned()).collect()
    }
}

fn bracketed(now: Now) -> String {
    clock::local(now.unix).strftime("[%Y-%m-%d %H:%M]").to_string()
}

fn source() -> Address {
    "192.0.2.1".parse().unwrap()
}

fn stage(from: Address, stage: u8) -> Said {
    Said::Stage { door: "ssh".into(), from, stage }
}

#[test]
fn all_lines_in_the_file() {
    let mut scene = Scene::new(false);
    let error = io::Error::from_raw_os_error(libc::ENOENT);
    let log = &mut scene.log;
    log.say_at(&Line::PidFileFailed { file: Path::new("/x/y"), error: &error }, NOW);
    log.say_at(&Line::StartingUp { interface: "eth0" }, NOW);
    let (door, from): (String, Address) = ("ssh".into(), source());
    scene.say(&stage(from, 2));
    scene.say(&Said::OpenSesame { door: door.clone(), from: "::192.0.2.1".parse().unwrap() });
    scene.say(&Said::Running { door: door.clone(), command: "true".into() });
    scene.say(&Said::NonZero { door: door.clone(), status: 127 });
    scene.say(&Said::CommandTimeout { door: door.clone(), from });
    scene.say(&Said::SequenceTimeout { door: door.clone(), from, stage: 1 });
    scene.say(&Said::StartTooLong);
    scene.say(&Said::StopTooLong);
    scene.say(&Said::NotStarted);
    scene.say(&Said::NoMoreSequences { door });
    scene.log.say_at(&Line::Rereading { config: Path::new("/etc/knockd.conf") }, NOW);
    scene.log.say_at(&Line::WaitingForCommands, NOW);
    scene.log.say_at(&Line::ShuttingDown, NOW);
    let expected = [
        "could not create pid file /x/y: No such file or directory",
        "starting up, listening on eth0",
        "192.0.2.1: ssh: Stage 2",
        "::192.0.2.1: ssh: OPEN SESAME",
        "ssh: running command: true",
        "",
        "ssh: command returned non-zero status code (127)",
        "192.0.2.1: ssh: command timeout",
        "192.0.2.1: ssh: sequence timeout (stage 1)",
        "",
        "error: parsed start command has been truncated! --> won't execute it",
        "error: parsed stop command has been truncated! --> won't execute start command",
        "error: command fork failed!",
        "no more sequences left in the one time sequences file for door ssh --> disabling the door",
        "",
        "re-reading config file: /etc/knockd.conf",
        "",
        "shutting down",
    ];
    assert_eq!(scene.lines("log"), expected);
}

#[test]
fn long_names_and_messages_are_cut() {
    let mut scene = Scene::new(false);
    scene.say(&Said::OpenSesame { door: "é".repeat(100), from: source() });
    let bytes = fs::read(scene.path("log")).unwrap();
    let name = &"é".repeat(64).into_bytes()[..127];
    let expected = [format!("{} 192.0.2.1: ", bracketed(NOW)).as_bytes(), name, b": OPEN SESAME\n"].concat();
    assert_eq!(bytes, expected);

    fs::remove_file(scene.path("log")).unwrap();
    scene.log.reopen(&LogSettings::default());
    scene.say(&Said::Running { door: "d".into(), command: "x".repeat(2000) });
    let text = fs::read_to_string(scene.path("log")).unwrap();
    let expected = format!("{} d: running command: {}\n", bracketed(NOW), "x".repeat(1023 - 20));
    assert_eq!(text, expected, "without an empty line");
}

#[test]
fn standard_output_and_standard_error_have_whole_messages() {
    let said = Said::Running { door: "d".into(), command: "x".repeat(2000) };
    let words = Words::of(&Line::Said(&said), None);
    assert_eq!(words.output.unwrap().len(), "d: running command: \n".len() + 2000);
    let said = Said::NonZero { door: "d".into(), status: 1 };
    let words = Words::of(&Line::Said(&said), None);
    assert_eq!(words.output, None);
    assert_eq!(words.errors.unwrap(), b"d: command returned non-zero status code (1)\n");
    let words = Words::of(&Line::StartingUp { interface: "eth0" }, None);
    assert_eq!(words.output.unwrap(), b"listening on eth0...\n");
    let words = Words::of(&Line::ShuttingDown, None);
    assert_eq!(words.output.unwrap(), b"closing...\n");
    let words = Words::closing_file(Path::new("/log"));
    assert_eq!((words.log, words.output.unwrap()), (None, b"closing log file: /log\n".to_vec()));
    let words = Words::reopening_file(Path::new("/log"));
    assert_eq!(words.log.unwrap(), b"re-opening log file: /log\n");
    assert_eq!(
        words::cannot_open(&io::Error::from_raw_os_error(libc::EISDIR)),
        b"warning: cannot open logfile: Is a directory\n"
    );
}

#[test]
fn a_rotated_file_is_left_alone_and_a_changed_one_taken() {
    let mut scene = Scene::new(false);
    scene.say(&stage(source(), 1));
    fs::rename(scene.path("log"), scene.path("log.1")).unwrap();
    scene.say(&stage(source(), 2));
    scene.log.reopen(&LogSettings::default());
    scene.say(&stage(source(), 3));
    let other = LogSettings { file: Some(scene.path("other")), ..LogSettings::default() };
    scene.log.reopen(&other);
    scene.say(&stage(source(), 4));
    assert_eq!(scene.lines("log.1"), ["192.0.2.1: ssh: Stage 1", "192.0.2.1: ssh: Stage 2"]);
    assert_eq!(scene.lines("log"), ["192.0.2.1: ssh: Stage 3"]);
    assert_eq!(scene.lines("other"), ["192.0.2.1: ssh: Stage 4"]);
}

#[test]
fn a_file_that_cannot_be_opened_is_no_reason_to_stop() {
    let mut scene = Scene::new(false);
    scene.log.reopen(&LogSettings { file: Some("/nonexistent/log".into()), ..LogSettings::default() });
    scene.say(&stage(source(), 1));
    assert_eq!(scene.lines("log"), [""; 0]);
}

fn answers_one(address: Address, to: &Sender<Answer>) -> io::Result<()> {
    if address == source() {
        return to.try_send((address, Some("laptop.example".into()))).map_err(io::Error::other);
    }
    Ok(())
}

#[tokio::test]
async fn lines_wait_for_names() {
    let mut scene = Scene::new(true);
    scene.log.names = Names::new(answers_one);
    let silent = "192.0.2.2".parse().unwrap();
    scene.say(&stage(silent, 1));
    scene.say(&stage(source(), 1));
    scene.say(&stage(source(), 2));
    scene.say(&Said::NonZero { door: "ssh".into(), status: 1 });
    assert_eq!(scene.lines("log"), [""; 0]);
    scene.log.names.answered().await;
    scene.log.catch_up(NOW.boot);
    let named = ["192.0.2.1 (laptop.example): ssh: Stage 1", "192.0.2.1 (laptop.example): ssh: Stage 2"];
    assert_eq!(scene.lines("log"), named);
    scene.log.catch_up(NOW.boot.saturating_add(Duration::from_secs(5)));
    let rest = ["192.0.2.2: ssh: Stage 1", "ssh: command returned non-zero status code (1)"];
    assert_eq!(scene.lines("log"), [named, rest].concat());
}

#[tokio::test]
async fn whoever_waits_for_lines_writes_them() {
    let mut scene = Scene::new(true);
    scene.log.names = Names::new(answers_one);
    scene.log.say(&Line::Said(&stage(source(), 1)));
    scene.log.ready().await;
    assert!(scene.lines("log")[0].ends_with("] 192.0.2.1 (laptop.example): ssh: Stage 1"));
    // By the clock of this machine, nobody has patience any more.
    scene.say(&stage("192.0.2.2".parse().unwrap(), 1));
    scene.log.ready().await;
    assert_eq!(scene.lines("log").last().unwrap(), "192.0.2.2: ssh: Stage 1");
    let nothing = tokio::time::timeout(Duration::from_millis(20), scene.log.ready());
    assert!(nothing.await.is_err(), "nothing waits");
}

#[test]
fn nothing_is_left_behind() {
    let mut scene = Scene::new(true);
    scene.log.names = Names::new(answers_one);
    scene.say(&stage("192.0.2.2".parse().unwrap(), 1));
    scene.log.say_at(&Line::ShuttingDown, NOW);
    assert_eq!(scene.lines("log"), ["192.0.2.2: ssh: Stage 1", "shutting down"]);
}
