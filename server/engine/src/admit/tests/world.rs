//! A world for the keeper's engine: clocks, a journal on a disk, the kernel's sets, and commands that run.
//!
//! It carries out effects as the keeper does: all there are, then one write for their records, then the outcomes. A
//! fuse can blow at any of these steps: from then on nothing happens until a restart.

mod effects;
pub(super) mod files;
mod incoming;
mod machine;
mod restarts;
mod sets;

use alloc::format;
use alloc::string::ToString;

use super::asking::state;
use super::*;
use crate::admit::effect::{Enrolment, Job};
use crate::admit::record::BootId;
use files::Files;
use machine::{Disk, Kernel, Shell};
use sets::Sets;

pub(super) struct World {
    pub(super) admit: Admit,
    pub(super) now: Now,
    pub(super) disk: Disk,
    pub(super) kernel: Kernel,
    /// The administrator's own sets.
    pub(super) sets: Sets,
    pub(super) shell: Shell,
    pub(super) files: Files,
    /// Commands that start once everything is written.
    to_run: Vec<Job>,
    pub(super) said: Vec<Event>,
    /// The doors whose sequences were struck out, in order.
    pub(super) struck_out: Vec<Knockable>,
    pub(super) state_lost: bool,
    /// What becomes of the flows of what the administrator closes.
    pub(super) flows: Flows,
    /// The elements whose flows were cut, in order, with what commands had open then.
    pub(super) cut: Vec<(Element, Vec<String>)>,
    rules: Rules,
    boot: BootId,
    /// Steps until everything stops; never where absent.
    fuse: Option<usize>,
    steps: usize,
    last_stamp: UnixTime,
    /// Every packet that came, in order.
    pub(super) delivered: Vec<Claim>,
    /// Whether a keeper ended that had done what is not on record.
    pub(super) marks_were_lost: bool,
}

impl World {
    /// A server that has been set up, and runs for the first time.
    pub(super) fn new(rules: Rules) -> Self {
        let keys = rules.servers().iter().copied().map(Record::Key).collect();
        let begin = Now {
            boot: BootTime::from_nanos(1_000_000_000_000),
            unix: UnixTime::from_nanos(1_790_000_000_000_000_000),
        };
        // It started long ago, as far as packets are concerned.
        let ago = 2 * u64::try_from(WINDOW.as_nanos()).unwrap();
        let now = Now {
            boot: BootTime::from_nanos(begin.boot.as_nanos() - ago),
            unix: UnixTime::from_nanos(begin.unix.as_nanos() - ago),
        };
        let boot = [1; 16];
        let own = [OWN4, OWN6].map(address).into();
        let restored = Restored::new(History::default(), rules.clone(), own, boot, now);
        let mut world = Self {
            admit: restored.admit,
            now,
            disk: Disk { durable: keys, ..Disk::default() },
            kernel: Kernel::default(),
            sets: Sets::default(),
            shell: Shell::default(),
            files: Files::of(&rules),
            to_run: Vec::new(),
            said: Vec::new(),
            struck_out: Vec::new(),
            state_lost: restored.state_lost,
            flows: Flows::LiveOn,
            cut: Vec::new(),
            rules,
            boot,
            fuse: None,
            steps: 0,
            last_stamp: UnixTime::EPOCH,
            delivered: Vec::new(),
            marks_were_lost: false,
        };
        world.restart_in(boot);
        (world.now, world.last_stamp) = (begin, UnixTime::EPOCH);
        world
    }

    pub(super) fn with_fuse(mut self, steps: usize) -> Self {
        self.light_fuse(steps);
        self
    }

    /// Everything stops after so many steps.
    pub(super) const fn light_fuse(&mut self, steps: usize) {
        self.fuse = Some(self.steps + steps);
    }

    /// Whether the fuse has blown.
    pub(super) fn is_dead(&self) -> bool {
        self.fuse.is_some_and(|fuse| self.steps >= fuse)
    }

    /// Steps that were done.
    pub(super) const fn steps(&self) -> usize {
        self.steps
    }

    fn step(&mut self) -> bool {
        let lives = !self.is_dead();
        self.steps += usize::from(lives);
        lives
    }

    /// What the sets hold, and for how much longer.
    pub(super) fn held(&self) -> BTreeMap<String, Duration> {
        self.sets.all(self.kernel.time(self.now.boot))
    }

    /// What passes the guard now.
    pub(super) fn guard(&self) -> Vec<Element> {
        self.kernel.passing(self.now.boot)
    }

    /// For how long an element stays; `None` where it is not there.
    pub(super) fn left(&self, element: Element) -> Option<Duration> {
        self.kernel.left(element, self.now.boot)
    }

    /// What the refusals are that were counted since the last start.
    pub(super) fn refused(&self) -> Vec<(Refusal, u64)> {
        let counts = Refusal::ALL.map(|refusal| (refusal, self.admit.refused().of(refusal)));
        counts.into_iter().filter(|(_, count)| *count > 0).collect()
    }

    /// Doors that are open, for whom, asked by whom, and for how many seconds still.
    pub(super) fn status(&self) -> Vec<String> {
        let line = |opening: OpeningStatus| {
            let left = opening.left.map_or_else(|| "ever".into(), |left| left.as_secs().to_string());
            format!("{} {} {} {left}", opening.door, opening.address, opening.by)
        };
        self.admit.openings(self.now.boot).map(line).collect()
    }

    pub(super) fn take_said(&mut self) -> Vec<Event> {
        core::mem::take(&mut self.said)
    }
}
