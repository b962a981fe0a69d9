//! The services database, `/etc/services`: the names that ports are registered under, as services(5) says.

use std::path::Path;

use knock_spa_proto::port::{ServicePort, Transport};
use knock_spa_proto::service::ServiceName;

use crate::files;

/// Where it is.
const FILE: &str = "/etc/services";

/// The largest that is read, in bytes. The whole IANA registry takes less than this.
const MAX_LEN: u64 = 4 * 1024 * 1024;

/// The services that the system knows; none where it has no database that can be read.
pub(crate) fn registered() -> Vec<(ServiceName, ServicePort)> {
    match files::read_text(Path::new(FILE), MAX_LEN) {
        Ok((text, _)) => parse(&text).collect(),
        Err(error) if error.is_absent() => Vec::new(),
        Err(error) => {
            tracing::warn!(event = "services-unknown", %error, "doors can be asked for by their own names and ports");
            Vec::new()
        }
    }
}

/// Every name and alias with its port. What makes no sense is skipped, as the resolver skips it, and so are names that no
/// request can hold.
fn parse(text: &str) -> impl Iterator<Item = (ServiceName, ServicePort)> {
    text.lines().flat_map(|line| of_line(line).into_iter().flatten())
}

/// `name port/transport alias… # comment`
fn of_line(line: &str) -> Option<impl Iterator<Item = (ServiceName, ServicePort)>> {
    let mut words = line.split('#').next()?.split_ascii_whitespace();
    let name = words.next()?;
    let (port, transport) = words.next()?.split_once('/')?;
    let transport = [Transport::Tcp, Transport::Udp].into_iter().find(|one| one.to_string() == transport)?;
    let port = ServicePort::new(transport, port.parse().ok()?)?;
    let names = std::iter::once(name).chain(words);
    Some(names.filter_map(move |name| Some((name.parse().ok()?, port))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_that_a_request_can_hold_and_its_ports() {
        let text = "# comment\n\nssh\t\t22/tcp\t\t\t# SSH Remote Login Protocol\ndomain 53/tcp\ndomain 53/udp\n\
                    http 80/tcp www WWW # www-alias\nbroken\nbroken2 x/tcp\nzero 0/tcp\nbig 65536/tcp\nsctp 1/sctp\n\
                    a-name-of-17-byte 7/tcp x\n";
        let found: Vec<_> = parse(text).map(|(name, port)| format!("{name} {port}")).collect();
        assert_eq!(
            found,
            ["ssh tcp/22", "domain tcp/53", "domain udp/53", "http tcp/80", "www tcp/80", "x tcp/7"]
        );
    }
}
