//! One attempt at a time, and several doors.

use super::*;

pub fn traces() -> Vec<Trace> {
    [repeats(), one_attempt(), shared(), knockers()].concat()
}

fn repeats() -> Vec<Trace> {
    let ssh = &door("ssh", "7000,8000,9000", "");
    let pair = &door("d", "7000,7000,8000,9000", "");
    vec![
        Trace::new("retransmitted_first", ssh, "a: 7000 7000 8000 9000"),
        Trace::new("retransmitted_first_twice", ssh, "a: 7000 7000 7000 8000 9000"),
        Trace::new("retransmitted_middle", ssh, "a: 7000 8000 8000 9000"),
        Trace::new("retransmitted_last", ssh, "a: 7000 8000 9000 9000 9000"),
        Trace::new("retransmitted_all", ssh, "a: 7000 7000 8000 8000 9000 9000"),
        Trace::new("retransmitted_in_pair", pair, "a: 7000 7000 7000 8000 9000 b: 7000 7000 8000 9000"),
        Trace::new(
            "retransmitted_last_is_another_s_first",
            &doors(&[("s", "7000,9000"), ("t", "9000,8000")]),
            "a: 7000 9000 9000 8000",
        ),
        Trace::new("wrong_port_consumed", ssh, "a: 7000 9000 7000 8000 9000"),
        Trace::new("wrong_port_consumed_then_next", ssh, "a: 7000 9000 9000 7000 8000 9000"),
        Trace::new("incomplete_then_complete", ssh, "a: 7000 8000 7000 8000 9000 7000 8000 9000"),
        Trace::new("unlisted port between", ssh, "a: 7000 7001 8000 8001u 9000u 9000"),
        Trace::new("listed port of the other protocol", ssh, "a: 7000 8000u 7000u 8000 9000"),
    ]
}

fn one_attempt() -> Vec<Trace> {
    let two = &doors(&[("s", "7000,8000,9000"), ("t", "5000,6000")]);
    let with_one = &doors(&[("s", "7000,8000,9000"), ("one", "5000")]);
    vec![
        Trace::new("single_port_door_during_attempt", with_one, "a: 7000 5000 8000 9000 5000"),
        Trace::new("single_port_door_after_attempt", with_one, "a: 7000 8000 9000 5000 5000"),
        Trace::new("another door during an attempt", two, "a: 7000 5000 6000 8000 9000 5000 6000"),
        Trace::new("doors one after the other", two, "a: 7000 8000 9000 5000 6000 7000 8000 9000"),
        Trace::new("doors of two knockers", two, "a: 7000 b: 5000 a: 8000 b: 6000 a: 9000"),
        Trace::new(
            "port_scan_then_knock",
            &doors(&[("up", "7000,8000,9000"), ("down", "9000,8000,7000")]),
            "a: 6999 7000 7001 8000 8001 9000 9001 a: 9000 8000 7000",
        ),
        Trace::new(
            "scan with a door between",
            &doors(&[("up", "7000,8000,9000"), ("other", "7500,1")]),
            "a: 7000 7500 8000 9000 a: 7000 8000 9000 a: 7000 8000 9000",
        ),
        Trace::new(
            "forty doors",
            &(0..40)
                .map(|n| door(&format!("d{n}"), &format!("{},{}", 7000 + n, 7000 + (n + 7) % 40), ""))
                .collect::<String>(),
            "a: 7000 7007 7014 7021 7028 7035 b: 7039 7006 x: 7039 7006 7000 7007",
        ),
        Trace::new("prefix of the own sequence", &doors(&[("d", "1,2,1,3")]), "a: 1 2 1 2 1 3 a: 1 2 1 3"),
    ]
}

/// The row about attempts that are dropped with the oldest.
const FORGOTTEN: &str = "attempts-forgotten";

