//! Where passphrases come from: the terminal, or a descriptor. Never the environment nor the command line, which
//! others can see.

use std::io;

use knock_spa_keys::sealed::StaysSealed;
use zeroize::Zeroizing;

use crate::failure::{Failure, Status};
use crate::io::descriptor::Descriptor;
use crate::io::terminal;
use crate::io::tty::{self, Answer};

/// Where passphrases come from.
#[derive(Debug)]
pub(crate) enum Source {
    /// The user, who is asked on the terminal.
    Terminal,
    /// The lines of a descriptor, one passphrase each.
    Descriptor(Descriptor),
}

/// A passphrase: the bytes that were typed. Wiped when dropped.
pub(crate) type Passphrase = Zeroizing<Vec<u8>>;

/// The longest passphrase, in bytes: many sentences.
const MAX_LEN: usize = 1024;

/// How often one may be mistyped.
const ATTEMPTS: u8 = 3;

impl Source {
    /// The descriptor of this number, or the terminal.
    pub(crate) fn new(descriptor: Option<u16>) -> Result<Self, Failure> {
        let Some(number) = descriptor else { return Ok(Self::Terminal) };
        Descriptor::open(number).map(Self::Descriptor).map_err(|error| {
            Failure::new(Status::Usage, format!("cannot read descriptor {number}"))
                .because(error)
                .hint("open it for the program, as in: knock-spa --passphrase-fd 3 ... 3< FILE")
        })
    }

    /// Whether they are lines of standard input, which others read on.
    pub(crate) const fn are_on_standard_input(&self) -> bool {
        matches!(self, Self::Descriptor(Descriptor::Standard))
    }

    /// What `unseal` makes of the right passphrase of `what`. A user may mistype it.
    pub(crate) fn unlock<T>(
        &self,
        what: &str,
        unseal: impl Fn(&[u8]) -> Result<T, StaysSealed>,
    ) -> Result<T, Failure> {
        let attempts = match self {
            Self::Terminal => ATTEMPTS,
            Self::Descriptor(_) => 1,
        };
        for attempt in 1..=attempts {
            match unseal(&self.next(&format!("passphrase of {what}: "))?) {
                Ok(unsealed) => return Ok(unsealed),
                Err(StaysSealed::WrongPassphrase) if attempt < attempts => {
                    terminal::say("wrong passphrase; once more");
                }
                Err(why @ StaysSealed::WrongPassphrase) => {
                    return Err(Failure::new(Status::NoPermission, format!("cannot unlock {what}"))
                        .because(why)
                        .hint("without it the key is lost: move the file away, make a new key with\n  knock-spa enroll, and have the server's administrator replace the old one"));
                }
                Err(why @ StaysSealed::NoMemory(_)) => return Err(no_memory(what, why)),
            }
        }
        Err(Failure::new(Status::NoPermission, format!("cannot unlock {what}")))
    }

    /// A passphrase to be used from now on. Who types it unseen types it twice.
    pub(crate) fn choose(&self) -> Result<Passphrase, Failure> {
        let chosen = self.next("new passphrase: ")?;
        if chosen.is_empty() {
            return Err(Failure::new(Status::Data, "will not take an empty passphrase")
                .because("it protects nothing")
                .hint("to do without one: knock-spa passphrase --remove"));
        }
        if matches!(self, Self::Terminal) && self.next("the same once more: ")? != chosen {
            return Err(Failure::new(Status::Data, "the passphrases are not the same").hint("try again"));
        }
        Ok(chosen)
    }

    fn next(&self, question: &str) -> Result<Passphrase, Failure> {
        match self {
            Self::Terminal => match tty::ask_unseen(question, MAX_LEN).map_err(no_terminal)? {
                Answer::Line(line) => Ok(line),
                Answer::GivenUp => Err(Failure::new(Status::Interrupted, "no passphrase was entered")),
            },
            Self::Descriptor(descriptor) => match descriptor.read_line(MAX_LEN) {
                Ok(Some(line)) => Ok(line),
                Ok(None) => Err(cannot_read().because("there is no further line")),
                Err(error) => Err(cannot_read().because(error)),
            },
        }
    }
}

fn no_terminal(error: io::Error) -> Failure {
    Failure::new(Status::NoInput, "cannot ask for the passphrase on a terminal")
        .because(error)
        .hint("hand it over as a line of a descriptor: --passphrase-fd N")
}

fn cannot_read() -> Failure {
    Failure::new(Status::NoInput, "cannot read the passphrase from --passphrase-fd")
}

/// There is no memory for the derivation.
pub(crate) fn no_memory(what: &str, why: impl std::fmt::Display) -> Failure {
    Failure::new(Status::Os, format!("cannot work with the passphrase of {what}")).because(why)
}
