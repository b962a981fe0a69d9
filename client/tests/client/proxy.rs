//! `knock-spa proxy`, as a connection to services on loopback.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use knock_spa_proto::spa::request::{Addresses, Open, Request};
use socket2::SockRef;

use crate::program::{Device, Run};
use crate::server::{PATIENCE, Server, SilentPort};

/// A device with a key, and a server that it knows as `gw`.
fn enrolled() -> (Device, Server) {
    let server = Server::at(Ipv4Addr::LOCALHOST);
    let device = Device::with_key();
    device.run(["enroll", &server.line(), "--host", "gw"]).ended_with(0);
    (device, server)
}

/// A service for one visitor: its port, and what it came to.
fn service<T: Send + 'static>(serve: impl FnOnce(TcpStream) -> T + Send + 'static) -> (u16, JoinHandle<T>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = move || {
        let visitor = listener.accept().unwrap().0;
        visitor.set_read_timeout(Some(PATIENCE)).unwrap();
        serve(visitor)
    };
    (port, thread::spawn(serve))
}

/// The program, connected to this port, and its standard input.
fn connect(device: &Device, port: u16) -> (Child, ChildStdin) {
    let mut child = device.command(["proxy", "gw", &port.to_string()]).spawn().unwrap();
    let input = child.stdin.take().unwrap();
    (child, input)
}

fn end(child: Child) -> Run {
    Run::of(&child.wait_with_output().unwrap())
}

fn read_all(mut from: impl std::io::Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).unwrap();
    bytes
}

/// What comes from the program until its end, which must come soon.
fn all_of(output: ChildStdout) -> Vec<u8> {
    let (told, bytes) = mpsc::channel();
    thread::spawn(move || told.send(read_all(output)));
    bytes.recv_timeout(PATIENCE).unwrap()
}

#[test]
fn who_has_said_all_is_still_answered() {
    let (device, server) = enrolled();
    let (port, service) = service(|mut visitor| {
        let heard = read_all(&visitor);
        write!(visitor, "{} bytes", heard.len()).unwrap();
    });
    let run = device.run_with_input(["proxy", "gw", &port.to_string()], "twelve bytes").ended_with(0);
    assert_eq!((run.out.as_str(), run.err.as_str()), ("12 bytes", ""));
    service.join().unwrap();
    let services = format!("tcp/{port}").parse().unwrap();
    let open = Open::new(services, Addresses::NONE.with_sender(), None).unwrap();
    assert_eq!(server.hear_request(), Request::Open(open));
    assert!(server.has_heard_all());
}

#[test]
fn who_has_heard_all_may_go_on_speaking() {
    let (device, _server) = enrolled();
    let (port, service) = service(|mut visitor| {
        visitor.write_all(b"bye").unwrap();
        visitor.shutdown(Shutdown::Write).unwrap();
        read_all(&visitor)
    });
    let (mut child, mut input) = connect(&device, port);
    assert_eq!(all_of(child.stdout.take().unwrap()), b"bye");
    input.write_all(b"one more thing").unwrap();
    drop(input);
    assert_eq!(service.join().unwrap(), b"one more thing");
    end(child).ended_with(0);
}

#[test]
fn nothing_waits_for_more_to_come() {
    let (device, _server) = enrolled();
    let (port, service) = service(|mut visitor| {
        let mut byte = [0];
        while visitor.read(&mut byte).unwrap() > 0 {
            visitor.write_all(&byte).unwrap();
        }
    });
    let (mut child, mut input) = connect(&device, port);
    let mut output = child.stdout.take().unwrap();
    for byte in 0..=255 {
        let mut back = [0];
        input.write_all(&[byte]).unwrap();
        output.read_exact(&mut back).unwrap();
        assert_eq!(back, [byte]);
    }
    drop(input);
    assert_eq!(all_of(output), b"");
    service.join().unwrap();
    end(child).ended_with(0);
}

#[test]
fn much_goes_both_ways_at_once() {
    const LEN: usize = 5_000_000;
    let bytes =
        |factor: usize| (0..LEN).map(|i| i.wrapping_mul(factor).to_le_bytes()[0]).collect::<Vec<u8>>();
    let (device, _server) = enrolled();
    let (port, service) = service(move |visitor| {
        let mut sending = visitor.try_clone().unwrap();
        let sender = thread::spawn(move || {
            sending.write_all(&bytes(7)).unwrap();
            sending.shutdown(Shutdown::Write).unwrap();
        });
        let heard = read_all(visitor);
        sender.join().unwrap();
        heard
    });
    let (mut child, mut input) = connect(&device, port);
    let sender = thread::spawn(move || input.write_all(&bytes(3)).unwrap());
    assert!(all_of(child.stdout.take().unwrap()) == bytes(7));
    sender.join().unwrap();
    assert!(service.join().unwrap() == bytes(3));
    end(child).ended_with(0);
}

#[test]
fn a_reader_who_has_had_enough_ends_it() {
    let (device, _server) = enrolled();
    let (port, service) = service(|mut visitor| while visitor.write_all(b"more and more\n").is_ok() {});
    let (mut child, input) = connect(&device, port);
    let mut output = child.stdout.take().unwrap();
    output.read_exact(&mut [0; 4]).unwrap();
    drop(output);
    let run = end(child).ended_with(0);
    assert_eq!(run.err, "");
    drop(input);
    service.join().unwrap();
}

#[test]
fn a_connection_that_breaks_is_told() {
    let (device, _server) = enrolled();
    let (port, service) = service(|mut visitor| {
        visitor.read_exact(&mut [0; 5]).unwrap();
        // Closing it is then a reset.
        SockRef::from(&visitor).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    });
    let (child, mut input) = connect(&device, port);
    input.write_all(b"hello").unwrap();
    service.join().unwrap();
    end(child).ended_with(74).said("the connection to gw broke: Connection reset");
    drop(input);
}

#[test]
fn packets_are_sent_until_the_port_opens() {
    let (device, server) = enrolled();
    let port = SilentPort::new();
    let (child, mut input) = connect(&device, port.number());
    let [first, second] = [server.hear(), server.hear()].map(|proven| proven.stamp());
    assert!(first < second);
    input.write_all(b"hello").unwrap();
    drop(input);
    port.open();
    // Connections that were begun before may come through as well, and are given up.
    assert!((0..20).any(|_| read_all(port.visitor()) == b"hello"));
    let run = end(child).ended_with(0);
    assert_eq!((run.out.as_str(), run.err.as_str()), ("", ""));
}

#[test]
fn the_port_is_asked_for_by_the_name_that_it_has() {
    let (device, server) = enrolled();
    let (port, service) = service(drop);
    let hosts = device.read("hosts.toml") + &format!("ports = {{ shell = {port} }}\n");
    device.write("hosts.toml", &hosts, 0o600);
    let run = device.run(["proxy", "127.0.0.1", &port.to_string(), "--for", "10m", "-v"]).ended_with(0);
    run.said("address: sender, since 127.0.0.1 is not global").said("to open shell for").said("answers (");
    service.join().unwrap();
    let open =
        Open::new("shell".parse().unwrap(), Addresses::NONE.with_sender(), 600.try_into().ok()).unwrap();
    assert_eq!(server.hear_request(), Request::Open(open));
}
