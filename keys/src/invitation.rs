//! Invitations: keys that may enrol one client, once, and do nothing else.

use alloc::format;
use alloc::string::String;
use core::str::FromStr;

use zeroize::Zeroizing;

use crate::client::ClientSecret;
use crate::comment::Comment;
use crate::endpoint::Endpoints;
use crate::server::{ServerKey, ServerLine};
use crate::text::{self, BadLine, Kind};

/// An invitation, as the administrator hands it to whoever is to be enrolled: a secret until it is used.
/// Text: `knock-spa-invite-v1 <91 characters> NAME host:port[,host:port] [DOOR]`.
#[derive(Debug)]
pub struct InvitationLine {
    /// The server that invites, and where it hears packets.
    pub server: ServerLine,
    /// The single-use key: its only right is to enrol.
    pub secret: ClientSecret,
    /// What the server will call the client; not empty.
    pub name: Comment,
    /// The door to open first, by the name that the server has for it; empty where none is proposed.
    pub door: Comment,
}

const KEY_LEN: usize = 32;
/// The server's key, then the seed.
const BOTH_LEN: usize = 2 * KEY_LEN;

impl InvitationLine {
    /// The line, wiped when dropped.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut keys = Zeroizing::new([0; BOTH_LEN]);
        let both = self.server.key.as_bytes().iter().chain(self.secret.expose());
        keys.iter_mut().zip(both).for_each(|(to, from)| *to = *from);
        let rest = format!("{} {} {}", self.name.as_str(), self.server.endpoints, self.door.as_str());
        text::write(Kind::Invitation, &keys, rest.trim_end())
    }
}

impl FromStr for InvitationLine {
    type Err = BadLine;

    fn from_str(line: &str) -> Result<Self, BadLine> {
        let parts = text::parse_words::<BOTH_LEN>(Kind::Invitation, line)?;
        let (server, seed) = parts.key.split_first_chunk().ok_or(BadLine::Length)?;
        let seed = Zeroizing::new(*seed.first_chunk().ok_or(BadLine::Length)?);
        let mut words = parts.rest.ok_or(BadLine::NoName)?.split(' ');
        let name = words.next().ok_or(BadLine::NoName)?.parse()?;
        let endpoints: Endpoints = words.next().ok_or(BadLine::NoEndpoints)?.parse()?;
        let door = words.next().unwrap_or_default().parse()?;
        if words.next().is_some() {
            return Err(BadLine::Spacing);
        }
        let server = ServerLine { key: ServerKey::from_bytes(*server)?, endpoints };
        Ok(Self { server, secret: ClientSecret::from_seed(*seed), name, door })
    }
}

#[cfg(test)]
#[expect(clippy::string_slice, reason = "the texts here are ASCII")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::server::ServerSecret;

    fn invitation(door: &str) -> InvitationLine {
        let key = ServerSecret::from_bytes([7; 32]).public();
        InvitationLine {
            server: ServerLine { key, endpoints: "gw1.example.net:62201".parse().unwrap() },
            secret: ClientSecret::from_seed([9; 32]),
            name: "laptop".parse().unwrap(),
            door: door.parse().unwrap(),
        }
    }

    fn fault(line: &str) -> BadLine {
        line.parse::<InvitationLine>().unwrap_err()
    }

    #[test]
    fn an_invitation_has_a_name_endpoints_and_perhaps_a_door() {
        for door in ["", "ssh"] {
            let text = invitation(door).to_text();
            let again: InvitationLine = text.parse().unwrap();
            assert_eq!(again.to_text(), text);
            assert_eq!(again.door.as_str(), door);
        }
        let text = invitation("ssh").to_text();
        let bare = text.strip_suffix(" laptop gw1.example.net:62201 ssh").unwrap();
        assert_eq!(bare.len(), "knock-spa-invite-v1 ".len() + 91);
        assert_eq!(fault(bare), BadLine::NoName);
        assert_eq!(fault(&format!("{bare} laptop")), BadLine::NoEndpoints);
        assert_eq!(fault(&format!("{} twice", *text)), BadLine::Spacing);
        assert_eq!(fault(&format!("{} ", *text)), BadLine::Spacing);
    }

    /// Both keys are in the checksum, and the last character has no bits to spare.
    #[test]
    fn no_character_of_the_keys_can_be_changed() {
        let text = invitation("").to_text();
        let keys = "knock-spa-invite-v1 ".len()..text.find(" laptop").unwrap();
        for at in keys {
            for with in ['A', 'B', '/', '-', ' '] {
                let line = format!("{}{with}{}", &text[..at], &text[at + 1..]);
                assert!(line == **text || line.parse::<InvitationLine>().is_err(), "{line}");
            }
        }
    }

    #[test]
    fn nothing_shows_the_seed() {
        assert!(format!("{:?}", invitation("ssh")).contains("secret: (..)"));
    }

    proptest! {
        #[test]
        fn reading_is_total_and_canonical(line in "knock-spa-invite-v1 [A-Za-z0-9+/]{91}( [a-z]{0,3}){0,4}|.*") {
            if let Ok(value) = line.parse::<InvitationLine>() {
                prop_assert_eq!(&**value.to_text(), &line);
            }
        }

        #[test]
        fn invitations_come_back(server: [u8; 32], seed: [u8; 32], name in "[A-Za-z0-9@._+-]{1,64}", door in "[a-z0-9-]{0,15}") {
            let key = ServerSecret::from_bytes(server).public();
            let line = InvitationLine {
                server: ServerLine { key, endpoints: "192.0.2.1:1,[2001:db8::1]:2".parse().unwrap() },
                secret: ClientSecret::from_seed(seed),
                name: name.parse().unwrap(),
                door: door.parse().unwrap(),
            };
            let again: InvitationLine = line.to_text().parse().unwrap();
            prop_assert_eq!(again.secret.expose(), &seed);
            prop_assert_eq!(again.server, line.server);
            prop_assert_eq!((again.name, again.door), (line.name, line.door));
        }
    }
}
