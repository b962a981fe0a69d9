//! Signals.

use super::*;

pub fn traces() -> Vec<Trace> {
    [reloads(), logs(), pending(), signals()].concat()
}

fn ssh() -> String {
    door("ssh", "7000,8000,9000", "")
}

/// The row about attempts at doors that a reload does not change.
const SURVIVE: &str = "attempts-survive-reload";

fn reloads() -> Vec<Trace> {
    let other = &door("other", "1,2", "");
    vec![
        Trace::new("a reload drops attempts", &ssh(), "a: 7000 8000 HUP 9000 7000 8000 9000").mended(SURVIVE),
        Trace::new("a reload with other doors", &ssh(), "a: 7000 8000 9000 WRITE HUP 7000 8000 9000 1 2")
            .write("knockd.conf", other),
        Trace::new(
            "a reload with other doors for IPv6",
            &ssh(),
            "x: 7000 8000 9000 WRITE HUP 7000 8000 9000 1 2",
        )
        .write("knockd.conf", other),
        Trace::new("a reload with another command", &ssh(), "a: 7000 8000 9000 WRITE HUP 7000 8000 9000")
            .write("knockd.conf", "[ssh]\nsequence = 7000,8000,9000\ncommand = echo new %IP% >>$RAN\n"),
        Trace::new("a change without a reload", &ssh(), "WRITE a: 7000 8000 9000")
            .write("knockd.conf", other),
        Trace::new("two reloads", &ssh(), "HUP a: 7000 HUP 7000 8000 9000 HUP").mended(SURVIVE),
        Trace::new("a reload with more doors", &ssh(), "WRITE HUP a: 7000 8000 9000 1 2")
            .write("knockd.conf", &[ssh(), other.clone()].concat()),
        Trace::new("a reload without doors", &ssh(), "WRITE HUP a: 7000 8000 9000 WRITE HUP 7000 8000 9000")
            .write("knockd.conf", "")
            .write("knockd.conf", &ssh()),
        Trace::new("a reload does not change the interface", &ssh(), "WRITE HUP a: 7000 8000 9000")
            .write("knockd.conf", &format!("[options]\ninterface = nothing0\n{}", ssh())),
        Trace::new("a reload with an error", &ssh(), "a: 7000 WRITE HUP 8000 9000")
            .write("knockd.conf", "[ssh]\nsequence = 70000\n")
            .other("reload-error"),
        Trace::new("a reload in the background", &ssh(), "a: 7000 HUP 7000 8000 9000")
            .args("-d -p DIR/pid")
            .mended(SURVIVE),
    ]
}

fn logs() -> Vec<Trace> {
    vec![
        Trace::new(
            "a reload opens the log again",
            &ssh(),
            "a: 7000 8000 9000 mv:log:log.1 HUP 7000 8000 9000",
        )
        .logs(&["log.1", "log"]),
        Trace::new(
            "a log goes on under another name without a reload",
            &ssh(),
            "a: 7000 = mv:log:log.1 8000 9000",
        )
        .logs(&["log.1", "log"]),
        Trace::new("a reload with another log", &ssh(), "a: 7000 8000 9000 WRITE HUP 7000 8000 9000")
            .write("knockd.conf", &format!("[options]\nlogfile = DIR/second\n{}", ssh()))
            .logs(&["log", "second"]),
    ]
}

/// The row about what becomes of commands that are still to be run.
const PENDING: &str = "pending-close";

fn pending() -> Vec<Trace> {
    let stop = |name: &str, seconds: u32| {
        door(name, "7000", &format!("stop_command = echo {name} stop %IP% >>$RAN\ncmd_timeout = {seconds}"))
    };
    vec![
        Trace::new("sighup_keeps_pending_close", &stop("d", 1), "a: 7000 HUP ~1200"),
        Trace::new(
            "sighup_keeps_pending_close_of_a_door_that_is_gone",
            &stop("d", 1),
            "a: 7000 WRITE HUP ~1200 7000",
        )
        .write("knockd.conf", &ssh()),
        Trace::new(
            "sighup_keeps_pending_close_with_the_old_command",
            &stop("d", 1),
            "a: 7000 WRITE HUP ~1200 7000",
        )
        .write("knockd.conf", &stop("new", 0)),
        Trace::new("sigterm_waits_for_a_close", &stop("d", 1), "a: 7000 TERM").other(PENDING),
        Trace::new(
            "sigterm_leaves_a_second_close",
            &[stop("d", 1), door("e", "8000", "stop_command = echo e stop >>$RAN\ncmd_timeout = 2")].concat(),
            "a: 7000 8000 TERM",
        )
        .other(PENDING),
        Trace::new("sigint_waits_for_a_close", &stop("d", 1), "a: 7000 INT").other(PENDING),
        Trace::new(
            "sigterm_waits_for_a_start",
            "[d]\nsequence = 7000\ncommand = sleep 0.5; echo started >>$RAN\n",
            "a: 7000 TERM",
        ),
    ]
}

fn signals() -> Vec<Trace> {
    vec![
        Trace::new("sigterm_at_once", &ssh(), "TERM"),
        Trace::new("sigterm_during_an_attempt", &ssh(), "a: 7000 TERM 8000 9000"),
        Trace::new("sigint_at_once", &ssh(), "INT"),
        Trace::new("sigterm_with_status_lines", &ssh(), "a: 7000 8000 9000 = TERM").args("-v"),
        Trace::new("sigterm_removes_the_pidfile", &ssh(), "a: 7000 TERM").args("-d -p DIR/pid"),
        Trace::new("sigint_removes_the_pidfile", &ssh(), "INT").args("-d -p DIR/pid"),
    ]
}
