//! Asking and looking: packets and connections in turn, until every port has answered or the time is over.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

use crate::failure::Failure;
use crate::io::clock::Start;
use crate::io::net;
use crate::packets::Packets;
use crate::plan::Probe;
use crate::timeline::{Step, packets as packet_times, timeline};

/// The most unanswered connections to one port. The oldest gives way, having waited a second or more.
const MAX_OPEN: usize = 20;

/// What a port has shown so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It accepts connections: where it first did, and how long after the first packet.
    Accepts {
        /// Where.
        at: SocketAddr,
        /// How long after the first packet.
        after: Duration,
    },
    /// It refuses them, so the door is open, or the firewall rejects instead of dropping.
    Refuses,
    /// Nothing; the error, if there was one.
    Silent(Option<String>),
}

/// Sends the packets of the first second and looks nowhere.
pub(crate) async fn send_only(packets: &mut Packets, repeat: u8) -> Result<(), Failure> {
    let start = Start::now();
    for at in packet_times(repeat) {
        sleep_until(start.after(at)).await;
        packets.send()?;
    }
    Ok(())
}

/// Tries the ports of `probes` once, for at most `wait`, and sends nothing else.
pub(crate) async fn look(probes: &[Probe], wait: Duration) -> Vec<Answer> {
    let mut watch = Watch::new(probes, Start::now(), drop);
    watch.begin();
    watch.until(wait).await;
    watch.answers
}

/// Sends packets and tries the ports of `probes` for at most `wait`; hands `connected` the first connection to each,
/// and tells `progress` how long it has been.
pub(crate) async fn watch(
    packets: &mut Packets,
    probes: &[Probe],
    repeat: u8,
    wait: Duration,
    connected: impl FnMut(TcpStream),
    progress: impl Fn(Duration, &Packets),
) -> Result<Vec<Answer>, Failure> {
    let mut watch = Watch::new(probes, Start::now(), connected);
    for (at, step) in timeline(repeat).take_while(|(at, _)| *at < wait) {
        if watch.until(at).await {
            return Ok(watch.answers);
        }
        match step {
            Step::Packet => packets.send()?,
            Step::Probe => watch.begin(),
        }
        progress(at, packets);
    }
    watch.until(wait).await;
    Ok(watch.answers)
}

/// Whether every port answers within `wait` although nothing was sent.
pub(crate) async fn answers_unasked(probes: &[Probe], wait: Duration) -> bool {
    let mut watch = Watch::new(probes, Start::now(), drop);
    watch.begin();
    watch.until(wait).await
}

/// Connections on their way.
struct Watch<'a, F> {
    start: Start,
    probes: &'a [Probe],
    answers: Vec<Answer>,
    /// For each probe, its connections from the oldest to the newest, finished ones among them.
    open: Vec<VecDeque<AbortHandle>>,
    running: JoinSet<Attempt>,
    connected: F,
}

/// A connection that came to something.
struct Attempt {
    probe: usize,
    at: SocketAddr,
    result: io::Result<TcpStream>,
}

impl<'a, F: FnMut(TcpStream)> Watch<'a, F> {
    fn new(probes: &'a [Probe], start: Start, connected: F) -> Self {
        let answers = probes.iter().map(|_| Answer::Silent(None)).collect();
        let open = probes.iter().map(|_| VecDeque::new()).collect();
        Self { start, probes, answers, open, running: JoinSet::new(), connected }
    }

    /// Begins a connection to each port that has not answered.
    fn begin(&mut self) {
        for (probe, (port, (answer, open))) in
            self.probes.iter().zip(self.answers.iter().zip(&mut self.open)).enumerate()
        {
            if matches!(answer, Answer::Accepts { .. }) {
                continue;
            }
            for at in port.at.iter().copied() {
                let attempt = async move { Attempt { probe, at, result: net::connect(at).await } };
                open.push_back(self.running.spawn(attempt));
            }
            while open.len() > MAX_OPEN {
                open.pop_front().iter().for_each(AbortHandle::abort);
            }
        }
    }

    /// Takes answers until `offset` after the start; whether every port has answered.
    async fn until(&mut self, offset: Duration) -> bool {
        let moment: Instant = self.start.after(offset);
        loop {
            if self.answers.iter().all(|answer| matches!(answer, Answer::Accepts { .. })) {
                return true;
            }
            tokio::select! {
                biased;
                // One that was given up has nothing to say.
                Some(joined) = self.running.join_next() => if let Ok(attempt) = joined {
                    self.note(attempt);
                },
                () = sleep_until(moment) => return false,
            }
        }
    }

    fn note(&mut self, Attempt { probe, at, result }: Attempt) {
        let (Some(answer), Some(open)) = (self.answers.get_mut(probe), self.open.get_mut(probe)) else {
            return;
        };
        match result {
            _ if matches!(answer, Answer::Accepts { .. }) => {}
            Ok(connection) => {
                (self.connected)(connection);
                *answer = Answer::Accepts { at, after: self.start.elapsed() };
                // Each of these that still comes through would be another visitor for the service to wonder at.
                open.drain(..).for_each(|attempt| attempt.abort());
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => *answer = Answer::Refuses,
            Err(error) => *answer = Answer::Silent(Some(error.to_string())),
        }
    }
}
