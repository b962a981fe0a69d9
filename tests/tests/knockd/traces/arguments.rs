//! How daemons that run are called.

use super::*;

pub fn traces() -> Vec<Trace> {
    let called = |name: &str, args: &str| {
        Trace::new(&format!("called {name}"), &door("d", "7000,8000", ""), "a: 7000 8000").usual(args)
    };
    vec![
        called("by long names", "--interface eth0 --config DIR/knockd.conf --logfile DIR/log"),
        called("with equals signs", "--interface=eth0 --config=DIR/knockd.conf --logfile=DIR/log"),
        called("by abbreviations", "--in eth0 --conf DIR/knockd.conf --logf=DIR/log --verb"),
        called("with words between", "-i eth0 hello -c DIR/knockd.conf world -g DIR/log !"),
        called("without blanks", "-ieth0 -cDIR/knockd.conf -gDIR/log"),
        called("with options in one word", "-vi eth0 -c DIR/knockd.conf -g DIR/log"),
        called(
            "with words after a double dash",
            "-i eth0 -c DIR/knockd.conf -g DIR/log -- -V -x -i nothing0",
        ),
        called(
            "with the last of two configurations",
            "-i eth0 -c /nonexistent -c DIR/knockd.conf -g DIR/log",
        ),
        called("with the last of two interfaces", "-i nothing0 -i eth0 -c DIR/knockd.conf -g DIR/log"),
        called("with the last of two logs", "-i eth0 -c DIR/knockd.conf -g DIR/first -g DIR/log"),
        called("with a log that cannot be", "-v -i eth0 -c DIR/knockd.conf -g /nonexistent/log").logs(&[]),
        called("in another order", "-g DIR/log -c DIR/knockd.conf -4 -i eth0").own("192.0.2.1 192.0.2.9"),
        called("into the background", "-i eth0 -c DIR/knockd.conf -g DIR/log -d -p DIR/pid"),
    ]
}
