//! Classic knocks, with the manners of knockd's own client: one packet for each port, and never a word about
//! what became of it.

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::process::ExitCode;

use knock_spa_proto::port::Transport;

use crate::family::Family;
use crate::io::{event_loop, net, terminal};
use crate::knock::arguments::{Arguments, Command, Hit, PortText};
use crate::services::Database;

mod arguments;

/// The status of every failure, as with knockd's client.
const FAILED: u8 = 1;

/// How the program is called and what it takes.
const USAGE: &str = "usage: knock [OPTIONS] HOST PORT[:PROTO] [PORT[:PROTO]]...

  -u, --udp           all ports are UDP ports (default: TCP)
  -d, --delay MS      wait this many milliseconds after each packet
  -4, --ipv4          use IPv4
  -6, --ipv6          use IPv6
  -v, --verbose       say what is sent
  -V, --version       show the version
  -h, --help          show this text

PORT is a number or a service's name. PROTO is tcp or udp.
Example: knock gw.example.net 7000 8000:udp 9000:tcp";

/// Does what the command line says and returns 0; 1 where it makes no sense, or a name means nothing.
pub(crate) fn run(words: impl Iterator<Item = OsString>, services: impl FnOnce() -> Database) -> ExitCode {
    let done = match Command::parse(words) {
        Ok(Command::Version) => say_on_stdout(concat!("knock (knock-spa) ", env!("CARGO_PKG_VERSION"))),
        Ok(Command::Help) => return help(),
        Ok(Command::Knock(arguments)) => knock(&arguments, &services()),
        Err(wrong) => return fail(&format!("knock: {wrong}\n{USAGE}")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => fail(&failure),
    }
}

/// Asking for help fails, with knockd's client.
fn help() -> ExitCode {
    say_on_stdout(USAGE).unwrap_or_default();
    ExitCode::from(FAILED)
}

fn fail(words: &str) -> ExitCode {
    terminal::say(words);
    ExitCode::from(FAILED)
}

fn say_on_stdout(words: &str) -> Result<(), String> {
    terminal::print(words).map_err(|failure| failure.to_string())
}

fn knock(arguments: &Arguments, services: &Database) -> Result<(), String> {
    let host = first_address(arguments)?;
    event_loop::run(hit_all(host, arguments, services)).map_err(|failure| failure.to_string())?
}

/// Sends one packet after another; the names of later ports are looked up only then.
async fn hit_all(host: IpAddr, arguments: &Arguments, services: &Database) -> Result<(), String> {
    for hit in &arguments.hits {
        let port = port_number(hit, services)?;
        if arguments.verbose {
            say_on_stdout(&format!("hitting {} {host}:{}", hit.transport, hit.written))?;
        }
        send(hit.transport, SocketAddr::new(host, port));
        tokio::time::sleep(arguments.delay).await;
    }
    Ok(())
}

/// The first address that the resolver returns, of the family that was asked for.
fn first_address(arguments: &Arguments) -> Result<IpAddr, String> {
    let host = &arguments.host;
    let addresses = net::resolve(host).map_err(|error| format!("knock: cannot resolve {host}: {error}"))?;
    let fits = |address: &IpAddr| arguments.family.is_none_or(|family| family == Family::of(*address));
    addresses.into_iter().find(fits).ok_or_else(|| format!("knock: {host} has no address of that family"))
}

fn port_number(hit: &Hit, services: &Database) -> Result<u16, String> {
    match &hit.port {
        PortText::Number(port) => Ok(*port),
        // Whatever the transport that it is hit by, as with knockd's client.
        PortText::Name(name) => {
            let port = services.port(name, Transport::Tcp).or_else(|| services.port(name, Transport::Udp));
            port.map(NonZeroU16::get).ok_or_else(|| format!("knock: no service is called {name}"))
        }
    }
}

/// Sends one packet. A refusal, or no route, is as good as silence here: the port need not be open, and
/// knockd's client does not tell either.
fn send(transport: Transport, to: SocketAddr) {
    let sent = match transport {
        Transport::Tcp => net::hit_tcp(to),
        Transport::Udp => net::hit_udp(to),
    };
    sent.unwrap_or_default();
}
