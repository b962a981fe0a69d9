//! A connection to a port that is shut, in place of standard input and output.

use knock_spa_tests::lab::Echo;
use knock_spa_tests::server::DEFAULT;

use super::*;

#[test]
fn a_shut_port_is_asked_for_and_connected_to() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let (server, laptop) = enrolled(&world, DEFAULT);
    for (n, host) in (1..).zip(["gw", "gw.example.net", "GW.Example.NET"]) {
        let run = laptop.run_with_input(&format!("proxy {host} 22"), "no newline at the end").ended_with(0);
        assert_eq!((run.out.as_str(), run.err.as_str()), ("no newline at the end", ""), "{host}");
        await_packet(&server, n);
        server.command(&["close", "ssh"]).ended_with(0);
        assert_silent(&world.laptop, world.server.v4, 22);
    }
}

#[test]
fn a_port_that_is_open_already_is_asked_for_again() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let (server, laptop) = enrolled(&world, DEFAULT);
    laptop.run("open ssh gw --for 30s").ended_with(0);
    let run = laptop.run_with_input("proxy gw 22 --for 10m", "more").ended_with(0);
    assert_eq!((run.out.as_str(), run.err.as_str()), ("more", ""));
    await_packet(&server, 2);
    for ip in world.laptop.addresses() {
        let left = left(&server, ip, "tcp/22").unwrap().unwrap();
        assert!(left > Duration::from_mins(9), "{left:?} for {ip}");
    }
}

#[test]
fn a_packet_that_is_lost_is_made_up_for() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let (server, laptop) = enrolled(&world, DEFAULT);
    // The first packet is dropped where nobody sees it.
    world.server.sh("nft add table netdev lossy
         nft 'add chain netdev lossy in { type filter hook ingress device to-laptop priority 0 ; }'
         nft add rule netdev lossy in udp dport 62201 quota until 360 bytes drop");
    let run = laptop.run_with_input("proxy gw 22", "late").ended_with(0);
    assert_eq!((run.out.as_str(), run.err.as_str()), ("late", ""));
    await_packet(&server, 1);
}

#[test]
fn where_it_does_not_open_it_says_why() {
    let world = World::new();
    let _services = [Echo::tcp(&world.server, 22), Echo::tcp(&world.server, 25)];
    let (server, laptop) =
        enrolled(&world, "[door.ssh]\nports = ['tcp/22']\n[door.mail]\nports = ['tcp/25']\n");
    let run = laptop.run_with_input("proxy gw 25 --wait 1s", "nobody hears this").ended_with(69);
    assert_eq!(run.out, "");
    run.said("tcp/25 does not answer within 1 s").said("knock-spad status");
    assert_eq!(server.refused("unauthorised"), 1);
    laptop.run("proxy other 22").ended_with(68).said("no host is called other");
    drop(_services);
    laptop.run("proxy gw 22 --wait 1s").ended_with(69).said("tcp/22 is not shut, but nothing listens there");
}
