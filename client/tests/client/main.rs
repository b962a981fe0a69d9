//! The program as users and scripts meet it: called with words, judged by its output, its exit status and the
//! packets that it sends.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bad_input;
mod enroll;
mod invitation;
mod knock;
mod open;
mod passphrase;
mod program;
mod proxy;
mod server;
mod shell;
mod terminal;
mod via_ssh;
