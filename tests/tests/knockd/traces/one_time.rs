//! Sequences that are good for one time.

use super::*;

pub fn traces() -> Vec<Trace> {
    [uses(), contents(), ends(), faults()].concat()
}

/// A door with a file of sequences.
fn config(more: &str) -> String {
    format!("[d]\none_time_sequences = DIR/ots\nstart_command = echo d start %IP% >>$RAN\n{more}\n")
}

fn ots(name: &str, file: &str, steps: &str) -> Trace {
    Trace::new(name, &config(""), steps).file("ots", file)
}

fn uses() -> Vec<Trace> {
    vec![
        ots("ots_basic", " 1,2,3\n 4,5,6\n 7,8,9\n", "a: 1 2 3 = 1 2 3 = 4 5 6 = 4 5 6"),
        ots("ots_no_leading_space", "11,12,13\n21,22,23\n31,32\n", "a: 11 12 13 = 21 22 23 ="),
        ots("ots: wrong knocks use up nothing", " 1,2,3\n 4,5,6\n", "a: 1 3 = 2 = 1 2 2 = 4 5 6 = 1 2 3 ="),
        ots(
            "ots: of two knockers the second comes too late",
            " 1,2\n 3,4\n 5,6\n",
            "a: 1 2 = b: 1 2 = 3 4 =",
        ),
        ots("ots: the next is shorter", " 1,2,3\n 4,5\n 6\n", "a: 1 2 3 = 4 5 ="),
        ots("ots: the next is the same", " 1,2\n 1,2\n 1,2\n", "a: 1 2 = 1 2 ="),
        ots("ots: one port", " 1\n 2\n 3\n", "a: 1 = 2 ="),
        ots("ots: udp and tcp", " 1:udp,2\n 3,4:udp\n 5\n", "a: 1u 2 = 3 4u ="),
        Trace::new(
            "ots: a door beside it",
            &[config(""), door("ssh", "7000,8000", "")].concat(),
            "a: 7000 8000 1 2 = 7000 8000 = b: 3 4 = 7000 8000",
        )
        .file("ots", " 1,2\n 3,4\n 5,6\n"),
    ]
}

fn contents() -> Vec<Trace> {
    vec![
        ots(
            "ots: comments and empty lines",
            "# 1,2\n\n  # 3,4\n 5,6\n\n 7,8\n 9\n",
            "a: 1 2 3 4 5 6 = 7 = 8 7",
        ),
        ots("ots: lines that end as in DOS", " 1,2\r\n 3,4\r\n 5,6\r\n", "a: 1 2 = 3 4 ="),
        ots("ots: no newline at the end", " 1,2\n 3,4", "a: 1 2 = 3 = 3"),
        ots("ots: an odd line ahead of nothing", " 1,2\n 5000abc,6\n 7\n", "a: 1 2 = 5000 6 ="),
        Trace::new(
            "ots: a sequence in the place of the first",
            &config("sequence = 7,8"),
            "a: 1 2 7 8 = 1 2 = 7 8 = 3 4 =",
        )
        .file("ots", " 1,2\n 3,4\n 5,6\n"),
        Trace::new(
            "ots: the file in the place of a sequence",
            "[d]\nsequence = 7,8\none_time_sequences = DIR/ots\n",
            "a: 7 8 1 2 = 3 4 = 7 8",
        )
        .file("ots", " 1,2\n 3,4\n 5,6\n"),
    ]
}

fn ends() -> Vec<Trace> {
    vec![
        ots("ots: a reload goes on with the next", " 1,2\n 3,4\n 5,6\n", "a: 1 2 = HUP 1 2 = 3 4 ="),
        ots(
            "ots: a reload finds lines that came meanwhile",
            " 1,2\n 3,4\n",
            "a: 1 2 = WRITE HUP 3 4 = 9 8 =",
        )
        .write("ots", "#1,2\n 3,4\n 9,8\n 5\n"),
        ots("ots: the last is used up", " 1,2\n", "a: 1 2 =").other("one-time-exhausted"),
        ots("ots: nothing left at the start", "# 1,2\n\n", "").other("one-time-exhausted"),
        ots("ots: nothing left at a reload", " 1,2\n 3,4\n", "a: 1 2 = WRITE HUP")
            .write("ots", "# 1,2\n")
            .other("one-time-exhausted"),
        Trace::new("ots: a file that is not there", &config(""), ""),
    ]
}

fn faults() -> Vec<Trace> {
    vec![
        ots("ots: an invalid line ahead", " 70000\n 1,2\n 3,4\n 5,6\n", "a: 1 2 = 1 2 = 3 4 =")
            .other("one-time-replay"),
        ots("ots: an invalid line behind", " 1,2\n 7:x\n 3,4\n 5,6\n", "a: 1 2 = 3 4 = 3 4 =")
            .other("one-time-replay"),
        ots("ots: IPv6 listens at the old ports", " 1,2\n 3,4\n 5,6\n", "x: 1 2 = 3 4 = 1 2 =")
            .mended("one-time-ipv6"),
        ots("ots: only the tail of a longer one is missing", " 1,2\n 3,4,5\n 6\n", "a: 1 2 5 = 5 =")
            .other("one-time-tail"),
    ]
}
