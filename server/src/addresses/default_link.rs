//! The interface that is meant where nobody names one.

use std::fs;

use crate::io::packet_socket;

/// knockd's own default.
const DEFAULT: &str = "eth0";

/// The interface that is listened on where nobody names one: `eth0`, or where there is none that of the default route.
#[must_use]
pub fn default_interface() -> String {
    // Not by /sys, which shows the interfaces of whoever mounted it.
    if packet_socket::interface_index(DEFAULT).is_ok() {
        return DEFAULT.into();
    }
    let routes = fs::read_to_string("/proc/net/route").unwrap_or_default();
    let routes6 = fs::read_to_string("/proc/net/ipv6_route").unwrap_or_default();
    default_route(&routes).or_else(|| default_route6(&routes6)).unwrap_or_else(|| DEFAULT.into())
}

/// The interface of the best default route in `/proc/net/route`.
fn default_route(table: &str) -> Option<String> {
    let routes = table.lines().filter_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        match fields[..] {
            [name, "00000000", _, _, _, _, metric, "00000000", ..] => {
                Some((metric.parse::<u32>().ok()?, name))
            }
            _ => None,
        }
    });
    routes.min_by_key(|(metric, _)| *metric).map(|(_, name)| name.into())
}

/// The same for `/proc/net/ipv6_route`, where loopback has one that leads nowhere.
fn default_route6(table: &str) -> Option<String> {
    const NOWHERE: &str = "00000000000000000000000000000000";
    let routes = table.lines().filter_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        match fields[..] {
            [NOWHERE, "00", _, _, _, metric, _, _, _, name] if name != "lo" => {
                Some((u32::from_str_radix(metric, 16).ok()?, name))
            }
            _ => None,
        }
    });
    routes.min_by_key(|(metric, _)| *metric).map(|(_, name)| name.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_default_route_is_found() {
        let table = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
                     wlan0\t00000000\t0102A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n\
                     enp3s0\t00000000\t0102A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
                     enp3s0\t0002A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n";
        assert_eq!(default_route(table).as_deref(), Some("enp3s0"));
        assert_eq!(default_route("Iface\n"), None);
        let zero = "0".repeat(32);
        let six = format!(
            "{zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00200200       lo\n\
             {zero} 00 {zero} 00 fe80000000000000000000000000000001 00000400 00000001 00000000 00000003 ens3\n"
        );
        assert_eq!(default_route6(&six).as_deref(), Some("ens3"));
    }
}