fn shared() -> Vec<Trace> {
    let order = |first: &str, second: &str| doors(&[("s", first), ("t", second)]);
    let identical = doors(&[("s", "7000,8000"), ("t", "7000,8000"), ("u", "7000,8000")]);
    vec![
        Trace::new("identical_sequences", &identical, "a: 7000 8000 7000 8000 x: 7000 8000"),
        Trace::new(
            "identical one-port doors",
            &doors(&[("s", "7000"), ("t", "7000")]),
            "a: 7000 7000 b: 7000",
        ),
        Trace::new(
            "shared_prefix_longer_first",
            &order("7000,8000,9000", "7000,8000"),
            "a: 7000 8000 9000 b: 7000 8000 9000",
        ),
        Trace::new("shared_prefix_shorter_first", &order("7000,8000", "7000,8000,9000"), "a: 7000 8000 9000")
            .mended(FORGOTTEN),
        Trace::new(
            "shared_first_port_diverge_later",
            &order("7000,8000,9000", "7000,8000,9001"),
            "a: 7000 8000 9000 b: 7000 8000 9001",
        ),
        Trace::new(
            "shared_first_port_diverge_later_second_wanted",
            &order("7000,8000,9000,1", "7000,8000,9001,1"),
            "a: 7000 8000 9001 1",
        )
        .mended(FORGOTTEN),
        Trace::new(
            "shared_first_port_one_goes_on",
            &order("7000,8000,1", "7000,9000,1"),
            "a: 7000 8000 1 b: 7000 8000 1",
        ),
        Trace::new("one-port door before a longer", &order("7000", "7000,8000"), "a: 7000 8000")
            .mended(FORGOTTEN),
        Trace::new("one-port door after a longer", &order("7000,8000", "7000"), "a: 7000 8000 7000"),
        Trace::new("two doors of one name", &doors(&[("s", "7000"), ("s", "8000")]), "a: 7000 8000"),
        Trace::new(
            "both fail, then both start",
            &order("7000,8000,9000", "7000,8001,9001"),
            "a: 7000 9000 7000 8001 9001",
        )
        .mended(FORGOTTEN),
        Trace::new("a door without a start command", "[d]\nsequence = 7000,8000\n", "a: 7000 8000"),
    ]
}

fn knockers() -> Vec<Trace> {
    let ssh = &door("ssh", "7000,8000,9000", "");
    let forgotten = |name: &str, steps: &str| Trace::new(name, ssh, steps).mended(FORGOTTEN);
    vec![
        Trace::new(
            "knockers one after the other",
            ssh,
            "a: 7000 8000 9000 b: 7000 8000 9000 c: 7000 8000 9000",
        ),
        forgotten("interleaved_two", "a: 7000 b: 7000 a: 8000 b: 8000 a: 9000 b: 9000"),
        forgotten("interleaved_families", "a: 7000 x: 7000 a: 8000 x: 8000 a: 9000 x: 9000"),
        forgotten("interleaved_three", "a: 7000 b: 7000 c: 7000 a: 8000 9000 b: 8000 9000 c: 8000 9000"),
        Trace::new("interleaved_later_ends_first", ssh, "a: 7000 b: 7000 8000 9000 a: 8000 9000"),
        Trace::new("interleaved_later_fails", ssh, "a: 7000 b: 7000 7000 a: 8000 9000"),
        forgotten(
            "bystander_fails_ahead",
            "b: 7000 7000 a: 7000 8000 9000 b: 7000 a: 7000 b: 9000 a: 8000 9000",
        ),
        forgotten("bystander_opens_ahead", "b: 7000 8000 a: 7000 b: 9000 a: 8000 9000"),
        Trace::new("bystander_waits_ahead", ssh, "b: 7000 a: 7000 8000 9000 a: 7000 8000 9000"),
        forgotten("attempt is forgotten and begun anew", "b: 7000 a: 7000 b: 7000 a: 7000 8000 9000"),
        Trace::new("two families of one host", ssh, "a: 7000 8000 x: 9000 7000 8000 9000 a: 9000"),
    ]
}
