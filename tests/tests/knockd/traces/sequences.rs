//! What a sequence may be.

use super::*;

pub fn traces() -> Vec<Trace> {
    let ssh = &door("ssh", "7000,8000,9000", "");
    vec![
        Trace::new("opens", ssh, "a: 7000 8000 9000"),
        Trace::new("opens by IPv6", ssh, "x: 7000 8000 9000"),
        Trace::new("retransmitted first", ssh, "a: 7000 7000 8000 9000"),
    ]
}
