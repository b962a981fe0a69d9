//! Names of knocking addresses: asked for beside the log, each once in a while.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use knock_spa_proto::address::Address;
use knock_spa_proto::time::BootTime;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::io::resolver;

/// Questions that are open at a time: whoever knocks from many addresses must not use up the system's threads.
const AT_A_TIME: usize = 16;

/// How long lines wait for a name. The question stays open beyond it, until the resolver gives up.
const PATIENCE: Duration = Duration::from_secs(5);

/// Names that are kept, and how long.
const KEPT: usize = 256;
const KEPT_FOR: Duration = Duration::from_secs(300);

/// A name that is fit for a log line: whoever owns an address writes its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HostName(String);

impl HostName {
    const MAX_LEN: usize = 255;

    fn parse(text: String) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let is_fit = (1..=Self::MAX_LEN).contains(&text.len()) && text.bytes().all(is_plain);
        (is_fit && text.parse::<IpAddr>().is_err()).then_some(Self(text))
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is known of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// This, for as long as lines need it.
    Name(Option<HostName>),
    /// Nothing yet: it is worth waiting for.
    NotYet,
}

/// An address, and the name that the resolver has for it.
pub(super) type Answer = (Address, Option<String>);

/// Asks for the name of an address; the answer comes through the channel, which has room for it.
pub(super) type Ask = fn(Address, &Sender<Answer>) -> io::Result<()>;

/// Asks the system's resolver.
pub(super) fn ask_the_system(address: Address, to: &Sender<Answer>) -> io::Result<()> {
    let to = to.clone();
    resolver::look_up(address, move |name| {
        // Nobody wants to know where the daemon has ended.
        to.try_send((address, name)).unwrap_or_default();
    })
}

/// Names of addresses, and the questions for more.
#[derive(Debug)]
pub(super) struct Names {
    ask: Ask,
    /// The newest answer comes last.
    kept: VecDeque<Kept>,
    open: Vec<Question>,
    sender: Sender<Answer>,
    receiver: Receiver<Answer>,
}

/// What came of a question.
#[derive(Debug)]
struct Kept {
    address: Address,
    name: Option<HostName>,
    asked: BootTime,
}

/// A question that is not answered yet.
#[derive(Debug)]
struct Question {
    address: Address,
    asked: BootTime,
    /// Whether lines wait for the answer.
    is_awaited: bool,
}

impl Names {
    pub(super) fn new(ask: Ask) -> Self {
        let (sender, receiver) = channel(AT_A_TIME);
        Self { ask, kept: VecDeque::new(), open: Vec::new(), sender, receiver }
    }

    /// The name of an address, which is asked for where nothing is known.
    pub(super) fn of(&mut self, address: Address, now: BootTime) -> Known {
        if let Some(question) = self.open.iter().find(|question| question.address == address) {
            return if question.is_awaited { Known::NotYet } else { Known::Name(None) };
        }
        let is_fresh = |kept: &&Kept| kept.address == address && now.saturating_since(kept.asked) < KEPT_FOR;
        match self.kept.iter().find(is_fresh) {
            Some(kept) => Known::Name(kept.name.clone()),
            None => self.begin(address, now),
        }
    }

    fn begin(&mut self, address: Address, asked: BootTime) -> Known {
        if self.open.len() >= AT_A_TIME {
            return Known::Name(None);
        }
        match (self.ask)(address, &self.sender) {
            Ok(()) => {
                self.open.push(Question { address, asked, is_awaited: true });
                Known::NotYet
            }
            Err(error) => {
                tracing::debug!(event = "not-looked-up", %error);
                Known::Name(None)
            }
        }
    }

    /// Waits for an answer, for ever where none comes.
    pub(super) async fn answered(&mut self) {
        // One sender is here, so there is always another answer to wait for.
        if let Some(answer) = self.receiver.recv().await {
            self.handle(answer);
        }
    }

    fn handle(&mut self, (address, name): Answer) {
        let Some(at) = self.open.iter().position(|question| question.address == address) else { return };
        let asked = self.open.swap_remove(at).asked;
        self.kept.retain(|kept| kept.address != address);
        if self.kept.len() >= KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(Kept { address, name: name.and_then(HostName::parse), asked });
    }

