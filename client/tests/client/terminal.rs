//! A terminal with a user at it: the program has it as its controlling terminal, and the test types and looks.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use crate::program::Device;

/// How often to look for what is to come, a fiftieth of a second each time.
const PATIENCE: u32 = 1000;

/// A terminal on which one command runs.
pub(crate) struct Terminal {
    screen: File,
    /// The command's side, held open so that its modes can be seen to the end.
    line: File,
    child: Child,
    shown: String,
}

impl Terminal {
    /// Runs the program on a terminal, by a shell that sees it as `"$0"`: `script` may give it other standard streams.
    #[expect(clippy::disallowed_methods, reason = "these tests run the program")]
    pub(crate) fn run(device: &Device, script: &str) -> Self {
        let master: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        unlockpt(&master).unwrap();
        // It must not become the terminal of the test itself.
        let line = ioctl_tiocgptpeer(&master, OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        let line = File::from(line);
        let stream = || Stdio::from(line.try_clone().unwrap());
        let mut command = Command::new("setsid");
        command.args(["--ctty", "--wait", "sh", "-c", script, env!("CARGO_BIN_EXE_knock-spa")]);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("KNOCK_SPA_HOME", device.home());
        let child = command.stdin(stream()).stdout(stream()).stderr(stream()).spawn().unwrap();
        Self { screen: File::from(master), line, child, shown: String::new() }
    }

    /// Waits until `text` has appeared behind what was waited for before.
    pub(crate) fn await_text(&mut self, text: &str) -> &mut Self {
        let rest = (0..PATIENCE).find_map(|_| {
            self.read();
            self.shown.split_once(text).map(|(_, rest)| rest.to_owned())
        });
        assert!(rest.is_some(), "{text:?} in {:?}", self.shown);
        self.shown = rest.unwrap();
        self
    }

    fn read(&mut self) {
        let soon = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
        let mut waiting = [PollFd::new(&self.screen, PollFlags::IN)];
        if poll(&mut waiting, Some(&soon)).unwrap() > 0 {
            let mut buffer = [0; 1024];
            let len = self.screen.read(&mut buffer).unwrap();
            self.shown.push_str(&String::from_utf8_lossy(buffer.get(..len).unwrap()));
        }
    }

    pub(crate) fn type_keys(&mut self, keys: &str) -> &mut Self {
        self.screen.write_all(keys.as_bytes()).unwrap();
        self
    }

    /// Whether it shows what is typed.
    pub(crate) fn echoes(&self) -> bool {
        let modes = tcgetattr(&self.line).unwrap().local_modes;
        assert_eq!(modes.contains(LocalModes::ECHO), modes.contains(LocalModes::ISIG | LocalModes::ICANON));
        modes.contains(LocalModes::ECHO)
    }

    /// Waits until the command has ended with `status`; what was shown since the last text that was waited for.
    pub(crate) fn ended_with(mut self, status: i32) -> String {
        let ended = (0..PATIENCE).find_map(|_| {
            self.read();
            self.child.try_wait().unwrap()
        });
        if ended.is_none() {
            self.child.kill().unwrap();
        }
        let ended = self.child.wait().unwrap();
        self.read();
        assert_eq!(ended.code(), Some(status), "{:?}", self.shown);
        assert!(self.echoes(), "the terminal is as it was");
        self.shown
    }
}
