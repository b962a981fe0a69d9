//! What survives in the world: the keeper is killed or stops, the machine loses its power, and what is on the disk begins anew.

use super::*;

impl World {
    /// The keeper is killed and starts again: what it ran is killed with it, and what it had not written is lost.
    pub(crate) fn crash(&mut self) {
        self.disk.outlive_keeper();
        self.shell.outlive_keeper(self.disk.openings().into_values());
        self.restart_in(self.boot);
    }

    /// The same, but everything that was to be written was.
    pub(crate) fn crash_written(&mut self) {
        self.disk.keep_appended();
        self.shell.outlive_keeper(self.disk.openings().into_values());
        self.restart_in(self.boot);
    }

    /// The keeper is told to stop and does, and starts again.
    pub(crate) fn stop_and_start(&mut self) {
        self.stop();
        self.shell.outlive_keeper(self.disk.openings().into_values());
        self.restart_in(self.boot);
    }

    /// The keeper is told to stop, and does.
    pub(crate) fn stop(&mut self) {
        self.admit.handle_stop(self.now);
        self.settle();
        self.end_all();
        self.settle();
        self.disk.keep_appended();
    }

    /// The machine stops and boots again, `down` later: its sets and what commands had done are gone.
    pub(crate) fn reboot(&mut self, down: Duration) {
        self.lose_power(down, 0);
    }

    /// The same, and of what was not synced so many records reached the disk.
    pub(crate) fn lose_power(&mut self, down: Duration, kept: usize) {
        self.disk.lose_power(kept);
        self.sets = Sets::default();
        self.shell.open.clear();
        self.shell.outlive_keeper(self.disk.openings().into_values());
        self.kernel = Kernel::default();
        self.now =
            Now { boot: BootTime::from_nanos(30_000_000_000), unix: self.now.unix.saturating_add(down) };
        let [generation, ..] = self.boot;
        self.restart_in([generation + 1; 16]);
    }

    /// The keeper is killed, and starts again with other rules.
    pub(crate) fn restart_with(&mut self, rules: Rules) {
        self.files = Files::of(&rules);
        self.rules = rules;
        self.crash();
    }

    pub(super) fn restart_in(&mut self, boot: BootId) {
        self.fuse = None;
        self.boot = boot;
        self.shell.running.clear();
        self.to_run.clear();
        // What is made after the start is not made at the same instant.
        self.last_stamp = self.last_stamp.max(self.now.unix);
        let mut history = History::default();
        self.disk.durable.iter().cloned().for_each(|record| history.push(record));
        if self.disk.is_marked {
            history.forget_keys();
        }
        let own = [OWN4, OWN6].map(address).into();
        let rules = self.files.rules(self.rules.clone());
        let restored = Restored::new(history, rules, own, boot, self.now);
        self.admit = restored.admit;
        self.state_lost = restored.state_lost;
        self.marks_were_lost |= self.disk.is_lost;
        if self.disk.is_lost {
            // How often a start ran beside a stop that failed could not be noted.
            self.shell.open.values_mut().for_each(|count| *count = 1);
        }
        if self.disk.broken {
            self.disk.lose();
        } else {
            self.disk = Disk { used: core::mem::take(&mut self.disk.used), ..Disk::default() };
            self.disk.durable = self.admit.snapshot(boot);
        }
        self.settle();
        self.kernel.elements.clear();
        for (element, left) in self.admit.elements(self.now.boot) {
            self.kernel.set(element, left, self.now.boot);
        }
        self.fill_sets();
    }

    /// The sets are filled from memory, as at a start and after somebody else has changed them.
    pub(crate) fn fill_sets(&mut self) {
        for entry in self.admit.set_entries(self.now.boot) {
            assert!(entry.shut.is_empty());
            self.sets.fill(&entry, self.kernel.time(self.now.boot));
        }
    }
}
