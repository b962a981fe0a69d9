//! The knock-spa client. Called as `knock`, it is knockd's client.

use std::process::ExitCode;

mod asking;
mod close;
mod command_line;
mod completions;
mod device_key;
mod doctor;
mod enroll;
mod failure;
mod family;
mod home;
mod hosts;
mod io;
mod key_file;
mod knock;
mod listing;
mod manner;
mod open;
mod packets;
mod passphrase;
mod plan;
mod proxy;
mod reach;
mod render;
mod report;
mod services;
mod source;
mod ssh_config;
mod timeline;
mod watch;

fn main() -> ExitCode {
    command_line::run(std::env::args_os())
}
