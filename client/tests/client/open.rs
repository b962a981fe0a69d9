//! `knock-spa open` and `knock-spa close`, toward a server on loopback.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::process::Child;
use std::time::{Duration, SystemTime};

use knock_spa_proto::spa::request::{Addresses, Close, Open, Request};
use serde_json::Value;

use crate::program::{Device, Run};
use crate::server::{RefusingPort, Server, SilentPort};

/// A device with a key, and a server that it knows as `gw`.
fn enrolled() -> (Device, Server) {
    let server = Server::at(Ipv4Addr::LOCALHOST);
    (knowing(&server.line()), server)
}

fn knowing(line: &str) -> Device {
    let device = Device::with_key();
    device.run(["enroll", line, "--host", "gw"]).ended_with(0);
    device
}

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

fn spawn(device: &Device, line: &str) -> Child {
    let mut child = device.command(words(line)).spawn().unwrap();
    drop(child.stdin.take());
    child
}

fn end(child: Child) -> Run {
    Run::of(&child.wait_with_output().unwrap())
}

fn open(services: &str, to: Addresses, ttl: u32) -> Request {
    Request::Open(Open::new(services.parse().unwrap(), to, ttl.try_into().ok()).unwrap())
}

#[test]
fn the_packet_says_what_was_asked() {
    let (device, server) = enrolled();
    let sender = Addresses::NONE.with_sender();
    let v4 = Addresses::NONE.with_v4([192, 0, 2, 1].into()).unwrap();
    let both = v4.with_v6("2001:db8::7".parse().unwrap()).unwrap();
    for (options, request) in [
        ("ssh gw", open("ssh", sender, 0)),
        ("ssh,tcp/8443 gw --for 10m", open("ssh,tcp/8443", sender, 600)),
        ("ssh gw --source auto --for 1d -4", open("ssh", sender, 86_400)),
        ("udp/51820 gw --source sender", open("udp/51820", sender, 0)),
        ("ssh gw --source 192.0.2.1", open("ssh", v4, 0)),
        ("ssh gw --source 2001:db8::7,192.0.2.1 --for 90s", open("ssh", both, 90)),
    ] {
        let run = device.run(words(&format!("open --no-wait {options}"))).ended_with(0).printed("");
        run.said("sent 1 packet to 127.0.0.1:");
        assert_eq!(server.hear_request(), request, "{options}");
    }
    assert!(server.has_heard_all());
}

#[test]
fn each_packet_is_fresh() {
    let (device, server) = enrolled();
    let before = SystemTime::UNIX_EPOCH;
    device.run(words("open ssh gw --no-wait --repeat 3")).ended_with(0).said("sent 3 packets");
    let stamps = [server.hear(), server.hear(), server.hear()].map(|proven| proven.stamp().as_nanos());
    assert!(stamps.is_sorted_by(|a, b| a < b), "{stamps:?}");
    let year_2026 = before + Duration::from_secs(1_767_225_600);
    assert!(stamps.iter().all(|stamp| before + Duration::from_nanos(*stamp) > year_2026), "{stamps:?}");
    assert!(server.has_heard_all());
}

#[test]
fn it_waits_until_the_port_answers_and_runs_the_command() {
    let (device, server) = enrolled();
    let port = RefusingPort::new();
    let line = format!("open tcp/{} gw -- sh -c true;echo\u{a0}$0;exit\u{a0}7", port.number());
    let words: Vec<String> = line.split(' ').map(|word| word.replace('\u{a0}', " ")).collect();
    let mut child = device.command(&words).env("PATH", "/usr/bin:/bin").spawn().unwrap();
    drop(child.stdin.take());
    assert_eq!(
        server.hear_request(),
        open(&format!("tcp/{}", port.number()), Addresses::NONE.with_sender(), 0)
    );
    port.listen();
    let run = end(child).ended_with(7).printed("sh\n").said(&format!("tcp/{} answers (", port.number()));
    assert!(!run.err.contains('\x1b'), "no progress where there is no terminal: {run:?}");
}

#[test]
fn a_door_that_opens_is_seen_at_once() {
    let (device, server) = enrolled();
    let port = SilentPort::new();
    let child = spawn(&device, &format!("open tcp/{} gw --json", port.number()));
    drop(server.hear());
    // The first connections meet a shut door.
    server.hears_nothing_for(Duration::from_millis(60));
    port.open();
    let run = end(child).ended_with(0);
    let report: Value = serde_json::from_str(&run.out).unwrap();
    let took = report["ports"][0]["microseconds"].as_u64().unwrap();
    assert!(took < 900_000, "the kernel repeats a lost SYN after a second: {run:?}");
    assert_eq!(report["packets"], 1, "{run:?}");
}

#[test]
fn a_silent_port_gets_a_packet_each_second() {
    let (device, server) = enrolled();
    let port = SilentPort::new();
    let child = spawn(&device, &format!("open tcp/{} gw --wait 3s", port.number()));
    let stamps = [server.hear(), server.hear(), server.hear()].map(|proven| proven.stamp().as_nanos());
    let run = end(child).ended_with(69).printed("");
    run.said("does not answer within 3 s: sent 3 packets to 127.0.0.1:")
        .said("for whatever address the packet comes from")
        .said("knock-spad status");
    let gaps = [stamps[1] - stamps[0], stamps[2] - stamps[1]];
    assert!(gaps.iter().all(|gap| (500_000_000..1_500_000_000).contains(gap)), "{gaps:?}");
    assert!(server.has_heard_all());
}

