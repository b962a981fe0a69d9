//! How long an attempt may take.

use super::*;

/// The row about when an expiry is told.
const ON_TIME: &str = "expiry-on-time";
/// The row about attempts that are dropped with the oldest.
const FORGOTTEN: &str = "attempts-forgotten";

pub fn traces() -> Vec<Trace> {
    [limits(), values(), several()].concat()
}

/// The defaults, which take as long as they are.
pub fn slow() -> Vec<Trace> {
    let stop = "[d]\nsequence = 7000\ncommand = echo start >>$RAN\nstop_command = echo stop %IP% >>$RAN\n\
                [e]\nsequence = 8000\ncommand = echo e %IP% >>$RAN\n";
    vec![
        Trace::new("the default timeout is not over", &door("d", "7000,8000", ""), "a: 7000 ~24300 8000"),
        Trace::new("the default timeout is over", &door("d", "7000,8000", ""), "a: 7000 ~25000 8000"),
        Trace::new("the default time before a stop", stop, "a: 7000 ~9300 b: 8000 ~1400 c: 8000"),
    ]
}

fn within(name: &str, seconds: &str) -> String {
    door(name, "7000,8000,9000", &format!("seq_timeout = {seconds}"))
}

fn limits() -> Vec<Trace> {
    vec![
        Trace::new("timeout_one_same_second", &within("d", "1"), "a: 7000 8000 9000 ~100 a: 7000 8000 9000"),
        Trace::new("timeout_one_within_the_second", &within("d", "1"), "a: 7000 ~500 8000 9000"),
        Trace::new("timeout_one_next_second", &within("d", "1"), "a: 7000 8000 ~1000 9000 7000 8000 9000"),
        Trace::new("timeout_boundary_before", &within("d", "2"), "a: 7000 ~900 8000 ~600 9000"),
        Trace::new("timeout_boundary_after", &within("d", "2"), "a: 7000 ~900 8000 ~900 9000"),
        Trace::new(
            "timeout is not renewed",
            &within("d", "2"),
            "a: 7000 ~900 8000 ~1000 9000 b: 7000 8000 9000",
        ),
        Trace::new(
            "timeout: the packet after it begins anew",
            &within("d", "1"),
            "a: 7000 ~1000 7000 8000 9000",
        ),
        Trace::new("timeout is told with the stage", &within("d", "1"), "a: 7000 8000 ~1000 b: 7000"),
        Trace::new("timeout of one that failed is not told", &within("d", "1"), "a: 7000 7000 ~1000 b: 7000"),
        Trace::new(
            "timeout of one that opened is not told",
            &within("d", "1"),
            "a: 7000 8000 9000 ~1000 b: 7000",
        ),
    ]
}

fn values() -> Vec<Trace> {
    let value =
        |value: &str, steps: &str| Trace::new(&format!("seq_timeout = {value}"), &within("d", value), steps);
    let none = "a: 7000 8000 9000 b: 7000 8000 9000";
    let alias = door("d", "7000,8000", "timeout = 1");
    let last = door("d", "7000,8000", "timeout = 1\nSeq_Timeout = 5");
    vec![
        value("0", none),
        value("-1", none),
        value("never", none),
        value("", none),
        value("99999999999999999999", none),
        value("4294967297", "a: 7000 8000 9000 7000 ~1000 8000 9000"),
        value("1 # one", "a: 7000 8000 9000 7000 ~1000 8000 9000"),
        value("1s", "a: 7000 8000 9000"),
        Trace::new("timeout is another word", &alias, "a: 7000 8000 7000 ~1000 8000"),
        Trace::new("the last of two timeouts", &last, "a: 7000 ~1000 8000"),
        Trace::new("the default is longer than a second", &door("d", "7000,8000", ""), "a: 7000 ~1000 8000"),
        Trace::new(
            "no time for one port is enough",
            &door("d", "7000", "seq_timeout = 0"),
            "a: 7000 7000 ~1000 7000",
        ),
    ]
}

fn several() -> Vec<Trace> {
    let one = &within("d", "1");
    let two =
        [door("slow", "7000,8000", "seq_timeout = 9"), door("fast", "7000,9000", "seq_timeout = 1")].concat();
    let slower =
        [door("s", "7000,8000", "seq_timeout = 2"), door("f", "7001,9000", "seq_timeout = 1")].concat();
    vec![
        Trace::new("two time out at once", one, "a: 7000 b: 7000 8000 ~1000 c: 7000 8000 9000"),
        Trace::new("of two doors one times out", &two, "a: 7000 ~1000 8000 b: 7000 9000"),
        Trace::new("of two doors the other fails", &two, "a: 7000 ~1000 9000 7000"),
        Trace::new("the earlier attempt times out later", &slower, "a: 7000 b: 7001 ~2000 c: 7000")
            .mended(ON_TIME),
        Trace::new("a timeout is told before what follows", &slower, "b: 7001 ~1000 c: 7777 7000 ~100 8000"),
        Trace::new(
            "bystander_expires_ahead",
            &[door("s", "7000,8000", "seq_timeout = 5"), door("f", "7001,9000", "seq_timeout = 1")].concat(),
            "b: 7001 a: 7000 ~1000 8000",
        )
        .mended(FORGOTTEN),
        Trace::new(
            "bystander_expires_behind",
            &[door("s", "7000,8000", "seq_timeout = 5"), door("f", "7001,9000", "seq_timeout = 1")].concat(),
            "a: 7000 b: 7001 ~1000 a: 8000",
        ),
    ]
}
