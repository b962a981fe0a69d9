//! The services database, `/etc/services`: which port a service's name stands for, as services(5) says.

use std::num::NonZeroU16;

use knock_spa_proto::port::Transport;

/// The largest database that is read, in bytes. The whole IANA registry takes less than this.
pub(crate) const MAX_LEN: u64 = 4 * 1024 * 1024;

/// The text of a services database; empty where there is none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Database(String);

impl Database {
    /// The database of this text. Lines that make no sense are skipped, as the resolver skips them.
    pub(crate) const fn new(text: String) -> Self {
        Self(text)
    }

    /// The port of the service that has this name or alias with this transport.
    pub(crate) fn port(&self, name: &str, transport: Transport) -> Option<NonZeroU16> {
        self.0.lines().find_map(|line| port_on_line(line, name, transport))
    }
}

/// `name port/transport alias… # comment`
fn port_on_line(line: &str, wanted: &str, transport: Transport) -> Option<NonZeroU16> {
    let mut words = line.split('#').next()?.split_ascii_whitespace();
    let name = words.next()?;
    let (port, protocol) = words.next()?.split_once('/')?;
    let meant = name == wanted || words.any(|alias| alias == wanted);
    if meant && protocol == transport.to_string() { port.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_name_or_alias_and_transport() {
        let database = Database::new(
            "# comment\n\nssh\t\t22/tcp\t\t\t# SSH Remote Login Protocol\ndomain 53/tcp\ndomain 53/udp\n\
             http 80/tcp www # www-alias\nbroken\nbroken2 x/tcp\nzero 0/tcp\nbig 65536/tcp\n"
                .to_owned(),
        );
        for (name, transport, port) in [
            ("ssh", Transport::Tcp, Some(22)),
            ("ssh", Transport::Udp, None),
            ("domain", Transport::Udp, Some(53)),
            ("www", Transport::Tcp, Some(80)),
            ("www-alias", Transport::Tcp, None),
            ("broken", Transport::Tcp, None),
            ("broken2", Transport::Tcp, None),
            ("zero", Transport::Tcp, None),
            ("big", Transport::Tcp, None),
            ("", Transport::Tcp, None),
        ] {
            assert_eq!(database.port(name, transport).map(NonZeroU16::get), port, "{name}");
        }
        assert_eq!(Database::default().port("ssh", Transport::Tcp), None);
    }
}
