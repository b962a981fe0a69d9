//! The first door: it is opened and looked at, so that the user sees that the enrolment worked. A server never says so.

use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use knock_spa_keys::client::{ClientSecret, ClientSecretLine};
use knock_spa_keys::invitation::InvitationLine;
use knock_spa_proto::service::{NotAServiceName, Service, ServiceName, Services};
use knock_spa_proto::spa::Enrol;
use knock_spa_proto::spa::request::Request;
use knock_spa_proto::span::Span;

use crate::asking::{Asking, Wish};
use crate::failure::{Failure, Status};
use crate::hosts::Profile;
use crate::io::event_loop;
use crate::io::terminal::{self, Progress};
use crate::manner::Manner;
use crate::packets::Packets;
use crate::plan::Look;
use crate::reach::{self, Families};
use crate::render;
use crate::report::{self, Outcome, Report};
use crate::source::Source;
use crate::watch::{answers_unasked, send_only, watch};

/// What the command line says about the first door.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct FirstDoor {
    /// The door to open first, instead of the one that an invitation names; with --via-ssh, also the one to be allowed,
    /// ssh by default; may be repeated
    #[arg(long = "door", value_name = "DOOR")]
    pub(crate) doors: Vec<ServiceName>,
    /// The TCP port to try, instead of the usual one of the door
    #[arg(long, value_name = "PORT")]
    pub(crate) probe: Option<NonZeroU16>,
    /// How long to try
    #[arg(long, value_name = "SPAN", default_value_t = WAIT)]
    pub(crate) wait: Span,
    /// Opens nothing yet
    #[arg(long, conflicts_with_all = ["probe", "wait"])]
    pub(crate) no_open: bool,
}

/// The first doors of a host.
#[derive(Debug)]
pub(crate) struct First<'a> {
    /// What the user calls the host.
    pub(crate) alias: &'a str,
    /// The host.
    pub(crate) profile: &'a Profile,
    /// The doors, at least one, and where to look.
    pub(crate) wish: Wish<'a>,
    /// How long to try.
    pub(crate) wait: Span,
}

/// How long to try where the user does not say: some packets may get lost, and the server writes down the enrolment first.
const WAIT: Span = Span::from_secs(match NonZeroU32::new(10) {
    Some(secs) => secs,
    None => NonZeroU32::MIN,
});

/// How long to look before anything is sent: longer than most ways there and back.
const UNASKED: Duration = Duration::from_secs(1);

/// Packets in which to ask where nothing shows whether one arrived.
const REPEAT: u8 = 3;

/// How long nothing is shown: a door that opens at once needs no progress.
const QUIET: Duration = Duration::from_millis(200);

/// The doors, as services.
pub(crate) fn services(doors: &[ServiceName]) -> Result<Services, Failure> {
    let services = Services::new(doors.iter().copied().map(Service::Named).collect());
    services.map_err(|why| Failure::new(Status::Usage, "cannot open these doors at once").because(why))
}

impl First<'_> {
    /// Opens the doors with this device's key, and looks; enrols it before each time where there is an invitation.
    pub(crate) fn open(
        self,
        key: ClientSecretLine,
        invitation: Option<InvitationLine>,
    ) -> Result<(), Failure> {
        let is_invited = invitation.is_some();
        let enrol = invitation.map(|invitation| enrol(&key, invitation));
        let families = Families::default();
        let manner = Manner { span: None, source: Source::Auto, wait: self.wait, families };
        let mut asking = Asking::as_client(key.secret, self.alias, self.profile, self.wish, manner)?;
        if let Some((by, request)) = enrol {
            asking.packets = asking.packets.behind(by, request);
        }
        let (outcome, ports) = event_loop::run(look(&mut asking, self.alias, self.wait))??;
        tell(&asking.report(outcome, ports), self.wait, is_invited)
    }
}

/// Enrols, and opens nothing.
pub(crate) fn only_enrol(
    alias: &str,
    profile: &Profile,
    key: &ClientSecretLine,
    invitation: InvitationLine,
) -> Result<(), Failure> {
    let way = reach::find(&profile.line.endpoints, Families::default())?;
    let (by, request) = enrol(key, invitation);
    let mut packets = Packets::new(by, profile.line.key, way.to, request)?;
    event_loop::run(send_only(&mut packets, REPEAT))??;
    terminal::say(render::unseen(true, alias));
    Ok(())
}

/// Sends the packets, and looks where that is possible. A port that answers before that shows nothing.
async fn look(asking: &mut Asking, alias: &str, wait: Span) -> Result<(Outcome, Vec<report::Port>), Failure> {
    let Asking { packets, look, .. } = asking;
    let Look::At(probes) = look else {
        send_only(packets, REPEAT).await?;
        return Ok((report::unseen(look, true), Vec::new()));
    };
    if answers_unasked(probes, UNASKED).await {
        terminal::say(render::unasked(probes));
        send_only(packets, REPEAT).await?;
        return Ok((Outcome::Sent, Vec::new()));
    }
    let progress = Progress::new(true);
    let show = |since: Duration, packets: &Packets| {
        if since >= QUIET {
            progress.show(render::waiting(probes, alias, since, packets.sent()));
        }
    };
    let answers = watch(packets, probes, 1, wait.duration(), drop, show).await?;
    Ok(report::ports(probes, answers))
}

/// Says what came of it. Where nobody could look, having sent is all that there is.
fn tell(report: &Report, wait: Span, is_invited: bool) -> Result<(), Failure> {
    let verdict = || report.verdict(wait.duration()).map(terminal::say);
    match report.outcome {
        Outcome::Refuses if is_invited => {
            verdict().map_err(|failure| failure.hint(render::unseen(true, &report.host)))
        }
        Outcome::Silent if is_invited => verdict().map_err(|failure| failure.hint(render::NOT_ENROLLED)),
        Outcome::Answers | Outcome::Refuses | Outcome::Silent => verdict(),
        Outcome::Sent | Outcome::NoPort | Outcome::SomebodyElse => {
            terminal::say(report.deed());
            terminal::say(render::unseen(is_invited, &report.host));
            Ok(())
        }
    }
}

/// Asks for `key` to be enrolled, as the invitation.
fn enrol(key: &ClientSecretLine, invitation: InvitationLine) -> (ClientSecret, Request) {
    let InvitationLine { server, secret, .. } = invitation;
    let request = Request::Enrol(Enrol::new(&key.secret, &server.key, &secret.public()));
    (secret, request)
}

/// The door that an invitation proposes.
pub(crate) fn proposed(invitation: &InvitationLine) -> Result<Vec<ServiceName>, Failure> {
    if invitation.door.is_empty() {
        return Ok(Vec::new());
    }
    match invitation.door.as_str().parse() {
        Ok(door) => Ok(vec![door]),
        Err(why) => {
            let why: NotAServiceName = why;
            Err(Failure::new(Status::Data, "cannot tell which door this invitation is for")
                .because(why)
                .hint("copy the whole line, or name the door: --door DOOR"))
        }
    }
}