#[test]
fn a_port_where_nothing_listens_is_told_from_a_shut_one() {
    let (device, _server) = enrolled();
    let port = RefusingPort::new();
    let run = device.run(words(&format!("open tcp/{} gw --wait 1s", port.number()))).ended_with(69);
    run.said("is not shut, but nothing listens there")
        .said("--probe PORT")
        .said("does not show that the packet was taken");
}

#[test]
fn a_lost_packet_is_made_up_for() {
    let (device, server) = enrolled();
    let port = SilentPort::new();
    let child = spawn(&device, &format!("open tcp/{} gw --json", port.number()));
    drop(server.hear());
    drop(server.hear());
    port.open();
    let report: Value = serde_json::from_str(&end(child).ended_with(0).out).unwrap();
    assert_eq!(report["outcome"], "answers");
    assert_eq!(report["packets"], 2);
}

#[test]
fn the_port_to_try_is_found() {
    let (device, _server) = enrolled();
    let port = RefusingPort::new();
    port.listen();
    let number = port.number();
    device.run(words(&format!("open no-such-door gw --probe {number}"))).ended_with(0).said("answers (");
    let hosts = device.read("hosts.toml") + &format!("ports = {{ no-such-door = {number} }}\n");
    device.write("hosts.toml", &hosts, 0o600);
    device.run(words("open no-such-door gw")).ended_with(0).said("no-such-door answers (");
    let verbose = device.run(words("open no-such-door gw -v")).ended_with(0);
    verbose.said(&format!("trying no-such-door at 127.0.0.1:{number}")).said("sent 1 packet to");
}

#[test]
fn where_it_cannot_look_it_says_so() {
    let (device, server) = enrolled();
    for (options, words_expected) in [
        ("no-such-door gw", "no TCP port is known"),
        ("udp/51820 gw", "no TCP port is known"),
        ("tcp/22 gw --source 192.0.2.1", "somebody else's address"),
    ] {
        let run = device.run(words(&format!("open {options}"))).ended_with(69);
        run.said("sent 1 packet to").said("did not look").said(words_expected).said("--no-wait");
        drop(server.hear());
    }
    assert!(server.has_heard_all());
}

#[test]
fn a_report_is_one_object() {
    let (device, server) = enrolled();
    let port = RefusingPort::new();
    port.listen();
    let asked = format!("tcp/{}", port.number());
    let run = device.run(words(&format!("open {asked} gw --json"))).ended_with(0);
    assert_eq!((run.err.as_str(), run.out.matches('\n').count()), ("", 1));
    let mut report: Value = serde_json::from_str(&run.out).unwrap();
    assert!(report["ports"][0]["microseconds"].take().is_u64());
    let expected = serde_json::json!({
        "host": "gw", "services": [asked], "outcome": "answers", "server": server.address(), "packets": 1,
        "address": { "sender": true, "ipv4": null, "ipv6": null },
        "ports": [{ "name": asked, "state": "answers", "at": format!("127.0.0.1:{}", port.number()),
            "microseconds": null, "error": null }],
    });
    assert_eq!(report, expected);

    let failed = device.run(words("open udp/9 gw --json")).ended_with(69).said("no TCP port is known");
    let report: Value = serde_json::from_str(&failed.out).unwrap();
    assert_eq!(report["outcome"], "no-port");
}

#[test]
fn closing_names_no_address() {
    let (device, server) = enrolled();
    for (line, services) in
        [("close gw", ""), ("close ssh,tcp/8443 gw", "ssh,tcp/8443"), ("close ssh gw -4", "ssh")]
    {
        device.run(words(line)).ended_with(0).printed("").said("asked 127.0.0.1:");
        let close = Request::Close(Close::new(services.parse().unwrap(), Addresses::NONE));
        let [first, second] = [server.hear(), server.hear()];
        assert_eq!([first.request().unwrap(), second.request().unwrap()], [close.clone(), close], "{line}");
        assert!(first.stamp() < second.stamp());
    }
    assert!(server.has_heard_all());
}

#[test]
fn a_server_on_ipv6_is_reached() {
    let server = Server::at(Ipv6Addr::LOCALHOST);
    let device = knowing(&server.line());
    device.run(words("open ssh gw --no-wait -6")).ended_with(0).said("[::1]:");
    assert_eq!(server.hear_request(), open("ssh", Addresses::NONE.with_sender(), 0));
    device.run(words("open ssh gw --no-wait -4")).ended_with(68).said("no address of that family");
    assert!(server.has_heard_all());
}

#[test]
fn a_later_endpoint_is_for_a_host_without_address() {
    let server = Server::at(Ipv4Addr::LOCALHOST);
    let line = server.line().replace(" 127.0.0.1", " [::1]:9,127.0.0.1");
    let device = knowing(&line);
    device.run(words("open ssh gw --no-wait -4")).ended_with(0);
    drop(server.hear());
    device.run(words("open ssh gw --no-wait")).ended_with(0).said("[::1]:9");
    assert!(server.has_heard_all());
}
