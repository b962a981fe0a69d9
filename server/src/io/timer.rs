//! Waiting for a time since boot. Suspension counts: what was due during it is due at waking.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use knock_spa_proto::time::BootTime;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

use super::readiness::Watched;

/// One alarm.
#[derive(Debug)]
pub struct Timer {
    descriptor: Watched,
    set_to: Option<BootTime>,
}

impl Timer {
    /// An alarm that is not set.
    ///
    /// # Errors
    /// What the system said.
    pub fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let descriptor = Watched::new(timerfd_create(TimerfdClockId::Boottime, flags)?)?;
        Ok(Self { descriptor, set_to: None })
    }

    /// Sets the alarm to `time`, or to never; a time that has passed is now.
    ///
    /// # Errors
    /// What the system said.
    pub fn set(&mut self, time: Option<BootTime>) -> io::Result<()> {
        if self.set_to == time {
            return Ok(());
        }
        let nothing = Timespec { tv_sec: 0, tv_nsec: 0 };
        // All zeros would disarm it.
        let at = time.map_or(nothing, |time| timespec(Duration::from_nanos(time.as_nanos().max(1))));
        let setting = Itimerspec { it_interval: nothing, it_value: at };
        timerfd_settime(self.descriptor.as_fd(), TimerfdTimerFlags::ABSTIME, &setting)?;
        self.set_to = time;
        Ok(())
    }

    /// Waits until the alarm goes off.
    ///
    /// # Errors
    /// What the system said.
    pub async fn expired(&mut self) -> io::Result<()> {
        let mut count = [0; 8];
        self.descriptor.read(|descriptor| Ok(rustix::io::read(descriptor, &mut count)?)).await?;
        self.set_to = None;
        Ok(())
    }
}

fn timespec(span: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: span.subsec_nanos().into(),
    }
}
