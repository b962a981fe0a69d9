//! A link that carries IP and nothing below it, as PPP, tunnels and WireGuard do.

use std::io::Write;
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, Stdio};

use knock_spa_tests::lab::{Namespace, PATIENCE, Segment, until};
use knock_spa_tests::rights::skip;

use crate::scene::{Scene, door};

/// Holds a tun device and passes on each line as a packet in hexadecimal digits: the numbers are `TUNSETIFF`, and
/// `IFF_TUN` with `IFF_NO_PI` (`linux/if_tun.h`).
const TUN: &str = r#"
    open(my $tun, "+<", "/dev/net/tun") or die "no tun: $!";
    my $request = pack("a16sx22", "tun0", 0x1001);
    ioctl($tun, 0x400454ca, $request) or die "no tun0: $!";
    while (my $line = <STDIN>) {
        chomp $line;
        syswrite($tun, pack("H*", $line)) or die "no packet: $!";
    }
"#;

/// A tun device of the server, and what comes in by it.
struct Tun {
    child: Child,
    packets: ChildStdin,
}

impl Tun {
    /// Makes `tun0`; none where this machine has no such devices.
    fn new(server: &Namespace) -> Option<Self> {
        let mut command = Command::new("perl");
        command.args(["-e", TUN]).stdin(Stdio::piped());
        let mut child = server.enter(|| command.spawn()).ok()?;
        let packets = child.stdin.take().unwrap();
        let mut there = false;
        until(PATIENCE, "a tun device or none", || {
            there = server.sh("ip -o link show dev tun0 2>&1 || true").contains("POINTOPOINT");
            there || child.try_wait().unwrap().is_some()
        });
        there.then_some(Self { child, packets })
    }

    fn bring(&mut self, from: &str, to: &str, ports: &[u16]) {
        for port in ports {
            let from = SocketAddr::new(from.parse().unwrap(), 40_000);
            let to = SocketAddr::new(to.parse().unwrap(), *port);
            let segment = Segment { from, to, flags: Segment::SYN, fragmented: false };
            for packet in segment.bytes() {
                let digits: String = packet.iter().map(|byte| format!("{byte:02x}")).collect();
                writeln!(self.packets, "{digits}").unwrap();
            }
        }
    }
}

impl Drop for Tun {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_link_without_ethernet_opens_over_both_families() {
    let scene = Scene::bare(&door("ssh", "7000,8000", "cmd_timeout = 600"));
    let mut daemon = scene.start(&["-i", "tun0"]);
    let Some(mut tun) = Tun::new(&scene.server) else {
        return skip("this machine has no tun devices, or no perl");
    };
    let configured = daemon.listened();
    scene.server.sh("ip addr add 192.0.2.1 peer 192.0.2.2 dev tun0
         ip addr add 2001:db8:1::1/64 dev tun0 nodad
         ip link set tun0 up");
    until(PATIENCE, "the link to be noticed", || daemon.listened() > configured);
    let mut number = 9;
    for (network, to) in [("192.0.2.", "192.0.2.1"), ("2001:db8:1::", "2001:db8:1::1")] {
        until(PATIENCE, &format!("{to} to be listened at"), || {
            number += 1;
            tun.bring(&format!("{network}{number}"), to, &[7000, 8000]);
            scene.notes().iter().any(|note| note.starts_with(&format!("ssh start {network}")))
        });
    }
    // A tunnel goes and comes back.
    drop(tun);
    let missing = || daemon.running.output().matches("interface-missing").count();
    until(PATIENCE, "the link to be missed", || missing() > 1);
    let mut tun = Tun::new(&scene.server).expect("there was one before");
    scene.server.sh("ip addr add 198.51.100.1/24 dev tun0; ip link set tun0 up");
    until(PATIENCE, "the link to be listened to", || {
        number += 1;
        tun.bring(&format!("198.51.100.{number}"), "198.51.100.1", &[7000, 8000]);
        scene.notes().iter().any(|note| note.starts_with("ssh start 198.51.100."))
    });
    assert!(!daemon.running.has_ended());
}
