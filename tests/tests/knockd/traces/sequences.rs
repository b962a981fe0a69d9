//! What a sequence may be.

use super::*;

pub fn traces() -> Vec<Trace> {
    [plain(), numbers(), words()].concat()
}

fn plain() -> Vec<Trace> {
    let ssh = &door("ssh", "7000,8000,9000", "");
    let one = &door("one", "7000", "");
    let long = (1..=32).map(|port| port.to_string()).collect::<Vec<_>>();
    vec![
        Trace::new("three ports open", ssh, "a: 7000 8000 9000"),
        Trace::new("three ports open by IPv6", ssh, "x: 7000 8000 9000"),
        Trace::new("two of three ports", ssh, "a: 7000 8000"),
        Trace::new("another order", ssh, "a: 9000 8000 7000"),
        Trace::new("one port", one, "a: 7000"),
        Trace::new("one port opens at every packet", one, "a: 7000 7000 7000 b: 7000 x: 7000"),
        Trace::new("ten knocks back to back", ssh, &"a: 7000 8000 9000 ".repeat(10)),
        Trace::new("udp", &door("u", "7000:udp,8000:udp", ""), "a: 7000u 8000u b: 7000 8000 x: 7000u 8000u"),
        Trace::new(
            "tcp and udp",
            &door("m", "7000:tcp,7000:udp,8000", ""),
            "a: 7000 7000u 8000 b: 7000u 7000 8000 c: 7000 7000u 8000u x: 7000 7000u 8000",
        ),
        Trace::new("one port thrice", &door("r", "7000,7000,7000", ""), "a: 7000 7000 7000 7000"),
        Trace::new("palindrome", &door("p", "7000,8000,7000", ""), "a: 7000 8000 7000 7000 8000 7000"),
        Trace::new("32 ports", &door("long", &long.join(","), ""), &format!("a: {} x: {0}", long.join(" "))),
        Trace::new(
            "the last of two sequences",
            "[d]\nsequence = 7000\nsequence = 8000,9000\n",
            "a: 7000 b: 8000 9000",
        ),
    ]
}

fn numbers() -> Vec<Trace> {
    let one = |name: &str, sequence: &str, steps: &str| Trace::new(name, &door("n", sequence, ""), steps);
    vec![
        one("a number before letters", "5000abc", "a: 5000"),
        one("hexadecimal is the port 0", "0x1388", "a: 5000 0"),
        one("a number with its sign", "+5002", "a: 5002"),
        one("a number with zeros before it", "0005001", "a: 5001"),
        one("minus one is the last port", "-1", "a: 65535 x: 65535"),
        one("minus sixty thousand", "-60000", "a: 5536 60000"),
        one("a number that int does not hold", "4294974296", "a: 7000"),
        one("a number that long does not hold", "99999999999999999999", "a: 65535"),
        one(
            "nothing between commas is the port 0",
            "5003,,5004",
            "a: 5003 0 5004 x: 5003 0 5004 b: 5003 5004",
        ),
        one("nothing after a comma is the port 0", "7000,", "a: 7000 0 b: 7000 7000"),
        one("no sequence is the port 0", "", "a: 0 x: 0"),
        one("the last port of all", "65535,1", "a: 65535 1"),
        one("words after a sequence", "7000,8000 # x", "a: 7000 8000"),
    ]
}

fn words() -> Vec<Trace> {
    let two = |name: &str, sequence: &str| {
        Trace::new(name, &door("w", sequence, ""), "a: 7000 8000u b: 7000u 8000u c: 7000 8000 x: 7000 8000u")
    };
    vec![
        two("protocols in capitals", "7000:TCP,8000:UDP"),
        two("protocols in mixed letters", "7000:Tcp,8000:uDp"),
        two("blanks around everything", " 7000 : tcp , 8000 : udp "),
        two("tabs around everything", "\t7000\t:\ttcp\t,\t8000\t:\tudp\t"),
        two("a second colon", "7000:tcp:udp,8000:udp:x"),
        two("blanks before a port", "7000,   8000:udp"),
    ]
}
