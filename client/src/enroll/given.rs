//! The line that a user was given: a server's, or an invitation.

use knock_spa_keys::invitation::InvitationLine;
use knock_spa_keys::server::ServerLine;
use knock_spa_keys::text::Kind;

use crate::failure::{Failure, Status};

/// What the user was given.
#[derive(Debug)]
pub(crate) enum Given {
    /// A server's line: the server's administrator enrols this device by hand.
    Server(ServerLine),
    /// An invitation, by which this device enrols itself.
    Invitation(Box<InvitationLine>),
}

/// What to do about a line that is none of a server's.
const COPY_IT: &str =
    "copy the whole line that `knock-spad key show` or `knock-spad invite` prints on the server";

impl Given {
    /// What a text is; none where it is blank. What is refused is not repeated: it may be a secret.
    pub(crate) fn parse(text: &str) -> Result<Option<Self>, Failure> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let refusal = Failure::new(Status::Data, "this is no server line and no invitation");
        let given = match Kind::of_line(text) {
            Some(Kind::Invitation) => {
                text.parse().map(|line| Self::Invitation(Box::new(line))).map_err(|why| {
                    Failure::new(Status::Data, "this is no whole invitation")
                        .because(why)
                        .hint("copy the whole line that `knock-spad invite` printed on the server")
                })
            }
            Some(Kind::ServerSecret | Kind::ClientSecret | Kind::ClientSealed) => Err(refusal
                .because("it is a secret key")
                .hint("whoever sent it should replace that key; ask for the server's public line")),
            Some(Kind::Client) => Err(refusal
                .because("it is the public line of a device")
                .hint("that one is for the server: knock-spad client add NAME 'LINE'")),
            Some(Kind::Server) => {
                text.parse().map(Self::Server).map_err(|why| refusal.because(why).hint(COPY_IT))
            }
            None => {
                let (server, invitation) = (Kind::Server.word(), Kind::Invitation.word());
                let why = format!("it begins with neither {server} nor {invitation}");
                Err(refusal.because(why).hint(COPY_IT))
            }
        };
        given.map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_is_not_repeated() {
        let secret = "knock-spa-client-secret-v1 CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJ x";
        for text in [secret, "knock-spa-invite-v1 c2VjcmV0", "c2VjcmV0"] {
            let said = Given::parse(text).unwrap_err().to_string();
            assert!(!said.contains("CQkJ") && !said.contains("c2VjcmV0"), "{said}");
        }
    }
}