    /// When the first of the questions that lines wait for is not worth it any more.
    pub(super) fn patience_ends(&self) -> Option<BootTime> {
        let awaited = self.open.iter().filter(|question| question.is_awaited);
        awaited.map(|question| question.asked.saturating_add(PATIENCE)).min()
    }

    /// Has no line wait for a question that is open for long.
    pub(super) fn lose_patience(&mut self, now: BootTime) {
        for question in &mut self.open {
            question.is_awaited &= now.saturating_since(question.asked) < PATIENCE;
        }
    }

    /// Has no line wait for any question.
    pub(super) fn give_up(&mut self) {
        self.open.iter_mut().for_each(|question| question.is_awaited = false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: BootTime = BootTime::from_nanos(1_000_000_000_000);

    fn address(last: u16) -> Address {
        format!("2001:db8::{last:x}").parse().unwrap()
    }

    fn answers_at_once(address: Address, to: &Sender<Answer>) -> io::Result<()> {
        let name = format!("host-{}.example", address.to_bytes()[15]);
        to.try_send((address, Some(name))).map_err(io::Error::other)
    }

    #[expect(clippy::unnecessary_wraps, reason = "it is one way to ask")]
    fn never_answers(_: Address, _: &Sender<Answer>) -> io::Result<()> {
        Ok(())
    }

    fn fails(_: Address, _: &Sender<Answer>) -> io::Result<()> {
        Err(io::ErrorKind::OutOfMemory.into())
    }

    fn name(text: &str) -> Option<HostName> {
        HostName::parse(text.into())
    }

    #[test]
    fn names_of_strangers_are_plain_or_none() {
        for text in ["a", "door-man.example.org", "six_host", "1.2.3.4.example", &"x".repeat(255)] {
            assert_eq!(name(text).unwrap().to_string(), text);
        }
        let hostile =
            ["", "a b", "a\nb", "a): ssh: OPEN SESAME", "\u{1b}[2J", "é", "192.0.2.1", "a:b", "a/b"];
        for text in hostile.into_iter().chain([&*"x".repeat(256)]) {
            assert_eq!(name(text), None, "{text}");
        }
    }

    #[tokio::test]
    async fn a_name_is_asked_for_once_in_a_while() {
        let mut names = Names::new(answers_at_once);
        assert_eq!(names.of(address(1), NOW), Known::NotYet);
        names.answered().await;
        let known = Known::Name(name("host-1.example"));
        assert_eq!(names.of(address(1), NOW), known);
        let later = NOW.saturating_add(KEPT_FOR);
        names.ask = never_answers;
        assert_eq!(names.of(address(1), NOW.saturating_add(KEPT_FOR - Duration::from_secs(1))), known);
        assert_eq!(names.of(address(1), later), Known::NotYet);
    }

    #[test]
    fn patience_ends_and_the_question_stays_open() {
        let mut names = Names::new(never_answers);
        assert_eq!(
            (names.of(address(1), NOW), names.patience_ends()),
            (Known::NotYet, Some(NOW.saturating_add(PATIENCE)))
        );
        names.lose_patience(NOW.saturating_add(PATIENCE));
        let (name, none) = (names.of(address(1), NOW.saturating_add(KEPT_FOR)), Known::Name(None));
        assert_eq!((name, names.patience_ends(), names.open.len()), (none, None, 1));
    }

    #[tokio::test]
    async fn questions_and_names_are_bounded() {
        let mut names = Names::new(never_answers);
        for last in 0..500 {
            let expected = if usize::from(last) < AT_A_TIME { Known::NotYet } else { Known::Name(None) };
            assert_eq!(names.of(address(last), NOW), expected);
        }
        let mut names = Names::new(answers_at_once);
        for last in 0..500 {
            assert_eq!(names.of(address(last), NOW), Known::NotYet);
            names.answered().await;
        }
        assert_eq!(names.kept.len(), KEPT);
        names.ask = fails;
        assert_eq!(names.of(address(0), NOW), Known::Name(None));
        assert_ne!(names.of(address(499), NOW), Known::Name(None));
    }
}
