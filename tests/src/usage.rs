//! What processes use: time and memory, as the kernel counts them.

use std::fs;
use std::time::Duration;

use rustix::param::clock_ticks_per_second;
use rustix::process::Pid;

/// A process and all that descend from it and are there, the oldest first.
#[must_use]
pub fn family(eldest: Pid) -> Vec<Pid> {
    let mut family = vec![eldest];
    let mut next = 0;
    while let Some(pid) = family.get(next).map(|pid| pid.as_raw_nonzero()) {
        // A process may have ended meanwhile.
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        family.extend(children.split_whitespace().filter_map(|child| Pid::from_raw(child.parse().ok()?)));
        next += 1;
    }
    family
}

/// The processor time of a process, of those that descend from it, and of those of them that it has waited for.
#[must_use]
pub fn processor_time(eldest: Pid) -> Duration {
    family(eldest).into_iter().filter_map(own_time).sum()
}

fn own_time(pid: Pid) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // The name may have anything in it but its end; user and system time, and those of children, are fields 14 to 17.
    let fields = stat.rsplit_once(") ")?.1.split(' ').skip(11).take(4);
    let ticks: u64 = fields.filter_map(|field| field.parse::<u64>().ok()).sum();
    Some(Duration::from_secs(ticks) / u32::try_from(clock_ticks_per_second()).ok()?)
}

/// The memory of a process and of those that descend from it, in KiB: what they share counts by their share in it.
#[must_use]
pub fn memory(eldest: Pid) -> u64 {
    family(eldest).into_iter().filter_map(own_memory).sum()
}

fn own_memory(pid: Pid) -> Option<u64> {
    let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", pid.as_raw_nonzero())).ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_something() {
        let own = rustix::process::getpid();
        assert_eq!(family(own)[0], own);
        assert!(memory(own) > 100 && processor_time(own) < Duration::from_secs(3600));
    }
}
