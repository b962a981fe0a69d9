//! `knock-spa knock`, and the same program called as `knock`.

use std::io::{ErrorKind, Read as _};
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use crate::program::{Device, program, run};
use crate::server::SilentPort;

/// How long to wait for what has been sent over loopback already.
const SENT: Duration = Duration::from_secs(5);

fn udp() -> (UdpSocket, u16) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.set_read_timeout(Some(SENT)).unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}

/// What waits at a socket, at most `count` datagrams and one more if there is one.
fn received(socket: &UdpSocket, count: usize) -> Vec<Vec<u8>> {
    let mut buffer = [0; 64];
    let mut datagrams = Vec::new();
    for _ in 0..count {
        let len = socket.recv(&mut buffer).unwrap();
        datagrams.push(buffer.get(..len).unwrap().to_vec());
    }
    socket.set_nonblocking(true).unwrap();
    assert_eq!(socket.recv(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock, "one too many");
    datagrams
}

/// Takes one connection, which must have been closed without a byte, and sees that there is no other.
fn hit_once(listener: &TcpListener) {
    let (mut stream, _) = listener.accept().unwrap();
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes);
    assert!(bytes.is_empty() && read.is_ok_and(|len| len == 0));
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "one too many");
}

#[test]
fn each_port_gets_one_packet() {
    let ((udp1, port1), (udp2, port2)) = (udp(), udp());
    let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port3 = tcp.local_addr().unwrap().port();
    let words = [format!("{port1}:udp"), port3.to_string(), format!("{port2}:udp"), format!("{port1}:udp")];
    let quiet = Device::new().run(["knock", "127.0.0.1"].into_iter().chain(words.iter().map(String::as_str)));
    assert_eq!(quiet.ended_with(0).printed("").err, "");
    assert_eq!(received(&udp1, 2), [[0], [0]]);
    assert_eq!(received(&udp2, 1), [[0]]);
    hit_once(&tcp);
}

#[test]
fn the_name_knock_is_the_classic_client() {
    let device = Device::new();
    let name = device.directory().join("knock");
    symlink(env!("CARGO_BIN_EXE_knock-spa"), &name).unwrap();
    let (socket, port) = udp();
    let mut command = program(&name);
    command.args(["-uv", "127.0.0.1", &port.to_string()]);
    run(command, "").ended_with(0).printed(&format!("hitting udp 127.0.0.1:{port}\n"));
    assert_eq!(received(&socket, 1), [[0]]);

    let mut version = program(&name);
    version.arg("-V");
    let version = run(version, "").ended_with(0);
    assert!(version.out.starts_with("knock (knock-spa) "), "{version:?}");
    let mut nothing = program(&name);
    nothing.env("X", "");
    run(nothing, "").ended_with(1).printed("").said("usage: knock");
}

#[test]
fn a_dead_port_is_no_failure() {
    let (socket, port) = udp();
    drop(socket);
    let ports = [port.to_string(), format!("{port}:udp"), format!("{port}:udp"), "0".into()];
    Device::new()
        .run(["knock", "127.0.0.1"].into_iter().chain(ports.iter().map(String::as_str)))
        .ended_with(0);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test measures the program's own waiting")]
fn a_silent_port_is_not_waited_for() {
    let port = SilentPort::new();
    let before = Instant::now();
    Device::new().run(["knock", "127.0.0.1", &port.number().to_string()]).ended_with(0);
    assert!(before.elapsed() < Duration::from_millis(900), "no time for the kernel to repeat the SYN");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test measures the program's own waiting")]
fn the_delay_follows_each_packet() {
    let before = Instant::now();
    Device::new().run(["knock", "-u", "-d", "60", "127.0.0.1", "9", "9"]).ended_with(0);
    let took = before.elapsed();
    assert!(took >= Duration::from_millis(120), "{took:?}");
}

#[test]
fn the_family_can_be_chosen() {
    let socket = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
    socket.set_read_timeout(Some(SENT)).unwrap();
    let port = socket.local_addr().unwrap().port().to_string();
    let device = Device::new();
    let knocked = device.run(["knock", "-6uv", "::1", &port]).ended_with(0);
    knocked.printed(&format!("hitting udp ::1:{port}\n"));
    assert_eq!(received(&socket, 1), [[0]]);
    device.run(["knock", "-4", "::1", &port]).ended_with(1).said("no address of that family");
}

#[test]
fn a_name_that_means_nothing_ends_the_sequence_there() {
    let (socket, port) = udp();
    let port = format!("{port}:udp");
    Device::new()
        .run(["knock", "127.0.0.1", &port, "no-such-service", &port])
        .ended_with(1)
        .said("no service is called no-such-service");
    assert_eq!(received(&socket, 1), [[0]]);
}
