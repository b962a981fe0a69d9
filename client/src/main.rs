//! The knock-spa client. Called as `knock`, it is knockd's client.

use std::process::ExitCode;

mod command_line;
mod enroll;
mod failure;
mod family;
mod home;
mod hosts;
mod io;
mod knock;
mod listing;
mod render;
mod services;

fn main() -> ExitCode {
    command_line::run(std::env::args_os())
}
