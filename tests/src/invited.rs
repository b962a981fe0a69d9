//! Invitations in the lab: who has one, and makes packets by it that the client would not make.

use knock_spa_keys::client::{ClientKey, ClientSecret};
use knock_spa_keys::invitation::InvitationLine;
use knock_spa_proto::spa::request::Request;
use knock_spa_proto::spa::{Enrol, PACKET_LEN, seal};
use knock_spa_proto::time::UnixTime;

use crate::laptop::{now, random};
use crate::server::Server;

impl Server<'_> {
    /// Invites a client of this name; the line for it.
    ///
    /// # Panics
    /// Where `knock-spad invite` fails, or prints something else.
    #[must_use]
    pub fn invite(&self, name: &str, options: &[&str]) -> InvitationLine {
        let run = self.command(&[&["invite", name], options].concat()).ended_with(0);
        run.out.strip_suffix('\n').expect("one line").parse().expect("an invitation")
    }

    /// The names and keys of who is enrolled, by the files.
    ///
    /// # Panics
    /// Where `knock-spad client list` fails.
    #[must_use]
    pub fn enrolled(&self) -> Vec<(String, String)> {
        let run = self.command(&["client", "list", "--json"]).ended_with(0);
        let rows: Vec<serde_json::Value> = serde_json::from_str(&run.out).expect("a list");
        let text = |row: &serde_json::Value, key: &str| row[key].as_str().expect("a text").to_owned();
        rows.iter().map(|row| (text(row, "name"), text(row, "fingerprint"))).collect()
    }
}

/// Asks to enrol this device's key by an invitation.
pub fn request(invitation: &InvitationLine, device: &ClientSecret) -> Request {
    Request::Enrol(Enrol::new(device, &invitation.server.key, &invitation.secret.public()))
}

/// The same as a packet, made now.
#[must_use]
pub fn packet(invitation: &InvitationLine, device: &ClientSecret) -> [u8; PACKET_LEN] {
    packet_at(now(), invitation, device)
}

/// The same, made at `stamp`.
#[must_use]
pub fn packet_at(stamp: UnixTime, invitation: &InvitationLine, device: &ClientSecret) -> [u8; PACKET_LEN] {
    let request = request(invitation, device);
    seal(&invitation.server.key, &invitation.secret, stamp, &request, random())
}

/// A new device's key.
#[must_use]
pub fn device() -> ClientSecret {
    ClientSecret::from_seed(random().ephemeral)
}

/// How the key of a device is listed under this name.
#[must_use]
pub fn listed(name: &str, key: &ClientKey) -> (String, String) {
    (name.to_owned(), key.fingerprint().to_string())
}
